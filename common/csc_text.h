/*
 * Text written to memory that is handed in.  Where that is full it is only
 * counted on, so that a first pass tells how much memory a second one needs.
 */

#ifndef CSC_TEXT_H
#define CSC_TEXT_H

#include "csc_core.h"

typedef struct {
    unsigned char *out; /* may be NULL where size is 0 */
    size_t size;
    size_t len; /* of all that was written */
} csc_text_t;

void csc_text_put(csc_text_t *text, csc_str_t value);
void csc_text_puts(csc_text_t *text, const char *value);
void csc_text_number(csc_text_t *text, uint64_t number);

/* Microseconds as seconds, without zeros at the end: "0.0025", "10". */
void csc_text_seconds(csc_text_t *text, uint64_t us);

#endif /* CSC_TEXT_H */
