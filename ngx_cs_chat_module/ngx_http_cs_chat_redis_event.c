#include "ngx_http_cs_chat_redis_event.h"


#define LOOK_DELAY 10 /* ms until answers are read that can wait */
#define READS_MAX 8   /* calls of hiredis for one event */

/* Bytes that hiredis may keep for the next message; its own limit is 16 KB. */
#define READER_KEEP 262144


static void ngx_http_cs_chat_link_flush(ngx_event_t *ev);
static void ngx_http_cs_chat_link_look(ngx_event_t *ev);
static void ngx_http_cs_chat_link_readable(ngx_event_t *ev);
static void ngx_http_cs_chat_link_writable(ngx_event_t *ev);
static void ngx_http_cs_chat_link_add_read(void *data);
static void ngx_http_cs_chat_link_del_read(void *data);
static void ngx_http_cs_chat_link_add_write(void *data);
static void ngx_http_cs_chat_link_del_write(void *data);
static void ngx_http_cs_chat_link_cleanup(void *data);


void
ngx_http_cs_chat_link_events(ngx_http_cs_chat_link_t *link)
{
    link->flush.handler = ngx_http_cs_chat_link_flush;
    link->flush.data = link;
    link->flush.log = &link->log;

    link->look.handler = ngx_http_cs_chat_link_look;
    link->look.data = link;
    link->look.log = &link->log;
    link->look.cancelable = 1;
}


/*
 * hiredis reads 16 KB a call and may leave the rest in the socket, so its
 * events are level-triggered, unlike nginx's own.
 */

ngx_int_t
ngx_http_cs_chat_link_attach(ngx_http_cs_chat_link_t *link)
{
    ngx_connection_t *c;
    redisAsyncContext *context;

    context = link->context;

    c = ngx_get_connection(context->c.fd, &link->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->data = link;
    c->log = &link->log;
    c->read->log = &link->log;
    c->write->log = &link->log;
    c->read->handler = ngx_http_cs_chat_link_readable;
    c->write->handler = ngx_http_cs_chat_link_writable;
    link->connection = c;

    context->ev.data = link;
    context->ev.addRead = ngx_http_cs_chat_link_add_read;
    context->ev.delRead = ngx_http_cs_chat_link_del_read;
    context->ev.addWrite = ngx_http_cs_chat_link_add_write;
    context->ev.delWrite = ngx_http_cs_chat_link_del_write;
    context->ev.cleanup = ngx_http_cs_chat_link_cleanup;
    context->c.reader->maxbuf = READER_KEEP;

    return NGX_OK;
}


static void
ngx_http_cs_chat_link_readable(ngx_event_t *ev)
{
    ngx_uint_t n;
    ngx_connection_t *c;
    redisReader *reader;
    ngx_http_cs_chat_link_t *link;

    c = ev->data;
    link = c->data;

    redisAsyncHandleRead(link->context);

    /* of a message that has begun the rest is mostly there, too */

    for (n = 1; n < READS_MAX && link->context != NULL; n++) {
        reader = link->context->c.reader;

        if (reader->pos == reader->len || link->context->err) {
            break;
        }

        redisAsyncHandleRead(link->context);
    }
}


static void
ngx_http_cs_chat_link_writable(ngx_event_t *ev)
{
    ngx_connection_t *c;

    c = ev->data;

    ngx_http_cs_chat_link_flush(&((ngx_http_cs_chat_link_t *) c->data)->flush);
}


/* All that was queued in a turn of the loop, in one call. */

static void
ngx_http_cs_chat_link_flush(ngx_event_t *ev)
{
    ngx_http_cs_chat_link_t *link;

    link = ev->data;

    link->writing = 1;
    redisAsyncHandleWrite(link->context);
    link->writing = 0;
}


/* While nothing is awaited the socket is watched again: it may be closed. */

static void
ngx_http_cs_chat_link_look(ngx_event_t *ev)
{
    ngx_http_cs_chat_link_t *link;

    link = ev->data;

    redisAsyncHandleRead(link->context);

    if (link->context != NULL && link->context->replies.head == NULL) {
        link->patient = 0;
        ngx_http_cs_chat_link_add_read(link);
    }
}


static void
ngx_http_cs_chat_link_add_read(void *data)
{
    ngx_http_cs_chat_link_t *link;

    link = data;

    if (link->patient) {
        ngx_http_cs_chat_link_del_read(link);

        if (!link->look.timer_set) {
            ngx_add_timer(&link->look, LOOK_DELAY);
        }

        return;
    }

    if (link->look.timer_set) {
        ngx_del_timer(&link->look);
    }

    if (!link->connection->read->active) {
        (void) ngx_add_event(
            link->connection->read, NGX_READ_EVENT, NGX_LEVEL_EVENT);
    }
}


static void
ngx_http_cs_chat_link_del_read(void *data)
{
    ngx_http_cs_chat_link_t *link;

    link = data;

    if (link->connection->read->active) {
        (void) ngx_del_event(link->connection->read, NGX_READ_EVENT, 0);
    }
}


/*
 * The socket mostly takes what it is given: it is watched only when it is full
 * or not connected yet.  A process on its way out may be called from beyond
 * the loop, where posted events have to wait for the next one.
 */

static void
ngx_http_cs_chat_link_add_write(void *data)
{
    ngx_http_cs_chat_link_t *link;

    link = data;

    if (!link->writing) {
        link->patient = 0;
    }

    if (link->connection->write->active) {
        return;
    }

    if (link->writing || ngx_exiting
        || !(link->context->c.flags & REDIS_CONNECTED)) {
        (void) ngx_add_event(
            link->connection->write, NGX_WRITE_EVENT, NGX_LEVEL_EVENT);
        return;
    }

    if (!link->flush.posted) {
        ngx_post_event(&link->flush, &ngx_posted_events);
    }
}


static void
ngx_http_cs_chat_link_del_write(void *data)
{
    ngx_http_cs_chat_link_t *link;

    link = data;

    if (link->connection->write->active) {
        (void) ngx_del_event(link->connection->write, NGX_WRITE_EVENT, 0);
    }
}


/* hiredis closes the descriptor itself, after this. */

static void
ngx_http_cs_chat_link_cleanup(void *data)
{
    ngx_connection_t *c;
    ngx_http_cs_chat_link_t *link;

    link = data;
    c = link->connection;

    if (c == NULL) {
        return;
    }

    link->connection = NULL;
    link->patient = 0;

    if (link->flush.posted) {
        ngx_delete_posted_event(&link->flush);
    }

    if (link->look.timer_set) {
        ngx_del_timer(&link->look);
    }

    if (c->read->active) {
        (void) ngx_del_event(c->read, NGX_READ_EVENT, 0);
    }

    if (c->write->active) {
        (void) ngx_del_event(c->write, NGX_WRITE_EVENT, 0);
    }

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }

    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;
}
