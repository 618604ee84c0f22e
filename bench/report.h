/*
 * A result: one line of JSON on standard output.  All values are integers;
 * names end with their unit.
 */

#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "csc_json.h"
#include "histogram.h"
#include "process.h"

csc_json_writer_t *report_begin(const char *mode);

void report_int(csc_json_writer_t *report, const char *name, uint64_t value);

/* An object with count, p50_us, p90_us, p99_us, p999_us and max_us. */
void report_histogram(
    csc_json_writer_t *report, const char *name, const histogram_t *histogram);

/*
 * "cpu_us" by kind, "load_cpu_us" and "elapsed_us"; then "limited": true when
 * the generator was itself the limit, as it used more than 90 % of a processor
 * or sent (lag, may be NULL) one of 100 more than 5 ms late.
 */
void report_watches(csc_json_writer_t *report, const watches_t *watches,
    const histogram_t *lag);

/* Prints the line and frees the report. */
void report_end(csc_json_writer_t *report);

#endif /* BENCH_REPORT_H */
