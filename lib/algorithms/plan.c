/* SPDX-License-Identifier: MIT
 *
 * algorithms/plan.c: plans by the name of a prediction kind, "class" from "proba", and
 * predicting all rows of a design.
 *
 * Rows are cut into blocks that depend on the data alone. A block is gathered row-major
 * into memory of its slot, unless the table holds its rows that way already, or the plan
 * takes columns.
 */
#include "algorithms/model.h"
#include "core/json.h"

#include <math.h>
#include <string.h>

#define BLOCK       256          /* rows, where the plan has no wish */
#define BLOCK_BYTES (256 * 1024) /* of gathered rows, about */
#define MOST_BYTES  (4 << 20)    /* of gathered rows, where the plan wishes many */
#define MANY        64           /* sparse columns */
#define ALIGN(size) (((size_t)(size) + 63) & ~(size_t)63)

static const char class_name[] = "class";

void mli_plan_free(mli_plan *plan)
{
    if (!plan) return;
    ml_context *ctx = plan->ctx;
    if (plan->free) {
        plan->free(plan);
    } else {
        mli_free(ctx, plan);
    }
}

/* ---- classes from probabilities ---- */

typedef struct {
    mli_plan plan;
    mli_plan *proba;
    int64_t rows; /* of one call of proba */
} class_plan;

/* The largest, the lowest index on a tie; NaN when there is no number at all. */
static double argmax(const double *p, int64_t n)
{
    int64_t best = -1;
    for (int64_t k = 0; k < n; k++) {
        if (!isnan(p[k]) && (best < 0 || p[k] > p[best])) best = k;
    }
    return best < 0 ? NAN : (double)best;
}

static double pick(double *p, int64_t n, const double *cuts)
{
    if (n == 1) /* the probability of the second of two */
        return isnan(p[0]) ? NAN : p[0] > 0.5;
    for (int64_t k = 0; cuts && k < n; k++) p[k] /= cuts[k];
    return argmax(p, n);
}

#define CLASS_RUN(name, type, proba_run)                                                 \
    static void name(const mli_plan *plan, const type *rows, int64_t n, int64_t stride,  \
                     double *out, void *scratch)                                         \
    {                                                                                    \
        const class_plan *c = (const class_plan *)plan;                                  \
        int64_t k = c->proba->n_outputs;                                                 \
        double *p = scratch;                                                             \
        void *rest = (char *)scratch + ALIGN((size_t)(c->rows * k) * sizeof *p);         \
        for (int64_t begin = 0; begin < n; begin += c->rows) {                           \
            int64_t count = n - begin < c->rows ? n - begin : c->rows;                   \
            c->proba->proba_run(c->proba, rows + begin * stride, count, stride, p,       \
                                rest);                                                   \
            for (int64_t i = 0; i < count; i++)                                          \
                out[begin + i] = pick(p + i * k, k, c->proba->cuts);                     \
        }                                                                                \
    }
CLASS_RUN(class_run, double, run)
CLASS_RUN(class_run_f32, float, run_f32)

static void class_run_sparse(const mli_plan *plan, const mli_csr *rows, int64_t begin,
                             int64_t n, double *out, void *scratch)
{
    const class_plan *c = (const class_plan *)plan;
    int64_t k = c->proba->n_outputs;
    double *p = scratch;
    void *rest = (char *)scratch + ALIGN((size_t)(c->rows * k) * sizeof *p);
    for (int64_t at = 0; at < n; at += c->rows) {
        int64_t count = n - at < c->rows ? n - at : c->rows;
        c->proba->run_sparse(c->proba, rows, begin + at, count, p, rest);
        for (int64_t i = 0; i < count; i++)
            out[at + i] = pick(p + i * k, k, c->proba->cuts);
    }
}

static void class_run_columns(const mli_plan *plan, const double *const *columns,
                              int64_t begin, int64_t n, double *out, void *scratch)
{
    const class_plan *c = (const class_plan *)plan;
    int64_t k = c->proba->n_outputs;
    double *p = scratch;
    void *rest = (char *)scratch + ALIGN((size_t)(c->rows * k) * sizeof *p);
    for (int64_t at = 0; at < n; at += c->rows) {
        int64_t count = n - at < c->rows ? n - at : c->rows;
        c->proba->run_columns(c->proba, columns, begin + at, count, p, rest);
        for (int64_t i = 0; i < count; i++)
            out[at + i] = pick(p + i * k, k, c->proba->cuts);
    }
}

static void class_free(mli_plan *plan)
{
    class_plan *c = (class_plan *)plan;
    mli_plan_free(c->proba);
    mli_free(plan->ctx, c);
}

static int64_t rows_for(int64_t wish, int64_t bytes_per_row)
{
    int64_t rows = wish > 0 ? wish : BLOCK;
    int64_t bytes = wish > 0 ? MOST_BYTES : BLOCK_BYTES;
    int64_t most = bytes / (bytes_per_row > 0 ? bytes_per_row : 1);
    if (rows > most) rows = most;
    return rows > 0 ? rows : 1;
}

/* Takes the plan for probabilities over, also on failure. */
static ml_status class_new(const ml_model *m, mli_plan *proba, mli_plan **out,
                           ml_error *err)
{
    int64_t k = proba->n_outputs, classes = m->inputs->classes.n;
    class_plan *c = NULL;
    if (k != classes && !(k == 1 && classes == 2)) {
        mli_plan_free(proba);
        return mli_fail(err, ML_E_INTERNAL,
                        "%s gives %lld probabilities for %lld classes",
                        m->algorithm->head.name, (long long)k, (long long)classes);
    }
    c = mli_calloc(m->ctx, 1, sizeof *c);
    if (!c) {
        mli_plan_free(proba);
        return mli_nomem(err);
    }
    c->proba = proba;
    c->rows = rows_for(0, k * (int64_t)sizeof(double));
    if (proba->block > 0 && proba->block < c->rows) c->rows = proba->block;
    c->plan.ctx = m->ctx;
    c->plan.n_features = proba->n_features;
    c->plan.n_outputs = 1;
    c->plan.block = proba->block;
    c->plan.scratch = ALIGN((size_t)(c->rows * k) * sizeof(double)) + proba->scratch;
    c->plan.run = class_run;
    c->plan.run_f32 = proba->run_f32 ? class_run_f32 : NULL;
    c->plan.run_sparse = proba->run_sparse ? class_run_sparse : NULL;
    c->plan.run_columns = proba->run_columns ? class_run_columns : NULL;
    c->plan.free = class_free;
    *out = &c->plan;
    return ML_OK;
}

/* ---- kinds ---- */

int mli_kind_offered(const ml_model *m, const mli_kind *kind)
{
    int classes = m->inputs->classes.n > 0;
    if (mli_in_list(kind->name, "proba,log_proba,class")) return classes;
    if (mli_in_list(kind->name, "value,interval,quantiles")) return !classes;
    return 1;
}

/* The kinds of its descriptor, or of that of the algorithm inside that predicts. */
static const mli_kind *kinds_of(const ml_model *m)
{
    const mli_algorithm *a = m->algorithm->offers ? m->algorithm->offers(m) : NULL;
    return a ? a->head.kinds : m->algorithm->head.kinds;
}

static const mli_kind *find_kind(const ml_model *m, const char *name)
{
    for (const mli_kind *k = kinds_of(m); k && k->name; k++) {
        if (strcmp(k->name, name) == 0 && mli_kind_offered(m, k)) return k;
    }
    return NULL;
}

/* Is "class" derived here, without standing in the descriptor? */
static int adds_class(const ml_model *m)
{
    return find_kind(m, "proba") && !find_kind(m, class_name);
}

/* Every kind offered, in order, through `add`. */
static void list_kinds(mli_str *s, const ml_model *m,
                       void (*add)(mli_str *, const char *))
{
    int n = 0, more = adds_class(m);
    for (const mli_kind *k = kinds_of(m); k && k->name; k++) {
        if (!mli_kind_offered(m, k)) continue;
        if (n++) mli_str_add(s, ", ");
        add(s, k->name);
        if (!more || strcmp(k->name, "proba") != 0) continue;
        mli_str_add(s, ", ");
        add(s, class_name);
    }
}

void mli_kinds_json(mli_str *s, const ml_model *m)
{
    mli_str_char(s, '[');
    list_kinds(s, m, mli_json_str);
    mli_str_char(s, ']');
}

static ml_status no_kind(const ml_model *m, const char *name, ml_error *err)
{
    mli_str s;
    mli_str_init(&s, NULL);
    list_kinds(&s, m, mli_str_add);
    mli_fail(err, ML_E_NAME, "this model of %s does not predict \"%s\"",
             m->algorithm->head.name, name);
    mli_error_at(err, ML_E_NAME, "kind");
    mli_error_hint(err, ML_E_NAME, "it predicts %s", s.size ? s.data : "nothing");
    mli_str_free(&s);
    return ML_E_NAME;
}

/* The name of the kind as the descriptor has it; NULL when the model does not offer it.
 */
static const char *resolve_kind(const ml_model *m, const char *name)
{
    if (!name) {
        const mli_kind *k = kinds_of(m);
        while (k && k->name && !mli_kind_offered(m, k)) k++;
        return k ? k->name : NULL;
    }
    const mli_kind *k = find_kind(m, name);
    if (k) return k->name;
    return strcmp(name, class_name) == 0 && adds_class(m) ? class_name : NULL;
}

ml_status mli_plan_new(const ml_model *m, const char *kind, const char **kind_out,
                       mli_plan **out, ml_error *err)
{
    mli_plan *plan = NULL;
    const char *name = resolve_kind(m, kind);
    if (!name) return no_kind(m, kind ? kind : "", err);
    ml_status status = mli_model_check(m, err);
    int derived = strcmp(name, class_name) == 0 && find_kind(m, "proba");
    if (!status) {
        status = m->algorithm->plan(m, derived ? "proba" : name, &plan, err);
    }
    if (!status && derived) status = class_new(m, plan, &plan, err);
    if (status) return status;
    *out = plan;
    if (kind_out) *kind_out = name;
    return ML_OK;
}

/* ---- all rows of a design ---- */

typedef struct {
    const mli_plan *plan;
    const mli_design *design;
    const mli_run *run;
    double *out; /* of all rows; NULL: `sink` gets them */
    mli_plan_block sink;
    void *sink_arg;
    int64_t block;                    /* rows per task */
    const void *rows;                 /* in place; NULL: gathered */
    int64_t stride;                   /* of rows in place */
    int is_f32;                       /* the rows in place are floats */
    int by_columns;                   /* columns are read where they stand */
    char *scratch;                    /* per slot: gathered rows, then the plan's */
    size_t gather, results, per_slot; /* bytes */
} predicting;

/* Columns that are not doubles are made so in memory of the slot. */
static void run_columns(const predicting *p, int64_t begin, int64_t end, double *out,
                        char *scratch)
{
    int64_t width = p->plan->n_features;
    double *memory = (double *)(void *)scratch;
    const double **columns = (const double **)(void *)(memory + p->block * width);
    for (int64_t j = 0; j < width; j++)
        columns[j] = mli_design_look(p->design, j, begin, end, memory + j * p->block);
    p->plan->run_columns(p->plan, columns, 0, end - begin, out, scratch + p->gather);
}

static void predict_block(void *arg, int64_t task, int32_t slot)
{
    const predicting *p = arg;
    int64_t begin = task * p->block, end = begin + p->block;
    char *scratch = p->scratch + (size_t)slot * p->per_slot;
    double *out = (double *)(void *)scratch;
    if (p->out) out = p->out + begin * p->plan->n_outputs;
    scratch += p->results;
    if (p->run && mli_run_state(p->run) == ML_CANCEL) return;
    if (end > p->design->rows) end = p->design->rows;
    int64_t n = end - begin, stride = p->plan->n_features;
    if (p->by_columns) {
        run_columns(p, begin, end, out, scratch);
    } else if (!p->rows) {
        double *rows = (double *)(void *)scratch;
        mli_design_rows(p->design, begin, end, rows, stride);
        p->plan->run(p->plan, rows, n, stride, out, scratch + p->gather);
    } else if (p->is_f32) {
        p->plan->run_f32(p->plan, (const float *)p->rows + begin * p->stride, n,
                         p->stride, out, scratch);
    } else {
        p->plan->run(p->plan, (const double *)p->rows + begin * p->stride, n, p->stride,
                     out, scratch);
    }
    if (!p->out) p->sink(p->sink_arg, begin, n, out);
}

/* Rows of sparse columns are gathered many at a time: each column is searched once for
 * them. */
static int64_t wish_of(const predicting *p)
{
    mli_sparse s;
    int64_t sparse = 0;
    for (int64_t j = 0; j < p->design->n_features && sparse < MANY; j++)
        sparse += mli_design_sparse(p->design, j, &s);
    return sparse == MANY && p->plan->block < BLOCK ? BLOCK : p->plan->block;
}

static void find_rows(predicting *p)
{
    p->rows = mli_design_in_place(p->design, ML_DTYPE_F64, &p->stride);
    if (!p->rows && p->plan->run_f32) {
        p->rows = mli_design_in_place(p->design, ML_DTYPE_F32, &p->stride);
        p->is_f32 = p->rows != NULL;
    }
    p->by_columns = !p->rows && p->plan->run_columns;
}

static ml_status predict_all(predicting *p, mli_run *run, ml_error *err)
{
    const mli_plan *plan = p->plan;
    const mli_design *design = p->design;
    int64_t wide = plan->n_features;
    if (design->rows == 0) return ML_OK;
    find_rows(p);
    if (!p->out && plan->n_outputs > wide) wide = plan->n_outputs;
    p->block = rows_for(wish_of(p), wide * (int64_t)sizeof(double));
    if (p->block > design->rows) p->block = design->rows;
    if (!p->rows) {
        int64_t cells = (p->block + p->by_columns) * plan->n_features;
        p->gather = ALIGN((size_t)cells * sizeof(double));
    }
    if (!p->out)
        p->results = ALIGN((size_t)(p->block * plan->n_outputs) * sizeof(double));
    p->per_slot = ALIGN(p->results + p->gather + plan->scratch);
    int64_t tasks = mli_task_count(design->rows, p->block);
    mli_pool *pool = mli_parallel_hold(design->ctx);
    int64_t slots = tasks > 1 ? mli_slots(design->ctx) : 1;
    p->scratch = mli_alloc_vec(design->ctx, slots, p->per_slot);
    if (p->scratch) mli_parallel(design->ctx, tasks, predict_block, p);
    mli_parallel_release(pool);
    if (!p->scratch) return mli_nomem(err);
    mli_free(design->ctx, p->scratch);
    return run ? mli_run_check(run, err) : ML_OK;
}

ml_status mli_plan_run_design(const mli_plan *plan, const mli_design *design,
                              mli_run *run, double *out, ml_error *err)
{
    predicting p = {.plan = plan, .design = design, .run = run, .out = out};
    return predict_all(&p, run, err);
}

ml_status mli_plan_run_blocks(const mli_plan *plan, const mli_design *design,
                              mli_run *run, mli_plan_block block, void *arg,
                              ml_error *err)
{
    predicting p = {
        .plan = plan, .design = design, .run = run, .sink = block, .sink_arg = arg};
    return predict_all(&p, run, err);
}
