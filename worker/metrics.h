/*
 * What the worker counts, told to all NGINX processes every metrics_interval.
 * Each part counts for itself; here it is gathered.
 */

#ifndef METRICS_H
#define METRICS_H

#include <uv.h>

#include "batch.h"
#include "bus.h"
#include "db.h"
#include "password.h"
#include "presence.h"
#include "shards.h"

/* The parts, which the caller owns. */
typedef struct {
    bus_t *bus;
    const db_t *db;
    const shards_t *shards;
    const presence_t *presence;
    const passwords_t *passwords;
    const batch_t *batches[CSC_BATCH_MAX];
} metrics_parts_t;

typedef struct {
    metrics_parts_t parts;
    uint64_t interval; /* ms; 0: nothing is told */
    uint64_t started;  /* uv_hrtime(), ns */
    uv_timer_t timer;
    buffer_t text;
} metrics_t;

/* CSC_ERROR when the loop has no more handles. */
int metrics_init(metrics_t *metrics, uv_loop_t *loop, const config_t *config,
    const metrics_parts_t *parts);

void metrics_start(metrics_t *metrics);
void metrics_stop(metrics_t *metrics);
void metrics_free(metrics_t *metrics);

#endif /* METRICS_H */
