/*
 * The slots of the processes and what the workers told, in the shared zone.
 * Slots of processes that are gone are added up, so that nothing that was
 * counted is lost; a gauge goes with its process.
 */

#include "ngx_http_cs_chat_metrics.h"
#include "ngx_http_cs_chat_zone.h"

#include <sys/resource.h>
#include <time.h>


#define SAMPLE_INTERVAL 2000 /* ms between looks at time and memory */
#define SILENT 30000         /* ms without one: it doesn't run */
#define MAX_WORKERS 64       /* more are only there when names are forged */
#define MAX_TTL 7200000      /* ms that what a worker told is good for */


typedef struct {
    csc_nginx_metrics_t values;
    ngx_queue_t queue;
    ngx_pid_t pid;
    ngx_msec_t seen;
} ngx_http_cs_chat_slot_t;


/* In the zone. */
typedef struct {
    size_t size; /* a reload may bring a module that counts other things */
    ngx_queue_t slots;
    csc_nginx_metrics_t gone;
    ngx_uint_t nworkers;
    ngx_http_cs_chat_worker_metrics_t *workers[MAX_WORKERS];
} ngx_http_cs_chat_counted_t;


static ngx_http_cs_chat_counted_t *ngx_http_cs_chat_metrics_root(void);
static void ngx_http_cs_chat_metrics_reap(ngx_http_cs_chat_counted_t *root);
static void ngx_http_cs_chat_metrics_fold(
    ngx_http_cs_chat_counted_t *root, ngx_http_cs_chat_slot_t *gone);
static void ngx_http_cs_chat_metrics_add(
    ngx_http_cs_chat_counted_t *root, csc_nginx_metrics_t *sum);
static void ngx_http_cs_chat_metrics_zone(csc_nginx_metrics_t *sum);
static ngx_uint_t ngx_http_cs_chat_metrics_named(csc_str_t src);
static ngx_http_cs_chat_worker_metrics_t *ngx_http_cs_chat_metrics_worker(
    ngx_http_cs_chat_counted_t *root, csc_str_t src);
static void ngx_http_cs_chat_metrics_expire(
    ngx_http_cs_chat_counted_t *root, csc_str_t src);
static void ngx_http_cs_chat_metrics_sample(ngx_event_t *ev);
static uint64_t ngx_http_cs_chat_metrics_memory(void);


static csc_nginx_metrics_t aside;
static ngx_shm_zone_t *zone; /* NULL: there is no location that shows it */
static ngx_http_cs_chat_counted_t *counted;
static ngx_http_cs_chat_slot_t *slot;
static ngx_event_t timer;
static ngx_connection_t timer_data; /* is printed in debug logs */

csc_nginx_metrics_t *ngx_http_cs_chat_metrics = &aside;


void
ngx_http_cs_chat_metrics_init(
    ngx_http_cs_chat_main_conf_t *conf, ngx_log_t *log)
{
    if (!conf->metrics) {
        return;
    }

    zone = conf->zone;

    ngx_http_cs_chat_zone_lock(zone);

    counted = ngx_http_cs_chat_metrics_root();

    if (counted != NULL) {
        ngx_http_cs_chat_metrics_reap(counted);
        slot = ngx_http_cs_chat_zone_alloc(
            zone, sizeof(ngx_http_cs_chat_slot_t));
    }

    if (slot != NULL) {
        ngx_memzero(slot, sizeof(ngx_http_cs_chat_slot_t));
        slot->pid = ngx_pid;
        slot->seen = ngx_current_msec;
        ngx_queue_insert_tail(&counted->slots, &slot->queue);
        ngx_http_cs_chat_metrics = &slot->values;
    }

    ngx_http_cs_chat_zone_unlock(zone);

    if (slot == NULL) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
            "\"cs_chat_zone\" is full: \"cs_chat_metrics\" does not show what "
            "this process counts");
        return;
    }

    timer_data.fd = (ngx_socket_t) -1;
    timer.handler = ngx_http_cs_chat_metrics_sample;
    timer.data = &timer_data;
    timer.log = log;
    timer.cancelable = 1;

    ngx_http_cs_chat_metrics_sample(&timer);
}


void
ngx_http_cs_chat_metrics_exit(void)
{
    if (slot == NULL) {
        return;
    }

    if (timer.timer_set) {
        ngx_del_timer(&timer);
    }

    ngx_http_cs_chat_metrics = &aside;

    ngx_http_cs_chat_zone_lock(zone);
    ngx_http_cs_chat_metrics_fold(counted, slot);
    ngx_http_cs_chat_zone_unlock(zone);

    slot = NULL;
}


size_t
ngx_http_cs_chat_metrics_size(ngx_uint_t processes)
{
    /* the zone has memory in powers of two, and in pages */

    return (processes + 1) * ngx_max(sizeof(ngx_http_cs_chat_slot_t), 2048)
           + 2 * ngx_pagesize;
}


/* NULL when the zone is full. */

static ngx_http_cs_chat_counted_t *
ngx_http_cs_chat_metrics_root(void)
{
    void **metrics;
    ngx_http_cs_chat_counted_t *root;

    metrics = ngx_http_cs_chat_zone_metrics(zone);
    root = *metrics;

    if (root != NULL && root->size == sizeof(ngx_http_cs_chat_counted_t)) {
        return root;
    }

    root = ngx_http_cs_chat_zone_alloc(
        zone, sizeof(ngx_http_cs_chat_counted_t));

    if (root != NULL) {
        ngx_memzero(root, sizeof(ngx_http_cs_chat_counted_t));
        root->size = sizeof(ngx_http_cs_chat_counted_t);
        ngx_queue_init(&root->slots);
        *metrics = root;
    }

    return root;
}


/* A process that was killed could not say good-bye. */

static void
ngx_http_cs_chat_metrics_reap(ngx_http_cs_chat_counted_t *root)
{
    ngx_queue_t *q, *next;
    ngx_http_cs_chat_slot_t *other;

    for (q = ngx_queue_head(&root->slots);
         q != ngx_queue_sentinel(&root->slots); q = next)
    {
        next = ngx_queue_next(q);
        other = ngx_queue_data(q, ngx_http_cs_chat_slot_t, queue);

        if (other != slot
            && (other->pid == ngx_pid
                || (kill(other->pid, 0) == -1 && ngx_errno == NGX_ESRCH)))
        {
            ngx_http_cs_chat_metrics_fold(root, other);
        }
    }
}


static void
ngx_http_cs_chat_metrics_fold(
    ngx_http_cs_chat_counted_t *root, ngx_http_cs_chat_slot_t *gone)
{
    csc_metrics_add_counters(&csc_nginx_metrics, (uint64_t *) &root->gone,
        (uint64_t *) &gone->values);

    ngx_queue_remove(&gone->queue);
    ngx_http_cs_chat_zone_free(zone, gone);
}


/* Collecting. */

ngx_int_t
ngx_http_cs_chat_metrics_collect(
    ngx_http_cs_chat_metrics_sum_t *sum, ngx_pool_t *pool)
{
    ngx_uint_t i, room;

    if (counted == NULL) {
        return NGX_DECLINED;
    }

    room = counted->nworkers;
    sum->nworkers = 0;
    sum->workers = ngx_palloc(
        pool, (room + 1) * sizeof(ngx_http_cs_chat_worker_metrics_t));

    if (sum->workers == NULL) {
        return NGX_ERROR;
    }

    ngx_http_cs_chat_zone_lock(zone);

    ngx_http_cs_chat_metrics_reap(counted);
    ngx_http_cs_chat_metrics_add(counted, &sum->nginx);

    for (i = 0; i < counted->nworkers && sum->nworkers < room; i++) {
        if ((ngx_msec_int_t) (counted->workers[i]->expires - ngx_current_msec)
            > 0) {
            sum->workers[sum->nworkers++] = *counted->workers[i];
        }
    }

    ngx_http_cs_chat_zone_unlock(zone);

    sum->nginx.workers = sum->nworkers;

    return NGX_OK;
}


static void
ngx_http_cs_chat_metrics_add(
    ngx_http_cs_chat_counted_t *root, csc_nginx_metrics_t *sum)
{
    ngx_queue_t *q;
    ngx_http_cs_chat_slot_t *other;

    *sum = root->gone;

    for (q = ngx_queue_head(&root->slots);
         q != ngx_queue_sentinel(&root->slots); q = ngx_queue_next(q))
    {
        other = ngx_queue_data(q, ngx_http_cs_chat_slot_t, queue);

        /* its number may be another program's by now, or it hangs */

        if ((ngx_msec_int_t) (ngx_current_msec - other->seen) > SILENT) {
            csc_metrics_add_counters(&csc_nginx_metrics, (uint64_t *) sum,
                (uint64_t *) &other->values);
            continue;
        }

        csc_metrics_add(
            &csc_nginx_metrics, (uint64_t *) sum, (uint64_t *) &other->values);
        sum->processes++;
    }

    ngx_http_cs_chat_metrics_zone(sum);
}


static void
ngx_http_cs_chat_metrics_zone(csc_nginx_metrics_t *sum)
{
    ngx_http_cs_chat_zone_state_t state;

    ngx_http_cs_chat_zone_state(zone, &state);

    sum->zone_size = state.size;
    sum->zone_free = state.free;
    sum->zone_full = state.full;
    sum->revoked = state.revoked;
}


/* Workers. */

ngx_int_t
ngx_http_cs_chat_metrics_told(csc_bus_message_t *message)
{
    csc_worker_metrics_t values;
    ngx_http_cs_chat_worker_metrics_t *worker;

    if (!ngx_http_cs_chat_metrics_named(message->src) || message->ttl == 0
        || message->ttl > MAX_TTL
        || csc_metrics_decode(
               &csc_worker_metrics, message->body, (uint64_t *) &values)
               != CSC_OK)
    {
        return NGX_DECLINED;
    }

    if (counted == NULL) {
        return NGX_OK;
    }

    ngx_http_cs_chat_zone_lock(zone);

    worker = ngx_http_cs_chat_metrics_worker(counted, message->src);

    if (worker != NULL) {
        ngx_memcpy(worker->id, message->src.data, NGX_HTTP_CS_CHAT_SRC_LEN);
        worker->expires = ngx_current_msec + (ngx_msec_t) message->ttl;
        worker->values = values;
    }

    ngx_http_cs_chat_zone_unlock(zone);

    return NGX_OK;
}


/* Names are shown as they are: no one may write anything else there. */

static ngx_uint_t
ngx_http_cs_chat_metrics_named(csc_str_t src)
{
    size_t i;

    for (i = 0; i < src.len; i++) {
        if (!((src.data[i] >= '0' && src.data[i] <= '9')
                || (src.data[i] >= 'a' && src.data[i] <= 'f')))
        {
            return 0;
        }
    }

    return src.len == NGX_HTTP_CS_CHAT_SRC_LEN;
}


/* The place of a worker; NULL where there is none left. */

static ngx_http_cs_chat_worker_metrics_t *
ngx_http_cs_chat_metrics_worker(ngx_http_cs_chat_counted_t *root, csc_str_t src)
{
    ngx_uint_t i;
    csc_str_t nobody = CSC_STR_NULL;
    ngx_http_cs_chat_worker_metrics_t *worker;

    for (i = 0; i < root->nworkers; i++) {
        worker = root->workers[i];

        if (ngx_memcmp(worker->id, src.data, src.len) == 0) {
            return worker;
        }
    }

    ngx_http_cs_chat_metrics_expire(root, nobody);

    if (root->nworkers == MAX_WORKERS) {
        return NULL;
    }

    worker = ngx_http_cs_chat_zone_alloc(
        zone, sizeof(ngx_http_cs_chat_worker_metrics_t));

    if (worker != NULL) {
        root->workers[root->nworkers++] = worker;
    }

    return worker;
}


void
ngx_http_cs_chat_metrics_left(csc_str_t src)
{
    if (counted == NULL || !ngx_http_cs_chat_metrics_named(src)) {
        return;
    }

    ngx_http_cs_chat_zone_lock(zone);
    ngx_http_cs_chat_metrics_expire(counted, src);
    ngx_http_cs_chat_zone_unlock(zone);
}


/* Forgets one worker, and those that have been silent for too long. */

static void
ngx_http_cs_chat_metrics_expire(ngx_http_cs_chat_counted_t *root, csc_str_t src)
{
    ngx_uint_t i, n;
    ngx_http_cs_chat_worker_metrics_t *worker;

    n = 0;

    for (i = 0; i < root->nworkers; i++) {
        worker = root->workers[i];

        if ((ngx_msec_int_t) (worker->expires - ngx_current_msec) <= 0
            || (src.len && ngx_memcmp(worker->id, src.data, src.len) == 0))
        {
            ngx_http_cs_chat_zone_free(zone, worker);
            continue;
        }

        root->workers[n++] = worker;
    }

    root->nworkers = n;
}


/* The process itself. */

uint64_t
ngx_http_cs_chat_metrics_clock(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);

    return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}


static void
ngx_http_cs_chat_metrics_sample(ngx_event_t *ev)
{
    struct rusage usage;

    slot->seen = ngx_current_msec;
    slot->values.memory = ngx_http_cs_chat_metrics_memory();

    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        slot->values.cpu =
            (uint64_t) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000
            + (uint64_t) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    }

    ngx_add_timer(ev, SAMPLE_INTERVAL);
}


/* 0 where the system doesn't tell. */

static uint64_t
ngx_http_cs_chat_metrics_memory(void)
{
    int fd;
    ssize_t n;
    unsigned long pages;
    char text[64];

    fd = open("/proc/self/statm", O_RDONLY);
    if (fd == -1) {
        return 0;
    }

    n = read(fd, text, sizeof(text) - 1);
    close(fd);

    if (n <= 0) {
        return 0;
    }

    text[n] = '\0';

    return (sscanf(text, "%*u %lu", &pages) == 1)
               ? (uint64_t) pages * ngx_pagesize
               : 0;
}
