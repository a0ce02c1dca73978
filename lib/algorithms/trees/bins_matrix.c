/* SPDX-License-Identifier: MIT
 *
 * trees/bins_matrix.c: the matrix of bins once more, column by column.
 *
 * Histograms want all bins of a row, divisions those of one column. Read from rows, a
 * division fetches a line of the cache for each row and uses a byte of it; read from
 * columns, the same bytes are 64 times fewer lines. The copy costs as much memory as the
 * matrix, and a thousandth of a fit's time.
 */
#include "algorithms/trees/bins_sparse.h"
#include "core/parallel.h"

#define SMALL_BYTES (256 << 10) /* stays in the second level */
#define TASK_ROWS   4096
#define TILE_ROWS   128

typedef struct turning {
    mli_bin_matrix *matrix;
    int64_t columns, stride;
} turning;

static void turn_task(void *arg, int64_t task, int32_t slot)
{
    turning *t = arg;
    mli_bin_matrix *m = t->matrix;
    (void)slot;
    int64_t begin = task * TASK_ROWS;
    int64_t last = begin + TASK_ROWS < m->rows ? begin + TASK_ROWS : m->rows;
    for (; begin < last; begin += TILE_ROWS) {
        int64_t n = last - begin < TILE_ROWS ? last - begin : TILE_ROWS;
        const uint8_t *from = m->by_row + begin * t->stride;
        for (int64_t c = 0; c < t->columns; c++) {
            uint8_t *to = m->by_column + c * m->rows + begin;
            for (int64_t i = 0; i < n; i++) to[i] = from[i * t->stride + c];
        }
    }
}

ml_status mli_bin_matrix_make(mli_bin_matrix *m, const mli_binner *b,
                              const mli_bin_store *bins, int64_t rows, int by_column,
                              ml_error *err)
{
    *m = (mli_bin_matrix){.by_row = bins->matrix, .rows = rows, .sparse = bins->lists};
    if (!by_column || bins->lists || rows * b->stride <= SMALL_BYTES) return ML_OK;
    m->by_column = mli_alloc_vec(b->ctx, rows * b->n_used, 1);
    if (!m->by_column) return mli_nomem(err);
    turning t = {m, b->n_used, b->stride};
    mli_parallel(b->ctx, mli_task_count(rows, TASK_ROWS), turn_task, &t);
    return ML_OK;
}
