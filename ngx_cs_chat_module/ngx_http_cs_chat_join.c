#include "ngx_http_cs_chat_join.h"
#include "ngx_http_cs_chat_ws.h"


#define MAX_HELD 1024 /* frames that one join may hold */


/* A frame in the queue of a join. */
typedef struct {
    ngx_queue_t queue;
    ngx_http_cs_chat_frame_t *frame;
} ngx_http_cs_chat_held_t;


static void ngx_http_cs_chat_join_drop_held(ngx_http_cs_chat_join_t *join);
static void ngx_http_cs_chat_join_unheld(
    ngx_http_cs_chat_session_t *session, ngx_http_cs_chat_held_t *held);


ngx_http_cs_chat_join_t *
ngx_http_cs_chat_join(ngx_http_cs_chat_session_t *session, csc_str_t chat)
{
    ngx_http_cs_chat_join_t *join;

    join = ngx_calloc(sizeof(ngx_http_cs_chat_join_t), ngx_cycle->log);
    if (join == NULL) {
        return NULL;
    }

    if (ngx_http_cs_chat_topic_follow(&join->follow, session, "chat", chat)
        != NGX_OK)
    {
        ngx_free(join);
        return NULL;
    }

    ngx_queue_init(&join->held);
    ngx_queue_insert_tail(&session->joins, &join->in_session);

    return join;
}


/* A session joins few chats, a chat may have very many sockets. */

ngx_http_cs_chat_join_t *
ngx_http_cs_chat_joined(ngx_http_cs_chat_session_t *session, csc_str_t chat)
{
    ngx_queue_t *q;
    ngx_http_cs_chat_join_t *join;
    ngx_http_cs_chat_topic_t *topic;

    topic = ngx_http_cs_chat_topic_named("chat", chat);

    if (topic == NULL) {
        return NULL;
    }

    for (q = ngx_queue_head(&session->joins);
         q != ngx_queue_sentinel(&session->joins); q = ngx_queue_next(q))
    {
        join = ngx_queue_data(q, ngx_http_cs_chat_join_t, in_session);

        if (join->follow.topic == topic) {
            return join;
        }
    }

    return NULL;
}


void
ngx_http_cs_chat_unjoin(ngx_http_cs_chat_join_t *join)
{
    ngx_http_cs_chat_join_drop_held(join);
    ngx_http_cs_chat_topic_unfollow(&join->follow);
    ngx_queue_remove(&join->in_session);
    ngx_free(join);
}


void
ngx_http_cs_chat_join_hold(ngx_http_cs_chat_join_t *join)
{
    join->follow.holding = 1;
}


void
ngx_http_cs_chat_join_release(ngx_http_cs_chat_join_t *join, uint64_t seq)
{
    ngx_queue_t *q, *next;
    ngx_http_cs_chat_held_t *held;
    ngx_http_cs_chat_session_t *session;

    session = join->follow.session;

    join->follow.holding = 0;
    join->follow.topic->answered = ngx_max(join->follow.topic->answered, seq);
    join->seq = seq;

    for (q = ngx_queue_head(&join->held); q != ngx_queue_sentinel(&join->held);
         q = next)
    {
        next = ngx_queue_next(q);
        held = ngx_queue_data(q, ngx_http_cs_chat_held_t, queue);

        if (held->frame->seq == 0 || held->frame->seq > seq) {
            ngx_http_cs_chat_ws_send(session, held->frame);
        }

        ngx_http_cs_chat_join_unheld(session, held);
    }

    join->nheld = 0;

    if (join->overflowed) {
        join->overflowed = 0;
        ngx_http_cs_chat_ws_resync(session, "too many events while joining");
    }
}


static void
ngx_http_cs_chat_join_drop_held(ngx_http_cs_chat_join_t *join)
{
    ngx_queue_t *q, *next;

    for (q = ngx_queue_head(&join->held); q != ngx_queue_sentinel(&join->held);
         q = next)
    {
        next = ngx_queue_next(q);
        ngx_http_cs_chat_join_unheld(join->follow.session,
            ngx_queue_data(q, ngx_http_cs_chat_held_t, queue));
    }
}


static void
ngx_http_cs_chat_join_unheld(
    ngx_http_cs_chat_session_t *session, ngx_http_cs_chat_held_t *held)
{
    session->held -= held->frame->len;

    ngx_queue_remove(&held->queue);
    ngx_http_cs_chat_frame_release(held->frame);
    ngx_free(held);
}


void
ngx_http_cs_chat_join_keep(
    ngx_http_cs_chat_join_t *join, ngx_http_cs_chat_frame_t *frame)
{
    ngx_http_cs_chat_held_t *held;
    ngx_http_cs_chat_session_t *session;

    held = NULL;
    session = join->follow.session;

    if (join->nheld < MAX_HELD
        && session->held + frame->len <= session->conf->output_limit)
    {
        held = ngx_alloc(sizeof(ngx_http_cs_chat_held_t), ngx_cycle->log);
    }

    if (held == NULL) {
        join->overflowed = 1;
        return;
    }

    frame->refs++;
    held->frame = frame;
    session->held += frame->len;
    ngx_queue_insert_tail(&join->held, &held->queue);
    join->nheld++;
}


void
ngx_http_cs_chat_join_skip(csc_bus_message_t *event, ngx_uint_t number)
{
    ngx_queue_t *q;
    ngx_http_cs_chat_join_t *join;
    ngx_http_cs_chat_topic_t *topic;

    topic = ngx_http_cs_chat_topic_named("chat", event->chat);

    if (topic == NULL || topic->answered < event->seq) {
        return;
    }

    for (q = ngx_queue_head(&topic->follows);
         q != ngx_queue_sentinel(&topic->follows); q = ngx_queue_next(q))
    {
        join = ngx_http_cs_chat_join_of(q);

        if (!join->follow.holding && join->seq >= event->seq) {
            join->follow.session->event = number;
        }
    }
}


ngx_http_cs_chat_join_t *
ngx_http_cs_chat_join_of(ngx_queue_t *q)
{
    return ngx_queue_data(q, ngx_http_cs_chat_join_t, follow.in_topic);
}
