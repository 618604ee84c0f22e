/*
 * Requests over keep-alive connections, each sending its next one as soon as
 * the answer is here (closed loop): what the server can do, not what a stall
 * would mean for those who come meanwhile.
 */

#include <stdio.h>
#include <string.h>

#include "http_client.h"
#include "load.h"
#include "report.h"
#include "tool.h"

typedef struct {
    options_t *options;
    loop_t loop;
    http_client_t *clients;
    char **tokens;
    size_t n_tokens;
    uint64_t *sent;  /* by client: when its request was */
    uint64_t counts; /* answers count from this time on */
    uint64_t end;
    uint64_t refused;
    uint64_t closed;
    histogram_t latency;
} get_t;


static void
send_request(http_client_t *http)
{
    get_t *get = http->owner;
    char request[5120];
    int n;

    n = snprintf(request, sizeof(request),
        "GET %s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n\r\n",
        get->options->path, get->tokens[http->index % get->n_tokens]);
    if (n < 0 || (size_t) n >= sizeof(request)) {
        tool_fail("a path or token is too long");
    }

    get->sent[http->index] = tool_now();
    http_send(http, request, (size_t) n);
}


static void
on_answer(http_client_t *http, int status)
{
    get_t *get = http->owner;
    uint64_t now = tool_now();

    if (status != 200) {
        get->refused++;
    } else if (get->counts && now < get->end) {
        histogram_add(&get->latency, (now - get->sent[http->index]) / 1000);
    }

    if (now < get->end) {
        send_request(http);
    }
}


static void
on_closed(http_client_t *http, const char *why)
{
    get_t *get = http->owner;

    if (get->closed++ == 0) {
        fprintf(stderr, "load: a connection is gone: %s\n", why);
    }
}


static const http_handler_t handler = { send_request, on_answer, on_closed };


static void
report(const get_t *get)
{
    csc_json_writer_t *result;

    result = report_begin("get");
    csc_json_key(result, "path");
    csc_json_text(result, get->options->path);
    report_int(result, "connections", get->options->connections);
    report_int(result, "requests", get->latency.count);
    report_int(result, "per_second",
        get->latency.count * 1000000 / get->options->watches.elapsed_us);
    report_int(result, "refused", get->refused);
    report_int(result, "closed", get->closed);
    report_histogram(result, "latency", &get->latency);
    report_watches(result, &get->options->watches, NULL);
    report_end(result);
}


void
run_get(options_t *options)
{
    static get_t get;
    uint64_t start;
    uint32_t i;

    get.options = options;
    get.tokens = tool_lines(options->tokens, &get.n_tokens);
    get.clients = tool_alloc(options->connections, sizeof(http_client_t));
    get.sent = tool_alloc(options->connections, sizeof(uint64_t));
    loop_init(&get.loop, options->to, (unsigned) options->sources);

    start = tool_now() + options->warmup * (NS_PER_SECOND / 1000);
    get.end = start + options->seconds * NS_PER_SECOND;

    for (i = 0; i < options->connections; i++) {
        get.clients[i].owner = &get;
        get.clients[i].index = i;
        http_open(&get.clients[i], &get.loop, &handler);
    }

    while (tool_now() < get.end) {
        loop_run(&get.loop, NS_PER_SECOND / 100);
        if (get.counts == 0 && tool_now() >= start) {
            get.counts = start;
            watches_start(&options->watches);
        }
    }

    watches_stop(&options->watches);
    report(&get);
}
