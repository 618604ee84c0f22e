/*
 * Many users who come at once: all sockets are opened, evenly over a time;
 * then all break at the same moment and are opened anew over that time.  One
 * result for each; whoever asks for them has two seconds to look around after
 * each.
 */

#include "load.h"
#include "report.h"
#include "tool.h"
#include "ws_client.h"

typedef struct {
    loop_t loop;
    options_t *options;
    ws_client_t *clients;
    uint64_t *due; /* by client: when it was to be opened */
    char **tokens;
    size_t n_tokens;
    char *path;
    uint64_t ready;
    uint64_t failed;
    uint64_t events;
    histogram_t latency;
} storm_t;


static void
on_ready(ws_client_t *ws)
{
    storm_t *storm = ws->owner;

    storm->ready++;
    histogram_add(&storm->latency, (tool_now() - storm->due[ws->index]) / 1000);
}


static void
on_event(ws_client_t *ws, csc_str_t text)
{
    storm_t *storm = ws->owner;

    (void) text;
    storm->events++;
}


static void
on_closed(ws_client_t *ws, const char *why)
{
    storm_t *storm = ws->owner;

    (void) why;
    storm->failed++;
}


static const ws_handler_t handler = { on_ready, on_event, on_closed, 0 };


static void
open_all(storm_t *storm)
{
    uint64_t n, start, deadline, next;

    n = storm->options->connections;
    start = tool_now();
    deadline = start + (storm->options->seconds + 30) * NS_PER_SECOND;
    next = 0;

    while (storm->ready < n && tool_now() < deadline) {
        while (next < n) {
            storm->due[next] =
                start + next * storm->options->seconds * NS_PER_SECOND / n;
            if (storm->due[next] > tool_now()) {
                break;
            }
            storm->clients[next].owner = storm;
            storm->clients[next].index = (uint32_t) next;
            ws_open(&storm->clients[next], &storm->loop, &handler, storm->path,
                storm->tokens[next % storm->n_tokens]);
            next++;
        }
        loop_run(&storm->loop, NS_PER_SECOND / 500);
    }
}


/* What the worker still has to do for it is in the figures. */
static void
measure(storm_t *storm, const char *name)
{
    csc_json_writer_t *result;
    watches_t *watches = &storm->options->watches;

    open_all(storm);
    loop_hold(&storm->loop, storm->options->warmup * (NS_PER_SECOND / 1000));
    watches_stop(watches);

    result = report_begin(name);
    report_int(result, "connections", storm->options->connections);
    report_int(result, "ready", storm->ready);
    report_int(result, "failed", storm->failed);
    report_int(result, "events", storm->events);
    report_histogram(result, "latency", &storm->latency);
    report_watches(result, watches, NULL);
    report_end(result);
    loop_hold(&storm->loop, 2 * NS_PER_SECOND);
}


void
run_storm(options_t *options)
{
    static storm_t storm;
    uint64_t i;

    storm.options = options;
    storm.tokens = tool_lines(options->tokens, &storm.n_tokens);
    storm.path = load_path(options, "ws");
    loop_init(&storm.loop, options->to, (unsigned) options->sources);
    storm.clients = tool_alloc(options->connections, sizeof(ws_client_t));
    storm.due = tool_alloc(options->connections, sizeof(uint64_t));

    watches_start(&options->watches);
    measure(&storm, "storm-come");

    storm.ready = 0;
    storm.events = 0;
    storm.latency = (histogram_t){ 0 };
    watches_start(&options->watches);
    for (i = 0; i < options->connections; i++) {
        link_close(&storm.clients[i].link);
    }
    measure(&storm, "storm-back");
}
