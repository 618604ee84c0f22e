/*
 * The chat workers as this process hears them: the number of the last event of
 * each, so that one that was missed is noticed, and whether any is there.
 */

#ifndef NGX_HTTP_CS_CHAT_SOURCE_H
#define NGX_HTTP_CS_CHAT_SOURCE_H

#include "ngx_http_cs_chat_module.h"

#include "csc_bus.h"


void ngx_http_cs_chat_sources_init(ngx_log_t *log);

/*
 * Takes note of an event or a heartbeat; returns how many events of its worker
 * were missed before it.  A worker that is new begins wherever it stands.
 */
uint64_t ngx_http_cs_chat_source_heard(csc_bus_message_t *message);

/* A worker has said that it stops. */
void ngx_http_cs_chat_source_left(csc_str_t src);

/* The process listens, from now on. */
void ngx_http_cs_chat_sources_listen(void);

/*
 * 1 when a worker was heard lately and has not left, or when there may be one
 * that had no time to be heard.
 */
ngx_uint_t ngx_http_cs_chat_sources_alive(void);

/* Forgets all: after a pause the numbers say nothing. */
void ngx_http_cs_chat_sources_forget(void);


#endif /* NGX_HTTP_CS_CHAT_SOURCE_H */
