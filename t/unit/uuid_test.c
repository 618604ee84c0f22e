/* UUIDs: the text form, and RFC 9562's example of version 7. */

#include "unit.h"

#include "csc_uuid.h"

#define LOWER "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


static void
test_parse(void **state)
{
    unsigned char out[CSC_UUID_LEN + 1] = { 0 };

    (void) state;

    assert_int_equal(csc_uuid_parse(csc_str(LOWER), out), CSC_OK);
    assert_string_equal((char *) out, LOWER);

    assert_int_equal(
        csc_uuid_parse(csc_str("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), out),
        CSC_OK);
    assert_string_equal((char *) out, LOWER);

    assert_int_equal(
        csc_uuid_parse(csc_str("00000000-0000-0000-0000-000000000000"), out),
        CSC_OK);
}


static void
test_refused(void **state)
{
    size_t i;
    unsigned char out[] = "untouched.........................!";

    static const char *const refused[] = {
        "",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
        "017f22e279b07cc398c4dc0c0c07398f",
        "{17f22e2-79b0-7cc3-98c4-dc0c0c07398}",
        "017f22e2079b0-7cc3-98c4-dc0c0c07398f",
        "017f22e2-79b007cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3098c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c40dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398G",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398-",
        "017f22e2-79b0-7cc3-98c4-dc0c0c0739 f",
        "-17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
    };

    (void) state;

    for (i = 0; i < UNIT_COUNT(refused); i++) {
        assert_int_equal(csc_uuid_parse(csc_str(refused[i]), out), CSC_ERROR);
        assert_false(csc_uuid_is(csc_str(refused[i])));
    }

    assert_string_equal((char *) out, "untouched.........................!");
}


static void
test_is(void **state)
{
    (void) state;

    assert_true(csc_uuid_is(csc_str(LOWER)));
    assert_false(csc_uuid_is(csc_str("017F22E2-79b0-7cc3-98c4-dc0c0c07398f")));
}


static void
test_v7(void **state)
{
    unsigned char out[CSC_UUID_LEN + 1] = { 0 };

    static const unsigned char zeros[CSC_UUID_V7_RANDOM];
    static const unsigned char ones[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff };
    /* RFC 9562, A.6: rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F */
    static const unsigned char random[] = { 0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c,
        0x0c, 0x07, 0x39, 0x8f };

    (void) state;

    csc_uuid_v7(0x017f22e279b0ULL, random, out);
    assert_string_equal((char *) out, LOWER);

    csc_uuid_v7(0, zeros, out);
    assert_string_equal((char *) out, "00000000-0000-7000-8000-000000000000");

    csc_uuid_v7(0xffffffffffffULL, ones, out);
    assert_string_equal((char *) out, "ffffffff-ffff-7fff-bfff-ffffffffffff");
}


static void
test_ms(void **state)
{
    unsigned char out[CSC_UUID_LEN];
    csc_str_t id = { CSC_UUID_LEN, out };

    static const unsigned char random[CSC_UUID_V7_RANDOM];

    (void) state;

    csc_uuid_v7(0x017f22e279b0ULL, random, out);
    assert_int_equal(csc_uuid_ms(id), 0x017f22e279b0ULL);

    csc_uuid_v7(0xffffffffffffULL, random, out);
    assert_int_equal(csc_uuid_ms(id), 0xffffffffffffULL);

    out[14] = '4';
    assert_int_equal(csc_uuid_ms(id), 0);
    assert_int_equal(csc_uuid_ms(csc_str("017f22e2-79b0-7cc3-98c4")), 0);
    assert_int_equal(csc_uuid_ms(csc_str("")), 0);
}


static void
test_bytes(void **state)
{
    static const unsigned char want[CSC_UUID_BYTES] = { 0x01, 0x23, 0x45, 0x67,
        0x89, 0xab, 0xcd, 0xef, 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32,
        0x10 };
    unsigned char out[CSC_UUID_BYTES] = { 0 };

    (void) state;

    assert_int_equal(
        csc_uuid_bytes(csc_str("01234567-89AB-cdef-fedc-ba9876543210"), out),
        CSC_ERROR);
    assert_int_equal(
        csc_uuid_bytes(csc_str("01234567-89ab-cdef-fedc-ba987654321"), out),
        CSC_ERROR);
    assert_int_equal(out[0], 0);

    assert_int_equal(
        csc_uuid_bytes(csc_str("01234567-89ab-cdef-fedc-ba9876543210"), out),
        CSC_OK);
    assert_memory_equal(out, want, CSC_UUID_BYTES);
}


/* A later one sorts behind an earlier one, whatever the random bytes are. */
static void
test_v7_order(void **state)
{
    int shift;
    uint64_t ms;
    unsigned char a[CSC_UUID_LEN], b[CSC_UUID_LEN];
    unsigned char low[CSC_UUID_V7_RANDOM], high[CSC_UUID_V7_RANDOM];

    (void) state;

    memset(low, 0x00, sizeof(low));
    memset(high, 0xff, sizeof(high));

    for (shift = 0; shift < 48; shift++) {
        ms = 1ULL << shift;

        csc_uuid_v7(ms - 1, high, a);
        csc_uuid_v7(ms, low, b);
        assert_true(memcmp(a, b, CSC_UUID_LEN) < 0);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_is),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_v7),
        cmocka_unit_test(test_ms),
        cmocka_unit_test(test_v7_order),
    };

    return cmocka_run_group_tests_name("uuid", tests, NULL, NULL);
}
