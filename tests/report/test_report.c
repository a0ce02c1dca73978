/* SPDX-License-Identifier: MIT
 *
 * The report: a page that is well formed whatever the data, that loads nothing, that is
 * the same for the same input, and that failures leave as it was.
 */
#include "testing_yaml.h"
#include "../conformance/kit.h"

#include "../failing.h"
#include "../testing_data.h"

#include <ctype.h>
#include <sys/stat.h>

/* ---- a page as text ---- */

typedef struct page {
    char *text;
    size_t size;
    int64_t left; /* bytes that may still be written; negative: no limit */
} page;

static int64_t page_write(const void *data, size_t size, void *user)
{
    page *p = user;
    if (p->left >= 0 && (int64_t)size > p->left) return -1;
    if (p->left >= 0) p->left -= (int64_t)size;
    p->text = realloc(p->text, p->size + size + 1);
    memcpy(p->text + p->size, data, size);
    p->size += size;
    p->text[p->size] = 0;
    return (int64_t)size;
}

static page page_of(const ml_report *r)
{
    page p = {.left = -1};
    ml_io io = ML_IO_INIT;
    io.write = page_write;
    io.user = &p;
    OK(ml_report_save_io(r, &io, ERR));
    return p;
}

#define SHOWS(p, words) ck_assert_ptr_nonnull(strstr((p).text, words))
#define LACKS(p, words) ck_assert_ptr_null(strstr((p).text, words))

static int is_void(const char *tag)
{
    return strcmp(tag, "meta") == 0 || strcmp(tag, "br") == 0 ||
           strcmp(tag, "!doctype") == 0;
}

/* Every element is closed in order, and ampersands begin entities. */
static void check_well_formed(const page *p)
{
    char open[64][16];
    int depth = 0;
    for (const char *c = p->text; *c; c++) {
        if (*c == '&') {
            const char *semi = strchr(c, ';');
            ck_assert_msg(semi && semi - c < 8, "a bare ampersand: %.40s", c);
        }
        if (*c == '<') {
            char tag[16] = {0};
            int n = 0, closing = c[1] == '/';
            for (const char *t = c + 1 + closing;
                 n < 15 && (isalnum((unsigned char)*t) || *t == '!');)
                tag[n++] = *t++;
            const char *end = strchr(c, '>');
            ck_assert_msg(n > 0 && end, "a bare <: %.40s", c);
            if (closing) {
                ck_assert_int_gt(depth, 0);
                ck_assert_msg(strcmp(open[--depth], tag) == 0, "</%s> closes <%s>", tag,
                              open[depth]);
            } else if (end[-1] != '/' && !is_void(tag)) {
                ck_assert_int_lt(depth, 64);
                memcpy(open[depth++], tag, sizeof tag);
            }
            c = end;
        }
    }
    ck_assert_int_eq(depth, 0);
}

static void check_page(const page *p)
{
    check_well_formed(p);
    LACKS(*p, "<script");
    LACKS(*p, "href=\"http");
    LACKS(*p, "src=");
    LACKS(*p, "url(");
    LACKS(*p, ">nan<");
    LACKS(*p, "\"nan");
    LACKS(*p, " nan");
}

static ml_model *fitted(ml_context *ctx, int classes, const ml_table *t)
{
    subject s = {.algorithm = "gbdt", .classes = classes, .has_target = 1};
    (void)ctx;
    return kit_fit(ctx, &s, t);
}

static ml_report *new_report(ml_context *ctx)
{
    ml_report *r = NULL;
    OK(ml_report_new(ctx, "A <title> & \"more\"", &r, ERR));
    return r;
}

static page page_of_table(ml_context *ctx, const ml_table *t)
{
    ml_report *r = new_report(ctx);
    OK(ml_report_add_table(r, "Rows", t, ERR));
    page p = page_of(r);
    ml_report_free(r);
    return p;
}

/* Tables with one kind of trouble each. */
static ml_table *table_number(ml_context *ctx, int i, int classes)
{
    kit_data d = {.rows = 120, .classes = classes, .seed = (uint64_t)i + 1};
    if (i == 1) d.constant = 1;
    if (i == 2) d.infinities = 1;
    if (i == 3) d.all_missing = 1;
    if (i == 4) d.scale = 1e300;
    if (i == 5) d.levels = 100;
    if (i == 6) d.duplicates = 1;
    return kit_table(ctx, &d);
}

START_TEST(pages_are_well_formed)
{
    ml_context *ctx = test_context(2);
    for (int classes = 0; classes <= 3; classes++) {
        for (int i = 0; i < 7 && classes != 1; i++) {
            ml_table *t = table_number(ctx, i, classes);
            ml_model *m = fitted(ctx, classes, t);
            ml_report *r = new_report(ctx);
            OK(ml_report_add_profile(r, "Profile", t, NULL, ERR));
            OK(ml_report_add_model(r, "Model", m, t, ERR));
            OK(ml_report_add_model(r, "Model alone", m, NULL, ERR));
            OK(ml_report_add_table(r, "Rows", t, ERR));
            page p = page_of(r);
            check_page(&p);
            SHOWS(p, "A &lt;title&gt; &amp; &quot;more&quot;");
            SHOWS(p, classes == 2 ? "roc_auc" : classes ? "log_loss" : "rmse");
            free(p.text);
            ml_report_free(r);
            ml_model_free(m);
            ml_table_free(t);
        }
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(small_tables_are_fine)
{
    ml_context *ctx = test_context(1);
    ml_report *r = new_report(ctx);
    for (int64_t n = 0; n <= 2; n++) {
        ml_table *t = add_f64(ctx, NULL, "x", n, (double[]){1, NAN});
        t = add_text(ctx, t, "k", n, (const char *[]){NULL, "<b>&amp;</b>"});
        OK(ml_report_add_profile(r, "<i>", t, NULL, ERR));
        OK(ml_report_add_table(r, "&", t, ERR));
        ml_table_free(t);
    }
    page p = page_of(r);
    check_page(&p);
    SHOWS(p, "&lt;b&gt;&amp;amp;&lt;/b&gt;");
    free(p.text);
    ml_report_free(r);
    ml_context_free(ctx);
}
END_TEST

START_TEST(the_same_input_gives_the_same_page)
{
    page p[2];
    for (int i = 0; i < 2; i++) {
        ml_context *ctx = test_context(i ? 3 : 1);
        ml_table *t = table_number(ctx, 0, 2);
        ml_model *m = fitted(ctx, 2, t);
        ml_report *r = new_report(ctx);
        OK(ml_report_add_profile(r, "Profile", t, NULL, ERR));
        OK(ml_report_add_model(r, "Model", m, t, ERR));
        p[i] = page_of(r);
        ml_report_free(r);
        ml_model_free(m);
        ml_table_free(t);
        ml_context_free(ctx);
    }
    ck_assert_uint_eq(p[0].size, p[1].size);
    ck_assert_int_eq(memcmp(p[0].text, p[1].text, p[0].size), 0);
    free(p[0].text);
    free(p[1].text);
}
END_TEST

/* A section that fails is not in the page. */
START_TEST(a_failed_section_is_taken_out)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table_number(ctx, 0, 2), *lacking = NULL;
    ml_model *m = fitted(ctx, 2, t);
    ml_report *r = new_report(ctx);
    OK(ml_report_add_table(r, "Before", t, ERR));
    page before = page_of(r);
    OK(ml_table_select(t, (const char *const[]){"a", "y"}, 2, &lacking, ERR));
    FAILS(ML_E_NAME, ml_report_add_model(r, "Failed", m, lacking, ERR));
    page after = page_of(r);
    ck_assert_uint_eq(before.size, after.size);
    ck_assert_int_eq(memcmp(before.text, after.text, after.size), 0);
    OK(ml_report_add_model(r, "Works", m, t, ERR));
    free(before.text);
    free(after.text);
    ml_report_free(r);
    ml_table_free(lacking);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(what_cannot_be_written_leaves_nothing)
{
    ml_context *ctx = test_context(1);
    ml_report *r = new_report(ctx);
    char path[256];
    struct stat st;
    snprintf(path, sizeof path, "%s/none/report.html", test_folder());
    FAILS(ML_E_IO, ml_report_save_file(r, path, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "none/report.html"));
    ck_assert_int_ne(stat(path, &st), 0);
    for (int64_t left = 0; left < 2000; left += 500) {
        page p = {.left = left};
        ml_io io = ML_IO_INIT;
        io.write = page_write;
        io.user = &p;
        FAILS(ML_E_CALLBACK, ml_report_save_io(r, &io, ERR));
        free(p.text);
    }
    snprintf(path, sizeof path, "%s/report.html", test_folder());
    OK(ml_report_save_file(r, path, ERR));
    ck_assert_int_eq(stat(path, &st), 0);
    ml_report_free(r);
    ml_context_free(ctx);
}
END_TEST

/* Everything in a context that may lack memory. Making the inputs fails there too. */
static ml_status add_all(ml_report *r, ml_context *ctx, ml_error *err)
{
    double x[] = {1, 2, NAN, 4, 5, 6};
    int64_t n = 6;
    ml_tensor *v = NULL;
    ml_table *t = NULL;
    ml_status st = ml_tensor_new(ctx, ML_DTYPE_F64, 1, &n, NULL, x, &v, err);
    if (st == ML_OK) st = ml_table_read_tensor(ctx, v, NULL, &t, err);
    if (st == ML_OK) st = ml_report_add_profile(r, "profile", t, NULL, err);
    if (st == ML_OK) st = ml_report_add_table(r, "table", t, err);
    ml_table_free(t);
    ml_tensor_free(v);
    return st;
}

static ml_status whole_life(failing_alloc *f)
{
    ml_host host = failing_host(f);
    ml_context *ctx = NULL;
    ml_report *r = NULL;
    page p = {.left = -1};
    ml_io io = ML_IO_INIT;
    io.write = page_write;
    io.user = &p;
    ml_status st = ml_context_new(&host, &ctx, NULL);
    if (st == ML_OK) st = ml_report_new(ctx, "memory", &r, NULL);
    if (st == ML_OK) st = add_all(r, ctx, NULL);
    if (st == ML_OK) st = ml_report_save_io(r, &io, NULL);
    free(p.text);
    ml_report_free(r);
    ml_context_free(ctx);
    return st;
}

START_TEST(no_memory)
{
    failing_alloc f;
    OUT_OF_MEMORY_LOOP(f, whole_life(&f));
}
END_TEST

/* Several targets, several quantiles: a report without slices. */
START_TEST(models_of_several_values)
{
    static const char *const yaml[] = {
        "{targets: [y, b], n_trees: 5}",
        "{target: y, n_trees: 5, objective: quantile, quantiles: [0.1, 0.9]}"};
    ml_context *ctx = test_context(1);
    ml_table *t = table_number(ctx, 0, 0);
    for (int k = 0; k < 2; k++) {
        ml_model *m = fit_yaml(ctx, k ? "gbdt" : "random_forest", yaml[k], t, NULL);
        ml_report *r = new_report(ctx);
        OK(ml_report_add_model(r, "Model", m, t, ERR));
        page p = page_of(r);
        check_page(&p);
        free(p.text);
        ml_report_free(r);
        ml_model_free(m);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* What differs from the defaults stands in the open, of a loaded model too. */
/* A model of automl tells how it was found, and what its columns are worth; the
 * weights, the state of candidates and the better direction are those of the search. */
START_TEST(a_search_explains_itself)
{
    ml_context *ctx = test_context(2);
    for (int classes = 0; classes <= 2; classes += 2) {
        ml_table *t =
            kit_table(ctx, &(kit_data){.rows = 300, .classes = classes, .seed = 5});
        ml_model *m =
            fit_yaml(ctx, "automl", "{target: y, trials: 5, folds: 3}", t, NULL);
        ml_report *r = new_report(ctx);
        OK(ml_report_add_model(r, "Model", m, t, ERR));
        page p = page_of(r);
        check_page(&p);
        SHOWS(p, "Scores on 300 rows");
        SHOWS(p, classes ? "Share of rows classified right (higher is better)"
                         : "The model predicts the number y, from");
        const char *direction =
            classes ? "roc_auc (higher is better)" : "rmse (lower is better)";
        SHOWS(p, "How it was found");
        SHOWS(p, "5 candidates were tried");
        SHOWS(p, direction);
        SHOWS(p, "The best of each algorithm");
        SHOWS(p, "Importance of the features");
        free(p.text);
        ml_report_free(r);
        ml_model_free(m);
        ml_table_free(t);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(numbers_that_name_things)
{
    enum { N = 800 };
    ml_context *ctx = test_context(2);
    int64_t user[N];
    double y[N];
    uint64_t state = 4;
    for (int i = 0; i < N; i++) {
        int u = (int)(kit_uniform(&state) * 80);
        user[i] = 100 + 37 * u % 400;
        y[i] = (u * u + 3 * u) % 17 + kit_uniform(&state);
    }
    ml_table *t = add_f64(ctx, add_i64(ctx, NULL, "a<b", N, user), "y", N, y);
    ml_model *m = fit_yaml(ctx, "automl", "{target: y, trials: 2, folds: 2}", t, NULL);
    ml_report *r = new_report(ctx);
    OK(ml_report_add_model(r, "Model", m, NULL, ERR));
    page p = page_of(r);
    check_page(&p);
    SHOWS(p, "Numbers that name things, which are categories as well: a&lt;b.");
    free(p.text);
    ml_report_free(r);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Members that differ in their seed alone are shown once, and others in full; so are
 * parts of parts. */
/* Trials that were given up or break a constraint are not among the best, however good
 * their scores; of many levels those have names for which there is room. */
START_TEST(a_study_of_many_levels_and_a_constraint)
{
    ml_context *ctx = test_context(1);
    char space[512] = "level: {c0";
    for (int i = 1; i < 50; i++)
        snprintf(space + strlen(space), sizeof space - strlen(space), ", c%d", i);
    strcat(space, "}; w: {keeps, breaks, slow}");
    ml_estimator *e = NULL;
    ml_params *o = NULL;
    ml_study *s = NULL;
    ml_report *r = NULL;
    OK(ml_estimator_new(ctx, "baseline", &e, ERR));
    OK(ml_params_new(ctx, &o, ERR));
    OK(ml_params_set_str(o, "space", space, ERR));
    OK(ml_params_set_str(o, "sampler", "random", ERR));
    OK(ml_params_set_str(o, "constraints", "cost <= 1", ERR));
    OK(ml_params_set_str(o, "pruner", "median", ERR));
    OK(ml_study_new(e, NULL, NULL, o, &s, ERR));
    for (int i = 0; i < 60; i++) {
        ml_params *p = NULL;
        int64_t trial;
        int64_t stop = 0;
        OK(ml_study_ask(s, &trial, &p, ERR));
        const char *w = ml_params_get_str(p, "w");
        double score = atoi(ml_params_get_str(p, "level") + 1);
        if (*w != 'k') score -= 100;
        OK(ml_study_tell_value(s, trial, NULL, 1, *w == 's' ? 1000 : 0, &stop, ERR));
        OK(ml_study_tell_value(s, trial, "cost", 0, *w == 'b' ? 2 : 0, NULL, ERR));
        OK(ml_study_tell(s, trial, stop || *w != 's' ? score : 200, ERR));
        ml_params_free(p);
    }
    OK(ml_report_new(ctx, "r", &r, ERR));
    OK(ml_report_add_study(r, "Study", s, ERR));
    page p = page_of(r);
    check_well_formed(&p);
    SHOWS(p, ">c48</text>");
    const char *best = strstr(p.text, "Best trials");
    ck_assert_ptr_nonnull(strstr(best, ">keeps<"));
    ck_assert_ptr_null(strstr(best, ">breaks<"));
    ck_assert_ptr_null(strstr(best, ">pruned<"));
    free(p.text);
    ml_report_free(r);
    ml_study_free(s);
    ml_params_free(o);
    ml_estimator_free(e);
    ml_context_free(ctx);
}
END_TEST

START_TEST(repeated_members_are_shown_once)
{
    static const char *const given[] = {
        "{target: y, members: [a=gbdt, b=gbdt, c=gbdt, e=random_forest, f="
        "extra_trees, g=gbdt], a: {n_trees: 3, seed: 1}, b: {n_trees: 3, seed: 2}, "
        "c: {n_trees: 4, seed: 3}, e: {n_trees: 3, seed: 4}, f: {n_trees: 3, seed: 5}, "
        "g: {n_trees: 3, seed: 1}}",
        "{target: y, steps: [model=ensemble], model: {members: [a=gbdt, b=gbdt, c="
        "gbdt, e=random_forest, f=extra_trees, g=gbdt], a: {n_trees: 3, seed: 1}, "
        "b: {n_trees: 3, seed: 2}, c: {n_trees: 4, seed: 3}, e: {n_trees: 3, seed: 4}, "
        "f: {n_trees: 3, seed: 5}, g: {n_trees: 3, seed: 1}}}"};
    ml_context *ctx = test_context(1);
    ml_table *t = kit_table(ctx, &(kit_data){.rows = 100, .classes = 2, .seed = 5});
    for (int nested = 0; nested <= 1; nested++) {
        ml_model *m =
            fit_yaml(ctx, nested ? "pipeline" : "ensemble", given[nested], t, NULL);
        ml_report *r = new_report(ctx);
        OK(ml_report_add_model(r, "Model", m, t, ERR));
        page p = page_of(r);
        check_page(&p);
        SHOWS(p, nested ? "<td>model.b</td><td>as model.a, seed 2</td>"
                        : "<td>b</td><td>as a, seed 2</td>");
        ck_assert_ptr_null(strstr(p.text, "b.n_trees</td>"));
        ck_assert_ptr_null(strstr(p.text, "b.max_leaves</td>"));
        SHOWS(p, "c.n_trees</td>");
        SHOWS(p, "e.n_trees</td>");
        SHOWS(p, "f.n_trees</td>");
        free(p.text);
        ml_report_free(r);
        ml_model_free(m);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* The confusion matrix has the classes that the model predicts, which thresholds chose:
 * here many more of the rare one than are likely to be it. */
START_TEST(the_matrix_has_the_classes_of_the_model)
{
    enum { N = 400 };
    ml_context *ctx = test_context(1);
    double x[N], y[N];
    char cell[64];
    int hits = 0;
    for (int i = 0; i < N; i++) {
        x[i] = i % 4;
        y[i] = i % 4 == 3 && i % 3 == 0;
    }
    ml_table *t = add_f64(ctx, NULL, "x", N, x);
    t = add_f64(ctx, t, "y", N, y);
    ml_model *m =
        fit_yaml(ctx, "automl",
                 "{target: y, task: classification, trials: 4, folds: 3, metric: "
                 "f1}",
                 t, NULL);
    ml_tensor *class = predicted(m, "class", t);
    for (int i = 0; i < N; i++) hits += y[i] == 1 && ml_tensor_get_f64(class, i, 0) == 1;
    ck_assert_int_gt(hits, 0);
    ml_report *r = new_report(ctx);
    OK(ml_report_add_model(r, "Model", m, t, ERR));
    page p = page_of(r);
    const char *matrix = strstr(p.text, "Confusion matrix");
    ck_assert_ptr_nonnull(matrix);
    snprintf(cell, sizeof cell, ">%d <span class=\"soft\">100 %%", hits);
    ck_assert_ptr_nonnull(strstr(matrix, cell));
    free(p.text);
    ml_report_free(r);
    ml_tensor_free(class);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Names of rows have room; numbers with many zeros have an exponent, axes included. */
START_TEST(long_names_and_large_numbers)
{
    enum { N = 120 };
    ml_context *ctx = test_context(1);
    double x[N], y[N];
    const char *kind[N];
    for (int i = 0; i < N; i++) {
        x[i] = i;
        y[i] = 1e14 * i + 1e12 * (i % 7);
        kind[i] = i % 3 == 0 ? "ab" : i % 3 == 1 ? "diaporthe-stem-canker-of-soy" : "c";
    }
    ml_table *t = add_text(ctx, add_f64(ctx, NULL, "x", N, x), "kind", N, kind);
    ml_model *m = fit_yaml(ctx, "decision_tree", "{target: kind}", t, NULL);
    ml_report *r = new_report(ctx);
    OK(ml_report_add_model(r, "Model", m, t, ERR));
    page p = page_of(r);
    SHOWS(p, "min-width:6ch\">ab<");
    SHOWS(p, "min-width:28ch\">diaporthe-stem-canker-of-soy<");
    SHOWS(p, "for more than two classes the mean over the classes");
    LACKS(p, "see the option");
    free(p.text);
    ml_report_free(r);
    ml_model_free(m);
    t = add_f64(ctx, t, "y", N, y);
    m = fit_yaml(ctx, "automl", "{target: y, trials: 2, folds: 2}", t, NULL);
    r = new_report(ctx);
    OK(ml_report_add_model(r, "Model", m, t, ERR));
    p = page_of(r);
    check_page(&p);
    LACKS(p, "00000000");
    SHOWS(p, ">4e15<");
    free(p.text);
    ml_report_free(r);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

static double noise_of(int i, int j)
{
    uint32_t v = (uint32_t)(i * 66 + j) * 2654435761u;
    v = (v ^ v >> 15) * 2246822519u;
    return (v ^ v >> 13) % 401;
}

/* Labels are cut between characters, columns without a value are left out, texts that
 * differ show their lengths, ticks do not overlap, and many columns are folded, the
 * telling ones first. */
START_TEST(profiles_of_odd_tables)
{
    ml_context *ctx = test_context(1);
    double x[400], y[400], none[400];
    const char *kind[400], *words[400];
    char memory[400][64], name[16];
    for (int i = 0; i < 400; i++) {
        y[i] = 3500 * i;
        none[i] = NAN;
        kind[i] = i % 2 ? "\xe4\xb8\x80\xe4\xba\x8c\xe4\xb8\x89\xe5\x9b\x9b"
                          "\xe4\xb8\x80\xe4\xba\x8c\xe4\xb8\x89\xe5\x9b\x9b"
                          "\xe4\xb8\x80\xe4\xba\x8c\xe4\xb8\x89\xe5\x9b\x9b"
                          "\xe4\xb8\x80\xe4\xba\x8c\xe4\xb8\x89\xe5\x9b\x9b"
                        : "a kind with a name of more than forty characters";
        snprintf(memory[i], sizeof memory[i], "text number %d%.*s", i, i % 20,
                 "....................");
        words[i] = memory[i];
    }
    ml_table *t = add_f64(ctx, NULL, "y", 400, y);
    t = add_text(ctx, add_text(ctx, t, "kind", 400, kind), "words", 400, words);
    t = add_f64(ctx, t, "none", 400, none);
    for (int k = 0; k < 2; k++) {
        ml_report *r = new_report(ctx);
        ml_params *o = NULL;
        OK(ml_params_new(ctx, &o, ERR));
        OK(ml_params_set_str(o, "target", "y", ERR));
        OK(ml_report_add_profile(r, "Data", t, o, ERR));
        page p = page_of(r);
        check_page(&p);
        SHOWS(p, "<td>a kind with a name of more than forty c"
                 "\xe2\x80\xa6</td>");
        SHOWS(p, "\x9b</td>"); /* 16 characters: whole */
        SHOWS(p, ">characters</text>");
        SHOWS(p, ">400000</text>");
        LACKS(p, ">200000</text>"); /* no room for it */
        ck_assert_int_eq(strstr(p.text, "10 more columns") != NULL, k);
        const char *late = strstr(p.text, "<td>x65</td>");
        if (k) ck_assert(late && late < strstr(p.text, "<details>"));
        free(p.text);
        ml_params_free(o);
        ml_report_free(r);
        for (int j = 0; j < 66 && !k; j++) {
            for (int i = 0; i < 400; i++) x[i] = j == 65 ? i * 2 : noise_of(i, j);
            snprintf(name, sizeof name, "x%d", j);
            t = add_f64(ctx, t, name, 400, x);
        }
    }
    ml_table *few = NULL;
    OK(ml_table_select(t, (const char *const[]){"y", "none"}, 2, &few, ERR));
    page p = page_of_table(ctx, few);
    SHOWS(p, ">y</th>");
    LACKS(p, ">none</th>");
    free(p.text);
    ml_table_free(few);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(folds_defaults)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table_number(ctx, 0, 0);
    ml_model *m = fit_yaml(ctx, "gbdt", "{target: y, n_trees: 7}", t, NULL),
             *loaded = NULL;
    OK(ml_model_save_file(m, "folds_defaults.mlm", NULL, ERR));
    OK(ml_model_load_file(ctx, "folds_defaults.mlm", NULL, &loaded, ERR));
    remove("folds_defaults.mlm");
    for (int k = 0; k < 2; k++) {
        ml_report *r = new_report(ctx);
        OK(ml_report_add_model(r, "Model", k ? loaded : m, NULL, ERR));
        page p = page_of(r);
        const char *fold = strstr(p.text, "<details>");
        const char *set = strstr(p.text, "<td>n_trees</td><td>7</td>");
        const char *usual = strstr(p.text, "<td>max_bin</td>");
        ck_assert(set && fold && usual && set < fold && fold < usual);
        const char *empty = strstr(p.text, "<td>quantiles</td>"); /* an empty list */
        ck_assert(empty && fold < empty);
        free(p.text);
        ml_report_free(r);
    }
    ml_model_free(loaded);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* The columns of a calibration are not yet one. */
START_TEST(only_a_calibration_is_drawn_as_one)
{
    static const char *const names[] = {"predicted", "observed", "low", "high", "error"};
    ml_context *ctx = test_context(1);
    const double v[3] = {0.1, 0.2, 0.3};
    ml_table *t = NULL;
    for (int k = 0; k < 5; k++) t = add_f64(ctx, t, names[k], 3, v);
    page p = page_of_table(ctx, t);
    LACKS(p, "Calibration");
    free(p.text);
    t = add_text(ctx, t, "bin", 3, (const char *[]){"1", "2", "all"});
    p = page_of_table(ctx, t);
    SHOWS(p, "Calibration");
    free(p.text);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Slices by chance are not in the report; those that are worse are. */
START_TEST(slices_in_the_report)
{
    ml_context *ctx = test_context(1);
    double x[200], y[200];
    for (int k = 0; k < 2; k++) {
        ml_table *t = NULL;
        for (int i = 0; i < 200; i++) {
            x[i] = i % 10;
            y[i] = (i / 10 % 2 ? 1 : -1) * (k && i % 10 == 9 ? 50 : 1.0 + i % 10 * 1e-3);
        }
        t = add_f64(ctx, add_f64(ctx, t, "y", 200, y), "x", 200, x);
        for (int i = 0; i < 200; i++) x[i] = i / 20 % 2;
        if (!k) t = add_f64(ctx, t, "z", 200, x);
        ml_model *m = fit_yaml(ctx, "baseline",
                               k ? "{target: y}" : "{target: y, features: [z]}", t, NULL);
        ml_report *r = new_report(ctx);
        OK(ml_report_add_model(r, "Model", m, t, ERR));
        page p = page_of(r);
        ck_assert_int_eq(strstr(p.text, "Slices with") != NULL, k);
        free(p.text);
        ml_report_free(r);
        ml_model_free(m);
        ml_table_free(t);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(arguments_are_checked)
{
    ml_context *ctx = test_context(1);
    ml_report *r = NULL;
    FAILS(ML_E_ARGUMENT, ml_report_new(NULL, "t", &r, ERR));
    FAILS(ML_E_ARGUMENT, ml_report_new(ctx, NULL, &r, ERR));
    FAILS(ML_E_ARGUMENT, ml_report_new(ctx, "t", NULL, ERR));
    r = new_report(ctx);
    FAILS(ML_E_ARGUMENT, ml_report_add_table(r, "t", NULL, ERR));
    FAILS(ML_E_ARGUMENT, ml_report_add_model(r, NULL, NULL, NULL, ERR));
    FAILS(ML_E_ARGUMENT, ml_report_add_profile(NULL, "t", NULL, NULL, ERR));
    ml_params *o = NULL;
    ml_table *t = table_number(ctx, 0, 0);
    OK(ml_params_new(ctx, &o, ERR));
    OK(ml_params_set_str(o, "part", "summary", ERR));
    FAILS(ML_E_ARGUMENT, ml_report_add_profile(r, "t", t, o, ERR));
    ml_table_free(t);
    ml_params_free(o);
    FAILS(ML_E_ARGUMENT, ml_report_save_file(r, NULL, ERR));
    FAILS(ML_E_ARGUMENT, ml_report_save_io(r, NULL, ERR));
    ml_report_free(r);
    ml_report_free(NULL);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("report/report", a_search_explains_itself, numbers_that_name_things,
          a_study_of_many_levels_and_a_constraint, repeated_members_are_shown_once,
          the_matrix_has_the_classes_of_the_model, long_names_and_large_numbers,
          pages_are_well_formed, small_tables_are_fine,
          the_same_input_gives_the_same_page, a_failed_section_is_taken_out,
          what_cannot_be_written_leaves_nothing, no_memory, models_of_several_values,
          folds_defaults, profiles_of_odd_tables, only_a_calibration_is_drawn_as_one,
          slices_in_the_report, arguments_are_checked)
