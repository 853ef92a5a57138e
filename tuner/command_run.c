/* `run` and `evaluate`. Started plainly, the study file is checked here, so that a mistake is one
 * sentence before any process starts, and then the same command line runs again as ranks under
 * mpiexec. Rank 0 becomes the coordinator, all others workers. */
#include "tuner/command_run.h"

#include "core/clock.h"
#include "tuner/cli.h"
#include "tuner/coordinator.h"
#include "tuner/host_fit.h"
#include "tuner/launch.h"
#include "tuner/manual.h"
#include "tuner/slurm.h"
#include "workers/crew.h"
#include "workers/host.h"

#include <inttypes.h>
#include <math.h>
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_WORKERS = 65536, PATH_BYTES = 4096 + 2 };

/* A coordinator whose launcher was killed may still be on its way out when the same command is
 * given again (s). */
static const double lock_seconds = 2.0;

static const CliOption run_options[] = {
    {"dir", 'd', "DIR", "study folder (default: the study's name)", false},
    {"workers", 'w', "N", "worker processes (default: cores / resources.cores)", false},
    {"slots", 0, "N", "trainers per worker (default 1)", false},
    {"launcher", 0, "NAME", "mpiexec, or srun in a Slurm job (default: srun where there is one)",
     false},
    {"time-left", 0, "SECONDS", "this run must be over by then (default: what Slurm says)", false},
    {"max-requeues", 0, "N", "put an interrupted Slurm job back into the queue (default 0 times)",
     false},
    {"set", 's', "KEY=VALUE", "override a key of the study file (budget.total=100)", true},
    {"quiet", 'q', NULL, "print errors only", false},
    {"help", 'h', NULL, "show this help", false},
    {NULL, 0, NULL, NULL, false},
};

static const CliCommand run_command = {
    .name = "run",
    .arguments = "STUDY.yaml",
    .help = "run a study, or go on with it where it stopped",
    .details =
        "Exit status: 0 done, 1 failed, 2 wrong usage, 75 interrupted: run it again to go on.",
    .options = run_options,
    .least = 1,
    .most = 1,
};

static const CliOption evaluate_options[] = {
    {"segment", 'n', "N", "segment whose agent is evaluated (default: the best)", false},
    {"episodes", 'e', "N", "episodes (default 10)", false},
    {"seed", 0, "N", "seed of the episodes (default: drawn from the study's)", false},
    {"quiet", 'q', NULL, "print errors only", false},
    {"help", 'h', NULL, "show this help", false},
    {NULL, 0, NULL, NULL, false},
};

static const CliCommand evaluate_command = {
    .name = "evaluate",
    .arguments = "DIR",
    .help = "evaluate the agent that a segment ended with, without training it",
    .details = NULL,
    .options = evaluate_options,
    .least = 1,
    .most = 1,
};

/** What a command line asks for, checked. */
typedef struct Job {
    CliArguments     arguments;
    Study           *study;
    StudyFolder      folder;
    CoordinatorSetup setup;
    int64_t          workers; /* 0: as many as fit */
    int64_t          slots;
    int64_t          max_requeues;
    bool             by_srun;
    char             overrides[CLI_MAX_REPEATED][256];
    char             trainer_folder[PATH_BYTES];
} Job;

static void job_reset(Job *job) {
    study_destroy(job->study);
    study_folder_reset(&job->folder);
}

static int64_t default_workers(const Study *study, int64_t slots) {
    if (study->workers > 0) {
        return study->workers;
    }
    const int64_t fit = (int64_t)launch_cores() / (study->resources.cores * slots);
    const int64_t by_gpus =
        host_fit_slots(&study->resources, host_gpu_count(), fit * slots) / slots;
    return (by_gpus < 1) ? 1 : by_gpus;
}

/* Every host is looked at again when its workers have come; here it is one sentence before any
 * process starts. Under srun the nodes' cores are known to launch_srun_place(). */
static Status check_here(const Job *job) {
    const StudyResources *resources = &job->study->resources;
    const int64_t         workers = job->by_srun ? 1 : job->workers;
    const HostOffer       offer = {
              .name = job->by_srun ? "this node" : "this host",
              .cores = job->by_srun ? resources->cores : (int64_t)launch_cores(),
              .gpus = host_gpu_count(),
              .gpus_wanted = workers * job->slots * resources->gpus,
    };
    return host_fit(resources, &offer);
}

/* Relative words of an external trainer's command, and the file of a model, mean files beside the
 * study file. The frozen copy lies elsewhere, so it says where that was. */
static Status fix_trainer_folder(Job *job, StudyOverride *sets, size_t count) {
    const bool command = job->study->command != NULL;
    const bool model = job->study->environment_definition != NULL;
    if (!(command || model) || count >= CLI_MAX_REPEATED) {
        return STATUS_OK;
    }
    const char *place = command ? job->study->folder
                                : json_string(json_get(job->study->environment_definition, "file"));
    (void)snprintf(job->trainer_folder, sizeof job->trainer_folder, "\"%s\"", place);
    sets[count] = (StudyOverride){.path = command ? "trainer.folder" : "environment.file",
                                  .value = job->trainer_folder};
    study_destroy(job->study);
    job->study = NULL;
    return study_read(job->arguments.positional[0], sets, count + 1, &job->study);
}

/* a rank has been launched already, and is told the end by whoever did that */
static Status read_end(Job *job) {
    int64_t left = 0;
    TRY(cli_integer(&job->arguments, "time-left", 1, INT32_MAX, &left));
    if (left > 0 && !launch_is_own()) {
        launch_set_end_time(clock_wall() + (double)left);
    } else if (left == 0 && !launch_under_mpi() && slurm_in_job()) {
        const double end = slurm_end_time();
        if (isnan(end)) {
            (void)fprintf(stderr,
                          "mbtune: warning: squeue does not say when this job ends: the run "
                          "waits for Slurm's signal (or say --time-left SECONDS)\n");
        } else if (!isinf(end)) {
            launch_set_end_time(end);
        }
    }
    job->setup.end_time = launch_end_time();
    job->setup.in_slurm = getenv("SLURM_JOB_ID") != NULL; /* NOLINT(concurrency-mt-unsafe) */
    return STATUS_OK;
}

static Status read_launch(Job *job) {
    static const char *const launchers[] = {"auto", "mpiexec", "srun", NULL};
    const CliArguments      *arguments = &job->arguments;
    size_t                   launcher = 0;
    TRY(cli_choice(arguments, "launcher", launchers, &launcher));
    job->by_srun = launcher == 2 || (launcher == 0 && slurm_in_job());
    if (launcher == 2 && !launch_under_mpi() && !slurm_in_job()) {
        FAIL(STATUS_ERR_USAGE, "--launcher srun: this is no Slurm job (sbatch or salloc)");
    }
    TRY(cli_integer(arguments, "max-requeues", 0, MAX_WORKERS, &job->max_requeues));
    if (job->max_requeues > 0 && !launch_under_mpi() && !slurm_in_job()) {
        FAIL(STATUS_ERR_USAGE, "--max-requeues: this is no Slurm job (see mbtune sbatch)");
    }
    job->workers = job->by_srun ? job->study->workers : default_workers(job->study, job->slots);
    TRY(cli_integer(arguments, "workers", 1, MAX_WORKERS, &job->workers));
    return read_end(job);
}

static Status read_run(Job *job) {
    const CliArguments *arguments = &job->arguments;
    StudyOverride       sets[CLI_MAX_REPEATED + 1];
    for (size_t i = 0; i < arguments->repeated_count; i++) {
        TRY(study_override_parse(arguments->repeated[i], job->overrides[i],
                                 sizeof job->overrides[i], &sets[i]));
    }
    TRY(study_read(arguments->positional[0], sets, arguments->repeated_count, &job->study));
    TRY(fix_trainer_folder(job, sets, arguments->repeated_count));
    const char *folder = cli_value(arguments, "dir");
    TRY(study_folder_init((folder != NULL) ? folder : job->study->name, &job->folder));
    if (!study_folder_begun(&job->folder)) {
        TRY(study_check_new(job->study));
    }
    job->slots = 1;
    TRY(cli_integer(arguments, "slots", 1, MAX_WORKERS, &job->slots));
    TRY(read_launch(job));
    /* what cannot be made is one sentence here, before any process starts */
    TRY(study_folder_make(&job->folder));
    return STATUS_OK;
}

static Status read_evaluate(Job *job) {
    const CliArguments *arguments = &job->arguments;
    int64_t             seed = 0;
    TRY(study_folder_init(arguments->positional[0], &job->folder));
    if (!study_folder_begun(&job->folder)) {
        FAIL(STATUS_ERR_IO, "'%s' is no study: it has no study.db", arguments->positional[0]);
    }
    TRY(study_read(job->folder.study_file, NULL, 0, &job->study));
    job->setup.evaluate_episodes = 10;
    TRY(cli_integer(arguments, "segment", 1, INT64_MAX, &job->setup.evaluate_segment));
    TRY(cli_integer(arguments, "episodes", 1, 1000000, &job->setup.evaluate_episodes));
    TRY(cli_integer(arguments, "seed", 0, (INT64_C(1) << 53) - 1, &seed));
    job->setup.evaluate_seed = (uint64_t)seed;
    job->slots = 1;
    job->workers = 1;
    /* an agent is evaluated on fewer cores too, and there is no --set that could say so */
    StudyResources *resources = &job->study->resources;
    const int64_t   cores = (int64_t)launch_cores();
    resources->cores = (resources->cores < cores) ? resources->cores : cores;
    resources->threads = (resources->threads < cores) ? resources->threads : cores;
    return STATUS_OK;
}

static Status read_job(const CliCommand *command, int argc, char **argv, Job *job) {
    TRY(cli_parse(command, argc, argv, &job->arguments));
    if (job->arguments.help) {
        return STATUS_OK;
    }
    TRY((command == &run_command) ? read_run(job) : read_evaluate(job));
    const CliStyle style = cli_style(STDOUT_FILENO);
    job->setup.study = job->study;
    job->setup.folder = &job->folder;
    job->setup.lock_seconds = lock_seconds;
    job->setup.quiet = cli_flag(&job->arguments, "quiet");
    job->setup.columns = launch_columns();
    job->setup.colour = style.color || (job->setup.columns > 0 && !launch_plain());
    return STATUS_OK;
}

/* ---- ranks --------------------------------------------------------------------------------------
 */

static int run_rank(Job *job, int rank, int size, bool *finalize) {
    *finalize = true;
    if (rank > 0) {
        char             *binary = launch_binary();
        const WorkerSetup setup = {.slots = (size_t)job->slots, .binary = binary};
        const Status      status = worker_main(MPI_COMM_WORLD, &setup);
        free(binary);
        *finalize = status == STATUS_OK;
        /* who died is the coordinator's to say */
        return (status == STATUS_OK || status == STATUS_ERR_INTERRUPTED) ? CLI_EXIT_DONE
                                                                         : cli_complain(status);
    }
    if (size < 2) {
        (void)fprintf(stderr, "mbtune: one rank is not enough: the coordinator and at least one "
                              "worker are needed (mpiexec -n 2 or more, or start it plainly)\n");
        return CLI_EXIT_USAGE;
    }
    CoordinatorOutcome outcome;
    launch_report_start();
    const Status status = coordinator_run(&job->setup, MPI_COMM_WORLD, &outcome);
    if (status != STATUS_OK) {
        (void)cli_complain(status);
    }
    launch_report_exit(&outcome);
    *finalize = outcome.finalize;
    return outcome.exit_status;
}

/* after a death MPI_Finalize hangs: leave without it, and without what MPI does at exit() */
static int run_ranks(Job *job) {
    int provided = 0;
    int rank = 0;
    int size = 0;
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) {
        (void)fprintf(stderr, "mbtune: MPI_Init_thread failed\n");
        return CLI_EXIT_FAILED;
    }
    (void)MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    (void)MPI_Comm_size(MPI_COMM_WORLD, &size);
    /* hydra's word that a rank has died, and the end of the process that passes output on: neither
     * is a reason to end a study */
    (void)signal(SIGUSR1, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN);
    bool      finalize = true;
    const int exit_status = run_rank(job, rank, size, &finalize);
    (void)fflush(NULL);
    if (!finalize && rank == 0 && !launch_is_own()) {
        /* mpiexec, started by hand, waits for every proxy, also for those that it cannot reach any
         * more; this is the one word after which it ends all the same */
        (void)MPI_Abort(MPI_COMM_WORLD, exit_status);
    }
    if (!finalize) {
        _exit(exit_status);
    }
    (void)MPI_Finalize();
    return exit_status;
}

/* nothing runs where a person trains: the study is made, or takes over another budget */
static int run_manual(const CliCommand *command, Job *job) {
    Buffer out;
    Status status = STATUS_OK;
    buffer_init(&out, 1 << 16);
    if (command != &run_command) {
        status = FAILURE(STATUS_ERR_STATE, "study '%s' has no agents to evaluate: a person trains",
                         job->study->name);
    } else {
        status = manual_make(job->study, &job->folder, &out);
    }
    if (status == STATUS_OK && !job->setup.quiet) {
        status = cli_write(STDOUT_FILENO, buffer_text(&out), out.length);
    }
    buffer_reset(&out);
    return (status == STATUS_OK) ? CLI_EXIT_DONE : cli_complain(status);
}

/* A Slurm job whose study was interrupted by what passes goes back into the queue; Slurm
 * ends this process then. */
static void requeue(const Job *job) {
    const int64_t restarts = slurm_restarts();
    if (restarts >= job->max_requeues) {
        (void)fprintf(
            stderr,
            "mbtune: the job does not go back into the queue: it was started again %" PRId64
            " times, as often as --max-requeues allows; submit it again to go on\n",
            restarts);
        return;
    }
    const Status status = slurm_requeue();
    if (status != STATUS_OK) {
        (void)cli_complain(status);
    } else if (!job->setup.quiet) {
        (void)printf("back into the queue (%" PRId64 " of %" PRId64 ")\n", restarts + 1,
                     job->max_requeues);
    }
}

static int launch(const Job *job, char **argv) {
    const Status fits = check_here(job);
    if (fits != STATUS_OK) {
        return cli_complain(fits);
    }
    const LaunchSetup setup = {
        .by_srun = job->by_srun,
        .workers = job->workers,
        .cores = job->slots * job->study->resources.cores,
        .most_per_node =
            host_fit_slots(&job->study->resources, host_gpu_count(), MAX_WORKERS) / job->slots,
        .folder = job->folder.logs,
    };
    const LaunchOutcome outcome = launch_self(&setup, argv);
    if (outcome.again && job->max_requeues > 0) {
        requeue(job);
    }
    return outcome.status;
}

static int run_job(const CliCommand *command, int argc, char **argv, Job *job) {
    const Status status = read_job(command, argc, argv, job);
    if (status != STATUS_OK) {
        return cli_complain(status);
    }
    if (job->arguments.help) {
        Buffer help;
        buffer_init(&help, 1 << 16);
        cli_help(command, &help);
        const Status written = cli_write(STDOUT_FILENO, buffer_text(&help), help.length);
        buffer_reset(&help);
        return cli_exit_code(written);
    }
    if (job->study->manual) {
        return run_manual(command, job);
    }
    return launch_under_mpi() ? run_ranks(job) : launch(job, argv);
}

static int with_job(const CliCommand *command, int argc, char **argv) {
    Job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        (void)fprintf(stderr, "mbtune: out of memory\n");
        return CLI_EXIT_FAILED;
    }
    job->folder.lock = -1;
    const int exit_status = run_job(command, argc, argv, job);
    job_reset(job);
    free(job);
    return exit_status;
}

int command_run(int argc, char **argv) {
    return with_job(&run_command, argc, argv);
}

int command_evaluate(int argc, char **argv) {
    return with_job(&evaluate_command, argc, argv);
}
