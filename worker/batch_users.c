/* People who ask for their own account, as a batch. */

#include "batch.h"

static void
batch_users_ask(batch_t *batch, db_query_t *query)
{
    batch_array(batch, query, DB_UUID, batch_user);
}

const batch_kind_t batch_users = { STATEMENT_USERS_SELF, batch_users_ask,
    batch_replies, NULL };
