/*
 * A log-linear histogram of times in microseconds: exact below 128, within
 * 1.6 % above, up to some 38 hours.  No allocation; zeroed memory is empty.
 */

#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 2048

typedef struct {
    uint64_t count;
    uint64_t max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
} histogram_t;

/* Adds one value; what is above the range counts in the last bucket. */
void histogram_add(histogram_t *histogram, uint64_t us);

/*
 * The value that so many of 10,000 do not exceed (5000: the median): the
 * upper end of its bucket, never above the maximum; 0 when empty.
 */
uint64_t histogram_quantile(const histogram_t *histogram, unsigned of_10000);

#endif /* BENCH_HISTOGRAM_H */
