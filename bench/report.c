#include <stdio.h>

#include "report.h"
#include "tool.h"

#define LATE_US 5000


csc_json_writer_t *
report_begin(const char *mode)
{
    csc_json_writer_t *report;

    report = csc_json_writer();
    if (report == NULL) {
        tool_fail("out of memory");
    }

    csc_json_object(report);
    csc_json_key(report, "mode");
    csc_json_text(report, mode);

    return report;
}


void
report_int(csc_json_writer_t *report, const char *name, uint64_t value)
{
    csc_json_key(report, name);
    csc_json_int(report, (int64_t) value);
}


void
report_histogram(
    csc_json_writer_t *report, const char *name, const histogram_t *histogram)
{
    csc_json_key(report, name);
    csc_json_object(report);
    report_int(report, "count", histogram->count);
    report_int(report, "p50_us", histogram_quantile(histogram, 5000));
    report_int(report, "p90_us", histogram_quantile(histogram, 9000));
    report_int(report, "p99_us", histogram_quantile(histogram, 9900));
    report_int(report, "p999_us", histogram_quantile(histogram, 9990));
    report_int(report, "max_us", histogram->max);
    csc_json_end_object(report);
}


void
report_watches(
    csc_json_writer_t *report, const watches_t *watches, const histogram_t *lag)
{
    unsigned i;
    int limited;

    csc_json_key(report, "cpu_us");
    csc_json_object(report);
    for (i = 0; i < watches->n; i++) {
        report_int(report, watches->of[i].kind, watches->of[i].cpu_us);
    }
    csc_json_end_object(report);

    report_int(report, "load_cpu_us", watches->own_us);
    report_int(report, "elapsed_us", watches->elapsed_us);

    limited = watches->own_us > watches->elapsed_us / 10 * 9
              || (lag && histogram_quantile(lag, 9900) > LATE_US);
    csc_json_key(report, "limited");
    csc_json_bool(report, limited);
}


void
report_end(csc_json_writer_t *report)
{
    csc_str_t text;

    csc_json_end_object(report);
    if (csc_json_finish(report, &text) != CSC_OK) {
        tool_fail("the result cannot be written");
    }

    printf("%.*s\n", (int) text.len, (const char *) text.data);
    fflush(stdout);
    csc_json_free(report);
}
