/*
 * The hub: which sockets of this process follow which topic, and the delivery
 * of events to them.
 */

#ifndef NGX_HTTP_CS_CHAT_HUB_H
#define NGX_HTTP_CS_CHAT_HUB_H

#include "ngx_http_cs_chat_frame.h"
#include "ngx_http_cs_chat_module.h"
#include "ngx_http_cs_chat_topic.h"

#include "csc_bus.h"


/* Before the first socket of a process. */
void ngx_http_cs_chat_hub_init(ngx_log_t *log);

/*
 * The session hears what is for its user, its role and its token, until
 * ngx_http_cs_chat_hub_leave().  NGX_ERROR when out of memory; it then hears
 * nothing.
 */
ngx_int_t ngx_http_cs_chat_hub_enter(
    struct ngx_http_cs_chat_session_s *session);

/* Ends that, and all joins of the session. */
void ngx_http_cs_chat_hub_leave(struct ngx_http_cs_chat_session_s *session);

/* The session goes on with another token, and perhaps another role. */
ngx_int_t ngx_http_cs_chat_hub_exchange(
    struct ngx_http_cs_chat_session_s *session, const ngx_str_t *role,
    u_char *key);

/*
 * The sockets of a user that count: their number, and the one that has been
 * open the longest (NULL where there is none).
 */
ngx_uint_t ngx_http_cs_chat_hub_sockets(
    csc_str_t user, struct ngx_http_cs_chat_session_s **oldest);

/* Delivers an event of a chat worker to the sockets it is for. */
void ngx_http_cs_chat_hub_event(csc_bus_message_t *event);

/* Tells all sockets that they may have missed events. */
void ngx_http_cs_chat_hub_resync(const char *reason);

/* A chat worker found that a user has too many sockets: closes this one. */
void ngx_http_cs_chat_hub_close(csc_str_t user, csc_str_t id);

/* What role a user has: remembers it and closes sockets that have another. */
void ngx_http_cs_chat_hub_role(csc_str_t user, csc_str_t role);

/* A token is revoked: remembers it and closes its sockets. */
void ngx_http_cs_chat_hub_revoke(u_char *key, time_t expires);


#endif /* NGX_HTTP_CS_CHAT_HUB_H */
