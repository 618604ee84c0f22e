/*
 * The load generator's options and modes.
 */

#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "loop.h"
#include "process.h"

typedef struct {
    const char *mode;
    const char *path;   /* get: of the request */
    const char *to;     /* 127.x.x.x:PORT or unix:/path */
    const char *api;    /* where the API is: "/api" */
    const char *pairs;  /* file: "CUSTOMER-TOKEN AGENT-TOKEN CHAT-ID" a line */
    const char *tokens; /* file: a token a line, or a name and a password */
    uint64_t rate;      /* messages a second */
    uint64_t seconds;
    uint64_t warmup; /* ms before it counts */
    uint64_t connections;
    uint64_t size;    /* bytes of a message's content */
    uint64_t sources; /* addresses to connect from */
    uint64_t limit;   /* ms; 0: none.  p99 of deliveries that is hoped for */
    unsigned relay;   /* the server passes on what it gets, and says no more */
    watches_t watches;
} options_t;

/* Each runs its mode to the end and prints a result. */
void run_chat(options_t *options);
void run_post(options_t *options);
void run_fanout(options_t *options);
void run_get(options_t *options);
void run_login(options_t *options);
void run_handshake(options_t *options);
void run_idle(options_t *options);
void run_hold(options_t *options);
void run_storm(options_t *options);

/* The API's path with something behind it; never freed. */
char *load_path(const options_t *options, const char *behind);

#endif /* BENCH_LOAD_H */
