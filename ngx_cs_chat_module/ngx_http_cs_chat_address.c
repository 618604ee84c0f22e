#include "ngx_http_cs_chat_address.h"
#include "ngx_http_cs_chat_tree.h"
#include "ngx_http_cs_chat_zone.h"


#define IPV4 0xffff000000000000 /* no IPv6 address that is a client's */


/* The sockets that one process has of an address. */
typedef struct {
    ngx_rbtree_node_t node; /* key: from the address */
    uint64_t address;
    ngx_pid_t pid;
    uint32_t count;
} ngx_http_cs_chat_address_t;


static ngx_http_cs_chat_address_t *ngx_http_cs_chat_address_count(
    ngx_rbtree_t *tree, uint64_t address, ngx_uint_t *count);


uint64_t
ngx_http_cs_chat_address(struct sockaddr *sockaddr)
{
    u_char *p;
    in_addr_t addr;
    struct sockaddr_in *sin;
#if (NGX_HAVE_INET6)
    ngx_uint_t i;
    uint64_t half;
    struct sockaddr_in6 *sin6;
#endif

    switch (sockaddr->sa_family) {
    case AF_INET:
        sin = (struct sockaddr_in *) sockaddr;
        addr = sin->sin_addr.s_addr;
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sockaddr;
        p = sin6->sin6_addr.s6_addr;

        if (!IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            half = 0;

            for (i = 0; i < 8; i++) {
                half = half << 8 | p[i];
            }

            /* "::1" has nothing in its first half */

            return half ? half : 1;
        }

        ngx_memcpy(&addr, p + 12, sizeof(addr));
        break;
#endif

    default:
        return 0;
    }

    p = (u_char *) &addr;

    return IPV4 | (uint64_t) p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}


ngx_int_t
ngx_http_cs_chat_address_take(
    ngx_shm_zone_t *zone, uint64_t address, ngx_uint_t limit)
{
    ngx_int_t rc;
    ngx_uint_t count;
    ngx_rbtree_t *tree;
    ngx_http_cs_chat_address_t *own;

    rc = NGX_OK;
    ngx_http_cs_chat_zone_lock(zone);
    tree = ngx_http_cs_chat_zone_addresses(zone);
    own = ngx_http_cs_chat_address_count(tree, address, &count);

    if (count >= limit) {
        rc = NGX_BUSY;

    } else if (own != NULL) {
        own->count++;

    } else {
        own = ngx_http_cs_chat_zone_alloc_half(
            zone, sizeof(ngx_http_cs_chat_address_t));

        if (own == NULL) {
            rc = NGX_DECLINED;

        } else {
            own->node.key = (ngx_rbtree_key_t) (address ^ address >> 32);
            own->address = address;
            own->pid = ngx_pid;
            own->count = 1;
            ngx_rbtree_insert(tree, &own->node);
        }
    }

    ngx_http_cs_chat_zone_unlock(zone);

    return rc;
}


void
ngx_http_cs_chat_address_release(ngx_shm_zone_t *zone, uint64_t address)
{
    ngx_uint_t count;
    ngx_rbtree_t *tree;
    ngx_http_cs_chat_address_t *own;

    ngx_http_cs_chat_zone_lock(zone);
    tree = ngx_http_cs_chat_zone_addresses(zone);
    own = ngx_http_cs_chat_address_count(tree, address, &count);

    if (own != NULL && --own->count == 0) {
        ngx_rbtree_delete(tree, &own->node);
        ngx_http_cs_chat_zone_free(zone, own);
    }

    ngx_http_cs_chat_zone_unlock(zone);
}


/* The sockets of an address, and what this process has of them, or NULL. */

static ngx_http_cs_chat_address_t *
ngx_http_cs_chat_address_count(
    ngx_rbtree_t *tree, uint64_t address, ngx_uint_t *count)
{
    ngx_rbtree_key_t key;
    ngx_rbtree_node_t *node;
    ngx_http_cs_chat_address_t *entry, *own;

    own = NULL;
    *count = 0;
    key = (ngx_rbtree_key_t) (address ^ address >> 32);

    for (node = ngx_http_cs_chat_tree_first(tree, key);
         node != NULL && node->key == key; node = ngx_rbtree_next(tree, node))
    {
        entry = ngx_rbtree_data(node, ngx_http_cs_chat_address_t, node);

        if (entry->address != address) {
            continue;
        }

        *count += entry->count;

        if (entry->pid == ngx_pid) {
            own = entry;
        }
    }

    return own;
}


void
ngx_http_cs_chat_address_init(ngx_shm_zone_t *zone)
{
    ngx_rbtree_t *tree;
    ngx_rbtree_node_t *node, *next;
    ngx_http_cs_chat_address_t *entry;

    ngx_http_cs_chat_zone_lock(zone);
    tree = ngx_http_cs_chat_zone_addresses(zone);

    for (node = ngx_http_cs_chat_tree_first(tree, 0); node != NULL; node = next)
    {
        next = ngx_rbtree_next(tree, node);
        entry = ngx_rbtree_data(node, ngx_http_cs_chat_address_t, node);

        if (entry->pid == ngx_pid
            || (kill(entry->pid, 0) == -1 && ngx_errno == NGX_ESRCH))
        {
            ngx_rbtree_delete(tree, node);
            ngx_http_cs_chat_zone_free(zone, entry);
        }
    }

    ngx_http_cs_chat_zone_unlock(zone);
}
