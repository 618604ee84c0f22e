#include <stdio.h>
#include <string.h>

#include "csc_ws.h"
#include "tool.h"
#include "ws_client.h"

#define MAX_FRAME 8388608
#define MAX_SENT 4096
#define AT_ONCE 64
#define WS_KEY "bG9hZCBnZW5lcmF0b3IhIQ=="


/* The length of the head of a good answer; 0: not all of it is here. */
static size_t
take_answer(ws_client_t *ws, csc_str_t data)
{
    unsigned char accept[CSC_WS_ACCEPT_LEN];
    const unsigned char *end;
    csc_str_t key = CSC_STR(WS_KEY);
    size_t len;

    end = memmem(data.data, data.len, "\r\n\r\n", 4);
    if (end == NULL) {
        return 0;
    }

    len = (size_t) (end - data.data) + 4;
    if (memcmp(data.data, "HTTP/1.1 101", 12) != 0) {
        link_fail(&ws->link, "refused: not 101");
        return 0;
    }

    if (csc_ws_accept(key, accept) != CSC_OK
        || memmem(data.data, len, accept, sizeof(accept)) == NULL)
    {
        link_fail(&ws->link, "refused: wrong Sec-WebSocket-Accept");
        return 0;
    }

    ws->upgraded = 1;
    if (ws->handler->silent) {
        ws->ready = 1;
        ws->handler->ready(ws);
    }
    return len;
}


/* Masks and sends a short frame. */
static void
send_frame(ws_client_t *ws, int opcode, const void *data, size_t len)
{
    static const unsigned char mask[4] = { 0x5a, 0x81, 0xc3, 0x37 };
    unsigned char frame[8 + MAX_SENT];
    const unsigned char *from = data;
    size_t head, i;

    if (len > MAX_SENT) {
        tool_fail("a frame of %zu bytes is too long", len);
    }

    frame[0] = (unsigned char) (0x80 | opcode);
    if (len < 126) {
        frame[1] = (unsigned char) (0x80 | len);
        head = 2;
    } else {
        frame[1] = 0x80 | 126;
        frame[2] = (unsigned char) (len >> 8);
        frame[3] = (unsigned char) len;
        head = 4;
    }

    memcpy(frame + head, mask, sizeof(mask));
    head += sizeof(mask);
    for (i = 0; i < len; i++) {
        frame[head + i] = from[i] ^ mask[i & 3];
    }

    link_send(&ws->link, frame, head + len);
}


static void
on_frame(ws_client_t *ws, int first, csc_str_t payload)
{
    switch (first) {
    case 0x80 | CSC_WS_TEXT:
        if (ws->ready) {
            ws->handler->event(ws, payload);
        } else if (ws_is(payload, "connected")) {
            ws->ready = 1;
            ws->handler->ready(ws);
        } else {
            link_fail(&ws->link, "the first event is not \"connected\"");
        }
        return;

    case 0x80 | CSC_WS_PING:
        if (payload.len <= CSC_WS_MAX_CONTROL) {
            send_frame(ws, CSC_WS_PONG, payload.data, payload.len);
        }
        return;

    case 0x80 | CSC_WS_PONG:
        return;

    case 0x80 | CSC_WS_CLOSE:
        link_fail(&ws->link, "got a Close frame");
        return;

    default:
        link_fail(&ws->link, "got a frame that no server sends");
    }
}


/* A frame's head (2, 4 or 10 bytes) and length; 0: not all of it is here. */
static size_t
frame_head(const unsigned char *data, size_t len, uint64_t *payload)
{
    size_t head, i;

    if (len < 2) {
        return 0;
    }

    head = data[1] < 126 ? 2 : data[1] == 126 ? 4 : 10;
    if (len < head) {
        return 0;
    }

    *payload = head == 2 ? data[1] : 0;
    for (i = 2; i < head; i++) {
        *payload = *payload << 8 | data[i];
    }

    return head;
}


static size_t
on_received(link_t *link, unsigned char *data, size_t len)
{
    ws_client_t *ws = (ws_client_t *) link;
    csc_str_t part;
    uint64_t payload;
    size_t head, taken;

    taken = 0;
    if (!ws->upgraded) {
        part.data = data;
        part.len = len;
        taken = take_answer(ws, part);
        if (taken == 0) {
            return 0;
        }
    }

    while (link->fd != -1) {
        head = frame_head(data + taken, len - taken, &payload);
        if (head && payload > MAX_FRAME) {
            link_fail(link, "got a frame that is too long");
            break;
        }
        if (head == 0 || len - taken - head < payload) {
            break;
        }

        part.data = data + taken + head;
        part.len = (size_t) payload;
        on_frame(ws, data[taken], part);
        taken += head + (size_t) payload;
    }

    return taken;
}


static void
on_closed(link_t *link, const char *why)
{
    ws_client_t *ws = (ws_client_t *) link;

    ws->handler->closed(ws, why);
}


static const link_handler_t link_handler = { NULL, on_received, on_closed };


void
ws_open(ws_client_t *ws, loop_t *loop, const ws_handler_t *handler,
    const char *path, const char *token)
{
    char request[5120];
    int n;

    ws->handler = handler;
    ws->upgraded = 0;
    ws->ready = 0;

    n = snprintf(request, sizeof(request),
        "GET %s HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: " WS_KEY "\r\nAuthorization: Bearer %s\r\n\r\n",
        path, token);

    if (n < 0 || (size_t) n >= sizeof(request)) {
        tool_fail("a token is too long");
    }
    link_open_with(&ws->link, loop, &link_handler, request, (size_t) n);
}


void
ws_send(ws_client_t *ws, const char *text, size_t len)
{
    send_frame(ws, CSC_WS_TEXT, text, len);
}


void
ws_say_close(ws_client_t *ws)
{
    static const unsigned char code[2] = { 1000 >> 8, 1000 & 255 };

    send_frame(ws, CSC_WS_CLOSE, code, sizeof(code));
}


void
ws_open_all(ws_client_t *clients, size_t from, size_t n, loop_t *loop,
    const ws_handler_t *handler, char **paths, char **tokens, void *owner)
{
    size_t n_paths, n_tokens, next, ready;
    uint64_t deadline;

    n_paths = tool_count(paths);
    n_tokens = tool_count(tokens);

    deadline = tool_now() + (20 + (n - from) / 500) * NS_PER_SECOND;
    next = ready = from;

    while (ready < n) {
        for (; next < n && next < ready + AT_ONCE; next++) {
            clients[next].owner = owner;
            clients[next].index = (uint32_t) next;
            ws_open(&clients[next], loop, handler, paths[next % n_paths],
                tokens[next % n_tokens]);
        }

        loop_run(loop, NS_PER_SECOND / 10);
        while (ready < next && clients[ready].ready) {
            ready++;
        }

        if (tool_now() > deadline) {
            tool_fail("%zu of %zu sockets are open: time is up", ready, n);
        }
    }
}


int
ws_is(csc_str_t text, const char *type)
{
    static const char before[] = "{\"type\":\"";
    size_t len = strlen(type), skip = sizeof(before) - 1;

    return text.len > skip + len && memcmp(text.data, before, skip) == 0
           && memcmp(text.data + skip, type, len) == 0
           && text.data[skip + len] == '"';
}
