/*
 * UTF-8 as RFC 3629 defines it.  The state between two bytes is what may come
 * next: nothing is decoded, for the ranges of the second byte alone keep
 * overlong forms, surrogates and what is above U+10FFFF out.
 */

#include "csc_utf8.h"

#include <string.h>

#define CSC_UTF8_HIGH_BITS 0x8080808080808080ULL

enum {
    CSC_UTF8_START = 0, /* between two characters */
    CSC_UTF8_TAIL1,     /* one continuation byte is missing */
    CSC_UTF8_TAIL2,
    CSC_UTF8_TAIL3,
    CSC_UTF8_AFTER_E0, /* below A0: overlong */
    CSC_UTF8_AFTER_ED, /* above 9F: a surrogate */
    CSC_UTF8_AFTER_F0, /* below 90: overlong */
    CSC_UTF8_AFTER_F4, /* above 8F: beyond U+10FFFF */
    CSC_UTF8_BAD
};

typedef struct {
    unsigned char low; /* the range of the next byte */
    unsigned char high;
    uint8_t next; /* the state behind it */
} csc_utf8_step_t;

static uint8_t csc_utf8_lead(unsigned char byte);
static const unsigned char *csc_utf8_skip_ascii(
    const unsigned char *p, const unsigned char *end);


/* CSC_UTF8_START has no entry of use: csc_utf8_lead() takes its place. */
static const csc_utf8_step_t csc_utf8_steps[] = {
    [CSC_UTF8_START] = { 0x00, 0x7f, CSC_UTF8_START },
    [CSC_UTF8_TAIL1] = { 0x80, 0xbf, CSC_UTF8_START },
    [CSC_UTF8_TAIL2] = { 0x80, 0xbf, CSC_UTF8_TAIL1 },
    [CSC_UTF8_TAIL3] = { 0x80, 0xbf, CSC_UTF8_TAIL2 },
    [CSC_UTF8_AFTER_E0] = { 0xa0, 0xbf, CSC_UTF8_TAIL1 },
    [CSC_UTF8_AFTER_ED] = { 0x80, 0x9f, CSC_UTF8_TAIL1 },
    [CSC_UTF8_AFTER_F0] = { 0x90, 0xbf, CSC_UTF8_TAIL2 },
    [CSC_UTF8_AFTER_F4] = { 0x80, 0x8f, CSC_UTF8_TAIL2 },
    [CSC_UTF8_BAD] = { 0xff, 0x00, CSC_UTF8_BAD }, /* takes no byte */
};


int
csc_utf8_feed(csc_utf8_t *utf8, const unsigned char *data, size_t len)
{
    uint8_t state;
    const unsigned char *p, *end;
    const csc_utf8_step_t *step;

    if (len == 0) {
        return utf8->state == CSC_UTF8_BAD ? CSC_ERROR : CSC_OK;
    }

    state = utf8->state;
    end = data + len;

    for (p = data; p < end; p++) {
        if (state == CSC_UTF8_START) {
            p = csc_utf8_skip_ascii(p, end);
            if (p == end) {
                break;
            }

            state = csc_utf8_lead(*p);

        } else {
            step = &csc_utf8_steps[state];
            state = *p >= step->low && *p <= step->high ? step->next
                                                        : CSC_UTF8_BAD;
        }

        if (state == CSC_UTF8_BAD) {
            break;
        }
    }

    utf8->state = state;

    return state == CSC_UTF8_BAD ? CSC_ERROR : CSC_OK;
}


/* The state behind the first byte of a character. */
static uint8_t
csc_utf8_lead(unsigned char byte)
{
    if (byte < 0x80) {
        return CSC_UTF8_START;
    }

    /* a continuation byte, or C0 and C1, which only begin overlong forms */
    if (byte < 0xc2 || byte > 0xf4) {
        return CSC_UTF8_BAD;
    }

    switch (byte) {
    case 0xe0:
        return CSC_UTF8_AFTER_E0;

    case 0xed:
        return CSC_UTF8_AFTER_ED;

    case 0xf0:
        return CSC_UTF8_AFTER_F0;

    case 0xf4:
        return CSC_UTF8_AFTER_F4;

    default:
        break;
    }

    if (byte < 0xe0) {
        return CSC_UTF8_TAIL1;
    }

    return byte < 0xf0 ? CSC_UTF8_TAIL2 : CSC_UTF8_TAIL3;
}


/* The first byte that is not ASCII, or the end: eight bytes at a time. */
static const unsigned char *
csc_utf8_skip_ascii(const unsigned char *p, const unsigned char *end)
{
    uint64_t word;

    while ((size_t) (end - p) >= sizeof(word)) {
        memcpy(&word, p, sizeof(word));
        if (word & CSC_UTF8_HIGH_BITS) {
            break;
        }

        p += sizeof(word);
    }

    while (p < end && *p < 0x80) {
        p++;
    }

    return p;
}


int
csc_utf8_complete(const csc_utf8_t *utf8)
{
    return utf8->state == CSC_UTF8_START;
}


int
csc_utf8_valid(csc_str_t text)
{
    csc_utf8_t utf8 = { CSC_UTF8_START };

    return csc_utf8_feed(&utf8, text.data, text.len) == CSC_OK
           && csc_utf8_complete(&utf8);
}


size_t
csc_utf8_length(csc_str_t text)
{
    size_t i, n;

    n = 0;

    for (i = 0; i < text.len; i++) {
        /* every byte but a continuation begins a character */
        n += (text.data[i] & 0xc0) != 0x80;
    }

    return n;
}
