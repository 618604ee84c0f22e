/*
 * Counting.  Each process counts in a slot of its own of the shared zone,
 * which no other one writes: an addition, without a lock.  What is counted
 * stands in csc_metrics.h.
 */

#ifndef NGX_HTTP_CS_CHAT_METRICS_H
#define NGX_HTTP_CS_CHAT_METRICS_H

#include "ngx_http_cs_chat_module.h"

#include "csc_bus.h"
#include "csc_metrics.h"


/*
 * What this process counts: never NULL, and what is counted before the
 * process has its slot, or where there is no location that shows it, is kept
 * aside.  Take it anew each time: the slot may change.
 */
extern csc_nginx_metrics_t *ngx_http_cs_chat_metrics;


#define NGX_HTTP_CS_CHAT_SRC_LEN 16 /* of a worker's name */


/* A worker's metrics, as they were told last. */
typedef struct {
    u_char id[NGX_HTTP_CS_CHAT_SRC_LEN];
    ngx_msec_t expires;
    csc_worker_metrics_t values;
} ngx_http_cs_chat_worker_metrics_t;


/* What all processes of this nginx have counted, and all workers have told. */
typedef struct {
    csc_nginx_metrics_t nginx;
    ngx_uint_t nworkers;
    ngx_http_cs_chat_worker_metrics_t *workers;
} ngx_http_cs_chat_metrics_sum_t;


/* Takes a slot, where the configuration has a location that shows it. */
void ngx_http_cs_chat_metrics_init(
    ngx_http_cs_chat_main_conf_t *conf, ngx_log_t *log);

/* Leaves what was counted to those that come after. */
void ngx_http_cs_chat_metrics_exit(void);

/*
 * The sum, in the memory of pool.  NGX_DECLINED where the zone has no room for
 * metrics, NGX_ERROR when out of memory.
 */
ngx_int_t ngx_http_cs_chat_metrics_collect(
    ngx_http_cs_chat_metrics_sum_t *sum, ngx_pool_t *pool);

/* Bytes of the zone that so many processes and one worker take. */
size_t ngx_http_cs_chat_metrics_size(ngx_uint_t processes);

/*
 * A worker tells what it counted: NGX_OK, also when there is no place for it,
 * or NGX_DECLINED when that can't be understood.
 */
ngx_int_t ngx_http_cs_chat_metrics_told(csc_bus_message_t *message);

/* A worker has said that it stops. */
void ngx_http_cs_chat_metrics_left(csc_str_t src);

/* The time in microseconds of a clock that only rises. */
uint64_t ngx_http_cs_chat_metrics_clock(void);


#endif /* NGX_HTTP_CS_CHAT_METRICS_H */
