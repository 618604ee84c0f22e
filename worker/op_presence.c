#include <string.h>

#include "op.h"
#include "reply.h"

int
op_presence_update(request_t *request, csc_fault_t *fault)
{
    presence_t *presence = request->ops->presence;
    csc_str_t rest = request->message.body, line;
    const unsigned char *end;

    (void) fault;

    if (request->message.from.len == 0) {
        bus_bad(request->ops->bus, "no process", request->message.op);
        bus_finish(request->ops->bus, request);
        return CSC_OK;
    }

    while (rest.len > 0) {
        end = memchr(rest.data, '\n', rest.len);
        line.data = rest.data;
        line.len = end != NULL ? (size_t) (end - rest.data) : rest.len;
        rest.data += line.len;
        rest.len -= line.len;

        if (rest.len > 0) {
            rest.data++;
            rest.len--;
        }

        if (line.len > 0
            && presence_line(
                   presence, request->shard, request->message.from, line)
                   != CSC_OK)
        {
            bus_bad(request->ops->bus, "bad line", request->message.op);
        }
    }

    presence_flush(presence);
    bus_finish(request->ops->bus, request);

    return CSC_OK;
}

int
op_presence_login(request_t *request, csc_fault_t *fault)
{
    csc_str_t user = request->message.user;

    (void) fault;

    if (!csc_uuid_is(user) || csc_bus_shard(user) != request->shard) {
        bus_bad(request->ops->bus, "bad user", request->message.op);

    } else {
        presence_logged_in(request->ops->presence, user);
        presence_flush(request->ops->presence);
    }

    bus_finish(request->ops->bus, request);

    return CSC_OK;
}

static void
op_health_on_answer(void *data, db_status_e status, const PGresult *result)
{
    request_t *request = data;

    (void) result;

    if (status == DB_OK && db_writable(request->ops->db)) {
        reply_empty(request, 200);
    } else if (status == DB_EXPIRED) {
        reply_status(request, status);
    } else {
        reply_error(request, CSC_E_BACKEND_UNAVAILABLE);
    }
}

int
op_health(request_t *request, csc_fault_t *fault)
{
    (void) fault;

    return op_submit(request, db_query(STATEMENT_HEALTH, request->deadline,
                                  op_health_on_answer, request));
}
