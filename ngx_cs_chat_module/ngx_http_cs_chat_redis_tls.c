#include "ngx_http_cs_chat_redis_tls.h"

#if (NGX_CS_CHAT_REDIS_TLS)
#include <hiredis/hiredis_ssl.h>
#endif


#if (NGX_CS_CHAT_REDIS_TLS)

ngx_int_t
ngx_http_cs_chat_link_tls(ngx_http_cs_chat_link_t *link)
{
    /* one for the process: its certificates are read once */
    static redisSSLContext *tls;

    const char *ca;
    redisSSLContextError error;

    if (!link->conf->tls) {
        return NGX_OK;
    }

    if (tls == NULL) {
        ca = link->conf->tls_ca.len ? (char *) link->conf->tls_ca.data : NULL;

        if (redisInitOpenSSL() != REDIS_OK) {
            return NGX_ERROR;
        }

        tls = redisCreateSSLContext(ca, NULL, NULL, NULL, NULL, &error);

        if (tls == NULL) {
            ngx_log_error(NGX_LOG_ERR, &link->log, 0,
                "TLS to Redis can't be set up: %s",
                redisSSLContextGetError(error));
            return NGX_ERROR;
        }
    }

    if (redisInitiateSSLWithContext(&link->context->c, tls) != REDIS_OK) {
        ngx_log_error(NGX_LOG_ERR, &link->log, 0,
            "TLS to Redis at \"%V\" failed: %s", &link->conf->address,
            link->context->c.errstr);
        return NGX_ERROR;
    }

    return NGX_OK;
}

#else

ngx_int_t
ngx_http_cs_chat_link_tls(ngx_http_cs_chat_link_t *link)
{
    /* the configuration refuses TLS in such a build */

    return NGX_OK;
}

#endif
