/*
 * Stream connections over epoll: what was received goes to a handler, what
 * cannot be sent yet waits.  One thread, no timers but the caller's.
 *
 * Every link knows when its bytes came, from the kernel's own time stamps
 * (SO_TIMESTAMPNS).  Who reads late doesn't measure late, and so need not wake
 * up for every packet: loop_sleep() serves those who send at set times.
 */

#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

typedef struct link_s link_t;

typedef struct {
    /* The connection stands; NULL for one that is opened with first bytes. */
    void (*opened)(link_t *link);

    /*
     * Bytes that were received and not taken before; returns how many are
     * taken.  May close the link: the number does not matter then.
     */
    size_t (*received)(link_t *link, unsigned char *data, size_t len);

    /* The other side closed it, or it failed: why is static text. */
    void (*closed)(link_t *link, const char *why);
} link_handler_t;

typedef struct {
    int epoll;
    unsigned sources; /* addresses to connect from; 0 leaves it to the system */
    unsigned next_source;
    socklen_t address_len;
    union {
        struct sockaddr any;
        struct sockaddr_un local;
        struct sockaddr_storage storage;
    } address;
    unsigned char *buffer;
} loop_t;

/* Embedded in what uses it; link_open() fills it in. */
struct link_s {
    loop_t *loop;
    const link_handler_t *handler;
    int fd; /* -1 when closed */
    unsigned connected : 1;
    unsigned waiting : 1; /* for room to write */
    uint64_t at;          /* ns: when what is handed over came in */
    unsigned char *in;    /* what the handler did not take */
    size_t in_len;
    unsigned char *out;
    size_t out_len;
    size_t out_size;
};

/*
 * to is "127.x.x.x:PORT" or "unix:/path": nothing but this machine is
 * accepted.  Ends the program on an error.
 */
void loop_init(loop_t *loop, const char *to, unsigned sources);

/* Waits for events, no longer than ns nanoseconds, and handles them. */
void loop_run(loop_t *loop, uint64_t ns);

/* Handles events for so long. */
void loop_hold(loop_t *loop, uint64_t ns);

/*
 * Sleeps until a time of tool_now(), whatever comes in, then handles all that
 * has come.  On Unix sockets, which have no time stamps, it came just then.
 */
void loop_sleep(loop_t *loop, uint64_t until);

/* Begins to connect; opened() or closed() tells how it went. */
void link_open(link_t *link, loop_t *loop, const link_handler_t *handler);

/*
 * The same with the first bytes, which leave at once when the connection
 * stands at once, as over loopback addresses.  closed() tells of a failure,
 * not before the loop runs.
 */
void link_open_with(link_t *link, loop_t *loop, const link_handler_t *handler,
    const void *data, size_t len);

/* Sends, or keeps a copy for later.  closed() is called when it fails. */
void link_send(link_t *link, const void *data, size_t len);

/* Closes without a word to the handler; a closed link is left alone. */
void link_close(link_t *link);

/* The same, and tells the handler. */
void link_fail(link_t *link, const char *why);

#endif /* BENCH_LOOP_H */
