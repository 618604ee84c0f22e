/*
 * What a chat worker tells of its metrics: whatever is read can be written,
 * and that is read as the same again.
 */

#include <stdlib.h>
#include <string.h>

#include "csc_metrics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t len;
    csc_str_t text = { size, data };
    unsigned char out[65536];
    csc_worker_metrics_t first, second;

    if (csc_metrics_decode(&csc_worker_metrics, text, (uint64_t *) &first)
        != CSC_OK)
    {
        return 0;
    }

    len = csc_metrics_encode(
        &csc_worker_metrics, (uint64_t *) &first, out, sizeof(out));

    if (len > sizeof(out)) {
        abort();
    }

    text.data = out;
    text.len = len;

    if (csc_metrics_decode(&csc_worker_metrics, text, (uint64_t *) &second)
            != CSC_OK
        || memcmp(&first, &second, sizeof(first)) != 0)
    {
        abort();
    }

    return 0;
}
