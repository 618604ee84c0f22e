/* Ids for rows that the worker makes. */

#ifndef RANDOM_ID_H
#define RANDOM_ID_H

/* A new UUIDv7 to out (CSC_UUID_LEN bytes).  CSC_ERROR without randomness. */
int random_id(unsigned char *out);

#endif /* RANDOM_ID_H */
