#include "tests/support/test_support.h"

#include "workers/protocol.h"

#include <math.h>
#include <string.h>

static Status parse_request(const char *line, Request *out) {
    return request_parse(line, strlen(line), out);
}

static Status parse_reply(const char *line, Reply *out) {
    return reply_parse(line, strlen(line), out);
}

static Json *object(const char *text) {
    Json *json = NULL;
    assert_ok(json_parse(text, strlen(text), &json));
    return json;
}

static void a_train_line_comes_back_as_it_was(void **state) {
    (void)state;
    Buffer  line;
    Request back;
    Json   *values = object("{\"learning_rate\":0.001,\"optimizer\":\"adam\",\"layers\":3}");
    Request train = {
        .kind = REQUEST_TRAIN,
        .segment = 17,
        .parent = 16,
        .begin = 10,
        .end = 15,
        .seed = 9007199254740991,
        .resume_from = "/a \"quoted\"/b\\c/16.a1",
        .checkpoint_to = "/a/17.a2.tmp\n\x01",
        .hyperparameters = values,
    };
    buffer_init(&line, PROTOCOL_LINE_BYTES);
    assert_ok(request_write(&train, &line));
    assert_int_equal(line.data[line.length - 1], '\n');
    assert_ptr_equal(strchr(line.data, '\n'), line.data + line.length - 1);

    assert_ok(request_parse(line.data, line.length - 1, &back));
    assert_int_equal(back.kind, REQUEST_TRAIN);
    assert_int_equal(back.segment, 17);
    assert_int_equal(back.parent, 16);
    assert_int_equal(back.begin, 10);
    assert_int_equal(back.end, 15);
    assert_true(back.seed == 9007199254740991);
    assert_string_equal(back.resume_from, train.resume_from);
    assert_string_equal(back.checkpoint_to, train.checkpoint_to);
    assert_close(json_number(json_get(back.hyperparameters, "learning_rate")), 0.001, 0.0, 0.0);
    assert_string_equal(json_string(json_get(back.hyperparameters, "optimizer")), "adam");
    request_reset(&back);
    json_release(values);
    buffer_reset(&line);
}

static void every_other_request_comes_back(void **state) {
    (void)state;
    Buffer  line;
    Request back;
    Json   *fixed = object("{\"ensemble_size\":5}");
    Json   *wanted = object("[\"model_nll_expert\"]");
    Json   *definition = object("{\"file\":\"/robot.xml\"}");
    buffer_init(&line, PROTOCOL_LINE_BYTES);

    Request hello = {.kind = REQUEST_HELLO,
                     .protocol = 1,
                     .study = "s",
                     .agent = "pets",
                     .environment_definition = definition,
                     .unit = "episode",
                     .fixed = fixed,
                     .metrics_wanted = wanted,
                     .cores = 2,
                     .gpus = 3,
                     .threads = 2};
    assert_ok(request_write(&hello, &line));
    assert_ok(request_parse(line.data, line.length - 1, &back));
    assert_int_equal(back.kind, REQUEST_HELLO);
    assert_int_equal(back.protocol, 1);
    assert_string_equal(back.agent, "pets");
    assert_string_equal(back.unit, "episode");
    assert_null(back.environment);
    assert_string_equal(json_string(json_get(back.environment_definition, "file")), "/robot.xml");
    assert_int_equal(back.cores, 2);
    assert_int_equal(back.gpus, 3);
    assert_int_equal(back.threads, 2);
    assert_int_equal(json_integer(json_get(back.fixed, "ensemble_size")), 5);
    assert_int_equal(json_count(back.metrics_wanted), 1);
    request_reset(&back);

    buffer_clear(&line);
    Request evaluate = {
        .kind = REQUEST_EVALUATE, .evaluation = 5, .segment = 17, .episodes = 10, .seed = 3};
    assert_ok(request_write(&evaluate, &line));
    assert_ok(request_parse(line.data, line.length - 1, &back));
    assert_int_equal(back.kind, REQUEST_EVALUATE);
    assert_int_equal(back.evaluation, 5);
    assert_int_equal(back.segment, 17);
    assert_int_equal(back.episodes, 10);
    assert_null(back.resume_from);
    request_reset(&back);

    const Request plain[2] = {{.kind = REQUEST_YIELD}, {.kind = REQUEST_STOP}};
    for (size_t i = 0; i < 2; i++) {
        buffer_clear(&line);
        assert_ok(request_write(&plain[i], &line));
        assert_ok(request_parse(line.data, line.length - 1, &back));
        assert_int_equal(back.kind, plain[i].kind);
        request_reset(&back);
    }
    json_release(fixed);
    json_release(wanted);
    json_release(definition);
    buffer_reset(&line);
}

static void every_reply_comes_back(void **state) {
    (void)state;
    Buffer      line;
    Json       *values = json_new_object();
    const Reply replies[] = {
        {.kind = REPLY_HELLO, .protocol = 1, .trainer = "t 1", .deterministic = true},
        {.kind = REPLY_METRIC, .segment = 17, .step = 11, .index = 3, .values = values},
        {.kind = REPLY_ALIVE},
        {.kind = REPLY_LOG, .level = "warning", .text = "a\ttab"},
        {.kind = REPLY_DONE, .segment = 17, .end = 12},
        {.kind = REPLY_DONE, .segment = 5, .evaluate = true},
        {.kind = REPLY_FAILED, .segment = 17, .text = "diverged: NaN"},
    };
    assert_ok(json_set(values, "reward", json_new_number(0.1)));
    assert_ok(json_set(values, "loss", json_new_number((double)NAN)));
    buffer_init(&line, PROTOCOL_LINE_BYTES);
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        Reply back;
        buffer_clear(&line);
        assert_ok(reply_write(&replies[i], &line));
        assert_ok(reply_parse(line.data, line.length - 1, &back));
        assert_int_equal(back.kind, replies[i].kind);
        assert_int_equal(back.protocol, replies[i].protocol);
        assert_int_equal(back.segment, replies[i].segment);
        assert_int_equal(back.evaluate, replies[i].evaluate);
        assert_int_equal(back.step, replies[i].step);
        assert_int_equal(back.index, replies[i].index);
        assert_int_equal(back.end, replies[i].end);
        assert_int_equal(back.has_end, replies[i].end != 0);
        assert_int_equal(back.checkpoint, replies[i].checkpoint);
        assert_int_equal(back.deterministic, replies[i].deterministic);
        if (replies[i].text != NULL) {
            assert_string_equal(back.text, replies[i].text);
        }
        if (replies[i].values != NULL) {
            assert_close(json_number(json_get(back.values, "reward")), 0.1, 0.0, 0.0);
            assert_true(isnan(json_number(json_get(back.values, "loss"))));
        }
        reply_reset(&back);
    }
    json_release(values);
    buffer_reset(&line);
}

static void unknown_fields_are_ignored_and_defaults_hold(void **state) {
    (void)state;
    Reply   reply;
    Request request;
    assert_ok(parse_reply("{\"op\":\"hello\",\"protocol\":1,\"colour\":[1,{}]}", &reply));
    assert_true(reply.checkpoint);
    assert_false(reply.deterministic);
    assert_null(reply.trainer);
    reply_reset(&reply);
    assert_ok(parse_reply("{\"op\":\"done\",\"x\":null,\"end\":0}", &reply));
    assert_int_equal(reply.segment, 0);
    assert_true(reply.has_end);
    reply_reset(&reply);
    assert_ok(parse_request("{\"op\":\"train\",\"segment\":1,\"begin\":0,\"end\":5.0,\"seed\":1,"
                            "\"parent\":null,\"resume_from\":null,\"later\":true}",
                            &request));
    assert_int_equal(request.parent, 0);
    assert_int_equal(request.end, 5);
    assert_null(request.resume_from);
    request_reset(&request);
}

static void nan_infinity_and_null_are_values(void **state) {
    (void)state;
    Reply reply;
    assert_ok(parse_reply("{\"op\":\"metric\",\"segment\":1,\"step\":2,\"values\":{\"a\":NaN,"
                          "\"b\":Infinity,\"c\":-Infinity,\"d\":null,\"e\":-1e-3}}",
                          &reply));
    assert_true(isnan(json_number(json_get(reply.values, "a"))));
    assert_true(json_number(json_get(reply.values, "b")) > 1e308);
    assert_true(json_number(json_get(reply.values, "c")) < -1e308);
    assert_true(isnan(json_number(json_get(reply.values, "d"))));
    assert_close(json_number(json_get(reply.values, "e")), -1e-3, 0.0, 0.0);
    reply_reset(&reply);
}

#define PROTOCOL STATUS_ERR_PROTOCOL

static void bad_replies_get_one_sentence(void **state) {
    (void)state;
    static const struct {
        const char *line;
        const char *says;
    } bad[] = {
        {"Epoch 1/10", "malformed line"},
        {"Epoch 1/10", "Epoch 1/10"},
        {"", "malformed line"},
        {"{\"op\":\"done\"", "malformed line"},
        {"{\"op\":\"done\"} x", "malformed line"},
        {"[1]", "must be a JSON object"},
        {"{\"o\":1}", "string \"op\""},
        {"{\"op\":1}", "string \"op\""},
        {"{\"op\":\"train\"}", "unknown op 'train'; a reply is hello, metric"},
        {"{\"op\":\"hello\"}", "hello: 'protocol' is missing"},
        {"{\"op\":\"hello\",\"protocol\":\"1\"}", "'protocol' must be an integer"},
        {"{\"op\":\"hello\",\"protocol\":1,\"checkpoint\":\"no\"}", "must be true or false"},
        {"{\"op\":\"metric\",\"step\":1}", "metric: 'values' is missing"},
        {"{\"op\":\"metric\",\"values\":{}}", "metric: 'step' is missing"},
        {"{\"op\":\"metric\",\"step\":1.5,\"values\":{}}", "'step' must be an integer"},
        {"{\"op\":\"metric\",\"step\":NaN,\"values\":{}}", "'step' must be an integer"},
        {"{\"op\":\"metric\",\"step\":1e300,\"values\":{}}", "'step' must be an integer"},
        {"{\"op\":\"metric\",\"step\":1,\"values\":[1]}", "'values' must be an object"},
        {"{\"op\":\"metric\",\"step\":1,\"values\":{\"r\":\"1\"}}", "'r' must be a number"},
        {"{\"op\":\"failed\",\"reason\":5}", "'reason' must be a string"},
        {"{\"op\":\"done\",\"segment\":\"17\"}", "'segment' must be an integer"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        Reply reply;
        assert_fails(parse_reply(bad[i].line, &reply), PROTOCOL, bad[i].says);
        assert_null(reply.json);
    }
}

static void bad_requests_get_one_sentence(void **state) {
    (void)state;
    static const struct {
        const char *line;
        const char *says;
    } bad[] = {
        {"{\"op\":\"done\"}", "unknown op 'done'; a request is hello, train"},
        {"{\"op\":\"hello\"}", "hello: 'protocol' is missing"},
        {"{\"op\":\"hello\",\"protocol\":1,\"fixed\":3}", "'fixed' must be an object"},
        {"{\"op\":\"train\",\"begin\":0,\"end\":1,\"seed\":1}", "'segment' is missing"},
        {"{\"op\":\"train\",\"segment\":1,\"begin\":5,\"end\":5,\"seed\":1}", "below 'end'"},
        {"{\"op\":\"train\",\"segment\":1,\"begin\":-1,\"end\":5,\"seed\":1}", "below 'end'"},
        {"{\"op\":\"train\",\"segment\":1,\"begin\":0,\"end\":5,\"seed\":-1}", "below 2^53"},
        {"{\"op\":\"train\",\"segment\":1,\"begin\":0,\"end\":5,\"seed\":9007199254740992}",
         "below 2^53"},
        {"{\"op\":\"train\",\"segment\":1,\"begin\":0,\"end\":5,\"seed\":1,\"resume_from\":3}",
         "'resume_from' must be a string"},
        {"{\"op\":\"evaluate\",\"evaluation\":1,\"segment\":1,\"episodes\":0,\"seed\":1}",
         "'episodes' must be at least 1"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        Request request;
        assert_fails(parse_request(bad[i].line, &request), PROTOCOL, bad[i].says);
        assert_null(request.json);
    }
}

static void over_long_lines_are_refused(void **state) {
    (void)state;
    Buffer line;
    Reply  reply;
    buffer_init(&line, 4 * PROTOCOL_LINE_BYTES);
    buffer_puts(&line, "{\"op\":\"log\",\"text\":\"");
    while (line.length + 2 < PROTOCOL_LINE_BYTES) {
        buffer_puts(&line, "x");
    }
    buffer_puts(&line, "\"}");
    assert_int_equal(line.length, PROTOCOL_LINE_BYTES);
    assert_ok(reply_parse(line.data, line.length, &reply));
    reply_reset(&reply);
    buffer_puts(&line, " ");
    assert_fails(reply_parse(line.data, line.length, &reply), PROTOCOL, "longer than 1048576");

    buffer_clear(&line);
    buffer_puts(&line, "{\"op\":\"metric\",\"step\":1,\"values\":{\"first\":0");
    for (int i = 0; i < PROTOCOL_METRIC_VALUES; i++) {
        buffer_printf(&line, ",\"m%d\":1", i);
    }
    buffer_puts(&line, "}}");
    assert_fails(reply_parse(line.data, line.length, &reply), PROTOCOL, "4097 values");
    buffer_reset(&line);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_train_line_comes_back_as_it_was),
        cmocka_unit_test(every_other_request_comes_back),
        cmocka_unit_test(every_reply_comes_back),
        cmocka_unit_test(unknown_fields_are_ignored_and_defaults_hold),
        cmocka_unit_test(nan_infinity_and_null_are_values),
        cmocka_unit_test(bad_replies_get_one_sentence),
        cmocka_unit_test(bad_requests_get_one_sentence),
        cmocka_unit_test(over_long_lines_are_refused),
    };
    return cmocka_run_group_tests_name("workers/protocol", tests, NULL, NULL);
}
