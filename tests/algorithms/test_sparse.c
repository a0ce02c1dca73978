/* SPDX-License-Identifier: MIT
 *
 * Sparse columns between the steps of pipelines: models are those of the same columns
 * held plain, which a transformer hands out.
 */
#include "algorithms/model.h"
#include "core/rng.h"
#include "failing.h"
#include "testing_data.h"

enum { ROWS = 400, WORDS = 250 };

/* Texts of words of which few are frequent, a category of 30 levels, a number; y and
 * class follow some of the words. */
typedef struct {
    char text[ROWS][400], word[32][8];
    const char *texts[ROWS], *levels[ROWS], *class[ROWS];
    double x[ROWS], y[ROWS], w[ROWS];
} rows;

static void make_rows(rows *r, uint64_t seed)
{
    mli_rng rng;
    mli_rng_init(&rng, seed, 0, 0);
    for (int k = 0; k < 32; k++) snprintf(r->word[k], sizeof *r->word, "level%d", k);
    for (int i = 0; i < ROWS; i++) {
        int n = 3 + (int)(mli_rng_f64(&rng) * 20);
        size_t at = 0;
        r->y[i] = 0.3 * mli_rng_normal(&rng);
        for (int k = 0; k < n; k++) {
            int word = (int)exp(mli_rng_f64(&rng) * log(WORDS));
            at +=
                (size_t)snprintf(r->text[i] + at, sizeof *r->text - at, "word%d ", word);
            r->y[i] += word % 5 == 0 ? 0.5 : word % 7 == 1 ? -1 : 0;
        }
        r->texts[i] = i % 37 == 5 ? NULL : r->text[i];
        r->levels[i] = i % 41 == 7 ? NULL : r->word[(int)(mli_rng_f64(&rng) * 30)];
        r->class[i] = r->y[i] > 0 ? "up" : "down";
        r->x[i] = i % 3 ? mli_rng_normal(&rng) : 0;
        r->w[i] = 0.5 + (i % 4);
    }
}

static ml_table *inputs_of(ml_context *ctx, const rows *r)
{
    ml_table *t = add_text(ctx, NULL, "text", ROWS, r->texts);
    t = add_text(ctx, t, "level", ROWS, r->levels);
    return add_f64(ctx, t, "x", ROWS, r->x);
}

static ml_table *add_targets(ml_context *ctx, ml_table *t, const rows *r)
{
    t = add_f64(ctx, t, "target_y", ROWS, r->y);
    t = add_text(ctx, t, "target_class", ROWS, r->class);
    return add_f64(ctx, t, "target_w", ROWS, r->w);
}

/* "a=1;b=2" */
static ml_estimator *estimator(ml_context *ctx, const char *algorithm, const char *given)
{
    ml_estimator *e = NULL;
    char text[1024];
    OK(ml_estimator_new(ctx, algorithm, &e, ERR));
    snprintf(text, sizeof text, "%s", given);
    for (char *pair = strtok(text, ";"); pair; pair = strtok(NULL, ";")) {
        char *equal = strchr(pair, '=');
        *equal = 0;
        OK(ml_estimator_set_str(e, pair, equal + 1, ERR));
    }
    return e;
}

static ml_model *fit(ml_context *ctx, const char *algorithm, const char *given,
                     const ml_table *t, const ml_table *valid)
{
    ml_model *m = NULL;
    ml_estimator *e = estimator(ctx, algorithm, given);
    OK(ml_estimator_fit(e, t, valid, &m, ERR));
    ml_estimator_free(e);
    return m;
}

static ml_table *transformed(const ml_model *m, const ml_table *t)
{
    ml_predictor *p = NULL;
    ml_table *out = NULL;
    OK(ml_predictor_new(m, "transform", NULL, &p, ERR));
    OK(ml_predictor_run_table(p, t, &out, ERR));
    ml_predictor_free(p);
    return out;
}

/* Steps, their parameters, and the least number of sparse columns that they make. */
static const struct steps {
    const char *steps, *params;
    int least;
} all[] = {
    {"tfidf, one_hot_encoder", "", 150},
    {"one_hot_encoder, tfidf", "tfidf.sublinear_tf=true;tfidf.norm=l1", 150},
    {"count_vectorizer, ordinal_encoder", "count_vectorizer.ngrams=1,2", 500},
    {"hashing_vectorizer, one_hot_encoder", "hashing_vectorizer.n_features=300", 200},
    {"tfidf, one_hot_encoder, max_abs_scaler", "", 150},
    {"count_vectorizer, one_hot_encoder, normalizer, log=log_transformer", "", 150},
    {"count_vectorizer, one_hot_encoder, min_max_scaler", "min_max_scaler.range=-1, 1", 0},
    {"tfidf, one_hot_encoder, keep=feature_selector", "keep.threshold=0.001", 100},
    {"both=columns",
     "both.branches=words, pairs, levels;both.words.columns=text;both.words.steps=tfidf;"
     "both.pairs.columns=text;both.pairs.steps=count_vectorizer, max_abs_scaler;"
     "both.pairs.count_vectorizer.ngrams=2,2;both.levels.columns=level;"
     "both.levels.steps=one_hot_encoder",
     500},
    {"inner=pipeline", "inner.steps=tfidf, one_hot_encoder", 150},
};
enum { CASES = sizeof all / sizeof *all };

/* ---- the columns ---- */

/* The columns that a transformer makes of a table, in both ways. */
static void compare_columns(const ml_model *m, const ml_table *t, int least)
{
    mli_plan *plan = NULL;
    mli_design *d = NULL;
    mli_inputs *outputs = NULL;
    ml_table *made[2] = {NULL};
    static double x[2][ROWS];
    int sparse = 0;
    OK(mli_plan_new(m, "transform", NULL, &plan, ERR));
    OK(mli_design_apply(m->inputs, t, 0, &d, ERR));
    OK(mli_model_outputs(m, &outputs, ERR));
    for (int k = 0; k < 2; k++)
        OK(mli_plan_run_columns(plan, d, outputs, k, NULL, &made[k], ERR));
    for (int64_t j = 0; j < outputs->n_features; j++) {
        for (int k = 0; k < 2; k++) {
            const mli_column *c = &made[k]->columns[j];
            ck_assert_str_eq(c->name, outputs->features[j].name);
            mli_column_f64(c, 0, ROWS, x[k], 1);
            if (k == 0) ck_assert_ptr_null(c->sparse.rows);
            sparse += c->sparse.rows != NULL;
            ck_assert_int_le(c->sparse.n * 8, ROWS);
        }
        ck_assert_int_eq(made[0]->columns[j].null_count, made[1]->columns[j].null_count);
        ck_assert_msg(memcmp(x[0], x[1], sizeof x[0]) == 0, "%s",
                      outputs->features[j].name);
    }
    ck_assert_int_ge(sparse, least);
    mli_plan_free(plan);
    mli_design_free(d);
    mli_inputs_free(outputs);
    ml_table_free(made[0]);
    ml_table_free(made[1]);
}

START_TEST(makes_sparse_columns)
{
    ml_context *ctx = test_context(3);
    static rows r;
    char given[1024];
    make_rows(&r, 1);
    ml_table *t = inputs_of(ctx, &r);
    for (int k = 0; k < 4; k++) {
        if (k == 1) continue;
        char name[64], params[256] = "text=text;";
        snprintf(name, sizeof name, "%.*s", (int)strcspn(all[k].steps, ","),
                 all[k].steps);
        const char *own = strchr(all[k].params, '.');
        if (own) snprintf(params, sizeof params, "text=text;%s", own + 1);
        ml_model *m = fit(ctx, name, params, t, NULL);
        compare_columns(m, t, 100);
        ml_model_free(m);
    }
    for (int k = 0; k < CASES; k++) {
        snprintf(given, sizeof given, "steps=%s;text=text;%s", all[k].steps,
                 all[k].params);
        ml_model *m = fit(ctx, "pipeline", given, t, NULL);
        compare_columns(m, t, all[k].least);
        ml_model_free(m);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* ---- the models ---- */

static void same_numbers(ml_tensor *a, ml_tensor *b, double slack, const char *what)
{
    const double *x = ml_tensor_data(a), *y = ml_tensor_data(b);
    int64_t n = ml_tensor_shape(a)[0];
    ck_assert_int_eq(n, ml_tensor_shape(b)[0]);
    for (int64_t i = 0; i < n; i++)
        ck_assert_msg(x[i] == y[i] || fabs(x[i] - y[i]) <= slack * (1 + fabs(y[i])),
                      "%s: row %d: %.17g and %.17g", what, (int)i, x[i], y[i]);
    ml_tensor_free(a);
    ml_tensor_free(b);
}

/* An algorithm behind steps, and on the columns that they hand out. */
static void compare_models(ml_context *ctx, const struct steps *s, const char *algorithm,
                           const char *params, const char *target, double slack)
{
    static rows r, v;
    char given[1400], place[600] = "", own[600];
    make_rows(&r, 2);
    make_rows(&v, 3);
    ml_table *t = inputs_of(ctx, &r), *valid = inputs_of(ctx, &v);
    snprintf(given, sizeof given, "steps=%s;text=text;%s", s->steps, s->params);
    ml_model *first = fit(ctx, "pipeline", given, t, NULL);
    ml_table *plain = add_targets(ctx, transformed(first, t), &r);
    ml_table *plain_valid = add_targets(ctx, transformed(first, valid), &v);
    t = add_targets(ctx, t, &r);
    valid = add_targets(ctx, valid, &v);
    snprintf(own, sizeof own, "%s", params);
    for (char *pair = strtok(own, ";"); pair; pair = strtok(NULL, ";"))
        snprintf(place + strlen(place), sizeof place - strlen(place), ";last.%s", pair);
    const char *others = strcmp(target, "target_y") ? "target_y" : "target_class";
    snprintf(given, sizeof given,
             "steps=%s, last=%s;text=text;target=%s;weight=target_w;ignore=%s;%s%s",
             s->steps, algorithm, target, others, *s->params ? s->params : "text=text",
             place);
    ml_model *behind = fit(ctx, "pipeline", given, t, valid);
    snprintf(given, sizeof given, "target=%s;weight=target_w;ignore=%s%s%s", target,
             others, *params ? ";" : "", params);
    ml_model *alone = fit(ctx, algorithm, given, plain, plain_valid);
    const char *kind = strcmp(target, "target_y") ? "proba" : "value";
    same_numbers(predicted(behind, kind, t), predicted(alone, kind, plain), slack,
                 s->steps);
    same_numbers(predicted(behind, kind, valid), predicted(alone, kind, plain_valid),
                 slack, s->steps);
    ml_model_free(first);
    ml_model_free(behind);
    ml_model_free(alone);
    ml_table_free(plain);
    ml_table_free(plain_valid);
    ml_table_free(t);
    ml_table_free(valid);
}

START_TEST(trees_are_the_same)
{
    ml_context *ctx = test_context(2);
    for (int k = 0; k < CASES; k++) {
        compare_models(ctx, &all[k], "gbdt", "n_estimators=15;early_stopping=5",
                       "target_y", 0);
        if (k % 3) continue;
        compare_models(ctx, &all[k], "gbdt", "n_estimators=8;max_bin=15", "target_class",
                       0);
        compare_models(ctx, &all[k], "random_forest", "n_estimators=5", "target_class",
                       0);
        compare_models(ctx, &all[k], "extra_trees", "n_estimators=5", "target_y", 0);
        compare_models(ctx, &all[k], "baseline", "", "target_y", 0);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(linear_models_are_the_same)
{
    ml_context *ctx = test_context(2);
    for (int k = 0; k < CASES; k++) {
        compare_models(ctx, &all[k], "linear_regression", "penalty=l2;alpha=0.5",
                       "target_y", 1e-6);
        if (k % 3) continue;
        compare_models(ctx, &all[k], "linear_regression", "penalty=l1;alpha=0.01",
                       "target_y", 1e-5);
        compare_models(ctx, &all[k], "logistic_regression", "", "target_class", 1e-5);
    }
    ml_context_free(ctx);
}
END_TEST

/* ---- threads, memory ---- */

typedef struct {
    char data[1 << 22];
    size_t size;
} bytes;

static int64_t append(const void *data, size_t size, void *user)
{
    bytes *b = user;
    if (b->size + size > sizeof b->data) return -1;
    memcpy(b->data + b->size, data, size);
    b->size += size;
    return (int64_t)size;
}

START_TEST(threads_do_not_matter)
{
    static const int counts[] = {1, 2, 7};
    static bytes b[3];
    static rows r;
    make_rows(&r, 4);
    for (int k = 0; k < CASES; k += 2) {
        for (int i = 0; i < 3; i++) {
            ml_context *ctx = test_context(counts[i]);
            ml_table *t = add_targets(ctx, inputs_of(ctx, &r), &r);
            char given[1400];
            snprintf(given, sizeof given,
                     "steps=%s, last=%s;text=text;target=target_y;ignore=target_class, "
                     "target_w;%s",
                     all[k].steps, k % 4 ? "gbdt" : "linear_regression",
                     *all[k].params ? all[k].params : "text=text");
            ml_model *m = fit(ctx, "pipeline", given, t, NULL);
            ml_io io = ML_IO_INIT;
            io.write = append;
            io.user = &b[i];
            b[i].size = 0;
            OK(ml_model_save_io(m, &io, NULL, ERR));
            ck_assert_uint_eq(b[i].size, b[0].size);
            ck_assert(memcmp(b[i].data, b[0].data, b[0].size) == 0);
            ml_model_free(m);
            ml_table_free(t);
            ml_context_free(ctx);
        }
    }
}
END_TEST

static ml_status fit_once(const ml_host *host, const struct steps *s)
{
    static const char *const texts[] = {
        "red apple pie",   "green apple tart", "blue sky", "sky red sunset",
        "apple red green", "tart pie",         "pear",     "plum",
        "fig tart"};
    static const char *const levels[] = {"a", "b", "c", "d", "e", "f", "g", "h", "a"};
    double y[9];
    enum { FEW = 27 };
    const char *text[FEW], *level[FEW];
    double target[FEW];
    ml_context *ctx = NULL;
    ml_table *t = NULL;
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    mli_builder *b = NULL;
    (void)y;
    for (int i = 0; i < FEW; i++) {
        text[i] = texts[i % 9];
        level[i] = levels[(i + i / 9) % 9];
        target[i] = i % 9 % 4;
    }
    ml_status st = ml_context_new(host, &ctx, NULL);
    if (!st) st = mli_builder_new(ctx, FEW, &b, NULL);
    if (!st) st = mli_builder_text(b, "text", text, NULL);
    if (!st) st = mli_builder_text(b, "level", level, NULL);
    if (!st) st = mli_builder_f64(b, "target_y", target, NULL);
    if (b && st) mli_builder_free(b);
    if (!st) st = mli_builder_finish(b, &t, NULL);
    if (!st) st = ml_estimator_new(ctx, "pipeline", &e, NULL);
    char steps[256], params[512];
    snprintf(steps, sizeof steps, "%s, baseline", s->steps);
    snprintf(params, sizeof params, "%s", s->params);
    if (!st) st = ml_estimator_set_str(e, "steps", steps, NULL);
    if (!st) st = ml_estimator_set_str(e, "text", "text", NULL);
    if (!st) st = ml_estimator_set_str(e, "target", "target_y", NULL);
    for (char *pair = strtok(params, ";"); pair && !st; pair = strtok(NULL, ";")) {
        char *equal = strchr(pair, '=');
        *equal = 0;
        st = ml_estimator_set_str(e, pair, equal + 1, NULL);
    }
    if (!st) st = ml_estimator_fit(e, t, NULL, &m, NULL);
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
    return st;
}

START_TEST(survives_out_of_memory)
{
    failing_alloc f;
    ml_host host = failing_host(&f);
    OUT_OF_MEMORY_LOOP(f, fit_once(&host, &all[4]));
    ck_assert_int_gt(f.calls, 100);
    OUT_OF_MEMORY_LOOP(f, fit_once(&host, &all[8]));
}
END_TEST

TEST_MAIN("algorithms/sparse", makes_sparse_columns, trees_are_the_same,
          linear_models_are_the_same, threads_do_not_matter, survives_out_of_memory)
