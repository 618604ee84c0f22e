/*
 * JSON: a reader that takes named fields out of an object, and a writer.
 * Both are thin layers over yajl, which does the parsing and the escaping;
 * the reader refuses what yajl lets pass: invalid UTF-8, "\u0000", a lone
 * surrogate, white space that is not JSON's, unlimited depth.
 */

#ifndef CSC_JSON_H
#define CSC_JSON_H

#include "csc_core.h"

#define CSC_JSON_MAX_DEPTH 32
#define CSC_JSON_MAX_FIELDS 16

typedef enum {
    CSC_JSON_ABSENT = 0,
    CSC_JSON_NULL,
    CSC_JSON_BOOL,
    CSC_JSON_NUMBER,
    CSC_JSON_STRING,
    CSC_JSON_OBJECT,
    CSC_JSON_ARRAY
} csc_json_type_e;

/*
 * A field that the caller wants.  Set scope and name; the rest is filled in.
 * scope NULL means a member of the outermost object, otherwise the name of
 * the object-valued member of the outermost object that holds it ("data").
 * Of a name that comes twice the last one counts, for all readers alike.
 */
typedef struct {
    const char *scope;
    const char *name;

    csc_json_type_e type;
    csc_str_t raw;   /* the value as it stands in the text, any type */
    csc_str_t value; /* STRING: decoded; NUMBER: its text; else empty */
    int boolean;     /* BOOL: 0 or 1 */
} csc_json_field_t;

/*
 * Reads one JSON object and nothing behind it but white space.
 *
 * scratch has room for text.len bytes and must live as long as the values
 * are used: strings with escapes are decoded into it, all others are views of
 * text.  n is at most CSC_JSON_MAX_FIELDS.
 *
 * CSC_OK; or CSC_ERROR, with *why a static sentence for a person, when the
 * text is not valid UTF-8, not JSON, not an object, too deep, or has "\u0000"
 * or a lone surrogate in any string or key.  The fields are absent then; only
 * where such an escape is the one fault are those free of it filled in, so
 * that an error can repeat what it is about.
 */
int csc_json_read(csc_str_t text, csc_json_field_t *fields, size_t n,
    unsigned char *scratch, const char **why);

/*
 * A whole number that stands in the text without fraction or exponent, from
 * min to max; CSC_ERROR for all else.
 */
int csc_json_integer(
    const csc_json_field_t *field, int64_t min, int64_t max, int64_t *value);

/*
 * Takes the next element off the raw text of an array, as csc_json_read()
 * gave it: its own raw text, without white space around it.  CSC_OK, or
 * CSC_AGAIN when there is none left.
 */
int csc_json_next(csc_str_t *array, csc_str_t *element);

/* --- writer --- */

#define CSC_JSON_QUOTED(len) (6 * (len) + 2) /* bytes, at most */

/*
 * Writes a text, which is UTF-8, as a JSON string to out, which has room for
 * CSC_JSON_QUOTED(text.len) bytes; the length.  The bytes are those that
 * PostgreSQL's to_json() writes, so that a message looks the same whoever
 * wrote it down.
 */
size_t csc_json_quote(csc_str_t text, unsigned char *out);

/*
 * Writes compact JSON to a growing buffer of its own (malloc).  An allocation
 * that fails, a call that is out of place (a value without a key, brackets that
 * do not match, more than 64 of them), and a text that is not UTF-8 are
 * remembered: csc_json_finish() tells.
 */
typedef struct csc_json_writer_s csc_json_writer_t;

/* NULL when out of memory. */
csc_json_writer_t *csc_json_writer(void);

void csc_json_object(csc_json_writer_t *w);
void csc_json_end_object(csc_json_writer_t *w);
void csc_json_array(csc_json_writer_t *w);
void csc_json_end_array(csc_json_writer_t *w);
void csc_json_key(csc_json_writer_t *w, const char *name);
void csc_json_string(csc_json_writer_t *w, csc_str_t value);
void csc_json_text(csc_json_writer_t *w, const char *value); /* NULL: null */
void csc_json_int(csc_json_writer_t *w, int64_t value);
void csc_json_bool(csc_json_writer_t *w, int value);
void csc_json_null(csc_json_writer_t *w);
/* A finished JSON value, written as it is. */
void csc_json_raw(csc_json_writer_t *w, csc_str_t value);

/*
 * The text so far, owned by the writer and valid until it is used or freed
 * again.  CSC_ERROR when memory ran out or the calls did not make a value.
 */
int csc_json_finish(csc_json_writer_t *w, csc_str_t *text);

/* Makes the writer ready for another value, keeping its memory. */
void csc_json_reset(csc_json_writer_t *w);

/* NULL is allowed. */
void csc_json_free(csc_json_writer_t *w);

#endif /* CSC_JSON_H */
