#include "csc_bundle.h"

#include <string.h>


size_t
csc_bundle_length(size_t len, unsigned char *out)
{
    size_t n;
    unsigned char *p, digits[CSC_BUNDLE_MAX_LENGTH];

    p = digits + CSC_BUNDLE_MAX_LENGTH;
    *--p = '\n';

    do {
        *--p = (unsigned char) ('0' + len % 10);
        len /= 10;
    } while (len > 0);

    n = (size_t) (digits + CSC_BUNDLE_MAX_LENGTH - p);
    memcpy(out, p, n);

    return n;
}


int
csc_bundle_next(csc_str_t *body, csc_str_t *message)
{
    size_t i, len;
    unsigned char c;

    if (body->len == 0) {
        return CSC_AGAIN;
    }

    len = 0;

    for (i = 0; i < body->len && i < CSC_BUNDLE_MAX_LENGTH; i++) {
        c = body->data[i];

        if (c == '\n') {
            break;
        }

        /* just the form that csc_bundle_length() writes */

        if (c < '0' || c > '9' || (c == '0' && i == 0)) {
            return CSC_ERROR;
        }

        len = len * 10 + (size_t) (c - '0');
    }

    if (i == 0 || i == body->len || i == CSC_BUNDLE_MAX_LENGTH
        || len > body->len - i - 1)
    {
        return CSC_ERROR;
    }

    message->data = body->data + i + 1;
    message->len = len;

    body->data = message->data + len;
    body->len -= i + 1 + len;

    return CSC_OK;
}
