/* UUIDs as text (RFC 9562); the product writes them in lower case. */

#ifndef CSC_UUID_H
#define CSC_UUID_H

#include "csc_core.h"

#define CSC_UUID_LEN 36
#define CSC_UUID_BYTES 16
#define CSC_UUID_V7_RANDOM 10 /* random bytes that csc_uuid_v7() takes */

/*
 * Writes the lower-case form of a UUID in its 8-4-4-4-12 text form (either
 * case) to out, which has room for CSC_UUID_LEN bytes; no NUL is added.
 * CSC_ERROR, and out untouched, when the text is anything else.
 */
int csc_uuid_parse(csc_str_t text, unsigned char *out);

/*
 * Writes the CSC_UUID_BYTES bytes of a UUID in its lower-case text form to
 * out.  CSC_ERROR, and out untouched, when the text is anything else.
 */
int csc_uuid_bytes(csc_str_t text, unsigned char *out);

/* 1 when the text is a UUID in lower case. */
int csc_uuid_is(csc_str_t text);

/*
 * Writes a version 7 UUID to out (CSC_UUID_LEN bytes): unix_ms milliseconds
 * since 1970 and CSC_UUID_V7_RANDOM bytes from a cryptographic generator.
 */
void csc_uuid_v7(
    uint64_t unix_ms, const unsigned char *random, unsigned char *out);

/*
 * The milliseconds since 1970 of a version 7 UUID in lower case; 0 for any
 * other text.
 */
uint64_t csc_uuid_ms(csc_str_t text);

#endif /* CSC_UUID_H */
