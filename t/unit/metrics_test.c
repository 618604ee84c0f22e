/* Metrics: the tables, the record on the bus, the page in both formats. */

#include "unit.h"

#include "csc_json.h"
#include "csc_metrics.h"
#include "csc_text.h"

static csc_nginx_metrics_t nginx;
static csc_worker_metrics_t worker;
static char page[131072];

#define NGINX_ROW ((uint64_t *) &nginx)
#define WORKER_ROW ((uint64_t *) &worker)


static int
setup(void **state)
{
    (void) state;

    memset(&nginx, 0, sizeof(nginx));
    memset(&worker, 0, sizeof(worker));

    return 0;
}


/* Every value of a set belongs to one metric, in order, without a gap. */
static void
check_table(const csc_metrics_set_t *set)
{
    size_t i, j, offset = 0;
    const csc_metric_t *metric;
    const char *total;

    for (i = 0; i < set->count; i++) {
        metric = &set->metrics[i];
        assert_int_equal(metric->offset, offset);
        assert_true(strlen(metric->help) > 10);
        assert_null(strpbrk(metric->help, "\\\n"));
        assert_int_equal(
            metric->name[strspn(metric->name, "abcdefghijklmnopqrstuvwxyz_")],
            '\0');

        total = strstr(metric->name, "_total");
        assert_int_equal(total != NULL, metric->type == CSC_METRIC_COUNTER);
        assert_int_equal(strstr(metric->name, "_seconds") != NULL,
            metric->unit == CSC_METRIC_US);

        for (j = 0; j < i; j++) {
            assert_string_not_equal(metric->name, set->metrics[j].name);
        }

        offset += csc_metrics_width(metric);
    }

    assert_int_equal(set->values, offset);
}


static void
test_tables(void **state)
{
    (void) state;

    check_table(&csc_nginx_metrics);
    check_table(&csc_worker_metrics);
}


static void
test_observe(void **state)
{
    (void) state;

    csc_metrics_observe(&nginx.delivery, CSC_METRIC_US, 0);
    csc_metrics_observe(&nginx.delivery, CSC_METRIC_US, 100);
    csc_metrics_observe(&nginx.delivery, CSC_METRIC_US, 101);
    csc_metrics_observe(&nginx.delivery, CSC_METRIC_US, 10000000);
    csc_metrics_observe(&nginx.delivery, CSC_METRIC_US, 10000001);

    assert_int_equal(nginx.delivery.buckets[0], 2);
    assert_int_equal(nginx.delivery.buckets[1], 1);
    assert_int_equal(nginx.delivery.buckets[CSC_METRICS_BOUNDS - 1], 1);
    assert_int_equal(nginx.delivery.buckets[CSC_METRICS_BOUNDS], 1);
    assert_int_equal(nginx.delivery.sum, 20000202);
}


static void
test_labels(void **state)
{
    (void) state;

    assert_int_equal(csc_metrics_class(csc_str("message")), CSC_CLASS_MESSAGE);
    assert_int_equal(csc_metrics_class(csc_str("legacy")), CSC_CLASS_LEGACY);
    assert_int_equal(csc_metrics_class(csc_str("")), CSC_CLASS_OTHER);
    assert_int_equal(csc_metrics_class(csc_str("messages")), CSC_CLASS_OTHER);

    assert_int_equal(csc_metrics_close(1000), 0);
    assert_int_equal(csc_metrics_close(4003), CSC_CLOSE_MAX - 2);
    assert_int_equal(csc_metrics_close(3999), CSC_CLOSE_MAX - 1);
}


static void
test_add(void **state)
{
    csc_nginx_metrics_t sum;

    (void) state;

    memset(&sum, 0, sizeof(sum));
    nginx.sockets = 3;
    nginx.received = 5;
    nginx.errors[CSC_E_NOT_FOUND] = 7;
    nginx.delivery.sum = 9;

    csc_metrics_add(&csc_nginx_metrics, (uint64_t *) &sum, NGINX_ROW);
    csc_metrics_add_counters(&csc_nginx_metrics, (uint64_t *) &sum, NGINX_ROW);

    assert_int_equal(sum.sockets, 3);
    assert_int_equal(sum.received, 10);
    assert_int_equal(sum.errors[CSC_E_NOT_FOUND], 14);
    assert_int_equal(sum.delivery.sum, 18);
}


/* What is written is read again, and any part of it is refused or harmless. */
static void
test_record(void **state)
{
    size_t i, len;
    csc_str_t text;
    csc_worker_metrics_t again;

    (void) state;

    for (i = 0; i < csc_worker_metrics.values; i++) {
        WORKER_ROW[i] = i * 7919;
    }

    WORKER_ROW[0] = INT64_MAX;

    len = csc_metrics_encode(
        &csc_worker_metrics, WORKER_ROW, (unsigned char *) page, sizeof(page));
    assert_true(len < sizeof(page));
    text = unit_copy(unit_view(page, len));

    assert_int_equal(
        csc_metrics_decode(&csc_worker_metrics, text, (uint64_t *) &again),
        CSC_OK);
    assert_memory_equal(&worker, &again, sizeof(worker));

    for (i = 0; i < len; i++) {
        csc_str_t part = unit_copy(unit_view(page, i));

        assert_int_equal(
            csc_metrics_decode(&csc_worker_metrics, part, (uint64_t *) &again),
            i == 0 || page[i - 1] == '\n' ? CSC_OK : CSC_ERROR);
        unit_free(part);
    }

    unit_free(text);
}


static void
test_record_other(void **state)
{
    static const char *const bad[] = { "shards", "shards x\n", "shards \n",
        "shards  1\n", " 1\n", "\n", "shards -1\n", "shards 1 \n",
        "shards 99999999999999999999\n", "shards 1\nx" };
    size_t i;

    (void) state;

    assert_int_equal(
        csc_metrics_decode(&csc_worker_metrics,
            csc_str("unknown 1 2 3\nshards 9\nusers 1 2\nunknown\n"),
            WORKER_ROW),
        CSC_OK);
    assert_int_equal(worker.shards, 9);
    assert_int_equal(worker.users, 0);

    for (i = 0; i < UNIT_COUNT(bad); i++) {
        assert_int_equal(csc_metrics_decode(
                             &csc_worker_metrics, csc_str(bad[i]), WORKER_ROW),
            CSC_ERROR);
    }
}


static void
check_line(const char *line)
{
    const char *at = strstr(page, line);

    if (at == NULL || (at != page && at[-1] != '\n')) {
        fail_msg("no line \"%s\"", line);
    }
}


static void
test_text(void **state)
{
    size_t len;
    csc_metrics_row_t row = { CSC_STR_NULL, NGINX_ROW };

    (void) state;

    nginx.sockets = 12;
    nginx.cpu = 1500000;
    nginx.errors[CSC_E_BACKEND_TIMEOUT] = 2;
    csc_metrics_observe(
        &nginx.requests[CSC_TRANSPORT_HTTP], CSC_METRIC_US, 2400);
    csc_metrics_observe(
        &nginx.requests[CSC_TRANSPORT_HTTP], CSC_METRIC_US, 20000000);

    len = csc_metrics_text(&csc_nginx_metrics, &row, 1, NULL, 0);
    assert_true(len < sizeof(page));
    assert_int_equal(csc_metrics_text(&csc_nginx_metrics, &row, 1,
                         (unsigned char *) page, sizeof(page) - 1),
        len);
    page[len] = '\0';

    check_line("# HELP cs_chat_websockets Open WebSockets.\n"
               "# TYPE cs_chat_websockets gauge\n"
               "cs_chat_websockets 12\n");
    check_line("cs_chat_nginx_cpu_seconds_total 1.5\n");
    check_line("cs_chat_errors_total{code=\"BACKEND_TIMEOUT\"} 2\n");
    check_line("cs_chat_request_duration_seconds_bucket{transport=\"http\","
               "le=\"0.001\"} 0\n"
               "cs_chat_request_duration_seconds_bucket{transport=\"http\","
               "le=\"0.0025\"} 1\n");
    check_line(
        "cs_chat_request_duration_seconds_bucket{transport=\"http\","
        "le=\"10\"} 1\n"
        "cs_chat_request_duration_seconds_bucket{transport=\"http\","
        "le=\"+Inf\"} 2\n"
        "cs_chat_request_duration_seconds_sum{transport=\"http\"} "
        "20.0024\n"
        "cs_chat_request_duration_seconds_count{transport=\"http\"} 2\n");
    assert_null(strstr(page, "\"NONE\""));
}


static void
test_text_rows(void **state)
{
    size_t len;
    csc_worker_metrics_t other;
    csc_metrics_row_t rows[2] = {
        { CSC_STR("00000000000000aa"), WORKER_ROW },
        { CSC_STR("00000000000000bb"), (uint64_t *) &other },
    };

    (void) state;

    memset(&other, 0, sizeof(other));
    worker.shards = 30;
    other.shards = 34;
    other.requests[CSC_OP_HEALTH] = 1;

    len = csc_metrics_text(
        &csc_worker_metrics, rows, 2, (unsigned char *) page, sizeof(page) - 1);
    assert_true(len < sizeof(page));
    page[len] = '\0';

    check_line("# TYPE cs_chat_worker_shards gauge\n"
               "cs_chat_worker_shards{worker=\"00000000000000aa\"} 30\n"
               "cs_chat_worker_shards{worker=\"00000000000000bb\"} 34\n");
    check_line("cs_chat_worker_requests_total{worker=\"00000000000000bb\","
               "op=\"health\"} 1\n");

    assert_int_equal(
        csc_metrics_text(&csc_worker_metrics, rows, 0, NULL, 0), 0);
}


static void
test_json(void **state)
{
    csc_str_t text;
    csc_json_writer_t *w = csc_json_writer();
    csc_metrics_row_t row = { CSC_STR("00000000000000aa"), WORKER_ROW };

    (void) state;

    worker.uptime = 250000;
    csc_metrics_observe(&worker.sizes[CSC_BATCH_MARKS], CSC_METRIC_PLAIN, 3);

    csc_json_object(w);
    csc_metrics_json(w, &csc_worker_metrics, &row, 1);
    csc_json_end_object(w);

    assert_int_equal(csc_json_finish(w, &text), CSC_OK);
    assert_true(text.len < sizeof(page));
    memcpy(page, text.data, text.len);
    page[text.len] = '\0';

    assert_non_null(strstr(page,
        "\"cs_chat_worker_uptime_seconds\":{\"type\":\"gauge\",\"help\":"
        "\"Time since the start.\",\"samples\":[{\"labels\":{\"worker\":"
        "\"00000000000000aa\"},\"value\":0.25}]}"));
    assert_non_null(strstr(page,
        "{\"labels\":{\"worker\":\"00000000000000aa\",\"kind\":\"marks\"},"
        "\"buckets\":{\"1\":0,\"2\":0,\"4\":1,"));
    assert_non_null(strstr(page, "\"+Inf\":1},\"sum\":3,\"count\":1}"));

    csc_json_free(w);
}


static void
check_seconds(uint64_t us, const char *wanted)
{
    unsigned char out[40];
    csc_text_t text = { out, sizeof(out), 0 };

    csc_text_seconds(&text, us);
    unit_assert_str(unit_view((char *) out, text.len), wanted);
}


/* Memory that is too small is filled and no more. */
static void
test_text_writer(void **state)
{
    unsigned char out[6] = "......";
    csc_text_t text = { out, 5, 0 };

    (void) state;

    check_seconds(0, "0");
    check_seconds(1, "0.000001");
    check_seconds(100, "0.0001");
    check_seconds(1500000, "1.5");
    check_seconds(10000000, "10");
    check_seconds(UINT64_MAX, "18446744073709.551615");

    csc_text_puts(&text, "abc");
    csc_text_puts(&text, "");
    csc_text_number(&text, 4567);
    csc_text_puts(&text, "more");
    assert_int_equal(text.len, 11);
    assert_memory_equal(out, "abc45.", 6);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test_setup(test_observe, setup),
        cmocka_unit_test(test_labels),
        cmocka_unit_test_setup(test_add, setup),
        cmocka_unit_test_setup(test_record, setup),
        cmocka_unit_test_setup(test_record_other, setup),
        cmocka_unit_test_setup(test_text, setup),
        cmocka_unit_test_setup(test_text_rows, setup),
        cmocka_unit_test_setup(test_json, setup),
        cmocka_unit_test(test_text_writer),
    };

    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
