/*
 * What clients send, taken apart and checked: JSON bodies, WebSocket events
 * and query strings.  All return CSC_OK, or CSC_ERROR with the fault filled
 * in (INVALID_INPUT with the field that is wrong).
 */

#ifndef INPUT_H
#define INPUT_H

#include "../common/csc_error.h"
#include "../common/csc_json.h"
#include "../common/csc_uuid.h"
#include "bus.h"

int input_fault(csc_fault_t *fault, const char *field, const char *sentence);

/*
 * Reads the body's fields; their scope is set here: the outermost object, or
 * "data" of a WebSocket event.
 */
int input_body(
    request_t *request, csc_json_field_t *fields, size_t n, csc_fault_t *fault);

/* Absent, null and, where that is allowed, "". */
int input_absent(const csc_json_field_t *field);

/* A text of min to max code points that has to be there. */
int input_text(const csc_json_field_t *field, size_t min, size_t max,
    csc_str_t *value, csc_fault_t *fault);

/* A UUID to out (CSC_UUID_LEN bytes); *value is empty where there is none. */
int input_uuid(const csc_json_field_t *field, unsigned char *out,
    csc_str_t *value, csc_fault_t *fault);

int input_bool(const csc_json_field_t *field, int *value, csc_fault_t *fault);

/* One of the words of a NULL-terminated list. */
int input_word(csc_str_t text, const char *const *words);

extern const char *const input_roles[];
extern const char *const input_statuses[];

/* A parameter of a query string; value is empty where it is not present. */
typedef struct {
    const char *name;
    csc_str_t value;
    int present;
} input_parameter_t;

/*
 * Fills in the named parameters from the request's query string.  Others are
 * passed over; of a name that comes twice the last one counts.
 */
int input_query(request_t *request, input_parameter_t *parameters, size_t n,
    csc_fault_t *fault);

/* A whole number from min to max, or the preset where it is absent. */
int input_number(const input_parameter_t *parameter, uint64_t min, uint64_t max,
    uint64_t preset, uint64_t *value, csc_fault_t *fault);

/* 1 when it is a date and time of RFC 3339 that PostgreSQL takes. */
int input_is_time(csc_str_t text);

#endif /* INPUT_H */
