#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../common/csc_query.h"
#include "redis_address.h"

#define REDIS_PORT 6379

static int
redis_address_fail(char *error, size_t size, const char *reason)
{
    snprintf(error, size, "redis_url: %s", reason);
    return CSC_ERROR;
}

static int
redis_address_copy(char *out, size_t size, csc_str_t text)
{
    if (text.len >= size || memchr(text.data, '\0', text.len) != NULL) {
        return CSC_ERROR;
    }

    memcpy(out, text.data, text.len);
    out[text.len] = '\0';

    return CSC_OK;
}

static int
redis_address_decode(char *out, size_t size, csc_str_t text)
{
    unsigned char decoded[3 * REDIS_PASSWORD_MAX];
    csc_str_t plain;
    int rc;

    if (text.len > sizeof(decoded)
        || csc_pct_decode(text, 0, decoded, &plain.len) != CSC_OK)
    {
        return CSC_ERROR;
    }

    plain.data = decoded;
    rc = redis_address_copy(out, size, plain);
    explicit_bzero(decoded, sizeof(decoded));

    return rc;
}

/* [user]:password or, as redis-cli takes it, password alone. */
static int
redis_address_credentials(redis_address_t *address, csc_str_t text)
{
    const unsigned char *colon = memchr(text.data, ':', text.len);
    csc_str_t user = CSC_STR_NULL;

    if (colon != NULL) {
        user.data = text.data;
        user.len = (size_t) (colon - text.data);
        text.data += user.len + 1;
        text.len -= user.len + 1;
    }

    if (redis_address_decode(address->password, sizeof(address->password), text)
        != CSC_OK)
    {
        return CSC_ERROR;
    }

    return user.len > 0 ? redis_address_decode(
               address->user, sizeof(address->user), user)
                        : CSC_OK;
}

static int
redis_address_host(redis_address_t *address, csc_str_t text)
{
    csc_str_t host = text, port = CSC_STR_NULL;
    const unsigned char *at;
    uint64_t number = REDIS_PORT;

    if (text.len > 0 && text.data[0] == '[') {
        at = memchr(text.data, ']', text.len);
        if (at == NULL) {
            return CSC_ERROR;
        }
        host.data++;
        host.len = (size_t) (at - host.data);
        at++;

    } else {
        at = memchr(text.data, ':', text.len);
        host.len = at != NULL ? (size_t) (at - text.data) : text.len;
        if (at == NULL) {
            at = text.data + text.len;
        }
    }

    if (at < text.data + text.len) {
        port.data = at + 1;
        port.len = (size_t) (text.data + text.len - port.data);
        if (*at != ':' || csc_str_to_u64(port, 65535, &number) != CSC_OK
            || number == 0) {
            return CSC_ERROR;
        }
    }

    address->port = (int) number;

    if (host.len == 0) {
        host = csc_str("127.0.0.1");
    }

    return redis_address_copy(address->host, sizeof(address->host), host);
}

static int
redis_address_tcp(redis_address_t *address, csc_str_t rest)
{
    const unsigned char *slash = memchr(rest.data, '/', rest.len);
    csc_str_t tail = CSC_STR_NULL;
    uint64_t ignored;

    if (slash != NULL) {
        tail.data = slash + 1;
        tail.len = (size_t) (rest.data + rest.len - tail.data);
        rest.len = (size_t) (slash - rest.data);

        /* pub/sub has no databases: a number there changes nothing */
        if (tail.len > 0 && csc_str_to_u64(tail, 65535, &ignored) != CSC_OK) {
            return CSC_ERROR;
        }
    }

    if (redis_address_host(address, rest) != CSC_OK) {
        return CSC_ERROR;
    }

    snprintf(address->text, sizeof(address->text), "%s:%d", address->host,
        address->port);

    return CSC_OK;
}

static int
redis_address_unix(redis_address_t *address, csc_str_t rest)
{
    if (rest.len == 0 || rest.data[0] != '/'
        || redis_address_copy(address->path, sizeof(address->path), rest)
               != CSC_OK)
    {
        return CSC_ERROR;
    }

    snprintf(address->text, sizeof(address->text), "unix:%s", address->path);

    return CSC_OK;
}

static int
redis_address_skip(csc_str_t *rest, const char *scheme)
{
    size_t len = strlen(scheme);

    if (rest->len < len || memcmp(rest->data, scheme, len) != 0) {
        return 0;
    }

    rest->data += len;
    rest->len -= len;

    return 1;
}

int
redis_address_parse(
    const char *url, redis_address_t *address, char *error, size_t size)
{
    csc_str_t rest = csc_str(url), credentials;
    const unsigned char *at;
    int local;

    memset(address, 0, sizeof(*address));

    if (redis_address_skip(&rest, "rediss://")) {
        return redis_address_fail(error, size,
            "rediss:// needs a hiredis with TLS, which this program was not "
            "built with; use redis://, unix:// or a TLS tunnel");
    }

    if (*url == '/' || redis_address_skip(&rest, "unix://")
        || redis_address_skip(&rest, "unix:"))
    {
        local = 1;
    } else if (redis_address_skip(&rest, "redis://")) {
        local = 0;
    } else {
        return redis_address_fail(error, size,
            "must begin with redis:// or unix://, or be the path of a socket");
    }

    at = *url == '/' ? NULL : memrchr(rest.data, '@', rest.len);

    if (at != NULL) {
        credentials.data = rest.data;
        credentials.len = (size_t) (at - rest.data);
        if (redis_address_credentials(address, credentials) != CSC_OK) {
            return redis_address_fail(error, size,
                "the user or password before '@' is malformed or too long");
        }
        rest.len -= credentials.len + 1;
        rest.data += credentials.len + 1;
    }

    if (local ? redis_address_unix(address, rest)
              : redis_address_tcp(address, rest))
    {
        return redis_address_fail(error, size,
            local ? "the path of the socket must begin with / and have at "
                    "most 107 characters"
                  : "must be redis://[[user]:password@]host[:port]");
    }

    return CSC_OK;
}

int
redis_address_password_file(
    const char *path, redis_address_t *address, char *error, size_t size)
{
    char line[REDIS_PASSWORD_MAX + 2];
    FILE *file;
    int rc = CSC_OK;

    file = fopen(path, "re");
    if (file == NULL || fgets(line, sizeof(line), file) == NULL) {
        snprintf(error, size, "redis_password_file %s: %s", path,
            file == NULL ? strerror(errno) : "has no first line");
        rc = CSC_ERROR;

    } else {
        line[strcspn(line, "\r\n")] = '\0';
        if (*line == '\0' || strlen(line) >= sizeof(address->password)) {
            snprintf(error, size,
                "redis_password_file %s: the first line must have 1 to %d "
                "characters",
                path, REDIS_PASSWORD_MAX - 1);
            rc = CSC_ERROR;
        } else {
            /* what stood alone before '@' is the user, then */
            if (*address->user == '\0') {
                memcpy(address->user, address->password,
                    sizeof(address->user) - 1);
            }
            memcpy(address->password, line, strlen(line) + 1);
        }
    }

    explicit_bzero(line, sizeof(line));
    if (file != NULL) {
        fclose(file);
    }

    return rc;
}
