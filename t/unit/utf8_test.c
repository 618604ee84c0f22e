/* UTF-8: RFC 3629's ranges, and any split of the text. */

#include "unit.h"

#include "csc_utf8.h"

typedef struct {
    const char *text;
    size_t len;
    size_t characters;
} utf8_valid_t;

typedef struct {
    const char *text;
    size_t len;
    size_t bad; /* the byte that makes it invalid, counted from 1 */
} utf8_invalid_t;

#define TEXT(text) text, sizeof(text) - 1


/* The first and last character of every row of RFC 3629's table. */
static const utf8_valid_t utf8_valid[] = {
    { TEXT(""), 0 },
    { TEXT("\0"), 1 },
    { TEXT("\x7f"), 1 },
    { TEXT("\xc2\x80"), 1 },
    { TEXT("\xdf\xbf"), 1 },
    { TEXT("\xe0\xa0\x80"), 1 },
    { TEXT("\xe0\xbf\xbf"), 1 },
    { TEXT("\xe1\x80\x80"), 1 },
    { TEXT("\xec\xbf\xbf"), 1 },
    { TEXT("\xed\x80\x80"), 1 },
    { TEXT("\xed\x9f\xbf"), 1 },
    { TEXT("\xee\x80\x80"), 1 },
    { TEXT("\xef\xbf\xbf"), 1 },
    { TEXT("\xf0\x90\x80\x80"), 1 },
    { TEXT("\xf0\xbf\xbf\xbf"), 1 },
    { TEXT("\xf1\x80\x80\x80"), 1 },
    { TEXT("\xf3\xbf\xbf\xbf"), 1 },
    { TEXT("\xf4\x80\x80\x80"), 1 },
    { TEXT("\xf4\x8f\xbf\xbf"), 1 },
    { TEXT("Gr\xc3\xbc\xc3\x9f"
           "e, \xe2\x82\xac 5 \xf0\x9f\x98\x80"),
        12 },
    { TEXT("a text of sixteen"), 17 },
    { TEXT("seven..\xc3\xa9 and eight...\xc3\xa9"), 22 },
};

static const utf8_invalid_t utf8_invalid[] = {
    { TEXT("\x80"), 1 }, /* continuation of nothing */
    { TEXT("\xbf"), 1 },
    { TEXT("\xc0\xaf"), 1 }, /* overlong */
    { TEXT("\xc1\xbf"), 1 },
    { TEXT("\xe0\x9f\xbf"), 2 },
    { TEXT("\xf0\x8f\xbf\xbf"), 2 },
    { TEXT("\xed\xa0\x80"), 2 }, /* surrogates */
    { TEXT("\xed\xbf\xbf"), 2 },
    { TEXT("\xf4\x90\x80\x80"), 2 }, /* above U+10FFFF */
    { TEXT("\xf5\x80\x80\x80"), 1 },
    { TEXT("\xfe"), 1 },
    { TEXT("\xff"), 1 },
    { TEXT("\xc3 "), 2 }, /* broken off */
    { TEXT("\xe2\x82"
           "A"),
        3 },
    { TEXT("\xf0\x9f\x98"
           "A"),
        4 },
    { TEXT("\xe2\xc3\xa9"), 2 },
    { TEXT("12345678\xff"
           "90123456"),
        9 },
    { TEXT("1234567890123456\xc3\xa9\x80"), 19 },
};


static void
test_valid(void **state)
{
    size_t i;
    csc_str_t text;

    (void) state;

    for (i = 0; i < UNIT_COUNT(utf8_valid); i++) {
        text = unit_copy(unit_view(utf8_valid[i].text, utf8_valid[i].len));

        assert_true(csc_utf8_valid(text));
        assert_int_equal(csc_utf8_length(text), utf8_valid[i].characters);

        unit_free(text);
    }
}


/* The error comes with the first byte that leaves no way on. */
static void
test_invalid(void **state)
{
    size_t i, n;
    csc_utf8_t utf8;
    const unsigned char *data;

    (void) state;

    for (i = 0; i < UNIT_COUNT(utf8_invalid); i++) {
        data = (const unsigned char *) utf8_invalid[i].text;

        assert_false(csc_utf8_valid(
            unit_view(utf8_invalid[i].text, utf8_invalid[i].len)));

        for (n = 1; n <= utf8_invalid[i].len; n++) {
            memset(&utf8, 0, sizeof(utf8));
            assert_int_equal(csc_utf8_feed(&utf8, data, n),
                n < utf8_invalid[i].bad ? CSC_OK : CSC_ERROR);
        }

        /* and it stays */
        assert_int_equal(csc_utf8_feed(&utf8, NULL, 0), CSC_ERROR);
        assert_int_equal(csc_utf8_feed(&utf8, data, 0), CSC_ERROR);
        assert_int_equal(
            csc_utf8_feed(&utf8, (const unsigned char *) "a", 1), CSC_ERROR);
        assert_false(csc_utf8_complete(&utf8));
    }
}


static void
test_split(void **state)
{
    size_t i, at, len;
    csc_utf8_t utf8;
    const unsigned char *data;

    (void) state;

    for (i = 0; i < UNIT_COUNT(utf8_valid); i++) {
        data = (const unsigned char *) utf8_valid[i].text;
        len = utf8_valid[i].len;

        for (at = 0; at <= len; at++) {
            memset(&utf8, 0, sizeof(utf8));

            assert_int_equal(csc_utf8_feed(&utf8, data, at), CSC_OK);
            assert_int_equal(csc_utf8_complete(&utf8),
                at == len || (data[at] & 0xc0) != 0x80);
            assert_int_equal(csc_utf8_feed(&utf8, data + at, len - at), CSC_OK);
            assert_true(csc_utf8_complete(&utf8));
        }
    }
}


static void
test_broken_off(void **state)
{
    csc_utf8_t utf8;

    (void) state;

    assert_false(csc_utf8_valid(UNIT_BYTES("\xc3")));
    assert_false(csc_utf8_valid(UNIT_BYTES("\xe2\x82")));
    assert_false(csc_utf8_valid(UNIT_BYTES("a\xf0\x9f\x98")));

    memset(&utf8, 0, sizeof(utf8));
    assert_int_equal(csc_utf8_feed(&utf8, NULL, 0), CSC_OK);
    assert_true(csc_utf8_complete(&utf8));
}


/* Every code point and every surrogate, against a plain encoder. */
static void
test_all_code_points(void **state)
{
    size_t len;
    uint32_t c;
    csc_str_t text;
    unsigned char b[4];

    (void) state;

    for (c = 0; c < 0x110400; c++) {
        if (c < 0x80) {
            b[0] = (unsigned char) c;
            len = 1;

        } else if (c < 0x800) {
            b[0] = (unsigned char) (0xc0 | c >> 6);
            b[1] = (unsigned char) (0x80 | (c & 0x3f));
            len = 2;

        } else if (c < 0x10000) {
            b[0] = (unsigned char) (0xe0 | c >> 12);
            b[1] = (unsigned char) (0x80 | (c >> 6 & 0x3f));
            b[2] = (unsigned char) (0x80 | (c & 0x3f));
            len = 3;

        } else {
            b[0] = (unsigned char) (0xf0 | c >> 18);
            b[1] = (unsigned char) (0x80 | (c >> 12 & 0x3f));
            b[2] = (unsigned char) (0x80 | (c >> 6 & 0x3f));
            b[3] = (unsigned char) (0x80 | (c & 0x3f));
            len = 4;
        }

        text = unit_view((const char *) b, len);

        if (csc_utf8_valid(text)
            != (c < 0xd800 || (c > 0xdfff && c <= 0x10ffff))) {
            fail_msg("U+%04X", (unsigned) c);
        }
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_broken_off),
        cmocka_unit_test(test_all_code_points),
    };

    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
