/** @file linalg.h  Dense linear algebra over OpenBLAS, with every shape checked.
 *
 * Matrices are row-major views: element (i, j) is data[i * stride + j], stride >= columns, both
 * below 2^31. Everything is in double: networks have a product of their own in float
 * (mbrl/models/lane_gemm.h). Nothing here allocates. Triangles are lower ones. All calls give the
 * same bits for the same input as long as linalg_numerics() writes the same line.
 */
#ifndef CORE_LINALG_H
#define CORE_LINALG_H

#include "core/arena.h"
#include "core/buffer.h"
#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct DoubleMatrix {
    double *data;
    size_t  rows;
    size_t  columns;
    size_t  stride;
} DoubleMatrix;

typedef struct DoubleMatrixView {
    const double *data;
    size_t        rows;
    size_t        columns;
    size_t        stride;
} DoubleMatrixView;

/* read-only view of a matrix */
static inline DoubleMatrixView double_matrix_view(DoubleMatrix m) {
    return (DoubleMatrixView){m.data, m.rows, m.columns, m.stride};
}

/** Whether a factor of a product is used as it is or transposed. */
typedef enum LinalgForm { LINALG_PLAIN, LINALG_TRANSPOSED } LinalgForm;

/**
 * Sets the number of threads of OpenBLAS for this process; to be called once at start, before
 * other threads compute. Results depend on it.
 * @param threads  1 to 1024
 * @return STATUS_OK; STATUS_ERR_ARG
 */
Status linalg_start(int threads) MUST_USE;

/**
 * Appends one line without line end: library with version and build, core type, threads (of
 * OpenBLAS; those that planners use change no result and are not part of it), precisions, kernel
 * family, C library. Two processes whose lines are equal compute the same bits.
 * Failures stay in the buffer.
 */
void linalg_numerics(Buffer *out);

/**
 * C = alpha op(A) op(B) + beta C.
 *
 * Shapes: op(A) (m, k), op(B) (k, n), C (m, n). Where beta is 0, C is written without being read.
 * m, n or k of 0 is allowed; k = 0 scales C. C may not overlap A or B. NaN in gives NaN out.
 *
 * @return STATUS_OK; STATUS_ERR_SHAPE with the shapes in the text (C unchanged)
 */
Status linalg_product_double(double alpha, DoubleMatrixView a, LinalgForm form_a,
                             DoubleMatrixView b, LinalgForm form_b, double beta,
                             DoubleMatrix c) MUST_USE;

/**
 * Cholesky factor: A = L L^T.
 *
 * Shapes: A and L (n, n). Of A only the lower triangle is read. L gets zeros above its diagonal.
 * A and L may be the same memory with the same stride, otherwise they may not overlap.
 *
 * @return STATUS_OK
 *         STATUS_ERR_SHAPE    not square or not alike (L unchanged)
 *         STATUS_ERR_NUMERIC  A is not positive definite, or holds NaN or infinities; the text
 *                             names the pivot. L is then undefined: A is kept only where it is
 *                             other memory.
 * Cost: n^3 / 3 FLOP. Source: LAPACK dpotrf.
 */
Status linalg_cholesky(DoubleMatrixView a, DoubleMatrix l) MUST_USE;

/**
 * Solves L X = B (LINALG_PLAIN) or L^T X = B (LINALG_TRANSPOSED) in place; the part of L above
 * its diagonal is not read.
 *
 * Shapes: L (n, n), B (n, m).
 * @return STATUS_OK; STATUS_ERR_SHAPE; STATUS_ERR_NUMERIC if a pivot is 0 or NaN (B unchanged)
 */
Status linalg_solve_triangular(DoubleMatrixView l, LinalgForm form, DoubleMatrix b) MUST_USE;
/** Solves A X = B in place from the factor of A: X = L^-T L^-1 B. Errors as above. */
Status linalg_solve_cholesky(DoubleMatrixView l, DoubleMatrix b) MUST_USE;

/**
 * Eigenvalues and eigenvectors of a symmetric matrix, in place: A = V^T diag(values) V.
 *
 * Shapes: A (n, n), of which only the lower triangle is read; afterwards row k holds eigenvector k,
 * of length 1. values (n), ascending.
 * @param scratch  in/out  linalg_eigen_scratch(n) bytes, released before return
 * @return STATUS_OK
 *         STATUS_ERR_SHAPE    not square (nothing changed)
 *         STATUS_ERR_NOMEM    scratch is too small (nothing changed)
 *         STATUS_ERR_NUMERIC  A holds NaN or infinities (nothing changed), or no convergence (A and
 *                             values undefined)
 * Cost: about 9 n^3 FLOP. Source: LAPACK dsyevd (Cuppen's divide and conquer).
 */
Status linalg_eigen_symmetric(DoubleMatrix a, double *values, Arena *scratch) MUST_USE;
size_t linalg_eigen_scratch(size_t n);

/**
 * Inverse of a lower triangular matrix, in place; the part above the diagonal is neither read nor
 * written.
 *
 * Shapes: L (n, n).
 * @return STATUS_OK; STATUS_ERR_SHAPE; STATUS_ERR_NUMERIC if a pivot is 0 or NaN (L unchanged)
 * Cost: n^3 / 3 FLOP. Source: LAPACK dtrtri.
 */
Status linalg_invert_triangular(DoubleMatrix l) MUST_USE;
/** Lower triangle of A^-1 from the factor of A, in place; shapes and errors as above.
 * Cost: 2 n^3 / 3 FLOP. Source: LAPACK dpotri. */
Status linalg_invert_cholesky(DoubleMatrix l) MUST_USE;

/** log det A = 2 sum of log L[i][i] from the factor of A; 0 for n = 0, NaN for bad pivots. */
double linalg_log_determinant(DoubleMatrixView l);

#endif
