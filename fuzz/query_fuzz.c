/* Percent-encoding and query strings: nothing is read or written beyond. */

#include <stdlib.h>
#include <string.h>

#include "csc_query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
static void fuzz_decode(csc_str_t text, int plus);
static void fuzz_round_trip(csc_str_t text);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    csc_str_t rest = { size, data };
    csc_str_t text = { size, data };
    csc_str_t name, value;

    while (csc_query_next(&rest, &name, &value) == CSC_OK) {
        if (name.data < data || value.data < name.data + name.len
            || value.data + value.len > data + size)
        {
            abort();
        }

        fuzz_decode(name, 1);
        fuzz_decode(value, 0);
    }

    if (rest.len != 0) {
        abort();
    }

    fuzz_round_trip(text);

    return 0;
}


/* Apart and in place it gives the same. */
static void
fuzz_decode(csc_str_t text, int plus)
{
    int rc;
    size_t len, again;
    unsigned char *apart, *place;

    apart = malloc(text.len);
    place = malloc(text.len);

    if (text.len > 0 && apart != NULL && place != NULL) {
        memcpy(place, text.data, text.len);

        csc_str_t copy = { text.len, place };

        rc = csc_pct_decode(text, plus, apart, &len);

        if (csc_pct_decode(copy, plus, place, &again) != rc) {
            abort();
        }

        if (rc == CSC_OK
            && (len > text.len || again != len
                || memcmp(apart, place, len) != 0))
        {
            abort();
        }
    }

    free(apart);
    free(place);
}


static void
fuzz_round_trip(csc_str_t text)
{
    size_t len;
    csc_str_t encoded;
    unsigned char *out;

    out = malloc(3 * text.len);

    if (text.len > 0 && out != NULL) {
        encoded.data = out;
        encoded.len = csc_pct_encode(text, out);

        if (csc_pct_decode(encoded, 0, out, &len) != CSC_OK || len != text.len
            || memcmp(out, text.data, len) != 0)
        {
            abort();
        }
    }

    free(out);
}
