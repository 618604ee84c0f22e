/*
 * Following chats: follow first, hold what comes, and let the answer say from
 * which message on the held events are news.  Nothing falls between, and
 * nothing is seen before the chat worker has allowed it.
 */

#include "ngx_http_cs_chat_event.h"


#define MAX_JOINS 1000 /* chats of one socket */


static ngx_uint_t ngx_http_cs_chat_following(
    ngx_http_cs_chat_session_t *session, u_char *chat);


ngx_int_t
ngx_http_cs_chat_follow(ngx_http_cs_chat_session_t *session, csc_str_t chat)
{
    ngx_uint_t n;
    ngx_queue_t *q;
    ngx_http_cs_chat_join_t *join;

    if (ngx_http_cs_chat_joined(session, chat) != NULL) {
        return NGX_OK;
    }

    n = 0;

    for (q = ngx_queue_head(&session->joins);
         q != ngx_queue_sentinel(&session->joins); q = ngx_queue_next(q))
    {
        n++;
    }

    if (n >= MAX_JOINS) {
        return NGX_DECLINED;
    }

    join = ngx_http_cs_chat_join(session, chat);
    if (join == NULL) {
        return NGX_ERROR;
    }

    ngx_http_cs_chat_join_hold(join);

    return NGX_OK;
}


void
ngx_http_cs_chat_followed(ngx_http_cs_chat_ask_t *ask, csc_bus_message_t *reply)
{
    csc_str_t chat;
    ngx_http_cs_chat_join_t *join;

    chat.data = ask->chat;
    chat.len = CSC_UUID_LEN;

    join = ngx_http_cs_chat_joined(ask->session, chat);

    if (join == NULL) {
        return;
    }

    if (reply != NULL && reply->status == 200) {
        ngx_http_cs_chat_join_release(join, reply->seq);
        return;
    }

    /*
     * Refused.  One who may not see the chat follows it no longer; another
     * failure only ends a follow that this request began.
     */

    if ((reply != NULL && (reply->status == 404 || reply->status == 401))
        || (join->follow.holding
            && !ngx_http_cs_chat_following(ask->session, ask->chat)))
    {
        ngx_http_cs_chat_unjoin(join);
    }
}


/* 1 when another request to follow the same chat is still under way. */

static ngx_uint_t
ngx_http_cs_chat_following(ngx_http_cs_chat_session_t *session, u_char *chat)
{
    ngx_queue_t *q;
    ngx_http_cs_chat_ask_t *ask;

    for (q = ngx_queue_head(&session->asks);
         q != ngx_queue_sentinel(&session->asks); q = ngx_queue_next(q))
    {
        ask = ngx_queue_data(q, ngx_http_cs_chat_ask_t, queue);

        if ((ask->op == CSC_OP_CHATS_JOIN || ask->op == CSC_OP_CHATS_RESUME)
            && ngx_memcmp(ask->chat, chat, CSC_UUID_LEN) == 0)
        {
            return 1;
        }
    }

    return 0;
}


void
ngx_http_cs_chat_unfollow(ngx_http_cs_chat_session_t *session, csc_str_t chat)
{
    ngx_http_cs_chat_join_t *join;

    join = ngx_http_cs_chat_joined(session, chat);

    if (join != NULL) {
        ngx_http_cs_chat_unjoin(join);
    }
}
