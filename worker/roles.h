/*
 * Roles that change.  PostgreSQL tells of each change; all NGINX processes are
 * told the present role, and Redis keeps it for those that start later, so
 * that tokens which name another one are refused.
 */

#ifndef ROLES_H
#define ROLES_H

#include "bus.h"
#include "db.h"

typedef struct {
    db_t *db;
    bus_t *bus;
} roles_t;

void roles_init(roles_t *roles, db_t *db, bus_t *bus);

/* Tells all that were changed, once both PostgreSQL and Redis are there. */
void roles_tell_all(roles_t *roles);

/* PostgreSQL has told of a change: the user's id. */
void roles_changed(roles_t *roles, const char *user);

#endif /* ROLES_H */
