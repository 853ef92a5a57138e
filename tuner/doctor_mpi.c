/* MPI: whose library, which launcher, and whether two ranks of this program can talk. */
#include "tuner/doctor.h"

#include "tuner/launch.h"
#include "tuner/program.h"

#include <mpi.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT = 1 << 14, RUN_SECONDS = 10, WORD = 4711 };

static const char *kind_of(const char *text) {
    if (strstr(text, "Open MPI") != NULL || strstr(text, "open-mpi") != NULL ||
        strstr(text, "OpenRTE") != NULL) {
        return "Open MPI";
    }
    return (strstr(text, "MPICH") != NULL || strstr(text, "HYDRA") != NULL) ? "MPICH"
                                                                            : "another MPI";
}

/* @return whether there is one that fits the library */
static bool launcher(Diagnosis *diagnosis, const char *library) {
    const char *const version[] = {launch_mpiexec(), "--version", NULL};
    char              text[TEXT];
    const int         rc = program_ask(version, RUN_SECONDS, text, sizeof text);

    if (rc == PROGRAM_NOT_FOUND) {
        static const char *const slurm[] = {"srun", "--version", NULL};
        const bool               has_srun = program_ask(slurm, RUN_SECONDS, text, sizeof text) == 0;
        doctor_add(diagnosis, "mpiexec", has_srun ? FINDING_WARNING : FINDING_PROBLEM,
                   "Install MPICH (Debian: mpich), or start mbtune under srun.",
                   "%s, which starts the workers, is not there", launch_mpiexec());
        return false;
    }
    if (strcmp(kind_of(text), library) != 0) {
        doctor_add(diagnosis, "mpiexec", FINDING_PROBLEM,
                   "Build again with the mpicc that belongs to this mpiexec "
                   "(-DMPI_C_COMPILER=... -DMPIEXEC_EXECUTABLE=...).",
                   "%s is of %s, the library is %s: every rank would be alone", launch_mpiexec(),
                   kind_of(text), library);
        return false;
    }
    doctor_add(diagnosis, "mpiexec", FINDING_GOOD, NULL, "%s (%s)", launch_mpiexec(),
               kind_of(text));
    return true;
}

static void two_ranks(Diagnosis *diagnosis) {
    static char command[] = "doctor";
    static char option[] = "--handshake";
    static char two[] = "2";
    char        text[TEXT];
    char       *words[LAUNCH_MPIEXEC_WORDS + 4] = {NULL};
    char       *binary = launch_binary();
    Buffer      hosts;

    if (binary == NULL) {
        return;
    }
    buffer_init(&hosts, TEXT);
    size_t count = launch_mpiexec_words(2, two, &hosts, words);
    words[count++] = binary;
    words[count++] = command;
    words[count] = option;
    const int rc = program_ask((const char *const *)words, RUN_SECONDS, text, sizeof text);
    buffer_reset(&hosts);
    free(words[0]);
    if (rc == 0) {
        doctor_add(diagnosis, "ranks", FINDING_GOOD, NULL, "two ranks on this host talk");
    } else {
        text[strcspn(text, "\n")] = '\0';
        doctor_add(diagnosis, "ranks", FINDING_PROBLEM,
                   "Look at /etc/hosts (the host's own name must be known) and at /dev/shm.",
                   "two ranks on this host do not talk (%s): %s",
                   (rc == PROGRAM_TOO_SLOW) ? "nothing happens in 10 s" : "they fail", text);
    }
    free(binary);
}

void doctor_mpi(Diagnosis *diagnosis) {
    char library[MPI_MAX_LIBRARY_VERSION_STRING];
    int  length = 0;

    if (MPI_Get_library_version(library, &length) != MPI_SUCCESS) {
        library[0] = '\0';
    }
    const char *kind = kind_of(library);
    library[strcspn(library, "\n")] = '\0';
    for (char *tab = strchr(library, '\t'); tab != NULL; tab = strchr(tab, '\t')) {
        *tab = ' ';
    }
    doctor_add(diagnosis, "mpi", FINDING_GOOD, NULL, "%s, built for MPI %d.%d", library,
               MPI_VERSION, MPI_SUBVERSION);
    if (launcher(diagnosis, kind)) {
        two_ranks(diagnosis);
    }
}

int doctor_handshake(void) {
    int rank = 0;
    int ranks = 0;
    int word = WORD;

    (void)alarm(RUN_SECONDS); /* a rank that waits for ever ends by the signal */
    if (MPI_Init(NULL, NULL) != MPI_SUCCESS) {
        return EXIT_FAILURE;
    }
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    (void)MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    if (ranks == 2 && rank == 0) {
        (void)MPI_Send(&word, 1, MPI_INT, 1, 1, MPI_COMM_WORLD);
        word = 0;
        (void)MPI_Recv(&word, 1, MPI_INT, 1, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    } else if (ranks == 2) {
        word = 0;
        (void)MPI_Recv(&word, 1, MPI_INT, 0, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        (void)MPI_Send(&word, 1, MPI_INT, 0, 1, MPI_COMM_WORLD);
    }
    (void)MPI_Finalize();
    if (ranks != 2) {
        (void)fprintf(stderr, "a rank sees %d ranks instead of 2\n", ranks);
        return EXIT_FAILURE;
    }
    return (word == WORD) ? EXIT_SUCCESS : EXIT_FAILURE;
}
