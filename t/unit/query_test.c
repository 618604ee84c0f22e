/* Percent-encoding and query strings. */

#include "unit.h"

#include "csc_query.h"

typedef struct {
    const char *encoded;
    int plus;
    const char *decoded; /* NULL: refused */
} pct_vector_t;


static void
test_decode(void **state)
{
    size_t i, len;
    csc_str_t text;

    static const pct_vector_t vectors[] = {
        { "", 0, "" },
        { "plain", 0, "plain" },
        { "a%20b", 0, "a b" },
        { "a+b", 0, "a+b" },
        { "a+b", 1, "a b" },
        { "a%2Bb", 1, "a+b" },
        { "%e2%82%ac", 0, "\xe2\x82\xac" },
        { "%E2%82%AC", 0, "\xe2\x82\xac" },
        { "100%25", 0, "100%" },
        { "%2525", 0, "%25" },
        { "%", 0, NULL },
        { "a%", 0, NULL },
        { "%4", 0, NULL },
        { "%4g", 0, NULL },
        { "%g4", 0, NULL },
        { "%%20", 0, NULL },
        { "% 4", 0, NULL },
        { "%-1", 0, NULL },
    };

    (void) state;

    for (i = 0; i < UNIT_COUNT(vectors); i++) {
        text = unit_copy(csc_str(vectors[i].encoded));

        /* in place, as the header allows */
        if (vectors[i].decoded == NULL) {
            assert_int_equal(csc_pct_decode(text, vectors[i].plus,
                                 (unsigned char *) (uintptr_t) text.data, &len),
                CSC_ERROR);

        } else {
            assert_int_equal(csc_pct_decode(text, vectors[i].plus,
                                 (unsigned char *) (uintptr_t) text.data, &len),
                CSC_OK);
            assert_int_equal(len, strlen(vectors[i].decoded));
            assert_memory_equal(text.data, vectors[i].decoded, len);
        }

        unit_free(text);
    }
}


static void
test_decode_nul(void **state)
{
    size_t len;
    unsigned char out[8];

    (void) state;

    assert_int_equal(csc_pct_decode(csc_str("a%00b"), 0, out, &len), CSC_OK);
    assert_int_equal(len, 3);
    assert_memory_equal(out, "a\0b", 3);
}


static void
test_encode(void **state)
{
    size_t len;
    unsigned char out[64];

    (void) state;

    len = csc_pct_encode(csc_str("AZaz09-._~:"), out);
    unit_assert_bytes(unit_view((char *) out, len), csc_str("AZaz09-._~:"));

    len = csc_pct_encode(csc_str("a b/%+=&,\n\xc3\xa9"), out);
    unit_assert_bytes(unit_view((char *) out, len),
        csc_str("a%20b%2F%25%2B%3D%26%2C%0A%C3%A9"));

    assert_int_equal(csc_pct_encode(csc_str(""), out), 0);
}


static void
test_round_trip(void **state)
{
    size_t i, len;
    unsigned char all[256], encoded[768], decoded[768];

    (void) state;

    for (i = 0; i < sizeof(all); i++) {
        all[i] = (unsigned char) i;
    }

    len = csc_pct_encode(unit_view((char *) all, sizeof(all)), encoded);

    for (i = 0; i < len; i++) {
        assert_in_range(encoded[i], 0x21, 0x7e);
    }

    assert_int_equal(
        csc_pct_decode(unit_view((char *) encoded, len), 0, decoded, &len),
        CSC_OK);
    assert_int_equal(len, sizeof(all));
    assert_memory_equal(decoded, all, sizeof(all));
}


static void
test_query(void **state)
{
    size_t i;
    csc_str_t text, rest, name, value;

    static const char *const pairs[][2] = {
        { "limit", "50" },
        { "empty", "" },
        { "bare", "" },
        { "", "nameless" },
        { "a", "b=c" },
        { "x%20", "%26+y" },
    };

    (void) state;

    text = unit_copy(
        csc_str("&limit=50&&empty=&bare&=nameless&a=b=c&x%20=%26+y&"));
    rest = text;

    for (i = 0; i < UNIT_COUNT(pairs); i++) {
        assert_int_equal(csc_query_next(&rest, &name, &value), CSC_OK);
        unit_assert_str(name, pairs[i][0]);
        unit_assert_str(value, pairs[i][1]);
    }

    assert_int_equal(csc_query_next(&rest, &name, &value), CSC_AGAIN);
    assert_int_equal(csc_query_next(&rest, &name, &value), CSC_AGAIN);

    unit_free(text);
}


static void
test_query_empty(void **state)
{
    csc_str_t rest = CSC_STR_NULL;
    csc_str_t name, value;

    (void) state;

    assert_int_equal(csc_query_next(&rest, &name, &value), CSC_AGAIN);

    rest = csc_str("&&&");
    assert_int_equal(csc_query_next(&rest, &name, &value), CSC_AGAIN);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_decode_nul),
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_query_empty),
    };

    return cmocka_run_group_tests_name("query", tests, NULL, NULL);
}
