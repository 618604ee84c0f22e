/*
 * JSON: every field that is read is in its bounds, its raw form is JSON of the
 * same type, and a string that is written is read as it was.
 */

#include <stdlib.h>
#include <string.h>

#include "csc_json.h"
#include "csc_utf8.h"

#define FUZZ_FIELDS 6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
static void fuzz_field(csc_str_t text, const csc_json_field_t *field);
static void fuzz_elements(csc_str_t array);
static void fuzz_raw(csc_str_t raw, const csc_json_field_t *wanted);
static void fuzz_string(csc_str_t value);
static void fuzz_read_back(csc_json_writer_t *w, csc_json_field_t *field,
    const csc_json_field_t *wanted);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t i;
    csc_str_t text = { size, data };
    const char *why = NULL;
    unsigned char *scratch;
    csc_json_field_t fields[FUZZ_FIELDS] = {
        { .name = "a" },
        { .name = "data" },
        { .name = "type" },
        { .scope = "data", .name = "a" },
        { .scope = "data", .name = "b" },
        { .scope = "a", .name = "a" },
    };

    scratch = malloc(size);
    if (scratch == NULL) {
        return 0;
    }

    if (csc_json_read(text, fields, FUZZ_FIELDS, scratch, &why) != CSC_OK) {
        if (why == NULL) {
            abort();
        }

    } else {
        for (i = 0; i < FUZZ_FIELDS; i++) {
            fuzz_field(text, &fields[i]);
        }
    }

    free(scratch);

    fuzz_string(text);

    return 0;
}


static void
fuzz_field(csc_str_t text, const csc_json_field_t *field)
{
    int64_t value;

    if (field->type == CSC_JSON_ABSENT) {
        if (field->raw.len != 0 || field->value.len != 0) {
            abort();
        }

        return;
    }

    if (field->raw.len == 0 || field->raw.data < text.data
        || field->raw.data + field->raw.len > text.data + text.len)
    {
        abort();
    }

    if (csc_json_integer(field, -10, 10, &value) == CSC_OK
        && (value < -10 || value > 10))
    {
        abort();
    }

    fuzz_raw(field->raw, field);

    if (field->type == CSC_JSON_ARRAY) {
        fuzz_elements(field->raw);
    }
}


/* Each element lies in the array and is a value by itself. */
static void
fuzz_elements(csc_str_t array)
{
    csc_str_t rest, element;

    rest = array;

    while (csc_json_next(&rest, &element) == CSC_OK) {
        if (element.len == 0 || element.data <= array.data
            || element.data + element.len >= array.data + array.len)
        {
            abort();
        }

        fuzz_raw(element, NULL);
    }
}


/* The raw form alone is the same value (NULL: any value). */
static void
fuzz_raw(csc_str_t raw, const csc_json_field_t *wanted)
{
    csc_json_writer_t *w;
    csc_json_field_t again = { .name = "x" };

    w = csc_json_writer();
    if (w == NULL) {
        return;
    }

    csc_json_object(w);
    csc_json_key(w, "x");
    csc_json_raw(w, raw);
    csc_json_end_object(w);

    fuzz_read_back(w, &again, wanted);

    if (!csc_str_eq(again.raw, raw)) {
        abort();
    }

    csc_json_free(w);
}


/* Any text that is UTF-8 and has no NUL. */
static void
fuzz_string(csc_str_t value)
{
    csc_str_t text;
    csc_json_writer_t *w;
    csc_json_field_t again = { .name = "x" };
    csc_json_field_t wanted = { .type = CSC_JSON_STRING };

    w = csc_json_writer();
    if (w == NULL) {
        return;
    }

    csc_json_object(w);
    csc_json_key(w, "x");
    csc_json_string(w, value);
    csc_json_end_object(w);

    if (!csc_utf8_valid(value)) {
        if (csc_json_finish(w, &text) != CSC_ERROR) {
            abort();
        }

    } else if (value.len == 0 || memchr(value.data, 0, value.len) == NULL) {
        wanted.value = value;
        fuzz_read_back(w, &again, &wanted);
    }

    csc_json_free(w);
}


/* What was written is read as the value that is wanted (NULL: any). */
static void
fuzz_read_back(csc_json_writer_t *w, csc_json_field_t *field,
    const csc_json_field_t *wanted)
{
    csc_str_t text;
    const char *why;
    unsigned char *scratch;

    if (csc_json_finish(w, &text) != CSC_OK) {
        abort();
    }

    scratch = malloc(text.len);
    if (scratch == NULL) {
        return;
    }

    if (csc_json_read(text, field, 1, scratch, &why) != CSC_OK
        || (wanted != NULL
            && (field->type != wanted->type || field->boolean != wanted->boolean
                || !csc_str_eq(field->value, wanted->value))))
    {
        abort();
    }

    free(scratch);
}
