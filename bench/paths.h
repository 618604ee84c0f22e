/*
 * Where sockets are opened: at the chat all at one path; at a relay, which
 * knows neither chats nor users, the path says who hears what.
 */

#ifndef BENCH_PATHS_H
#define BENCH_PATHS_H

#include "load.h"
#include "pairs.h"

/* All return arrays that end with NULL; nothing is ever freed. */

/* Of the pairs' sockets: the customer's and the agent's of each in turn. */
char **paths_of_pairs(const options_t *options, const pairs_t *pairs);

/* Of who writes into a topic of a relay, or into anything of the chat. */
char **paths_of_writer(const options_t *options);

/* Of those who hear one of so many topics. */
char **paths_of_listeners(const options_t *options, size_t topics);

#endif /* BENCH_PATHS_H */
