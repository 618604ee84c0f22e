/* The JSON writer: yajl's generator over a buffer that grows. */

#include "csc_json.h"
#include "csc_utf8.h"

#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>

#define CSC_JSON_WRITER_DEPTH 64
#define CSC_JSON_WRITER_SIZE 512 /* bytes to begin with */

struct csc_json_writer_s {
    yajl_gen gen;
    char *data;
    size_t len;
    size_t size;
    unsigned depth;
    unsigned keyed : 1;  /* a key was written and waits for its value */
    unsigned done : 1;   /* one whole value is there */
    unsigned failed : 1; /* memory ran out or a call was out of place */
    char open[CSC_JSON_WRITER_DEPTH]; /* '{' or '[', by depth */
};

static int csc_json_begin_value(csc_json_writer_t *w);
static void csc_json_end_value(csc_json_writer_t *w, yajl_gen_status status);
static void csc_json_open(csc_json_writer_t *w, char bracket);
static void csc_json_close(csc_json_writer_t *w, char bracket);
static void csc_json_print(void *ctx, const char *text, size_t len);


/*
 * How many bytes from p on stand for themselves, at least: whole groups of
 * eight.  The tests are those for a zero byte and for a byte below 0x20; what
 * they take for one beside it only ends the run early.
 */
static size_t
csc_json_plain(const unsigned char *p, const unsigned char *end)
{
    uint64_t ones = 0x0101010101010101, group, quotes, slashes, low;
    const unsigned char *from = p;

    for (; end - p >= 8; p += 8) {
        memcpy(&group, p, 8);
        quotes = group ^ (ones * '"');
        slashes = group ^ (ones * '\\');
        low = (group - ones * 0x20) & ~group;
        low |= (quotes - ones) & ~quotes;
        low |= (slashes - ones) & ~slashes;

        if (low & (ones * 0x80)) {
            break;
        }
    }

    return (size_t) (p - from);
}


static unsigned char *
csc_json_escape(unsigned char c, unsigned char *to)
{
    static const char escapes[] = "b\bf\fn\nr\rt\t\"\"\\\\";
    static const char hex[] = "0123456789abcdef";
    const char *escape;

    *to++ = '\\';

    for (escape = escapes; *escape != '\0'; escape += 2) {
        if ((unsigned char) escape[1] == c) {
            *to++ = (unsigned char) *escape;
            return to;
        }
    }

    memcpy(to, "u00", 3);
    to[3] = (unsigned char) hex[c >> 4];
    to[4] = (unsigned char) hex[c & 0x0f];

    return to + 5;
}


size_t
csc_json_quote(csc_str_t text, unsigned char *out)
{
    const unsigned char *p = text.data, *end = text.data + text.len, *stop;
    unsigned char *to = out;
    size_t plain;

    *to++ = '"';

    while (p < end) {
        plain = csc_json_plain(p, end);
        memcpy(to, p, plain);
        to += plain;
        p += plain;

        /* the group that has one, or the last few bytes */
        for (stop = end - p > 8 ? p + 8 : end; p < stop; p++) {
            if (*p >= 0x20 && *p != '"' && *p != '\\') {
                *to++ = *p;
            } else {
                to = csc_json_escape(*p, to);
            }
        }
    }

    *to++ = '"';

    return (size_t) (to - out);
}


csc_json_writer_t *
csc_json_writer(void)
{
    csc_json_writer_t *w;

    w = calloc(1, sizeof(csc_json_writer_t));
    if (w == NULL) {
        return NULL;
    }

    w->data = malloc(CSC_JSON_WRITER_SIZE);
    w->gen = yajl_gen_alloc(NULL);

    if (w->data == NULL || w->gen == NULL) {
        csc_json_free(w);
        return NULL;
    }

    w->size = CSC_JSON_WRITER_SIZE;
    yajl_gen_config(w->gen, yajl_gen_print_callback, csc_json_print, w);

    return w;
}


void
csc_json_object(csc_json_writer_t *w)
{
    csc_json_open(w, '{');
}


void
csc_json_end_object(csc_json_writer_t *w)
{
    csc_json_close(w, '{');
}


void
csc_json_array(csc_json_writer_t *w)
{
    csc_json_open(w, '[');
}


void
csc_json_end_array(csc_json_writer_t *w)
{
    csc_json_close(w, '[');
}


void
csc_json_key(csc_json_writer_t *w, const char *name)
{
    csc_str_t key;

    if (w->failed || w->keyed || w->depth == 0 || w->open[w->depth - 1] != '{')
    {
        w->failed = 1;
        return;
    }

    key = csc_str(name);

    if (yajl_gen_string(w->gen, key.data, key.len) != yajl_gen_status_ok) {
        w->failed = 1;
        return;
    }

    w->keyed = 1;
}


void
csc_json_string(csc_json_writer_t *w, csc_str_t value)
{
    static const unsigned char nothing[1];

    /* yajl's own check lets overlong forms pass */
    if (!csc_utf8_valid(value)) {
        w->failed = 1;
    }

    if (csc_json_begin_value(w) != CSC_OK) {
        return;
    }

    csc_json_end_value(w, yajl_gen_string(w->gen,
                              value.len > 0 ? value.data : nothing, value.len));
}


void
csc_json_text(csc_json_writer_t *w, const char *value)
{
    if (value == NULL) {
        csc_json_null(w);
        return;
    }

    csc_json_string(w, csc_str(value));
}


void
csc_json_int(csc_json_writer_t *w, int64_t value)
{
    if (csc_json_begin_value(w) == CSC_OK) {
        csc_json_end_value(w, yajl_gen_integer(w->gen, (long long) value));
    }
}


void
csc_json_bool(csc_json_writer_t *w, int value)
{
    if (csc_json_begin_value(w) == CSC_OK) {
        csc_json_end_value(w, yajl_gen_bool(w->gen, value != 0));
    }
}


void
csc_json_null(csc_json_writer_t *w)
{
    if (csc_json_begin_value(w) == CSC_OK) {
        csc_json_end_value(w, yajl_gen_null(w->gen));
    }
}


void
csc_json_raw(csc_json_writer_t *w, csc_str_t value)
{
    if (value.len == 0) {
        w->failed = 1;
        return;
    }

    /* yajl passes the text of a number on as it is */
    if (csc_json_begin_value(w) == CSC_OK) {
        csc_json_end_value(
            w, yajl_gen_number(w->gen, (const char *) value.data, value.len));
    }
}


int
csc_json_finish(csc_json_writer_t *w, csc_str_t *text)
{
    if (w->failed || !w->done) {
        return CSC_ERROR;
    }

    text->data = (const unsigned char *) w->data;
    text->len = w->len;

    return CSC_OK;
}


void
csc_json_reset(csc_json_writer_t *w)
{
    yajl_gen_reset(w->gen, NULL);

    w->len = 0;
    w->depth = 0;
    w->keyed = 0;
    w->done = 0;
    w->failed = 0;
}


void
csc_json_free(csc_json_writer_t *w)
{
    if (w == NULL) {
        return;
    }

    if (w->gen != NULL) {
        yajl_gen_free(w->gen);
    }

    free(w->data);
    free(w);
}


/*
 * Whether a value may stand here.  yajl lets keys without a value and brackets
 * that do not match pass, so the writer keeps account itself.
 */
static int
csc_json_begin_value(csc_json_writer_t *w)
{
    if (w->depth == 0 ? w->done : w->open[w->depth - 1] == '{' && !w->keyed) {
        w->failed = 1;
    }

    w->keyed = 0;

    return w->failed ? CSC_ERROR : CSC_OK;
}


static void
csc_json_end_value(csc_json_writer_t *w, yajl_gen_status status)
{
    if (status != yajl_gen_status_ok) {
        w->failed = 1;
    }

    w->done = w->depth == 0;
}


static void
csc_json_open(csc_json_writer_t *w, char bracket)
{
    yajl_gen_status status;

    if (w->depth == CSC_JSON_WRITER_DEPTH) {
        w->failed = 1;
    }

    if (csc_json_begin_value(w) != CSC_OK) {
        return;
    }

    status = bracket == '{' ? yajl_gen_map_open(w->gen)
                            : yajl_gen_array_open(w->gen);
    if (status != yajl_gen_status_ok) {
        w->failed = 1;
        return;
    }

    w->open[w->depth++] = bracket;
}


static void
csc_json_close(csc_json_writer_t *w, char bracket)
{
    if (w->failed || w->keyed || w->depth == 0
        || w->open[w->depth - 1] != bracket) {
        w->failed = 1;
        return;
    }

    w->depth--;

    csc_json_end_value(w, bracket == '{' ? yajl_gen_map_close(w->gen)
                                         : yajl_gen_array_close(w->gen));
}


/* Where yajl puts the text. */
static void
csc_json_print(void *ctx, const char *text, size_t len)
{
    char *data;
    size_t size;
    csc_json_writer_t *w = ctx;

    if (w->failed || len == 0) {
        return;
    }

    if (len > w->size - w->len) {
        if (len > SIZE_MAX / 2 - w->len) {
            w->failed = 1;
            return;
        }

        size = w->len + len;
        size = size > SIZE_MAX / 2 ? size : size * 2;

        data = realloc(w->data, size);
        if (data == NULL) {
            w->failed = 1;
            return;
        }

        w->data = data;
        w->size = size;
    }

    memcpy(w->data + w->len, text, len);
    w->len += len;
}
