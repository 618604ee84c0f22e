/* String views and numbers. */

#include "unit.h"


static void
test_views(void **state)
{
    csc_str_t literal = CSC_STR("chat");
    csc_str_t null = CSC_STR_NULL;

    (void) state;

    assert_int_equal(csc_str("chat").len, 4);
    assert_int_equal(csc_str("").len, 0);
    assert_int_equal(csc_str(NULL).len, 0);
    assert_null(csc_str(NULL).data);

    assert_true(csc_str_eq(literal, csc_str("chat")));
    assert_false(csc_str_eq(literal, csc_str("chas")));
    assert_false(csc_str_eq(literal, csc_str("chats")));
    assert_true(csc_str_eq(null, csc_str("")));
    assert_true(csc_str_eq(UNIT_BYTES("a\0b"), UNIT_BYTES("a\0b")));
    assert_false(csc_str_eq(UNIT_BYTES("a\0b"), UNIT_BYTES("a\0c")));

    assert_true(csc_str_is(literal, "chat"));
    assert_false(csc_str_is(literal, "cha"));
    assert_false(csc_str_is(UNIT_BYTES("chat\0"), "chat"));
    assert_true(csc_str_is(null, ""));
}


static void
test_numbers(void **state)
{
    uint64_t value;

    (void) state;

    assert_int_equal(csc_str_to_u64(csc_str("0"), 0, &value), CSC_OK);
    assert_true(value == 0);

    assert_int_equal(csc_str_to_u64(csc_str("007"), 7, &value), CSC_OK);
    assert_true(value == 7);

    assert_int_equal(csc_str_to_u64(csc_str("200"), 200, &value), CSC_OK);
    assert_true(value == 200);

    assert_int_equal(
        csc_str_to_u64(csc_str("9999999999999999999"), UINT64_MAX, &value),
        CSC_OK);
    assert_true(value == 9999999999999999999ULL);
}


static void
test_numbers_refused(void **state)
{
    size_t i;
    uint64_t value;

    static const char *const refused[] = { "", "-1", "+1", " 1", "1 ", "1.0",
        "1e3", "0x10", "a", "/", ":", "201", "10000000000000000000",
        "00000000000000000001", "18446744073709551816" };

    (void) state;

    for (i = 0; i < UNIT_COUNT(refused); i++) {
        value = 42;
        assert_int_equal(
            csc_str_to_u64(csc_str(refused[i]), 200, &value), CSC_ERROR);
        assert_true(value == 42);
    }

    assert_int_equal(csc_str_to_u64(UNIT_BYTES("1\0"), 200, &value), CSC_ERROR);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_numbers_refused),
    };

    return cmocka_run_group_tests_name("core", tests, NULL, NULL);
}
