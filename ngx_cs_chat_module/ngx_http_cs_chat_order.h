/*
 * The order of messages: in each chat every socket of this process gets them
 * by rising number without a gap, in whatever order they come over the bus.
 * Two chat workers publish over two connections, a worker that takes over
 * repeats what its predecessor may not have said, and a message may be lost.
 */

#ifndef NGX_HTTP_CS_CHAT_ORDER_H
#define NGX_HTTP_CS_CHAT_ORDER_H

#include "ngx_http_cs_chat_module.h"

#include "csc_bus.h"


/* Before the first event of a process. */
void ngx_http_cs_chat_order_init(
    ngx_http_cs_chat_order_conf_t *conf, ngx_log_t *log);

/*
 * Passes an event on, to the typing and the hub, when its turn has come: at once, as nearly all,
 * or after the messages before it; or drops a message that was there before.
 * bytes is the encoded event, of which the event's views are.
 */
void ngx_http_cs_chat_order_event(csc_bus_message_t *event, csc_str_t bytes);

/*
 * Forgets all: after a pause of the subscription the numbers say nothing, and
 * all sockets are told to fetch what they miss.
 */
void ngx_http_cs_chat_order_forget(void);


#endif /* NGX_HTTP_CS_CHAT_ORDER_H */
