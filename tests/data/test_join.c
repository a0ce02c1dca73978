/* SPDX-License-Identifier: MIT
 *
 * Joins and aggregations beside loops that are too simple to be wrong.
 */
#include "csv_testing.h"
#include "failing.h"
#include "testing_data.h"

enum { L = 150, R = 220 };
static const char *const kinds[] = {"red", "green", "blue"};

typedef struct {
    double key[R], time[R], value[R];
    const char *kind[R];
    int64_t n;
} rows;

static uint64_t state;
static double uniform(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(state >> 11) * 0x1p-53;
}

/* Keys and times that repeat; a tenth of each is missing. */
static rows random_rows(int64_t n, uint64_t seed)
{
    rows r = {.n = n};
    state = seed;
    for (int64_t i = 0; i < n; i++) {
        r.key[i] = uniform() < 0.1 ? NAN : floor(uniform() * 12);
        r.time[i] = uniform() < 0.1 ? NAN : floor(uniform() * 40);
        r.value[i] = uniform() < 0.1 ? NAN : floor(uniform() * 9) - 3;
        r.kind[i] = uniform() < 0.1 ? NULL : kinds[(int)(uniform() * 3)];
    }
    return r;
}

static ml_table *table_of(ml_context *ctx, const rows *r)
{
    ml_table *t = add_f64(ctx, NULL, "key", r->n, r->key);
    t = add_f64(ctx, t, "time", r->n, r->time);
    t = add_f64(ctx, t, "value", r->n, r->value);
    return add_text(ctx, t, "kind", r->n, r->kind);
}

/* "a=1;b=2" */
static ml_params *options_of(ml_context *ctx, const char *given)
{
    char text[512];
    ml_params *o = NULL;
    OK(ml_params_new(ctx, &o, ERR));
    snprintf(text, sizeof text, "%s", given);
    for (char *pair = strtok(text, ";"); pair; pair = strtok(NULL, ";")) {
        char *equal = strchr(pair, '=');
        *equal = 0;
        OK(ml_params_set_str(o, pair, equal + 1, ERR));
    }
    return o;
}

static ml_table *join(ml_context *ctx, const ml_table *a, const ml_table *b,
                      const char *given)
{
    ml_table *out = NULL;
    ml_params *o = options_of(ctx, given);
    OK(ml_table_join(a, b, o, &out, ERR));
    ml_params_free(o);
    return out;
}

static ml_table *aggregate(ml_context *ctx, const ml_table *t, const ml_table *left,
                           const char *given)
{
    ml_table *out = NULL;
    ml_params *o = options_of(ctx, given);
    OK(ml_table_aggregate(t, left, o, &out, ERR));
    ml_params_free(o);
    return out;
}

static double at(const ml_table *t, int64_t row, const char *column)
{
    int64_t c = ml_table_find(t, column);
    ck_assert_msg(c >= 0, "no column %s", column);
    return ml_table_get_f64(t, row, c);
}

static int same(double a, double b)
{
    return isnan(a) ? isnan(b) : fabs(a - b) <= 1e-12 * fmax(1, fabs(b));
}

/* ---- joins ---- */

/* The next row of the result is left row i (-1: none) beside right row k. */
static void expect(const ml_table *t, int64_t *row, const rows *a, int64_t i,
                   const rows *b, int64_t k)
{
    ck_assert_int_lt(*row, ml_table_rows(t));
    ck_assert(same(at(t, *row, "key"), i >= 0 ? a->key[i] : b->key[k]));
    ck_assert(same(at(t, *row, "value"), i >= 0 ? a->value[i] : NAN));
    if (ml_table_find(t, "value_right") >= 0) {
        ck_assert(same(at(t, *row, "value_right"), k >= 0 ? b->value[k] : NAN));
        ck_assert_str_eq(cell(t, *row, "kind_right"),
                         k >= 0 && b->kind[k] ? b->kind[k] : "");
    }
    ++*row;
}

static void check_join(const ml_table *t, const rows *a, const rows *b, const char *how)
{
    int met[R] = {0}, semi = strcmp(how, "semi") == 0, anti = strcmp(how, "anti") == 0;
    int64_t row = 0;
    for (int64_t i = 0; i < a->n; i++) {
        int n = 0;
        for (int64_t k = 0; k < b->n; k++) {
            if (a->key[i] != b->key[k]) continue;
            met[k] = 1;
            if (!anti && (!semi || n == 0)) expect(t, &row, a, i, b, k);
            n++;
        }
        if (n == 0 && strcmp(how, "inner") != 0 && !semi) expect(t, &row, a, i, b, -1);
    }
    for (int64_t k = 0; k < b->n && strcmp(how, "full") == 0; k++)
        if (!met[k]) expect(t, &row, a, -1, b, k);
    ck_assert_int_eq(row, ml_table_rows(t));
}

START_TEST(joins)
{
    static const char *const hows[] = {"inner", "left", "full", "semi", "anti"};
    ml_context *ctx = test_context(2);
    rows a = random_rows(L, 1), b = random_rows(R, 2);
    for (int64_t i = 0; i < L; i++) a.key[i] += i % 7 == 0; /* some without a partner */
    ml_table *left = table_of(ctx, &a), *right = table_of(ctx, &b);
    for (int i = 0; i < 5; i++) {
        char options[64];
        snprintf(options, sizeof options, "on=key;how=%s", hows[i]);
        ml_table *t = join(ctx, left, right, options);
        check_join(t, &a, &b, hows[i]);
        ml_table_free(t);
    }
    ml_table_free(left);
    ml_table_free(right);
    ml_context_free(ctx);
}
END_TEST

/* Which right row a left row gets; on equal times backward takes the last one, forward
 * the first one. */
static int64_t partner(const rows *a, int64_t i, const rows *b, const char *direction,
                       int strict, double tolerance)
{
    int64_t back = -1, next = -1;
    double t = a->time[i];
    for (int64_t k = 0; k < b->n; k++) {
        double s = b->time[k];
        if (a->key[i] != b->key[k] || (strict && s == t)) continue;
        if (s <= t && (back < 0 || s >= b->time[back])) back = k;
        if (s >= t && (next < 0 || s < b->time[next])) next = k;
    }
    double back_gap = back < 0 ? INFINITY : t - b->time[back];
    double next_gap = next < 0 ? INFINITY : b->time[next] - t;
    int forward = strcmp(direction, "forward") == 0 ||
                  (strcmp(direction, "nearest") == 0 && next_gap < back_gap);
    int64_t k = forward ? next : back;
    return (forward ? next_gap : back_gap) <= tolerance ? k : -1;
}

START_TEST(joins_as_of)
{
    static const char *const directions[] = {"backward", "forward", "nearest"};
    ml_context *ctx = test_context(2);
    rows a = random_rows(L, 3), b = random_rows(R, 4);
    ml_table *left = table_of(ctx, &a), *right = table_of(ctx, &b);
    for (int i = 0; i < 12; i++) {
        char options[128];
        int strict = i / 3 % 2, close = i / 6;
        int64_t row = 0;
        snprintf(options, sizeof options,
                 "on=key;how=left;time=time;direction=%s;"
                 "strict=%s%s",
                 directions[i % 3], strict ? "true" : "false",
                 close ? ";tolerance=3" : "");
        ml_table *t = join(ctx, left, right, options);
        for (int64_t k = 0; k < L; k++)
            expect(t, &row, &a, k, &b,
                   partner(&a, k, &b, directions[i % 3], strict, close ? 3 : INFINITY));
        ck_assert_int_eq(row, ml_table_rows(t));
        ml_table_free(t);
    }
    ml_table_free(left);
    ml_table_free(right);
    ml_context_free(ctx);
}
END_TEST

/* Keys of several columns and of other types: text with categories, whole numbers with
 * reals, dates with times. */
START_TEST(compares_types)
{
    ml_context *ctx = test_context(1);
    ml_table *a = add_i64(ctx, NULL, "n", 3, (int64_t[]){1, 2, (1LL << 53) + 1});
    a = add_text(ctx, a, "s", 3, (const char *[]){"x", "y", "x"});
    ml_table *b = add_i64(ctx, NULL, "m", 3, (int64_t[]){2, 1LL << 53, 1});
    b = add_text(ctx, b, "s", 3, (const char *[]){"y", "x", "z"});
    ml_table *t = join(ctx, a, b, "left_on=n, s;right_on=m, s");
    ck_assert_int_eq(ml_table_rows(t), 1);
    ck_assert_int_eq(ml_table_columns(t), 2);
    ck_assert(at(t, 0, "n") == 2);
    ml_table_free(t);
    ml_table *c = add_f64(ctx, NULL, "n", 3, (double[]){-0.0, 2, NAN});
    t = join(ctx, a, c, "on=n;how=inner");
    ck_assert_int_eq(ml_table_rows(t), 1);
    ml_table_free(t);
    ml_params *o = options_of(ctx, "left_on=s;right_on=n");
    FAILS(ML_E_TYPE, ml_table_join(a, c, o, &t, ERR));
    SAYS("the key \"s\" is text");
    ml_params_free(o);
    ml_table_free(a);
    ml_table_free(b);
    ml_table_free(c);
    ml_context_free(ctx);
}
END_TEST

static int64_t partners(ml_context *ctx, ml_table *a, ml_table *b)
{
    ml_table *t = join(ctx, a, b, "on=k;how=inner");
    int64_t n = ml_table_rows(t);
    ml_table_free(t);
    ml_table_free(a);
    ml_table_free(b);
    return n;
}

/* Numbers that are one number as doubles differ as keys. */
START_TEST(compares_exactly)
{
    ml_context *ctx = test_context(1);
    int64_t big[] = {(1LL << 53) + 1, -1, 1LL << 62};
    uint64_t wide[] = {1ULL << 53, UINT64_MAX, 1ULL << 62};
    double real[] = {0x1p53, 0x1p63, 0x1p62};
    ck_assert_int_eq(
        partners(ctx, add_i64(ctx, NULL, "k", 3, big), add_f64(ctx, NULL, "k", 3, real)),
        1);
    ck_assert_int_eq(partners(ctx, add_i64(ctx, NULL, "k", 3, big),
                              add_values(ctx, NULL, "k", 3, ML_DTYPE_U64, wide)),
                     1);
    ck_assert_int_eq(partners(ctx, add_values(ctx, NULL, "k", 3, ML_DTYPE_U64, wide),
                              add_f64(ctx, NULL, "k", 3, (double[]){0x1p53, 0x1p64, -1})),
                     1);
    ml_context_free(ctx);
}
END_TEST

/* Keys of whole numbers have ways of their own: many groups, few, and one table that
 * grows. */
START_TEST(joins_whole_numbers)
{
    enum { N = 70000, M = 90000 };
    static int64_t key[N], other[M], first[N];
    static double value[N], mark[M];
    static const int64_t distinct[] = {N, 2500, 100, 1};
    ml_context *ctx = test_context(2);
    state = 21;
    for (int d = 0; d < 4; d++) {
        int64_t groups = distinct[d], n_left = groups < N ? groups / 5 + 3 : M;
        for (int64_t i = 0; i < N; i++) {
            key[i] = (i * 37 + 5) % groups * 3;
            value[i] = (double)i;
            if (i < groups) first[key[i] / 3] = i; /* then every `groups` rows */
        }
        for (int64_t i = 0; i < M; i++) {
            other[i] = (int64_t)(uniform() * (double)(groups + 9)) * 3;
            mark[i] = (double)i;
        }
        ml_table *right = add_i64(ctx, NULL, "k", N, key), *t;
        right = add_f64(ctx, right, "value", N, value);
        ml_table *left = add_i64(ctx, NULL, "k", n_left, other);
        left = add_f64(ctx, left, "mark", n_left, mark);
        t = join(ctx, left, right, "on=k;how=left");
        int64_t row = 0;
        for (int64_t i = 0; i < n_left; i++) {
            int there = other[i] < 3 * groups;
            int64_t k = there ? first[other[i] / 3] : N;
            if (!there) ck_assert(isnan(at(t, row++, "value")));
            for (; k < N; k += groups, row++) {
                ck_assert(at(t, row, "mark") == (double)i);
                ck_assert(at(t, row, "value") == (double)k);
            }
        }
        ck_assert_int_eq(row, ml_table_rows(t));
        ml_table_free(t);
        t = join(ctx, right, right, "on=k;how=semi"); /* all rows as they are */
        ck_assert_int_eq(ml_table_rows(t), N);
        for (int64_t i = 0; i < N; i += 997) ck_assert(at(t, i, "value") == value[i]);
        ml_table_free(t);
        ml_table_free(left);
        ml_table_free(right);
    }
    ml_context_free(ctx);
}
END_TEST

static ml_table *from_csv(ml_context *ctx, const char *text)
{
    ml_table *t = NULL;
    OK(csv_read_size(ctx, text, strlen(text), NULL, &t));
    return t;
}

/* "For ever" is a time; a name that the left table has twice lets others collide no more.
 */
START_TEST(joins_far_times_and_repeated_names)
{
    ml_context *ctx = test_context(2);
    ml_table *a = from_csv(ctx, "t,x\n2024-01-01 00:00:00,1\n9999-12-31 00:00:00,2\n");
    ml_table *b = from_csv(ctx, "t,z\n2023-01-01 00:00:00,5\n9999-12-30 00:00:00,6\n");
    ml_table *t = join(ctx, a, b, "time=t");
    ck_assert(at(t, 0, "z") == 5 && at(t, 1, "z") == 6);
    ml_table_free(t);
    const char *twice[] = {"t", "x", "x"};
    ml_table *c = NULL, *out = NULL;
    OK(ml_table_select(a, twice, 3, &c, ERR));
    t = join(ctx, c, b, "on=t;how=left");
    ck_assert_int_eq(ml_table_columns(t), 4);
    ml_table_free(t);
    ml_table *d = from_csv(ctx, "t,x\n2023-01-01 00:00:00,5\n");
    ml_params *o = options_of(ctx, "on=t;how=left;suffix=");
    FAILS(ML_E_NAME, ml_table_join(c, d, o, &out, ERR));
    SAYS("would be called \"x\"");
    ml_params_free(o);
    ml_table_free(a);
    ml_table_free(b);
    ml_table_free(c);
    ml_table_free(d);
    ml_context_free(ctx);
}
END_TEST

/* Categories with text, truth with truth, and dates with times: what csv gives. */
START_TEST(joins_types_of_csv)
{
    ml_context *ctx = test_context(1);
    ml_table *a = from_csv(ctx, "day,is,who,n\n2024-01-01,true,ann,9007199254740993\n"
                                "2024-01-02,false,bob,2\n2024-01-03,true,cid,3\n");
    ml_table *b =
        from_csv(ctx, "day,is,who,n\n2024-01-01T00:00:00,true,ann,9007199254740993\n"
                      "2024-01-02T01:00:00,false,bob,4\n");
    ml_table *t = join(ctx, a, b, "on=day;how=inner");
    ck_assert_int_eq(ml_table_rows(t), 1);
    ck_assert_str_eq(cell(t, 0, "who_right"), "ann");
    ml_table_free(t);
    t = join(ctx, a, b, "on=who;how=full");
    ck_assert_int_eq(ml_table_rows(t), 3);
    ml_table_free(t);
    t = join(ctx, a, b, "on=is, n;how=full");
    ck_assert_int_eq(ml_table_rows(t), 4);
    ck_assert_str_eq(cell(t, 0, "n"), "9007199254740993");
    ck_assert_str_eq(cell(t, 3, "n"), "4");
    ck_assert_str_eq(cell(t, 3, "is"), cell(a, 1, "is"));
    ml_table_free(t);
    ml_table_free(a);
    ml_table_free(b);
    ml_context_free(ctx);
}
END_TEST

/* A key or time without any value has no partner, whatever the type of the other one. */
START_TEST(joins_columns_without_values)
{
    static const struct {
        const char *options;
        int64_t rows, turned; /* with the tables exchanged */
        const char *key;      /* of the last row, both ways */
    } cases[] = {
        {"on=who;how=inner", 0, 0, NULL},
        {"on=who;how=left", 2, 3, NULL},
        {"on=who;how=full", 5, 5, "bob"},
        {"on=who;how=semi", 0, 0, NULL},
        {"on=who;how=anti", 2, 3, NULL},
        {"on=day, who;how=full", 5, 5, "bob"},
        {"on=day;time=when;tolerance=2h", 2, 3, NULL},
        {"on=n;time=day;tolerance=7d", 2, 3, NULL},
        {"time=day;how=inner", 0, 0, NULL},
    };
    ml_context *ctx = test_context(1);
    ml_table *a = from_csv(ctx, "who,day,when,n\n,,,1\n,,,2\n");
    ml_table *b = from_csv(ctx, "who,day,when,n\nann,2024-01-01,2024-01-01 10:00:00,1\n"
                                "ann,2024-01-02,2024-01-02 10:00:00,2\n"
                                "bob,2024-01-03,2024-01-03 10:00:00,3\n");
    ml_table *t;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int side = 0; side < 2; side++) {
            t = join(ctx, side ? b : a, side ? a : b, cases[i].options);
            ck_assert_msg(ml_table_rows(t) == (side ? cases[i].turned : cases[i].rows),
                          "%s: %lld", cases[i].options, (long long)ml_table_rows(t));
            if (cases[i].key)
                ck_assert_str_eq(cell(t, side ? 2 : 4, "who"), cases[i].key);
            if (cases[i].key)
                ck_assert_int_eq(ml_table_column_type(t, 0), ml_table_column_type(b, 0));
            if (cases[i].key) ck_assert_str_eq(ml_table_column_name(t, 0), "who");
            ml_table_free(t);
        }
    }
    t = aggregate(ctx, a, b, "by=who;time=day;window=7d;aggregates=count(), sum(n)");
    ck_assert(ml_table_rows(t) == 3 && at(t, 1, "count") == 0);
    ml_table_free(t);
    t = aggregate(ctx, b, a, "by=who;time=day;window=7d;aggregates=count(), sum(n)");
    ck_assert(ml_table_rows(t) == 2 && at(t, 1, "count") == 0);
    ml_table_free(t);
    ml_table_free(a);
    ml_table_free(b);
    ml_context_free(ctx);
}
END_TEST

/* ---- aggregates ---- */

/* Whole numbers that doubles cannot tell apart. */
START_TEST(tells_big_numbers_apart)
{
    ml_context *ctx = test_context(1);
    int64_t x[] = {(1LL << 60) + 1, 1LL << 60, (1LL << 60) + 2, 1LL << 60};
    ml_table *t = add_i64(ctx, NULL, "x", 4, x);
    ml_table *out = aggregate(
        ctx, t, NULL, "aggregates=nunique(x), a = min(x), b = max(x), c = mode(x)");
    ck_assert(at(out, 0, "x_distinct") == 3);
    ck_assert_str_eq(cell(out, 0, "a"), "1152921504606846976");
    ck_assert_str_eq(cell(out, 0, "b"), "1152921504606846978");
    ck_assert_str_eq(cell(out, 0, "c"), "1152921504606846976");
    ml_table_free(out);
    ml_params *o = options_of(ctx, "time=x;aggregates=last(x)");
    FAILS(ML_E_RANGE, ml_table_aggregate(t, NULL, o, &out, ERR));
    SAYS("column \"x\", row 1");
    ml_params_free(o);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* All aggregates of the values of rows that `is` has, in order. */
static void check_row(const ml_table *t, int64_t row, const rows *r, const int64_t *is,
                      int64_t n)
{
    double count = 0, sum = 0, square = 0, low = NAN, high = NAN, first = NAN, last = NAN;
    double sorted[R], best = NAN, mode = NAN;
    int64_t k = 0, distinct = 0;
    for (int64_t i = 0; i < n; i++) {
        double v = r->value[is[i]];
        if (isnan(v)) continue;
        count++;
        sum += v;
        if (isnan(first)) first = v;
        last = v;
        low = fmin(isnan(low) ? v : low, v);
        high = fmax(isnan(high) ? v : high, v);
        int64_t j = k++;
        for (; j > 0 && sorted[j - 1] > v; j--) sorted[j] = sorted[j - 1];
        sorted[j] = v;
    }
    for (int64_t i = 0; i < k; i++) square += pow(sorted[i] - sum / count, 2);
    for (int64_t i = 0, run = 0; i < k; i++) {
        run = i && sorted[i] == sorted[i - 1] ? run + 1 : 1;
        distinct += run == 1;
        if (isnan(best) || (double)run > best) {
            best = (double)run;
            mode = sorted[i];
        }
    }
    double median = k ? (sorted[(k - 1) / 2] + sorted[k / 2]) / 2 : NAN;
    ck_assert(at(t, row, "n") == (double)n);
    ck_assert(at(t, row, "value_count") == count);
    ck_assert(at(t, row, "value_missing") == (double)n - count);
    ck_assert(at(t, row, "value_distinct") == (double)distinct);
    ck_assert(same(at(t, row, "value_sum"), sum));
    ck_assert(same(at(t, row, "value_mean"), count > 0 ? sum / count : NAN));
    ck_assert(same(at(t, row, "value_var"), count > 1 ? square / (count - 1) : NAN));
    ck_assert(
        same(at(t, row, "value_std"), count > 1 ? sqrt(square / (count - 1)) : NAN));
    ck_assert(same(at(t, row, "value_median"), median));
    ck_assert(same(at(t, row, "value_min"), low));
    ck_assert(same(at(t, row, "value_max"), high));
    ck_assert(same(at(t, row, "value_first"), first));
    ck_assert(same(at(t, row, "value_last"), last));
    ck_assert(same(at(t, row, "value_mode"), mode));
}

#define ALL                                                                              \
    "aggregates=n = count(), count(value), missing(value), nunique(value), sum(value), " \
    "mean(value), var(value), std(value), median(value), min(value), max(value), "       \
    "first(value), last(value), mode(value)"

START_TEST(aggregates_groups)
{
    ml_context *ctx = test_context(2);
    rows r = random_rows(R, 5);
    ml_table *t = table_of(ctx, &r), *out = aggregate(ctx, t, NULL, "by=key;" ALL);
    int64_t row = 0;
    for (int64_t i = 0; i < R; i++) {
        int64_t is[R], n = 0, seen = 0;
        for (int64_t k = 0; k < R; k++) {
            int equal = r.key[k] == r.key[i] || (isnan(r.key[k]) && isnan(r.key[i]));
            seen += equal && k < i;
            if (equal) is[n++] = k;
        }
        if (seen) continue;
        ck_assert(same(at(out, row, "key"), r.key[i]));
        check_row(out, row++, &r, is, n);
    }
    ck_assert_int_eq(row, ml_table_rows(out));
    ml_table_free(out);
    out = aggregate(ctx, t, NULL, ALL);
    ck_assert_int_eq(ml_table_rows(out), 1);
    ck_assert(at(out, 0, "n") == R);
    ml_table_free(out);
    out = aggregate(ctx, t, NULL, "by=kind;aggregates=max(kind), mode(kind), min(time)");
    ck_assert_str_eq(cell(out, 0, "kind_max"), cell(out, 0, "kind"));
    ml_table_free(out);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Rows of the group before the time of the left row, by time, and no others. */
static int64_t history(const rows *r, const rows *a, int64_t i, int strict, double window,
                       int64_t *is)
{
    int64_t n = 0;
    for (int64_t k = 0; k < r->n; k++) {
        int equal = r->key[k] == a->key[i] || (isnan(r->key[k]) && isnan(a->key[i]));
        double age = a->time[i] - r->time[k];
        if (!equal || !(strict ? age > 0 : age >= 0) || age > window) continue;
        int64_t j = n++;
        for (; j > 0 && r->time[is[j - 1]] > r->time[k]; j--) is[j] = is[j - 1];
        is[j] = k;
    }
    return n;
}

START_TEST(aggregates_what_was_before)
{
    ml_context *ctx = test_context(2);
    rows r = random_rows(R, 6), a = random_rows(L, 7);
    ml_table *t = table_of(ctx, &r), *left = table_of(ctx, &a), *named = NULL;
    const char *keep[] = {"key", "time"};
    OK(ml_table_select(left, keep, 2, &named, ERR));
    for (int i = 0; i < 4; i++) {
        char options[512];
        int strict = i % 2;
        double window = i / 2 ? 6 : INFINITY;
        snprintf(options, sizeof options, "by=key;time=time;strict=%s%s;" ALL,
                 strict ? "true" : "false", i / 2 ? ";window=6" : "");
        ml_table *out = aggregate(ctx, t, named, options);
        ck_assert_int_eq(ml_table_rows(out), L);
        for (int64_t k = 0; k < L; k++) {
            int64_t is[R], n = history(&r, &a, k, strict, window, is);
            check_row(out, k, &r, is, n);
        }
        ml_table_free(out);
    }
    ml_table_free(named);
    ml_table_free(left);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Long histories go through summaries of blocks: the same values. */
START_TEST(sums_long_windows)
{
    enum { N = 20000, Q = 300 };
    static double time[N], value[N], when[Q];
    ml_context *ctx = test_context(2);
    state = 9;
    for (int i = 0; i < N; i++) {
        time[i] = i;
        value[i] = uniform() < 0.2 ? NAN : uniform() * 100 - 30;
    }
    for (int i = 0; i < Q; i++) when[i] = floor(uniform() * N);
    ml_table *t = add_f64(ctx, NULL, "time", N, time);
    t = add_f64(ctx, t, "value", N, value);
    ml_table *left = add_f64(ctx, NULL, "time", Q, when);
    ml_table *out = aggregate(ctx, t, left,
                              "time=time;aggregates=n = count(value) over 3000, "
                              "s = sum(value) over 3000, v = var(value) over 3000, "
                              "low = min(value) over 3000, high = max(value) over 3000");
    for (int q = 0; q < Q; q++) {
        double n = 0, sum = 0, square = 0, low = NAN, high = NAN;
        int begin = (int)fmax(0, when[q] - 3000), end = (int)when[q];
        for (int i = begin; i < end; i++) {
            if (isnan(value[i])) continue;
            n++;
            sum += value[i];
            low = fmin(value[i], low);
            high = fmax(value[i], high);
        }
        for (int i = begin; i < end; i++)
            if (!isnan(value[i])) square += pow(value[i] - sum / n, 2);
        ck_assert(at(out, q, "n") == n);
        ck_assert(fabs(at(out, q, "s") - sum) <= 1e-9 * fmax(1, fabs(sum)));
        if (n > 1) ck_assert(fabs(at(out, q, "v") / (square / (n - 1)) - 1) < 1e-12);
        ck_assert(same(at(out, q, "low"), low) && same(at(out, q, "high"), high));
    }
    ml_table_free(out);
    ml_table_free(left);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* ---- threads, mistakes, memory ---- */

static uint64_t hash_of(const ml_table *t)
{
    uint64_t h = 1;
    char text[64];
    for (int64_t i = 0; i < ml_table_rows(t); i++)
        for (int64_t j = 0; j < ml_table_columns(t); j++) {
            int64_t n = ml_table_get_str(t, i, j, text, sizeof text);
            for (int64_t k = 0; k < n; k++)
                h = (h ^ (unsigned char)text[k]) * 1099511628211u;
            h = h * 31 + (uint64_t)n;
        }
    return h;
}

START_TEST(same_for_any_threads)
{
    enum { N = 150000 };
    static double key[N], time[N], value[N];
    static const int threads[] = {1, 2, 7};
    uint64_t first[3] = {0};
    state = 11;
    for (int i = 0; i < N; i++) {
        key[i] = floor(uniform() * 40000);
        time[i] = floor(uniform() * 1000);
        value[i] = uniform();
    }
    for (int i = 0; i < 3; i++) {
        ml_context *ctx = test_context(threads[i]);
        ml_table *t = add_f64(ctx, NULL, "key", N, key), *part = NULL;
        t = add_f64(ctx, t, "time", N, time);
        t = add_f64(ctx, t, "value", N, value);
        OK(ml_table_slice(t, 0, N / 3, &part, ERR));
        ml_table *made[] = {
            join(ctx, part, t, "on=key"),
            join(ctx, t, part, "on=key;time=time;how=left"),
            aggregate(ctx, t, part, "by=key;time=time;aggregates=sum(value), std(value)"),
        };
        for (int k = 0; k < 3; k++) {
            uint64_t h = hash_of(made[k]);
            if (i == 0) first[k] = h;
            ck_assert_uint_eq(h, first[k]);
            ml_table_free(made[k]);
        }
        ml_table_free(part);
        ml_table_free(t);
        ml_context_free(ctx);
    }
}
END_TEST

START_TEST(names_mistakes)
{
    static const struct {
        const char *options;
        ml_status status;
        const char *says;
    } bad_joins[] =
        {
            {"how=left", ML_E_ARGUMENT, "needs keys or a time"},
            {"on=kee", ML_E_NAME, "did you mean \"key\"?"},
            {"on=key;left_on=key;right_on=key", ML_E_ARGUMENT, "either on"},
            {"left_on=key, time;right_on=key", ML_E_ARGUMENT, "left_on names 2"},
            {"on=key;how=outer", ML_E_RANGE, "full"},
            {"on=key;tim=time", ML_E_NAME, "did you mean \"time\"?"},
            {"on=key;time=kind", ML_E_TYPE, "must be dates, times or numbers"},
            {"on=key;time=time;tolerance=7d", ML_E_ARGUMENT, "leave the unit out"},
            {"on=key;left_time=time", ML_E_ARGUMENT, "both tables need a time"},
            {"on=key;time=time;how=full", ML_E_ARGUMENT, "as-of joins"},
            {"on=key;validate=one", ML_E_DATA, "have the same keys"},
            {"on=key;suffix=", ML_E_NAME, "would be called"},
            {"on=key;tolerance=3", ML_E_ARGUMENT, "means nothing without a time"},
            {"on=key;direction=forward", ML_E_ARGUMENT, "params.direction"},
            {"on=key;strict=true", ML_E_ARGUMENT, "params.strict"},
            {"on=key;time=time;validate=one", ML_E_ARGUMENT, "with a time"},
            {"left_on=kee;right_on=key", ML_E_NAME, "the left table has no column"},
            {"on=key;left_time=time;right_time=tim", ML_E_NAME, "the right table has no"},
        },
      bad_aggregates[] = {
          {"by=key", ML_E_ARGUMENT, "aggregates"},
          {"by=key;aggregates=[]", ML_E_ARGUMENT, "nothing to compute"},
          {"by=key;aggregates=total(value)", ML_E_NAME, "no function \"total\""},
          {"by=key;aggregates=sum value", ML_E_PARSE, "character 1"},
          {"by=key;aggregates=sum(value", ML_E_PARSE, "a ) is missing"},
          {"by=key;aggregates=sum(value) x", ML_E_PARSE, "left over"},
          {"by=key;aggregates=sum(value) over 7d", ML_E_ARGUMENT, "needs a left table"},
          {"by=key;aggregates=sum(kind)", ML_E_TYPE, "sum takes numbers"},
          {"by=key;aggregates=sum()", ML_E_PARSE, "only count"},
          {"by=key;aggregates=a=sum(value), a=max(value)", ML_E_NAME, "called \"a\""},
          {"by=key;left_by=key;aggregates=count()", ML_E_ARGUMENT, "left_by"},
          {"by=key;strict=false;aggregates=count()", ML_E_ARGUMENT, "params.strict"},
      };
    ml_context *ctx = test_context(1);
    rows r = random_rows(30, 8);
    ml_table *t = table_of(ctx, &r), *out = NULL;
    for (size_t i = 0; i < sizeof bad_joins / sizeof *bad_joins; i++) {
        ml_params *o = options_of(ctx, bad_joins[i].options);
        FAILS(bad_joins[i].status, ml_table_join(t, t, o, &out, ERR));
        SAYS(bad_joins[i].says);
        ml_params_free(o);
    }
    for (size_t i = 0; i < sizeof bad_aggregates / sizeof *bad_aggregates; i++) {
        ml_params *o = options_of(ctx, bad_aggregates[i].options);
        FAILS(bad_aggregates[i].status, ml_table_aggregate(t, NULL, o, &out, ERR));
        SAYS(bad_aggregates[i].says);
        ml_params_free(o);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

static ml_status small_work(failing_alloc *f)
{
    ml_host host = failing_host(f);
    ml_context *ctx = NULL;
    ml_table *a = NULL, *b = NULL, *none = NULL, *out = NULL;
    ml_params *j = NULL, *g = NULL;
    const char *keys[] = {"a", "b", NULL, "a"};
    const char *more[] = {"b", "b", "c", "a"};
    const char *lacking[] = {NULL, NULL};
    ml_status s = ml_context_new(&host, &ctx, NULL);
    if (!s) s = ml_table_with_strs(ctx, NULL, "k", keys, 4, &a, NULL);
    if (!s) s = ml_table_with_strs(ctx, NULL, "k", more, 4, &b, NULL);
    if (!s) s = ml_params_new(ctx, &j, NULL);
    if (!s) s = ml_params_set_str(j, "on", "k", NULL);
    if (!s) s = ml_params_set_str(j, "how", "full", NULL);
    if (!s) s = ml_table_join(a, b, j, &out, NULL);
    ml_table_free(out);
    out = NULL;
    if (!s) s = ml_table_with_strs(ctx, NULL, "k", lacking, 2, &none, NULL);
    if (!s) s = ml_table_join(none, b, j, &out, NULL);
    ml_table_free(out);
    out = NULL;
    if (!s) s = ml_params_new(ctx, &g, NULL);
    if (!s) s = ml_params_set_str(g, "by", "k", NULL);
    if (!s)
        s = ml_params_set_str(g, "aggregates", "mode(k), count(k), distinct(k)", NULL);
    if (!s) s = ml_table_aggregate(a, b, g, &out, NULL);
    ml_table_free(out);
    ml_params_free(j);
    ml_params_free(g);
    ml_table_free(a);
    ml_table_free(b);
    ml_table_free(none);
    ml_context_free(ctx);
    return s;
}

START_TEST(stands_lack_of_memory)
{
    failing_alloc f;
    OUT_OF_MEMORY_LOOP(f, small_work(&f));
}
END_TEST

START_TEST(takes_empty_tables)
{
    ml_context *ctx = test_context(1);
    rows r = random_rows(10, 12);
    ml_table *t = table_of(ctx, &r), *none = NULL, *out;
    OK(ml_table_slice(t, 0, 0, &none, ERR));
    out = join(ctx, none, t, "on=key");
    ck_assert_int_eq(ml_table_rows(out), 0);
    ck_assert_int_eq(ml_table_columns(out), 7);
    ml_table_free(out);
    out = join(ctx, t, none, "on=key, kind;how=left;time=time");
    ck_assert_int_eq(ml_table_rows(out), 10);
    ml_table_free(out);
    out = aggregate(ctx, none, t, "by=key;aggregates=sum(value), last(kind)");
    ck_assert_int_eq(ml_table_rows(out), 10);
    ck_assert(at(out, 3, "value_sum") == 0);
    ml_table_free(out);
    out = aggregate(ctx, none, NULL, "by=key;aggregates=sum(value)");
    ck_assert_int_eq(ml_table_rows(out), 0);
    ml_table_free(out);
    ml_table_free(none);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("data/join", joins_whole_numbers, joins_far_times_and_repeated_names,
          compares_exactly, joins_types_of_csv, joins_columns_without_values,
          tells_big_numbers_apart, joins, joins_as_of, compares_types, aggregates_groups,
          aggregates_what_was_before, sums_long_windows, same_for_any_threads,
          names_mistakes, stands_lack_of_memory, takes_empty_tables)
