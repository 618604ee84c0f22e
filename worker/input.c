#include <string.h>

#include "../common/csc_query.h"
#include "../common/csc_utf8.h"
#include "input.h"

const char *const input_roles[] = { "customer", "agent", "super-agent", NULL };
const char *const input_statuses[] = { "active", "closed", "archived", NULL };

int
input_fault(csc_fault_t *fault, const char *field, const char *sentence)
{
    fault->error = CSC_E_INVALID_INPUT;
    fault->field = csc_str(field);
    fault->sentence = sentence;

    return CSC_ERROR;
}

/* --- JSON --- */

int
input_body(
    request_t *request, csc_json_field_t *fields, size_t n, csc_fault_t *fault)
{
    const char *why = NULL;
    size_t i;

    for (i = 0; i < n; i++) {
        fields[i].scope = request->message.ws ? "data" : NULL;
    }

    if (csc_json_read(request->message.body, fields, n, request->scratch, &why)
        != CSC_OK)
    {
        return input_fault(fault, NULL, why);
    }

    return CSC_OK;
}

int
input_absent(const csc_json_field_t *field)
{
    return field->type == CSC_JSON_ABSENT || field->type == CSC_JSON_NULL;
}

int
input_text(const csc_json_field_t *field, size_t min, size_t max,
    csc_str_t *value, csc_fault_t *fault)
{
    size_t len;

    if (input_absent(field)) {
        return input_fault(fault, field->name, "This field is required.");
    }

    if (field->type != CSC_JSON_STRING) {
        return input_fault(fault, field->name, "This field must be a text.");
    }

    len = csc_utf8_length(field->value);

    if (len < min) {
        return input_fault(fault, field->name,
            len == 0 ? "This field must not be empty."
                     : "This field is too short.");
    }

    if (len > max) {
        return input_fault(fault, field->name, "This field is too long.");
    }

    *value = field->value;

    return CSC_OK;
}

int
input_uuid(const csc_json_field_t *field, unsigned char *out, csc_str_t *value,
    csc_fault_t *fault)
{
    memset(value, 0, sizeof(*value));

    if (input_absent(field)
        || (field->type == CSC_JSON_STRING && field->value.len == 0))
    {
        return CSC_OK;
    }

    if (field->type != CSC_JSON_STRING
        || csc_uuid_parse(field->value, out) != CSC_OK)
    {
        return input_fault(fault, field->name, "This field must be a UUID.");
    }

    value->data = out;
    value->len = CSC_UUID_LEN;

    return CSC_OK;
}

int
input_bool(const csc_json_field_t *field, int *value, csc_fault_t *fault)
{
    if (field->type != CSC_JSON_BOOL) {
        return input_fault(
            fault, field->name, "This field must be true or false.");
    }

    *value = field->boolean;

    return CSC_OK;
}

int
input_word(csc_str_t text, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (csc_str_is(text, *words)) {
            return 1;
        }
    }

    return 0;
}

/* --- query strings --- */

/* Decodes to *out, which is moved on. */
static int
input_decode(csc_str_t *text, unsigned char **out)
{
    size_t len;

    if (csc_pct_decode(*text, 1, *out, &len) != CSC_OK) {
        return CSC_ERROR;
    }

    text->data = *out;
    text->len = len;
    *out += len;

    return csc_utf8_valid(*text) && memchr(text->data, '\0', len) == NULL
               ? CSC_OK
               : CSC_ERROR;
}

int
input_query(request_t *request, input_parameter_t *parameters, size_t n,
    csc_fault_t *fault)
{
    csc_str_t rest = request->message.body, name, value;
    unsigned char *out = request->scratch;
    size_t i;

    while (csc_query_next(&rest, &name, &value) == CSC_OK) {
        if (input_decode(&name, &out) != CSC_OK
            || input_decode(&value, &out) != CSC_OK) {
            return input_fault(fault, NULL,
                "The query string is not valid percent-encoded UTF-8.");
        }

        for (i = 0; i < n; i++) {
            if (csc_str_is(name, parameters[i].name)) {
                parameters[i].value = value;
                parameters[i].present = 1;
            }
        }
    }

    return CSC_OK;
}

int
input_number(const input_parameter_t *parameter, uint64_t min, uint64_t max,
    uint64_t preset, uint64_t *value, csc_fault_t *fault)
{
    *value = preset;

    if (!parameter->present) {
        return CSC_OK;
    }

    if (csc_str_to_u64(parameter->value, max, value) != CSC_OK || *value < min)
    {
        return input_fault(fault, parameter->name,
            "This parameter must be a whole number in its range.");
    }

    return CSC_OK;
}

/* --- times --- */

/* len digits at *at, from min to max; *at is moved on. */
static int
input_digits(csc_str_t text, size_t *at, size_t len, uint64_t min, uint64_t max)
{
    csc_str_t digits;
    uint64_t value;

    if (text.len - *at < len) {
        return -1;
    }

    digits.data = text.data + *at;
    digits.len = len;
    *at += len;

    if (csc_str_to_u64(digits, max, &value) != CSC_OK || value < min) {
        return -1;
    }

    return (int) value;
}

static int
input_is(csc_str_t text, size_t *at, const char *any)
{
    if (*at == text.len || text.data[*at] == '\0'
        || strchr(any, text.data[*at]) == NULL)
    {
        return 0;
    }

    (*at)++;

    return 1;
}

static int
input_is_date(csc_str_t text, size_t *at)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
        31 };
    int year, month, day, leap;

    year = input_digits(text, at, 4, 1, 9999);
    if (year < 0 || !input_is(text, at, "-")) {
        return 0;
    }

    month = input_digits(text, at, 2, 1, 12);
    if (month < 0 || !input_is(text, at, "-")) {
        return 0;
    }

    day = input_digits(text, at, 2, 1, 31);
    leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return day > 0 && day <= days[month - 1] + (month == 2 && leap);
}

int
input_is_time(csc_str_t text)
{
    size_t at = 0, fraction;

    if (!input_is_date(text, &at) || !input_is(text, &at, "Tt ")
        || input_digits(text, &at, 2, 0, 23) < 0 || !input_is(text, &at, ":")
        || input_digits(text, &at, 2, 0, 59) < 0 || !input_is(text, &at, ":")
        || input_digits(text, &at, 2, 0, 60) < 0)
    {
        return 0;
    }

    if (input_is(text, &at, ".")) {
        for (fraction = at; input_is(text, &at, "0123456789");) {
        }
        if (at == fraction || at - fraction > 9) {
            return 0;
        }
    }

    if (input_is(text, &at, "Zz")) {
        return at == text.len;
    }

    return input_is(text, &at, "+-") && input_digits(text, &at, 2, 0, 14) >= 0
           && input_is(text, &at, ":") && input_digits(text, &at, 2, 0, 59) >= 0
           && at == text.len;
}
