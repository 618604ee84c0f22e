/*
 * One chat, heard by many sockets: a customer writes, everyone hears it.
 */

#include <stdio.h>

#include "pairs.h"
#include "paths.h"
#include "schedule.h"
#include "tool.h"
#include "ws_client.h"

#define DRAIN (5 * NS_PER_SECOND)

typedef struct {
    schedule_t schedule;
    options_t *options;
    loop_t loop;
    pairs_t pairs;
    ws_client_t sender;
    ws_client_t *listeners;
    uint64_t *last_seq; /* by listener */
    uint64_t deliveries;
    uint64_t disordered;
} fanout_t;


static void
on_ready(ws_client_t *ws)
{
    (void) ws;
}


static void
on_closed(ws_client_t *ws, const char *why)
{
    fanout_t *fanout = ws->owner;

    if (!ws->ready) {
        tool_fail("a socket could not be opened: %s", why);
    }
    schedule_closed(&fanout->schedule, why);
}


static void
on_answer(ws_client_t *ws, csc_str_t text)
{
    fanout_t *fanout = ws->owner;
    uint32_t message;

    if (ws_is(text, "message_ack")) {
        if (schedule_find(&fanout->schedule, text, &message) == CSC_OK) {
            schedule_acked(&fanout->schedule, message, ws->link.at);
        }
    } else if (ws_is(text, "error")) {
        fanout->schedule.refused++;
    }
}


static void
on_heard(ws_client_t *ws, csc_str_t text)
{
    fanout_t *fanout = ws->owner;
    uint64_t *last = &fanout->last_seq[ws->index], seq;
    uint32_t message;

    if (schedule_find(&fanout->schedule, text, &message) != CSC_OK) {
        return;
    }

    /* a relay numbers nothing: the sender's own numbers are to rise by one */
    seq = (uint64_t) message + 1;
    if (!fanout->options->relay
        && (!ws_is(text, "new_message")
            || tool_number(text, "\"seq\":", 10, &seq) != CSC_OK))
    {
        return;
    }

    fanout->deliveries++;
    if (*last && seq != *last + 1) {
        fanout->disordered++;
    }
    *last = seq;

    schedule_delivered(&fanout->schedule, message, ws->link.at);
}


static const ws_handler_t sender_handler = { on_ready, on_answer, on_closed,
    0 };
static const ws_handler_t listener_handler = { on_ready, on_heard, on_closed,
    0 };
static const ws_handler_t relay_sender_handler = { on_ready, on_answer,
    on_closed, 1 };
static const ws_handler_t relay_listener_handler = { on_ready, on_heard,
    on_closed, 1 };


static void
send_due(fanout_t *fanout)
{
    char text[4096];
    uint32_t message;
    int n;

    while (schedule_take(&fanout->schedule, &message) == CSC_OK) {
        if (message == fanout->schedule.warmup) {
            watches_start(&fanout->options->watches);
        }

        n = snprintf(text, sizeof(text),
            "{\"type\":\"send_message\",\"data\":{\"chatId\":\"%s\","
            "\"content\":\"%s\",%s%u\"}}",
            fanout->pairs.chats[0], fanout->schedule.content,
            fanout->schedule.key, message);
        ws_send(&fanout->sender, text, (size_t) n);
        schedule_sent(&fanout->schedule, message);
        if (fanout->options->relay) {
            schedule_acked(&fanout->schedule, message, tool_now());
        }
    }
}


static void
run_schedule(fanout_t *fanout)
{
    schedule_t *schedule = &fanout->schedule;
    uint64_t deadline, wanted;

    schedule_start(schedule);
    deadline = schedule_due(schedule, schedule->total) + DRAIN;
    wanted = schedule->total * fanout->options->connections;

    while (tool_now() < deadline
           && (schedule->acks + schedule->refused < schedule->total
               || fanout->deliveries < wanted))
    {
        send_due(fanout);
        schedule_sleep(schedule, &fanout->loop);
    }

    watches_stop(&fanout->options->watches);
}


static void
report(const fanout_t *fanout)
{
    const schedule_t *schedule = &fanout->schedule;
    csc_json_writer_t *result;
    uint64_t wanted;

    wanted = (schedule->total - schedule->warmup - schedule_unacked(schedule))
             * fanout->options->connections;

    result = report_begin(fanout->options->mode);
    report_int(result, "connections", fanout->options->connections);
    schedule_report(schedule, fanout->options, result);
    report_int(result, "lost",
        wanted > schedule->delivery.count ? wanted - schedule->delivery.count
                                          : 0);
    report_int(result, "duplicates",
        schedule->delivery.count > wanted ? schedule->delivery.count - wanted
                                          : 0);
    report_int(result, "disordered", fanout->disordered);
    report_watches(result, &fanout->options->watches, &schedule->lag);
    report_end(result);
}


void
run_fanout(options_t *options)
{
    static fanout_t fanout;
    char **tokens;
    size_t n;

    fanout.options = options;
    pairs_read(&fanout.pairs, options->pairs);
    tokens = tool_lines(options->tokens, &n);
    schedule_init(&fanout.schedule, options, options->connections);
    loop_init(&fanout.loop, options->to, (unsigned) options->sources);

    fanout.last_seq = tool_alloc(options->connections, sizeof(uint64_t));
    fanout.listeners = tool_alloc(options->connections, sizeof(ws_client_t));
    ws_open_all(fanout.listeners, 0, options->connections, &fanout.loop,
        options->relay ? &relay_listener_handler : &listener_handler,
        paths_of_listeners(options, 1), tokens, &fanout);
    ws_open_all(&fanout.sender, 0, 1, &fanout.loop,
        options->relay ? &relay_sender_handler : &sender_handler,
        paths_of_writer(options), fanout.pairs.tokens, &fanout);

    run_schedule(&fanout);
    report(&fanout);
}
