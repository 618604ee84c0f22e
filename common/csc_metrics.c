/* The tables of all metrics, made from the lists of the header. */

#include "csc_metrics.h"


/* From 0.1 ms to 10 s for times, powers of two for numbers. */
const uint64_t csc_metrics_bounds[][CSC_METRICS_BOUNDS] = {
    [CSC_METRIC_PLAIN] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048,
        4096, 8192, 16384, 32768 },
    [CSC_METRIC_US] = { 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000,
        100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000 },
};


/* --- labels --- */

static const char *const csc_batches[CSC_BATCH_MAX] = {
    [CSC_BATCH_MESSAGES] = "messages",
    [CSC_BATCH_MARKS] = "marks",
    [CSC_BATCH_USERS] = "users",
};

static const char *const csc_classes[CSC_CLASS_MAX] = {
    [CSC_CLASS_MESSAGE] = "message",
    [CSC_CLASS_CHAT] = "chat",
    [CSC_CLASS_READ] = "read",
    [CSC_CLASS_PRESENCE] = "presence",
    [CSC_CLASS_TYPING] = "typing",
    [CSC_CLASS_TYPED] = "typed",
    [CSC_CLASS_LEGACY] = "legacy",
    [CSC_CLASS_OTHER] = "other",
};

/* The last one stands for all others. */
static const char *const csc_closes[CSC_CLOSE_MAX] = { "1000", "1001", "1002",
    "1003", "1007", "1008", "1009", "1011", "1012", "1013", "4001", "4002",
    "4003", "other" };

static const char *const csc_sessions[CSC_SESSION_MAX] = {
    [CSC_SESSION_WRITER] = "writer",
    [CSC_SESSION_READER] = "reader",
};

static const char *const csc_transports[CSC_TRANSPORT_MAX] = {
    [CSC_TRANSPORT_HTTP] = "http",
    [CSC_TRANSPORT_WEBSOCKET] = "websocket",
};


static const char *
csc_label_batch(size_t i)
{
    return csc_batches[i];
}


static const char *
csc_label_class(size_t i)
{
    return csc_classes[i];
}


static const char *
csc_label_close(size_t i)
{
    return csc_closes[i];
}


static const char *
csc_label_error(size_t i)
{
    return i == CSC_E_NONE ? NULL : csc_error_code((csc_error_e) i);
}


static const char *
csc_label_op(size_t i)
{
    return i == CSC_OP_NONE ? NULL : csc_op_name((csc_op_e) i);
}


static const char *
csc_label_session(size_t i)
{
    return csc_sessions[i];
}


static const char *
csc_label_transport(size_t i)
{
    return csc_transports[i];
}


static const csc_metric_label_t csc_by_batch = { "kind", csc_label_batch };
static const csc_metric_label_t csc_by_class = { "class", csc_label_class };
static const csc_metric_label_t csc_by_close = { "code", csc_label_close };
static const csc_metric_label_t csc_by_error = { "code", csc_label_error };
static const csc_metric_label_t csc_by_op = { "op", csc_label_op };
static const csc_metric_label_t csc_by_session = { "session",
    csc_label_session };
static const csc_metric_label_t csc_by_transport = { "transport",
    csc_label_transport };


/* --- tables --- */

#define TABLE_AT(member) (offsetof(TABLE, member) / sizeof(uint64_t))

#define TABLE_VALUE(member, type, unit, name, help)                            \
    { name, help, CSC_METRIC_##type, CSC_METRIC_##unit, NULL, 1,               \
        TABLE_AT(member) },

#define TABLE_EACH(member, label, type, unit, name, help)                      \
    { name, help, CSC_METRIC_##type, CSC_METRIC_##unit, &csc_by_##label,       \
        CSC_METRICS_N_##label, TABLE_AT(member) },

#define TABLE_HISTOGRAM(member, unit, name, help)                              \
    { name, help, CSC_METRIC_HISTOGRAM, CSC_METRIC_##unit, NULL, 1,            \
        TABLE_AT(member) },

#define TABLE_HISTOGRAM_EACH(member, label, unit, name, help)                  \
    { name, help, CSC_METRIC_HISTOGRAM, CSC_METRIC_##unit, &csc_by_##label,    \
        CSC_METRICS_N_##label, TABLE_AT(member) },

#define TABLE csc_nginx_metrics_t

static const csc_metric_t csc_nginx_table[] = { CSC_METRICS_NGINX(
    TABLE_VALUE, TABLE_EACH, TABLE_HISTOGRAM, TABLE_HISTOGRAM_EACH) };

#undef TABLE
#define TABLE csc_worker_metrics_t

static const csc_metric_t csc_worker_table[] = { CSC_METRICS_WORKER(
    TABLE_VALUE, TABLE_EACH, TABLE_HISTOGRAM, TABLE_HISTOGRAM_EACH) };

#undef TABLE

const csc_metrics_set_t csc_nginx_metrics = { "cs_chat_", NULL, csc_nginx_table,
    sizeof(csc_nginx_table) / sizeof(csc_nginx_table[0]),
    sizeof(csc_nginx_metrics_t) / sizeof(uint64_t) };

const csc_metrics_set_t csc_worker_metrics = { "cs_chat_worker_", "worker",
    csc_worker_table, sizeof(csc_worker_table) / sizeof(csc_worker_table[0]),
    sizeof(csc_worker_metrics_t) / sizeof(uint64_t) };


/* --- counting --- */

csc_class_e
csc_metrics_class(csc_str_t type)
{
    int known;

    for (known = 0; known < CSC_CLASS_OTHER; known++) {
        if (csc_str_is(type, csc_classes[known])) {
            break;
        }
    }

    return (csc_class_e) known;
}


size_t
csc_metrics_close(int code)
{
    static const int codes[CSC_CLOSE_MAX - 1] = { 1000, 1001, 1002, 1003, 1007,
        1008, 1009, 1011, 1012, 1013, 4001, 4002, 4003 };
    size_t i;

    for (i = 0; i < CSC_CLOSE_MAX - 1; i++) {
        if (codes[i] == code) {
            break;
        }
    }

    return i;
}


void
csc_metrics_add(
    const csc_metrics_set_t *set, uint64_t *sum, const uint64_t *row)
{
    size_t i;

    for (i = 0; i < set->values; i++) {
        sum[i] += row[i];
    }
}


void
csc_metrics_add_counters(
    const csc_metrics_set_t *set, uint64_t *sum, const uint64_t *row)
{
    size_t i, j, first, last;

    for (i = 0; i < set->count; i++) {
        if (set->metrics[i].type == CSC_METRIC_GAUGE) {
            continue;
        }

        first = set->metrics[i].offset;
        last = first + csc_metrics_width(&set->metrics[i]);

        for (j = first; j < last; j++) {
            sum[j] += row[j];
        }
    }
}


size_t
csc_metrics_width(const csc_metric_t *metric)
{
    return metric->type == CSC_METRIC_HISTOGRAM
               ? metric->count * (CSC_METRICS_BOUNDS + 2)
               : metric->count;
}
