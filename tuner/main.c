#include "core/blas_core.h"
#include "core/linalg.h"
#include "tuner/cli.h"
#include "tuner/command_run.h"
#include "tuner/commands.h"
#include "tuner/train.h"
#include "workers/supervise.h"

#include <signal.h>
#include <stddef.h>

/* one line per command; in the order of a study's life */
static const Command commands[] = {
    {"validate", "check a study file and estimate what it costs", command_validate, NULL},
    {"simulate", "run the scheduler of a study in virtual time, without training", command_simulate,
     NULL},
    {"plan", "train a little and estimate how long a study takes here", command_plan, NULL},
    {"run", "run a study, or go on with it where it stopped", NULL, command_run},
    {"sbatch", "write, or submit, the Slurm job of a study", command_sbatch, NULL},
    {"extend", "give a study another budget and go on with it", NULL, command_extend},
    {"enqueue", "have a study try points of yours", command_enqueue, NULL},
    {"stop", "stop a running study, or one of its trials", command_stop, NULL},
    {"pin", "keep the checkpoint of a segment for good", command_pin, NULL},
    {"ask", "hand out what to train next, where a person trains", command_ask, NULL},
    {"tell", "take the result of what was handed out", command_tell, NULL},
    {"show", "show the state, segments or trials of a study", command_show, NULL},
    {"status", "say in a second where a study stands and what it takes", command_status, NULL},
    {"best", "show the best agent of a study and its schedule", command_best, NULL},
    {"export", "write the best schedule, or learning curves, to a file", command_export, NULL},
    {"evaluate", "evaluate an agent without training it", NULL, command_evaluate},
    {"list", "list schedulers, environments, agents and presets", command_list, NULL},
    {"gc", "free the disk of a study: checkpoints that it can do without", command_gc, NULL},
    {"fsck", "check a study's directory, and mend what a crash or a backup leaves", command_fsck,
     NULL},
    {"doctor", "say what this machine lacks for running studies, and what to do", NULL,
     command_doctor},
    {"train", "train built-in agents for a worker, or by hand (JSON lines)", NULL, train_main},
    {"supervise", "run a trainer so that nothing outlives its worker", NULL, supervise_main},
    {"version", "print the version", command_version, NULL},
    {NULL, NULL, NULL, NULL},
};

/* ---- what becomes of a hangup -------------------------------------------------------------------
 * MPICH's transport (UCX) takes SIGHUP for its debugger while it is loaded, and with it the word of
 * nohup. An executable's preinit functions come before those of its libraries. */
static struct sigaction at_start;

static void remember_hangup(void) {
    (void)sigaction(SIGHUP, NULL, &at_start);
}

__attribute__((section(".preinit_array"),
               used)) static void (*const before_the_libraries)(void) = remember_hangup;

int main(int argc, char **argv) {
    (void)sigaction(SIGHUP, &at_start, NULL);
    blas_core_settle(argv);
    /* what is decided, in `simulate` and `ask` too, must not depend on the number of cores */
    if (linalg_start(1) != STATUS_OK) {
        return cli_complain(STATUS_ERR_STATE);
    }
    return cli_dispatch(commands, argc, argv);
}
