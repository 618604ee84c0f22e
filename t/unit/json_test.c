/* JSON: what the reader takes and refuses, and what the writer writes. */

#include "unit.h"

#include "csc_json.h"

typedef struct {
    const char *text;
    size_t len;
} json_text_t;

#define TEXT(text)                                                             \
    {                                                                          \
        text, sizeof(text) - 1                                                 \
    }

/* What is read, in memory of just its size. */
typedef struct {
    csc_str_t text;
    unsigned char *scratch;
    const char *why;
} json_input_t;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);

/* Allocations that still succeed; negative: all. */
static int json_allocations = -1;


static int
json_allocation_fails(void)
{
    if (json_allocations < 0) {
        return 0;
    }

    if (json_allocations == 0) {
        return 1;
    }

    json_allocations--;

    return 0;
}


void *
__wrap_malloc(size_t size)
{
    return json_allocation_fails() ? NULL : __real_malloc(size);
}


void *
__wrap_calloc(size_t n, size_t size)
{
    return json_allocation_fails() ? NULL : __real_calloc(n, size);
}


void *
__wrap_realloc(void *old, size_t size)
{
    return json_allocation_fails() ? NULL : __real_realloc(old, size);
}


/* --- reader --- */

static int
json_read(
    json_input_t *input, csc_str_t text, csc_json_field_t *fields, size_t n)
{
    input->text = unit_copy(text);
    input->scratch = malloc(text.len + 1);
    input->why = NULL;

    assert_non_null(input->scratch);

    return csc_json_read(input->text, fields, n, input->scratch, &input->why);
}


static void
json_done(json_input_t *input)
{
    unit_free(input->text);
    free(input->scratch);
}


static int
json_in_text(const json_input_t *input, csc_str_t value)
{
    return value.data >= input->text.data
           && value.data + value.len <= input->text.data + input->text.len;
}


static void
test_types(void **state)
{
    json_input_t input;

    csc_json_field_t f[] = {
        { .name = "null" },
        { .name = "true" },
        { .name = "false" },
        { .name = "number" },
        { .name = "string" },
        { .name = "object" },
        { .name = "array" },
        { .name = "none" },
    };

    (void) state;

    assert_int_equal(
        json_read(&input,
            csc_str(" { \"null\" : null , \"true\":true,\"false\" :false,"
                    "\"number\":\t-1.50e+3 ,\"string\"\n:\r\n\"text\"\r,"
                    "\"object\": { \"a\" : [ 1 ] } ,\"array\":[ ]\n} \n"),
            f, UNIT_COUNT(f)),
        CSC_OK);

    assert_int_equal(f[0].type, CSC_JSON_NULL);
    unit_assert_str(f[0].raw, "null");
    unit_assert_str(f[0].value, "");

    assert_int_equal(f[1].type, CSC_JSON_BOOL);
    assert_int_equal(f[1].boolean, 1);
    unit_assert_str(f[1].raw, "true");

    assert_int_equal(f[2].type, CSC_JSON_BOOL);
    assert_int_equal(f[2].boolean, 0);
    unit_assert_str(f[2].raw, "false");

    assert_int_equal(f[3].type, CSC_JSON_NUMBER);
    unit_assert_str(f[3].raw, "-1.50e+3");
    unit_assert_str(f[3].value, "-1.50e+3");

    assert_int_equal(f[4].type, CSC_JSON_STRING);
    unit_assert_str(f[4].raw, "\"text\"");
    unit_assert_str(f[4].value, "text");
    assert_true(json_in_text(&input, f[4].value));

    assert_int_equal(f[5].type, CSC_JSON_OBJECT);
    unit_assert_str(f[5].raw, "{ \"a\" : [ 1 ] }");
    unit_assert_str(f[5].value, "");

    assert_int_equal(f[6].type, CSC_JSON_ARRAY);
    unit_assert_str(f[6].raw, "[ ]");

    assert_int_equal(f[7].type, CSC_JSON_ABSENT);
    unit_assert_str(f[7].raw, "");

    json_done(&input);
}


/* A number ends where the byte behind it is seen, but does not hold it. */
static void
test_raw_at_the_end(void **state)
{
    size_t i;
    json_input_t input;

    static const char *const vectors[][2] = {
        { "{\"a\":12}", "12" },
        { "{\"a\":12 }", "12" },
        { "{\"a\":12,\"b\":3}", "12" },
        { "{\"b\":3,\"a\":0}", "0" },
        { "{\"a\":-0.5e-3\n}", "-0.5e-3" },
        { "{\"a\":{}}", "{}" },
        { "{\"a\":[[],[{}]]}", "[[],[{}]]" },
        { "{\"a\":\"\"}", "\"\"" },
        { "{\"a\":\"\\\"}\"}", "\"\\\"}\"" },
        { "{\"a\": \"\\u00e9,:\" }", "\"\\u00e9,:\"" },
        { "{\"a\":true}", "true" },
        { "{\"\\u0061\":null}", "null" },
        { "{\"x\":[{\"a\":1}],\"a\" : 2}", "2" },
        { "{\"a\":[1, 2 ,3 ] }", "[1, 2 ,3 ]" },
    };

    (void) state;

    for (i = 0; i < UNIT_COUNT(vectors); i++) {
        csc_json_field_t f = { .name = "a" };

        assert_int_equal(
            json_read(&input, csc_str(vectors[i][0]), &f, 1), CSC_OK);
        unit_assert_str(f.raw, vectors[i][1]);

        json_done(&input);
    }
}


static void
test_strings(void **state)
{
    size_t i;
    json_input_t input;

    static const char *const vectors[][2] = {
        { "{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", "\"\\/\b\f\n\r\t" },
        { "{\"a\":\"\\u00e9\\u20AC\"}", "\xc3\xa9\xe2\x82\xac" },
        { "{\"a\":\"\\ud83d\\ude00!\"}", "\xf0\x9f\x98\x80!" },
        { "{\"a\":\"\\uDBFF\\uDFFF\"}", "\xf4\x8f\xbf\xbf" },
        { "{\"a\":\"\\uD800\\uDC00\"}", "\xf0\x90\x80\x80" },
        { "{\"a\":\"\xf0\x9f\x98\x80\"}", "\xf0\x9f\x98\x80" },
        { "{\"a\":\"\\\\u0000\"}", "\\u0000" },
        { "{\"a\":\"\\\\ud800\"}", "\\ud800" },
        { "{\"a\":\"\\u0001\"}", "\x01" },
        { "{\"a\":\"\"}", "" },
    };

    (void) state;

    for (i = 0; i < UNIT_COUNT(vectors); i++) {
        csc_json_field_t f = { .name = "a" };

        assert_int_equal(
            json_read(&input, csc_str(vectors[i][0]), &f, 1), CSC_OK);
        assert_int_equal(f.type, CSC_JSON_STRING);
        unit_assert_str(f.value, vectors[i][1]);

        json_done(&input);
    }
}


/* Each decoded string keeps its own place. */
static void
test_many_escaped(void **state)
{
    json_input_t input;

    csc_json_field_t f[] = {
        { .name = "a" },
        { .name = "b" },
        { .name = "c" },
        { .name = "b" },
    };

    (void) state;

    assert_int_equal(json_read(&input,
                         csc_str("{\"a\":\"\\n1\",\"b\":\"\\n22\","
                                 "\"c\":\"\\n333\",\"d\":\"\\n4444\"}"),
                         f, UNIT_COUNT(f)),
        CSC_OK);

    unit_assert_str(f[0].value, "\n1");
    unit_assert_str(f[1].value, "\n22");
    unit_assert_str(f[2].value, "\n333");
    unit_assert_str(f[3].value, "\n22");

    json_done(&input);
}


static void
test_scopes(void **state)
{
    json_input_t input;

    csc_json_field_t f[] = {
        { .name = "type" },
        { .scope = "data", .name = "chatId" },
        { .scope = "data", .name = "type" },
        { .name = "data" },
        { .scope = "data", .name = "deep" },
        { .scope = "other", .name = "chatId" },
        { .scope = "list", .name = "chatId" },
        { .name = "chatId" },
    };

    (void) state;

    assert_int_equal(
        json_read(&input,
            csc_str("{\"type\":\"t\",\"x\":{\"chatId\":\"wrong\"},"
                    "\"data\":{\"chatId\":\"c\",\"deep\":{\"chatId\":\"no\","
                    "\"type\":\"no\",\"data\":{\"chatId\":\"no\"}},"
                    "\"list\":[{\"chatId\":\"no\"}],\"type\":\"u\"},"
                    "\"list\":[{\"chatId\":\"no\"},[\"chatId\"]],"
                    "\"y\":{\"data\":{\"chatId\":\"no\"}}}"),
            f, UNIT_COUNT(f)),
        CSC_OK);

    unit_assert_str(f[0].value, "t");
    unit_assert_str(f[1].value, "c");
    unit_assert_str(f[2].value, "u");
    assert_int_equal(f[3].type, CSC_JSON_OBJECT);
    assert_int_equal(f[3].raw.data[0], '{');
    assert_int_equal(f[3].raw.data[f[3].raw.len - 1], '}');
    unit_assert_str(f[4].raw, "{\"chatId\":\"no\",\"type\":\"no\","
                              "\"data\":{\"chatId\":\"no\"}}");
    assert_int_equal(f[5].type, CSC_JSON_ABSENT);
    assert_int_equal(f[6].type, CSC_JSON_ABSENT);
    assert_int_equal(f[7].type, CSC_JSON_ABSENT);

    json_done(&input);
}


/* An error can say which event it is about, if the escape is not in that. */
static void
test_bad_escape_elsewhere(void **state)
{
    size_t i;
    json_input_t input;

    static const char *const vectors[][3] = {
        { "{\"a\":\"x\",\"data\":{\"b\":\"\\ud800\"}}", "\"x\"", "" },
        { "{\"a\":\"\\u0000\",\"data\":{\"b\":\"y\"}}", "", "\"y\"" },
        { "{\"a\":\"x\",\"\\udc00\":1,\"data\":{\"b\":2}}", "\"x\"", "2" },
        { "{\"a\":\"x\",\"c\":\"\\ud800\"", "", "" },
    };

    (void) state;

    for (i = 0; i < UNIT_COUNT(vectors); i++) {
        csc_json_field_t f[] = {
            { .name = "a" },
            { .scope = "data", .name = "b" },
        };

        assert_int_equal(
            json_read(&input, csc_str(vectors[i][0]), f, 2), CSC_ERROR);
        unit_assert_str(f[0].raw, vectors[i][1]);
        unit_assert_str(f[1].raw, vectors[i][2]);

        json_done(&input);
    }
}


static void
test_last_counts(void **state)
{
    size_t i;
    json_input_t input;

    /* the text, then the raw forms of a, data.a and data.b */
    static const char *const vectors[][4] = {
        { "{\"a\":1,\"a\":\"2\"}", "\"2\"", "", "" },
        { "{\"a\":1,\"\\u0061\":null}", "null", "", "" },
        { "{\"data\":{\"a\":1,\"b\":2,\"a\":3}}", "", "3", "2" },
        { "{\"data\":{\"a\":1,\"b\":2},\"data\":{\"b\":4}}", "", "", "4" },
        { "{\"data\":{\"a\":1,\"b\":2},\"data\":{}}", "", "", "" },
        { "{\"data\":{\"a\":1,\"b\":2},\"data\":7}", "", "", "" },
        { "{\"data\":{\"a\":1},\"data\":[{\"a\":2}]}", "", "", "" },
        { "{\"data\":null,\"data\":{\"a\":[2]}}", "", "[2]", "" },
        { "{\"data\":{\"a\":1},\"b\":{\"a\":2},\"a\":3}", "3", "1", "" },
    };

    (void) state;

    for (i = 0; i < UNIT_COUNT(vectors); i++) {
        csc_json_field_t f[] = {
            { .name = "a" },
            { .scope = "data", .name = "a" },
            { .scope = "data", .name = "b" },
        };

        assert_int_equal(
            json_read(&input, csc_str(vectors[i][0]), f, 3), CSC_OK);
        unit_assert_str(f[0].raw, vectors[i][1]);
        unit_assert_str(f[1].raw, vectors[i][2]);
        unit_assert_str(f[2].raw, vectors[i][3]);
        assert_int_equal(f[1].type == CSC_JSON_ABSENT, f[1].raw.len == 0);

        json_done(&input);
    }
}


static void
test_refused(void **state)
{
    size_t i;
    json_input_t input;

    static const json_text_t refused[] = {
        TEXT(""),
        TEXT(" "),
        TEXT("{"),
        TEXT("}"),
        TEXT("{}}"),
        TEXT("{}{}"),
        TEXT("{} x"),
        TEXT("{} \""),
        TEXT("{}\"a"),
        TEXT("{}\"a\""),
        TEXT("{}1"),
        TEXT("{}-"),
        TEXT("{}t"),
        TEXT("{}true"),
        TEXT("{}/"),
        TEXT("{}:"),
        TEXT("{},"),
        TEXT("{}\0"),
        TEXT("{\"a\"}"),
        TEXT("{\"a\":}"),
        TEXT("{\"a\":1,}"),
        TEXT("{\"a\":1 \"b\":2}"),
        TEXT("{a:1}"),
        TEXT("{'a':1}"),
        TEXT("{\"a\":01}"),
        TEXT("{\"a\":+1}"),
        TEXT("{\"a\":.5}"),
        TEXT("{\"a\":1.}"),
        TEXT("{\"a\":NaN}"),
        TEXT("{\"a\":nul}"),
        TEXT("{\"a\":\"x}"),
        TEXT("{\"a\":\"\\x\"}"),
        TEXT("{\"a\":\"\\u12\"}"),
        TEXT("{\"a\":\"\\u12g4\"}"),
        TEXT("{\"a\":\"line\nfeed\"}"),
        TEXT("{\"a\":\"nul\0\"}"),
        TEXT("{\"a\":\f1}"),
        TEXT("{\"a\"\v:1}"),
        TEXT("{\"a\":\"\f\"}"),
        TEXT("\f{}"),
        TEXT("{\"a\":1/**/}"),
        TEXT("{\"a\":1} // no"),
        TEXT("\\u0041{}"),
        TEXT("[]"),
        TEXT("[{\"a\":1}]"),
        TEXT("null"),
        TEXT("true"),
        TEXT("1"),
        TEXT("\"a\""),
        TEXT("\xef\xbb\xbf{}"),
        TEXT("{\"a\":[}"),
        TEXT("{\"a\":[1,]}"),
        TEXT("{\"a\":{]}"),
        TEXT("{\"a\":\"\\"),
        TEXT("{\"a\":\"\\u"),
    };

    (void) state;

    for (i = 0; i < UNIT_COUNT(refused); i++) {
        csc_json_field_t f = { .name = "a" };

        if (json_read(&input, unit_view(refused[i].text, refused[i].len), &f, 1)
            != CSC_ERROR)
        {
            fail_msg("taken: %s", refused[i].text);
        }

        assert_non_null(input.why);
        assert_true(strlen(input.why) > 10);

        json_done(&input);
    }
}


static void
check_refused(csc_str_t text, const char *why)
{
    json_input_t input;
    csc_json_field_t f = { .name = "a" };

    assert_int_equal(json_read(&input, text, &f, 1), CSC_ERROR);
    assert_string_equal(input.why, why);

    json_done(&input);
}


/* What yajl would let pass. */
static void
test_refused_texts(void **state)
{
    size_t i;

    static const char *const surrogates[] = {
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\\udfff\"}",
        "{\"a\":\"\\ud800x\"}",
        "{\"a\":\"\\ud800\\n\"}",
        "{\"a\":\"\\ud800\\u0041\"}",
        "{\"a\":\"\\ud800\\ud800\\udc00\"}",
        "{\"a\":\"\\udc00\\ud800\"}",
        "{\"a\":\"\\uD83D\\uDE00\\uDE00\"}",
        "{\"\\uD83D\":1}",
        "{\"b\":[{\"c\":[\"\\\\\\udbff\"]}]}",
    };
    static const char *const bytes[] = {
        "{\"a\":\"\xc3\"}",
        "{\"a\":\"\xed\xa0\x80\"}",
        "{\"a\":\"\xc0\x80\"}",
        "{\"a\":\"\xf4\x90\x80\x80\"}",
        "{\"\xff\":1}",
        "\xff",
    };

    (void) state;

    for (i = 0; i < UNIT_COUNT(surrogates); i++) {
        check_refused(csc_str(surrogates[i]),
            "A text must not contain a lone surrogate.");
    }

    for (i = 0; i < UNIT_COUNT(bytes); i++) {
        check_refused(csc_str(bytes[i]), "The text is not valid UTF-8.");
    }

    check_refused(
        csc_str("{\"b\":\"x\\u0000\"}"), "A text must not contain \\u0000.");
    check_refused(
        csc_str("{\"\\u0000\":1}"), "A text must not contain \\u0000.");
    check_refused(csc_str("[1]"), "The text is not a JSON object.");
    check_refused(csc_str("1"), "The text is not a JSON object.");
    check_refused(csc_str("{\"a\":tru}"), "The text is not valid JSON.");
}


static void
check_depth(int depth, char open, char close, int rc)
{
    int i;
    char text[512], *p;
    json_input_t input;
    csc_json_field_t f = { .name = "a" };

    p = text;
    p += sprintf(p, "{\"a\":");

    for (i = 1; i < depth; i++) {
        *p++ = open;
        if (open == '{') {
            p += sprintf(p, "\"a\":");
        }
    }

    *p++ = '1';

    for (i = 1; i < depth; i++) {
        *p++ = close;
    }

    *p++ = '}';
    *p = '\0';

    assert_int_equal(json_read(&input, csc_str(text), &f, 1), rc);

    if (rc == CSC_OK) {
        assert_int_equal(f.raw.len, strlen(text) - strlen("{\"a\":}"));

    } else {
        assert_string_equal(input.why, "The JSON is nested too deeply.");
    }

    json_done(&input);
}


static void
test_depth(void **state)
{
    (void) state;

    check_depth(CSC_JSON_MAX_DEPTH, '[', ']', CSC_OK);
    check_depth(CSC_JSON_MAX_DEPTH + 1, '[', ']', CSC_ERROR);
    check_depth(CSC_JSON_MAX_DEPTH, '{', '}', CSC_OK);
    check_depth(CSC_JSON_MAX_DEPTH + 1, '{', '}', CSC_ERROR);
    check_depth(1, '[', ']', CSC_OK);
}


static void
test_no_fields(void **state)
{
    size_t i;
    json_input_t input;
    csc_json_field_t many[CSC_JSON_MAX_FIELDS];

    (void) state;

    assert_int_equal(
        json_read(&input, csc_str("{\"a\":{\"b\":[1]}}"), NULL, 0), CSC_OK);
    json_done(&input);

    memset(many, 0, sizeof(many));

    for (i = 0; i < UNIT_COUNT(many); i++) {
        many[i].name = "last";
        many[i].type = CSC_JSON_NULL; /* of a former use */
    }

    many[UNIT_COUNT(many) - 1].name = "a";

    assert_int_equal(
        json_read(&input, csc_str("{\"a\":1}"), many, UNIT_COUNT(many)),
        CSC_OK);
    assert_int_equal(many[0].type, CSC_JSON_ABSENT);
    unit_assert_str(many[UNIT_COUNT(many) - 1].raw, "1");

    json_done(&input);
}


static void
test_integers(void **state)
{
    size_t i;
    int64_t value;
    csc_json_field_t f = { .type = CSC_JSON_NUMBER };

    static const struct {
        const char *text;
        int64_t value;
    } taken[] = {
        { "0", 0 },
        { "-0", 0 },
        { "-1", -1 },
        { "200", 200 },
        { "9223372036854775807", INT64_MAX },
        { "-9223372036854775808", INT64_MIN },
    };
    static const char *const refused[] = { "", "-", "1.0", "1e2", "1E2",
        "9223372036854775808", "-9223372036854775809", "99999999999999999999",
        "--1" };

    (void) state;

    for (i = 0; i < UNIT_COUNT(taken); i++) {
        f.value = csc_str(taken[i].text);
        assert_int_equal(
            csc_json_integer(&f, INT64_MIN, INT64_MAX, &value), CSC_OK);
        assert_true(value == taken[i].value);
    }

    for (i = 0; i < UNIT_COUNT(refused); i++) {
        f.value = csc_str(refused[i]);
        assert_int_equal(
            csc_json_integer(&f, INT64_MIN, INT64_MAX, &value), CSC_ERROR);
    }

    f.value = csc_str("5");
    assert_int_equal(csc_json_integer(&f, 1, 5, &value), CSC_OK);
    assert_int_equal(csc_json_integer(&f, 1, 4, &value), CSC_ERROR);
    assert_int_equal(csc_json_integer(&f, 6, 9, &value), CSC_ERROR);

    f.type = CSC_JSON_STRING;
    assert_int_equal(csc_json_integer(&f, 1, 5, &value), CSC_ERROR);
    f.type = CSC_JSON_ABSENT;
    assert_int_equal(csc_json_integer(&f, 1, 5, &value), CSC_ERROR);
}


/* --- arrays --- */

/* Reads an array, whose elements are to be as listed, each before a '|'. */
static void
json_elements(const char *text, const char *wanted)
{
    size_t len;
    csc_str_t array, element;
    json_input_t input;
    csc_json_field_t field = { .name = "x" };

    if (json_read(&input, csc_str(text), &field, 1) != CSC_OK) {
        fail_msg("%s: %s", text, input.why);
    }

    array = field.raw;

    for (; *wanted != '\0'; wanted += len + 1) {
        len = strcspn(wanted, "|");

        assert_int_equal(csc_json_next(&array, &element), CSC_OK);
        assert_true(json_in_text(&input, element));
        assert_int_equal(element.len, len);
        assert_memory_equal(element.data, wanted, len);
    }

    assert_int_equal(csc_json_next(&array, &element), CSC_AGAIN);

    json_done(&input);
}


static void
test_elements(void **state)
{
    size_t i;

    static const char *const cases[][2] = {
        { "{\"x\":[]}", "" },
        { "{\"x\":[ \n\t]}", "" },
        { "{\"x\":[1]}", "1|" },
        { "{\"x\":[1,2]}", "1|2|" },
        { "{\"x\": [ 1 , null,true ] }", "1|null|true|" },
        { "{\"x\":[\"\"]}", "\"\"|" },
        { "{\"x\":[\",\",\"]\"]}", "\",\"|\"]\"|" },
        { "{\"x\":[\"\\\"],\",\"\\\\\",3]}", "\"\\\"],\"|\"\\\\\"|3|" },
        { "{\"x\":[[1,2],[],[[3]]]}", "[1,2]|[]|[[3]]|" },
        { "{\"x\":[{\"a\":[1,{\"b\":\"}\"}]}, {} ]}",
            "{\"a\":[1,{\"b\":\"}\"}]}|{}|" },
    };

    (void) state;

    for (i = 0; i < UNIT_COUNT(cases); i++) {
        json_elements(cases[i][0], cases[i][1]);
    }
}


/* What is no array is no reason to read behind its end. */
static void
test_elements_of_nonsense(void **state)
{
    size_t i, len;
    csc_str_t text, copy, element;

    static const char nonsense[] = "[{\"a\":[\"\\\",1]},2";

    (void) state;

    for (len = 0; len < sizeof(nonsense); len++) {
        text.data = (const unsigned char *) nonsense;
        text.len = len;
        text = unit_copy(text);
        copy = text;

        for (i = 0; i < 10; i++) {
            if (csc_json_next(&copy, &element) == CSC_AGAIN) {
                break;
            }
        }

        assert_true(i < 10);
        unit_free(text);
    }
}


/* --- writer --- */

static void
json_write_all(csc_json_writer_t *w)
{
    csc_json_object(w);
    csc_json_key(w, "string");
    csc_json_string(w, csc_str("a \"b\" \\ / \n\x01 \xe2\x82\xac"));
    csc_json_key(w, "empty");
    csc_json_string(w, csc_str(NULL));
    csc_json_key(w, "text");
    csc_json_text(w, "t");
    csc_json_key(w, "none");
    csc_json_text(w, NULL);
    csc_json_key(w, "min");
    csc_json_int(w, INT64_MIN);
    csc_json_key(w, "yes");
    csc_json_bool(w, 2);
    csc_json_key(w, "raw");
    csc_json_raw(w, csc_str("{\"a\":[1]}"));
    csc_json_key(w, "list");
    csc_json_array(w);
    csc_json_int(w, 1);
    csc_json_null(w);
    csc_json_raw(w, csc_str("[2]"));
    csc_json_object(w);
    csc_json_end_object(w);
    csc_json_array(w);
    csc_json_end_array(w);
    csc_json_bool(w, 0);
    csc_json_end_array(w);
    csc_json_end_object(w);
}


static const char json_written[] =
    "{\"string\":\"a \\\"b\\\" \\\\ / \\n\\u0001 \xe2\x82\xac\","
    "\"empty\":\"\",\"text\":\"t\",\"none\":null,"
    "\"min\":-9223372036854775808,\"yes\":true,\"raw\":{\"a\":[1]},"
    "\"list\":[1,null,[2],{},[],false]}";


/* As to_json() has it; the longest text that can come of so many bytes. */
static void
test_quote(void **state)
{
    static const struct {
        const char *text;
        const char *want;
    } cases[] = {
        { "", "\"\"" },
        { "plain / \x7f", "\"plain / \x7f\"" },
        { "\"\\", "\"\\\"\\\\\"" },
        { "\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\"" },
        { "\x01\x1f", "\"\\u0001\\u001f\"" },
        { "\xc3\xa9 \xf0\x9f\x98\x80", "\"\xc3\xa9 \xf0\x9f\x98\x80\"" },
    };
    csc_str_t text, quoted;
    unsigned char *out;
    size_t i;

    (void) state;

    for (i = 0; i < UNIT_COUNT(cases); i++) {
        text = csc_str(cases[i].text);
        out = malloc(CSC_JSON_QUOTED(text.len));
        assert_non_null(out);
        quoted.data = out;
        quoted.len = csc_json_quote(text, out);
        unit_assert_str(quoted, cases[i].want);
        free(out);
    }

    out = malloc(CSC_JSON_QUOTED(2));
    assert_int_equal(
        csc_json_quote(UNIT_BYTES("\0\x02"), out), CSC_JSON_QUOTED(2));
    free(out);
}


/* Every byte in every place of a text that is looked through in groups. */
static void
test_quote_places(void **state)
{
    unsigned char text[19], out[CSC_JSON_QUOTED(sizeof(text))];
    unsigned char one[CSC_JSON_QUOTED(1)], want[sizeof(out)];
    csc_str_t quoted, whole = { sizeof(text), text };
    size_t place, n;
    int byte;

    (void) state;

    for (place = 0; place < sizeof(text); place++) {
        for (byte = 0; byte < 256; byte++) {
            memset(text, 'x', sizeof(text));
            text[place] = (unsigned char) byte;
            whole.len = 1;
            whole.data = &text[place];
            n = csc_json_quote(whole, one) - 2;

            memset(want, 'x', sizeof(want));
            want[0] = '"';
            memcpy(want + 1 + place, one + 1, n);
            want[sizeof(text) + n] = '"';

            whole.len = sizeof(text);
            whole.data = text;
            quoted.data = out;
            quoted.len = csc_json_quote(whole, out);
            assert_int_equal(quoted.len, sizeof(text) + n + 1);
            assert_memory_equal(out, want, quoted.len);
        }
    }
}


static void
test_writer(void **state)
{
    int round;
    csc_str_t text;
    csc_json_writer_t *w;

    (void) state;

    w = csc_json_writer();
    assert_non_null(w);

    for (round = 0; round < 3; round++) {
        json_write_all(w);
        assert_int_equal(csc_json_finish(w, &text), CSC_OK);
        unit_assert_str(text, json_written);
        csc_json_reset(w);
    }

    csc_json_int(w, 7);
    assert_int_equal(csc_json_finish(w, &text), CSC_OK);
    unit_assert_str(text, "7");

    csc_json_free(w);
    csc_json_free(NULL);
}


/* What the writer writes the reader reads. */
static void
test_round_trip(void **state)
{
    size_t i;
    csc_str_t text;
    json_input_t input;
    unsigned char all[0x7f];
    csc_json_writer_t *w;
    csc_json_field_t f = { .name = "a" };

    (void) state;

    for (i = 0; i < sizeof(all); i++) {
        all[i] = (unsigned char) (i + 1);
    }

    w = csc_json_writer();
    assert_non_null(w);

    csc_json_object(w);
    csc_json_key(w, "a");
    csc_json_string(w, unit_view((char *) all, sizeof(all)));
    csc_json_end_object(w);
    assert_int_equal(csc_json_finish(w, &text), CSC_OK);

    assert_int_equal(json_read(&input, text, &f, 1), CSC_OK);
    unit_assert_bytes(f.value, unit_view((char *) all, sizeof(all)));

    json_done(&input);
    csc_json_free(w);
}


static void
test_writer_grows(void **state)
{
    int i;
    char *big;
    csc_str_t text;
    csc_json_writer_t *w;

    (void) state;

    big = malloc(100000);
    assert_non_null(big);
    memset(big, 'x', 100000);

    w = csc_json_writer();
    assert_non_null(w);

    csc_json_array(w);

    for (i = 0; i < 10000; i++) {
        csc_json_int(w, i % 10);
    }

    csc_json_string(w, unit_view(big, 100000));
    csc_json_end_array(w);

    assert_int_equal(csc_json_finish(w, &text), CSC_OK);
    assert_int_equal(text.len, 1 + 20000 + 100002 + 1);
    assert_memory_equal(text.data, "[0,1,2,", 7);
    assert_memory_equal(text.data + text.len - 3, "x\"]", 3);

    csc_json_free(w);
    free(big);
}


/* One letter a call: { } [ ] k(ey) v(alue) r(aw, empty) b(ad UTF-8). */
static void
json_play(csc_json_writer_t *w, const char *calls)
{
    for (; *calls != '\0'; calls++) {
        switch (*calls) {
        case '{':
            csc_json_object(w);
            break;

        case '}':
            csc_json_end_object(w);
            break;

        case '[':
            csc_json_array(w);
            break;

        case ']':
            csc_json_end_array(w);
            break;

        case 'k':
            csc_json_key(w, "k");
            break;

        case 'v':
            csc_json_int(w, 1);
            break;

        case 's':
            csc_json_text(w, "s");
            break;

        case 'r':
            csc_json_raw(w, csc_str(""));
            break;

        default:
            csc_json_string(w, csc_str("\xff"));
            break;
        }
    }
}


static void
test_writer_misused(void **state)
{
    size_t i;
    char deep[140];
    csc_str_t text;
    csc_json_writer_t *w;

    static const char *const calls[] = { "", "{", "[", "{k", "{k}", "{v}",
        "{s}", "{[]}", "{kk", "k", "[k]", "{]", "[}", "}", "]", "{}}", "vv",
        "{}v", "{kvv}", "r", "{kr}", "b", "[b]", "{k{}", "[[]", "{}[" };

    (void) state;

    w = csc_json_writer();
    assert_non_null(w);

    for (i = 0; i < UNIT_COUNT(calls); i++) {
        json_play(w, calls[i]);

        if (csc_json_finish(w, &text) != CSC_ERROR) {
            fail_msg("taken: %s", calls[i]);
        }

        /* and a reset makes good */
        csc_json_reset(w);
        json_play(w, "{kv}");
        assert_int_equal(csc_json_finish(w, &text), CSC_OK);
        unit_assert_str(text, "{\"k\":1}");
        csc_json_reset(w);
    }

    memset(deep, 0, sizeof(deep));
    memset(deep, '[', 64);
    memset(deep + 64, ']', 64);
    json_play(w, deep);
    assert_int_equal(csc_json_finish(w, &text), CSC_OK);
    csc_json_reset(w);

    memset(deep, '[', 65);
    memset(deep + 65, ']', 65);
    json_play(w, deep);
    assert_int_equal(csc_json_finish(w, &text), CSC_ERROR);

    csc_json_free(w);
}


static void
test_writer_out_of_memory(void **state)
{
    int i, written;
    csc_str_t text;
    csc_json_writer_t *w;

    (void) state;

    /* the writer itself: its state, its buffer */
    for (i = 0; i < 2; i++) {
        json_allocations = i;
        assert_null(csc_json_writer());
        json_allocations = -1;
    }

    w = csc_json_writer();
    assert_non_null(w);

    /* its growth */
    json_allocations = 0;

    csc_json_array(w);
    for (i = 0; i < 1000; i++) {
        csc_json_int(w, i);
    }
    csc_json_end_array(w);
    written = csc_json_finish(w, &text);

    json_allocations = -1;
    assert_int_equal(written, CSC_ERROR);

    csc_json_reset(w);
    json_write_all(w);
    assert_int_equal(csc_json_finish(w, &text), CSC_OK);
    unit_assert_str(text, json_written);

    csc_json_free(w);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_raw_at_the_end),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_many_escaped),
        cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_bad_escape_elsewhere),
        cmocka_unit_test(test_last_counts),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_refused_texts),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_no_fields),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_elements_of_nonsense),
        cmocka_unit_test(test_quote),
        cmocka_unit_test(test_quote_places),
        cmocka_unit_test(test_writer),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_writer_grows),
        cmocka_unit_test(test_writer_misused),
        cmocka_unit_test(test_writer_out_of_memory),
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
