#include "tuner/sbatch_script.h"

#include "tuner/cli.h"

#include <inttypes.h>

/* Slurm looks at signals every half a minute or so; the coordinator knows the end itself */
#define MOST_NOTICE  60.0
#define NOTICE_SHARE 6.0

/* in quotes, as sbatch reads them */
static void directive(Buffer *out, const char *name, const char *value) {
    if (value != NULL) {
        buffer_printf(out, "#SBATCH --%s=\"", name);
        for (const char *at = value; *at != '\0'; at++) {
            buffer_puts(out, (*at == '"' || *at == '\\') ? "\\" : "");
            buffer_append(out, at, 1);
        }
        buffer_puts(out, "\"\n");
    }
}

/* whole nodes, or so many processors of each */
static void write_size(const SbatchScript *script, Buffer *out) {
    static const double mebibyte = 1048576.0;
    buffer_printf(out, "#SBATCH --nodes=%" PRId64 "\n", script->nodes);
    buffer_puts(out, "#SBATCH --ntasks-per-node=1\n");
    if (script->gpus_per_node > 0) {
        buffer_printf(out, "#SBATCH --gpus-per-node=%" PRId64 "\n", script->gpus_per_node);
    }
    if (script->cpus_per_node == 0) {
        buffer_puts(out, "#SBATCH --exclusive\n#SBATCH --mem=0\n");
        return;
    }
    buffer_printf(out, "#SBATCH --cpus-per-task=%" PRId64 "\n", script->cpus_per_node);
    if (script->memory_per_node > 0.0) {
        buffer_printf(out, "#SBATCH --mem=%.0fM\n", script->memory_per_node / mebibyte + 1.0);
    }
}

static void write_end(const SbatchScript *script, Buffer *out) {
    const double share = script->seconds / NOTICE_SHARE;
    const double notice = (share < MOST_NOTICE) ? share : MOST_NOTICE;
    directive(out, "time", script->time);
    buffer_printf(out, "#SBATCH --signal=B:USR1@%.0f\n", notice);
    buffer_puts(out, (script->max_requeues > 0) ? "#SBATCH --requeue\n" : "#SBATCH --no-requeue\n");
    buffer_puts(out, "#SBATCH --open-mode=append\n");
    /* when a node is lost, the others go on */
    buffer_puts(out, "#SBATCH --no-kill\n");
}

static void write_list(const char *name, const char *const *words, size_t count, Buffer *out) {
    buffer_printf(out, "%s=(", name);
    for (size_t i = 0; i < count; i++) {
        buffer_puts(out, (i > 0) ? " " : "");
        cli_shell_word(words[i], out);
    }
    buffer_puts(out, ")\n");
}

static void write_command(const SbatchScript *script, Buffer *out) {
    buffer_puts(out, "exec ");
    cli_shell_word(script->binary, out);
    buffer_puts(out, " run \"${studies[i]}\" --dir \"${folders[i]}\"");
    buffer_printf(out, " --max-requeues %" PRId64, script->max_requeues);
    if (script->slots > 1) {
        buffer_printf(out, " --slots %" PRId64, script->slots);
    }
    for (size_t i = 0; i < script->set_count; i++) {
        buffer_puts(out, " --set ");
        cli_shell_word(script->sets[i], out);
    }
    buffer_puts(out, "\n");
}

void sbatch_script_write(const SbatchScript *script, Buffer *out) {
    const bool array = script->study_count > 1;
    buffer_puts(out, "#!/bin/bash\n");
    directive(out, "job-name", script->name);
    write_size(script, out);
    write_end(script, out);
    directive(out, "partition", script->partition);
    directive(out, "account", script->account);
    directive(out, "chdir", script->working_folder);
    directive(out, "output", array ? "%x-%A_%a.out" : "%x-%j.out");
    if (array) {
        buffer_printf(out, "#SBATCH --array=0-%zu\n", script->study_count - 1);
    }
    if (script->options != NULL) {
        buffer_printf(out, "#SBATCH %s\n", script->options);
    }
    buffer_puts(out, "\n"
                     "# mbtune starts its ranks with srun on all nodes of the job, ends what runs\n"
                     "# before the time is over, and puts the job back into the queue until the\n"
                     "# study is done. `sbatch` this file, or run it again: it goes on.\n");
    write_list("studies", script->studies, script->study_count, out);
    write_list("folders", script->folders, script->study_count, out);
    buffer_puts(out, "i=${SLURM_ARRAY_TASK_ID:-0}\n");
    write_command(script, out);
}
