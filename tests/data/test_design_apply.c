/* SPDX-License-Identifier: MIT
 *
 * The design matrix in prediction: a table against the inputs of a model.
 */
#include "design_testing.h"

#include <pthread.h>

#define DAY 86400000000LL

static mli_design *apply(const mli_design *trained, const ml_table *t, int need_target)
{
    mli_design *d = NULL;
    OK(mli_design_apply(trained->inputs, t, need_target, &d, ERR));
    return d;
}

static void apply_fails(ml_status expected, const mli_design *trained, const ml_table *t,
                        int need_target)
{
    mli_design *d = NULL;
    FAILS(expected, mli_design_apply(trained->inputs, t, need_target, &d, ERR));
    ck_assert_ptr_null(d);
}

static double value(const mli_design *d, int64_t feature, int64_t row)
{
    double out = 0;
    mli_design_f64(d, feature, row, row + 1, &out, 1);
    return out;
}

START_TEST(gives_what_training_gave)
{
    ml_context *ctx = test_context(1);
    ml_table *t = people(ctx), *rows = NULL;
    mli_design *d = train(ctx, &both, t, "target", "income", "weight", "w", "categorical",
                          "[zip, member]", NULL);
    mli_design *same = apply(d, t, 1);
    for (int64_t j = 0; j < d->n_features; j++) {
        for (int i = 0; i < PEOPLE; i++) {
            double a = value(d, j, i), b = value(same, j, i);
            ck_assert(isnan(a) ? isnan(b) : a == b);
            /* Rows by themselves too. */
            OK(ml_table_slice(t, i, i + 1, &rows, ERR));
            mli_design *one = apply(d, rows, 0);
            ck_assert_int_eq(one->rows, 1);
            b = value(one, j, 0);
            ck_assert(isnan(a) ? isnan(b) : a == b);
            ck_assert_ptr_null(one->label);
            mli_design_free(one);
            ml_table_free(rows);
        }
    }
    for (int i = 0; i < PEOPLE; i++) {
        ck_assert_int_eq(d->label[i], same->label[i]);
        ck_assert(d->weight[i] == same->weight[i]);
    }
    mli_design_free(same);
    mli_design_free(d);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(matches_columns_by_name)
{
    ml_context *ctx = test_context(1);
    ml_table *t = people(ctx), *other = NULL;
    mli_design *d = train(ctx, &both, t, "target", "income", "ignore", "[w]", NULL);
    const char *order[] = {"zip", "w", "member", "job", "age"};
    OK(ml_table_select(t, order, 5, &other, ERR));
    other = add_f64(ctx, other, "extra", PEOPLE, (double[]){1, 2, 3, 4, 5, 6});
    mli_design *a = apply(d, other, 0);
    ck_assert(value(a, 0, 0) == 44 && value(a, 3, 5) == 400);
    mli_design_free(a);
    ml_table_free(other);

    OK(ml_table_select(t, order, 4, &other, ERR));
    other = add_f64(ctx, other, "Age", PEOPLE, (double[]){1, 2, 3, 4, 5, 6});
    apply_fails(ML_E_NAME, d, other, 0);
    SAYS("no column \"age\"");
    SAYS("did you mean \"Age\"?");
    ml_table_free(other);
    OK(ml_table_select(t, order, 2, &other, ERR));
    apply_fails(ML_E_NAME, d, other, 0);
    SAYS("lacks 3 columns of the model: \"age\", \"job\", \"member\"");
    ml_table_free(other);
    ml_table_free(t);
    mli_design_free(d);
    ml_context_free(ctx);
}
END_TEST

START_TEST(counts_the_columns_that_lack)
{
    ml_context *ctx = test_context(1);
    ml_table *t = add_f64(ctx, NULL, "y", 2, (double[]){1, 2});
    for (int j = 0; j < 8; j++) {
        char name[8];
        snprintf(name, sizeof name, "c%d", j);
        t = add_f64(ctx, t, name, 2, (double[]){j, j + 1});
    }
    mli_design *d = train(ctx, &both, t, "target", "y", NULL);
    ml_table *none = add_f64(ctx, NULL, "z", 2, (double[]){1, 2});
    apply_fails(ML_E_NAME, d, none, 0);
    SAYS("lacks 8 columns of the model: \"c0\", \"c1\", \"c2\", \"c3\", \"c4\" and 3 "
         "more");
    ml_table_free(none);
    mli_design_free(d);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(rejects_repeated_features)
{
    ml_context *ctx = test_context(1);
    ml_table *t = people(ctx), *twice = NULL;
    mli_builder *b = NULL;
    mli_design *d = train(ctx, &both, t, "target", "income", "features", "[age]", NULL);
    OK(mli_builder_new(ctx, 1, &b, ERR));
    for (int i = 0; i < 2; i++) OK(mli_builder_f64(b, "age", (double[]){1}, ERR));
    OK(mli_builder_finish(b, &twice, ERR));
    apply_fails(ML_E_DATA, d, twice, 0);
    SAYS("two columns have this name");
    ml_table_free(twice);
    OK(mli_builder_new(ctx, 1, &b, ERR));
    for (int i = 0; i < 2; i++) OK(mli_builder_f64(b, "b", (double[]){1}, ERR));
    OK(mli_builder_f64(b, "age", (double[]){5}, ERR));
    OK(mli_builder_finish(b, &twice, ERR));
    mli_design *a = apply(d, twice, 0);
    ck_assert(value(a, 0, 0) == 5);
    mli_design_free(a);
    ml_table_free(twice);
    mli_design_free(d);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* ---- types ---- */

START_TEST(reads_numbers_from_text)
{
    ml_context *ctx = test_context(1);
    ml_table *t = people(ctx);
    mli_design *d =
        train(ctx, &both, t, "target", "income", "features", "[age, member]", NULL);
    ml_table *p =
        add_text(ctx, NULL, "age", 5, (const char *[]){"12", " 1e2 ", "", NULL, "-0.5"});
    p = add_text(ctx, p, "member", 5, (const char *[]){"true", "No", "1", "0", NULL});
    mli_design *a = apply(d, p, 0);
    const double age[] = {12, 100, NAN, NAN, -0.5}, member[] = {1, 0, 1, 0, NAN};
    for (int i = 0; i < 5; i++) {
        ck_assert(isnan(age[i]) ? isnan(value(a, 0, i)) : value(a, 0, i) == age[i]);
        ck_assert(isnan(member[i]) ? isnan(value(a, 1, i)) : value(a, 1, i) == member[i]);
    }
    mli_design *part = NULL;
    OK(mli_design_take(a, (const int64_t[]){4, 0}, 2, &part, ERR));
    ck_assert(value(part, 0, 0) == -0.5 && value(part, 0, 1) == 12);
    ck_assert_str_eq(cell(part->table, 1, "age"), "12");
    mli_design_free(part);
    mli_design_free(a);
    p = add_text(ctx, p, "age", 5, (const char *[]){"12", "13", "old", NULL, "-0.5"});
    apply_fails(ML_E_TYPE, d, p, 0);
    SAYS("\"old\" does not read as a number");
    SAYS("column \"age\", row 3");
    ml_table_free(p);
    mli_design_free(d);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* A table of one column of dates or timestamps. */
static ml_table *days(ml_context *ctx, int32_t type, int n, const int64_t *values)
{
    ml_table *t = NULL;
    void *data = NULL;
    OK(mli_table_alloc(ctx, n, 1, &t, ERR));
    mli_column *c = &t->columns[0];
    c->name = mli_strdup(ctx, "day");
    c->type = type;
    c->rows = n;
    c->stride = 1;
    c->keep[0] = mli_buffer_new(ctx, (size_t)n * 8, &data);
    for (int i = 0; i < n; i++) {
        if (type == ML_TYPE_DATE) {
            ((int32_t *)data)[i] = (int32_t)values[i];
        } else {
            ((int64_t *)data)[i] = values[i];
        }
    }
    c->data = data;
    OK(mli_table_seal(t, ERR));
    return t;
}

START_TEST(converts_dates)
{
    ml_context *ctx = test_context(1);
    const int64_t in_days[] = {10, -1, 0}, in_micros[] = {10 * DAY + 5, -1, DAY - 1};
    ml_table *date = days(ctx, ML_TYPE_DATE, 3, in_days);
    ml_table *time = days(ctx, ML_TYPE_TIMESTAMP, 3, in_micros);
    ml_table *y = add_f64(ctx, ml_table_ref(date), "y", 3, (double[]){1, 2, 4});
    mli_design *d = train(ctx, &both, y, "target", "y", NULL);
    ck_assert(value(d, 0, 0) == 10);
    mli_design *a = apply(d, time, 0);
    ck_assert(value(a, 0, 0) == 10 && value(a, 0, 1) == -1 && value(a, 0, 2) == 0);
    mli_design_free(a);
    ml_table *text = add_text(ctx, NULL, "day", 3,
                              (const char *[]){"1970-01-11", "1970-01-02T03:04:05", ""});
    a = apply(d, text, 0);
    ck_assert(value(a, 0, 0) == 10 && value(a, 0, 1) == 1 && isnan(value(a, 0, 2)));
    mli_design_free(a);
    mli_design_free(d);
    ml_table_free(y);
    y = add_f64(ctx, ml_table_ref(time), "y", 3, (double[]){1, 2, 4});
    d = train(ctx, &both, y, "target", "y", NULL);
    a = apply(d, date, 0);
    ck_assert(value(a, 0, 0) == 10.0 * DAY && value(a, 0, 1) == -1.0 * DAY);
    mli_design_free(a);
    a = apply(d, text, 0);
    ck_assert(value(a, 0, 0) == 10.0 * DAY);
    mli_design_free(a);
    text = add_text(ctx, text, "day", 3, (const char *[]){"noon", "x", "y"});
    apply_fails(ML_E_TYPE, d, text, 0);
    SAYS("\"noon\" does not read as a date");
    SAYS("date_order");
    mli_design_free(d);
    ml_table_free(text);
    ml_table_free(y);
    /* A plain number must not become a date. */
    y = add_f64(ctx, NULL, "day", 3, (double[]){1, 2, 3});
    y = add_f64(ctx, y, "y", 3, (double[]){1, 2, 4});
    d = train(ctx, &both, y, "target", "y", NULL);
    apply_fails(ML_E_TYPE, d, date, 0);
    SAYS("the model expects numbers (f64 in training), this is date");
    mli_design_free(d);
    ml_table_free(y);
    ml_table_free(date);
    ml_table_free(time);
    ml_context_free(ctx);
}
END_TEST

/* 3/4/2024 is what it was in training, as a number and as a category. */
START_TEST(dates_keep_the_order_of_training)
{
    ml_context *ctx = test_context(1);
    const int64_t march = 19786, april = 19816; /* 4 March, 3 April 2024 */
    ml_table *both_fit =
        add_text(ctx, NULL, "day", 3, (const char *[]){"3/4/2024", "2024-03-04", NULL});
    ml_table *one_fits =
        add_text(ctx, NULL, "day", 2, (const char *[]){"3/4/2024", "13/4/2024"});
    for (int order = 0; order < 3; order++) {
        int64_t expected = order == 2 ? april : march;
        for (int timed = 0; timed < 2; timed++) {
            int64_t unit = timed ? DAY : 1;
            ml_table *t = days(ctx, timed ? ML_TYPE_TIMESTAMP : ML_TYPE_DATE, 3,
                               (int64_t[]){march * unit, april * unit, 0}),
                     *taken;
            t->columns[0].order = (int16_t)order;
            t = add_f64(ctx, t, "y", 3, (double[]){1, 2, 4});
            OK(ml_table_take(t, (int64_t[]){2, 1, 0}, 3, &taken, ERR));
            mli_design *d = train(ctx, &both, taken, "target", "y", NULL), *a;
            if (order) {
                a = apply(d, both_fit, 0);
                ck_assert_double_eq(value(a, 0, 0), (double)(expected * unit));
                ck_assert_double_eq(value(a, 0, 1), (double)(march * unit));
                ck_assert(isnan(value(a, 0, 2)));
                mli_design_free(a);
            } else {
                apply_fails(ML_E_TYPE, d, both_fit, 0);
            }
            if (order != 2) apply_fails(ML_E_TYPE, d, one_fits, 0);
            mli_design_free(d);
            d = train(ctx, &both, t, "target", "y", "categorical", "[day]", NULL);
            a = apply(d, both_fit, 0);
            if (order)
                ck_assert_double_eq(value(a, 0, 0), value(d, 0, order - 1));
            else
                ck_assert(isnan(value(a, 0, 0)));
            mli_design_free(a);
            mli_design_free(d);
            ml_table_free(taken);
            ml_table_free(t);
        }
    }
    ml_table_free(both_fit);
    ml_table_free(one_fits);
    ml_context_free(ctx);
}
END_TEST

START_TEST(matches_categories_by_text)
{
    ml_context *ctx = test_context(1);
    ml_table *t = people(ctx);
    mli_design *d = train(ctx, &both, t, "target", "income", "features", "[zip, job]",
                          "categorical", "[zip]", NULL);
    ml_table *p = add_f64(ctx, NULL, "zip", 3, (double[]){200, 400, 250});
    p = add_text(ctx, p, "job", 3, (const char *[]){"smith", "pilot", NULL});
    mli_design *a = apply(d, p, 0);
    ck_assert(value(a, 0, 0) == 1 && value(a, 0, 1) == 3 && isnan(value(a, 0, 2)));
    ck_assert(value(a, 1, 0) == 2 && isnan(value(a, 1, 1)) && isnan(value(a, 1, 2)));
    mli_design_free(a);
    p = add_text(ctx, p, "zip", 3, (const char *[]){"300", "x", "100"});
    a = apply(d, p, 0);
    ck_assert(value(a, 0, 0) == 2 && isnan(value(a, 0, 1)) && value(a, 0, 2) == 0);
    mli_design_free(a);
    mli_design_free(d);
    d = train(ctx, &both, t, "target", "income", "features", "[zip, job]", "categorical",
              "[zip]", "unseen", "error", NULL);
    apply_fails(ML_E_DATA, d, p, 0);
    SAYS("the category \"x\" did not occur in training");
    SAYS("column \"zip\", row 2");
    p = add_text(ctx, p, "zip", 3, (const char *[]){"300", NULL, "100"});
    apply_fails(ML_E_DATA, d, p, 0);
    SAYS("\"pilot\"");
    p = add_text(ctx, p, "job", 3, (const char *[]){"nurse", NULL, NULL});
    mli_design_free(apply(d, p, 0));
    mli_design_free(d);
    ml_table_free(p);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Texts that are all amounts or dates in the file to be predicted are numbers there. */
START_TEST(matches_amounts_and_dates_by_value)
{
    ml_context *ctx = test_context(1);
    ml_table *t = add_text(ctx, NULL, "off", 4,
                           (const char *[]){"$5", "none", "$1,250.50", "7 kg"});
    t = add_text(ctx, t, "day", 4,
                 (const char *[]){"1/2/2024", "13/2/2024", "never", "3/2/2024 8:00"});
    t = add_f64(ctx, t, "y", 4, (double[]){1, 2, 3, 4});
    mli_design *d = train(ctx, &both, t, "target", "y", "features", "[off]", NULL);
    mli_design *x = apply(d, t, 0);
    ml_table *p = add_f64(ctx, NULL, "off", 4, (double[]){1250.5, 5, NAN, 6});
    mli_design *a = apply(d, p, 0);
    ck_assert(value(a, 0, 0) == value(x, 0, 2) && value(a, 0, 1) == value(x, 0, 0));
    ck_assert(isnan(value(a, 0, 2)) && isnan(value(a, 0, 3)));
    mli_design_free(a);
    mli_design_free(x);
    mli_design_free(d);
    d = train(ctx, &both, t, "target", "y", "features", "[off]", "unseen", "error", NULL);
    apply_fails(ML_E_DATA, d, p, 0);
    SAYS("row 4");
    mli_design_free(d);
    ml_table_free(p);
    d = train(ctx, &both, t, "target", "y", "features", "[day]", NULL);
    x = apply(d, t, 0);
    const int64_t feb = 19754; /* 2024-02-01 */
    p = days(ctx, ML_TYPE_DATE, 3, (int64_t[]){feb, feb + 12, 1});
    a = apply(d, p, 0);
    ck_assert(value(a, 0, 0) == value(x, 0, 0) && value(a, 0, 1) == value(x, 0, 1));
    ck_assert(isnan(value(a, 0, 2)));
    mli_design_free(a);
    ml_table_free(p);
    p = days(ctx, ML_TYPE_TIMESTAMP, 2,
             (int64_t[]){(feb + 12) * DAY, (feb + 2) * DAY + DAY / 3});
    a = apply(d, p, 0);
    ck_assert(value(a, 0, 0) == value(x, 0, 1) && value(a, 0, 1) == value(x, 0, 3));
    mli_design_free(a);
    mli_design_free(x);
    mli_design_free(d);
    ml_table_free(p);
    ml_table_free(t);
    /* The other way round. */
    t = add_f64(ctx, NULL, "off", 3, (double[]){5, 1250.5, 5});
    t = add_f64(ctx, t, "y", 3, (double[]){1, 2, 3});
    d = train(ctx, &both, t, "target", "y", "categorical", "[off]", NULL);
    p = add_text(ctx, NULL, "off", 5,
                 (const char *[]){"$1,250.50", "none", "$5.00", NULL, "$6"});
    a = apply(d, p, 0);
    ck_assert(value(a, 0, 0) == value(d, 0, 1) && value(a, 0, 2) == value(d, 0, 0));
    for (int i = 1; i < 5; i += 1 + (i == 1)) ck_assert(isnan(value(a, 0, i)));
    mli_design_free(a);
    mli_design_free(d);
    ml_table_free(p);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Few rows are looked up one by one, many through a hash table: the same codes. */
START_TEST(codes_few_rows_as_many)
{
    enum { ROWS = 3000 };
    ml_context *ctx = test_context(2);
    char(*text)[12] = calloc(ROWS, sizeof *text);
    const char **words = calloc(ROWS, sizeof *words);
    double *number = calloc(ROWS, sizeof *number);
    int32_t *codes = calloc(ROWS, sizeof *codes);
    for (int i = 0; i < ROWS; i++) {
        snprintf(text[i], sizeof text[i], "%d", (i * 37) % 500);
        words[i] = i % 11 ? text[i] : NULL;
        number[i] = i % 13 ? (double)((i * 37) % 500) : NAN;
        codes[i] = i % 7 ? i % 500 : -1;
    }
    mli_builder *b = NULL;
    ml_table *t = NULL, *part = NULL, *half = NULL;
    OK(mli_builder_new(ctx, ROWS, &b, ERR));
    OK(mli_builder_text(b, "text", words, ERR));
    OK(mli_builder_f64(b, "number", number, ERR));
    OK(mli_builder_category(b, "category", codes, words, 500, ERR));
    OK(mli_builder_f64(b, "y", number, ERR));
    OK(mli_builder_finish(b, &t, ERR));
    /* Trained on rows that lack some of the values. */
    OK(ml_table_slice(t, 1, 300, &half, ERR));
    mli_design *d =
        train(ctx, &both, half, "target", "y", "categorical", "[number]", NULL);
    mli_design *all = apply(d, t, 0);
    int64_t unseen = 0;
    for (int i = 0; i < ROWS; i++) {
        OK(ml_table_slice(t, i, i + 1, &part, ERR));
        mli_design *one = apply(d, part, 0);
        for (int j = 0; j < 3; j++) {
            ck_assert_int_eq(one->columns[j].codes[0], all->columns[j].codes[i]);
            unseen += one->columns[j].codes[0] < 0;
        }
        mli_design_free(one);
        ml_table_free(part);
    }
    ck_assert_int_gt(unseen, ROWS);
    mli_design_free(all);
    mli_design_free(d);
    ml_table_free(half);
    ml_table_free(t);
    ml_context_free(ctx);
    free(text);
    free(words);
    free(number);
    free(codes);
}
END_TEST

START_TEST(expects_text_for_text)
{
    ml_context *ctx = test_context(1);
    ml_table *t = people(ctx);
    mli_design *d = train(ctx, &reader, t, "target", "age", "features", "[job]", "text",
                          "[job]", NULL);
    mli_design_free(apply(d, t, 0));
    ml_table *p = add_f64(ctx, NULL, "job", 1, (double[]){1});
    apply_fails(ML_E_TYPE, d, p, 0);
    SAYS("the model expects text");
    ml_table_free(p);
    mli_design_free(d);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* ---- targets ---- */

START_TEST(reads_targets)
{
    ml_context *ctx = test_context(1);
    ml_table *t = people(ctx);
    mli_design *d = train(ctx, &both, t, "target", "income", "weight", "w", "features",
                          "[age, job]", "positive", "no", NULL);
    ml_table *p = add_f64(ctx, NULL, "age", 4, (double[]){1, 2, 3, 4});
    p = add_text(ctx, p, "job", 4, (const char *[]){"a", "clerk", "nurse", "clerk"});
    apply_fails(ML_E_NAME, d, p, 1);
    SAYS("target \"income\"");
    p = add_text(ctx, p, "income", 4, (const char *[]){"no", NULL, "yes", "no"});
    mli_design *a = apply(d, p, 1);
    ck_assert_int_eq(a->rows, 3);
    ck_assert_int_eq(a->dropped, 1);
    ck_assert_ptr_null(a->weight); /* the table has none */
    ck_assert(a->label[0] == 1 && a->label[1] == 0 && a->label[2] == 1);
    ck_assert(value(a, 0, 1) == 3 && value(a, 1, 1) == 1);
    mli_design_free(a);
    a = apply(d, p, 0);
    ck_assert_int_eq(a->rows, 4);
    mli_design_free(a);
    p = add_text(ctx, p, "income", 4, (const char *[]){"no", NULL, "yes", "NO"});
    apply_fails(ML_E_DATA, d, p, 1);
    SAYS("does not know the class \"NO\"");
    p = add_text(ctx, p, "income", 4, (const char *[]){NULL, NULL, NULL, NULL});
    a = apply(d, p, 1);
    ck_assert_int_eq(a->rows, 0);
    mli_design_free(a);
    mli_design_free(d);
    ml_table_free(p);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(matches_numeric_classes)
{
    ml_context *ctx = test_context(1);
    ml_table *t = add_f64(ctx, NULL, "x", 4, (double[]){1, 2, 3, 4});
    t = add_i64(ctx, t, "y", 4, (int64_t[]){2, 10, 2, 3});
    mli_design *d = train(ctx, &classifier, t, "target", "y", NULL);
    t = add_f64(ctx, t, "y", 4, (double[]){10, 2, 3, NAN});
    mli_design *a = apply(d, t, 1);
    ck_assert(a->rows == 3 && a->label[0] == 2 && a->label[1] == 0 && a->label[2] == 1);
    mli_design_free(a);
    t = add_text(ctx, t, "y", 4, (const char *[]){"3", "10", "2", "2"});
    a = apply(d, t, 1);
    ck_assert(a->label[0] == 1 && a->label[1] == 2);
    mli_design_free(a);
    mli_design_free(d);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(matches_booleans_and_numbers)
{
    ml_context *ctx = test_context(1);
    ml_table *t = add_f64(ctx, NULL, "x", 3, (double[]){1, 2, 3});
    t = add_bool(ctx, t, "y", 3, (uint8_t[]){1, 0, 1});
    t = add_bool(ctx, t, "c", 3, (uint8_t[]){0, 1, 1});
    mli_design *d = train(ctx, &both, t, "target", "y", "categorical", "[c]", NULL);
    is_class(d, 1, "true");
    t = add_i64(ctx, t, "y", 3, (int64_t[]){0, 1, 1});
    t = add_f64(ctx, t, "c", 3, (double[]){1, 0, 1});
    mli_design *a = apply(d, t, 1);
    ck_assert(a->label[0] == 0 && a->label[1] == 1);
    ck_assert(value(a, 1, 0) == 1 && value(a, 1, 1) == 0);
    mli_design_free(a);
    mli_design_free(d);
    d = train(ctx, &both, t, "target", "y", "categorical", "[c]", NULL);
    is_class(d, 1, "1");
    t = add_bool(ctx, t, "y", 3, (uint8_t[]){1, 0, 1});
    t = add_bool(ctx, t, "c", 3, (uint8_t[]){0, 1, 1});
    a = apply(d, t, 1);
    ck_assert(a->label[0] == 1 && a->label[1] == 0);
    ck_assert(value(a, 1, 0) == 0 && value(a, 1, 1) == 1);
    mli_design_free(a);
    mli_design_free(d);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* ---- memory and threads ---- */

static ml_status train_and_apply(const ml_host *host)
{
    ml_context *ctx = NULL;
    ml_table *t = NULL;
    mli_design *d = NULL, *a = NULL;
    ml_params *p = NULL;
    ml_status status = ml_context_new(host, &ctx, NULL);
    if (status) return status;
    status = people_new(ctx, &t, ERR);
    if (!status) {
        status = resolved(ctx, &both, &p, ERR, "target", "income", "weight", "w",
                          "categorical", "[zip]", NULL);
    }
    if (!status) status = mli_design_train(ctx, &both, p, t, &d, ERR);
    if (!status) status = mli_design_apply(d->inputs, t, 1, &a, ERR);
    mli_design_free(a);
    mli_design_free(d);
    ml_params_free(p);
    ml_table_free(t);
    ml_context_free(ctx);
    return status;
}

START_TEST(survives_out_of_memory)
{
    failing_alloc f;
    ml_host host = failing_host(&f);
    OUT_OF_MEMORY_LOOP(f, train_and_apply(&host));
}
END_TEST

typedef struct {
    const mli_design *trained;
    const ml_table *table;
    int failed;
} job;

static void *apply_often(void *arg)
{
    job *j = arg;
    for (int i = 0; i < 50 && !j->failed; i++) {
        mli_design *d = NULL;
        j->failed = mli_design_apply(j->trained->inputs, j->table, 1, &d, NULL) != ML_OK;
        for (int64_t r = 0; !j->failed && r < d->rows; r++) {
            j->failed |= d->label[r] != j->trained->label[r];
            j->failed |= d->columns[1].codes[r] != j->trained->columns[1].codes[r];
        }
        mli_design_free(d);
    }
    return NULL;
}

START_TEST(serves_eight_threads)
{
    ml_context *ctx = test_context(2);
    ml_table *t = people(ctx);
    mli_design *d = train(ctx, &both, t, "target", "income", NULL);
    pthread_t threads[8];
    job jobs[8];
    for (int i = 0; i < 8; i++) {
        jobs[i] = (job){d, t, 0};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, apply_often, &jobs[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(jobs[i].failed, 0);
    }
    mli_design_free(d);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("data/design_apply", gives_what_training_gave, matches_columns_by_name,
          counts_the_columns_that_lack, rejects_repeated_features,
          reads_numbers_from_text, converts_dates, dates_keep_the_order_of_training,
          matches_categories_by_text, matches_amounts_and_dates_by_value,
          codes_few_rows_as_many, expects_text_for_text, reads_targets,
          matches_numeric_classes, matches_booleans_and_numbers, survives_out_of_memory,
          serves_eight_threads)
