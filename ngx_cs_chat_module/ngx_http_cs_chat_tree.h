/* Red-black trees in which several nodes may have the same key. */

#ifndef NGX_HTTP_CS_CHAT_TREE_H
#define NGX_HTTP_CS_CHAT_TREE_H

#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The first node in order whose key is not below this one, NULL when there is
 * none; ngx_rbtree_next() goes on from it.
 */
static ngx_inline ngx_rbtree_node_t *
ngx_http_cs_chat_tree_first(ngx_rbtree_t *tree, ngx_rbtree_key_t key)
{
    ngx_rbtree_node_t *node, *first;

    first = NULL;
    node = tree->root;

    while (node != tree->sentinel) {
        if (node->key < key) {
            node = node->right;

        } else {
            first = node;
            node = node->left;
        }
    }

    return first;
}


#endif /* NGX_HTTP_CS_CHAT_TREE_H */
