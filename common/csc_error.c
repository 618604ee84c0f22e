/* Error codes, and how a client is told of one. */

#include "csc_error.h"
#include "csc_json.h"

typedef struct {
    const char *code;
    int status;
    const char *sentence;
} csc_error_entry_t;


static const csc_error_entry_t csc_errors[CSC_E_MAX] = {
    [CSC_E_NONE] = { "NONE", 200, "Nothing is wrong." },
    [CSC_E_INVALID_INPUT] = { "INVALID_INPUT", 400,
        "The request is not valid." },
    [CSC_E_AUTH_REQUIRED] = { "AUTH_REQUIRED", 401, "Please log in." },
    [CSC_E_INVALID_TOKEN] = { "INVALID_TOKEN", 401,
        "The token is not valid or has expired. Please log in again." },
    [CSC_E_INVALID_CREDENTIALS] = { "INVALID_CREDENTIALS", 401,
        "The user name or the password is wrong." },
    [CSC_E_ACCESS_DENIED] = { "ACCESS_DENIED", 403,
        "You are not allowed to do this." },
    [CSC_E_CHAT_NOT_FOUND] = { "CHAT_NOT_FOUND", 404,
        "There is no such chat." },
    [CSC_E_USER_NOT_FOUND] = { "USER_NOT_FOUND", 404,
        "There is no such user." },
    [CSC_E_NOT_FOUND] = { "NOT_FOUND", 404, "There is nothing here." },
    [CSC_E_METHOD_NOT_ALLOWED] = { "METHOD_NOT_ALLOWED", 405,
        "This method is not allowed here." },
    [CSC_E_CONFLICT] = { "CONFLICT", 409,
        "The request conflicts with what is already there." },
    [CSC_E_CHAT_ASSIGNED] = { "CHAT_ASSIGNED", 409,
        "Another agent has taken this chat." },
    [CSC_E_CHAT_ARCHIVED] = { "CHAT_ARCHIVED", 409, "This chat is archived." },
    [CSC_E_PAYLOAD_TOO_LARGE] = { "PAYLOAD_TOO_LARGE", 413,
        "The request is too large." },
    [CSC_E_UNSUPPORTED_MEDIA_TYPE] = { "UNSUPPORTED_MEDIA_TYPE", 415,
        "The body must be JSON." },
    [CSC_E_UPGRADE_REQUIRED] = { "UPGRADE_REQUIRED", 426,
        "Only version 13 of the WebSocket protocol is supported." },
    [CSC_E_RATE_LIMITED] = { "RATE_LIMITED", 429,
        "Too many requests. Please wait a moment." },
    [CSC_E_INTERNAL_ERROR] = { "INTERNAL_ERROR", 500,
        "Something went wrong on the server." },
    [CSC_E_BACKEND_UNAVAILABLE] = { "BACKEND_UNAVAILABLE", 503,
        "The service is not available just now. Please try again." },
    [CSC_E_BACKEND_TIMEOUT] = { "BACKEND_TIMEOUT", 504,
        "The service did not answer in time. Please try again." },
};

static csc_str_t csc_fault_sentence(const csc_fault_t *fault);
static void csc_fault_optional(
    csc_json_writer_t *w, const char *name, csc_str_t value);


const char *
csc_error_code(csc_error_e error)
{
    return csc_errors[error].code;
}


int
csc_error_status(csc_error_e error)
{
    return csc_errors[error].status;
}


const char *
csc_error_sentence(csc_error_e error)
{
    return csc_errors[error].sentence;
}


csc_error_e
csc_error_by_code(csc_str_t code)
{
    int error;

    for (error = CSC_E_NONE + 1; error < CSC_E_MAX; error++) {
        if (csc_str_is(code, csc_errors[error].code)) {
            return (csc_error_e) error;
        }
    }

    return CSC_E_INTERNAL_ERROR;
}


void
csc_fault_envelope(csc_json_writer_t *w, const csc_fault_t *fault)
{
    csc_json_object(w);

    csc_json_key(w, "success");
    csc_json_bool(w, 0);

    csc_json_key(w, "error");
    csc_json_string(w, csc_fault_sentence(fault));

    csc_json_key(w, "code");
    csc_json_text(w, csc_error_code(fault->error));

    csc_fault_optional(w, "field", fault->field);

    csc_json_end_object(w);
}


void
csc_fault_event(csc_json_writer_t *w, const csc_fault_t *fault)
{
    csc_json_object(w);

    csc_json_key(w, "type");
    csc_json_text(w, "error");

    csc_json_key(w, "data");
    csc_json_object(w);

    csc_json_key(w, "code");
    csc_json_text(w, csc_error_code(fault->error));

    csc_json_key(w, "message");
    csc_json_string(w, csc_fault_sentence(fault));

    csc_json_key(w, "replyTo");

    if (fault->reply_to.len > 0) {
        csc_json_string(w, fault->reply_to);

    } else {
        csc_json_null(w);
    }

    csc_fault_optional(w, "clientId", fault->client_id);
    csc_fault_optional(w, "field", fault->field);

    csc_json_end_object(w);
    csc_json_end_object(w);
}


static csc_str_t
csc_fault_sentence(const csc_fault_t *fault)
{
    if (fault->sentence != NULL) {
        return csc_str(fault->sentence);
    }

    return csc_str(csc_error_sentence(fault->error));
}


static void
csc_fault_optional(csc_json_writer_t *w, const char *name, csc_str_t value)
{
    if (value.len == 0) {
        return;
    }

    csc_json_key(w, name);
    csc_json_string(w, value);
}
