#include "../common/csc_uuid.h"
#include "reply.h"
#include "roles.h"

/* Rows of a user's id and role. */
static void
roles_on_rows(void *data, db_status_e status, const PGresult *result)
{
    roles_t *roles = data;
    int row;

    if (status != DB_OK) {
        return; /* the session or the link that comes back tells all */
    }

    for (row = 0; row < PQntuples(result); row++) {
        bus_role(roles->bus, reply_column(result, row, 0),
            reply_column(result, row, 1));
    }
}

void
roles_init(roles_t *roles, db_t *db, bus_t *bus)
{
    roles->db = db;
    roles->bus = bus;
}

void
roles_tell_all(roles_t *roles)
{
    if (db_writable(roles->db) && bus_connected(roles->bus)) {
        db_submit(roles->db,
            db_query(STATEMENT_ROLES_CHANGED, 0, roles_on_rows, roles));
    }
}

void
roles_changed(roles_t *roles, const char *user)
{
    db_query_t *query;

    if (!csc_uuid_is(csc_str(user))) {
        return;
    }

    query = db_query(STATEMENT_ROLES_ONE, 0, roles_on_rows, roles);
    db_text(query, user);
    db_submit(roles->db, query);
}
