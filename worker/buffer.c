#include <inttypes.h>
#include <stdio.h>
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

void
buffer_append(buffer_t *buffer, const void *data, size_t len)
{
    unsigned char *room = buffer_reserve(buffer, len);

    if (room != NULL && len > 0) {
        memcpy(room, data, len);
        buffer->used += len;
    }
}

void
buffer_append_str(buffer_t *buffer, csc_str_t text)
{
    buffer_append(buffer, text.data, text.len);
}

void
buffer_append_text(buffer_t *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void
buffer_append_number(buffer_t *buffer, uint64_t number)
{
    char text[24];

    buffer_append(buffer, text,
        (size_t) snprintf(text, sizeof(text), "%" PRIu64, number));
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
