#include "ngx_http_cs_chat_time.h"


static void ngx_http_cs_chat_time_write(
    time_t seconds, ngx_uint_t msec, u_char *out);


void
ngx_http_cs_chat_time(u_char *out)
{
    ngx_time_t *now;

    now = ngx_timeofday();
    ngx_http_cs_chat_time_write(now->sec, now->msec, out);
}


void
ngx_http_cs_chat_time_of(time_t seconds, u_char *out)
{
    ngx_http_cs_chat_time_write(seconds, 0, out);
}


static void
ngx_http_cs_chat_time_write(time_t seconds, ngx_uint_t msec, u_char *out)
{
    ngx_tm_t tm;

    ngx_gmtime(seconds, &tm);

    *ngx_snprintf(out, NGX_HTTP_CS_CHAT_TIME_LEN,
        "%4d-%02d-%02dT%02d:%02d:%02d.%03uiZ", tm.ngx_tm_year, tm.ngx_tm_mon,
        tm.ngx_tm_mday, tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec,
        msec) = '\0';
}
