/* SPDX-License-Identifier: MIT
 *
 * algorithms/columns_across.c: the columns of a transformer that needs whole rows and
 * makes numbers: a block of rows at a time, one output after another, each straight into
 * its column, while the inputs of the block stay in the caches. No rows are made. Cost:
 * one pass over memory.
 */
#include "algorithms/columns_parts.h"

typedef struct {
    mli_turning *t;
    const mli_plan *plan;
    const mli_design *design;
    const mli_run *run;
    int64_t per_slot;
    double *memory; /* [slots]: inputs that are not in place, their addresses, an output,
                       scratch of the plan */
} crossing;

static double *place_of(const crossing *s, int64_t k, int64_t begin)
{
    return (double *)(uintptr_t)s->t->table->columns[k].data + begin;
}

/* Do the outputs go past the caches, each at a line of them? */
static int goes_past(const crossing *s, int64_t begin)
{
    int past = s->t->store == MLI_STORE_WIDE && s->plan->output_past;
    for (int64_t k = 0; k < s->plan->n_outputs && past; k++)
        past = (uintptr_t)place_of(s, k, begin) % 64 == 0;
    return past;
}

static void cross(void *arg, int64_t task, int32_t slot)
{
    const crossing *s = arg;
    const mli_plan *plan = s->plan;
    const int64_t block = MLI_ACROSS, wide = plan->n_features;
    int64_t begin = task * block, n = s->design->rows - begin;
    int past = goes_past(s, begin);
    double *memory = s->memory + slot * s->per_slot, *made = memory + block * wide;
    double *scratch = made + block;
    const double **in = (const double **)(void *)(scratch + 4 * block);
    const float **floats = (const float **)(void *)(in + wide);
    if (s->run && mli_run_state(s->run) == ML_CANCEL) return;
    if (n > block) n = block;
    for (int64_t j = 0; j < wide; j++) {
        floats[j] = past ? mli_design_floats(s->design, j, begin) : NULL;
        in[j] = floats[j]
                    ? NULL
                    : mli_design_look(s->design, j, begin, begin + n, memory + j * block);
    }
    for (int64_t k = 0; k < plan->n_outputs; k++) {
        double *to = place_of(s, k, begin);
        int64_t missing;
        if (past) {
            missing = plan->output_past(plan, in, floats, n, k, to, scratch);
        } else {
            plan->output(plan, in, n, k, made, scratch);
            missing = mli_store_piece(made, n, NULL, s->t->store, to);
        }
        if (missing) atomic_fetch_add(&s->t->missing[k], missing);
    }
    mli_store_done();
}

int mli_across_can(const mli_plan *plan, const mli_design *d, const mli_inputs *outputs)
{
    int64_t stride;
    if (!plan->output || mli_design_in_place(d, ML_DTYPE_F64, &stride)) return 0;
    for (int64_t j = 0; j < d->n_features; j++)
        if (d->columns[j].kind == MLI_TEXT) return 0;
    for (int64_t k = 0; k < outputs->n_features; k++) {
        const mli_feature *f = &outputs->features[k];
        if (f->kind != MLI_NUMERIC || f->truth || f->sparse) return 0;
    }
    return 1;
}

ml_status mli_across_run(const mli_plan *plan, const mli_design *d, mli_run *run,
                         mli_turning *t, ml_error *err)
{
    crossing s = {t, plan, d, run, 0, NULL};
    s.per_slot = (MLI_ACROSS + 2) * plan->n_features + 5 * MLI_ACROSS;
    s.per_slot = (s.per_slot + 7) / 8 * 8;
    mli_pool *pool = mli_parallel_hold(d->ctx);
    s.memory = mli_alloc_vec(d->ctx, mli_slots(d->ctx) * s.per_slot, sizeof *s.memory);
    if (s.memory) mli_parallel(d->ctx, mli_task_count(d->rows, MLI_ACROSS), cross, &s);
    mli_parallel_release(pool);
    if (!s.memory) return mli_nomem(err);
    mli_free(d->ctx, s.memory);
    return run ? mli_run_check(run, err) : ML_OK;
}
