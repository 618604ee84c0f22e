/*
 * How many WebSockets each address has, over all processes of this NGINX; see
 * "cs_chat_sockets_per_address".
 */

#ifndef NGX_HTTP_CS_CHAT_ADDRESS_H
#define NGX_HTTP_CS_CHAT_ADDRESS_H

#include "ngx_http_cs_chat_module.h"


/*
 * What a socket counts for: an IPv4 address, in IPv6's form as well, or the
 * first half of an IPv6 address, all of which one client may have.  0 for a
 * Unix socket, which has none.
 */
uint64_t ngx_http_cs_chat_address(struct sockaddr *sockaddr);

/*
 * Counts a socket.  NGX_OK; NGX_BUSY, when there are as many as the limit
 * says; NGX_DECLINED, when the zone is full: it is not counted, but may be
 * opened.
 */
ngx_int_t ngx_http_cs_chat_address_take(
    ngx_shm_zone_t *zone, uint64_t address, ngx_uint_t limit);

/* It is closed.  By the process that has counted it. */
void ngx_http_cs_chat_address_release(ngx_shm_zone_t *zone, uint64_t address);

/* A process begins: forgets the sockets of those that were killed. */
void ngx_http_cs_chat_address_init(ngx_shm_zone_t *zone);


#endif /* NGX_HTTP_CS_CHAT_ADDRESS_H */
