#include <stdlib.h>
#include <string.h>

#include "presence_table.h"

#define PRESENCE_FIRST_SIZE 16

static size_t
presence_bucket(csc_str_t id, size_t size)
{
    uint64_t hash = 14695981039346656037ULL;
    size_t i;

    for (i = 0; i < id.len; i++) {
        hash = (hash ^ id.data[i]) * 1099511628211ULL;
    }

    return (size_t) (hash ^ (hash >> 32)) & (size - 1);
}

static csc_str_t
presence_id(const presence_user_t *user)
{
    csc_str_t id;

    id.data = user->id;
    id.len = CSC_UUID_LEN;

    return id;
}

presence_user_t *
presence_table_find(const presence_table_t *table, csc_str_t id)
{
    presence_user_t *user;

    if (table->size == 0) {
        return NULL;
    }

    user = table->buckets[presence_bucket(id, table->size)];
    while (user != NULL && memcmp(user->id, id.data, CSC_UUID_LEN) != 0) {
        user = user->next;
    }

    return user;
}

static int
presence_table_grow(presence_table_t *table)
{
    size_t i, size = table->size ? 2 * table->size : PRESENCE_FIRST_SIZE;
    presence_user_t **buckets, **bucket, *user;

    buckets = calloc(size, sizeof(*buckets));
    if (buckets == NULL) {
        return table->size > 0 ? CSC_OK : CSC_ERROR; /* long chains do too */
    }

    for (i = 0; i < table->size; i++) {
        while ((user = table->buckets[i]) != NULL) {
            table->buckets[i] = user->next;
            bucket = &buckets[presence_bucket(presence_id(user), size)];
            user->next = *bucket;
            *bucket = user;
        }
    }

    free(table->buckets);
    table->buckets = buckets;
    table->size = size;

    return CSC_OK;
}

presence_user_t *
presence_table_get(presence_table_t *table, csc_str_t id)
{
    presence_user_t *user = presence_table_find(table, id), **bucket;

    if (user != NULL) {
        return user;
    }

    if (table->count >= table->size && presence_table_grow(table) != CSC_OK) {
        return NULL;
    }

    user = calloc(1, sizeof(*user));
    if (user == NULL) {
        return NULL;
    }

    memcpy(user->id, id.data, CSC_UUID_LEN);
    bucket = &table->buckets[presence_bucket(id, table->size)];
    user->next = *bucket;
    *bucket = user;
    table->count++;

    return user;
}

static void
presence_user_free(presence_user_t *user)
{
    presence_holder_t *holder;

    while ((holder = user->holders) != NULL) {
        user->holders = holder->next;
        free(holder->sockets);
        free(holder);
    }

    free(user);
}

void
presence_table_sweep(presence_table_t *table,
    int (*visit)(void *data, presence_user_t *user), void *data)
{
    presence_user_t **at, *user;
    size_t i;

    for (i = 0; i < table->size; i++) {
        at = &table->buckets[i];
        while ((user = *at) != NULL) {
            if (visit(data, user)) {
                at = &user->next;
                continue;
            }
            *at = user->next;
            table->count--;
            presence_user_free(user);
        }
    }
}

void
presence_table_clear(presence_table_t *table)
{
    presence_user_t *user;
    size_t i;

    for (i = 0; i < table->size; i++) {
        while ((user = table->buckets[i]) != NULL) {
            table->buckets[i] = user->next;
            presence_user_free(user);
        }
    }

    free(table->buckets);
    memset(table, 0, sizeof(*table));
}

/* --- holders --- */

static presence_holder_t **
presence_holder(presence_user_t *user, csc_str_t process)
{
    presence_holder_t **at = &user->holders;

    while (*at != NULL
           && ((*at)->len != process.len
               || memcmp((*at)->process, process.data, process.len) != 0))
    {
        at = &(*at)->next;
    }

    return at;
}

presence_holder_t *
presence_held(presence_user_t *user, csc_str_t process)
{
    return *presence_holder(user, process);
}

presence_holder_t *
presence_hold(presence_user_t *user, csc_str_t process, uint64_t expires)
{
    presence_holder_t **at = presence_holder(user, process);

    if (*at == NULL) {
        *at = calloc(1, sizeof(**at) + process.len);
        if (*at == NULL) {
            return NULL;
        }
        (*at)->len = process.len;
        memcpy((*at)->process, process.data, process.len);
    }

    (*at)->expires = expires;

    return *at;
}

static void
presence_remove(presence_holder_t **at)
{
    presence_holder_t *holder = *at;

    *at = holder->next;
    free(holder->sockets);
    free(holder);
}

void
presence_let_go(presence_user_t *user, csc_str_t process)
{
    presence_holder_t **at = presence_holder(user, process);

    if (*at != NULL) {
        presence_remove(at);
    }
}

void
presence_expire(presence_user_t *user, uint64_t now)
{
    presence_holder_t **at = &user->holders;

    while (*at != NULL) {
        if ((*at)->expires <= now) {
            presence_remove(at);
        } else {
            at = &(*at)->next;
        }
    }
}
