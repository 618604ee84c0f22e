/*
 * The JSON reader makes one pass with yajl's callbacks and builds no tree;
 * what yajl lets pass is looked for before, in the text itself.
 */

#include "csc_json.h"
#include "csc_utf8.h"

#include <string.h>
#include <yajl/yajl_parse.h>

#define CSC_JSON_LEVELS 2 /* fields are in the outermost object or one below */

#define CSC_JSON_NOT_JSON "The text is not valid JSON."
#define CSC_JSON_NO_MEMORY "There is not enough memory."

/* The member that is being read, of the object at some depth. */
typedef struct {
    uint32_t wanted;    /* bit i: fields[i] is to get the value */
    size_t value_after; /* offset of the end of its key */
} csc_json_level_t;

typedef struct {
    yajl_handle yajl;
    csc_str_t text;
    csc_json_field_t *fields;
    size_t n;
    unsigned char *scratch; /* the part that is still free */
    const char *why;
    size_t end; /* offset behind the outermost object, 0 before that */
    unsigned depth;
    uint32_t scoped; /* bit i: fields[i] is for the scope that is open */
    csc_json_level_t level[CSC_JSON_LEVELS];
} csc_json_reader_t;

static void csc_json_forget_all(csc_json_field_t *fields, size_t n);
static void csc_json_forget_bad(csc_json_field_t *fields, size_t n);
static int csc_json_check_space(csc_str_t text, const char **why);
static int csc_json_check_escapes(csc_str_t text, const char **why);
static size_t csc_json_check_unicode(
    const unsigned char *p, size_t len, const char **why);
static int csc_json_code_unit(
    const unsigned char *p, size_t len, unsigned *unit);
static int csc_json_parse(csc_json_reader_t *reader);
static int csc_json_check_end(const csc_json_reader_t *reader);
static int csc_json_is_space(unsigned char c);
static int csc_json_on_null(void *ctx);
static int csc_json_on_boolean(void *ctx, int value);
static int csc_json_on_number(void *ctx, const char *text, size_t len);
static int csc_json_on_string(void *ctx, const unsigned char *text, size_t len);
static int csc_json_on_key(void *ctx, const unsigned char *text, size_t len);
static int csc_json_on_open_object(void *ctx);
static int csc_json_on_close_object(void *ctx);
static int csc_json_on_open_array(void *ctx);
static int csc_json_on_close_array(void *ctx);
static int csc_json_descend(csc_json_reader_t *reader, int object);
static int csc_json_value(csc_json_reader_t *reader, csc_json_field_t value);
static csc_str_t csc_json_raw_range(
    const csc_json_reader_t *reader, size_t after);
static void csc_json_forget(csc_json_field_t *field);
static csc_str_t csc_json_keep(
    csc_json_reader_t *reader, const unsigned char *text, size_t len);


static const yajl_callbacks csc_json_callbacks = {
    .yajl_null = csc_json_on_null,
    .yajl_boolean = csc_json_on_boolean,
    .yajl_number = csc_json_on_number,
    .yajl_string = csc_json_on_string,
    .yajl_start_map = csc_json_on_open_object,
    .yajl_map_key = csc_json_on_key,
    .yajl_end_map = csc_json_on_close_object,
    .yajl_start_array = csc_json_on_open_array,
    .yajl_end_array = csc_json_on_close_array,
};


int
csc_json_read(csc_str_t text, csc_json_field_t *fields, size_t n,
    unsigned char *scratch, const char **why)
{
    int rc;
    csc_json_reader_t reader;

    csc_json_forget_all(fields, n);

    if (!csc_utf8_valid(text)) {
        *why = "The text is not valid UTF-8.";
        return CSC_ERROR;
    }

    if (csc_json_check_space(text, why) != CSC_OK) {
        return CSC_ERROR;
    }

    memset(&reader, 0, sizeof(reader));

    reader.text = text;
    reader.fields = fields;
    reader.n = n;
    reader.scratch = scratch;

    reader.yajl = yajl_alloc(&csc_json_callbacks, NULL, &reader);
    if (reader.yajl == NULL) {
        *why = CSC_JSON_NO_MEMORY;
        return CSC_ERROR;
    }

    /* done above, and stricter */
    yajl_config(reader.yajl, yajl_dont_validate_strings, 1);

    rc = csc_json_parse(&reader);
    if (rc != CSC_OK) {
        *why = reader.why != NULL ? reader.why : CSC_JSON_NOT_JSON;
        csc_json_forget_all(fields, n);

    } else if (csc_json_check_escapes(text, why) != CSC_OK) {
        csc_json_forget_bad(fields, n);
        rc = CSC_ERROR;
    }

    yajl_free(reader.yajl);

    return rc;
}


static void
csc_json_forget_all(csc_json_field_t *fields, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        csc_json_forget(&fields[i]);
    }
}


/* What is free of the fault stays, to say which text was meant. */
static void
csc_json_forget_bad(csc_json_field_t *fields, size_t n)
{
    size_t i;
    const char *why;

    for (i = 0; i < n; i++) {
        if (csc_json_check_escapes(fields[i].raw, &why) != CSC_OK) {
            csc_json_forget(&fields[i]);
        }
    }
}


static int
csc_json_parse(csc_json_reader_t *reader)
{
    yajl_status status;

    status = yajl_parse(reader->yajl, reader->text.data, reader->text.len);

    if (status == yajl_status_ok) {
        status = yajl_complete_parse(reader->yajl);
    }

    if (status != yajl_status_ok || reader->end == 0) {
        return CSC_ERROR;
    }

    return csc_json_check_end(reader);
}


/* yajl lets a token pass that begins behind the object and never ends. */
static int
csc_json_check_end(const csc_json_reader_t *reader)
{
    size_t i;

    for (i = reader->end; i < reader->text.len; i++) {
        if (!csc_json_is_space(reader->text.data[i])) {
            return CSC_ERROR;
        }
    }

    return CSC_OK;
}


static int
csc_json_is_space(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}


/*
 * yajl takes vertical tabs and form feeds for white space.  JSON has neither,
 * in strings or between, and raw values must be what other parsers take.
 */
static int
csc_json_check_space(csc_str_t text, const char **why)
{
    if (text.len > 0
        && (memchr(text.data, '\v', text.len) != NULL
            || memchr(text.data, '\f', text.len) != NULL))
    {
        *why = CSC_JSON_NOT_JSON;
        return CSC_ERROR;
    }

    return CSC_OK;
}


/*
 * Looks at every backslash of the text.  In well-formed JSON they only stand
 * in strings; of what is malformed yajl tells.
 */
static int
csc_json_check_escapes(csc_str_t text, const char **why)
{
    size_t used;
    const unsigned char *p, *end;

    if (text.len == 0) {
        return CSC_OK;
    }

    p = text.data;
    end = text.data + text.len;

    for (;;) {
        p = memchr(p, '\\', (size_t) (end - p));
        if (p == NULL || end - p < 2) {
            return CSC_OK;
        }

        used = 2;

        if (p[1] == 'u') {
            used = csc_json_check_unicode(p, (size_t) (end - p), why);
            if (used == 0) {
                return CSC_ERROR;
            }
        }

        p += used;
    }
}


/* The length of the \u escape or pair of them, 0 when it is unacceptable. */
static size_t
csc_json_check_unicode(const unsigned char *p, size_t len, const char **why)
{
    unsigned unit, second;

    if (csc_json_code_unit(p, len, &unit) != CSC_OK) {
        return 2;
    }

    if (unit == 0) {
        *why = "A text must not contain \\u0000.";
        return 0;
    }

    if (unit < 0xd800 || unit > 0xdfff) {
        return 6;
    }

    if (unit <= 0xdbff && csc_json_code_unit(p + 6, len - 6, &second) == CSC_OK
        && second >= 0xdc00 && second <= 0xdfff)
    {
        return 12;
    }

    *why = "A text must not contain a lone surrogate.";

    return 0;
}


/* The UTF-16 code unit of a \uXXXX. */
static int
csc_json_code_unit(const unsigned char *p, size_t len, unsigned *unit)
{
    size_t i;
    unsigned char c;

    if (len < 6 || p[0] != '\\' || p[1] != 'u') {
        return CSC_ERROR;
    }

    *unit = 0;

    for (i = 2; i < 6; i++) {
        c = p[i];

        if (c >= '0' && c <= '9') {
            c = (unsigned char) (c - '0');

        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            c = (unsigned char) ((c | 0x20) - 'a' + 10);

        } else {
            return CSC_ERROR;
        }

        *unit = *unit * 16 + c;
    }

    return CSC_OK;
}


static int
csc_json_on_null(void *ctx)
{
    csc_json_field_t value = { .type = CSC_JSON_NULL };

    return csc_json_value(ctx, value);
}


static int
csc_json_on_boolean(void *ctx, int boolean)
{
    csc_json_field_t value = { .type = CSC_JSON_BOOL };

    value.boolean = boolean != 0;

    return csc_json_value(ctx, value);
}


static int
csc_json_on_number(void *ctx, const char *text, size_t len)
{
    csc_json_field_t value = { .type = CSC_JSON_NUMBER };

    value.value.data = (const unsigned char *) text;
    value.value.len = len;

    return csc_json_value(ctx, value);
}


static int
csc_json_on_string(void *ctx, const unsigned char *text, size_t len)
{
    csc_json_field_t value = { .type = CSC_JSON_STRING };

    value.value.data = text;
    value.value.len = len;

    return csc_json_value(ctx, value);
}


static int
csc_json_on_key(void *ctx, const unsigned char *text, size_t len)
{
    int named;
    size_t i;
    csc_str_t key;
    csc_json_field_t *field;
    csc_json_level_t *level;
    csc_json_reader_t *reader = ctx;

    if (reader->depth > CSC_JSON_LEVELS) {
        return 1;
    }

    key.data = text;
    key.len = len;

    level = &reader->level[reader->depth - 1];
    level->wanted = 0;
    level->value_after = yajl_get_bytes_consumed(reader->yajl);

    if (reader->depth == 1) {
        reader->scoped = 0;
    }

    for (i = 0; i < reader->n; i++) {
        field = &reader->fields[i];
        named = csc_str_is(key, field->name);

        if (reader->depth == 2) {
            if (named && (reader->scoped & (1U << i))) {
                level->wanted |= 1U << i;
            }

        } else if (field->scope == NULL) {
            level->wanted |= named ? 1U << i : 0;

        } else if (csc_str_is(key, field->scope)) {
            /* a scope that comes again replaces the former one as a whole */
            csc_json_forget(field);
            reader->scoped |= 1U << i;
        }
    }

    return 1;
}


static int
csc_json_on_open_object(void *ctx)
{
    return csc_json_descend(ctx, 1);
}


static int
csc_json_on_open_array(void *ctx)
{
    return csc_json_descend(ctx, 0);
}


static int
csc_json_on_close_object(void *ctx)
{
    csc_json_field_t value = { .type = CSC_JSON_OBJECT };
    csc_json_reader_t *reader = ctx;

    reader->depth--;

    if (reader->depth == 0) {
        reader->end = yajl_get_bytes_consumed(reader->yajl);
        return 1;
    }

    return csc_json_value(reader, value);
}


static int
csc_json_on_close_array(void *ctx)
{
    csc_json_field_t value = { .type = CSC_JSON_ARRAY };
    csc_json_reader_t *reader = ctx;

    reader->depth--;

    return csc_json_value(reader, value);
}


static int
csc_json_descend(csc_json_reader_t *reader, int object)
{
    if (reader->depth == 0 && !object) {
        reader->why = "The text is not a JSON object.";
        return 0;
    }

    if (reader->depth == CSC_JSON_MAX_DEPTH) {
        reader->why = "The JSON is nested too deeply.";
        return 0;
    }

    reader->depth++;

    return 1;
}


/* A value has ended: hands it to the fields that want it. */
static int
csc_json_value(csc_json_reader_t *reader, csc_json_field_t value)
{
    size_t i;
    csc_json_field_t *field;
    csc_json_level_t *level;

    if (reader->depth == 0) {
        reader->why = "The text is not a JSON object.";
        return 0;
    }

    if (reader->depth > CSC_JSON_LEVELS) {
        return 1;
    }

    level = &reader->level[reader->depth - 1];
    if (level->wanted == 0) {
        return 1;
    }

    value.raw = csc_json_raw_range(reader, level->value_after);

    if (value.type == CSC_JSON_STRING || value.type == CSC_JSON_NUMBER) {
        value.value = csc_json_keep(reader, value.value.data, value.value.len);
    }

    for (i = 0; i < reader->n; i++) {
        if (level->wanted & (1U << i)) {
            field = &reader->fields[i];

            value.scope = field->scope;
            value.name = field->name;
            *field = value;
        }
    }

    level->wanted = 0;

    return 1;
}


/*
 * From behind the key's end to the token that yajl has just consumed, without
 * the colon and white space before the value.
 */
static csc_str_t
csc_json_raw_range(const csc_json_reader_t *reader, size_t after)
{
    size_t end;
    csc_str_t raw;

    end = yajl_get_bytes_consumed(reader->yajl);

    while (after < end
           && (csc_json_is_space(reader->text.data[after])
               || reader->text.data[after] == ':'))
    {
        after++;
    }

    raw.data = reader->text.data + after;
    raw.len = end - after;

    return raw;
}


static void
csc_json_forget(csc_json_field_t *field)
{
    csc_json_field_t empty = { .scope = field->scope, .name = field->name };

    *field = empty;
}


/*
 * Strings with escapes come in a buffer of yajl's, which the next one reuses.
 * The copies fit: none is longer than its form in the text.
 */
static csc_str_t
csc_json_keep(csc_json_reader_t *reader, const unsigned char *text, size_t len)
{
    uintptr_t at, start;
    csc_str_t kept;

    at = (uintptr_t) text;
    start = (uintptr_t) reader->text.data;

    kept.len = len;

    if (at >= start && at < start + reader->text.len) {
        kept.data = text;
        return kept;
    }

    kept.data = reader->scratch;

    if (len > 0) {
        memcpy(reader->scratch, text, len);
        reader->scratch += len;
    }

    return kept;
}


int
csc_json_integer(
    const csc_json_field_t *field, int64_t min, int64_t max, int64_t *value)
{
    int negative;
    int64_t number;
    uint64_t magnitude;
    csc_str_t digits;

    if (field->type != CSC_JSON_NUMBER) {
        return CSC_ERROR;
    }

    digits = field->value;
    negative = digits.len > 0 && digits.data[0] == '-';

    if (negative) {
        digits.data++;
        digits.len--;
    }

    if (csc_str_to_u64(digits, UINT64_MAX, &magnitude) != CSC_OK) {
        return CSC_ERROR;
    }

    if (magnitude > (uint64_t) INT64_MAX + negative) {
        return CSC_ERROR;
    }

    /* in two steps, for INT64_MIN has no positive counterpart */
    number = negative && magnitude > 0 ? -(int64_t) (magnitude - 1) - 1
                                       : (int64_t) magnitude;

    if (number < min || number > max) {
        return CSC_ERROR;
    }

    *value = number;

    return CSC_OK;
}
