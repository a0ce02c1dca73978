/* SPDX-License-Identifier: MIT
 *
 * algorithms/columns.c: the columns that a transformer makes, as a table. Where each
 * comes of one feature, from column to column; else rows come block by block and are
 * turned into columns while they are in the cache.
 */
#include "algorithms/columns_parts.h"

#include <math.h>
#include <string.h>

#define GRAIN       256 /* rows turned at a time */
#define MOST_VALUES 1e9 /* more than those of the columns given */
#define PAGE        4096u
#define SHARED      ((size_t)8 << 20) /* bytes that several columns share */

ml_status mli_model_outputs(const ml_model *m, mli_inputs **out, ml_error *err)
{
    if (m->algorithm->outputs) return m->algorithm->outputs(m, out, err);
    *out = mli_inputs_ref(m->inputs);
    return ML_OK;
}

static int64_t turn_codes(const double *from, int64_t n, int64_t stride, double levels,
                          int32_t *to)
{
    int64_t missing = 0;
    for (int64_t i = 0; i < n; i++) {
        double code = from[i * stride];
        to[i] = code >= 0 && code < levels ? (int32_t)code : -1;
        missing += to[i] < 0;
    }
    return missing;
}

/* Texts by their address, until all are there: see gather_text. */
static int64_t turn_texts(const double *from, int64_t n, int64_t stride,
                          const mli_text **to)
{
    int64_t missing = 0;
    for (int64_t i = 0; i < n; i++) {
        to[i] = mli_text_of(from[i * stride]);
        missing += !to[i];
    }
    return missing;
}

/* Is a column of the table made of bits? Inside of pipelines all numbers are f64. */
int mli_is_truth(const mli_turning *t, int64_t j)
{
    return t->outputs->features[j].truth && !t->way;
}

/* Bits, of which few are set; those of other rows may be in the same bytes. */
static int64_t turn_truth(const double *from, int64_t n, int64_t stride, int64_t begin,
                          uint8_t *bits)
{
    for (int64_t i = 0; i < n; i++) {
        if (from[i * stride] == 0) continue;
        int64_t at = begin + i;
        __atomic_fetch_or(&bits[at >> 3], (uint8_t)(1u << (at & 7)), __ATOMIC_RELAXED);
    }
    return 0;
}

/* Values of output j for rows from `begin` on: from[i * stride]. */
static void turn_column(const mli_turning *t, int64_t j, int64_t begin, int64_t n,
                        const double *from, int64_t stride)
{
    const mli_feature *f = &t->outputs->features[j];
    void *data = (void *)(uintptr_t)t->table->columns[j].data;
    int64_t missing;
    if (f->kind == MLI_CATEGORICAL)
        missing =
            turn_codes(from, n, stride, (double)f->levels.n, (int32_t *)data + begin);
    else if (mli_is_truth(t, j))
        missing = turn_truth(from, n, stride, begin, data);
    else if (f->kind == MLI_TEXT)
        missing = turn_texts(from, n, stride, (const mli_text **)data + begin);
    else
        missing = mli_store_numbers(from, n, stride, t->store, (double *)data + begin);
    if (missing) atomic_fetch_add(&t->missing[j], missing);
}

/* Four columns of numbers at a time: each row is read through once. */
static void turn_four(const mli_turning *t, int64_t j, int64_t begin, int64_t n,
                      const double *from, int64_t stride)
{
    double *to[4];
    int64_t missing[4] = {0};
    for (int k = 0; k < 4; k++)
        to[k] = (double *)(uintptr_t)t->table->columns[j + k].data + begin;
    mli_store_four(from, n, stride, t->store, to, missing);
    for (int k = 0; k < 4; k++)
        if (missing[k]) atomic_fetch_add(&t->missing[j + k], missing[k]);
}

/* Columns first .. first + width - 1, which are in rows[i * stride]. */
void mli_turn_some(const mli_turning *t, int64_t first, int64_t width, int64_t begin,
                   int64_t n, const double *rows, int64_t stride)
{
    for (int64_t k = 0; k < width;) {
        const mli_feature *f = &t->outputs->features[first + k];
        int numbers = 0;
        while (numbers < 4 && k + numbers < width && f[numbers].kind == MLI_NUMERIC &&
               !mli_is_truth(t, first + k + numbers))
            numbers++;
        if (numbers == 4)
            turn_four(t, first + k, begin, n, rows + k, stride);
        else
            turn_column(t, first + k, begin, n, rows + k, stride);
        k += numbers == 4 ? 4 : 1;
    }
}

static void turn(void *arg, int64_t begin, int64_t n, const double *rows)
{
    const mli_turning *t = arg;
    int64_t wide = t->outputs->n_features;
    mli_turn_some(t, 0, wide, begin, n, rows, wide);
    mli_store_done();
}

/* The same, where some columns are collected. */
static void turn_and_collect(void *arg, int64_t begin, int64_t n, const double *rows)
{
    mli_collecting *c = arg;
    const mli_turning *t = c->turning;
    for (int64_t j = 0; j < c->wide;) {
        int64_t first = j;
        while (j < c->wide && t->way[j] == MLI_PLAIN) j++;
        if (j > first)
            mli_turn_some(t, first, j - first, begin, n, rows + first, c->wide);
        while (j < c->wide && t->way[j] == MLI_COLLECTED) j++;
    }
    mli_collect_block(c, begin, n, rows);
    mli_store_done();
}

/* ---- the table ---- */

/* Columns beside each other share memory: they come with few page faults, on large pages
 * (core/memory.c), where each alone would be too small for them. It goes with the last of
 * its columns. Long ones begin in the middle of a small page: the columns that they are
 * made of mostly begin near the start of one, and reading shortly behind a place that is
 * being written, modulo the size of a page, makes the CPU wait. */
typedef struct {
    mli_buffer *memory;
    char *at;
    size_t left, later; /* bytes free; of this and all later columns */
} sharing;

static size_t size_of(const mli_turning *t, int64_t j, int64_t rows)
{
    const mli_feature *f = &t->outputs->features[j];
    if (t->way && t->way[j] != MLI_PLAIN) return 0;
    if (t->shared && t->shared[j]) return 0;
    if (mli_is_truth(t, j)) return ((size_t)rows + 511) / 512 * 64;
    size_t one = f->kind == MLI_TEXT          ? sizeof(mli_text *)
                 : f->kind == MLI_CATEGORICAL ? sizeof(int32_t)
                                              : sizeof(double);
    size_t size = (size_t)rows * one, whole = size < 64 * PAGE ? 64 : PAGE;
    return (size + whole - 1) / whole * whole;
}

static mli_buffer *share(ml_context *ctx, sharing *s, size_t size, void **data)
{
    if (!s->memory || s->left < size) {
        mli_buffer_free(s->memory);
        s->left = s->later < SHARED ? s->later : size > SHARED ? size : SHARED;
        s->memory = mli_buffer_room(ctx, s->left + PAGE, &s->at);
        if (!s->memory) return NULL;
        s->at += (PAGE + PAGE / 2 - (uintptr_t)s->at % PAGE) % PAGE;
    }
    *data = s->at;
    s->at += size;
    s->left -= size;
    s->later -= size;
    return mli_buffer_ref(s->memory);
}

/* Those that are not plain get no more than a name. */
static ml_status start_column(ml_context *ctx, sharing *s, const mli_turning *t,
                              int64_t j, int64_t rows, ml_error *err)
{
    const mli_feature *f = &t->outputs->features[j];
    mli_column *c = &t->table->columns[j];
    int codes = f->kind == MLI_CATEGORICAL;
    void *data = NULL;
    c->name = mli_strdup(ctx, f->name);
    if (!c->name) return mli_nomem(err);
    if (t->way && t->way[j] != MLI_PLAIN) return ML_OK;
    if (t->shared && t->shared[j]) return ML_OK;
    c->keep[0] = share(ctx, s, size_of(t, j, rows), &data);
    if (!c->keep[0]) return mli_nomem(err);
    if (mli_is_truth(t, j) && !t->steps) memset(data, 0, size_of(t, j, rows));
    c->type = codes                 ? ML_TYPE_CATEGORY
              : mli_is_truth(t, j)  ? ML_DTYPE_BOOL
              : f->kind == MLI_TEXT ? ML_TYPE_TEXT
                                    : ML_DTYPE_F64;
    c->rows = rows;
    c->stride = 1;
    c->data = data;
    if (!codes) return ML_OK;
    c->n_levels = f->levels.n;
    c->levels = f->levels.bytes;
    c->level_offsets = f->levels.offsets;
    c->keep[1] = mli_buffer_ref(f->levels.keep[0]);
    c->keep[2] = mli_buffer_ref(f->levels.keep[1]);
    return ML_OK;
}

/* The validity bits of a column of numbers, from its NaNs. */
static ml_status mark_missing(ml_context *ctx, mli_column *c, ml_error *err)
{
    uint8_t *bits = NULL;
    const double *values = c->data;
    if (c->type != ML_DTYPE_F64 || !c->null_count) return ML_OK;
    c->keep[1] = mli_buffer_new(ctx, (size_t)(c->rows + 7) / 8, &bits);
    if (!c->keep[1]) return mli_nomem(err);
    for (int64_t i = 0; i < c->rows; i++)
        bits[i >> 3] |= (uint8_t)((values[i] == values[i]) << (i & 7));
    c->validity = bits;
    return ML_OK;
}

/* The texts that a column holds by address, copied; the addresses go. */
static ml_status gather_text(ml_context *ctx, mli_column *c, ml_error *err)
{
    const mli_text *const *texts = c->data;
    int64_t *offsets, total = 0;
    char *bytes;
    uint8_t *bits;
    for (int64_t i = 0; i < c->rows; i++) total += texts[i] ? texts[i]->size : 0;
    c->keep[1] = mli_buffer_new(ctx, ((size_t)c->rows + 1) * sizeof *offsets, &offsets);
    c->keep[2] = mli_buffer_new(ctx, (size_t)total, &bytes);
    c->keep[3] = mli_buffer_new(ctx, (size_t)(c->rows + 7) / 8, &bits);
    if (!c->keep[1] || !c->keep[2] || !c->keep[3]) return mli_nomem(err);
    for (int64_t i = 0; i < c->rows; i++) {
        int64_t size = texts[i] ? texts[i]->size : 0;
        if (size) memcpy(bytes + offsets[i], texts[i]->data, (size_t)size);
        offsets[i + 1] = offsets[i] + size;
        bits[i >> 3] |= (uint8_t)((texts[i] != NULL) << (i & 7));
    }
    mli_buffer_free(c->keep[0]);
    c->keep[0] = c->keep[3];
    c->keep[3] = NULL;
    c->data = bytes;
    c->offsets = offsets;
    c->validity = bits;
    return ML_OK;
}

static ml_status start(ml_context *ctx, int64_t rows, const mli_inputs *outputs,
                       mli_turning *t, ml_error *err)
{
    int64_t n = outputs->n_features;
    t->outputs = outputs;
    t->missing = mli_calloc(ctx, (size_t)n, sizeof *t->missing);
    if (!t->missing) return mli_nomem(err);
    sharing s = {0};
    for (int64_t j = 0; j < n; j++) s.later += size_of(t, j, rows);
    t->store = mli_store_way(ctx, s.later);
    ml_status status = mli_table_alloc(ctx, rows, n, &t->table, err);
    for (int64_t j = 0; j < n && !status; j++)
        status = start_column(ctx, &s, t, j, rows, err);
    mli_buffer_free(s.memory);
    return status;
}

static ml_status finish(ml_context *ctx, mli_turning *t, ml_status status, ml_table **out,
                        ml_error *err)
{
    for (int64_t j = 0; !status && j < t->outputs->n_features; j++) {
        mli_column *c = &t->table->columns[j];
        c->null_count = atomic_load(&t->missing[j]);
        status = c->type == ML_TYPE_TEXT ? gather_text(ctx, c, err)
                                         : mark_missing(ctx, c, err);
    }
    if (!status) status = mli_table_seal(t->table, err);
    mli_free(ctx, t->missing);
    mli_free(ctx, t->shared);
    mli_free(ctx, t->way);
    if (status)
        ml_table_free(t->table);
    else
        *out = t->table;
    return status;
}

/* What many plain columns of many rows would need is refused at once. As many columns as
 * were given never are. */
static ml_status check_size(int64_t rows, int64_t inputs, const mli_turning *t,
                            ml_error *err)
{
    double plain = 0;
    for (int64_t j = 0; j < t->outputs->n_features; j++)
        if (!t->way || t->way[j] == MLI_PLAIN)
            plain += mli_is_truth(t, j) ? 1.0 / 64 : 1.0;
    double values = (double)rows * plain;
    if (values - (double)rows * (double)inputs <= MOST_VALUES) return ML_OK;
    mli_fail(err, ML_E_DATA,
             "%lld columns of %lld rows would take %lld GB: the columns of this "
             "transformer are dense",
             (long long)plain, (long long)rows,
             (long long)(values * sizeof(double) / 1e9));
    return mli_error_hint(err, ML_E_DATA,
                          "make fewer columns: max_features, n_features, max_levels");
}

/* ---- all of it ---- */

static int column_wise(const mli_plan *plan, const mli_design *d,
                       const mli_inputs *outputs)
{
    int64_t stride;
    if (!plan->column || mli_design_in_place(d, ML_DTYPE_F64, &stride)) return 0;
    for (int64_t j = 0; j < d->n_features; j++)
        if (d->columns[j].kind == MLI_TEXT) return 0;
    for (int64_t k = 0; k < outputs->n_features; k++)
        if (outputs->features[k].kind == MLI_TEXT) return 0;
    return 1;
}

/* Several columns of one feature, most of them 0: rows are looked through for the rest.
 */
static int spreads(const mli_plan *plan, const mli_inputs *outputs)
{
    for (int64_t j = 0; j < plan->n_features; j++) {
        if (plan->first[j + 1] - plan->first[j] < 2) continue;
        for (int64_t k = plan->first[j]; k < plan->first[j + 1]; k++)
            if (outputs->features[k].sparse) return 1;
    }
    return 0;
}

/* Columns that stay as they are: those of the table, under the names of the outputs. */
static ml_status share_columns(const mli_plan *plan, const mli_design *d, mli_turning *t,
                               ml_error *err)
{
    ml_status status = ML_OK;
    for (int64_t j = 0; t->shared && j < plan->n_features && !status; j++) {
        mli_column *c = &t->table->columns[plan->first[j]];
        if (!mli_stays(t, plan, j)) continue;
        mli_column_clear(d->ctx, c);
        status = mli_design_show(d, j, t->outputs->features[plan->first[j]].name, c, err);
    }
    return status;
}

static ml_status by_columns(const mli_plan *plan, const mli_design *d, mli_run *run,
                            mli_turning *t, ml_error *err)
{
    mli_mapping m = {0};
    ml_status status = ML_OK;
    t->steps = 1;
    if (t->way) status = mli_mapping_start(plan, d, t, &m, err);
    if (!status) status = mli_step_share(plan, d, t, err);
    if (!status) status = check_size(d->rows, plan->n_features, t, err);
    if (!status) status = start(d->ctx, d->rows, t->outputs, t, err);
    if (!status) status = mli_step_run(plan, d, run, t, err);
    if (!status && t->way) mli_mapping_finish(&m);
    if (!status) status = share_columns(plan, d, t, err);
    mli_mapping_free(&m);
    return status;
}

static ml_status by_outputs(const mli_plan *plan, const mli_design *d, mli_run *run,
                            mli_turning *t, ml_error *err)
{
    ml_status status = check_size(d->rows, plan->n_features, t, err);
    if (!status) status = start(d->ctx, d->rows, t->outputs, t, err);
    return status ? status : mli_across_run(plan, d, run, t, err);
}

static ml_status by_blocks(const mli_plan *plan, const mli_design *d, mli_run *run,
                           mli_turning *t, ml_error *err)
{
    mli_collecting c = {0};
    for (int64_t k = 0; t->way && k < plan->n_outputs; k++)
        if (t->outputs->features[k].sparse && t->outputs->features[k].kind == MLI_NUMERIC)
            t->way[k] = MLI_COLLECTED;
    ml_status status = check_size(d->rows, plan->n_features, t, err);
    if (!status) status = start(d->ctx, d->rows, t->outputs, t, err);
    if (status || !t->way)
        return status ? status : mli_plan_run_blocks(plan, d, run, turn, t, err);
    status = mli_collect_start(d->ctx, t, d->rows, &c, err);
    if (!status) status = mli_plan_run_blocks(plan, d, run, turn_and_collect, &c, err);
    if (!status) status = mli_collect_finish(&c, err);
    mli_collect_free(&c);
    return status;
}

ml_status mli_plan_run_columns(const mli_plan *plan, const mli_design *design,
                               const mli_inputs *outputs, int sparse, mli_run *run,
                               ml_table **out, ml_error *err)
{
    mli_turning t = {.outputs = outputs};
    ml_status status = ML_OK;
    if (plan->n_outputs != outputs->n_features)
        return mli_fail(err, ML_E_FORMAT,
                        "the model's outputs do not fit their description");
    if (sparse && design->rows <= INT32_MAX) {
        t.way = mli_calloc(design->ctx, (size_t)plan->n_outputs + 1, sizeof *t.way);
        if (!t.way) return mli_nomem(err);
    }
    int columns = column_wise(plan, design, outputs);
    if (columns && !(t.way && spreads(plan, outputs)))
        status = by_columns(plan, design, run, &t, err);
    else if (mli_across_can(plan, design, outputs))
        status = by_outputs(plan, design, run, &t, err);
    else
        status = by_blocks(plan, design, run, &t, err);
    return finish(design->ctx, &t, status, out, err);
}

static void turn_rows(void *arg, int64_t task, int32_t slot)
{
    const mli_turning *t = arg;
    int64_t begin = task * GRAIN, n = t->table->rows - begin;
    (void)slot;
    turn(arg, begin, n < GRAIN ? n : GRAIN, t->rows + begin * t->outputs->n_features);
}

ml_status mli_columns_of_rows(ml_context *ctx, const double *rows, int64_t n,
                              const mli_inputs *outputs, ml_table **out, ml_error *err)
{
    mli_turning t = {.rows = rows};
    ml_status status = start(ctx, n, outputs, &t, err);
    if (!status) mli_parallel(ctx, mli_task_count(n, GRAIN), turn_rows, &t);
    return finish(ctx, &t, status, out, err);
}
