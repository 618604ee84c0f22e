/*
 * Values of 64 * 2^n to 128 * 2^n share 64 buckets, each 2^n wide.
 */

#include "histogram.h"

#define SUB_BITS 6
#define SUB_COUNT (UINT64_C(1) << SUB_BITS)


static unsigned
bucket_of(uint64_t us)
{
    uint64_t bucket;
    unsigned shift;

    if (us < 2 * SUB_COUNT) {
        return (unsigned) us;
    }

    shift = 63U - (unsigned) __builtin_clzll(us) - SUB_BITS;
    bucket = SUB_COUNT * shift + (us >> shift);

    return bucket < HISTOGRAM_BUCKETS ? (unsigned) bucket
                                      : HISTOGRAM_BUCKETS - 1;
}


static uint64_t
bucket_end(unsigned bucket)
{
    uint64_t shift;

    if (bucket < 2 * SUB_COUNT) {
        return bucket;
    }

    shift = bucket / SUB_COUNT - 1;
    return ((bucket - SUB_COUNT * shift + 1) << shift) - 1;
}


void
histogram_add(histogram_t *histogram, uint64_t us)
{
    histogram->count++;
    histogram->buckets[bucket_of(us)]++;

    if (us > histogram->max) {
        histogram->max = us;
    }
}


uint64_t
histogram_quantile(const histogram_t *histogram, unsigned of_10000)
{
    uint64_t end, seen, wanted;
    unsigned i;

    if (histogram->count == 0) {
        return 0;
    }

    wanted = (histogram->count * of_10000 + 9999) / 10000;
    seen = 0;

    for (i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];

        if (seen >= wanted && seen > 0) {
            end = bucket_end(i);
            return end < histogram->max ? end : histogram->max;
        }
    }

    return histogram->max;
}
