/*
 * A keep-alive connection for HTTP/1.1: one request at a time.
 */

#ifndef BENCH_HTTP_CLIENT_H
#define BENCH_HTTP_CLIENT_H

#include "loop.h"

typedef struct http_client_s http_client_t;

typedef struct {
    /* the connection stands: requests may be sent */
    void (*ready)(http_client_t *http);

    /* the answer to the request is here */
    void (*answered)(http_client_t *http, int status);

    /* closed or broken: why is static text */
    void (*closed)(http_client_t *http, const char *why);
} http_handler_t;

struct http_client_s {
    link_t link; /* first, so that the one is found from the other */
    const http_handler_t *handler;
    void *owner;
    uint32_t index;
    unsigned ready : 1;
    unsigned busy : 1; /* an answer is awaited */
};

/* Connects; owner and index are kept. */
void http_open(
    http_client_t *http, loop_t *loop, const http_handler_t *handler);

/* Sends a whole request; the client must be ready and not busy. */
void http_send(http_client_t *http, const char *request, size_t len);

#endif /* BENCH_HTTP_CLIENT_H */
