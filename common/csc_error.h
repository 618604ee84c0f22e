/*
 * The error codes of the API with their HTTP status and default sentence;
 * one list for the module, which answers what it can see, and the worker.
 */

#ifndef CSC_ERROR_H
#define CSC_ERROR_H

#include "csc_core.h"

typedef enum {
    CSC_E_NONE = 0,
    CSC_E_INVALID_INPUT,
    CSC_E_AUTH_REQUIRED,
    CSC_E_INVALID_TOKEN,
    CSC_E_INVALID_CREDENTIALS,
    CSC_E_ACCESS_DENIED,
    CSC_E_CHAT_NOT_FOUND,
    CSC_E_USER_NOT_FOUND,
    CSC_E_NOT_FOUND,
    CSC_E_METHOD_NOT_ALLOWED,
    CSC_E_CONFLICT,
    CSC_E_CHAT_ASSIGNED,
    CSC_E_CHAT_ARCHIVED,
    CSC_E_PAYLOAD_TOO_LARGE,
    CSC_E_UNSUPPORTED_MEDIA_TYPE,
    CSC_E_UPGRADE_REQUIRED,
    CSC_E_RATE_LIMITED,
    CSC_E_INTERNAL_ERROR,
    CSC_E_BACKEND_UNAVAILABLE,
    CSC_E_BACKEND_TIMEOUT,
    CSC_E_MAX
} csc_error_e;

/* "INVALID_INPUT" and so on. */
const char *csc_error_code(csc_error_e error);

/* 400 and so on. */
int csc_error_status(csc_error_e error);

/* The sentence that is sent where there is no better one. */
const char *csc_error_sentence(csc_error_e error);

/* By the code's text; CSC_E_INTERNAL_ERROR for one that is not known. */
csc_error_e csc_error_by_code(csc_str_t code);

/*
 * What is wrong, as a client is told: over HTTP as the error envelope, over a
 * WebSocket as an "error" event.
 */
typedef struct {
    csc_error_e error;
    const char *sentence; /* NULL: the default one */
    csc_str_t field;      /* empty: no one field is at fault */
    csc_str_t reply_to;   /* events: the type that was refused; empty: null */
    csc_str_t client_id;  /* events: as the client sent it; empty: none */
} csc_fault_t;

struct csc_json_writer_s;

/* {"success":false,"error":…,"code":…,"field"?:…} */
void csc_fault_envelope(struct csc_json_writer_s *w, const csc_fault_t *fault);

/* {"type":"error","data":{"code","message","replyTo","clientId"?,"field"?}} */
void csc_fault_event(struct csc_json_writer_s *w, const csc_fault_t *fault);

#endif /* CSC_ERROR_H */
