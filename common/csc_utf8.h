/*
 * UTF-8 as RFC 3629 defines it: no overlong form, no surrogate, nothing above
 * U+10FFFF.
 */

#ifndef CSC_UTF8_H
#define CSC_UTF8_H

#include "csc_core.h"

/* The state of a check that sees a text in pieces; zero it to begin. */
typedef struct {
    uint8_t state;
} csc_utf8_t;

/*
 * Checks the next piece.  CSC_ERROR as soon as no continuation could make the
 * text valid; CSC_OK otherwise (the text may still end inside a character).
 */
int csc_utf8_feed(csc_utf8_t *utf8, const unsigned char *data, size_t len);

/* 1 when what was fed so far ends between two characters. */
int csc_utf8_complete(const csc_utf8_t *utf8);

/* 1 when the whole text is valid. */
int csc_utf8_valid(csc_str_t text);

/* The number of code points of a valid text. */
size_t csc_utf8_length(csc_str_t text);

#endif /* CSC_UTF8_H */
