#include <stdio.h>

#include "paths.h"
#include "tool.h"

#define MAX_PATH 128


static char **
path_of_chat(const options_t *options)
{
    char **paths = tool_alloc(2, sizeof(char *));

    paths[0] = load_path(options, "ws");
    return paths;
}


char **
paths_of_pairs(const options_t *options, const pairs_t *pairs)
{
    char **paths, behind[MAX_PATH];
    size_t i;

    if (!options->relay) {
        return path_of_chat(options);
    }

    paths = tool_alloc(2 * pairs->n + 1, sizeof(char *));
    for (i = 0; i < 2 * pairs->n; i++) {
        snprintf(
            behind, sizeof(behind), "pair/%s/%zu", pairs->chats[i / 2], i & 1);
        paths[i] = load_path(options, behind);
    }

    return paths;
}


char **
paths_of_writer(const options_t *options)
{
    char **paths;

    if (!options->relay) {
        return path_of_chat(options);
    }

    paths = tool_alloc(2, sizeof(char *));
    paths[0] = load_path(options, "say/0");
    return paths;
}


char **
paths_of_listeners(const options_t *options, size_t topics)
{
    char **paths, behind[MAX_PATH];
    size_t i;

    if (!options->relay) {
        return path_of_chat(options);
    }

    paths = tool_alloc(topics + 1, sizeof(char *));
    for (i = 0; i < topics; i++) {
        snprintf(behind, sizeof(behind), "topic/%zu", i);
        paths[i] = load_path(options, behind);
    }

    return paths;
}
