/*
 * Sockets that are opened, wait for their first event, say goodbye and are
 * closed by the server, so many at once; then the next one.
 */

#include "load.h"
#include "paths.h"
#include "report.h"
#include "tool.h"
#include "ws_client.h"

typedef struct {
    loop_t loop;
    ws_client_t *clients;
    uint64_t *begun; /* by client: when it was opened */
    int counting;
    uint64_t failed;
    histogram_t latency;
} handshakes_t;


static void
on_ready(ws_client_t *ws)
{
    handshakes_t *handshakes = ws->owner;

    if (handshakes->counting) {
        histogram_add(&handshakes->latency,
            (tool_now() - handshakes->begun[ws->index]) / 1000);
    }
    ws_say_close(ws);
}


static void
on_event(ws_client_t *ws, csc_str_t text)
{
    (void) ws;
    (void) text;
}


static void
on_closed(ws_client_t *ws, const char *why)
{
    handshakes_t *handshakes = ws->owner;

    (void) why;
    handshakes->failed += !ws->ready;
}


static const ws_handler_t handler = { on_ready, on_event, on_closed, 0 };
static const ws_handler_t relay_handler = { on_ready, on_event, on_closed, 1 };


static void
report(const handshakes_t *handshakes, const options_t *options)
{
    csc_json_writer_t *result;

    result = report_begin("handshake");
    report_int(result, "connections", options->connections);
    report_int(result, "handshakes", handshakes->latency.count);
    report_int(result, "per_second",
        handshakes->latency.count * 1000000 / options->watches.elapsed_us);
    report_int(result, "failed", handshakes->failed);
    report_histogram(result, "latency", &handshakes->latency);
    report_watches(result, &options->watches, NULL);
    report_end(result);
}


void
run_handshake(options_t *options)
{
    static handshakes_t handshakes;
    uint64_t start, end, opened;
    char **tokens, **paths;
    size_t n_tokens, n_paths;
    uint32_t i;

    tokens = tool_lines(options->tokens, &n_tokens);
    paths = paths_of_listeners(options, n_tokens);
    n_paths = tool_count(paths);
    loop_init(&handshakes.loop, options->to, (unsigned) options->sources);
    handshakes.clients = tool_alloc(options->connections, sizeof(ws_client_t));
    handshakes.begun = tool_alloc(options->connections, sizeof(uint64_t));

    for (i = 0; i < options->connections; i++) {
        handshakes.clients[i].link.fd = -1;
        handshakes.clients[i].owner = &handshakes;
        handshakes.clients[i].index = i;
    }

    start = tool_now() + options->warmup * (NS_PER_SECOND / 1000);
    end = start + options->seconds * NS_PER_SECOND;
    opened = 0;

    while (tool_now() < end) {
        if (!handshakes.counting && tool_now() >= start) {
            handshakes.counting = 1;
            watches_start(&options->watches);
        }

        for (i = 0; i < options->connections; i++) {
            if (handshakes.clients[i].link.fd == -1) {
                handshakes.begun[i] = tool_now();
                ws_open(&handshakes.clients[i], &handshakes.loop,
                    options->relay ? &relay_handler : &handler,
                    paths[opened % n_paths], tokens[opened % n_tokens]);
                opened++;
            }
        }
        loop_run(&handshakes.loop, NS_PER_SECOND / 100);
    }

    watches_stop(&options->watches);
    report(&handshakes, options);
}
