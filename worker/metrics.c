#include <string.h>

#include "metrics.h"

#define METRICS_LIFE 3 /* intervals that what was told is good for */

static uint64_t
metrics_us(uv_timeval_t time)
{
    return (uint64_t) time.tv_sec * 1000000 + (uint64_t) time.tv_usec;
}

static void
metrics_gather_process(const metrics_t *metrics, csc_worker_metrics_t *values)
{
    uv_rusage_t usage;
    size_t memory;

    values->uptime = (uv_hrtime() - metrics->started) / 1000;

    if (uv_getrusage(&usage) == 0) {
        values->cpu = metrics_us(usage.ru_utime) + metrics_us(usage.ru_stime);
    }

    if (uv_resident_set_memory(&memory) == 0) {
        values->memory = memory;
    }
}

static void
metrics_gather_bus(const bus_t *bus, csc_worker_metrics_t *values)
{
    memcpy(values->requests, bus->operations, sizeof(values->requests));
    memcpy(values->errors, bus->errors, sizeof(values->errors));
    values->durations = bus->durations;
    values->inflight = bus->inflight;
    values->inflight_bytes = bus->memory;
    values->expired = bus->expired;
    values->refused = bus->refused;
    values->events = bus->n;
    values->bad = bus->bad;
    values->unsent = bus->unsent;
    values->redis_connected = (uint64_t) bus_connected(bus);
    values->redis_connects = bus->connects;
    values->redis_disconnects = bus->disconnects;
    values->redis_backlog = redis_link_backlog(&bus->publisher);
}

static void
metrics_gather_db(const db_t *db, csc_worker_metrics_t *values)
{
    const db_session_t *session;
    csc_session_e kind;
    size_t i;

    for (i = 0; i < db->count; i++) {
        session = &db->sessions[i];
        kind = session->writer ? CSC_SESSION_WRITER : CSC_SESSION_READER;
        values->sessions[kind] += session->state == DB_SESSION_READY;
    }

    memcpy(values->connects, db->connects, sizeof(values->connects));
    memcpy(values->disconnects, db->disconnects, sizeof(values->disconnects));
    memcpy(values->statements, db->durations, sizeof(values->statements));
    values->statements_pending = db_pending(db);
    values->statements_failed = db->errors;
}

static void
metrics_gather(const metrics_t *metrics, csc_worker_metrics_t *values)
{
    const metrics_parts_t *parts = &metrics->parts;
    const batch_t *batch;
    size_t i;

    memset(values, 0, sizeof(*values));
    metrics_gather_process(metrics, values);
    metrics_gather_bus(parts->bus, values);
    metrics_gather_db(parts->db, values);

    for (i = 0; i < CSC_BATCH_MAX; i++) {
        batch = parts->batches[i];
        values->sizes[i] = batch->sizes;
        values->waiting[i] = batch->waiting.count + batch->alone.count;
    }

    values->commits = parts->batches[CSC_BATCH_MESSAGES]->times;
    values->shards = parts->shards->held;
    values->users = presence_users(parts->presence);
    values->password_jobs = parts->passwords->jobs;
}

static void
metrics_on_timer(uv_timer_t *timer)
{
    metrics_t *metrics = timer->data;
    buffer_t *text = &metrics->text;
    csc_worker_metrics_t values;
    const uint64_t *row = (const uint64_t *) &values;
    csc_str_t body;
    unsigned char *out;

    metrics_gather(metrics, &values);
    buffer_reset(text);
    body.len = csc_metrics_encode(&csc_worker_metrics, row, NULL, 0);
    out = buffer_reserve(text, body.len);

    if (out != NULL) {
        csc_metrics_encode(&csc_worker_metrics, row, out, body.len);
        body.data = out;
        bus_metrics(metrics->parts.bus, METRICS_LIFE * metrics->interval, body);
    }
}

int
metrics_init(metrics_t *metrics, uv_loop_t *loop, const config_t *config,
    const metrics_parts_t *parts)
{
    memset(metrics, 0, sizeof(*metrics));
    metrics->parts = *parts;
    metrics->interval = config->metrics_interval;
    metrics->started = uv_hrtime();
    metrics->timer.data = metrics;

    return uv_timer_init(loop, &metrics->timer) == 0 ? CSC_OK : CSC_ERROR;
}

void
metrics_start(metrics_t *metrics)
{
    if (metrics->interval > 0) {
        uv_timer_start(&metrics->timer, metrics_on_timer, metrics->interval,
            metrics->interval);
    }
}

void
metrics_stop(metrics_t *metrics)
{
    uv_close((uv_handle_t *) &metrics->timer, NULL);
}

void
metrics_free(metrics_t *metrics)
{
    buffer_free(&metrics->text);
}
