/* The elements of an array, of which the reader gives the whole text. */

#include "csc_json.h"

static int csc_json_array_space(unsigned char c);
static size_t csc_json_array_value(csc_str_t text);


int
csc_json_next(csc_str_t *array, csc_str_t *element)
{
    size_t len;

    /* the bracket, or the comma behind the element before */

    if (array->len == 0 || array->data[0] == ']') {
        return CSC_AGAIN;
    }

    do {
        array->data++;
        array->len--;
    } while (array->len > 0 && csc_json_array_space(array->data[0]));

    len = csc_json_array_value(*array);

    if (len == 0) {
        array->len = 0;
        return CSC_AGAIN;
    }

    element->data = array->data;
    element->len = len;

    array->data += len;
    array->len -= len;

    while (csc_json_array_space(element->data[element->len - 1])) {
        element->len--;
    }

    return CSC_OK;
}


static int
csc_json_array_space(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}


/* The length up to the comma or bracket that ends the value. */
static size_t
csc_json_array_value(csc_str_t text)
{
    int string;
    size_t i, depth;
    unsigned char c;

    string = 0;
    depth = 0;

    for (i = 0; i < text.len; i++) {
        c = text.data[i];

        if (string) {
            i += c == '\\';
            string = c != '"';

        } else if (c == '"') {
            string = 1;

        } else if (c == '[' || c == '{') {
            depth++;

        } else if (depth == 0 && (c == ',' || c == ']')) {
            return i;

        } else if (c == ']' || c == '}') {
            depth--;
        }
    }

    return 0;
}
