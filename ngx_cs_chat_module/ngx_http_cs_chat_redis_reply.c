#include "ngx_http_cs_chat_redis_reply.h"


#define POOL_SIZE 4096 /* what is larger comes from malloc() */


#if (HIREDIS_MAJOR >= 1)
typedef size_t ngx_http_cs_chat_elements_t;
#else
typedef int ngx_http_cs_chat_elements_t;
#endif


/* What hiredis takes for a redisReply. */
typedef struct {
    redisReply reply;
    ngx_http_cs_chat_link_t *link;
} ngx_http_cs_chat_reply_t;


static redisReply *ngx_http_cs_chat_reply(const redisReadTask *task, int type);
static void ngx_http_cs_chat_reply_add(
    const redisReadTask *task, redisReply *reply);
static void *ngx_http_cs_chat_reply_string(
    const redisReadTask *task, char *text, size_t len);
static void *ngx_http_cs_chat_reply_array(
    const redisReadTask *task, ngx_http_cs_chat_elements_t n);
static void *ngx_http_cs_chat_reply_integer(
    const redisReadTask *task, long long value);
static void *ngx_http_cs_chat_reply_nil(const redisReadTask *task);
static void ngx_http_cs_chat_reply_free(void *reply);


static redisReplyObjectFunctions functions;


/* Types that only other versions of the protocol have stay hiredis' own. */

void
ngx_http_cs_chat_link_replies(ngx_http_cs_chat_link_t *link)
{
    redisReader *reader;

    reader = link->context->c.reader;

    functions = *reader->fn;
    functions.createString = ngx_http_cs_chat_reply_string;
    functions.createArray = ngx_http_cs_chat_reply_array;
    functions.createInteger = ngx_http_cs_chat_reply_integer;
    functions.createNil = ngx_http_cs_chat_reply_nil;
    functions.freeObject = ngx_http_cs_chat_reply_free;

    reader->fn = &functions;
    reader->privdata = link;
}


void
ngx_http_cs_chat_link_replies_end(ngx_http_cs_chat_link_t *link)
{
    if (link->replies != NULL) {
        ngx_destroy_pool(link->replies);
        link->replies = NULL;
    }
}


/* NULL means to hiredis that there is no memory: it gives the link up. */

static redisReply *
ngx_http_cs_chat_reply(const redisReadTask *task, int type)
{
    ngx_http_cs_chat_link_t *link;
    ngx_http_cs_chat_reply_t *own;

    link = task->privdata;

    if (link->replies == NULL) {
        link->replies = ngx_create_pool(POOL_SIZE, &link->log);
    }

    if (link->replies == NULL) {
        return NULL;
    }

    own = ngx_pcalloc(link->replies, sizeof(ngx_http_cs_chat_reply_t));
    if (own == NULL) {
        return NULL;
    }

    own->reply.type = type;
    own->link = link;

    return &own->reply;
}


static void
ngx_http_cs_chat_reply_add(const redisReadTask *task, redisReply *reply)
{
    redisReply *array;

    if (task->parent != NULL) {
        array = task->parent->obj;
        array->element[task->idx] = reply;
    }
}


static void *
ngx_http_cs_chat_reply_string(const redisReadTask *task, char *text, size_t len)
{
    redisReply *reply;
    ngx_http_cs_chat_link_t *link;

    link = task->privdata;

    reply = ngx_http_cs_chat_reply(task, task->type);
    if (reply == NULL) {
        return NULL;
    }

    reply->str = ngx_pnalloc(link->replies, len + 1);
    if (reply->str == NULL) {
        return NULL;
    }

    *ngx_cpymem(reply->str, text, len) = '\0';
    reply->len = len;

    ngx_http_cs_chat_reply_add(task, reply);

    return reply;
}


static void *
ngx_http_cs_chat_reply_array(
    const redisReadTask *task, ngx_http_cs_chat_elements_t n)
{
    redisReply *reply;
    ngx_http_cs_chat_link_t *link;

    link = task->privdata;

    reply = ngx_http_cs_chat_reply(task, task->type);
    if (reply == NULL) {
        return NULL;
    }

    if (n > 0) {
        reply->element = ngx_pcalloc(
            link->replies, (size_t) n * sizeof(redisReply *));
        if (reply->element == NULL) {
            return NULL;
        }
    }

    reply->elements = n;
    ngx_http_cs_chat_reply_add(task, reply);

    return reply;
}


static void *
ngx_http_cs_chat_reply_integer(const redisReadTask *task, long long value)
{
    redisReply *reply;

    reply = ngx_http_cs_chat_reply(task, task->type);

    if (reply != NULL) {
        reply->integer = value;
        ngx_http_cs_chat_reply_add(task, reply);
    }

    return reply;
}


static void *
ngx_http_cs_chat_reply_nil(const redisReadTask *task)
{
    redisReply *reply;

    /* the task is that of a string or an array */

    reply = ngx_http_cs_chat_reply(task, REDIS_REPLY_NIL);

    if (reply != NULL) {
        ngx_http_cs_chat_reply_add(task, reply);
    }

    return reply;
}


/* hiredis frees a reply as a whole.  A pool that has grown is not kept. */

static void
ngx_http_cs_chat_reply_free(void *reply)
{
    ngx_http_cs_chat_link_t *link;

    if (reply == NULL) {
        return;
    }

    link = ((ngx_http_cs_chat_reply_t *) reply)->link;

    if (link->replies->d.next != NULL) {
        ngx_http_cs_chat_link_replies_end(link);
        return;
    }

    ngx_reset_pool(link->replies);
}
