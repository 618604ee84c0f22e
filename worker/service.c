#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "batch.h"
#include "bus.h"
#include "db.h"
#include "metrics.h"
#include "op.h"
#include "password.h"
#include "presence.h"
#include "roles.h"
#include "service.h"
#include "shards.h"

typedef struct {
    const config_t *config;
    uv_loop_t loop;
    uv_signal_t terminate;
    uv_signal_t interrupt;
    uv_timer_t deadline;
    bus_t bus;
    db_t db;
    shards_t shards;
    presence_t presence;
    roles_t roles;
    batch_t messages;
    batch_t marks;
    batch_t users;
    passwords_t passwords;
    metrics_t metrics;
    ops_t ops;
    int stopping;
} service_t;

/* --- between the parts --- */

static void
service_on_request(void *data, request_t *request)
{
    service_t *service = data;

    ops_request(&service->ops, request,
        shards_serves(&service->shards, request->shard));
}

static void
service_on_unsubscribed(void *data, unsigned shard)
{
    service_t *service = data;

    shards_unsubscribed(&service->shards, shard);
}

static void
service_on_finished(void *data, unsigned shard)
{
    service_t *service = data;

    shards_finished(&service->shards, shard);
}

static void
service_on_links(void *data)
{
    service_t *service = data;

    shards_links(&service->shards);
    roles_tell_all(&service->roles);
}

static void
service_on_session_up(void *data)
{
    service_t *service = data;

    shards_session_up(&service->shards);
    roles_tell_all(&service->roles);
}

static void
service_on_notified(void *data, const char *payload)
{
    service_t *service = data;

    roles_changed(&service->roles, payload);
}

static void
service_on_session_down(void *data)
{
    service_t *service = data;

    shards_session_down(&service->shards);
}

static void
service_on_acquired(void *data, const unsigned char *taken)
{
    service_t *service = data;

    presence_acquired(&service->presence, taken);
}

static void
service_on_released(void *data, unsigned shard)
{
    service_t *service = data;

    presence_released(&service->presence, shard);
}

/* --- the end --- */

static void
service_log_counters(const service_t *service)
{
    const bus_t *bus = &service->bus;

    log_info("stopped", LOG_NUMBER("requests", bus->requests),
        LOG_NUMBER("replies", bus->replies), LOG_NUMBER("events", bus->n),
        LOG_NUMBER("bad", bus->bad), LOG_NUMBER("expired", bus->expired),
        LOG_NUMBER("refused", bus->refused), LOG_NUMBER("unsent", bus->unsent),
        LOG_NUMBER("statements", service->db.queries),
        LOG_NUMBER("failed_statements", service->db.errors),
        LOG_NUMBER("batches", service->messages.batches),
        LOG_NUMBER("messages", service->messages.items_sent),
        LOG_NUMBER("marks", service->marks.items_sent));
}

/*
 * No shard is held and nothing that came by one is unfinished.  What is
 * written to Redis is flushed before its link closes; with that the loop has
 * nothing left to do.
 */
static void
service_on_stopped(void *data)
{
    service_t *service = data;

    shards_close(&service->shards);
    presence_stop(&service->presence);
    batch_stop(&service->messages);
    batch_stop(&service->marks);
    batch_stop(&service->users);
    metrics_stop(&service->metrics);
    db_stop(&service->db);
    passwords_stop(&service->passwords);
    bus_stop(&service->bus);
    /* these still end it when Redis does not take what is written */
    uv_unref((uv_handle_t *) &service->deadline);
    uv_unref((uv_handle_t *) &service->terminate);
    uv_unref((uv_handle_t *) &service->interrupt);
}

static void
service_on_deadline(uv_timer_t *timer)
{
    service_t *service = timer->data;

    log_error("what was in flight took too long",
        LOG_NUMBER("requests", service->bus.inflight),
        LOG_NUMBER("shards", service->shards.held));
    service_log_counters(service);
    _exit(1);
}

static void
service_on_signal(uv_signal_t *handle, int number)
{
    service_t *service = handle->data;

    if (service->stopping) {
        log_warn("stopped at once", LOG_NUMBER("signal", number));
        _exit(1);
    }

    service->stopping = 1;
    log_info("stopping", LOG_NUMBER("signal", number),
        LOG_NUMBER("inflight", service->bus.inflight));
    uv_timer_start(&service->deadline, service_on_deadline,
        service->config->shutdown_timeout, 0);
    shards_stop(&service->shards);
}

/* --- the beginning --- */

static int
service_init_signals(service_t *service)
{
    service->terminate.data = service;
    service->interrupt.data = service;
    service->deadline.data = service;

    return uv_timer_init(&service->loop, &service->deadline) == 0
                   && uv_signal_init(&service->loop, &service->terminate) == 0
                   && uv_signal_init(&service->loop, &service->interrupt) == 0
                   && uv_signal_start(
                          &service->terminate, service_on_signal, SIGTERM)
                          == 0
                   && uv_signal_start(
                          &service->interrupt, service_on_signal, SIGINT)
                          == 0
               ? CSC_OK
               : CSC_ERROR;
}

static int
service_init(service_t *service, const redis_address_t *address)
{
    bus_handlers_t bus = { service_on_request, service_on_unsubscribed,
        service_on_finished, service_on_links, service };
    db_handlers_t db = { service_on_session_up, service_on_session_down,
        service_on_notified, service };
    shards_handlers_t shards = { service_on_acquired, service_on_released,
        service_on_stopped, service };
    metrics_parts_t parts = { &service->bus, &service->db, &service->shards,
        &service->presence, &service->passwords,
        { [CSC_BATCH_MESSAGES] = &service->messages,
            [CSC_BATCH_MARKS] = &service->marks,
            [CSC_BATCH_USERS] = &service->users } };
    uv_loop_t *loop = &service->loop;
    ops_t *ops = &service->ops;

    ops->config = service->config;
    ops->bus = &service->bus;
    ops->db = &service->db;
    ops->passwords = &service->passwords;
    ops->messages = &service->messages;
    ops->marks = &service->marks;
    ops->users = &service->users;
    ops->presence = &service->presence;
    roles_init(&service->roles, &service->db, &service->bus);

    return uv_loop_init(loop) == 0 && service_init_signals(service) == CSC_OK
                   && bus_init(
                          &service->bus, loop, service->config, address, &bus)
                          == CSC_OK
                   && db_init(&service->db, loop, service->config, &db)
                          == CSC_OK
                   && shards_init(&service->shards, loop, &service->bus,
                          &service->db, &shards)
                          == CSC_OK
                   && presence_init(&service->presence, loop, service->config,
                          &service->bus, &service->db, ops)
                          == CSC_OK
                   && batch_init(&service->messages, loop, &service->db,
                          &batch_store, service->config->max_batch,
                          service->config->batch_pause)
                          == CSC_OK
                   && batch_init(&service->marks, loop, &service->db,
                          &batch_marks, service->config->max_batch,
                          service->config->batch_pause)
                          == CSC_OK
                   && batch_init(&service->users, loop, &service->db,
                          &batch_users, service->config->max_batch, 0)
                          == CSC_OK
                   && passwords_init(&service->passwords, loop,
                          service->config->password_queue,
                          service->config->password_processes)
                          == CSC_OK
                   && metrics_init(
                          &service->metrics, loop, service->config, &parts)
                          == CSC_OK
                   && ops_init(ops) == CSC_OK
               ? CSC_OK
               : CSC_ERROR;
}

static void
service_free(service_t *service)
{
    ops_free(&service->ops);
    batch_free(&service->messages);
    batch_free(&service->marks);
    batch_free(&service->users);
    metrics_free(&service->metrics);
    presence_free(&service->presence);
    passwords_free(&service->passwords);
    db_free(&service->db);
    bus_free(&service->bus);
    free(service);
}

int
service_run(const config_t *config, const redis_address_t *address)
{
    service_t *service = calloc(1, sizeof(*service));

    if (service == NULL) {
        log_error("out of memory");
        return 1;
    }

    service->config = config;

    if (service_init(service, address) != CSC_OK) {
        log_error("the worker could not be set up");
        return 1;
    }

    log_info("chat worker starting", LOG_TEXT("version", CS_CHAT_VERSION),
        LOG_TEXT("id", service->bus.src),
        LOG_TEXT("environment", config->server_mode),
        LOG_TEXT("redis", address->text));

    bus_start(&service->bus);
    db_start(&service->db);
    metrics_start(&service->metrics);
    uv_run(&service->loop, UV_RUN_DEFAULT);

    uv_close((uv_handle_t *) &service->deadline, NULL);
    uv_close((uv_handle_t *) &service->terminate, NULL);
    uv_close((uv_handle_t *) &service->interrupt, NULL);
    uv_run(&service->loop, UV_RUN_DEFAULT);

    service_log_counters(service);
    uv_loop_close(&service->loop);
    service_free(service);

    return 0;
}
