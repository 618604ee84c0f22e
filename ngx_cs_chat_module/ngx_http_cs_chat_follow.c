/*
 * Following chats: follow first, hold what comes, and let the answer say from
 * which message on the held events are news.  Nothing falls between, and
 * nothing is seen before the chat worker has allowed it.
 */

#include "ngx_http_cs_chat_event.h"


#define MAX_FOLLOWS 1000 /* topics of one socket, its user's own included */


static ngx_uint_t ngx_http_cs_chat_following(
    ngx_http_cs_chat_session_t *session, u_char *chat);


ngx_int_t
ngx_http_cs_chat_follow(ngx_http_cs_chat_session_t *session, csc_str_t chat)
{
    ngx_uint_t n;
    ngx_queue_t *q;
    ngx_http_cs_chat_follow_t *follow;

    if (ngx_http_cs_chat_hub_following(session, "chat", chat) != NULL) {
        return NGX_OK;
    }

    n = 0;

    for (q = ngx_queue_head(&session->follows);
         q != ngx_queue_sentinel(&session->follows); q = ngx_queue_next(q))
    {
        n++;
    }

    if (n >= MAX_FOLLOWS) {
        return NGX_DECLINED;
    }

    follow = ngx_http_cs_chat_hub_follow(session, "chat", chat);
    if (follow == NULL) {
        return NGX_ERROR;
    }

    ngx_http_cs_chat_hub_hold(follow);

    return NGX_OK;
}


void
ngx_http_cs_chat_followed(ngx_http_cs_chat_ask_t *ask, csc_bus_message_t *reply)
{
    csc_str_t chat;
    ngx_http_cs_chat_follow_t *follow;

    chat.data = ask->chat;
    chat.len = CSC_UUID_LEN;

    follow = ngx_http_cs_chat_hub_following(ask->session, "chat", chat);

    if (follow == NULL) {
        return;
    }

    if (reply != NULL && reply->status == 200) {
        ngx_http_cs_chat_hub_release(follow, reply->seq);
        return;
    }

    /*
     * Refused.  One who may not see the chat follows it no longer; another
     * failure only ends a follow that this request began.
     */

    if ((reply != NULL && (reply->status == 404 || reply->status == 401))
        || (follow->holding
            && !ngx_http_cs_chat_following(ask->session, ask->chat)))
    {
        ngx_http_cs_chat_hub_unfollow(follow);
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
    ngx_http_cs_chat_follow_t *follow;

    follow = ngx_http_cs_chat_hub_following(session, "chat", chat);

    if (follow != NULL) {
        ngx_http_cs_chat_hub_unfollow(follow);
    }
}
