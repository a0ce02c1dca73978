/* SPDX-License-Identifier: MIT
 *
 * Text columns and their vectorisers: beside scikit-learn on real messages
 * (tests/reference/text.py), and through tables, pipelines, files and hostile models.
 */
#include "failing.h"
#include "testing_data.h"

#define MESSAGES "sms_spam/sms_spam.tsv.gz"

static ml_table *read_messages(ml_context *ctx)
{
    ml_table *t = NULL;
    ml_params *o = NULL;
    const char *path = shared_path(MESSAGES);
    if (!path) return NULL;
    OK(ml_params_new(ctx, &o, ERR));
    OK(ml_params_set_str(o, "delimiter", "tab", ERR));
    OK(ml_params_set_str(o, "quote", "none", ERR));
    OK(ml_params_set_str(o, "header", "no", ERR));
    OK(ml_params_set_str(o, "null_words", "[]", ERR));
    OK(ml_params_set_str(o, "trim", "false", ERR));
    OK(ml_table_read_csv(ctx, path, o, &t, ERR));
    ml_params_free(o);
    return t;
}

/* "a=1;b=2" */
static void set_params(ml_estimator *e, const char *given)
{
    char text[512];
    snprintf(text, sizeof text, "%s", given);
    for (char *pair = strtok(text, ";"); pair; pair = strtok(NULL, ";")) {
        char *equal = strchr(pair, '=');
        *equal = 0;
        OK(ml_estimator_set_str(e, pair, equal + 1, ERR));
    }
}

static ml_model *fit(ml_context *ctx, const char *algorithm, const char *params,
                     const ml_table *t)
{
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    OK(ml_estimator_new(ctx, algorithm, &e, ERR));
    set_params(e, params);
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_estimator_free(e);
    return m;
}

/* A model as the bytes of its file. */
typedef struct {
    unsigned char *data;
    size_t size;
} bytes;

static int64_t append(const void *data, size_t size, void *user)
{
    bytes *b = user;
    b->data = realloc(b->data, b->size + size + 1);
    memcpy(b->data + b->size, data, size);
    b->size += size;
    return (int64_t)size;
}

static bytes bytes_of(const ml_model *m)
{
    bytes b = {0};
    ml_io io = ML_IO_INIT;
    io.write = append;
    io.user = &b;
    OK(ml_model_save_io(m, &io, NULL, ERR));
    return b;
}

static ml_predictor *predictor(const ml_model *m, const char *kind)
{
    ml_predictor *p = NULL;
    OK(ml_predictor_new(m, kind, NULL, &p, ERR));
    return p;
}

/* ---- parity ---- */

static void near(const char *what, double got, double want)
{
    ck_assert_msg(fabs(got - want) <= 1e-9 * fmax(1e-4, fabs(want)),
                  "%s: %.15g instead of %.15g", what, got, want);
}

/* One case; 0 at the end of the file. */
static int check_case(ml_context *ctx, FILE *f, const ml_table *messages)
{
    char algorithm[64], params[400], all[512], name[128], want_name[160];
    int columns, at;
    double sum, squares, want, total = 0, total_squares = 0;
    if (fscanf(f, " case %63s %399s size %d %lf %lf", algorithm, params, &columns, &sum,
               &squares) != 5)
        return 0;
    snprintf(all, sizeof all, "%s;features=column_2;text=column_2", params);
    ml_model *m = fit(ctx, algorithm, all, messages);
    ml_predictor *p = predictor(m, "transform");
    ml_tensor *out = NULL;
    OK(ml_predictor_run(p, messages, &out, ERR));
    int64_t rows = ml_tensor_shape(out)[0];
    const double *x = ml_tensor_data(out);
    ck_assert_msg(ml_tensor_shape(out)[1] == columns, "%s: %d columns", params,
                  (int)ml_tensor_shape(out)[1]);
    for (int64_t i = 0; i < rows * columns; i++) {
        total += x[i];
        total_squares += x[i] * x[i];
    }
    near(params, total, sum);
    near(params, total_squares, squares);
    while (fscanf(f, " column %d %lf%*1[ ]%127[^\n]", &at, &want, name) == 3) {
        double mean = 0;
        for (int64_t i = 0; i < rows; i++) mean += x[i * columns + at];
        near(name, mean / (double)rows, want);
        snprintf(want_name, sizeof want_name, "column_2: %s", name);
        if (strcmp(name, "-") != 0 || strncmp(algorithm, "hash", 4) != 0)
            ck_assert_str_eq(ml_predictor_output_name(p, at), want_name);
    }
    ck_assert_int_eq(fscanf(f, "end"), 0);
    ml_tensor_free(out);
    ml_predictor_free(p);
    ml_model_free(m);
    return 1;
}

START_TEST(equals_scikit_learn)
{
    ml_context *ctx = test_context(2);
    ml_table *t = read_messages(ctx);
    int n = 0;
    if (!t) SKIP("the shared data are not there");
    FILE *f = fopen(source_path("tests/algorithms/text_expected.txt"), "r");
    ck_assert_ptr_nonnull(f);
    while (check_case(ctx, f, t)) n++;
    ck_assert_int_eq(n, 7);
    fclose(f);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* ---- columns of text ---- */

static ml_table *small(ml_context *ctx)
{
    static const char *const review[] = {
        "the film was good, really good", "a bad film; don't see it", NULL,
        "good music and a good cast",     "bad, bad and boring",      "good fun"};
    static const char *const city[] = {"Paris", "Rome", "Rome", "Paris", NULL, "Rome"};
    static const double stars[] = {5, 1, 3, 4, 1, 5};
    static const char *const liked[] = {"yes", "no", "no", "yes", "no", "yes"};
    ml_table *t = add_text(ctx, NULL, "review", 6, review);
    t = add_text(ctx, t, "city", 6, city);
    t = add_f64(ctx, t, "stars", 6, stars);
    return add_text(ctx, t, "liked", 6, liked);
}

/* What is not text passes, text that is not picked as well, missing text is no terms. */
START_TEST(makes_columns)
{
    ml_context *ctx = test_context(1);
    ml_table *t = small(ctx), *out = NULL;
    ml_model *m = fit(ctx, "count_vectorizer", "ignore=liked;max_features=3", t);
    ml_predictor *p = predictor(m, NULL);
    OK(ml_predictor_run_table(p, t, &out, ERR));
    ck_assert_int_eq(ml_table_columns(out), 5);
    ck_assert_str_eq(ml_table_column_name(out, 0), "review: and");
    ck_assert_str_eq(ml_table_column_name(out, 1), "review: bad");
    ck_assert_str_eq(ml_table_column_name(out, 2), "review: good");
    ck_assert(ml_table_get_f64(out, 3, 2) == 2 && ml_table_get_f64(out, 2, 2) == 0);
    ck_assert_str_eq(cell(out, 1, "city"), "Rome");
    ml_table_free(out);
    ml_predictor_free(p);
    ml_model_free(m);
    m = fit(ctx, "pipeline", "steps=standard_scaler, tfidf;features=review,stars", t);
    ml_model_free(m);
    m = fit(ctx, "tfidf", "text=review,city;columns=city;ignore=liked", t);
    p = predictor(m, NULL);
    OK(ml_predictor_run_table(p, t, &out, ERR));
    ck_assert_str_eq(cell(out, 3, "review"), "good music and a good cast");
    ck_assert_str_eq(cell(out, 2, "review"), "");
    ck_assert(ml_table_get_f64(out, 3, ml_table_find(out, "city: paris")) == 1);
    ml_table_free(out);
    ml_predictor_free(p);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* In one column terms of both signs cancel out, unless it only says that there are any.
 */
START_TEST(hashed_terms_do_not_cancel_when_binary)
{
    static const char *const text[] = {"good bad fun film", "zz zz", "", "a"};
    ml_context *ctx = test_context(1);
    ml_table *t = add_text(ctx, NULL, "review", 4, text);
    for (int binary = 0; binary < 2; binary++) {
        ml_model *m = fit(ctx, "hashing_vectorizer",
                          binary ? "text=review;n_features=1;norm=none;binary=true"
                                 : "text=review;n_features=1;norm=none",
                          t);
        ml_predictor *p = predictor(m, NULL);
        ml_tensor *out = NULL;
        OK(ml_predictor_run(p, t, &out, ERR));
        double x[4];
        for (int i = 0; i < 4; i++) x[i] = ml_tensor_get_f64(out, i, 0);
        ck_assert(x[0] == (binary ? 1 : 0) && x[2] == 0 && x[3] == 0);
        ck_assert(binary ? x[1] == 1 : x[1] == 2 || x[1] == -2);
        ml_tensor_free(out);
        ml_predictor_free(p);
        ml_model_free(m);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

static const char branches[] =
    "target=liked;steps=columns, logistic_regression;columns.branches=words, kinds;"
    "columns.words.columns=text;columns.words.steps=tfidf;"
    "columns.kinds.columns=category;columns.kinds.steps=one_hot_encoder";

/* Branches choose text by its kind; the model survives its file. */
START_TEST(runs_in_pipelines)
{
    ml_context *ctx = test_context(2);
    ml_table *t = small(ctx);
    ml_tensor *a = NULL, *b = NULL;
    ml_model *m = fit(ctx, "pipeline", branches, t), *again = NULL;
    ml_predictor *p = predictor(m, "proba"), *q;
    bytes file = bytes_of(m);
    double row[3] = {0}, scores[2];
    OK(ml_predictor_run(p, t, &a, ERR));
    OK(ml_model_load_memory(ctx, file.data, file.size, NULL, NULL, NULL, &again, ERR));
    q = predictor(again, "proba");
    OK(ml_predictor_run(q, t, &b, ERR));
    ck_assert_mem_eq(ml_tensor_data(a), ml_tensor_data(b), 12 * sizeof(double));
    ck_assert(ml_tensor_get_f64(a, 0, 1) > 0.5 && ml_tensor_get_f64(a, 4, 1) < 0.5);
    FAILS(ML_E_UNSUPPORTED, ml_predictor_rows(p, row, ML_DTYPE_F64, 1, 3, scores, ERR));
    SAYS("reads text");
    ml_tensor_free(a);
    ml_tensor_free(b);
    ml_predictor_free(p);
    ml_predictor_free(q);
    ml_model_free(m);
    ml_model_free(again);
    free(file.data);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* A text that stands before an algorithm that cannot read it, and other mistakes. */
START_TEST(names_mistakes)
{
    static const struct {
        const char *algorithm, *params;
        ml_status status;
        const char *says;
    } cases[] = {
        {"gbdt", "target=liked;text=review", ML_E_TYPE, "does not read text"},
        {"pipeline", "steps=words=tfidf;text=stars", ML_E_TYPE, "not text"},
        {"pipeline",
         "target=liked;steps=words=tfidf, gbdt;words.columns=city;text=review", ML_E_TYPE,
         "is a category"},
        {"pipeline",
         "target=liked;steps=words=tfidf, gbdt;words.columns=city;text=review,city",
         ML_E_TYPE, "this is text"},
        {"tfidf", "ngram_range=[2,1]", ML_E_RANGE, "ngram_range"},
        {"tfidf", "min_df=5", ML_E_DATA, "leave no term"},
        {"tfidf", "min_word_length=50", ML_E_DATA, "no term"},
    };
    ml_context *ctx = test_context(1);
    ml_table *t = small(ctx);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ml_estimator *e = NULL;
        ml_model *m = NULL;
        OK(ml_estimator_new(ctx, cases[i].algorithm, &e, ERR));
        set_params(e, cases[i].params);
        FAILS(cases[i].status, ml_estimator_fit(e, t, NULL, &m, ERR));
        SAYS(cases[i].says);
        ml_estimator_free(e);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Too many columns: the parameter that says how many is named. */
START_TEST(names_what_makes_too_many_columns)
{
    static const char *const text[] = {"some words here", "and a few more"};
    ml_context *ctx = test_context(1);
    ml_table *t = NULL;
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    ml_predictor *p = NULL;
    for (int j = 0; j < 17; j++) {
        char name[8];
        snprintf(name, sizeof name, "t%d", j);
        t = add_text(ctx, t, name, 2, text);
    }
    OK(ml_estimator_new(ctx, "hashing_vectorizer", &e, ERR));
    OK(ml_estimator_set_str(e, "text",
                            "t0,t1,t2,t3,t4,t5,t6,t7,t8,t9,t10,t11,t12,t13,t14,"
                            "t15,t16",
                            ERR));
    OK(ml_estimator_set_i64(e, "n_features", 1048576, ERR));
    ml_status status = ml_estimator_fit(e, t, NULL, &m, ERR);
    if (!status) status = ml_predictor_new(m, NULL, NULL, &p, ERR);
    ck_assert_int_eq(status, ML_E_DATA);
    SAYS("more than 16777216 columns");
    ck_assert_str_eq(ml_error_hint(ERR), "choose fewer columns, or a smaller n_features");
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Whatever is changed in a file: an error, or a model that predicts. */
START_TEST(stands_hostile_files)
{
    ml_context *ctx = test_context(1);
    ml_table *t = small(ctx);
    ml_model *m = fit(ctx, "tfidf", "ignore=liked", t);
    bytes file = bytes_of(m);
    int good = 0, bad = 0;
    for (size_t i = 8; i < file.size; i++) {
        ml_model *changed = NULL;
        ml_predictor *p = NULL;
        ml_tensor *out = NULL;
        file.data[i] ^= 0x55;
        ml_status s = ml_model_load_memory(ctx, file.data, file.size, NULL, NULL, NULL,
                                           &changed, ERR);
        if (!s) s = ml_predictor_new(changed, "transform", NULL, &p, ERR);
        if (!s) s = ml_predictor_run(p, t, &out, ERR);
        good += s == ML_OK;
        bad += s != ML_OK;
        ml_tensor_free(out);
        ml_predictor_free(p);
        ml_model_free(changed);
        file.data[i] ^= 0x55;
    }
    ck_assert_int_gt(good, 10);
    ck_assert_int_gt(bad, 100);
    free(file.data);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Text beside numbers: automl reads it, and its model survives the file. */
START_TEST(automl_reads_text)
{
    enum { N = 240 };
    static const char *const good[] = {"a good film", "really good fun", "good cast"};
    static const char *const bad[] = {"a bad film", "really bad story", "dull and bad"};
    static const char *text[N], *liked[N];
    static char texts[N][64];
    ml_context *ctx = test_context(2);
    double x[N];
    for (int i = 0; i < N; i++) {
        int yes = i * 7 % 11 < 5;
        liked[i] = yes ? "yes" : "no";
        snprintf(texts[i], sizeof texts[i], "%s number %d",
                 yes ? good[i % 3] : bad[i % 3], i);
        text[i] = i % 40 == 3 ? NULL : texts[i];
        x[i] = i * 5 % 13;
    }
    ml_table *t = add_text(ctx, NULL, "review", N, text);
    t = add_f64(ctx, t, "x", N, x);
    t = add_text(ctx, t, "liked", N, liked);
    ml_model *m = fit(ctx, "automl", "target=liked;trials=4;folds=3", t), *again = NULL;
    bytes file = bytes_of(m);
    OK(ml_model_load_memory(ctx, file.data, file.size, NULL, NULL, NULL, &again, ERR));
    ml_predictor *p = predictor(m, "proba"), *q = predictor(again, "proba");
    ml_tensor *a = NULL, *b = NULL;
    int right = 0;
    OK(ml_predictor_run(p, t, &a, ERR));
    OK(ml_predictor_run(q, t, &b, ERR));
    ck_assert_mem_eq(ml_tensor_data(a), ml_tensor_data(b), 2 * N * sizeof(double));
    for (int i = 0; i < N; i++)
        right += (ml_tensor_get_f64(a, i, 1) > 0.5) == (liked[i][0] == 'y');
    ck_assert_int_gt(right, N - 15);
    ml_tensor_free(a);
    ml_tensor_free(b);
    ml_predictor_free(p);
    ml_predictor_free(q);
    ml_model_free(m);
    ml_model_free(again);
    ml_estimator *e = NULL;
    OK(ml_estimator_new(ctx, "automl", &e, ERR));
    set_params(e, "target=liked;trials=2;distill=gbdt");
    FAILS(ML_E_UNSUPPORTED, ml_estimator_fit(e, t, NULL, &m, ERR));
    SAYS("text column \"review\"");
    ml_estimator_free(e);
    free(file.data);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* The same bytes for any number of threads. */
START_TEST(same_for_any_threads)
{
    bytes first = {0};
    static const int threads[] = {1, 2, 7};
    for (int i = 0; i < 3; i++) {
        ml_context *ctx = test_context(threads[i]);
        ml_table *t = read_messages(ctx);
        if (!t) SKIP("the shared data are not there");
        ml_model *m = fit(ctx, "tfidf", "features=column_2;ngram_range=[1,2]", t);
        bytes file = bytes_of(m);
        if (i == 0) first = file;
        ck_assert_uint_eq(first.size, file.size);
        ck_assert_mem_eq(first.data, file.data, file.size);
        if (i > 0) free(file.data);
        ml_model_free(m);
        ml_table_free(t);
        ml_context_free(ctx);
    }
    free(first.data);
}
END_TEST

TEST_MAIN("algorithms/text", equals_scikit_learn, makes_columns,
          hashed_terms_do_not_cancel_when_binary, runs_in_pipelines, names_mistakes,
          names_what_makes_too_many_columns, stands_hostile_files, automl_reads_text,
          same_for_any_threads)
