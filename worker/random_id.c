#include <time.h>

#include <openssl/rand.h>

#include "../common/csc_uuid.h"
#include "random_id.h"

int
random_id(unsigned char *out)
{
    unsigned char random[CSC_UUID_V7_RANDOM];
    struct timespec now;

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return CSC_ERROR;
    }

    clock_gettime(CLOCK_REALTIME, &now);
    csc_uuid_v7(
        (uint64_t) now.tv_sec * 1000 + (uint64_t) (now.tv_nsec / 1000000),
        random, out);

    return CSC_OK;
}
