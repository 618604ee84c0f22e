/*
 * Requests (reads or logins) over keep-alive connections, each sending its next one as soon as
 * the answer is here (closed loop): what the server can do, not what a stall
 * would mean for those who come meanwhile.
 */

#include <stdio.h>
#include <string.h>

#include "http_client.h"
#include "load.h"
#include "report.h"
#include "tool.h"

typedef struct requests_s requests_t;

struct requests_s {
    /* Writes client i's request: its length, or what was too much. */
    int (*write)(const requests_t *requests, size_t i, char *text, size_t size);

    options_t *options;
    loop_t loop;
    http_client_t *clients;
    char **tokens; /* login: names and passwords */
    size_t n_tokens;
    uint64_t *sent;  /* by client: when its request was */
    uint64_t counts; /* answers count from this time on */
    uint64_t end;
    uint64_t refused;
    uint64_t closed;
    histogram_t latency;
};


static int
write_get(const requests_t *requests, size_t i, char *text, size_t size)
{
    return snprintf(text, size,
        "GET %s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n\r\n",
        requests->options->path, requests->tokens[i % requests->n_tokens]);
}


static int
write_login(const requests_t *requests, size_t i, char *text, size_t size)
{
    const char *name = requests->tokens[i % requests->n_tokens], *space;
    char body[1024];
    int n;

    space = strchr(name, ' ');
    if (space == NULL) {
        tool_fail("a line is not a name and a password");
    }

    n = snprintf(body, sizeof(body),
        "{\"username\":\"%.*s\",\"password\":\"%s\"}", (int) (space - name),
        name, space + 1);

    return snprintf(text, size,
        "POST %s/auth/login HTTP/1.1\r\nHost: bench\r\n"
        "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
        requests->options->api, n, body);
}


static void
send_request(http_client_t *http)
{
    requests_t *requests = http->owner;
    char request[5120];
    int n;

    n = requests->write(requests, http->index, request, sizeof(request));
    if (n < 0 || (size_t) n >= sizeof(request)) {
        tool_fail("a path or token is too long");
    }

    requests->sent[http->index] = tool_now();
    http_send(http, request, (size_t) n);
}


static void
on_answer(http_client_t *http, int status)
{
    requests_t *requests = http->owner;
    uint64_t now = tool_now();

    if (status != 200) {
        requests->refused++;
    } else if (requests->counts && now < requests->end) {
        histogram_add(
            &requests->latency, (now - requests->sent[http->index]) / 1000);
    }

    if (now < requests->end) {
        send_request(http);
    }
}


static void
on_closed(http_client_t *http, const char *why)
{
    requests_t *requests = http->owner;

    if (requests->closed++ == 0) {
        fprintf(stderr, "load: a connection is gone: %s\n", why);
    }
}


static const http_handler_t handler = { send_request, on_answer, on_closed };


static void
report(const requests_t *requests)
{
    csc_json_writer_t *result;

    result = report_begin(requests->options->mode);
    csc_json_key(result, "path");
    csc_json_text(result, requests->options->path);
    report_int(result, "connections", requests->options->connections);
    report_int(result, "requests", requests->latency.count);
    report_int(result, "per_second",
        requests->latency.count * 1000000
            / requests->options->watches.elapsed_us);
    report_int(result, "refused", requests->refused);
    report_int(result, "closed", requests->closed);
    report_histogram(result, "latency", &requests->latency);
    report_watches(result, &requests->options->watches, NULL);
    report_end(result);
}


static void
run(requests_t *requests, options_t *options)
{
    uint64_t start;
    uint32_t i;

    requests->options = options;
    requests->tokens = tool_lines(options->tokens, &requests->n_tokens);
    requests->clients = tool_alloc(options->connections, sizeof(http_client_t));
    requests->sent = tool_alloc(options->connections, sizeof(uint64_t));
    loop_init(&requests->loop, options->to, (unsigned) options->sources);

    start = tool_now() + options->warmup * (NS_PER_SECOND / 1000);
    requests->end = start + options->seconds * NS_PER_SECOND;

    for (i = 0; i < options->connections; i++) {
        requests->clients[i].owner = requests;
        requests->clients[i].index = i;
        http_open(&requests->clients[i], &requests->loop, &handler);
    }

    while (tool_now() < requests->end) {
        loop_run(&requests->loop, NS_PER_SECOND / 100);
        if (requests->counts == 0 && tool_now() >= start) {
            requests->counts = start;
            watches_start(&options->watches);
        }
    }

    watches_stop(&options->watches);
    report(requests);
}


void
run_get(options_t *options)
{
    static requests_t requests = { .write = write_get };

    run(&requests, options);
}


void
run_login(options_t *options)
{
    static requests_t requests = { .write = write_login };

    run(&requests, options);
}
