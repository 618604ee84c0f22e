#include <stdlib.h>
#include <string.h>

#include "../common/csc_json.h"
#include "buffer.h"

#define BUFFER_FIRST 512
#define BUFFER_KEEP ((size_t) 1024 * 1024)

unsigned char *
buffer_reserve(buffer_t *buffer, size_t len)
{
    unsigned char *data;
    size_t size = buffer->size ? buffer->size : BUFFER_FIRST;

    if (buffer->failed || len > SIZE_MAX / 4 - buffer->used) {
        buffer->failed = 1;
        return NULL;
    }

    while (size - buffer->used < len) {
        size *= 2;
    }

    if (size != buffer->size) {
        data = realloc(buffer->data, size);
        if (data == NULL) {
            buffer->failed = 1;
            return NULL;
        }
        buffer->data = data;
        buffer->size = size;
    }

    return buffer->data + buffer->used;
}

unsigned char *
buffer_digits(unsigned char *out, uint64_t number)
{
    unsigned char digits[BUFFER_DIGITS];
    size_t first = sizeof(digits);

    do {
        digits[--first] = (unsigned char) ('0' + number % 10);
        number /= 10;
    } while (number > 0);

    memcpy(out, digits + first, sizeof(digits) - first);

    return out + sizeof(digits) - first;
}

void
buffer_append_number(buffer_t *buffer, uint64_t number)
{
    unsigned char *out = buffer_reserve(buffer, BUFFER_DIGITS);

    if (out != NULL) {
        buffer->used = (size_t) (buffer_digits(out, number) - buffer->data);
    }
}

void
buffer_append_json(buffer_t *buffer, csc_str_t text)
{
    unsigned char *out;

    if (text.data == NULL) {
        buffer_append_text(buffer, "null");
        return;
    }

    out = buffer_reserve(buffer, CSC_JSON_QUOTED(text.len));
    if (out != NULL) {
        buffer->used += csc_json_quote(text, out);
    }
}

void
buffer_end(buffer_t *buffer)
{
    buffer_append(buffer, "", 1);
}

void
buffer_array(buffer_t *buffer)
{
    buffer_append(buffer, "{", 1);
}

void
buffer_element(buffer_t *buffer, csc_str_t element)
{
    unsigned char *out;
    size_t i;

    if (buffer->used > 0 && buffer->data[buffer->used - 1] != '{') {
        buffer_append(buffer, ",", 1);
    }

    if (element.data == NULL) {
        buffer_append(buffer, "NULL", 4);
        return;
    }

    out = buffer_reserve(buffer, 2 * element.len + 2);
    if (out == NULL) {
        return;
    }

    *out++ = '"';
    for (i = 0; i < element.len; i++) {
        if (element.data[i] == '"' || element.data[i] == '\\') {
            *out++ = '\\';
        }
        *out++ = element.data[i];
    }
    *out++ = '"';

    buffer->used = (size_t) (out - buffer->data);
}

void
buffer_array_close(buffer_t *buffer)
{
    buffer_append(buffer, "}", 1);
}

void
buffer_reset(buffer_t *buffer)
{
    if (buffer->failed || buffer->size > BUFFER_KEEP) {
        buffer_free(buffer);
    }

    buffer->used = 0;
}

void
buffer_free(buffer_t *buffer)
{
    free(buffer->data);
    memset(buffer, 0, sizeof(*buffer));
}
