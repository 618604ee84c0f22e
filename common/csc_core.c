/* Numbers in texts. */

#include "csc_core.h"

#define CSC_U64_DIGITS 19 /* as many always fit */


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
