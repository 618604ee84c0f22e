/*
 * Sockets that do nothing: what nginx keeps in memory for each of them, and
 * what they cost while nothing happens.
 */

#include "load.h"
#include "report.h"
#include "tool.h"
#include "ws_client.h"

#define FIRST 1000 /* sockets that are left out of the division */

typedef struct {
    loop_t loop;
    uint64_t closed;
    uint64_t events;
} idle_t;


static void
on_ready(ws_client_t *ws)
{
    (void) ws;
}


static void
on_event(ws_client_t *ws, csc_str_t text)
{
    idle_t *idle = ws->owner;

    (void) text;
    idle->events++;
}


static void
on_closed(ws_client_t *ws, const char *why)
{
    idle_t *idle = ws->owner;

    if (!ws->ready) {
        tool_fail("a socket could not be opened: %s", why);
    }
    idle->closed++;
}


static const ws_handler_t handler = { on_ready, on_event, on_closed };


static void
hold(idle_t *idle, uint64_t ns)
{
    uint64_t end = tool_now() + ns;

    while (tool_now() < end) {
        loop_run(&idle->loop, NS_PER_SECOND / 10);
    }
}


void
run_idle(options_t *options)
{
    static idle_t idle;
    csc_json_writer_t *result;
    ws_client_t *clients;
    uint64_t first, few, many;
    char **tokens, *path;
    size_t n;

    tokens = tool_lines(options->tokens, &n);
    path = load_path(options, "ws");
    loop_init(&idle.loop, options->to, (unsigned) options->sources);
    clients = tool_alloc(options->connections, sizeof(ws_client_t));

    first = options->connections > UINT64_C(2) * FIRST
                ? FIRST
                : options->connections / 2;
    ws_open_all(
        clients, 0, first, &idle.loop, &handler, path, tokens, n, &idle);
    hold(&idle, NS_PER_SECOND);
    few = watches_pss(&options->watches, "nginx");

    ws_open_all(clients, first, options->connections, &idle.loop, &handler,
        path, tokens, n, &idle);
    hold(&idle, NS_PER_SECOND + options->warmup * (NS_PER_SECOND / 1000));
    many = watches_pss(&options->watches, "nginx");

    watches_start(&options->watches);
    idle.events = 0;
    hold(&idle, options->seconds * NS_PER_SECOND);
    watches_stop(&options->watches);

    result = report_begin("idle");
    report_int(result, "connections", options->connections);
    report_int(result, "closed", idle.closed);
    report_int(result, "events", idle.events);
    report_int(result, "first", first);
    report_int(result, "first_pss_bytes", few);
    report_int(result, "pss_bytes", many);
    report_int(result, "bytes_per_connection",
        many > few ? (many - few) / (options->connections - first) : 0);
    report_watches(result, &options->watches, NULL);
    report_end(result);
}
