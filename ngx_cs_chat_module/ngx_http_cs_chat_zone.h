/*
 * The shared zone: which tokens are revoked, and which users have another role
 * than before, for all processes of this NGINX, those that a reload starts
 * included.  What they count is kept there too, see the metrics, and how many
 * sockets an address has.
 */

#ifndef NGX_HTTP_CS_CHAT_ZONE_H
#define NGX_HTTP_CS_CHAT_ZONE_H

#include "ngx_http_cs_chat_module.h"


/*
 * Seconds that a revoked token is remembered beyond its end: a machine whose
 * clock is ahead must not forget what is still good elsewhere.
 */
#define NGX_HTTP_CS_CHAT_CLOCK_MARGIN 86400


#define NGX_HTTP_CS_CHAT_ZONE_SIZE ((size_t) 1024 * 1024)


/* Adds the zone to the cycle that is being configured. */
ngx_shm_zone_t *ngx_http_cs_chat_zone_add(
    ngx_conf_t *cf, ngx_str_t *name, size_t size);

/*
 * Remembers a token key (NGX_HTTP_CS_CHAT_TOKEN_KEY_LEN bytes) until expires.
 * NGX_OK, also when it is known or past; NGX_DECLINED when the zone is full.
 */
ngx_int_t ngx_http_cs_chat_zone_revoke(
    ngx_shm_zone_t *zone, u_char *key, time_t expires);

/*
 * Remembers what role a user has.  NGX_OK; NGX_DECLINED when the zone is full,
 * or what is named is no user and role.
 */
ngx_int_t ngx_http_cs_chat_zone_set_role(
    ngx_shm_zone_t *zone, csc_str_t user, csc_str_t role);

/*
 * 1 when the claims are no good any more: the token is revoked, or the user is
 * known to have another role.
 */
ngx_uint_t ngx_http_cs_chat_zone_refuses(
    ngx_shm_zone_t *zone, ngx_http_cs_chat_claims_t *claims);

typedef void (*ngx_http_cs_chat_zone_visit_pt)(
    void *data, u_char *key, time_t expires);

/*
 * Visits every token that is still revoked.  The visitor is called without
 * the lock, on a copy.  NGX_ERROR when out of memory.
 */
ngx_int_t ngx_http_cs_chat_zone_each(ngx_shm_zone_t *zone,
    ngx_http_cs_chat_zone_visit_pt visit, void *data, ngx_log_t *log);

typedef struct {
    size_t size;
    size_t free;        /* bytes of whole pages */
    ngx_uint_t revoked; /* tokens that are remembered */
    uint64_t full;      /* times that something found no room */
} ngx_http_cs_chat_zone_state_t;

void ngx_http_cs_chat_zone_state(
    ngx_shm_zone_t *zone, ngx_http_cs_chat_zone_state_t *state);

/*
 * Memory of the zone.  The caller holds the lock, shortly.  NULL when the zone
 * is full, which is counted.
 */
void ngx_http_cs_chat_zone_lock(ngx_shm_zone_t *zone);
void ngx_http_cs_chat_zone_unlock(ngx_shm_zone_t *zone);
void *ngx_http_cs_chat_zone_alloc(ngx_shm_zone_t *zone, size_t size);
void ngx_http_cs_chat_zone_free(ngx_shm_zone_t *zone, void *p);

/*
 * The same, but half of the zone is left for what may not be forgotten: NULL
 * when there is no more, which is not counted.
 */
void *ngx_http_cs_chat_zone_alloc_half(ngx_shm_zone_t *zone, size_t size);

/* The sockets of each address; the caller holds the lock. */
ngx_rbtree_t *ngx_http_cs_chat_zone_addresses(ngx_shm_zone_t *zone);

/* Where the metrics remember what is theirs; NULL at first. */
void **ngx_http_cs_chat_zone_metrics(ngx_shm_zone_t *zone);


#endif /* NGX_HTTP_CS_CHAT_ZONE_H */
