/* UUIDs as text (RFC 9562). */

#include "csc_uuid.h"

#include <string.h>

#define CSC_UUID_V7_TIME 6    /* bytes of the time stamp */
#define CSC_UUID_V7_VERSION 6 /* the byte whose upper half is the version */

#define CSC_UUID_DIGIT 0x20 /* a digit in either case */
#define CSC_UUID_LOWER 0x10 /* one that is not in upper case */

static int csc_uuid_read(csc_str_t text, unsigned form, unsigned char *bytes);
static void csc_uuid_write(const unsigned char *bytes, unsigned char *out);


/* What a character is, with a digit's value below; 0 for what is none. */
static const unsigned char csc_uuid_digits[256] = {
    ['0'] = 0x30,
    ['1'] = 0x31,
    ['2'] = 0x32,
    ['3'] = 0x33,
    ['4'] = 0x34,
    ['5'] = 0x35,
    ['6'] = 0x36,
    ['7'] = 0x37,
    ['8'] = 0x38,
    ['9'] = 0x39,
    ['a'] = 0x3a,
    ['b'] = 0x3b,
    ['c'] = 0x3c,
    ['d'] = 0x3d,
    ['e'] = 0x3e,
    ['f'] = 0x3f,
    ['A'] = 0x2a,
    ['B'] = 0x2b,
    ['C'] = 0x2c,
    ['D'] = 0x2d,
    ['E'] = 0x2e,
    ['F'] = 0x2f,
};

/* Where in the text the two digits of each byte begin. */
static const unsigned char csc_uuid_places[CSC_UUID_BYTES] = { 0, 2, 4, 6, 9,
    11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34 };


int
csc_uuid_parse(csc_str_t text, unsigned char *out)
{
    unsigned char bytes[CSC_UUID_BYTES];

    if (csc_uuid_read(text, CSC_UUID_DIGIT, bytes) != CSC_OK) {
        return CSC_ERROR;
    }

    csc_uuid_write(bytes, out);

    return CSC_OK;
}


int
csc_uuid_is(csc_str_t text)
{
    unsigned char bytes[CSC_UUID_BYTES];

    return csc_uuid_read(text, CSC_UUID_LOWER, bytes) == CSC_OK;
}


int
csc_uuid_bytes(csc_str_t text, unsigned char *out)
{
    unsigned char bytes[CSC_UUID_BYTES];

    if (csc_uuid_read(text, CSC_UUID_LOWER, bytes) != CSC_OK) {
        return CSC_ERROR;
    }

    memcpy(out, bytes, CSC_UUID_BYTES);

    return CSC_OK;
}


void
csc_uuid_v7(uint64_t unix_ms, const unsigned char *random, unsigned char *out)
{
    size_t i;
    unsigned char bytes[CSC_UUID_BYTES];

    for (i = 0; i < CSC_UUID_V7_TIME; i++) {
        bytes[i] = (unsigned char) (unix_ms >> (8 * (5 - i)));
    }

    memcpy(bytes + CSC_UUID_V7_TIME, random, CSC_UUID_V7_RANDOM);

    bytes[6] = (unsigned char) ((bytes[6] & 0x0f) | 0x70); /* version 7 */
    bytes[8] = (unsigned char) ((bytes[8] & 0x3f) | 0x80); /* variant 10 */

    csc_uuid_write(bytes, out);
}


uint64_t
csc_uuid_ms(csc_str_t text)
{
    size_t i;
    uint64_t ms;
    unsigned char bytes[CSC_UUID_BYTES];

    if (csc_uuid_read(text, CSC_UUID_LOWER, bytes) != CSC_OK
        || bytes[CSC_UUID_V7_VERSION] >> 4 != 7)
    {
        return 0;
    }

    ms = 0;

    for (i = 0; i < CSC_UUID_V7_TIME; i++) {
        ms = ms << 8 | bytes[i];
    }

    return ms;
}


/* The bytes, where all digits have the form that is asked for. */
static int
csc_uuid_read(csc_str_t text, unsigned form, unsigned char *bytes)
{
    size_t i;
    unsigned high, low, all;
    const unsigned char *p;

    p = text.data;

    if (text.len != CSC_UUID_LEN || p[8] != '-' || p[13] != '-' || p[18] != '-'
        || p[23] != '-')
    {
        return CSC_ERROR;
    }

    all = form;

    for (i = 0; i < CSC_UUID_BYTES; i++) {
        high = csc_uuid_digits[p[csc_uuid_places[i]]];
        low = csc_uuid_digits[p[csc_uuid_places[i] + 1]];

        all &= high & low;
        bytes[i] = (unsigned char) (high << 4 | (low & 0x0f));
    }

    return all != 0 ? CSC_OK : CSC_ERROR;
}


static void
csc_uuid_write(const unsigned char *bytes, unsigned char *out)
{
    size_t i;
    unsigned char *p;

    static const char hex[] = "0123456789abcdef";

    for (i = 0; i < CSC_UUID_BYTES; i++) {
        p = out + csc_uuid_places[i];
        p[0] = (unsigned char) hex[bytes[i] >> 4];
        p[1] = (unsigned char) hex[bytes[i] & 0x0f];
    }

    out[8] = '-';
    out[13] = '-';
    out[18] = '-';
    out[23] = '-';
}
