/*
 * Pairs who write to each other.  Over WebSocket both write in turn; over POST
 * the customer writes and the agent hears it on a WebSocket.  Each message is
 * to be acknowledged once and to reach the other side once; each socket is to
 * see its chat's seq rise by one.
 */

#include <stdio.h>
#include <string.h>

#include "http_client.h"
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
    ws_client_t *sockets; /* of pair i: 2i and 2i + 1, or i (POST) */
    size_t sockets_of_pair;
    uint64_t *last_seq;   /* by socket */
    http_client_t *posts; /* by pair */
    uint32_t *posted;     /* by pair: messages that were sent */
    uint32_t *queued;     /* by pair: messages that are due, but not sent */
    uint8_t *delivered;   /* by message: the times that it was */
    uint64_t deliveries;  /* different messages, of all */
    uint64_t duplicates;
    uint64_t disordered;
} chat_t;


/* The side that hears a message: 1, as 0 sends it, or the other way round. */
static int
is_heard_by(const chat_t *chat, uint32_t message, uint32_t socket)
{
    if (chat->sockets_of_pair == 1) {
        return 1;
    }

    return (message / chat->pairs.n & 1) != (socket & 1);
}


static void
check_seq(chat_t *chat, uint32_t socket, csc_str_t event)
{
    uint64_t seq;

    if (chat->options->relay) {
        return;
    }

    if (tool_number(event, "\"seq\":", 10, &seq) != CSC_OK) {
        chat->disordered++;
        return;
    }

    if (chat->last_seq[socket] && seq != chat->last_seq[socket] + 1) {
        chat->disordered++;
    }
    chat->last_seq[socket] = seq;
}


static void
on_message(chat_t *chat, const ws_client_t *ws, csc_str_t event)
{
    schedule_t *schedule = &chat->schedule;
    uint32_t message;

    check_seq(chat, ws->index, event);
    if (schedule_find(schedule, event, &message) != CSC_OK
        || !is_heard_by(chat, message, ws->index))
    {
        return;
    }

    if (chat->delivered[message]++) {
        chat->duplicates++;
        return;
    }

    chat->deliveries++;
    schedule_delivered(schedule, message, ws->link.at);
}


static void
on_event(ws_client_t *ws, csc_str_t text)
{
    chat_t *chat = ws->owner;
    uint32_t message;

    if (ws_is(text, "new_message")) {
        on_message(chat, ws, text);
    } else if (ws_is(text, "message_ack")) {
        if (schedule_find(&chat->schedule, text, &message) == CSC_OK) {
            schedule_acked(&chat->schedule, message, ws->link.at);
        }
    } else if (ws_is(text, "error")) {
        chat->schedule.refused++;
    }
}


static void
on_ready(ws_client_t *ws)
{
    (void) ws;
}


static void
on_closed(ws_client_t *ws, const char *why)
{
    chat_t *chat = ws->owner;

    if (!ws->ready) {
        tool_fail("a socket could not be opened: %s", why);
    }
    schedule_closed(&chat->schedule, why);
}


/* What a relay passes on comes from the other side as it was sent. */
static void
on_relayed(ws_client_t *ws, csc_str_t text)
{
    on_message(ws->owner, ws, text);
}


static const ws_handler_t ws_handler = { on_ready, on_event, on_closed, 0 };
static const ws_handler_t relay_handler = { on_ready, on_relayed, on_closed,
    1 };


/* A relay says nothing: what was sent counts as acknowledged. */
static void
send_plain(chat_t *chat, ws_client_t *ws, uint32_t message)
{
    char text[4096];
    int n;

    n = snprintf(text, sizeof(text), "{\"content\":\"%s\",%s%u\"}",
        chat->schedule.content, chat->schedule.key, message);
    ws_send(ws, text, (size_t) n);
    schedule_sent(&chat->schedule, message);
    schedule_acked(&chat->schedule, message, tool_now());
}


static void
send_event(chat_t *chat, uint32_t message)
{
    size_t pair = message % chat->pairs.n;
    size_t side = message / chat->pairs.n & 1;
    char text[4096];
    int n;

    if (chat->options->relay) {
        send_plain(chat, &chat->sockets[2 * pair + side], message);
        return;
    }

    n = snprintf(text, sizeof(text),
        "{\"type\":\"send_message\",\"data\":{\"chatId\":\"%s\","
        "\"content\":\"%s\",\"messageType\":\"text\","
        "%s%u\"}}",
        chat->pairs.chats[pair], chat->schedule.content, chat->schedule.key,
        message);
    ws_send(&chat->sockets[2 * pair + side], text, (size_t) n);
    schedule_sent(&chat->schedule, message);
}


/* Sends the pair's next message, if one is due and no answer is awaited. */
static void
send_post(chat_t *chat, uint32_t pair)
{
    http_client_t *http = &chat->posts[pair];
    char body[4096], request[8192];
    uint32_t message;
    int n;

    if (http->busy || !http->ready || chat->queued[pair] == 0) {
        return;
    }

    message = (uint32_t) (pair + chat->posted[pair] * chat->pairs.n);
    chat->queued[pair]--;
    chat->posted[pair]++;

    n = snprintf(body, sizeof(body),
        "{\"content\":\"%s\",\"type\":\"text\",%s%u\"}", chat->schedule.content,
        chat->schedule.key, message);
    n = snprintf(request, sizeof(request),
        "POST %s/chats/%s/messages HTTP/1.1\r\nHost: bench\r\n"
        "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
        "Content-Length: %d\r\n\r\n%s",
        chat->options->api, chat->pairs.chats[pair],
        chat->pairs.tokens[2 * (size_t) pair], n, body);

    if (n < 0 || (size_t) n >= sizeof(request)) {
        tool_fail("a token is too long");
    }
    http_send(http, request, (size_t) n);
}


static void
on_answer(http_client_t *http, int status)
{
    chat_t *chat = http->owner;
    uint32_t message;

    message = (uint32_t) (http->index
                          + (chat->posted[http->index] - 1) * chat->pairs.n);
    if (status == 201) {
        schedule_acked(&chat->schedule, message, http->link.at);
    } else {
        chat->schedule.refused++;
    }

    send_post(chat, http->index);
}


static void
on_post_ready(http_client_t *http)
{
    (void) http;
}


static void
on_post_closed(http_client_t *http, const char *why)
{
    chat_t *chat = http->owner;

    schedule_closed(&chat->schedule, why);
}


static const http_handler_t http_handler = { on_post_ready, on_answer,
    on_post_closed };


static void
send_due(chat_t *chat)
{
    uint32_t message, pair;

    while (schedule_take(&chat->schedule, &message) == CSC_OK) {
        if (message == chat->schedule.warmup) {
            watches_start(&chat->options->watches);
        }

        if (chat->posts == NULL) {
            send_event(chat, message);
            continue;
        }

        pair = (uint32_t) (message % chat->pairs.n);
        schedule_sent(&chat->schedule, message);
        chat->queued[pair]++;
        send_post(chat, pair);
    }
}


/* Whether nothing more is to be awaited. */
static int
is_done(const chat_t *chat, uint64_t deadline)
{
    const schedule_t *schedule = &chat->schedule;

    if (tool_now() > deadline) {
        return 1;
    }

    return schedule->next == schedule->total
           && schedule->acks + schedule->refused >= schedule->total
           && chat->deliveries >= schedule->acks;
}


static void
run_schedule(chat_t *chat)
{
    schedule_t *schedule = &chat->schedule;
    uint64_t deadline;

    schedule_start(schedule);
    deadline = schedule_due(schedule, schedule->total) + DRAIN;

    while (!is_done(chat, deadline)) {
        send_due(chat);
        schedule_sleep(schedule, &chat->loop);
    }

    watches_stop(&chat->options->watches);
}


static void
report(const chat_t *chat)
{
    const schedule_t *schedule = &chat->schedule;
    csc_json_writer_t *result;
    uint64_t lost = 0;
    uint32_t i;

    for (i = schedule->warmup; i < schedule->total; i++) {
        lost += schedule->acked[i] && !chat->delivered[i];
    }

    result = report_begin(chat->options->mode);
    report_int(result, "pairs", chat->pairs.n);
    schedule_report(schedule, chat->options, result);
    report_int(result, "lost", lost);
    report_int(result, "duplicates", chat->duplicates);
    report_int(result, "disordered", chat->disordered);
    report_watches(result, &chat->options->watches, &schedule->lag);
    report_end(result);
}


static void
prepare(chat_t *chat, options_t *options)
{
    pairs_t *pairs = &chat->pairs;

    chat->options = options;
    pairs_read(pairs, options->pairs);
    schedule_init(&chat->schedule, options, 1);
    loop_init(&chat->loop, options->to, (unsigned) options->sources);

    chat->sockets = tool_alloc(
        pairs->n * chat->sockets_of_pair, sizeof(ws_client_t));
    chat->last_seq = tool_alloc(
        pairs->n * chat->sockets_of_pair, sizeof(uint64_t));
    chat->delivered = tool_alloc(chat->schedule.total, 1);
}


void
run_chat(options_t *options)
{
    static chat_t chat;
    pairs_t *pairs = &chat.pairs;

    chat.sockets_of_pair = 2;
    prepare(&chat, options);
    ws_open_all(chat.sockets, 0, 2 * pairs->n, &chat.loop,
        options->relay ? &relay_handler : &ws_handler,
        paths_of_pairs(options, pairs), pairs->tokens, &chat);

    run_schedule(&chat);
    report(&chat);
}


void
run_post(options_t *options)
{
    static chat_t chat;
    pairs_t *pairs = &chat.pairs;
    char **agents;
    uint32_t i;

    chat.sockets_of_pair = 1;
    prepare(&chat, options);

    agents = tool_alloc(pairs->n + 1, sizeof(char *));
    chat.posts = tool_alloc(pairs->n, sizeof(http_client_t));
    chat.posted = tool_alloc(pairs->n, sizeof(uint32_t));
    chat.queued = tool_alloc(pairs->n, sizeof(uint32_t));

    for (i = 0; i < pairs->n; i++) {
        agents[i] = pairs->tokens[2 * i + 1];
        chat.posts[i].owner = &chat;
        chat.posts[i].index = i;
        http_open(&chat.posts[i], &chat.loop, &http_handler);
    }

    ws_open_all(chat.sockets, 0, pairs->n, &chat.loop, &ws_handler,
        paths_of_pairs(options, pairs), agents, &chat);

    run_schedule(&chat);
    report(&chat);
}
