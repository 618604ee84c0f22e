/*
 * The processes that hash passwords: started when there is something to hash
 * and all that run are busy, up to a number; started anew when one dies.
 */

#ifndef PASSWORD_POOL_H
#define PASSWORD_POOL_H

#include <uv.h>

#include "password_process.h"

typedef struct password_task_s password_task_t;
typedef struct password_slot_s password_slot_t;

/* The answer is gone when the function returns; the task is the owner's. */
typedef void (*password_task_fn)(
    password_task_t *task, const password_answer_t *answer);

/* Embedded in what owns it; must stay until done is called. */
struct password_task_s {
    password_question_t question; /* wiped once it is asked */
    password_task_fn done;
    password_task_t *next;
};

typedef struct {
    uv_loop_t *loop;
    password_slot_t *slots; /* max of them, for a process each */
    size_t max;
    int stopped;
    password_task_t *first; /* that wait for a process */
    password_task_t **last;
} password_pool_t;

/* max: processes, 0 for one per processor.  CSC_ERROR: out of memory. */
int password_pool_init(password_pool_t *pool, uv_loop_t *loop, size_t max);

/*
 * done is called once, later, from the loop; with PASSWORD_FAILED when the
 * process that had the task died.  CSC_ERROR, and done is not called, when no
 * process can be started.
 */
int password_pool_submit(password_pool_t *pool, password_task_t *task);

/* Ends the processes; nothing may be under way. */
void password_pool_stop(password_pool_t *pool);

/* After the loop has ended. */
void password_pool_free(password_pool_t *pool);

#endif /* PASSWORD_POOL_H */
