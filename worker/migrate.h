/*
 * The database's shape: migrations, functions and sample data, applied
 * before the worker serves.  This part blocks.
 */

#ifndef MIGRATE_H
#define MIGRATE_H

#include <libpq-fe.h>

#include "config.h"

/*
 * Connects; NULL with a sentence in error.  The session is set up as the
 * worker's own are, but has no limit of time.
 */
PGconn *migrate_connect(const config_t *config, char *error, size_t size);

/*
 * Brings the database up to date under a lock, so that workers which start
 * together don't collide.  CSC_ERROR when it can't be; that is logged.
 */
int migrate_run(PGconn *conn);

/* Migrations that are still to be applied; -1 when that can't be told. */
int migrate_missing(PGconn *conn);

/* Adds the sample people and chats where there is nobody. */
int migrate_seed(PGconn *conn, const char *password_hash);

/* Deletes everything of ours and adds the sample data, in one step. */
int migrate_reset(PGconn *conn, const char *password_hash);

#endif /* MIGRATE_H */
