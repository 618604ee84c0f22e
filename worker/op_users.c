#include <stdlib.h>

#include "input.h"
#include "op.h"

#define LIST_LIMIT 50
#define LIST_LIMIT_MAX 200

int
op_users_me(request_t *request, csc_fault_t *fault)
{
    batch_item_t *item = calloc(1, sizeof(*item));

    if (item == NULL) {
        fault->error = CSC_E_BACKEND_UNAVAILABLE;
        return CSC_ERROR;
    }

    item->request = request;
    batch_add(request->ops->users, item);

    return CSC_OK;
}

static int
op_users_filters(const input_parameter_t *role, const input_parameter_t *online,
    csc_fault_t *fault)
{
    if (role->present && !input_word(role->value, input_roles)) {
        return input_fault(
            fault, "role", "The role must be customer, agent or super-agent.");
    }

    if (online->present && !csc_str_is(online->value, "true")
        && !csc_str_is(online->value, "false"))
    {
        return input_fault(fault, "online", "online must be true or false.");
    }

    return CSC_OK;
}

int
op_users_list(request_t *request, csc_fault_t *fault)
{
    input_parameter_t p[] = { { .name = "role" }, { .name = "online" },
        { .name = "limit" }, { .name = "offset" } };
    uint64_t limit, offset;
    db_query_t *query;

    if (input_query(request, p, 4, fault) != CSC_OK
        || op_users_filters(&p[0], &p[1], fault) != CSC_OK
        || input_number(&p[2], 1, LIST_LIMIT_MAX, LIST_LIMIT, &limit, fault)
               != CSC_OK
        || input_number(&p[3], 0, INT32_MAX, 0, &offset, fault) != CSC_OK)
    {
        return CSC_ERROR;
    }

    query = op_query(request, STATEMENT_USERS_LIST);

    if (p[0].present) {
        db_str(query, p[0].value);
    } else {
        db_null(query);
    }

    if (p[1].present) {
        db_bool(query, csc_str_is(p[1].value, "true"));
    } else {
        db_null(query);
    }

    db_int(query, (int64_t) limit);
    db_int(query, (int64_t) offset);

    return op_submit(request, query);
}

/* Presence does it, for it knows whether there is a connection. */
int
op_users_status(request_t *request, csc_fault_t *fault)
{
    csc_json_field_t field = { .name = "isOnline" };
    int online;

    if (input_body(request, &field, 1, fault) != CSC_OK
        || input_bool(&field, &online, fault) != CSC_OK)
    {
        return CSC_ERROR;
    }

    presence_hide(request->ops->presence, request, !online);

    return CSC_OK;
}

int
op_agents_available(request_t *request, csc_fault_t *fault)
{
    (void) fault;

    return op_submit(request, op_query(request, STATEMENT_AGENTS_AVAILABLE));
}

int
op_customers_available(request_t *request, csc_fault_t *fault)
{
    (void) fault;

    return op_submit(request, op_query(request, STATEMENT_CUSTOMERS_AVAILABLE));
}
