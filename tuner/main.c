#include "tuner/cli.h"
#include "tuner/commands.h"

/* one line per command; in the order of a study's life */
static const Command commands[] = {
    {"validate", "check a study file and estimate what it costs", command_validate, NULL},
    {"show", "show the state, segments or trials of a study", command_show, NULL},
    {"best", "show the best agent of a study and its schedule", command_best, NULL},
    {"export", "write the best schedule to a file", command_export, NULL},
    {"list", "list schedulers, environments, agents and presets", command_list, NULL},
    {"version", "print the version", command_version, NULL},
    {NULL, NULL, NULL, NULL},
};

int main(int argc, char **argv) {
    return cli_dispatch(commands, argc, argv);
}
