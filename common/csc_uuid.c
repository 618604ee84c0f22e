/* UUIDs as text (RFC 9562). */

#include "csc_uuid.h"

#include <string.h>

#define CSC_UUID_V7_TIME 6    /* bytes of the time stamp */
#define CSC_UUID_V7_DIGITS 13 /* of the text, a dash among them, that hold it */
#define CSC_UUID_V7_VERSION 14 /* where in the text the version stands */

static int csc_uuid_is_dash(size_t at);
static int csc_uuid_is_hex(unsigned char c);
static unsigned csc_uuid_digit(unsigned char c);


int
csc_uuid_parse(csc_str_t text, unsigned char *out)
{
    size_t i;
    unsigned char c, lower[CSC_UUID_LEN];

    if (text.len != CSC_UUID_LEN) {
        return CSC_ERROR;
    }

    for (i = 0; i < CSC_UUID_LEN; i++) {
        c = text.data[i];

        if (c >= 'A' && c <= 'F') {
            c = (unsigned char) (c - 'A' + 'a');
        }

        if (csc_uuid_is_dash(i) ? c != '-' : !csc_uuid_is_hex(c)) {
            return CSC_ERROR;
        }

        lower[i] = c;
    }

    memcpy(out, lower, CSC_UUID_LEN);

    return CSC_OK;
}


int
csc_uuid_is(csc_str_t text)
{
    unsigned char lower[CSC_UUID_LEN];

    return csc_uuid_parse(text, lower) == CSC_OK
           && memcmp(lower, text.data, CSC_UUID_LEN) == 0;
}


int
csc_uuid_bytes(csc_str_t text, unsigned char *out)
{
    size_t i, at = 0;

    if (!csc_uuid_is(text)) {
        return CSC_ERROR;
    }

    for (i = 0; i < CSC_UUID_BYTES; i++) {
        at += (size_t) csc_uuid_is_dash(at);
        out[i] = (unsigned char) (csc_uuid_digit(text.data[at]) << 4
                                  | csc_uuid_digit(text.data[at + 1]));
        at += 2;
    }

    return CSC_OK;
}


void
csc_uuid_v7(uint64_t unix_ms, const unsigned char *random, unsigned char *out)
{
    size_t i, at;
    unsigned char bytes[CSC_UUID_BYTES];

    static const char hex[] = "0123456789abcdef";

    for (i = 0; i < CSC_UUID_V7_TIME; i++) {
        bytes[i] = (unsigned char) (unix_ms >> (8 * (5 - i)));
    }

    memcpy(bytes + CSC_UUID_V7_TIME, random, CSC_UUID_V7_RANDOM);

    bytes[6] = (unsigned char) ((bytes[6] & 0x0f) | 0x70); /* version 7 */
    bytes[8] = (unsigned char) ((bytes[8] & 0x3f) | 0x80); /* variant 10 */

    at = 0;

    for (i = 0; i < CSC_UUID_BYTES; i++) {
        if (csc_uuid_is_dash(at)) {
            out[at++] = '-';
        }

        out[at++] = (unsigned char) hex[bytes[i] >> 4];
        out[at++] = (unsigned char) hex[bytes[i] & 0x0f];
    }
}


uint64_t
csc_uuid_ms(csc_str_t text)
{
    size_t i;
    uint64_t ms;
    unsigned char c;

    if (!csc_uuid_is(text) || text.data[CSC_UUID_V7_VERSION] != '7') {
        return 0;
    }

    ms = 0;

    for (i = 0; i < CSC_UUID_V7_DIGITS; i++) {
        c = text.data[i];

        if (!csc_uuid_is_dash(i)) {
            ms = ms * 16 + (uint64_t) (c <= '9' ? c - '0' : c - 'a' + 10);
        }
    }

    return ms;
}


static int
csc_uuid_is_dash(size_t at)
{
    return at == 8 || at == 13 || at == 18 || at == 23;
}


/* Lower-case digits only. */
static int
csc_uuid_is_hex(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}


static unsigned
csc_uuid_digit(unsigned char c)
{
    return (unsigned) (c <= '9' ? c - '0' : c - 'a' + 10);
}
