#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "redis_where.h"

static int
redis_where_compare(const void *one, const void *two)
{
    return strcmp(one, two);
}

static int
redis_where_ip(const struct addrinfo *info, redis_ip_t ip)
{
    if (info->ai_family == AF_INET6) {
        return uv_ip6_name(
            (const struct sockaddr_in6 *) (const void *) info->ai_addr, ip,
            sizeof(redis_ip_t));
    }

    return uv_ip4_name(
        (const struct sockaddr_in *) (const void *) info->ai_addr, ip,
        sizeof(redis_ip_t));
}

/* Servers of names turn the list; in order, all links try the same. */
void
redis_where_set(redis_where_t *where, const struct addrinfo *result)
{
    where->n = 0;

    for (; result != NULL && where->n < REDIS_WHERE_MAX;
         result = result->ai_next) {
        if (redis_where_ip(result, where->ips[where->n]) == 0) {
            where->n++;
        }
    }

    qsort(where->ips, where->n, sizeof(redis_ip_t), redis_where_compare);
}

void
redis_where_numeric(redis_where_t *where, const char *ip)
{
    where->n = 1;
    snprintf(where->ips[0], sizeof(redis_ip_t), "%s", ip);
}

void
redis_where_next(redis_where_t *where, redis_ip_t ip)
{
    size_t i, next = 0;
    int order;

    for (i = where->n; i > 0; i--) {
        order = strcmp(where->ips[i - 1], where->current);
        if (order > 0 || (order == 0 && !where->failed)) {
            next = i - 1;
        }
    }

    if (where->n > 0) {
        memcpy(where->current, where->ips[next], sizeof(redis_ip_t));
    }

    where->failed = 0;
    memcpy(ip, where->current, sizeof(redis_ip_t));
}

void
redis_where_failed(redis_where_t *where, const redis_ip_t ip)
{
    if (strcmp(ip, where->current) == 0) {
        where->failed = 1;
    }
}
