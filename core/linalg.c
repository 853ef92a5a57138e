#include "core/linalg.h"

#include <cblas.h>
#include <gnu/libc-version.h>
#include <limits.h>
#include <math.h>
#include <string.h>

/* EIGEN_LIMIT: 2 n^2 + 6 n + 1 stays below 2^31 */
enum { THREADS_LIMIT = 1024, EIGEN_LIMIT = 30000 };

/* counts changes of the bits that core/vector_math.h, core/rng.c, core/optimize/matern.c and the
 * networks' kernels compute; all widths agree */
#define KERNEL_FAMILY "plain-2"

/* LAPACK's own symbol, which OpenBLAS brings without a header; the length of `uplo` comes last */
/* NOLINTNEXTLINE(readability-identifier-naming): LAPACK's */
extern void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info,
                    size_t uplo_length);
/* NOLINTNEXTLINE(readability-identifier-naming): LAPACK's */
extern void dtrtri_(const char *uplo, const char *diag, const int *n, double *a, const int *lda,
                    int *info, size_t uplo_length, size_t diag_length);
/* NOLINTNEXTLINE(readability-identifier-naming): LAPACK's */
extern void dpotri_(const char *uplo, const int *n, double *a, const int *lda, int *info,
                    size_t uplo_length);

/* NOLINTNEXTLINE(readability-identifier-naming): LAPACK's */
extern void dsyevd_(const char *job, const char *uplo, const int *n, double *a, const int *lda,
                    double *w, double *work, const int *lwork, int *iwork, const int *liwork,
                    int *info, size_t job_length, size_t uplo_length);

Status linalg_start(int threads) {
    if (threads < 1 || threads > THREADS_LIMIT) {
        FAIL(STATUS_ERR_ARG, "linear algebra needs 1 to %d threads, not %d", THREADS_LIMIT,
             threads);
    }
    openblas_set_num_threads(threads);
    return STATUS_OK;
}

void linalg_numerics(Buffer *out) {
    buffer_printf(out,
                  "%s; core %s; threads %d; networks float32, statistics float64; kernels %s; "
                  "glibc %s",
                  openblas_get_config(), openblas_get_corename(), openblas_get_num_threads(),
                  KERNEL_FAMILY, gnu_get_libc_version());
}

/* the part of a view that shapes are checked by */
typedef struct Shape {
    size_t rows;
    size_t columns;
    size_t stride;
} Shape;

static bool is_shape(Shape s) {
    return s.stride >= s.columns && s.rows <= INT_MAX && s.stride <= INT_MAX;
}

static Shape transposed_if(Shape s, LinalgForm form) {
    return (form == LINALG_PLAIN) ? s : (Shape){s.columns, s.rows, s.stride};
}

static int blas_stride(size_t stride) {
    return (stride == 0) ? 1 : (int)stride;
}

static CBLAS_TRANSPOSE blas_form(LinalgForm form) {
    return (form == LINALG_PLAIN) ? CblasNoTrans : CblasTrans;
}

static Status check_product(Shape a, LinalgForm form_a, Shape b, LinalgForm form_b, Shape c) {
    const Shape left = transposed_if(a, form_a);
    const Shape right = transposed_if(b, form_b);
    if (!is_shape(a) || !is_shape(b) || !is_shape(c)) {
        FAIL(STATUS_ERR_SHAPE,
             "product: a stride is shorter than its row, or too long: (%zu, %zu) by %zu, "
             "(%zu, %zu) by %zu, (%zu, %zu) by %zu",
             a.rows, a.columns, a.stride, b.rows, b.columns, b.stride, c.rows, c.columns, c.stride);
    }
    if (left.columns != right.rows || left.rows != c.rows || right.columns != c.columns) {
        FAIL(STATUS_ERR_SHAPE, "product: (%zu, %zu) times (%zu, %zu) does not give (%zu, %zu)",
             left.rows, left.columns, right.rows, right.columns, c.rows, c.columns);
    }
    return STATUS_OK;
}

#define SHAPE_OF(m) ((Shape){(m).rows, (m).columns, (m).stride})

Status linalg_product_double(double alpha, DoubleMatrixView a, LinalgForm form_a,
                             DoubleMatrixView b, LinalgForm form_b, double beta, DoubleMatrix c) {
    TRY(check_product(SHAPE_OF(a), form_a, SHAPE_OF(b), form_b, SHAPE_OF(c)));
    if (c.rows == 0 || c.columns == 0) {
        return STATUS_OK;
    }
    const size_t inner = (form_a == LINALG_PLAIN) ? a.columns : a.rows;
    cblas_dgemm(CblasRowMajor, blas_form(form_a), blas_form(form_b), (int)c.rows, (int)c.columns,
                (int)inner, alpha, a.data, blas_stride(a.stride), b.data, blas_stride(b.stride),
                beta, c.data, blas_stride(c.stride));
    return STATUS_OK;
}

/* lower triangle from a, zeros above it; row by row, so that a and l may be the same memory */
static void copy_lower(DoubleMatrixView a, DoubleMatrix l) {
    for (size_t i = 0; i < a.rows; i++) {
        double *row = l.data + i * l.stride;
        memmove(row, a.data + i * a.stride, (i + 1) * sizeof *row);
        memset(row + i + 1, 0, (a.rows - i - 1) * sizeof *row);
    }
}

static Status refuse_pivot(size_t pivot, size_t n) {
    FAIL(STATUS_ERR_NUMERIC, "cholesky: the matrix is not positive definite at pivot %zu of %zu",
         pivot, n);
}

Status linalg_cholesky(DoubleMatrixView a, DoubleMatrix l) {
    if (!is_shape(SHAPE_OF(a)) || !is_shape(SHAPE_OF(l)) || a.rows != a.columns ||
        l.rows != a.rows || l.columns != a.columns) {
        FAIL(STATUS_ERR_SHAPE, "cholesky: (%zu, %zu) by %zu into (%zu, %zu) by %zu", a.rows,
             a.columns, a.stride, l.rows, l.columns, l.stride);
    }
    if (a.rows == 0) {
        return STATUS_OK;
    }
    copy_lower(a, l);
    /* a row-major lower triangle is a column-major upper one */
    const int n = (int)l.rows;
    const int stride = (int)l.stride;
    int       info = 0;
    dpotrf_("U", &n, l.data, &stride, &info, 1);
    if (info > 0) {
        return refuse_pivot((size_t)info - 1, l.rows);
    }
    for (size_t i = 0; i < l.rows; i++) {
        const double pivot = l.data[i * l.stride + i];
        if (!(pivot > 0.0) || isinf(pivot)) {
            return refuse_pivot(i, l.rows);
        }
    }
    return STATUS_OK;
}

static Status check_solve(DoubleMatrixView l, DoubleMatrix b) {
    if (!is_shape(SHAPE_OF(l)) || !is_shape(SHAPE_OF(b)) || l.rows != l.columns ||
        b.rows != l.rows) {
        FAIL(STATUS_ERR_SHAPE, "triangular solve: (%zu, %zu) by %zu with (%zu, %zu) by %zu", l.rows,
             l.columns, l.stride, b.rows, b.columns, b.stride);
    }
    for (size_t i = 0; i < l.rows; i++) {
        const double pivot = l.data[i * l.stride + i];
        if (pivot == 0.0 || isnan(pivot)) {
            FAIL(STATUS_ERR_NUMERIC, "triangular solve: pivot %zu of %zu is %g", i, l.rows, pivot);
        }
    }
    return STATUS_OK;
}

static void solve(DoubleMatrixView l, LinalgForm form, DoubleMatrix b) {
    if (b.rows > 0 && b.columns > 0) {
        cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, blas_form(form), CblasNonUnit,
                    (int)b.rows, (int)b.columns, 1.0, l.data, (int)l.stride, b.data, (int)b.stride);
    }
}

Status linalg_solve_triangular(DoubleMatrixView l, LinalgForm form, DoubleMatrix b) {
    TRY(check_solve(l, b));
    solve(l, form, b);
    return STATUS_OK;
}

Status linalg_solve_cholesky(DoubleMatrixView l, DoubleMatrix b) {
    TRY(check_solve(l, b));
    solve(l, LINALG_PLAIN, b);
    solve(l, LINALG_TRANSPOSED, b);
    return STATUS_OK;
}

/* a triangular solve with no right-hand side has the shapes and the pivots to be checked */
static Status check_inverse(DoubleMatrix l) {
    return check_solve(double_matrix_view(l), (DoubleMatrix){NULL, l.rows, 0, 0});
}

Status linalg_invert_triangular(DoubleMatrix l) {
    const int n = (int)l.rows;
    const int stride = blas_stride(l.stride);
    int       info = 0;
    TRY(check_inverse(l));
    if (n > 0) {
        dtrtri_("U", "N", &n, l.data, &stride, &info, 1, 1);
    }
    return STATUS_OK;
}

Status linalg_invert_cholesky(DoubleMatrix l) {
    const int n = (int)l.rows;
    const int stride = blas_stride(l.stride);
    int       info = 0;
    TRY(check_inverse(l));
    if (n > 0) {
        dpotri_("U", &n, l.data, &stride, &info, 1);
    }
    return STATUS_OK;
}

double linalg_log_determinant(DoubleMatrixView l) {
    double sum = 0.0;
    for (size_t i = 0; i < l.rows; i++) {
        sum += log(l.data[i * l.stride + i]);
    }
    return 2.0 * sum;
}

/* what dsyevd asks for when it makes eigenvectors */
static size_t eigen_numbers(size_t n) {
    return 1 + 6 * n + 2 * n * n;
}

static size_t eigen_integers(size_t n) {
    return 3 + 5 * n;
}

size_t linalg_eigen_scratch(size_t n) {
    return arena_need(eigen_numbers(n), sizeof(double)) +
           arena_need(eigen_integers(n), sizeof(int));
}

static bool is_finite_lower(DoubleMatrix a) {
    for (size_t i = 0; i < a.rows; i++) {
        for (size_t j = 0; j <= i; j++) {
            if (!isfinite(a.data[i * a.stride + j])) {
                return false;
            }
        }
    }
    return true;
}

Status linalg_eigen_symmetric(DoubleMatrix a, double *values, Arena *scratch) {
    if (!is_shape(SHAPE_OF(a)) || a.rows != a.columns || a.rows > EIGEN_LIMIT) {
        FAIL(STATUS_ERR_SHAPE, "eigenvectors: (%zu, %zu) by %zu, at most %d rows", a.rows,
             a.columns, a.stride, EIGEN_LIMIT);
    }
    if (!is_finite_lower(a)) {
        FAIL(STATUS_ERR_NUMERIC, "eigenvectors: the matrix holds NaN or infinities");
    }
    if (a.rows == 0) {
        return STATUS_OK;
    }
    const size_t mark = arena_mark(scratch);
    double      *work = NULL;
    int         *integers = NULL;
    Status       status = ARENA_TAKE(scratch, double, eigen_numbers(a.rows), &work);
    if (status == STATUS_OK) {
        status = ARENA_TAKE(scratch, int, eigen_integers(a.rows), &integers);
    }
    if (status == STATUS_OK) {
        const int n = (int)a.rows;
        const int stride = (int)a.stride;
        const int work_size = (int)eigen_numbers(a.rows);
        const int integers_size = (int)eigen_integers(a.rows);
        int       info = 0;
        /* a row-major lower triangle is a column-major upper one; columns come back as rows */
        dsyevd_("V", "U", &n, a.data, &stride, values, work, &work_size, integers, &integers_size,
                &info, 1, 1);
        if (info != 0) {
            status =
                FAILURE(STATUS_ERR_NUMERIC, "eigenvectors of %zu rows: no convergence", a.rows);
        }
    }
    arena_release(scratch, mark);
    return status;
}
