/* SPDX-License-Identifier: MIT
 *
 * Rows that take their bins along as leaves are divided (trees/partition.c), which large
 * tables do: small ones are made to, and must get the same trees, leaves of rows and
 * scores to the bit, with any number of threads.
 */
#include "algorithms/trees/gbdt.h"
#include "core/params.h"
#include "testing_data.h"

enum { MOST = 60000, WIDTH = 32 };

typedef struct {
    double x[WIDTH][MOST], y[MOST], weight[MOST];
    const char *kind[MOST];
} values;

static double draw(uint64_t *s)
{
    *s = *s * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*s >> 11) * 0x1p-53;
}

static void fill(values *v)
{
    static const char *const kinds[] = {"a", "b", "c", NULL};
    uint64_t s = 5;
    for (int i = 0; i < MOST; i++) {
        for (int j = 0; j < WIDTH; j++) v->x[j][i] = draw(&s);
        if (i % 11 == 0) v->x[1][i] = NAN;
        v->y[i] = v->x[0][i] * v->x[1][i] > 0.3;
        if (i % 7 == 0) v->y[i] = v->x[2][i] > 0.5;
        v->weight[i] = 0.5 + draw(&s);
        v->kind[i] = kinds[(int)(draw(&s) * 2 + 2 * v->y[i])];
    }
}

static ml_table *table_of(ml_context *ctx, const values *v, int width, int rows)
{
    ml_table *t = NULL;
    char name[16];
    for (int j = 0; j < width - 1; j++) {
        snprintf(name, sizeof name, "x%d", j);
        t = add_f64(ctx, t, name, rows, v->x[j]);
    }
    t = add_text(ctx, t, "kind", rows, v->kind);
    t = add_f64(ctx, t, "weight", rows, v->weight);
    return add_f64(ctx, t, "y", rows, v->y);
}

/* What a fit leaves: of the nodes, of the rows' leaves in the last round, of the scores.
 */
typedef struct {
    mli_ensemble_node *node;
    uint16_t *leaf;
    double *score;
    int64_t n_nodes, n_scores;
} outcome;

static void *copy_of(const void *from, int64_t n, size_t size)
{
    void *to = malloc((size_t)n * size);
    memcpy(to, from, (size_t)n * size);
    return to;
}

static outcome boosted(const char *settings, const ml_table *t, ml_context *ctx,
                       int64_t pack_from)
{
    const mli_descriptor *gbdt = mli_catalog_find("gbdt");
    ml_params *params = NULL, *full = NULL;
    mli_design *d = NULL;
    mli_boost_options o;
    mli_booster b;
    mli_run run;
    mli_hooks hooks = {0};
    mli_run_init(&run, ctx, NULL, NULL, NULL);
    OK(ml_params_new(ctx, &params, ERR));
    OK(ml_params_set_str(params, "target", "y", ERR));
    OK(ml_params_set_str(params, "n_estimators", "3", ERR));
    set_all_params(params, settings);
    OK(mli_params_resolve(ctx, gbdt, params, &full, ERR));
    OK(mli_design_train(ctx, gbdt, full, t, &d, ERR));
    mli_fit job = {.ctx = ctx, .params = full, .train = d, .run = &run, .hooks = &hooks};
    OK(mli_gbdt_options(&job, &o, ERR));
    o.grow.pack_from = pack_from;
    o.grow.team_bins = 1; /* all threads take part in all trees */
    OK(mli_boost(&b, ctx, &run, &o, d, NULL, d->weight, NULL, ERR));
    ck_assert_int_eq(b.grower.plan.pack > 0, pack_from == 0);
    int64_t rows = b.n_scores * d->rows;
    outcome r = {copy_of(b.trees.node, b.trees.n_nodes, sizeof *r.node),
                 copy_of(b.leaf, rows, sizeof *r.leaf),
                 copy_of(b.score, rows, sizeof *r.score), b.trees.n_nodes, rows};
    mli_booster_free(&b);
    mli_gbdt_options_free(ctx, &o);
    mli_design_free(d);
    ml_params_free(params);
    ml_params_free(full);
    return r;
}

static void same(const outcome *a, const outcome *b)
{
    ck_assert_int_eq(a->n_nodes, b->n_nodes);
    for (int64_t i = 0; i < a->n_nodes; i++) {
        ck_assert_int_eq(a->node[i].feature, b->node[i].feature);
        ck_assert_int_eq(a->node[i].left, b->node[i].left);
        ck_assert(a->node[i].threshold == b->node[i].threshold);
        ck_assert(a->node[i].value == b->node[i].value);
    }
    ck_assert_mem_eq(a->leaf, b->leaf, (size_t)a->n_scores * sizeof *a->leaf);
    ck_assert_mem_eq(a->score, b->score, (size_t)a->n_scores * sizeof *a->score);
}

static void result_free(outcome *r)
{
    free(r->node);
    free(r->leaf);
    free(r->score);
}

/* Widths for each way to copy bins (4, 8 and 16 bytes at a time); enough rows for leaves
 * that all threads divide together. */
static const struct {
    const char *settings;
    int width, rows;
} cases[] = {
    {"ignore=weight", 28, MOST},
    {"ignore=weight", 32, 5000},
    {"ignore=weight;max_leaves=255;min_data_in_leaf=1", 17, 9000},
    {"weight=weight;growth=depthwise;max_depth=5", 11, MOST},
    {"ignore=weight;colsample_bytree=0.5;colsample_bynode=0.7", 24, 9000},
    {"ignore=weight;subsample=0.4;min_data_in_leaf=200", 8, MOST},
    {"weight=weight;min_data_in_leaf=60;max_leaves=500", 12, MOST},
    {"ignore=weight;objective=absolute", 4, 9000},
    {"ignore=weight;objective=squared;linear_tree=true", 6, 40000},
    {"ignore=weight;interaction_constraints=x0 & x1, x2 & x3", 12, 9000},
};
#define CASES (int)(sizeof cases / sizeof *cases)

START_TEST(packing_changes_nothing)
{
    values *v = calloc(1, sizeof *v);
    fill(v);
    const int threads[] = {1, 2, 7};
    for (int k = 0; k < CASES; k++) {
        outcome first = {0};
        for (int run = 0; run < 4; run++) {
            ml_context *ctx = test_context(run ? threads[run - 1] : 1);
            ml_table *t = table_of(ctx, v, cases[k].width, cases[k].rows);
            outcome r = boosted(cases[k].settings, t, ctx, run ? 0 : INT64_MAX);
            if (run) {
                same(&first, &r);
                result_free(&r);
            } else {
                first = r;
            }
            ml_table_free(t);
            ml_context_free(ctx);
        }
        result_free(&first);
    }
    free(v);
}
END_TEST

/* An executor that cancels before one of its loops, which then does nothing, and memory
 * that holds no row's number: who goes on with rows that were not divided falls. */
typedef struct {
    ml_cancel *cancel;
    int64_t loops, at;
} interrupter;

static void run_loop(int64_t n, int64_t grain, ml_task_fn fn, void *arg, void *user)
{
    interrupter *x = user;
    (void)grain;
    if (x->loops++ == x->at) ml_cancel_request(x->cancel, ML_CANCEL);
    fn(arg, 0, n);
}

static void *filled(size_t size, size_t alignment, void *user)
{
    void *block = NULL;
    (void)user;
    if (posix_memalign(&block, alignment < 64 ? 64 : alignment, size) != 0) return NULL;
    return memset(block, 0xff, size);
}

static void *refilled(void *block, size_t old_size, size_t new_size, size_t alignment,
                      void *user)
{
    void *grown = filled(new_size, alignment, user);
    memcpy(grown, block, old_size < new_size ? old_size : new_size);
    free(block);
    return grown;
}

static void unfill(void *block, size_t size, size_t alignment, void *user)
{
    (void)size, (void)alignment, (void)user;
    free(block);
}

/* Returns the loops of the fit; it must have been cancelled before the last of them. */
static int64_t interrupted(const values *v, int64_t at)
{
    interrupter x = {.at = at};
    ml_host host = ML_HOST_INIT;
    host.alloc = filled;
    host.realloc = refilled;
    host.free = unfill;
    host.parallel_for = run_loop;
    host.executor_user = &x;
    host.executor_concurrency = 2;
    ml_context *ctx = NULL;
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    OK(ml_context_new(&host, &ctx, ERR));
    OK(ml_cancel_new(&x.cancel, ERR));
    ml_table *t = table_of(ctx, v, 6, 40000);
    OK(ml_estimator_new(ctx, "gbdt", &e, ERR));
    OK(ml_estimator_set_str(e, "target", "y", ERR));
    OK(ml_estimator_set_str(e, "n_estimators", "2", ERR));
    OK(ml_estimator_set_str(e, "max_leaves", "2", ERR));
    x.loops = 0;
    ml_estimator_set_cancel(e, x.cancel);
    ml_status status = ml_estimator_fit(e, t, NULL, &m, ERR);
    int64_t loops = x.loops;
    ck_assert_msg(status == ML_E_CANCELLED || (status == ML_OK && loops <= at + 1),
                  "loop %lld of %lld", (long long)at, (long long)loops);
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_cancel_free(x.cancel);
    ml_context_free(ctx);
    return loops;
}

START_TEST(cancelled_divisions_leave_no_rows)
{
    values *v = calloc(1, sizeof *v);
    fill(v);
    int64_t loops = interrupted(v, 1 << 20);
    for (int64_t at = 0; at < loops; at++) interrupted(v, at);
    free(v);
}
END_TEST

TEST_MAIN("algorithms/gbdt_pack", packing_changes_nothing,
          cancelled_divisions_leave_no_rows)
