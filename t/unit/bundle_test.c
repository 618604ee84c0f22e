/* Bundles: what was put together comes apart, and nothing else does. */

#include "unit.h"

#include "csc_bundle.h"
#include "csc_bus.h"

#define REPLY "CSC1 R id=1a status=201\n{}"
#define EVENT "CSC1 E src=w n=7 topics=user:a\n{\"type\":\"x\"}"
#define TWO "26\n" REPLY "43\n" EVENT


static void
test_length(void **state)
{
    size_t i, n;
    csc_str_t body, message;
    unsigned char out[CSC_BUNDLE_MAX_LENGTH + 1];
    static const size_t lengths[] = { 1, 9, 10, 25, 99, 100, 65536,
        CSC_BUNDLE_MAX_MESSAGE };
    static const char *const texts[] = { "1\n", "9\n", "10\n", "25\n", "99\n",
        "100\n", "65536\n", "999999999\n" };

    (void) state;

    for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        n = csc_bundle_length(lengths[i], out);
        unit_assert_bytes(unit_view((char *) out, n), csc_str(texts[i]));
        assert_true(n <= CSC_BUNDLE_MAX_LENGTH);

        /* the message behind it is not there */
        body = unit_view((char *) out, n);
        assert_int_equal(csc_bundle_next(&body, &message), CSC_ERROR);
    }
}


static void
test_two(void **state)
{
    const char *why;
    csc_str_t body, message;
    csc_bus_message_t decoded;
    csc_str_t bundle = CSC_STR(CSC_BUNDLE_HEADER TWO);

    (void) state;

    assert_int_equal(csc_bus_decode(bundle, &decoded, &why), CSC_OK);
    assert_int_equal(decoded.kind, CSC_BUS_BUNDLE);

    body = decoded.body;

    assert_int_equal(csc_bundle_next(&body, &message), CSC_OK);
    unit_assert_bytes(message, csc_str(REPLY));
    assert_int_equal(csc_bus_decode(message, &decoded, &why), CSC_OK);
    assert_int_equal(decoded.kind, CSC_BUS_REPLY);

    assert_int_equal(csc_bundle_next(&body, &message), CSC_OK);
    unit_assert_bytes(message, csc_str(EVENT));
    assert_int_equal(csc_bus_decode(message, &decoded, &why), CSC_OK);
    assert_int_equal(decoded.kind, CSC_BUS_EVENT);

    assert_int_equal(csc_bundle_next(&body, &message), CSC_AGAIN);
}


/* Cut anywhere but between two messages, it says so at the cut. */
static void
test_every_cut(void **state)
{
    size_t cut, first;
    unsigned got;
    csc_str_t body, message;

    (void) state;

    first = sizeof("26\n" REPLY) - 1;

    for (cut = 0; cut < sizeof(TWO) - 1; cut++) {
        csc_str_t copy = unit_copy(unit_view(TWO, cut));

        got = 0;
        body = copy;

        while (csc_bundle_next(&body, &message) == CSC_OK) {
            got++;
        }

        assert_int_equal(got, cut >= first ? 1 : 0);
        assert_int_equal(csc_bundle_next(&body, &message),
            cut == 0 || cut == first ? CSC_AGAIN : CSC_ERROR);
        unit_free(copy);
    }
}


static void
test_refused(void **state)
{
    size_t i;
    csc_str_t body, message;
    static const char *const bad[] = { "\n", "0\n", "01\na", "-1\na", "+1\na",
        " 1\na", "1 \na", "1\r\na", "a\na", "2\na", "1", "12345678901",
        "9999999999\na", "18446744073709551617\na" };

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        body = csc_str(bad[i]);
        assert_int_equal(csc_bundle_next(&body, &message), CSC_ERROR);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_two),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests_name("bundle", tests, NULL, NULL);
}
