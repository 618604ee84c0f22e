#include "ngx_http_cs_chat_frame.h"

#include "csc_ws.h"


ngx_http_cs_chat_frame_t *
ngx_http_cs_chat_frame(int opcode, size_t size, u_char **payload)
{
    size_t header;
    ngx_http_cs_chat_frame_t *frame;
    u_char buf[CSC_WS_MAX_HEADER];

    header = csc_ws_frame_header(opcode, size, buf);

    frame = ngx_http_cs_chat_frame_bytes(header + size);
    if (frame == NULL) {
        return NULL;
    }

    *payload = ngx_cpymem(frame->data, buf, header);

    return frame;
}


ngx_http_cs_chat_frame_t *
ngx_http_cs_chat_frame_bytes(size_t size)
{
    ngx_http_cs_chat_frame_t *frame;

    frame = ngx_alloc(sizeof(*frame) + size, ngx_cycle->log);
    if (frame == NULL) {
        return NULL;
    }

    ngx_memzero(frame, sizeof(*frame));

    frame->refs = 1;
    frame->len = size;

    return frame;
}


void
ngx_http_cs_chat_frame_release(ngx_http_cs_chat_frame_t *frame)
{
    if (--frame->refs == 0) {
        ngx_free(frame);
    }
}
