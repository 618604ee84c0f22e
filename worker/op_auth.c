#include <stdlib.h>
#include <string.h>

#include "../common/csc_utf8.h"
#include "input.h"
#include "op.h"
#include "reply.h"

#define AUTH_PASSWORD_MIN 8
#define AUTH_PASSWORD_MAX 128

enum {
    USER_ID,
    USER_NAME,
    USER_ROLE,
    USER_HASH,
    USER_BODY,
    USER_COLUMNS
};

/* --- login --- */

typedef struct {
    request_t *request;
    csc_str_t password;       /* a view of the request */
    char *user[USER_COLUMNS]; /* the row; NULL: there is no such user */
} login_t;

static void
login_free(login_t *login)
{
    int i;

    for (i = 0; i < USER_COLUMNS; i++) {
        free(login->user[i]);
    }

    free(login);
}

static void
login_fail(login_t *login, csc_error_e error)
{
    reply_error(login->request, error);
    login_free(login);
}

static void
login_succeed(login_t *login)
{
    bus_t *bus = login->request->ops->bus;
    csc_str_t id = csc_str(login->user[USER_ID]);

    reply_user(login->request, 200, id, csc_str(login->user[USER_ROLE]),
        csc_str(login->user[USER_NAME]), csc_str(login->user[USER_BODY]));
    /* whoever holds the user's shard keeps the presence */
    bus_request(bus, CSC_OP_PRESENCE_LOGIN, id);
    login_free(login);
}

static void
login_on_stored(void *data, db_status_e status, const PGresult *result)
{
    (void) status; /* the next login tries again */
    (void) result;

    login_succeed(data);
}

static void
login_on_rehashed(void *data, password_status_e status, const char *hash)
{
    login_t *login = data;
    db_query_t *query;

    if (status != PASSWORD_OK) {
        login_succeed(login);
        return;
    }

    query = db_query(STATEMENT_USER_SET_HASH, 0, login_on_stored, login);
    db_text(query, login->user[USER_ID]);
    db_text(query, login->user[USER_HASH]);
    db_text(query, hash);

    if (db_submit(login->request->ops->db, query) != CSC_OK) {
        login_succeed(login);
    }
}

static void
login_on_verified(void *data, password_status_e status, const char *hash)
{
    login_t *login = data;
    passwords_t *passwords = login->request->ops->passwords;

    (void) hash;

    if (status != PASSWORD_OK) {
        login_fail(login, status == PASSWORD_WRONG ? CSC_E_INVALID_CREDENTIALS
                                                   : CSC_E_BACKEND_UNAVAILABLE);
        return;
    }

    /* only an older database has others, and nothing is theirs to do */
    if (!input_word(csc_str(login->user[USER_ROLE]), input_roles)) {
        login_fail(login, CSC_E_ACCESS_DENIED);
        return;
    }

    if (!password_outdated(passwords, login->user[USER_HASH])
        || password_hash(passwords, login->password, login_on_rehashed, login)
               != CSC_OK)
    {
        login_succeed(login);
    }
}

static void
login_on_user(void *data, db_status_e status, const PGresult *result)
{
    login_t *login = data;
    int i;

    if (status != DB_OK) {
        reply_status(login->request, status);
        login_free(login);
        return;
    }

    for (i = 0; i < USER_COLUMNS && PQntuples(result) > 0; i++) {
        login->user[i] = strdup(PQgetvalue(result, 0, i));
        if (login->user[i] == NULL) {
            login_fail(login, CSC_E_BACKEND_UNAVAILABLE);
            return;
        }
    }

    if (password_verify(login->request->ops->passwords, login->password,
            login->user[USER_HASH], login_on_verified, login)
        != CSC_OK)
    {
        login_fail(login, CSC_E_BACKEND_UNAVAILABLE);
    }
}

int
op_auth_login(request_t *request, csc_fault_t *fault)
{
    csc_json_field_t f[] = { { .name = "username" }, { .name = "password" } };
    db_query_t *query;
    login_t *login;
    csc_str_t username, password;

    if (input_body(request, f, 2, fault) != CSC_OK
        || input_text(&f[0], 1, SIZE_MAX, &username, fault) != CSC_OK
        || input_text(&f[1], 1, SIZE_MAX, &password, fault) != CSC_OK)
    {
        return CSC_ERROR;
    }

    login = calloc(1, sizeof(*login));
    if (login == NULL) {
        fault->error = CSC_E_BACKEND_UNAVAILABLE;
        return CSC_ERROR;
    }

    login->request = request;
    login->password = password;

    query = db_query(
        STATEMENT_USER_BY_NAME, request->deadline, login_on_user, login);
    db_str(query, username);

    if (db_submit(request->ops->db, query) != CSC_OK) {
        login_fail(login, CSC_E_BACKEND_UNAVAILABLE);
    }

    return CSC_OK;
}

/* --- registration --- */

typedef struct {
    request_t *request;
    csc_str_t username; /* views of the request */
    csc_str_t email;
    csc_str_t password;
    csc_str_t name;
    csc_str_t role;
} registration_t;

static int
register_username(csc_str_t username, csc_fault_t *fault)
{
    size_t i;

    for (i = 0; i < username.len; i++) {
        if (username.data[i] == '\0'
            || strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                      "0123456789_",
                   username.data[i])
                   == NULL)
        {
            return input_fault(fault, "username",
                "The user name may have letters, digits and _ only.");
        }
    }

    return CSC_OK;
}

/* One '@' between two parts, no white space nor control characters. */
static int
register_email(csc_str_t email, csc_fault_t *fault)
{
    size_t i, ats = 0;

    for (i = 0; i < email.len; i++) {
        ats += email.data[i] == '@';
        if (email.data[i] <= 0x20 || email.data[i] == 0x7f) {
            ats = 2;
            break;
        }
    }

    if (ats != 1 || email.data[0] == '@' || email.data[email.len - 1] == '@') {
        return input_fault(
            fault, "email", "This is not a valid e-mail address.");
    }

    return CSC_OK;
}

static int
register_role(
    const csc_json_field_t *field, csc_str_t *role, csc_fault_t *fault)
{
    if (input_absent(field)) {
        *role = csc_str("customer");
        return CSC_OK;
    }

    if (field->type != CSC_JSON_STRING
        || !input_word(field->value, input_roles)) {
        return input_fault(
            fault, "role", "The role must be customer, agent or super-agent.");
    }

    *role = field->value;

    return CSC_OK;
}

static int
register_input(
    request_t *request, registration_t *registration, csc_fault_t *fault)
{
    csc_json_field_t f[] = { { .name = "username" }, { .name = "email" },
        { .name = "password" }, { .name = "name" }, { .name = "role" } };
    uint64_t min = request->message.min_password;

    if (min == 0) {
        min = AUTH_PASSWORD_MIN;
    }

    if (input_body(request, f, 5, fault) != CSC_OK
        || input_text(&f[0], 3, 50, &registration->username, fault) != CSC_OK
        || register_username(registration->username, fault) != CSC_OK
        || input_text(&f[1], 3, 100, &registration->email, fault) != CSC_OK
        || register_email(registration->email, fault) != CSC_OK
        || input_text(
               &f[2], min, AUTH_PASSWORD_MAX, &registration->password, fault)
               != CSC_OK
        || input_text(&f[3], 1, 100, &registration->name, fault) != CSC_OK
        || register_role(&f[4], &registration->role, fault) != CSC_OK)
    {
        return CSC_ERROR;
    }

    if (!csc_str_is(registration->role, "customer")
        && !csc_str_is(request->message.role, "super-agent"))
    {
        fault->error = CSC_E_ACCESS_DENIED;
        fault->sentence = "Only a super-agent may create this role.";
        return CSC_ERROR;
    }

    return CSC_OK;
}

static void
register_on_stored(void *data, db_status_e status, const PGresult *result)
{
    registration_t *registration = data;
    request_t *request = registration->request;
    csc_str_t none = CSC_STR_NULL;

    if (status != DB_OK) {
        reply_status(request, status);

    } else if (PQntuples(result) == 0) {
        reply_error(request, CSC_E_INTERNAL_ERROR);

    } else if (!PQgetisnull(result, 0, OUTCOME_CODE)) {
        reply_row(request, result, 0, none);

    } else {
        reply_user(request, 201, reply_column(result, 0, OUTCOME_ID),
            registration->role, registration->username,
            reply_column(result, 0, OUTCOME_BODY));
    }

    free(registration);
}

static void
register_on_hashed(void *data, password_status_e status, const char *hash)
{
    registration_t *registration = data;
    request_t *request = registration->request;
    db_query_t *query;

    if (status != PASSWORD_OK) {
        reply_error(request, CSC_E_BACKEND_UNAVAILABLE);
        free(registration);
        return;
    }

    query = db_query(STATEMENT_USERS_REGISTER, request->deadline,
        register_on_stored, registration);

    if (request->message.user.len > 0) {
        db_str(query, request->message.user);
    } else {
        db_null(query);
    }

    db_str(query, registration->username);
    db_str(query, registration->email);
    db_text(query, hash);
    db_str(query, registration->name);
    db_str(query, registration->role);

    if (db_submit(request->ops->db, query) != CSC_OK) {
        reply_error(request, CSC_E_BACKEND_UNAVAILABLE);
        free(registration);
    }
}

int
op_auth_register(request_t *request, csc_fault_t *fault)
{
    registration_t *registration = calloc(1, sizeof(*registration));

    if (registration == NULL) {
        fault->error = CSC_E_BACKEND_UNAVAILABLE;
        return CSC_ERROR;
    }

    registration->request = request;

    if (register_input(request, registration, fault) != CSC_OK) {
        free(registration);
        return CSC_ERROR;
    }

    if (password_hash(request->ops->passwords, registration->password,
            register_on_hashed, registration)
        != CSC_OK)
    {
        free(registration);
        fault->error = CSC_E_BACKEND_UNAVAILABLE;
        return CSC_ERROR;
    }

    return CSC_OK;
}

/* --- refresh --- */

static void
refresh_on_user(void *data, db_status_e status, const PGresult *result)
{
    request_t *request = data;

    if (status != DB_OK) {
        reply_status(request, status);

    } else if (PQntuples(result) == 0) {
        reply_error(request, CSC_E_INVALID_TOKEN);

    } else {
        reply_user(request, 200, reply_column(result, 0, USER_ID),
            reply_column(result, 0, USER_ROLE),
            reply_column(result, 0, USER_NAME),
            reply_column(result, 0, USER_BODY));
    }
}

int
op_auth_refresh(request_t *request, csc_fault_t *fault)
{
    db_query_t *query;

    (void) fault;

    query = db_query(
        STATEMENT_USER_BY_ID, request->deadline, refresh_on_user, request);
    db_str(query, request->message.user);

    return op_submit(request, query);
}
