#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"
#include "tool.h"

#define BUFFER_SIZE 262144
#define MAX_KEPT 16777216 /* of one link, either way */
#define MAX_EVENTS 512
#define MAX_READS 16 /* of one link in one turn */


static void
address_of(loop_t *loop, const char *to)
{
    struct sockaddr_in in;
    char host[16];
    const char *colon;
    uint64_t port;

    if (strncmp(to, "unix:", 5) == 0) {
        if (strlen(to + 5) >= sizeof(loop->address.local.sun_path)) {
            tool_fail("%s is too long", to);
        }

        loop->address.local.sun_family = AF_UNIX;
        memcpy(loop->address.local.sun_path, to + 5, strlen(to + 5) + 1);
        loop->address_len = sizeof(loop->address.local);
        return;
    }

    memset(&in, 0, sizeof(in));
    in.sin_family = AF_INET;
    colon = strchr(to, ':');

    if (colon == NULL || (size_t) (colon - to) >= sizeof(host)
        || csc_str_to_u64(csc_str(colon + 1), 65535, &port) != CSC_OK)
    {
        tool_fail("%s is not ADDRESS:PORT", to);
    }

    memcpy(host, to, (size_t) (colon - to));
    host[colon - to] = '\0';
    in.sin_port = htons((uint16_t) port);

    if (inet_pton(AF_INET, host, &in.sin_addr) != 1
        || ntohl(in.sin_addr.s_addr) >> 24 != 127)
    {
        tool_fail("%s is not a loopback address", host);
    }

    memcpy(&loop->address, &in, sizeof(in));
    loop->address_len = sizeof(in);
}


void
loop_init(loop_t *loop, const char *to, unsigned sources)
{
    memset(loop, 0, sizeof(*loop));
    address_of(loop, to);
    loop->sources = loop->address.any.sa_family == AF_INET ? sources : 0;
    loop->buffer = tool_alloc(1, BUFFER_SIZE);

    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll == -1) {
        tool_fail("epoll_create1: %s", strerror(errno));
    }
}


/* Spreads the connections over addresses, each with its own 28,000 ports. */
static int
bind_source(loop_t *loop, int fd)
{
    struct sockaddr_in in;
    int on = 1;

    if (loop->sources == 0) {
        return 0;
    }

    memset(&in, 0, sizeof(in));
    in.sin_family = AF_INET;
    in.sin_addr.s_addr = htonl(
        0x7f010001U + loop->next_source++ % loop->sources);

    if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on))
        == -1) {
        return -1;
    }
    return bind(fd, (struct sockaddr *) &in, sizeof(in));
}


/* Tells epoll what a link waits for: always for bytes, or for room too. */
static void
await(link_t *link, int operation, unsigned waiting)
{
    struct epoll_event event;

    memset(&event, 0, sizeof(event));
    event.events = waiting ? EPOLLIN | EPOLLOUT : EPOLLIN;
    event.data.ptr = link;
    link->waiting = waiting;

    if (epoll_ctl(link->loop->epoll, operation, link->fd, &event) == -1) {
        tool_fail("epoll_ctl: %s", strerror(errno));
    }
}


static void
start_connecting(link_t *link, loop_t *loop, const link_handler_t *handler)
{
    int on = 1;

    memset(link, 0, sizeof(*link));
    link->loop = loop;
    link->handler = handler;
    link->fd = socket(loop->address.any.sa_family,
        SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (link->fd == -1) {
        tool_fail("socket: %s", strerror(errno));
    }

    if (loop->address.any.sa_family == AF_INET) {
        setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        setsockopt(link->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
    }

    if (bind_source(loop, link->fd) == -1
        || (connect(link->fd, &loop->address.any, loop->address_len) == -1
            && errno != EINPROGRESS))
    {
        tool_fail("cannot connect: %s", strerror(errno));
    }
}


void
link_open(link_t *link, loop_t *loop, const link_handler_t *handler)
{
    start_connecting(link, loop, handler);
    await(link, EPOLL_CTL_ADD, 1);
}


void
link_close(link_t *link)
{
    if (link->fd == -1) {
        return;
    }

    close(link->fd);
    link->fd = -1;
    free(link->in);
    free(link->out);
    link->in = link->out = NULL;
    link->in_len = link->out_len = link->out_size = 0;
}


void
link_fail(link_t *link, const char *why)
{
    if (link->fd == -1) {
        return;
    }

    link_close(link);
    link->handler->closed(link, why);
}


static void
await_room(link_t *link, unsigned waiting)
{
    if (link->waiting != waiting) {
        await(link, EPOLL_CTL_MOD, waiting);
    }
}


/* The bytes that went out, 0 when there is no room, -1 when it failed. */
static ssize_t
write_some(link_t *link, const void *data, size_t len)
{
    ssize_t n;

    n = send(link->fd, data, len, MSG_NOSIGNAL);
    if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
        return 0;
    }

    return n;
}


static int
keep(unsigned char **kept, size_t *kept_len, const void *data, size_t len)
{
    unsigned char *grown;

    if (*kept_len + len > MAX_KEPT) {
        return -1;
    }

    grown = realloc(*kept, *kept_len + len);
    if (grown == NULL) {
        return -1;
    }

    memcpy(grown + *kept_len, data, len);
    *kept = grown;
    *kept_len += len;
    return 0;
}


void
link_send(link_t *link, const void *data, size_t len)
{
    ssize_t n;

    if (link->fd == -1) {
        return;
    }

    n = 0;
    if (link->connected && link->out_len == 0) {
        n = write_some(link, data, len);
        if (n == -1) {
            link_fail(link, "could not be written to");
            return;
        }
    }

    if ((size_t) n == len) {
        return;
    }

    if (keep(&link->out, &link->out_len, (const char *) data + n,
            len - (size_t) n)
        == -1)
    {
        link_fail(link, "too much waits to be written");
        return;
    }

    await_room(link, 1);
}


void
link_open_with(link_t *link, loop_t *loop, const link_handler_t *handler,
    const void *data, size_t len)
{
    ssize_t n;

    start_connecting(link, loop, handler);

    n = write_some(link, data, len);
    if (n == -1) {
        n = 0; /* the loop will find out */
    }

    link->connected = n > 0;
    if ((size_t) n < len
        && keep(&link->out, &link->out_len, (const char *) data + n,
               len - (size_t) n)
               == -1)
    {
        tool_fail("out of memory");
    }

    await(link, EPOLL_CTL_ADD, link->out_len > 0);
}


static void
on_room(link_t *link)
{
    int error = 0;
    socklen_t len = sizeof(error);
    ssize_t n;

    if (!link->connected) {
        if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1
            || error != 0)
        {
            link_fail(link, "could not be connected");
            return;
        }

        link->connected = 1;
        if (link->handler->opened != NULL) {
            link->handler->opened(link);
        }
        if (link->fd == -1) {
            return;
        }
    }

    if (link->out_len) {
        n = write_some(link, link->out, link->out_len);
        if (n == -1) {
            link_fail(link, "could not be written to");
            return;
        }

        link->out_len -= (size_t) n;
        memmove(link->out, link->out + n, link->out_len);
    }

    if (link->out_len == 0) {
        free(link->out);
        link->out = NULL;
        await_room(link, 0);
    }
}


/* Hands over what was kept and what came; keeps what is not taken. */
static void
hand_over(link_t *link, unsigned char *data, size_t len)
{
    unsigned char *all;
    size_t taken;

    all = NULL;
    if (link->in_len) {
        if (keep(&link->in, &link->in_len, data, len) == -1) {
            link_fail(link, "received too much at once");
            return;
        }
        all = link->in;
        data = all;
        len = link->in_len;
        link->in = NULL;
        link->in_len = 0;
    }

    taken = link->handler->received(link, data, len);

    if (link->fd != -1 && taken < len
        && keep(&link->in, &link->in_len, data + taken, len - taken) == -1)
    {
        link_fail(link, "received too much at once");
    }
    free(all);
}


/* When the last bytes of what was read came in, in terms of tool_now(). */
static uint64_t
time_of(struct msghdr *message)
{
    struct cmsghdr *part;
    struct timespec came, now;
    int64_t ago;

    part = CMSG_FIRSTHDR(message);
    if (part == NULL || part->cmsg_level != SOL_SOCKET
        || part->cmsg_type != SCM_TIMESTAMPNS)
    {
        return tool_now();
    }

    memcpy(&came, CMSG_DATA(part), sizeof(came));
    clock_gettime(CLOCK_REALTIME, &now);
    ago = (int64_t) (now.tv_sec - came.tv_sec) * (int64_t) NS_PER_SECOND
          + (now.tv_nsec - came.tv_nsec);

    return tool_now() - (ago > 0 ? (uint64_t) ago : 0);
}


/* As recv(2); notes when the bytes came. */
static ssize_t
receive(link_t *link)
{
    char control[CMSG_SPACE(sizeof(struct timespec))];
    struct iovec room = { link->loop->buffer, BUFFER_SIZE };
    struct msghdr message;
    ssize_t n;

    memset(&message, 0, sizeof(message));
    message.msg_iov = &room;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);

    n = recvmsg(link->fd, &message, 0);
    if (n > 0) {
        link->at = time_of(&message);
    }

    return n;
}


static void
on_bytes(link_t *link)
{
    ssize_t n;
    int i;

    for (i = 0; i < MAX_READS && link->fd != -1; i++) {
        n = receive(link);

        if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (n <= 0) {
            link_fail(link, n == 0 ? "closed by the server" : "was reset");
            return;
        }

        hand_over(link, link->loop->buffer, (size_t) n);
        if (n < BUFFER_SIZE) {
            return;
        }
    }
}


static int
wait_events(loop_t *loop, struct epoll_event *events, uint64_t ns)
{
    struct timespec timeout;

    timeout.tv_sec = (time_t) (ns / NS_PER_SECOND);
    timeout.tv_nsec = (long) (ns % NS_PER_SECOND);

    return epoll_pwait2(loop->epoll, events, MAX_EVENTS, &timeout, NULL);
}


/* The number of events that were handled. */
static int
handle_events(loop_t *loop, uint64_t ns)
{
    struct epoll_event events[MAX_EVENTS];
    link_t *link;
    int i, n;

    n = wait_events(loop, events, ns);
    if (n == -1 && errno != EINTR) {
        tool_fail("epoll_pwait2: %s", strerror(errno));
    }

    for (i = 0; i < n; i++) {
        link = events[i].data.ptr;

        if (link->fd != -1 && (events[i].events & EPOLLOUT)) {
            on_room(link);
        }
        if (link->fd != -1
            && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
            on_bytes(link);
        }
    }

    return n;
}


void
loop_run(loop_t *loop, uint64_t ns)
{
    (void) handle_events(loop, ns);
}


void
loop_hold(loop_t *loop, uint64_t ns)
{
    uint64_t end = tool_now() + ns;

    while (tool_now() < end) {
        loop_run(loop, NS_PER_SECOND / 10);
    }
}


void
loop_sleep(loop_t *loop, uint64_t until)
{
    struct timespec end;

    end.tv_sec = (time_t) (until / NS_PER_SECOND);
    end.tv_nsec = (long) (until % NS_PER_SECOND);

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
    {
    }

    while (handle_events(loop, 0) == MAX_EVENTS) {
    }
}
