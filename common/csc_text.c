#include "csc_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>


void
csc_text_put(csc_text_t *text, csc_str_t value)
{
    if (text->len < text->size && value.len > 0) {
        memcpy(text->out + text->len, value.data,
            value.len < text->size - text->len ? value.len
                                               : text->size - text->len);
    }

    text->len += value.len;
}


void
csc_text_puts(csc_text_t *text, const char *value)
{
    csc_text_put(text, csc_str(value));
}


void
csc_text_number(csc_text_t *text, uint64_t number)
{
    char digits[24];

    snprintf(digits, sizeof(digits), "%" PRIu64, number);
    csc_text_puts(text, digits);
}


void
csc_text_seconds(csc_text_t *text, uint64_t us)
{
    size_t len;
    char digits[16];

    csc_text_number(text, us / 1000000);
    us %= 1000000;

    if (us == 0) {
        return;
    }

    snprintf(digits, sizeof(digits), ".%06u", (unsigned) us);

    for (len = strlen(digits); digits[len - 1] == '0'; len--) {
        digits[len - 1] = '\0';
    }

    csc_text_puts(text, digits);
}
