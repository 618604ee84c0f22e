/*
 * Roles that were changed: chat workers keep them in a hash in Redis and tell
 * of each in a control message, so that a token with an older role is refused.
 */

#include "ngx_http_cs_chat_bus_state.h"
#include "ngx_http_cs_chat_hub.h"

#include "csc_uuid.h"


static void ngx_http_cs_chat_bus_roles_loaded(
    redisAsyncContext *context, void *reply, void *data);


int
ngx_http_cs_chat_bus_load_roles(void)
{
    return redisAsyncCommand(ngx_http_cs_chat_bus.commands.context,
        ngx_http_cs_chat_bus_roles_loaded, NULL, "HGETALL %s",
        ngx_http_cs_chat_bus.roles_key);
}


static void
ngx_http_cs_chat_bus_roles_loaded(
    redisAsyncContext *context, void *reply, void *data)
{
    size_t i;
    csc_str_t user, role;
    redisReply *list;

    list = reply;

    if (list == NULL) {
        return;
    }

    if (list->type != REDIS_REPLY_ARRAY) {
        ngx_log_error(NGX_LOG_ERR, ngx_http_cs_chat_bus.log, 0,
            "Redis does not tell which roles were changed: %s",
            list->type == REDIS_REPLY_ERROR ? list->str : "unexpected reply");
        ngx_http_cs_chat_link_break(&ngx_http_cs_chat_bus.commands, NULL);
        return;
    }

    for (i = 0; i + 1 < list->elements; i += 2) {
        user.data = (u_char *) list->element[i]->str;
        user.len = list->element[i]->len;
        role.data = (u_char *) list->element[i + 1]->str;
        role.len = list->element[i + 1]->len;

        ngx_http_cs_chat_bus_on_role(user, role);
    }
}


void
ngx_http_cs_chat_bus_on_role(csc_str_t user, csc_str_t role)
{
    ngx_str_t name;

    name.data = (u_char *) role.data;
    name.len = role.len;

    if (csc_uuid_is(user) && ngx_http_cs_chat_role(&name) != NULL) {
        ngx_http_cs_chat_hub_role(user, role);
    }
}
