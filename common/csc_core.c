/* String views. */

#include "csc_core.h"

#include <string.h>

#define CSC_U64_DIGITS 19 /* as many always fit */


csc_str_t
csc_str(const char *text)
{
    csc_str_t view = CSC_STR_NULL;

    if (text != NULL) {
        view.len = strlen(text);
        view.data = (const unsigned char *) text;
    }

    return view;
}


int
csc_str_eq(csc_str_t a, csc_str_t b)
{
    if (a.len != b.len) {
        return 0;
    }

    /* an empty view may have no memory, which memcmp() must not see */
    return a.len == 0 || memcmp(a.data, b.data, a.len) == 0;
}


int
csc_str_is(csc_str_t a, const char *text)
{
    size_t i;

    /* most differ in the first byte */
    for (i = 0; i < a.len; i++) {
        if (text[i] == '\0' || a.data[i] != (unsigned char) text[i]) {
            return 0;
        }
    }

    return text[a.len] == '\0';
}


int
csc_str_to_u64(csc_str_t text, uint64_t max, uint64_t *value)
{
    size_t i;
    uint64_t number;

    if (text.len == 0 || text.len > CSC_U64_DIGITS) {
        return CSC_ERROR;
    }

    number = 0;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return CSC_ERROR;
        }

        number = number * 10 + (uint64_t) (text.data[i] - '0');
    }

    if (number > max) {
        return CSC_ERROR;
    }

    *value = number;

    return CSC_OK;
}
