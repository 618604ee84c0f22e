/* Error codes, statuses, and the two forms in which a client gets them. */

#include "unit.h"

#include "csc_error.h"
#include "csc_json.h"

typedef struct {
    csc_error_e error;
    const char *code;
    int status;
} error_vector_t;


/* As the API's documentation lists them. */
static const error_vector_t error_vectors[] = {
    { CSC_E_INVALID_INPUT, "INVALID_INPUT", 400 },
    { CSC_E_AUTH_REQUIRED, "AUTH_REQUIRED", 401 },
    { CSC_E_INVALID_TOKEN, "INVALID_TOKEN", 401 },
    { CSC_E_INVALID_CREDENTIALS, "INVALID_CREDENTIALS", 401 },
    { CSC_E_ACCESS_DENIED, "ACCESS_DENIED", 403 },
    { CSC_E_CHAT_NOT_FOUND, "CHAT_NOT_FOUND", 404 },
    { CSC_E_USER_NOT_FOUND, "USER_NOT_FOUND", 404 },
    { CSC_E_NOT_FOUND, "NOT_FOUND", 404 },
    { CSC_E_METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", 405 },
    { CSC_E_CONFLICT, "CONFLICT", 409 },
    { CSC_E_CHAT_ASSIGNED, "CHAT_ASSIGNED", 409 },
    { CSC_E_CHAT_ARCHIVED, "CHAT_ARCHIVED", 409 },
    { CSC_E_PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", 413 },
    { CSC_E_UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", 415 },
    { CSC_E_UPGRADE_REQUIRED, "UPGRADE_REQUIRED", 426 },
    { CSC_E_RATE_LIMITED, "RATE_LIMITED", 429 },
    { CSC_E_INTERNAL_ERROR, "INTERNAL_ERROR", 500 },
    { CSC_E_BACKEND_UNAVAILABLE, "BACKEND_UNAVAILABLE", 503 },
    { CSC_E_BACKEND_TIMEOUT, "BACKEND_TIMEOUT", 504 },
};


static void
test_codes(void **state)
{
    size_t i;
    const error_vector_t *v;

    (void) state;

    assert_int_equal(UNIT_COUNT(error_vectors), CSC_E_MAX - 1);

    for (i = 0; i < UNIT_COUNT(error_vectors); i++) {
        v = &error_vectors[i];

        assert_string_equal(csc_error_code(v->error), v->code);
        assert_int_equal(csc_error_status(v->error), v->status);
        assert_int_equal(csc_error_by_code(csc_str(v->code)), v->error);
        assert_true(strlen(csc_error_sentence(v->error)) > 10);
    }

    assert_int_equal(
        csc_error_by_code(csc_str("TEAPOT")), CSC_E_INTERNAL_ERROR);
    assert_int_equal(csc_error_by_code(csc_str("")), CSC_E_INTERNAL_ERROR);
}


static void
check_fault(void (*write)(csc_json_writer_t *, const csc_fault_t *),
    const csc_fault_t *fault, const char *wanted)
{
    csc_str_t text;
    csc_json_writer_t *w;

    w = csc_json_writer();
    assert_non_null(w);

    write(w, fault);

    assert_int_equal(csc_json_finish(w, &text), CSC_OK);
    unit_assert_str(text, wanted);

    csc_json_free(w);
}


static void
test_envelope(void **state)
{
    csc_fault_t fault = { .error = CSC_E_CHAT_NOT_FOUND };

    (void) state;

    check_fault(csc_fault_envelope, &fault,
        "{\"success\":false,\"error\":\"There is no such chat.\","
        "\"code\":\"CHAT_NOT_FOUND\"}");

    fault.error = CSC_E_INVALID_INPUT;
    fault.sentence = "Say \"please\".";
    fault.field = csc_str("content");

    check_fault(csc_fault_envelope, &fault,
        "{\"success\":false,\"error\":\"Say \\\"please\\\".\","
        "\"code\":\"INVALID_INPUT\",\"field\":\"content\"}");
}


static void
test_event(void **state)
{
    csc_fault_t fault = { .error = CSC_E_CHAT_ARCHIVED };

    (void) state;

    check_fault(csc_fault_event, &fault,
        "{\"type\":\"error\",\"data\":{\"code\":\"CHAT_ARCHIVED\","
        "\"message\":\"This chat is archived.\",\"replyTo\":null}}");

    fault.reply_to = csc_str("send_message");
    fault.client_id = csc_str("c-\n1");
    fault.field = csc_str("chatId");

    check_fault(csc_fault_event, &fault,
        "{\"type\":\"error\",\"data\":{\"code\":\"CHAT_ARCHIVED\","
        "\"message\":\"This chat is archived.\","
        "\"replyTo\":\"send_message\",\"clientId\":\"c-\\n1\","
        "\"field\":\"chatId\"}}");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_envelope),
        cmocka_unit_test(test_event),
    };

    return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
