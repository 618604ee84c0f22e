/*
 * Sockets that do nothing: what nginx keeps in memory for each of them, and
 * what they cost while nothing happens.
 */

#include <poll.h>
#include <unistd.h>

#include "load.h"
#include "paths.h"
#include "report.h"
#include "tool.h"
#include "ws_client.h"

#define FIRST 1000 /* sockets that are left out of the division */

typedef struct {
    options_t *options;
    loop_t loop;
    ws_client_t *clients;
    char **tokens;
    char **paths;
    uint64_t open; /* sockets */
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


static const ws_handler_t handler = { on_ready, on_event, on_closed, 0 };
static const ws_handler_t relay_handler = { on_ready, on_event, on_closed, 1 };


static void
prepare(idle_t *idle, options_t *options)
{
    size_t n;

    idle->options = options;
    idle->tokens = tool_lines(options->tokens, &n);
    idle->paths = paths_of_listeners(options, n);
    loop_init(&idle->loop, options->to, (unsigned) options->sources);
    idle->clients = tool_alloc(options->connections, sizeof(ws_client_t));
}


/* Opens the sockets up to n. */
static void
open_up_to(idle_t *idle, uint64_t n)
{
    ws_open_all(idle->clients, idle->open, n, &idle->loop,
        idle->options->relay ? &relay_handler : &handler, idle->paths,
        idle->tokens, idle);
    idle->open = n;
}


void
run_idle(options_t *options)
{
    static idle_t idle;
    csc_json_writer_t *result;
    uint64_t first, few, many;

    prepare(&idle, options);
    first = options->connections > UINT64_C(2) * FIRST
                ? FIRST
                : options->connections / 2;
    open_up_to(&idle, first);
    loop_hold(&idle.loop, NS_PER_SECOND);
    few = watches_pss(&options->watches);

    open_up_to(&idle, options->connections);
    loop_hold(
        &idle.loop, NS_PER_SECOND + options->warmup * (NS_PER_SECOND / 1000));
    many = watches_pss(&options->watches);

    watches_start(&options->watches);
    idle.events = 0;
    loop_hold(&idle.loop, options->seconds * NS_PER_SECOND);
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


/* Says when all are open, and holds them until standard input ends. */
void
run_hold(options_t *options)
{
    struct pollfd input = { STDIN_FILENO, POLLIN, 0 };
    static idle_t idle;
    csc_json_writer_t *result;

    prepare(&idle, options);
    open_up_to(&idle, options->connections);

    result = report_begin("hold");
    report_int(result, "connections", options->connections);
    report_end(result);

    while (poll(&input, 1, 0) == 0) {
        loop_run(&idle.loop, NS_PER_SECOND / 10);
    }
}
