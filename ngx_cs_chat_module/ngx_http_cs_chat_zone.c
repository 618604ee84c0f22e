#include "ngx_http_cs_chat_zone.h"

#include "csc_uuid.h"


#define KEY_LEN NGX_HTTP_CS_CHAT_TOKEN_KEY_LEN
#define ROLE_LEN 16 /* of the longest role, at most */


typedef struct {
    ngx_rbtree_node_t node; /* key: the first bytes of the token key */
    time_t expires;
    u_char key[KEY_LEN];
} ngx_http_cs_chat_revoked_t;


typedef struct {
    ngx_str_node_t sn; /* str.data is the user's id below */
    size_t len;
    u_char role[ROLE_LEN];
    u_char user[CSC_UUID_LEN];
} ngx_http_cs_chat_role_t;


typedef struct {
    ngx_rbtree_t revoked;
    ngx_rbtree_t roles;
    ngx_rbtree_t addresses;
    ngx_rbtree_node_t sentinel;
    ngx_uint_t count; /* of revoked */
    uint64_t full;    /* times that there was no room */
    void *metrics;
} ngx_http_cs_chat_shared_t;


typedef struct {
    ngx_http_cs_chat_shared_t *shared;
    ngx_slab_pool_t *slab;
} ngx_http_cs_chat_zone_t;


static ngx_int_t ngx_http_cs_chat_zone_init(ngx_shm_zone_t *zone, void *old);
static void ngx_http_cs_chat_zone_insert(ngx_rbtree_node_t *root,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static ngx_http_cs_chat_revoked_t *ngx_http_cs_chat_zone_find(
    ngx_http_cs_chat_shared_t *shared, u_char *key);
static ngx_rbtree_key_t ngx_http_cs_chat_zone_hash(u_char *key);
static ngx_http_cs_chat_role_t *ngx_http_cs_chat_zone_role(
    ngx_http_cs_chat_shared_t *shared, u_char *user);
static void ngx_http_cs_chat_zone_purge(ngx_http_cs_chat_zone_t *ctx);


ngx_shm_zone_t *
ngx_http_cs_chat_zone_add(ngx_conf_t *cf, ngx_str_t *name, size_t size)
{
    ngx_shm_zone_t *zone;
    ngx_http_cs_chat_zone_t *ctx;

    ctx = ngx_pcalloc(cf->pool, sizeof(ngx_http_cs_chat_zone_t));
    if (ctx == NULL) {
        return NULL;
    }

    zone = ngx_shared_memory_add(cf, name, size, &ngx_http_cs_chat_module);
    if (zone == NULL) {
        return NULL;
    }

    zone->init = ngx_http_cs_chat_zone_init;
    zone->data = ctx;

    return zone;
}


static ngx_int_t
ngx_http_cs_chat_zone_init(ngx_shm_zone_t *zone, void *old)
{
    ngx_http_cs_chat_zone_t *ctx, *previous;

    ctx = zone->data;
    previous = old;

    if (previous != NULL) {
        *ctx = *previous;
        return NGX_OK;
    }

    ctx->slab = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        ctx->shared = ctx->slab->data;
        return NGX_OK;
    }

    ctx->shared = ngx_slab_calloc(ctx->slab, sizeof(ngx_http_cs_chat_shared_t));
    if (ctx->shared == NULL) {
        return NGX_ERROR;
    }

    ctx->slab->data = ctx->shared;
    ctx->slab->log_nomem = 0;

    ngx_rbtree_init(&ctx->shared->revoked, &ctx->shared->sentinel,
        ngx_http_cs_chat_zone_insert);
    ngx_rbtree_init(&ctx->shared->roles, &ctx->shared->sentinel,
        ngx_str_rbtree_insert_value);
    ngx_rbtree_init(&ctx->shared->addresses, &ctx->shared->sentinel,
        ngx_rbtree_insert_value);

    return NGX_OK;
}


ngx_int_t
ngx_http_cs_chat_zone_revoke(ngx_shm_zone_t *zone, u_char *key, time_t expires)
{
    ngx_int_t rc;
    ngx_http_cs_chat_zone_t *ctx;
    ngx_http_cs_chat_revoked_t *revoked;

    if (expires + NGX_HTTP_CS_CHAT_CLOCK_MARGIN <= ngx_time()) {
        return NGX_OK;
    }

    ctx = zone->data;
    rc = NGX_OK;

    ngx_shmtx_lock(&ctx->slab->mutex);

    if (ngx_http_cs_chat_zone_find(ctx->shared, key) != NULL) {
        goto done;
    }

    revoked = ngx_http_cs_chat_zone_alloc(
        zone, sizeof(ngx_http_cs_chat_revoked_t));

    if (revoked == NULL) {
        rc = NGX_DECLINED;
        goto done;
    }

    revoked->node.key = ngx_http_cs_chat_zone_hash(key);
    revoked->expires = expires;
    ngx_memcpy(revoked->key, key, KEY_LEN);

    ngx_rbtree_insert(&ctx->shared->revoked, &revoked->node);
    ctx->shared->count++;

done:

    ngx_shmtx_unlock(&ctx->slab->mutex);

    return rc;
}


ngx_int_t
ngx_http_cs_chat_zone_set_role(
    ngx_shm_zone_t *zone, csc_str_t user, csc_str_t role)
{
    ngx_int_t rc;
    ngx_http_cs_chat_zone_t *ctx;
    ngx_http_cs_chat_role_t *known;

    if (user.len != CSC_UUID_LEN || role.len > ROLE_LEN) {
        return NGX_DECLINED;
    }

    ctx = zone->data;
    rc = NGX_OK;

    ngx_shmtx_lock(&ctx->slab->mutex);

    known = ngx_http_cs_chat_zone_role(ctx->shared, (u_char *) user.data);

    if (known == NULL) {
        known = ngx_http_cs_chat_zone_alloc(
            zone, sizeof(ngx_http_cs_chat_role_t));

        if (known == NULL) {
            rc = NGX_DECLINED;
            goto done;
        }

        ngx_memcpy(known->user, user.data, CSC_UUID_LEN);
        known->sn.str.data = known->user;
        known->sn.str.len = CSC_UUID_LEN;
        known->sn.node.key = ngx_murmur_hash2(known->user, CSC_UUID_LEN);

        ngx_rbtree_insert(&ctx->shared->roles, &known->sn.node);
    }

    known->len = role.len;
    ngx_memcpy(known->role, role.data, role.len);

done:

    ngx_shmtx_unlock(&ctx->slab->mutex);

    return rc;
}


ngx_uint_t
ngx_http_cs_chat_zone_refuses(
    ngx_shm_zone_t *zone, ngx_http_cs_chat_claims_t *claims)
{
    ngx_uint_t refuses;
    ngx_http_cs_chat_zone_t *ctx;
    ngx_http_cs_chat_role_t *known;

    ctx = zone->data;

    ngx_shmtx_lock(&ctx->slab->mutex);

    refuses = ngx_http_cs_chat_zone_find(ctx->shared, claims->key) != NULL;

    if (!refuses) {
        known = ngx_http_cs_chat_zone_role(ctx->shared, claims->user.data);

        refuses =
            known != NULL
            && (known->len != claims->role.len
                || ngx_memcmp(known->role, claims->role.data, known->len) != 0);
    }

    ngx_shmtx_unlock(&ctx->slab->mutex);

    return refuses;
}


ngx_int_t
ngx_http_cs_chat_zone_each(ngx_shm_zone_t *zone,
    ngx_http_cs_chat_zone_visit_pt visit, void *data, ngx_log_t *log)
{
    ngx_uint_t i, n, room;
    ngx_rbtree_node_t *node;
    ngx_http_cs_chat_zone_t *ctx;
    ngx_http_cs_chat_revoked_t *revoked, *copy;

    ctx = zone->data;
    room = ctx->shared->count + 64;

    copy = ngx_alloc(room * sizeof(ngx_http_cs_chat_revoked_t), log);
    if (copy == NULL) {
        return NGX_ERROR;
    }

    n = 0;

    ngx_shmtx_lock(&ctx->slab->mutex);

    if (ctx->shared->revoked.root != &ctx->shared->sentinel) {
        node = ngx_rbtree_min(
            ctx->shared->revoked.root, &ctx->shared->sentinel);

        while (node != NULL && n < room) {
            revoked = ngx_rbtree_data(node, ngx_http_cs_chat_revoked_t, node);
            copy[n++] = *revoked;
            node = ngx_rbtree_next(&ctx->shared->revoked, node);
        }
    }

    ngx_shmtx_unlock(&ctx->slab->mutex);

    for (i = 0; i < n; i++) {
        if (copy[i].expires + NGX_HTTP_CS_CHAT_CLOCK_MARGIN > ngx_time()) {
            visit(data, copy[i].key, copy[i].expires);
        }
    }

    ngx_free(copy);

    return NGX_OK;
}


/* Token keys are digests in hexadecimal: any part of one is a good hash. */

static ngx_rbtree_key_t
ngx_http_cs_chat_zone_hash(u_char *key)
{
    ngx_rbtree_key_t hash;

    ngx_memcpy(&hash, key, sizeof(hash));

    return hash;
}


static ngx_http_cs_chat_revoked_t *
ngx_http_cs_chat_zone_find(ngx_http_cs_chat_shared_t *shared, u_char *key)
{
    ngx_int_t rc;
    ngx_rbtree_key_t hash;
    ngx_rbtree_node_t *node;
    ngx_http_cs_chat_revoked_t *revoked;

    hash = ngx_http_cs_chat_zone_hash(key);
    node = shared->revoked.root;

    while (node != &shared->sentinel) {
        if (hash != node->key) {
            node = (hash < node->key) ? node->left : node->right;
            continue;
        }

        revoked = ngx_rbtree_data(node, ngx_http_cs_chat_revoked_t, node);
        rc = ngx_memcmp(key, revoked->key, KEY_LEN);

        if (rc == 0) {
            return revoked;
        }

        node = (rc < 0) ? node->left : node->right;
    }

    return NULL;
}


static void
ngx_http_cs_chat_zone_insert(ngx_rbtree_node_t *root, ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t **p;
    ngx_http_cs_chat_revoked_t *one, *other;

    for (;;) {
        if (node->key != root->key) {
            p = (node->key < root->key) ? &root->left : &root->right;

        } else {
            one = ngx_rbtree_data(node, ngx_http_cs_chat_revoked_t, node);
            other = ngx_rbtree_data(root, ngx_http_cs_chat_revoked_t, node);

            p = (ngx_memcmp(one->key, other->key, KEY_LEN) < 0) ? &root->left
                                                                : &root->right;
        }

        if (*p == sentinel) {
            break;
        }

        root = *p;
    }

    *p = node;
    node->parent = root;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


static ngx_http_cs_chat_role_t *
ngx_http_cs_chat_zone_role(ngx_http_cs_chat_shared_t *shared, u_char *user)
{
    ngx_str_t name;

    name.data = user;
    name.len = CSC_UUID_LEN;

    return (ngx_http_cs_chat_role_t *) ngx_str_rbtree_lookup(
        &shared->roles, &name, ngx_murmur_hash2(user, CSC_UUID_LEN));
}


void
ngx_http_cs_chat_zone_state(
    ngx_shm_zone_t *zone, ngx_http_cs_chat_zone_state_t *state)
{
    ngx_http_cs_chat_zone_t *ctx;

    ctx = zone->data;

    state->size = zone->shm.size;
    state->free = ctx->slab->pfree * ngx_pagesize;
    state->revoked = ctx->shared->count;
    state->full = ctx->shared->full;
}


ngx_rbtree_t *
ngx_http_cs_chat_zone_addresses(ngx_shm_zone_t *zone)
{
    return &((ngx_http_cs_chat_zone_t *) zone->data)->shared->addresses;
}


void **
ngx_http_cs_chat_zone_metrics(ngx_shm_zone_t *zone)
{
    return &((ngx_http_cs_chat_zone_t *) zone->data)->shared->metrics;
}


void
ngx_http_cs_chat_zone_lock(ngx_shm_zone_t *zone)
{
    ngx_shmtx_lock(&((ngx_http_cs_chat_zone_t *) zone->data)->slab->mutex);
}


void
ngx_http_cs_chat_zone_unlock(ngx_shm_zone_t *zone)
{
    ngx_shmtx_unlock(&((ngx_http_cs_chat_zone_t *) zone->data)->slab->mutex);
}


void *
ngx_http_cs_chat_zone_alloc(ngx_shm_zone_t *zone, size_t size)
{
    void *p;
    ngx_http_cs_chat_zone_t *ctx;

    ctx = zone->data;
    p = ngx_slab_alloc_locked(ctx->slab, size);

    if (p == NULL) {
        ngx_http_cs_chat_zone_purge(ctx);
        p = ngx_slab_alloc_locked(ctx->slab, size);
    }

    if (p == NULL) {
        ctx->shared->full++;
    }

    return p;
}


void *
ngx_http_cs_chat_zone_alloc_half(ngx_shm_zone_t *zone, size_t size)
{
    ngx_slab_pool_t *slab;

    slab = ((ngx_http_cs_chat_zone_t *) zone->data)->slab;

    if (slab->pfree <= (ngx_uint_t) (slab->last - slab->pages) / 2) {
        return NULL;
    }

    return ngx_slab_alloc_locked(slab, size);
}


void
ngx_http_cs_chat_zone_free(ngx_shm_zone_t *zone, void *p)
{
    ngx_slab_free_locked(((ngx_http_cs_chat_zone_t *) zone->data)->slab, p);
}


/* Drops what has ended by itself; only a full zone pays for the walk. */

static void
ngx_http_cs_chat_zone_purge(ngx_http_cs_chat_zone_t *ctx)
{
    ngx_rbtree_node_t *node, *next;
    ngx_http_cs_chat_shared_t *shared;
    ngx_http_cs_chat_revoked_t *revoked;

    shared = ctx->shared;

    if (shared->revoked.root == &shared->sentinel) {
        return;
    }

    node = ngx_rbtree_min(shared->revoked.root, &shared->sentinel);

    while (node != NULL) {
        next = ngx_rbtree_next(&shared->revoked, node);
        revoked = ngx_rbtree_data(node, ngx_http_cs_chat_revoked_t, node);

        if (revoked->expires <= ngx_time()) {
            ngx_rbtree_delete(&shared->revoked, node);
            ngx_slab_free_locked(ctx->slab, revoked);
            shared->count--;
        }

        node = next;
    }
}
