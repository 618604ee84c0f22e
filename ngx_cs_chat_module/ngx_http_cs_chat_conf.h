/*
 * The setters of directives, by the file that they are in, for the table in
 * ngx_http_cs_chat_conf.c.
 */

#ifndef NGX_HTTP_CS_CHAT_CONF_H
#define NGX_HTTP_CS_CHAT_CONF_H

#include "ngx_http_cs_chat_module.h"


/* ngx_http_cs_chat_conf_redis.c */

char *ngx_http_cs_chat_set_redis(
    ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_cs_chat_set_prefix(
    ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_cs_chat_set_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* Takes "host:port" or "unix:/path" apart. */
char *ngx_http_cs_chat_redis_address(
    ngx_conf_t *cf, ngx_http_cs_chat_redis_conf_t *redis, ngx_str_t *address);

/* At the end of the configuration: how its name is to be resolved. */
char *ngx_http_cs_chat_init_redis(
    ngx_conf_t *cf, ngx_http_cs_chat_redis_conf_t *redis);


/* ngx_http_cs_chat_conf_access.c */

char *ngx_http_cs_chat_set_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_cs_chat_set_key_file(
    ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_cs_chat_set_algorithm(
    ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_cs_chat_set_origins(
    ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * Reads a secret from a file, without the line feed at its end, into the
 * configuration's pool.  NGX_ERROR when there is none; that is logged.
 */
ngx_int_t ngx_http_cs_chat_read_secret(
    ngx_conf_t *cf, ngx_str_t *path, ngx_str_t *secret);


#endif /* NGX_HTTP_CS_CHAT_CONF_H */
