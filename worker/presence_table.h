/* Who is held by which NGINX process, in memory: a hash table a shard. */

#ifndef PRESENCE_TABLE_H
#define PRESENCE_TABLE_H

#include "../common/csc_core.h"
#include "../common/csc_uuid.h"

#define PRESENCE_CONN_MAX 64

/* An NGINX process that has sockets of the user. */
typedef struct presence_holder_s {
    struct presence_holder_s *next;
    uint64_t expires;       /* ms of the loop's clock */
    unsigned char *sockets; /* their ids, a space behind each; NULL: none */
    size_t sockets_len;
    size_t len;
    unsigned char process[];
} presence_holder_t;

typedef enum {
    PRESENCE_UNKNOWN,
    PRESENCE_NO,
    PRESENCE_YES
} presence_known_e;

typedef struct presence_user_s {
    struct presence_user_s *next; /* in its bucket */
    struct presence_user_s *changed_next;
    presence_holder_t *holders;
    uint64_t grace;       /* online without a holder until then, ms */
    uint64_t quiet;       /* no change is told before then, ms */
    uint64_t hid;         /* when they hid, or showed, by themselves, ms */
    unsigned char online; /* presence_known_e, as the database has it */
    unsigned char hidden; /* the same */
    unsigned unhide : 1;  /* a new connection asks for it */
    unsigned changed : 1; /* in the list of changes */
    unsigned char conn_len;
    unsigned char id[CSC_UUID_LEN];
    unsigned char conn[PRESENCE_CONN_MAX]; /* the socket that caused it */
} presence_user_t;

typedef struct {
    presence_user_t **buckets;
    size_t size; /* a power of 2, or 0 */
    size_t count;
} presence_table_t;

/* NULL where there is none. */
presence_user_t *presence_table_find(
    const presence_table_t *table, csc_str_t id);

/* The user, made where there is none; NULL when out of memory. */
presence_user_t *presence_table_get(presence_table_t *table, csc_str_t id);

/* Calls visit for every user; one for which it returns 0 is removed. */
void presence_table_sweep(presence_table_t *table,
    int (*visit)(void *data, presence_user_t *user), void *data);

void presence_table_clear(presence_table_t *table);

/* The process holds the user until expires.  NULL when out of memory. */
presence_holder_t *presence_hold(
    presence_user_t *user, csc_str_t process, uint64_t expires);

/* The process' hold of the user, NULL where there is none. */
presence_holder_t *presence_held(presence_user_t *user, csc_str_t process);

/* It holds the user no more. */
void presence_let_go(presence_user_t *user, csc_str_t process);

/* Drops the holders that have not renewed. */
void presence_expire(presence_user_t *user, uint64_t now);

#endif /* PRESENCE_TABLE_H */
