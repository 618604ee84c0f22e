#include <stdlib.h>

#include "backoff.h"

#define BACKOFF_FIRST 50
#define BACKOFF_LAST 2000

uint64_t
backoff_next(uint64_t *delay)
{
    *delay = *delay == 0 ? BACKOFF_FIRST : *delay * 2;
    if (*delay > BACKOFF_LAST) {
        *delay = BACKOFF_LAST;
    }

    return *delay / 2 + (uint64_t) random() % (*delay / 2 + 1);
}
