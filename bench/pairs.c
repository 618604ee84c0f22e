#include <string.h>

#include "pairs.h"
#include "tool.h"


void
pairs_read(pairs_t *pairs, const char *file)
{
    char **lines, *rest;
    size_t i;

    lines = tool_lines(file, &pairs->n);
    pairs->tokens = tool_alloc(2 * pairs->n + 1, sizeof(char *));
    pairs->chats = tool_alloc(pairs->n, sizeof(char *));

    for (i = 0; i < pairs->n; i++) {
        pairs->tokens[2 * i] = strtok_r(lines[i], " ", &rest);
        pairs->tokens[2 * i + 1] = strtok_r(NULL, " ", &rest);
        pairs->chats[i] = strtok_r(NULL, " ", &rest);

        if (pairs->chats[i] == NULL || strlen(pairs->chats[i]) != 36) {
            tool_fail("%s: line %zu is not two tokens and a chat", file, i + 1);
        }
    }
}
