/* The files of sql/, which scripts/embed-sql.sh puts into the program. */

#ifndef SQL_EMBEDDED_H
#define SQL_EMBEDDED_H

typedef struct {
    int number;
    const char *name; /* of the file, without .sql; NULL ends the array */
    const char *sql;
} embedded_sql_t;

/* In the order in which they are applied. */
extern const embedded_sql_t sql_migrations[];
extern const embedded_sql_t sql_functions[];

#endif /* SQL_EMBEDDED_H */
