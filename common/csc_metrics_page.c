/* The page of metrics, as text for Prometheus and as JSON. */

#include "csc_metrics.h"
#include "csc_json.h"
#include "csc_text.h"

/* One value of a metric, or one histogram, with what tells it apart. */
typedef struct {
    const csc_metrics_set_t *set;
    const csc_metric_t *metric;
    const csc_metrics_row_t *row;
    const char *value; /* of the metric's label; NULL: it has none */
    const uint64_t *numbers;
} csc_sample_t;

static const char *csc_type_name(csc_metric_type_e type);
static int csc_sample(csc_sample_t *sample, size_t i);
static void csc_number(
    csc_text_t *text, csc_metric_unit_e unit, uint64_t number);
static void csc_text_metric(
    csc_text_t *text, const csc_metrics_set_t *set, const csc_metric_t *metric);
static void csc_text_sample(csc_text_t *text, const csc_sample_t *sample);
static void csc_text_histogram(csc_text_t *text, const csc_sample_t *sample);
static void csc_text_name(csc_text_t *text, const csc_sample_t *sample,
    const char *suffix, const uint64_t *bound);
static const char *csc_text_label(
    csc_text_t *text, const char *between, const char *name, csc_str_t value);
static void csc_json_sample(csc_json_writer_t *w, const csc_sample_t *sample);
static void csc_json_histogram(
    csc_json_writer_t *w, const csc_sample_t *sample);
static void csc_json_number(
    csc_json_writer_t *w, csc_metric_unit_e unit, uint64_t number);


static const char *
csc_type_name(csc_metric_type_e type)
{
    static const char *const names[] = {
        [CSC_METRIC_COUNTER] = "counter",
        [CSC_METRIC_GAUGE] = "gauge",
        [CSC_METRIC_HISTOGRAM] = "histogram",
    };

    return names[type];
}


/* Sets value and numbers of the i-th sample; 0 where it is not shown. */
static int
csc_sample(csc_sample_t *sample, size_t i)
{
    const csc_metric_t *metric = sample->metric;

    sample->numbers = sample->row->values + metric->offset
                      + i * (csc_metrics_width(metric) / metric->count);
    sample->value = metric->label != NULL ? metric->label->value(i) : NULL;

    return metric->label == NULL || sample->value != NULL;
}


static void
csc_number(csc_text_t *text, csc_metric_unit_e unit, uint64_t number)
{
    if (unit == CSC_METRIC_US) {
        csc_text_seconds(text, number);
    } else {
        csc_text_number(text, number);
    }
}


/* --- text --- */

size_t
csc_metrics_text(const csc_metrics_set_t *set, const csc_metrics_row_t *rows,
    size_t n, unsigned char *out, size_t size)
{
    size_t i, j, k;
    csc_text_t text = { out, size, 0 };
    csc_sample_t sample = { set, NULL, NULL, NULL, NULL };

    for (i = 0; n > 0 && i < set->count; i++) {
        sample.metric = &set->metrics[i];
        csc_text_metric(&text, set, sample.metric);

        for (j = 0; j < n; j++) {
            sample.row = &rows[j];

            for (k = 0; k < sample.metric->count; k++) {
                if (csc_sample(&sample, k)) {
                    csc_text_sample(&text, &sample);
                }
            }
        }
    }

    return text.len;
}


static void
csc_text_metric(
    csc_text_t *text, const csc_metrics_set_t *set, const csc_metric_t *metric)
{
    csc_text_puts(text, "# HELP ");
    csc_text_puts(text, set->prefix);
    csc_text_puts(text, metric->name);
    csc_text_puts(text, " ");
    csc_text_puts(text, metric->help);
    csc_text_puts(text, "\n# TYPE ");
    csc_text_puts(text, set->prefix);
    csc_text_puts(text, metric->name);
    csc_text_puts(text, " ");
    csc_text_puts(text, csc_type_name(metric->type));
    csc_text_puts(text, "\n");
}


static void
csc_text_sample(csc_text_t *text, const csc_sample_t *sample)
{
    if (sample->metric->type == CSC_METRIC_HISTOGRAM) {
        csc_text_histogram(text, sample);
        return;
    }

    csc_text_name(text, sample, "", NULL);
    csc_number(text, sample->metric->unit, sample->numbers[0]);
    csc_text_puts(text, "\n");
}


static void
csc_text_histogram(csc_text_t *text, const csc_sample_t *sample)
{
    size_t i;
    uint64_t count = 0, infinite = UINT64_MAX;
    csc_metric_unit_e unit = sample->metric->unit;

    for (i = 0; i <= CSC_METRICS_BOUNDS; i++) {
        count += sample->numbers[i];
        csc_text_name(text, sample, "_bucket",
            i < CSC_METRICS_BOUNDS ? &csc_metrics_bounds[unit][i] : &infinite);
        csc_text_number(text, count);
        csc_text_puts(text, "\n");
    }

    csc_text_name(text, sample, "_sum", NULL);
    csc_number(text, unit, sample->numbers[CSC_METRICS_BOUNDS + 1]);
    csc_text_puts(text, "\n");
    csc_text_name(text, sample, "_count", NULL);
    csc_text_number(text, count);
    csc_text_puts(text, "\n");
}


/* "name{label="value",le="0.1"} "; bound NULL: without le. */
static void
csc_text_name(csc_text_t *text, const csc_sample_t *sample, const char *suffix,
    const uint64_t *bound)
{
    unsigned char number[32];
    csc_str_t le = CSC_STR("+Inf");
    csc_text_t digits = { number, sizeof(number), 0 };
    const char *between = "{";

    csc_text_puts(text, sample->set->prefix);
    csc_text_puts(text, sample->metric->name);
    csc_text_puts(text, suffix);

    if (sample->set->label != NULL) {
        between = csc_text_label(
            text, between, sample->set->label, sample->row->name);
    }

    if (sample->value != NULL) {
        between = csc_text_label(
            text, between, sample->metric->label->name, csc_str(sample->value));
    }

    if (bound != NULL) {
        if (*bound != UINT64_MAX) {
            csc_number(&digits, sample->metric->unit, *bound);
            le.data = number;
            le.len = digits.len;
        }

        between = csc_text_label(text, between, "le", le);
    }

    csc_text_puts(text, *between == ',' ? "} " : " ");
}


/* Values of labels are names of ours, and have nothing to be escaped. */
static const char *
csc_text_label(
    csc_text_t *text, const char *between, const char *name, csc_str_t value)
{
    csc_text_puts(text, between);
    csc_text_puts(text, name);
    csc_text_puts(text, "=\"");
    csc_text_put(text, value);
    csc_text_puts(text, "\"");

    return ",";
}


/* --- JSON --- */

void
csc_metrics_json(csc_json_writer_t *w, const csc_metrics_set_t *set,
    const csc_metrics_row_t *rows, size_t n)
{
    char name[128];
    size_t i, j, k;
    csc_text_t key;
    csc_sample_t sample = { set, NULL, NULL, NULL, NULL };

    for (i = 0; n > 0 && i < set->count; i++) {
        sample.metric = &set->metrics[i];

        key = (csc_text_t){ (unsigned char *) name, sizeof(name) - 1, 0 };
        csc_text_puts(&key, set->prefix);
        csc_text_puts(&key, sample.metric->name);
        name[key.len < key.size ? key.len : key.size] = '\0';

        csc_json_key(w, name);
        csc_json_object(w);
        csc_json_key(w, "type");
        csc_json_text(w, csc_type_name(sample.metric->type));
        csc_json_key(w, "help");
        csc_json_text(w, sample.metric->help);
        csc_json_key(w, "samples");
        csc_json_array(w);

        for (j = 0; j < n; j++) {
            sample.row = &rows[j];

            for (k = 0; k < sample.metric->count; k++) {
                if (csc_sample(&sample, k)) {
                    csc_json_sample(w, &sample);
                }
            }
        }

        csc_json_end_array(w);
        csc_json_end_object(w);
    }
}


static void
csc_json_sample(csc_json_writer_t *w, const csc_sample_t *sample)
{
    csc_json_object(w);
    csc_json_key(w, "labels");
    csc_json_object(w);

    if (sample->set->label != NULL) {
        csc_json_key(w, sample->set->label);
        csc_json_string(w, sample->row->name);
    }

    if (sample->value != NULL) {
        csc_json_key(w, sample->metric->label->name);
        csc_json_text(w, sample->value);
    }

    csc_json_end_object(w);

    if (sample->metric->type == CSC_METRIC_HISTOGRAM) {
        csc_json_histogram(w, sample);

    } else {
        csc_json_key(w, "value");
        csc_json_number(w, sample->metric->unit, sample->numbers[0]);
    }

    csc_json_end_object(w);
}


static void
csc_json_histogram(csc_json_writer_t *w, const csc_sample_t *sample)
{
    size_t i;
    char bound[32];
    uint64_t count = 0;
    csc_text_t text;
    csc_metric_unit_e unit = sample->metric->unit;

    csc_json_key(w, "buckets");
    csc_json_object(w);

    for (i = 0; i <= CSC_METRICS_BOUNDS; i++) {
        text = (csc_text_t){ (unsigned char *) bound, sizeof(bound) - 1, 0 };

        if (i < CSC_METRICS_BOUNDS) {
            csc_number(&text, unit, csc_metrics_bounds[unit][i]);
        } else {
            csc_text_puts(&text, "+Inf");
        }

        bound[text.len] = '\0';
        count += sample->numbers[i];

        csc_json_key(w, bound);
        csc_json_number(w, CSC_METRIC_PLAIN, count);
    }

    csc_json_end_object(w);
    csc_json_key(w, "sum");
    csc_json_number(w, unit, sample->numbers[CSC_METRICS_BOUNDS + 1]);
    csc_json_key(w, "count");
    csc_json_number(w, CSC_METRIC_PLAIN, count);
}


static void
csc_json_number(csc_json_writer_t *w, csc_metric_unit_e unit, uint64_t number)
{
    unsigned char digits[32];
    csc_str_t value = { 0, digits };
    csc_text_t text = { digits, sizeof(digits), 0 };

    csc_number(&text, unit, number);
    value.len = text.len;
    csc_json_raw(w, value);
}
