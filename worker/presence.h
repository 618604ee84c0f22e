/*
 * Who is online.  A user is while any NGINX process holds them, and for a
 * grace time after that; a process that does not renew lets go.  Changes are
 * gathered, and written by one statement at a time.
 */

#ifndef PRESENCE_H
#define PRESENCE_H

#include <uv.h>

#include "bus.h"
#include "db.h"
#include "presence_table.h"

#define PRESENCE_BATCH 1000 /* users in one statement */

typedef struct {
    unsigned char id[CSC_UUID_LEN];
    unsigned char conn[PRESENCE_CONN_MAX];
    unsigned char conn_len;
    unsigned online : 1;
    unsigned unhide : 1;
} presence_change_t;

typedef struct {
    uv_loop_t *loop;
    const config_t *config;
    bus_t *bus;
    db_t *db;
    struct ops_s *ops;
    uv_timer_t timer;
    uv_timer_t pause; /* until the next statement may go */
    uint64_t next;    /* when that is, ms */
    presence_table_t tables[CSC_BUS_SHARDS];
    unsigned char held[CSC_BUS_SHARDS];
    unsigned char unloaded[CSC_BUS_SHARDS]; /* not yet read from the database */
    unsigned loading : 1;
    presence_user_t *changed;
    presence_change_t *changes; /* on the way to the database */
    size_t count;
} presence_t;

int presence_init(presence_t *presence, uv_loop_t *loop, const config_t *config,
    bus_t *bus, db_t *db, struct ops_s *ops);

/* Shards of which taken[shard] is 1 came to this worker. */
void presence_acquired(presence_t *presence, const unsigned char *taken);
/* The shard went. */
void presence_released(presence_t *presence, unsigned shard);

/* A line of presence.update, see docs/bus.md. */
int presence_line(
    presence_t *presence, unsigned shard, csc_str_t process, csc_str_t line);

/* A login counts as presence for the grace time. */
void presence_logged_in(presence_t *presence, csc_str_t user);

/* Writes what has changed, unless that is being done or was just now. */
void presence_flush(presence_t *presence);

/* Carries out and answers PUT users/status. */
void presence_hide(presence_t *presence, request_t *request, int hidden);

/* Users who are online, or were lately, on the shards that are held. */
size_t presence_users(const presence_t *presence);

void presence_stop(presence_t *presence);
void presence_free(presence_t *presence);

/* --- between presence.c, presence_load.c and presence_write.c --- */

uint64_t presence_now(const presence_t *presence);

/* Of presence->pause: writes what has gathered. */
void presence_on_pause(uv_timer_t *timer);

/* NULL: nobody holds them, and nobody did lately. */
presence_user_t *presence_find(const presence_t *presence, csc_str_t id);

/* 1 while somebody holds them, or did lately. */
int presence_wanted(const presence_t *presence, const presence_user_t *user);

/* 1 when the database has to be told something. */
int presence_differs(const presence_t *presence, const presence_user_t *user);

/* Asks the database who is online on shards that are new. */
void presence_load(presence_t *presence);

#endif /* PRESENCE_H */
