#include "tuner/train.h"

#include "core/blas_core.h"
#include "core/linalg.h"
#include "core/option.h"
#include "core/thread_pool.h"
#include "mbrl/agents/agent.h"
#include "mbrl/environments/mjcf.h"
#include "tuner/cli.h"
#include "tuner/train_channel.h"
#include "workers/supervise.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_OPTIONS = 128, NOTES_BYTES = 4096 };

#ifndef MBTUNE_VERSION
#define MBTUNE_VERSION "unknown"
#endif

/* One conversation. */
typedef struct Trainer {
    TrainChannel          channel;
    const AgentOps       *agent; /* NULL before the hello */
    const EnvironmentOps *environment;
    const EnvironmentOps *own; /* the same, where it was built here from a definition; else NULL */
    AgentUnit             unit;
    ThreadPool           *pool;                /* that agents plan with */
    double                fixed[MOST_OPTIONS]; /* defaults, and what the hello fixed */

    void   *held;                 /* agent in memory, NULL = none */
    int64_t held_segment;         /* that it ended with */
    bool    noted;                /* what is not what it seems was said */
    double  values[MOST_OPTIONS]; /* that it was last trained with */

    /* the metrics of one step and index, until the row is complete */
    bool    evaluating;
    int64_t work; /* segment or evaluation under way */
    Json   *row;  /* NULL = none */
    int64_t row_step;
    int64_t row_index;
} Trainer;

static void refuse(Trainer *trainer, const char *reason) {
    channel_reply(&trainer->channel, &(Reply){.kind = REPLY_FAILED,
                                              .evaluate = trainer->evaluating,
                                              .segment = trainer->work,
                                              .text = reason});
}

static void forget_agent(Trainer *trainer) {
    if (trainer->held != NULL) {
        trainer->agent->destroy(trainer->held);
        trainer->held = NULL;
    }
}

/* ---- metrics ---- */

static void flush_row(void *context) {
    Trainer *trainer = context;
    if (trainer->row != NULL) {
        channel_reply(&trainer->channel, &(Reply){.kind = REPLY_METRIC,
                                                  .evaluate = trainer->evaluating,
                                                  .segment = trainer->work,
                                                  .step = trainer->row_step,
                                                  .index = trainer->row_index,
                                                  .values = trainer->row});
        json_release(trainer->row);
        trainer->row = NULL;
    }
}

static void take_metric(void *context, int64_t step, int64_t index, const char *name,
                        double value) {
    Trainer *trainer = context;
    if (trainer->row != NULL && (trainer->row_step != step || trainer->row_index != index)) {
        flush_row(trainer);
    }
    if (trainer->row == NULL) {
        trainer->row = json_new_object();
        trainer->row_step = step;
        trainer->row_index = index;
    }
    if (json_set(trainer->row, name, json_new_number(value)) != STATUS_OK) {
        atomic_store(&trainer->channel.lost, true); /* a row with a hole is worse than none */
    }
}

/* ---- hyperparameters ---- */

static Status list_from_json(const OptionSpec *spec, const Json *json, double *out) {
    double       elements[MOST_OPTIONS];
    const size_t count = json_count(json);

    for (size_t i = 0; i < count && i < MOST_OPTIONS; i++) {
        elements[i] = json_number(json_at(json, i)); /* NaN if it is none, which no range has */
    }
    return option_list(spec, elements, count, out);
}

static Status option_from_json(const OptionSpec *spec, const Json *json, double *out) {
    if (spec->type == OPTION_CHOICE && json_is_string(json)) {
        return option_parse(spec, json_string(json), out);
    }
    if (spec->type == OPTION_CHOICE && json_is_number(json)) {
        char text[32];
        (void)snprintf(text, sizeof text, "%.17g", json_number(json));
        return option_parse(spec, text, out);
    }
    if (spec->type == OPTION_BOOL && json_is_bool(json)) {
        *out = json_bool(json) ? 1.0 : 0.0;
        return STATUS_OK;
    }
    if ((spec->type == OPTION_FLOAT || spec->type == OPTION_INT) && json_is_number(json)) {
        TRY(option_check(spec, json_number(json)));
        *out = json_number(json);
        return STATUS_OK;
    }
    if (spec->type == OPTION_LIST && json_is_array(json)) {
        return list_from_json(spec, json, out);
    }
    FAIL(STATUS_ERR_PARSE, "'%s' must be %s", spec->name,
         spec->type == OPTION_CHOICE ? "the name of a choice"
         : spec->type == OPTION_LIST ? "a list of numbers"
         : spec->type == OPTION_BOOL ? "true or false"
                                     : "a number");
}

/* Puts the members of `json` (may be NULL) over `values`. */
static Status apply_options(const Trainer *trainer, const Json *json, const char *where,
                            double *values) {
    const OptionSpec *specs = trainer->agent->options();
    const char       *name = NULL;
    Json             *value = NULL;

    for (size_t i = 0; json != NULL && json_member(json, i, &name, &value); i++) {
        const size_t index = option_find(specs, name);
        if (index == option_count(specs)) {
            return option_unknown(specs, where, name);
        }
        TRY(option_from_json(&specs[index], value, &values[index]));
    }
    return STATUS_OK;
}

/* ---- hello ---- */

static Status read_unit(const char *text, AgentUnit *unit) {
    if (text == NULL || strcmp(text, "episode") == 0) {
        *unit = AGENT_UNIT_EPISODE;
        return STATUS_OK;
    }
    if (strcmp(text, "env_step") == 0) {
        *unit = AGENT_UNIT_ENV_STEP;
        return STATUS_OK;
    }
    FAIL(STATUS_ERR_PROTOCOL, "hello: unit '%s' is unknown; expected episode or env_step", text);
}

static Status find_environment(Trainer *trainer, const Request *request) {
    environment_mjcf_destroy(trainer->own);
    trainer->own = NULL;
    if (request->environment_definition == NULL) {
        return environment_find(request->environment, &trainer->environment);
    }
    TRY(environment_mjcf_create(request->environment_definition, NULL, &trainer->own));
    trainer->environment = trainer->own;
    return STATUS_OK;
}

/* no agent is held here that could still use the old one */
static Status make_pool(Trainer *trainer, int64_t threads) {
    if (threads < 1 || threads > THREAD_POOL_MOST) {
        FAIL(STATUS_ERR_PROTOCOL, "hello: 'threads' must be 1 to %d, found %lld", THREAD_POOL_MOST,
             (long long)threads);
    }
    thread_pool_destroy(trainer->pool);
    return thread_pool_create((size_t)threads, &trainer->pool);
}

static void lend_pool(const Trainer *trainer, void *agent) {
    if (trainer->agent->set_pool != NULL) {
        trainer->agent->set_pool(agent, trainer->pool);
    }
}

/* which kernels: to the log, since a poor pick costs half the speed and shows nowhere else */
static void say_kernels(void) {
    Buffer text;
    buffer_init(&text, NOTES_BYTES);
    blas_core_describe(&text);
    (void)fprintf(stderr, "mbtune train: %s\n", buffer_text(&text));
    buffer_reset(&text);
}

static Status greet(Trainer *trainer, const Request *request) {
    const AgentOps *agent = NULL;

    if (request->protocol != PROTOCOL_VERSION) {
        FAIL(STATUS_ERR_VERSION, "hello: protocol %lld is not spoken here, only %d",
             (long long)request->protocol, PROTOCOL_VERSION);
    }
    if (request->agent == NULL || request->environment == NULL) {
        FAIL(STATUS_ERR_PROTOCOL, "hello: 'agent' and 'environment' are needed");
    }
    TRY(agent_find(request->agent, &agent));
    forget_agent(trainer);
    TRY(find_environment(trainer, request));
    TRY(read_unit(request->unit, &trainer->unit));
    if (option_count(agent->options()) > MOST_OPTIONS) {
        FAIL(STATUS_ERR_RANGE, "agent '%s' has more than %d options", agent->name, MOST_OPTIONS);
    }
    /* whatever the cores: the study's record says so, and another number gives other bits */
    TRY(linalg_start(1));
    TRY(make_pool(trainer, request->threads));
    say_kernels();
    trainer->agent = agent;
    trainer->noted = false;
    option_defaults(agent->options(), trainer->fixed);
    TRY(apply_options(trainer, request->fixed, "fixed", trainer->fixed));
    channel_reply(&trainer->channel, &(Reply){.kind = REPLY_HELLO,
                                              .protocol = PROTOCOL_VERSION,
                                              .trainer = "mbtune " MBTUNE_VERSION,
                                              .checkpoint = true,
                                              .deterministic = true});
    return STATUS_OK;
}

/* ---- work ---- */

/* The agent that segment `parent` ended with, in trainer->held, with these values and seed. */
static Status prepare(Trainer *trainer, const Request *request, const double *values) {
    const AgentOps *agent = trainer->agent;
    const bool      here = trainer->held != NULL && request->parent != 0 &&
                      trainer->held_segment == request->parent &&
                      agent->position(trainer->held) == request->begin;

    if (!here) {
        forget_agent(trainer);
    }
    if (trainer->held == NULL && request->resume_from != NULL) {
        TRY(agent->load(trainer->environment, trainer->unit, values, request->resume_from,
                        &trainer->held));
    }
    if (trainer->held == NULL && request->parent != 0) {
        FAIL(STATUS_ERR_STATE, "segment %lld is not in memory and 'resume_from' is missing",
             (long long)request->parent);
    }
    if (trainer->held == NULL) {
        TRY(agent->create(trainer->environment, trainer->unit, values, request->seed,
                          &trainer->held));
    }
    if (agent->position(trainer->held) != request->begin) {
        FAIL(STATUS_ERR_STATE, "the agent stands at %lld, 'begin' says %lld",
             (long long)agent->position(trainer->held), (long long)request->begin);
    }
    lend_pool(trainer, trainer->held);
    return agent->set(trainer->held, values, request->seed);
}

/* Says once what is accepted but not what it seems, a warning a line. */
static void say_notes(Trainer *trainer, const double *values) {
    Buffer notes;

    buffer_init(&notes, NOTES_BYTES);
    if (!trainer->noted &&
        trainer->agent->check(trainer->environment, values, &notes) == STATUS_OK) {
        char *line = notes.data;
        while (line != NULL && *line != '\0') {
            char *end = strchr(line, '\n');
            if (end != NULL) {
                *end = '\0';
            }
            channel_reply(&trainer->channel,
                          &(Reply){.kind = REPLY_LOG, .level = "warning", .text = line});
            trainer->noted = true;
            line = end == NULL ? NULL : end + 1;
        }
    }
    buffer_reset(&notes);
}

static Status train(Trainer *trainer, const Request *request, AgentResult *result) {
    const MetricSink sink = {.context = trainer, .metric = take_metric, .alive = flush_row};
    double           values[MOST_OPTIONS];

    memcpy(values, trainer->fixed, sizeof values);
    TRY(apply_options(trainer, request->hyperparameters, "hyperparameters", values));
    TRY(prepare(trainer, request, values));
    memcpy(trainer->values, values, sizeof values);
    say_notes(trainer, values);
    TRY(trainer->agent->train(trainer->held, request->end, &sink, &trainer->channel.yield, result));
    flush_row(trainer);
    if (result->outcome != AGENT_DIVERGED && request->checkpoint_to != NULL) {
        TRY(trainer->agent->save(trainer->held, request->checkpoint_to));
    }
    trainer->held_segment = request->segment;
    return STATUS_OK;
}

static void serve_train(Trainer *trainer, const Request *request) {
    AgentResult result = {.outcome = AGENT_DONE};

    trainer->evaluating = false;
    trainer->work = request->segment;
    const Status status = train(trainer, request, &result);
    if (status != STATUS_OK || result.outcome == AGENT_DIVERGED) {
        flush_row(trainer);
        refuse(trainer, status != STATUS_OK ? status_last()->text : result.reason);
        forget_agent(trainer); /* half-trained: nobody may continue from it */
        return;
    }
    channel_reply(&trainer->channel,
                  &(Reply){.kind = REPLY_DONE,
                           .segment = request->segment,
                           .end = result.outcome == AGENT_YIELDED ? result.reached : 0});
}

static Status evaluate(Trainer *trainer, const Request *request, AgentResult *result) {
    const MetricSink sink = {.context = trainer, .metric = take_metric, .alive = flush_row};
    const AgentOps  *agent = trainer->agent;
    double           values[MOST_OPTIONS];
    void            *loaded = NULL;

    memcpy(values, trainer->fixed, sizeof values);
    TRY(apply_options(trainer, request->hyperparameters, "hyperparameters", values));
    const size_t bytes = option_count(agent->options()) * sizeof *values;
    /* other values would have to be set, which an agent that may be continued must not see */
    const bool here = trainer->held != NULL && trainer->held_segment == request->segment &&
                      memcmp(values, trainer->values, bytes) == 0;
    if (!here && request->resume_from == NULL) {
        FAIL(STATUS_ERR_STATE, "segment %lld is not in memory and 'resume_from' is missing",
             (long long)request->segment);
    }
    if (!here) {
        TRY(agent->load(trainer->environment, trainer->unit, values, request->resume_from,
                        &loaded));
    }
    if (!here) {
        lend_pool(trainer, loaded);
    }
    Status status = here ? STATUS_OK : agent->set(loaded, values, request->seed);
    if (status == STATUS_OK) {
        status = agent->evaluate(here ? trainer->held : loaded, request->episodes, request->seed,
                                 &sink, result);
    }
    agent->destroy(loaded);
    flush_row(trainer);
    return status;
}

static void serve_evaluate(Trainer *trainer, const Request *request) {
    AgentResult result = {.outcome = AGENT_DONE};

    trainer->evaluating = true;
    trainer->work = request->evaluation;
    const Status status = evaluate(trainer, request, &result);
    if (status != STATUS_OK || result.outcome == AGENT_DIVERGED) {
        flush_row(trainer);
        refuse(trainer, status != STATUS_OK ? status_last()->text : result.reason);
        return;
    }
    channel_reply(&trainer->channel,
                  &(Reply){.kind = REPLY_DONE, .evaluate = true, .segment = request->evaluation});
}

/* One request; false where the conversation is over, with the exit code. */
static bool serve(Trainer *trainer, const Request *request, int *exit_code) {
    trainer->evaluating = false;
    trainer->work = 0;
    if (request->kind == REQUEST_STOP) {
        *exit_code = CLI_EXIT_DONE;
        return false;
    }
    if (request->kind == REQUEST_HELLO) {
        if (greet(trainer, request) == STATUS_OK) {
            return true;
        }
        refuse(trainer, status_last()->text);
        return false;
    }
    if (trainer->agent == NULL) {
        refuse(trainer, "the first request must be hello");
        return false;
    }
    if (request->kind == REQUEST_TRAIN) {
        serve_train(trainer, request);
    } else {
        serve_evaluate(trainer, request);
    }
    return !atomic_load(&trainer->channel.lost);
}

static int converse(Trainer *trainer) {
    int exit_code = CLI_EXIT_FAILED;

    for (bool more = true; more;) {
        Request            request;
        const ChannelEvent event = channel_next(&trainer->channel, &request);
        if (event == CHANNEL_END) {
            return CLI_EXIT_DONE;
        }
        if (event == CHANNEL_MALFORMED) {
            trainer->work = 0;
            refuse(trainer, trainer->channel.text);
            return CLI_EXIT_FAILED;
        }
        more = serve(trainer, &request, &exit_code);
        request_reset(&request);
    }
    return exit_code;
}

int train_main(int argc, char **argv) {
    static const CliOption  none[] = {{0}};
    static const CliCommand command = {
        .name = "train",
        .arguments = "",
        .help = "train a built-in agent: protocol lines from stdin, replies to stdout",
        .details = "Started by a worker. See docs/trainer-protocol.md for the lines.",
        .options = none,
    };
    CliArguments arguments;
    if (cli_parse(&command, argc, argv, &arguments) != STATUS_OK) {
        (void)fprintf(stderr, "mbtune train: %s\n", status_last()->text);
        return CLI_EXIT_USAGE;
    }
    if (arguments.help) {
        Buffer help;
        buffer_init(&help, PROTOCOL_LINE_BYTES);
        cli_help(&command, &help);
        const Status written = cli_write(STDOUT_FILENO, buffer_text(&help), help.length);
        buffer_reset(&help);
        return cli_exit_code(written);
    }

    Trainer *trainer = calloc(1, sizeof *trainer);
    /* stdout is the protocol's: whatever else prints there goes to the log */
    const int output = dup(STDOUT_FILENO);
    if (trainer == NULL || output < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        (void)fprintf(stderr, "mbtune train: cannot start: %s\n", status_errno(errno));
        free(trainer);
        return CLI_EXIT_FAILED;
    }
    (void)signal(SIGPIPE, SIG_IGN); /* a worker that went away is seen when writing fails */
    if (getenv(SUPERVISED_VARIABLE) != NULL) { /* NOLINT(concurrency-mt-unsafe): one thread yet */
        /* sent to all processes of a job: the coordinator asks for what is to follow from it */
        (void)signal(SIGTERM, SIG_IGN);
        (void)signal(SIGINT, SIG_IGN);
        (void)signal(SIGHUP, SIG_IGN);
    }
    int exit_code = CLI_EXIT_FAILED;
    if (channel_open(&trainer->channel, STDIN_FILENO, output) != STATUS_OK) {
        (void)fprintf(stderr, "mbtune train: %s\n", status_last()->text);
    } else {
        exit_code = converse(trainer);
        channel_close(&trainer->channel);
    }
    forget_agent(trainer);
    environment_mjcf_destroy(trainer->own);
    thread_pool_destroy(trainer->pool);
    json_release(trainer->row);
    free(trainer);
    (void)close(output);
    return exit_code;
}
