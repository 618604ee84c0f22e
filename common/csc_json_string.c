#include "csc_json_string.h"

#include <string.h>

static size_t csc_json_escape_read(
    const unsigned char *p, const unsigned char *end, uint32_t *code);
static int csc_json_code_unit(
    const unsigned char *p, const unsigned char *end, uint32_t *unit);
static int csc_json_is_surrogate(uint32_t code);
static unsigned char *csc_json_put_utf8(uint32_t code, unsigned char *to);


/*
 * The tests are those for a zero byte and for a byte below 0x20; what they
 * take for one beside it only ends the run early.
 */
size_t
csc_json_plain(const unsigned char *p, const unsigned char *end)
{
    uint64_t ones = 0x0101010101010101, group, quotes, slashes, low;
    const unsigned char *from = p;

    for (; end - p >= 8; p += 8) {
        memcpy(&group, p, 8);
        quotes = group ^ (ones * '"');
        slashes = group ^ (ones * '\\');
        low = (group - ones * 0x20) & ~group;
        low |= (quotes - ones) & ~quotes;
        low |= (slashes - ones) & ~slashes;

        if (low & (ones * 0x80)) {
            break;
        }
    }

    return (size_t) (p - from);
}


const unsigned char *
csc_json_string_end(
    const unsigned char *p, const unsigned char *end, int *escaped)
{
    size_t used;
    uint32_t code;

    p += csc_json_plain(p, end);

    while (p < end && *p != '"') {
        if (*p < 0x20) {
            return NULL;
        }

        if (*p != '\\') {
            p++;
            continue;
        }

        used = csc_json_escape_read(p, end, &code);
        if (used == 0) {
            return NULL;
        }

        *escaped = 1;
        p += used;
        p += csc_json_plain(p, end);
    }

    return p < end ? p : NULL;
}


const char *
csc_json_string_fault(csc_str_t json)
{
    uint32_t code;
    const unsigned char *p, *end;

    if (json.len == 0) {
        return NULL;
    }

    /* backslashes only stand in strings */

    p = json.data;
    end = p + json.len;

    while (p < end && (p = memchr(p, '\\', (size_t) (end - p))) != NULL) {
        p += csc_json_escape_read(p, end, &code);

        if (code == 0) {
            return "A text must not contain \\u0000.";
        }

        if (csc_json_is_surrogate(code)) {
            return "A text must not contain a lone surrogate.";
        }
    }

    return NULL;
}


size_t
csc_json_unescape(csc_str_t text, unsigned char *out)
{
    uint32_t code;
    unsigned char *to;
    const unsigned char *p, *end;

    to = out;
    p = text.data;
    end = p + text.len;

    while (p < end) {
        if (*p != '\\') {
            *to++ = *p++;
            continue;
        }

        p += csc_json_escape_read(p, end, &code);
        to = csc_json_put_utf8(code, to);
    }

    return (size_t) (to - out);
}


/*
 * The length of the escape at p, a pair of surrogates being one, and the
 * character that it stands for; a lone surrogate stands for itself.  0 where
 * it is none.
 */
static size_t
csc_json_escape_read(
    const unsigned char *p, const unsigned char *end, uint32_t *code)
{
    uint32_t low;
    const char *simple;

    static const char escapes[] = "\"\"\\\\//b\bf\fn\nr\rt\t";

    if (csc_json_code_unit(p, end, code)) {
        if (*code >= 0xd800 && *code <= 0xdbff
            && csc_json_code_unit(p + 6, end, &low) && low >= 0xdc00
            && low <= 0xdfff)
        {
            *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
            return 12;
        }

        return 6;
    }

    for (simple = escapes; end - p >= 2 && *simple != '\0'; simple += 2) {
        if ((unsigned char) simple[0] == p[1]) {
            *code = (unsigned char) simple[1];
            return 2;
        }
    }

    return 0;
}


/* 1 when there is a \uXXXX at p. */
static int
csc_json_code_unit(
    const unsigned char *p, const unsigned char *end, uint32_t *unit)
{
    size_t i;
    unsigned char c;

    if (end - p < 6 || p[0] != '\\' || p[1] != 'u') {
        return 0;
    }

    *unit = 0;

    for (i = 2; i < 6; i++) {
        c = p[i];

        if (c >= '0' && c <= '9') {
            c = (unsigned char) (c - '0');

        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            c = (unsigned char) ((c | 0x20) - 'a' + 10);

        } else {
            return 0;
        }

        *unit = *unit * 16 + c;
    }

    return 1;
}


static int
csc_json_is_surrogate(uint32_t code)
{
    return code >= 0xd800 && code <= 0xdfff;
}


/* Never longer than the escape. */
static unsigned char *
csc_json_put_utf8(uint32_t code, unsigned char *to)
{
    if (code < 0x80) {
        *to++ = (unsigned char) code;
        return to;
    }

    if (code < 0x800) {
        *to++ = (unsigned char) (0xc0 | code >> 6);

    } else {
        if (code < 0x10000) {
            *to++ = (unsigned char) (0xe0 | code >> 12);

        } else {
            *to++ = (unsigned char) (0xf0 | code >> 18);
            *to++ = (unsigned char) (0x80 | (code >> 12 & 0x3f));
        }

        *to++ = (unsigned char) (0x80 | (code >> 6 & 0x3f));
    }

    *to++ = (unsigned char) (0x80 | (code & 0x3f));

    return to;
}
