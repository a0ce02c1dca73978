/* SPDX-License-Identifier: MIT
 *
 * cholesky.c: blocked, left-looking. For a block of columns, the products of the rows
 * computed so far are subtracted (nearly all the work: n^3 / 3 multiply-adds, in tiles of
 * 3 by 4 rows), the block on the diagonal is factorised, and the rows below are solved.
 * Rows below the diagonal are independent of each other and are shared among threads.
 */
#include "tensor/cholesky.h"
#include "core/parallel.h"
#include "tensor/kernels.h"

#include <math.h>
#include <string.h>

#define BLOCK 48 /* columns of a block, and rows of a task; a multiple of 3 and 4 */

typedef struct {
    const mli_kernels *k;
    int64_t n, ld, block; /* block: first column */
    double *a;
    double least;
} factoring;

/* Subtracts from rows i..end-1, columns j0..j1-1, what the columns before j0 give. */
static void subtract(const factoring *f, int64_t i, int64_t end, int64_t j0, int64_t j1)
{
    double *a = f->a;
    int64_t ld = f->ld;
    for (; i < end; i += 3) {
        int64_t j = j0;
        for (; i + 3 <= end && j + 4 <= j1 && j + 3 <= i; j += 4) {
            double c[12] = {0};
            f->k->gram3x4(a + i * ld, a + j * ld, ld, j0, c);
            for (int t = 0; t < 12; t++) a[(i + t / 4) * ld + j + t % 4] -= c[t];
        }
        for (int64_t r = i; r < end && r < i + 3; r++)
            for (int64_t s = j; s < j1 && s <= r; s++)
                a[r * ld + s] -= f->k->dot(a + r * ld, a + s * ld, j0);
    }
}

/* The block on the diagonal; `before` are its diagonal elements as they came. Returns the
 * first bad row or `end`. */
static int64_t factor_diagonal(const factoring *f, int64_t end, const double *before)
{
    double *a = f->a;
    for (int64_t i = f->block; i < end; i++) {
        double *row = a + i * f->ld, s = 0;
        for (int64_t j = f->block; j <= i; j++) {
            const double *other = a + j * f->ld;
            s = row[j];
            for (int64_t k = f->block; k < j; k++) s -= row[k] * other[k];
            if (j < i) row[j] = s / other[j];
        }
        if (!(s > f->least * before[i - f->block]) || !(s > 0) || !isfinite(s)) return i;
        row[i] = sqrt(s);
    }
    return end;
}

/* Rows below the diagonal. */
static void panel_task(void *arg, int64_t task, int32_t slot)
{
    const factoring *f = arg;
    int64_t j0 = f->block, j1 = j0 + BLOCK, begin = j1 + task * BLOCK;
    int64_t end = begin + BLOCK < f->n ? begin + BLOCK : f->n;
    (void)slot;
    subtract(f, begin, end, j0, j1);
    for (int64_t i = begin; i < end; i++) {
        double *row = f->a + i * f->ld;
        for (int64_t j = j0; j < j1; j++) {
            const double *other = f->a + j * f->ld;
            double s = row[j];
            for (int64_t k = j0; k < j; k++) s -= row[k] * other[k];
            row[j] = s / other[j];
        }
    }
}

int64_t mli_cholesky(ml_context *ctx, int64_t n, double *a, int64_t ld, double least)
{
    factoring f = {mli_kernels_of(ctx), n, ld, 0, a, least};
    for (; f.block < n; f.block += BLOCK) {
        int64_t end = f.block + BLOCK < n ? f.block + BLOCK : n;
        double before[BLOCK];
        for (int64_t i = f.block; i < end; i++) before[i - f.block] = a[i * ld + i];
        subtract(&f, f.block, end, f.block, end);
        int64_t done = factor_diagonal(&f, end, before);
        if (done < end) return done;
        mli_parallel(ctx, mli_task_count(n - end, BLOCK), panel_task, &f);
    }
    return n;
}

void mli_cholesky_solve(ml_context *ctx, int64_t n, const double *l, int64_t ld,
                        double *b)
{
    const mli_kernels *k = mli_kernels_of(ctx);
    for (int64_t i = 0; i < n; i++)
        b[i] = (b[i] - k->dot(l + i * ld, b, i)) / l[i * ld + i];
    for (int64_t i = n - 1; i >= 0; i--) {
        b[i] /= l[i * ld + i];
        k->axpy(-b[i], l + i * ld, b, i);
    }
}

/* Column j of the inverse of L, whose squares sum to element j of the diagonal. */
void mli_cholesky_inverse_diagonal(ml_context *ctx, int64_t n, const double *l,
                                   int64_t ld, double *work, double *out)
{
    const mli_kernels *k = mli_kernels_of(ctx);
    for (int64_t j = 0; j < n; j++) {
        work[j] = 1.0 / l[j * ld + j];
        for (int64_t i = j + 1; i < n; i++)
            work[i] = -k->dot(l + i * ld + j, work + j, i - j) / l[i * ld + i];
        out[j] = k->dot(work + j, work + j, n - j);
    }
}

/* Row i of L^-1 from the rows before. */
void mli_cholesky_invert(ml_context *ctx, int64_t n, double *l, double *row)
{
    const mli_kernels *k = mli_kernels_of(ctx);
    for (int64_t i = 0; i < n; i++) {
        double pivot = 1 / l[i * n + i];
        memset(row, 0, (size_t)i * sizeof *row);
        for (int64_t j = 0; j < i; j++) k->axpy(-l[i * n + j], l + j * n, row, j + 1);
        for (int64_t j = 0; j < i; j++) l[i * n + j] = row[j] * pivot;
        l[i * n + i] = pivot;
    }
}
