/* Frames of WebSockets, as they are sent. */

#ifndef NGX_HTTP_CS_CHAT_FRAME_H
#define NGX_HTTP_CS_CHAT_FRAME_H

#include <ngx_config.h>
#include <ngx_core.h>


/*
 * One finished WebSocket frame, shared by all sockets that it goes to; it is
 * freed with its last reference.
 */
typedef struct {
    ngx_uint_t refs;
    uint64_t seq;           /* of the message in it, 0: none */
    unsigned droppable : 1; /* may be left out for a slow reader */
    unsigned legacy : 1;    /* for clients of the seed's server */
    unsigned wanted : 1;    /* an answer: does not count as slow reading */
    unsigned head : 1;      /* the answer to a handshake: no frame */
    size_t len;
    u_char data[];
} ngx_http_cs_chat_frame_t;


/*
 * A frame with room for a payload of size bytes behind its header, with one
 * reference; the payload is at *payload.  NULL when out of memory.
 */
ngx_http_cs_chat_frame_t *ngx_http_cs_chat_frame(
    int opcode, size_t size, u_char **payload);

/* The same with room for size bytes that bring a header, or need none. */
ngx_http_cs_chat_frame_t *ngx_http_cs_chat_frame_bytes(size_t size);

void ngx_http_cs_chat_frame_release(ngx_http_cs_chat_frame_t *frame);


#endif /* NGX_HTTP_CS_CHAT_FRAME_H */
