/* Percent-encoding (RFC 3986) and query strings. */

#include "csc_query.h"

#include <string.h>

static int csc_pct_digit(unsigned char c);
static int csc_pct_is_plain(unsigned char c);


int
csc_pct_decode(csc_str_t src, int plus, unsigned char *dst, size_t *len)
{
    int high, low;
    size_t i, n;
    unsigned char c;

    n = 0;

    for (i = 0; i < src.len; i++) {
        c = src.data[i];

        if (c == '%') {
            if (src.len - i < 3) {
                return CSC_ERROR;
            }

            high = csc_pct_digit(src.data[i + 1]);
            low = csc_pct_digit(src.data[i + 2]);
            if (high < 0 || low < 0) {
                return CSC_ERROR;
            }

            c = (unsigned char) (high * 16 + low);
            i += 2;

        } else if (c == '+' && plus) {
            c = ' ';
        }

        /* never ahead of what is read, so dst may be src's memory */
        dst[n++] = c;
    }

    *len = n;

    return CSC_OK;
}


size_t
csc_pct_encode(csc_str_t src, unsigned char *dst)
{
    size_t i;
    unsigned char c, *p;

    static const char hex[] = "0123456789ABCDEF";

    p = dst;

    for (i = 0; i < src.len; i++) {
        c = src.data[i];

        if (csc_pct_is_plain(c)) {
            *p++ = c;
            continue;
        }

        *p++ = '%';
        *p++ = (unsigned char) hex[c >> 4];
        *p++ = (unsigned char) hex[c & 0x0f];
    }

    return (size_t) (p - dst);
}


int
csc_query_next(csc_str_t *rest, csc_str_t *name, csc_str_t *value)
{
    size_t len;
    const unsigned char *end, *equals;

    while (rest->len > 0) {
        name->data = rest->data;

        end = memchr(rest->data, '&', rest->len);
        len = end != NULL ? (size_t) (end - rest->data) : rest->len;

        rest->data += len + (end != NULL);
        rest->len -= len + (end != NULL);

        if (len == 0) {
            continue;
        }

        equals = memchr(name->data, '=', len);
        name->len = equals != NULL ? (size_t) (equals - name->data) : len;

        value->data = name->data + name->len + (equals != NULL);
        value->len = len - name->len - (equals != NULL);

        return CSC_OK;
    }

    return CSC_AGAIN;
}


/* The value of a hexadecimal digit, -1 for all else. */
static int
csc_pct_digit(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }

    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }

    return -1;
}


/* What is left as it is: RFC 3986's unreserved characters and the colon. */
static int
csc_pct_is_plain(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
           || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'
           || c == '~' || c == ':';
}
