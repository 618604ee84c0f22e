/* Percent-encoding (RFC 3986) and query strings. */

#ifndef CSC_QUERY_H
#define CSC_QUERY_H

#include "csc_core.h"

/*
 * Decodes %XX in src to dst (room for src.len bytes; dst may be src's own
 * memory) and stores the decoded length.  With plus set, '+' becomes a space.
 * CSC_ERROR for a '%' without two hexadecimal digits.
 */
int csc_pct_decode(csc_str_t src, int plus, unsigned char *dst, size_t *len);

/*
 * Encodes every byte but A-Z a-z 0-9 - . _ ~ : to dst (room for 3 * src.len
 * bytes) and returns the encoded length.
 */
size_t csc_pct_encode(csc_str_t src, unsigned char *dst);

/*
 * Takes the next name=value of a query string off *rest; both stay encoded.
 * CSC_OK, or CSC_AGAIN when *rest is used up.  Empty pairs are passed over; a
 * name without '=' has an empty value.
 */
int csc_query_next(csc_str_t *rest, csc_str_t *name, csc_str_t *value);

#endif /* CSC_QUERY_H */
