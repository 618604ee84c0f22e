/*
 * The client's side of a WebSocket of the chat, as far as measuring needs it.
 */

#ifndef BENCH_WS_CLIENT_H
#define BENCH_WS_CLIENT_H

#include "csc_core.h"
#include "loop.h"

typedef struct ws_client_s ws_client_t;

typedef struct {
    /* the server's first event, "connected", is here; see silent */
    void (*ready)(ws_client_t *ws);

    /* a further event; the text is gone after the call */
    void (*event)(ws_client_t *ws, csc_str_t text);

    /* refused, closed or broken: why is static text */
    void (*closed)(ws_client_t *ws, const char *why);

    int silent; /* there is no first event: ready comes with the upgrade */
} ws_handler_t;

struct ws_client_s {
    link_t link; /* first, so that the one is found from the other */
    const ws_handler_t *handler;
    void *owner;
    uint32_t index;
    unsigned upgraded : 1;
    unsigned ready : 1;
};

/* Connects and upgrades.  owner and index are kept. */
void ws_open(ws_client_t *ws, loop_t *loop, const ws_handler_t *handler,
    const char *path, const char *token);

/* Sends an unfragmented, masked text frame (RFC 6455, 5.2, 5.3). */
void ws_send(ws_client_t *ws, const char *text, size_t len);

/* Sends a Close frame with 1000; closed() follows with the server's end. */
void ws_say_close(ws_client_t *ws);

/*
 * Opens n clients, each with index and, in turn, one of the paths and one of
 * the tokens (both arrays end with NULL), so that 64 handshakes are under way at once.  Returns when the first of them
 * up to n are ready; ends the program when one fails or time runs out.
 */
void ws_open_all(ws_client_t *clients, size_t from, size_t n, loop_t *loop,
    const ws_handler_t *handler, char **paths, char **tokens, void *owner);

/* Whether an event is of a type. */
int ws_is(csc_str_t text, const char *type);

#endif /* BENCH_WS_CLIENT_H */
