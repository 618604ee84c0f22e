#include "ngx_http_cs_chat_bus_state.h"
#include "ngx_http_cs_chat_hub.h"
#include "ngx_http_cs_chat_metrics.h"
#include "ngx_http_cs_chat_order.h"
#include "ngx_http_cs_chat_presence.h"
#include "ngx_http_cs_chat_source.h"
#include "ngx_http_cs_chat_typing.h"

#include <openssl/rand.h>


#define PULSE_INTERVAL 2000 /* ms between signs of life sent to oneself */
#define PULSE_LIMIT 3       /* that don't come back: the links are given up */
#define TELL_PULSES 3       /* between attempts to tell of revoked tokens */


static ngx_int_t ngx_http_cs_chat_bus_names(void);
static void ngx_http_cs_chat_bus_link(
    ngx_http_cs_chat_link_t *link, const char *name);
static void ngx_http_cs_chat_bus_meet(
    ngx_http_cs_chat_link_t *link, ngx_http_cs_chat_link_t *other);
static void ngx_http_cs_chat_bus_commands_up(ngx_http_cs_chat_link_t *link);
static void ngx_http_cs_chat_bus_subscriptions_up(
    ngx_http_cs_chat_link_t *link);
static void ngx_http_cs_chat_bus_down(ngx_http_cs_chat_link_t *link);
static void ngx_http_cs_chat_bus_failure(ngx_http_cs_chat_link_t *link);
static void ngx_http_cs_chat_bus_end_start(void);
static void ngx_http_cs_chat_bus_pulse(ngx_event_t *ev);


ngx_http_cs_chat_bus_t ngx_http_cs_chat_bus;


ngx_int_t
ngx_http_cs_chat_bus_init(ngx_http_cs_chat_main_conf_t *conf, ngx_log_t *log)
{
    ngx_http_cs_chat_bus_t *bus;

    bus = &ngx_http_cs_chat_bus;
    ngx_memzero(bus, sizeof(ngx_http_cs_chat_bus_t));

    bus->conf = conf;
    bus->log = log;
    bus->prefix = ngx_http_cs_chat_view(conf->prefix);
    bus->starting = 1;

    ngx_queue_init(&bus->retries);
    ngx_http_cs_chat_calls_init(log);
    ngx_http_cs_chat_sources_init(log);
    ngx_http_cs_chat_order_init(&conf->order, log);
    ngx_http_cs_chat_typing_init(conf->typing_timeout, log);

    if (ngx_http_cs_chat_bus_names() != NGX_OK) {
        return NGX_ERROR;
    }

    /* a timer's data is printed as a connection in debug logs */

    bus->pulse.handler = ngx_http_cs_chat_bus_pulse;
    bus->pulse.data = &bus->commands;
    bus->pulse.log = log;
    bus->pulse.cancelable = 1;

    bus->retry.handler = ngx_http_cs_chat_bus_retry;
    bus->retry.data = &bus->commands;
    bus->retry.log = log;

    ngx_http_cs_chat_where_init(&bus->where, &conf->redis, log);

    ngx_http_cs_chat_bus_link(&bus->commands, "commands");
    bus->commands.on_connect = ngx_http_cs_chat_bus_commands_up;

    ngx_http_cs_chat_bus_link(&bus->subscriptions, "subscriptions");
    bus->subscriptions.on_connect = ngx_http_cs_chat_bus_subscriptions_up;

    ngx_http_cs_chat_link_open(&bus->commands);
    ngx_http_cs_chat_link_open(&bus->subscriptions);

    ngx_add_timer(&bus->pulse, PULSE_INTERVAL);

    return NGX_OK;
}


static void
ngx_http_cs_chat_bus_link(ngx_http_cs_chat_link_t *link, const char *name)
{
    link->conf = &ngx_http_cs_chat_bus.conf->redis;
    link->where = &ngx_http_cs_chat_bus.where;
    link->name = name;
    link->on_down = ngx_http_cs_chat_bus_down;
    link->on_failure = ngx_http_cs_chat_bus_failure;
}


static ngx_int_t
ngx_http_cs_chat_bus_names(void)
{
    csc_str_t process;
    u_char random[NGX_HTTP_CS_CHAT_PROCESS_LEN / 2];

    if (RAND_bytes(random, sizeof(random)) != 1) {
        ngx_log_error(
            NGX_LOG_EMERG, ngx_http_cs_chat_bus.log, 0, "no random numbers");
        return NGX_ERROR;
    }

    (void) ngx_hex_dump(ngx_http_cs_chat_bus.process, random, sizeof(random));

    process.data = ngx_http_cs_chat_bus.process;
    process.len = NGX_HTTP_CS_CHAT_PROCESS_LEN;

    (void) csc_bus_reply_channel(ngx_http_cs_chat_bus.prefix, process,
        ngx_http_cs_chat_bus.reply_channel, NGX_HTTP_CS_CHAT_CHANNEL_SIZE);
    (void) csc_bus_events_channel(ngx_http_cs_chat_bus.prefix,
        ngx_http_cs_chat_bus.events_channel, NGX_HTTP_CS_CHAT_CHANNEL_SIZE);
    (void) csc_bus_revoked_key(ngx_http_cs_chat_bus.prefix,
        ngx_http_cs_chat_bus.revoked_key, NGX_HTTP_CS_CHAT_CHANNEL_SIZE);
    (void) csc_bus_roles_key(ngx_http_cs_chat_bus.prefix,
        ngx_http_cs_chat_bus.roles_key, NGX_HTTP_CS_CHAT_CHANNEL_SIZE);

    return NGX_OK;
}


void
ngx_http_cs_chat_bus_exit(void)
{
    if (ngx_http_cs_chat_bus.conf == NULL) {
        return;
    }

    ngx_http_cs_chat_bus.ready = 0;

    ngx_http_cs_chat_link_close(&ngx_http_cs_chat_bus.commands);
    ngx_http_cs_chat_link_close(&ngx_http_cs_chat_bus.subscriptions);
    ngx_http_cs_chat_sources_forget();
    ngx_http_cs_chat_order_forget();
    ngx_http_cs_chat_typing_exit();

    if (ngx_http_cs_chat_bus.pulse.timer_set) {
        ngx_del_timer(&ngx_http_cs_chat_bus.pulse);
    }

    if (ngx_http_cs_chat_bus.retry.timer_set) {
        ngx_del_timer(&ngx_http_cs_chat_bus.retry);
    }
}


ngx_uint_t
ngx_http_cs_chat_bus_ready(void)
{
    return ngx_http_cs_chat_bus.ready;
}


ngx_uint_t
ngx_http_cs_chat_bus_starting(void)
{
    return ngx_http_cs_chat_bus.starting;
}


ngx_shm_zone_t *
ngx_http_cs_chat_bus_zone(void)
{
    return ngx_http_cs_chat_bus.conf->zone;
}


size_t
ngx_http_cs_chat_bus_ticket_key(ngx_str_t *hash, char *out, size_t size)
{
    return csc_bus_ticket_key(
        ngx_http_cs_chat_bus.prefix, ngx_http_cs_chat_view(*hash), out, size);
}


ngx_int_t
ngx_http_cs_chat_bus_message_id(u_char *out)
{
    u_char *random;
    ngx_time_t *now;
    ngx_http_cs_chat_bus_t *bus;

    bus = &ngx_http_cs_chat_bus;

    /* one call costs as much for a message as for many */

    if (bus->unused == 0) {
        if (RAND_bytes(bus->random, sizeof(bus->random)) != 1) {
            return NGX_ERROR;
        }

        bus->unused = sizeof(bus->random);
    }

    random = bus->random + sizeof(bus->random) - bus->unused;
    bus->unused -= CSC_UUID_V7_RANDOM;

    now = ngx_timeofday();
    csc_uuid_v7((uint64_t) now->sec * 1000 + now->msec, random, out);

    return NGX_OK;
}


/* Redis may have moved since the other link was made. */

static void
ngx_http_cs_chat_bus_meet(
    ngx_http_cs_chat_link_t *link, ngx_http_cs_chat_link_t *other)
{
    if (other->connected && ngx_strcmp(link->address, other->address) != 0) {
        ngx_http_cs_chat_link_break(other, "Redis has moved");
    }
}


/* Coming up: subscribe, then load what is revoked, then serve. */

static void
ngx_http_cs_chat_bus_commands_up(ngx_http_cs_chat_link_t *link)
{
    ngx_http_cs_chat_bus.unheard = 0;
    ngx_http_cs_chat_bus_meet(link, &ngx_http_cs_chat_bus.subscriptions);

    if (ngx_http_cs_chat_bus.subscribed) {
        ngx_http_cs_chat_bus_load_revoked();
    }
}


static void
ngx_http_cs_chat_bus_subscriptions_up(ngx_http_cs_chat_link_t *link)
{
    int rc;

    ngx_http_cs_chat_bus.unheard = 0;
    ngx_http_cs_chat_bus_meet(link, &ngx_http_cs_chat_bus.commands);

    rc = redisAsyncCommand(link->context, ngx_http_cs_chat_bus_receive, NULL,
        "SUBSCRIBE %s %s", ngx_http_cs_chat_bus.reply_channel,
        ngx_http_cs_chat_bus.events_channel);

    if (rc != REDIS_OK) {
        ngx_http_cs_chat_link_break(link, "out of memory");
    }
}


void
ngx_http_cs_chat_bus_set_ready(void)
{
    ngx_http_cs_chat_bus.ready = 1;
    ngx_http_cs_chat_bus.unheard = 0;
    ngx_http_cs_chat_metrics->redis_connected = 1;
    ngx_http_cs_chat_metrics->redis_connects++;

    ngx_log_error(NGX_LOG_NOTICE, ngx_http_cs_chat_bus.log, 0,
        "the chat is connected to Redis");

    ngx_http_cs_chat_sources_listen();
    ngx_http_cs_chat_link_proved(&ngx_http_cs_chat_bus.commands);
    ngx_http_cs_chat_link_proved(&ngx_http_cs_chat_bus.subscriptions);
    ngx_http_cs_chat_bus_end_start();
    ngx_http_cs_chat_presence_renew();

    if (ngx_http_cs_chat_bus.missed) {
        ngx_http_cs_chat_bus.missed = 0;
        ngx_http_cs_chat_hub_resync("the link to Redis was interrupted");
    }
}


/* What was held while the process started goes on, whatever came of it. */

static void
ngx_http_cs_chat_bus_end_start(void)
{
    ngx_http_cs_chat_bus.starting = 0;

    ngx_http_cs_chat_calls_start();
}


static void
ngx_http_cs_chat_bus_failure(ngx_http_cs_chat_link_t *link)
{
    if (ngx_http_cs_chat_bus.starting) {
        ngx_http_cs_chat_bus_end_start();
    }
}


/*
 * Without subscriptions replies may have gone by unheard, so nothing that is
 * in flight can be answered any more; without commands that is so for what is
 * not known to have been heard.  The one link is of no use without the other.
 */

static void
ngx_http_cs_chat_bus_down(ngx_http_cs_chat_link_t *link)
{
    ngx_http_cs_chat_bus.ready = 0;
    ngx_http_cs_chat_metrics->redis_connected = 0;
    ngx_http_cs_chat_metrics->redis_disconnects++;

    if (link == &ngx_http_cs_chat_bus.subscriptions) {
        ngx_http_cs_chat_bus.subscribed = 0;
        ngx_http_cs_chat_bus.missed = 1;
        ngx_http_cs_chat_sources_forget();
        ngx_http_cs_chat_order_forget();
    }

    ngx_http_cs_chat_bus_failure(link);
    ngx_http_cs_chat_calls_fail(link == &ngx_http_cs_chat_bus.subscriptions);
}


/*
 * A Redis that hangs closes nothing.  Each process sends itself a sign of life
 * through Redis, over both links, and gives both up when none comes back.
 * They are counted, not timed: a process that was kept from running itself has
 * sent none meanwhile.
 */

static void
ngx_http_cs_chat_bus_pulse(ngx_event_t *ev)
{
    csc_bus_message_t message;

    ngx_add_timer(ev, PULSE_INTERVAL);

    ngx_http_cs_chat_metrics->redis_backlog = ngx_http_cs_chat_link_backlog(
        &ngx_http_cs_chat_bus.commands);

    if (!ngx_http_cs_chat_bus.commands.connected
        || !ngx_http_cs_chat_bus.subscribed)
    {
        return;
    }

    if (ngx_http_cs_chat_bus.unheard >= PULSE_LIMIT) {
        ngx_http_cs_chat_link_break(
            &ngx_http_cs_chat_bus.commands, "no sign of life");
        ngx_http_cs_chat_link_break(
            &ngx_http_cs_chat_bus.subscriptions, "no sign of life");
        return;
    }

    ngx_memzero(&message, sizeof(message));
    message.kind = CSC_BUS_HEARTBEAT;
    message.src.data = ngx_http_cs_chat_bus.process;
    message.src.len = NGX_HTTP_CS_CHAT_PROCESS_LEN;

    ngx_http_cs_chat_bus_say(ngx_http_cs_chat_bus.reply_channel,
        ngx_strlen(ngx_http_cs_chat_bus.reply_channel), &message);
    ngx_http_cs_chat_bus.unheard++;

    /* one that was made a replica meanwhile closes nothing either */

    (void) ngx_http_cs_chat_link_ask_role(&ngx_http_cs_chat_bus.commands);

    if (ngx_http_cs_chat_bus.untold && ngx_http_cs_chat_bus.ready
        && ++ngx_http_cs_chat_bus.pulses % TELL_PULSES == 0)
    {
        ngx_http_cs_chat_bus_tell_revoked();
    }
}


ngx_http_cs_chat_call_t *
ngx_http_cs_chat_bus_wait(ngx_http_cs_chat_command_pt handler, void *data)
{
    if (ngx_http_cs_chat_calls_count()
        >= ngx_http_cs_chat_bus.conf->max_requests) {
        return NULL;
    }

    return ngx_http_cs_chat_call_wait(handler, data);
}


void
ngx_http_cs_chat_bus_cancel(ngx_http_cs_chat_call_t *call)
{
    if (call != NULL) {
        ngx_http_cs_chat_call_free(call);
    }
}
