/* Times as the API writes them (RFC 3339, UTC). */

#ifndef NGX_HTTP_CS_CHAT_TIME_H
#define NGX_HTTP_CS_CHAT_TIME_H

#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_CS_CHAT_TIME_LEN (sizeof("2025-09-26T10:30:00.123Z") - 1)


/*
 * Writes a time to out, which has room for NGX_HTTP_CS_CHAT_TIME_LEN + 1
 * bytes, and a NUL: nginx's current time, or a Unix time in seconds.
 */
void ngx_http_cs_chat_time(u_char *out);
void ngx_http_cs_chat_time_of(time_t seconds, u_char *out);


#endif /* NGX_HTTP_CS_CHAT_TIME_H */
