/*
 * A growing byte buffer.  An allocation that fails is remembered, and what the
 * buffer then holds means nothing: one look at failed at the end is enough.
 */

#ifndef BUFFER_H
#define BUFFER_H

#include <string.h>

#include "../common/csc_core.h"

typedef struct {
    unsigned char *data;
    size_t used;
    size_t size;
    int failed;
} buffer_t;

/* Room for len more bytes behind used; NULL when out of memory. */
unsigned char *buffer_reserve(buffer_t *buffer, size_t len);

/* These are here for the compiler to know the lengths of literals. */

static inline void
buffer_append(buffer_t *buffer, const void *data, size_t len)
{
    unsigned char *room = len < buffer->size - buffer->used
                              ? buffer->data + buffer->used
                              : buffer_reserve(buffer, len);

    if (room != NULL && len > 0) {
        memcpy(room, data, len);
        buffer->used += len;
    }
}

static inline void
buffer_append_str(buffer_t *buffer, csc_str_t text)
{
    buffer_append(buffer, text.data, text.len);
}

static inline void
buffer_append_text(buffer_t *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

#define BUFFER_DIGITS 20 /* of a number, at most */

/* Writes a number in decimal digits to out; the place behind it. */
unsigned char *buffer_digits(unsigned char *out, uint64_t number);

/* The same at the end of a buffer. */
void buffer_append_number(buffer_t *buffer, uint64_t number);

/* A text as a JSON string, or null where its data is NULL. */
void buffer_append_json(buffer_t *buffer, csc_str_t text);

/* A NUL behind the content, counted in used. */
void buffer_end(buffer_t *buffer);

/*
 * The text form of a PostgreSQL array: begin, elements, close.  A NULL data
 * pointer is the element NULL.  The elements hold no NUL byte.
 */
void buffer_array(buffer_t *buffer);
void buffer_element(buffer_t *buffer, csc_str_t element);
void buffer_array_close(buffer_t *buffer);

/* Empties it, keeping its memory unless that has become very large. */
void buffer_reset(buffer_t *buffer);

void buffer_free(buffer_t *buffer);

#endif /* BUFFER_H */
