/*
 * The JSON reader makes one pass through the text, as RFC 8259 has it, and
 * builds no tree.
 */

#include "csc_json.h"
#include "csc_json_string.h"
#include "csc_utf8.h"

#include <string.h>

#define CSC_JSON_NOT_JSON "The text is not valid JSON."

typedef struct {
    const unsigned char *p; /* what is read next */
    const unsigned char *end;
    csc_json_field_t *fields;
    size_t n;
    unsigned char *scratch; /* the part that is still free */
    const char *why;        /* NULL: it is no JSON */
    unsigned depth;
    int escaped; /* there are escapes in some string */
} csc_json_reader_t;

static void csc_json_forget_all(csc_json_field_t *fields, size_t n);
static void csc_json_forget_bad(csc_json_field_t *fields, size_t n);
static void csc_json_forget(csc_json_field_t *field);
static int csc_json_document(csc_json_reader_t *reader);
static int csc_json_read_object(csc_json_reader_t *reader, uint32_t mine);
static int csc_json_member(csc_json_reader_t *reader, uint32_t mine);
static uint32_t csc_json_named(
    csc_json_reader_t *reader, csc_str_t key, uint32_t mine, uint32_t *inner);
static int csc_json_is(csc_str_t key, const char *name);
static void csc_json_set(
    csc_json_reader_t *reader, uint32_t wanted, csc_json_field_t value);
static int csc_json_value(
    csc_json_reader_t *reader, uint32_t inner, csc_json_field_t *value);
static int csc_json_read_array(csc_json_reader_t *reader);
static int csc_json_descend(csc_json_reader_t *reader);
static int csc_json_read_string(csc_json_reader_t *reader, csc_str_t *text);
static csc_str_t csc_json_decoded(
    const csc_json_reader_t *reader, csc_str_t text);
static int csc_json_read_number(csc_json_reader_t *reader);
static int csc_json_digits(csc_json_reader_t *reader);
static int csc_json_literal(csc_json_reader_t *reader, const char *text);
static int csc_json_take(csc_json_reader_t *reader, unsigned char c);
static unsigned char csc_json_peek(const csc_json_reader_t *reader);
static void csc_json_skip_space(csc_json_reader_t *reader);


int
csc_json_read(csc_str_t text, csc_json_field_t *fields, size_t n,
    unsigned char *scratch, const char **why)
{
    csc_json_reader_t reader;

    csc_json_forget_all(fields, n);

    if (text.len == 0) {
        *why = CSC_JSON_NOT_JSON;
        return CSC_ERROR;
    }

    if (!csc_utf8_valid(text)) {
        *why = "The text is not valid UTF-8.";
        return CSC_ERROR;
    }

    memset(&reader, 0, sizeof(reader));

    reader.p = text.data;
    reader.end = text.data + text.len;
    reader.fields = fields;
    reader.n = n;
    reader.scratch = scratch;

    if (csc_json_document(&reader) != CSC_OK) {
        *why = reader.why != NULL ? reader.why : CSC_JSON_NOT_JSON;
        csc_json_forget_all(fields, n);
        return CSC_ERROR;
    }

    if (!reader.escaped) {
        return CSC_OK;
    }

    *why = csc_json_string_fault(text);

    if (*why != NULL) {
        csc_json_forget_bad(fields, n);
        return CSC_ERROR;
    }

    return CSC_OK;
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

    for (i = 0; i < n; i++) {
        if (csc_json_string_fault(fields[i].raw) != NULL) {
            csc_json_forget(&fields[i]);
        }
    }
}


static void
csc_json_forget(csc_json_field_t *field)
{
    csc_json_field_t empty = { .scope = field->scope, .name = field->name };

    *field = empty;
}


/* An object, and nothing around it but white space. */
static int
csc_json_document(csc_json_reader_t *reader)
{
    unsigned char c;
    uint32_t all;

    csc_json_skip_space(reader);
    c = csc_json_peek(reader);

    if (c != '{') {
        if (c != '\0' && strchr("[\"-0123456789tfn", c) != NULL) {
            reader->why = "The text is not a JSON object.";
        }

        return CSC_ERROR;
    }

    all = (1U << reader->n) - 1;

    if (csc_json_read_object(reader, all) != CSC_OK) {
        return CSC_ERROR;
    }

    csc_json_skip_space(reader);

    return reader->p == reader->end ? CSC_OK : CSC_ERROR;
}


/* Bits of mine are the fields that may be in it, or one below. */
static int
csc_json_read_object(csc_json_reader_t *reader, uint32_t mine)
{
    if (csc_json_descend(reader) != CSC_OK) {
        return CSC_ERROR;
    }

    if (!csc_json_take(reader, '}')) {
        do {
            csc_json_skip_space(reader);

            if (csc_json_member(reader, mine) != CSC_OK) {
                return CSC_ERROR;
            }

            csc_json_skip_space(reader);
        } while (csc_json_take(reader, ','));

        if (!csc_json_take(reader, '}')) {
            return CSC_ERROR;
        }
    }

    reader->depth--;

    return CSC_OK;
}


static int
csc_json_member(csc_json_reader_t *reader, uint32_t mine)
{
    uint32_t wanted, inner;
    csc_str_t key;
    csc_json_field_t value;

    if (csc_json_read_string(reader, &key) != CSC_OK) {
        return CSC_ERROR;
    }

    wanted = 0;
    inner = 0;

    if (mine != 0) {
        wanted = csc_json_named(
            reader, csc_json_decoded(reader, key), mine, &inner);
    }

    csc_json_skip_space(reader);

    if (!csc_json_take(reader, ':')) {
        return CSC_ERROR;
    }

    csc_json_skip_space(reader);

    if (csc_json_value(reader, inner, &value) != CSC_OK) {
        return CSC_ERROR;
    }

    if (wanted != 0) {
        csc_json_set(reader, wanted, value);
    }

    return CSC_OK;
}


/*
 * Which of the fields that may be here are named by the key.  In the outermost
 * object those are inner that have it as their scope.
 */
static uint32_t
csc_json_named(
    csc_json_reader_t *reader, csc_str_t key, uint32_t mine, uint32_t *inner)
{
    size_t i;
    uint32_t named, bit;
    csc_json_field_t *field;

    named = 0;

    for (i = 0; i < reader->n; i++) {
        bit = 1U << i;
        field = &reader->fields[i];

        if (!(mine & bit)) {
            continue;
        }

        if (reader->depth > 1 || field->scope == NULL) {
            named |= csc_json_is(key, field->name) ? bit : 0;

        } else if (csc_json_is(key, field->scope)) {
            /* a scope that comes again replaces the former one as a whole */
            csc_json_forget(field);
            *inner |= bit;
        }
    }

    return named;
}


/* Most differ in the first byte. */
static int
csc_json_is(csc_str_t key, const char *name)
{
    return (key.len == 0 || key.data[0] == (unsigned char) name[0])
           && csc_str_is(key, name);
}


/* Hands a value to the fields that want it. */
static void
csc_json_set(csc_json_reader_t *reader, uint32_t wanted, csc_json_field_t value)
{
    size_t i;
    csc_str_t text;
    csc_json_field_t *field;

    if (value.type == CSC_JSON_STRING) {
        text = csc_json_decoded(reader, value.value);

        if (text.data != value.value.data) {
            reader->scratch += text.len;
        }

        value.value = text;
    }

    for (i = 0; i < reader->n; i++) {
        if (wanted & (1U << i)) {
            field = &reader->fields[i];

            value.scope = field->scope;
            value.name = field->name;
            *field = value;
        }
    }
}


/* Reads any value; a string is given as it stands between its quotes. */
static int
csc_json_value(
    csc_json_reader_t *reader, uint32_t inner, csc_json_field_t *value)
{
    int rc;
    const unsigned char *start;

    memset(value, 0, sizeof(*value));
    start = reader->p;

    switch (csc_json_peek(reader)) {
    case '{':
        value->type = CSC_JSON_OBJECT;
        rc = csc_json_read_object(reader, inner);
        break;

    case '[':
        value->type = CSC_JSON_ARRAY;
        rc = csc_json_read_array(reader);
        break;

    case '"':
        value->type = CSC_JSON_STRING;
        rc = csc_json_read_string(reader, &value->value);
        break;

    case 't':
        value->type = CSC_JSON_BOOL;
        value->boolean = 1;
        rc = csc_json_literal(reader, "true");
        break;

    case 'f':
        value->type = CSC_JSON_BOOL;
        rc = csc_json_literal(reader, "false");
        break;

    case 'n':
        value->type = CSC_JSON_NULL;
        rc = csc_json_literal(reader, "null");
        break;

    default:
        value->type = CSC_JSON_NUMBER;
        rc = csc_json_read_number(reader);
        break;
    }

    value->raw.data = start;
    value->raw.len = (size_t) (reader->p - start);

    if (value->type == CSC_JSON_NUMBER) {
        value->value = value->raw;
    }

    return rc;
}


static int
csc_json_read_array(csc_json_reader_t *reader)
{
    csc_json_field_t element;

    if (csc_json_descend(reader) != CSC_OK) {
        return CSC_ERROR;
    }

    if (!csc_json_take(reader, ']')) {
        do {
            csc_json_skip_space(reader);

            if (csc_json_value(reader, 0, &element) != CSC_OK) {
                return CSC_ERROR;
            }

            csc_json_skip_space(reader);
        } while (csc_json_take(reader, ','));

        if (!csc_json_take(reader, ']')) {
            return CSC_ERROR;
        }
    }

    reader->depth--;

    return CSC_OK;
}


/* Takes the bracket; how deep the reader calls itself is bounded here. */
static int
csc_json_descend(csc_json_reader_t *reader)
{
    if (reader->depth == CSC_JSON_MAX_DEPTH) {
        reader->why = "The JSON is nested too deeply.";
        return CSC_ERROR;
    }

    reader->depth++;
    reader->p++;
    csc_json_skip_space(reader);

    return CSC_OK;
}


/* What stands between the quotes. */
static int
csc_json_read_string(csc_json_reader_t *reader, csc_str_t *text)
{
    const unsigned char *end;

    if (!csc_json_take(reader, '"')) {
        return CSC_ERROR;
    }

    end = csc_json_string_end(reader->p, reader->end, &reader->escaped);
    if (end == NULL) {
        return CSC_ERROR;
    }

    text->data = reader->p;
    text->len = (size_t) (end - reader->p);
    reader->p = end + 1;

    return CSC_OK;
}


/*
 * The text itself, or in the free part of scratch the text that its escapes
 * make of it.  It fits: none is longer than its form in the text.
 */
static csc_str_t
csc_json_decoded(const csc_json_reader_t *reader, csc_str_t text)
{
    csc_str_t decoded;

    if (!reader->escaped || memchr(text.data, '\\', text.len) == NULL) {
        return text;
    }

    decoded.data = reader->scratch;
    decoded.len = csc_json_unescape(text, reader->scratch);

    return decoded;
}


static int
csc_json_read_number(csc_json_reader_t *reader)
{
    (void) csc_json_take(reader, '-');

    if (!csc_json_take(reader, '0') && !csc_json_digits(reader)) {
        return CSC_ERROR;
    }

    if (csc_json_take(reader, '.') && !csc_json_digits(reader)) {
        return CSC_ERROR;
    }

    if (csc_json_take(reader, 'e') || csc_json_take(reader, 'E')) {
        if (!csc_json_take(reader, '+')) {
            (void) csc_json_take(reader, '-');
        }

        if (!csc_json_digits(reader)) {
            return CSC_ERROR;
        }
    }

    return CSC_OK;
}


/* Takes all that come; 1 when there is one at least. */
static int
csc_json_digits(csc_json_reader_t *reader)
{
    const unsigned char *start;

    start = reader->p;

    while (csc_json_peek(reader) >= '0' && csc_json_peek(reader) <= '9') {
        reader->p++;
    }

    return reader->p > start;
}


static int
csc_json_literal(csc_json_reader_t *reader, const char *text)
{
    size_t len;

    len = strlen(text);

    if ((size_t) (reader->end - reader->p) < len
        || memcmp(reader->p, text, len) != 0)
    {
        return CSC_ERROR;
    }

    reader->p += len;

    return CSC_OK;
}


/* 1 when it is the next byte, which is taken then. */
static int
csc_json_take(csc_json_reader_t *reader, unsigned char c)
{
    if (csc_json_peek(reader) != c) {
        return 0;
    }

    reader->p++;

    return 1;
}


/* The next byte; at the end 0, which stands nowhere in JSON. */
static unsigned char
csc_json_peek(const csc_json_reader_t *reader)
{
    return reader->p < reader->end ? *reader->p : '\0';
}


static void
csc_json_skip_space(csc_json_reader_t *reader)
{
    unsigned char c;

    for (c = csc_json_peek(reader);
         c == ' ' || c == '\t' || c == '\r' || c == '\n';
         c = csc_json_peek(reader))
    {
        reader->p++;
    }
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
