/* SPDX-License-Identifier: MIT
 *
 * Fitted first steps of pipelines, kept between fits: the same models with and without,
 * found where they must be and nowhere else.
 */
#include "algorithms/prefixes.h"
#include "core/rng.h"
#include "failing.h"

static const char *const steps = "imputer, power_transformer, model=linear_regression";
enum { ROWS = 120 };

static ml_table *numbers(ml_context *c)
{
    double x[ROWS], z[ROWS], y[ROWS];
    mli_builder *b = NULL;
    ml_table *t = NULL;
    mli_rng rng;
    mli_rng_init(&rng, 3, 0, 0);
    for (int i = 0; i < ROWS; i++) {
        x[i] = exp(mli_rng_normal(&rng));
        z[i] = i % 9 ? mli_rng_normal(&rng) : NAN;
        y[i] = log(x[i]) + (i % 9 ? z[i] : 0) + 0.1 * mli_rng_normal(&rng);
    }
    if (mli_builder_new(c, ROWS, &b, NULL)) return NULL;
    if (!mli_builder_f64(b, "x", x, NULL) && !mli_builder_f64(b, "z", z, NULL) &&
        !mli_builder_f64(b, "y", y, NULL))
        return mli_builder_finish(b, &t, NULL) ? NULL : t;
    mli_builder_free(b);
    return NULL;
}

typedef struct {
    ml_context *ctx;
    const mli_algorithm *pipeline;
    ml_params *params; /* resolved */
    ml_table *table;
    mli_design *design, *valid;
    mli_hooks hooks;
} bench;

static void bench_free(bench *b)
{
    mli_prefixes_free(b->hooks.prefixes);
    mli_design_free(b->design);
    mli_design_free(b->valid);
    ml_table_free(b->table);
    ml_params_free(b->params);
    ml_context_free(b->ctx);
}

static ml_status bench_new(bench *b, const ml_host *host)
{
    ml_params *given = NULL;
    *b = (bench){.pipeline = (const mli_algorithm *)mli_catalog_find("pipeline")};
    ml_status st = ml_context_new(host, &b->ctx, NULL);
    if (!st && !(b->table = numbers(b->ctx))) st = ML_E_MEMORY;
    if (!st) st = ml_params_new(b->ctx, &given, NULL);
    if (!st) st = ml_params_set_str(given, "steps", steps, NULL);
    if (!st) st = ml_params_set_str(given, "target", "y", NULL);
    if (!st) st = mli_params_resolve(b->ctx, &b->pipeline->head, given, &b->params, NULL);
    if (!st)
        st = mli_design_train(b->ctx, &b->pipeline->head, b->params, b->table, &b->design,
                              NULL);
    if (!st) st = mli_design_apply(b->design->inputs, b->table, 1, &b->valid, NULL);
    if (!st) st = mli_prefixes_new(b->ctx, &b->hooks.prefixes, NULL);
    ml_params_free(given);
    return st;
}

/* Fits with one value set; `cancel` may be NULL. */
static ml_status fit_with(const bench *b, const char *name, const char *value,
                          const mli_design *valid, const mli_hooks *hooks,
                          ml_cancel *cancel, ml_model **out)
{
    ml_params *p = NULL;
    mli_run run;
    mli_run_init(&run, b->ctx, cancel, NULL, NULL);
    ml_status st = ml_params_clone(b->params, &p, NULL);
    if (!st) st = ml_params_set_str(p, name, value, NULL);
    if (!st)
        st = mli_fit_design(b->ctx, b->pipeline, p, b->design, valid, hooks, &run, out,
                            NULL);
    ml_params_free(p);
    return st;
}

static ml_status fit(const bench *b, const char *name, const char *value,
                     const mli_design *valid, const mli_hooks *hooks, ml_model **out)
{
    return fit_with(b, name, value, valid, hooks, NULL, out);
}

/* How many fits with that value find their prefix. */
static int64_t hits_of(const bench *b, const char *name, const char *value)
{
    ml_model *m = NULL;
    int64_t before = mli_prefixes_hits(b->hooks.prefixes);
    OK(fit(b, name, value, NULL, &b->hooks, &m));
    ml_model_free(m);
    return mli_prefixes_hits(b->hooks.prefixes) - before;
}

static void same_tensors(const ml_model *a, const ml_model *b)
{
    ck_assert_int_eq(a->count, b->count);
    for (int64_t i = 0; i < a->count; i++) {
        const ml_tensor *x = a->tensors[i].tensor, *y = b->tensors[i].tensor;
        ck_assert_str_eq(a->tensors[i].name, b->tensors[i].name);
        int64_t n = 1;
        for (int32_t d = 0; d < ml_tensor_ndim(x); d++) {
            ck_assert_int_eq(ml_tensor_shape(x)[d], ml_tensor_shape(y)[d]);
            n *= ml_tensor_shape(x)[d];
        }
        if (ml_tensor_dtype(x) == ML_DTYPE_F64)
            ck_assert_int_eq(memcmp(ml_tensor_data(x), ml_tensor_data(y), (size_t)n * 8),
                             0);
    }
}

START_TEST(found_where_alike)
{
    static const struct {
        const char *name, *value;
        int valid, hits;
    } fits[] = {{"model.alpha", "1", 0, 0},
                {"model.alpha", "2", 0, 1}, /* the last step may differ */
                {"model.alpha", "2", 1, 1}, /* with validation rows: another */
                {"model.alpha", "1", 1, 2},
                {"imputer.strategy", "median", 0, 2},
                {"imputer.strategy", "median", 0, 3},
                {"model.alpha", "3", 0, 4}};
    bench b;
    OK(bench_new(&b, NULL));
    for (size_t i = 0; i < sizeof fits / sizeof *fits; i++) {
        ml_model *with = NULL, *without = NULL;
        const mli_design *valid = fits[i].valid ? b.valid : NULL;
        OK(fit(&b, fits[i].name, fits[i].value, valid, &b.hooks, &with));
        OK(fit(&b, fits[i].name, fits[i].value, valid, NULL, &without));
        same_tensors(with, without);
        ck_assert_int_eq(mli_prefixes_hits(b.hooks.prefixes), fits[i].hits);
        ml_model_free(with);
        ml_model_free(without);
    }
    bench_free(&b);
}
END_TEST

/* More prefixes than are kept: the oldest go, a model outlives its prefix. */
START_TEST(oldest_go)
{
    bench b;
    ml_model *first = NULL, *m = NULL;
    char value[32];
    OK(bench_new(&b, NULL));
    OK(fit(&b, "imputer.fill_value", "-1", NULL, &b.hooks, &first));
    for (int i = 0; i < 70; i++) {
        snprintf(value, sizeof value, "%d", i);
        OK(fit(&b, "imputer.fill_value", value, NULL, &b.hooks, &m));
        ml_model_free(m);
    }
    ck_assert_int_eq(mli_prefixes_hits(b.hooks.prefixes), 0);
    OK(fit(&b, "imputer.fill_value", "69", NULL, &b.hooks, &m));
    ck_assert_int_eq(mli_prefixes_hits(b.hooks.prefixes), 1);
    ml_model_free(m);
    OK(fit(&b, "imputer.fill_value", "-1", NULL, &b.hooks, &m));
    ck_assert_int_eq(mli_prefixes_hits(b.hooks.prefixes), 1);
    same_tensors(first, m);
    ml_model_free(m);
    ml_model_free(first);
    bench_free(&b);
}
END_TEST

/* Steps that were told to stop early, or fitted with a limit of memory, are not kept. */
START_TEST(not_kept)
{
    bench b;
    ml_model *m = NULL;
    ml_cancel *cancel = NULL;
    OK(bench_new(&b, NULL));
    OK(ml_cancel_new(&cancel, ERR));
    ml_cancel_request(cancel, ML_STOP_KEEP);
    OK(fit_with(&b, "imputer.fill_value", "1", NULL, &b.hooks, cancel, &m));
    ml_model_free(m);
    ml_cancel_free(cancel);
    ck_assert_int_eq(hits_of(&b, "imputer.fill_value", "1"), 0);
    ck_assert_int_eq(hits_of(&b, "imputer.fill_value", "1"), 1);
    ck_assert(mli_memory_limit(b.ctx, (size_t)1 << 30));
    ck_assert_int_eq(hits_of(&b, "imputer.fill_value", "2"), 0);
    ck_assert_int_eq(hits_of(&b, "imputer.fill_value", "2"), 0);
    mli_memory_lift(b.ctx);
    bench_free(&b);
}
END_TEST

/* Names of columns that look like two. */
START_TEST(odd_names)
{
    static const double v[ROWS] = {1, 2, 3};
    bench b;
    ml_table *t = NULL, *table;
    mli_design *design;
    mli_builder *builder = NULL;
    OK(bench_new(&b, NULL));
    OK(mli_builder_new(b.ctx, ROWS, &builder, ERR));
    for (int i = 0; i < 4; i++)
        OK(mli_builder_f64(builder, (const char *[]){"a", "b", "a\nb", "y"}[i], v, ERR));
    OK(mli_builder_finish(builder, &t, ERR));
    OK(mli_design_train(b.ctx, &b.pipeline->head, b.params, t, &design, ERR));
    table = b.table;
    mli_design *numbers = b.design;
    b.design = design;
    const char *one = "{columns: [\"a\\nb\"]}", *two = "{columns: [a, b]}";
    OK(ml_params_read_yaml(b.params, two, strlen(two), ERR));
    ck_assert_int_eq(hits_of(&b, "model.alpha", "1"), 0);
    ck_assert_int_eq(hits_of(&b, "model.alpha", "2"), 1);
    OK(ml_params_read_yaml(b.params, one, strlen(one), ERR));
    ck_assert_int_eq(hits_of(&b, "model.alpha", "1"), 0);
    mli_prefixes_free(b.hooks.prefixes);
    b.hooks.prefixes = NULL;
    mli_design_free(design);
    ml_table_free(t);
    b.design = numbers;
    b.table = table;
    bench_free(&b);
}
END_TEST

static ml_status whole_life(failing_alloc *f)
{
    bench b;
    ml_model *m = NULL, *n = NULL;
    ml_host host = failing_host(f);
    ml_status st = bench_new(&b, &host);
    if (!st) st = fit(&b, "model.alpha", "1", NULL, &b.hooks, &m);
    if (!st) st = fit(&b, "model.alpha", "2", NULL, &b.hooks, &n);
    ml_model_free(m);
    ml_model_free(n);
    bench_free(&b);
    return st;
}

START_TEST(out_of_memory)
{
    failing_alloc f;
    OUT_OF_MEMORY_LOOP(f, whole_life(&f));
}
END_TEST

TEST_MAIN("algorithms/prefixes", found_where_alike, oldest_go, not_kept, odd_names,
          out_of_memory)
