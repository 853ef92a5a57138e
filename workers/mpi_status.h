/** @file mpi_status.h  MPI return codes as Status; the communicators return errors (see crew.c). */
#ifndef WORKERS_MPI_STATUS_H
#define WORKERS_MPI_STATUS_H

#include "core/status.h"

#include <mpi.h>

/** STATUS_OK, or STATUS_ERR_MPI with MPI's own text and `call`. */
Status mpi_status(int code, const char *call) MUST_USE;

#define TRY_MPI(call) TRY(mpi_status((call), #call))

#endif
