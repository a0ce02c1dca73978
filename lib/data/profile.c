/* SPDX-License-Identifier: MIT
 *
 * data/profile.c: a profile of a table: one row per column. Each column is read once in
 * blocks; memory is bounded by the number of threads, not by the number of rows.
 *
 * Exact: counts, mean, standard deviation, minimum, maximum; quartiles up to SAMPLE
 * values; the number of distinct values up to MLI_DISTINCT_LIMIT. Beyond: quartiles of a
 * sample that has one row of each of SAMPLE equal stretches of the column, and an
 * estimate.
 */
#include "core/parallel.h"
#include "core/text.h"
#include "data/distinct.h"
#include "data/profile.h"
#include "data/sketch.h"

#include <math.h>
#include <string.h>

#define BLOCK       4096
#define SAMPLE      (1 << 20)
#define MANY_LEVELS 1000 /* text of more distinct values than this is warned about */
#define FEW_NUMBERS 256  /* a most frequent value is given for as many numbers */
#define LONG_TEXT   32   /* mean bytes from which distinct texts are prose */
#define ENOUGH_ROWS 20   /* fewer rows do not make an identifier */
#define LEAK_CLASS  0.75 /* predictive power that is too good to be true, */
#define LEAK_NUMBER 0.97 /* with as many rows as LEAK_ROWS */
#define LEAK_ROWS   100

/* What is found out about one column. */
typedef struct {
    int64_t missing, present, infinite, distinct, top_row, top_count;
    double mean, m2, min, max, quartile[3];
    int64_t first, last; /* of dates and times */
    int64_t text_bytes, numeric_texts, date_texts;
    uint64_t fingerprint; /* of all values in order */
    int rising, falling;  /* strictly */
    int64_t twin;         /* the first column with the same values; -1: none */
    double previous;
} finding;

/* Memory of one thread. */
typedef struct {
    double block[BLOCK];
    double *sample; /* [min(rows, SAMPLE)] */
    int64_t sampled;
    int64_t stretch, next; /* the stretch to be sampled next, and its row */
    mli_distinct distinct;
} scratch;

typedef struct {
    const ml_table *table;
    finding *findings; /* [columns] */
    scratch **slots;   /* [n_slots] */
    int32_t n_slots;
    int64_t target; /* -1: none is named */
    int classes;    /* whether it counts as classes */
    double *power;  /* [columns] of predicting it; NULL without */
} profile;

/* ---- one pass over a column ---- */

static int is_wide(int32_t type)
{
    return type == ML_DTYPE_I64 || type == ML_DTYPE_U64 || type == ML_TYPE_TIMESTAMP;
}

uint64_t mli_number_key(const mli_column *c, int64_t row, double value)
{
    uint64_t key;
    if (is_wide(c->type) && fabs(value) >= 9007199254740992.0) {
        memcpy(&key, (const char *)c->data + row * c->stride * 8, sizeof key);
        return mli_mix64(key + 1);
    }
    if (value == 0) value = 0; /* not -0 */
    memcpy(&key, &value, sizeof key);
    return key;
}

/* The row of stretch k that is sampled, the stretches being as equal as can be. */
static int64_t sample_row(int64_t k, int64_t rows)
{
    if (rows <= SAMPLE) return k;
    int64_t begin = k * rows / SAMPLE, end = (k + 1) * rows / SAMPLE;
    return begin + (int64_t)(mli_mix64((uint64_t)k) % (uint64_t)(end - begin));
}

static void add_number(finding *f, double value)
{
    if (f->previous >= value) f->rising = 0;
    if (f->previous <= value) f->falling = 0;
    f->previous = value;
    if (value < f->min) f->min = value;
    if (value > f->max) f->max = value;
    if (isinf(value)) f->infinite++;
}

static void sign(finding *f, uint64_t key)
{
    f->fingerprint = mli_mix64(f->fingerprint + UINT64_C(0x9e3779b97f4a7c15) + key);
}

/* Takes the value when its row is the one of its stretch. A missing one is passed over.
 */
static void take_sample(const mli_column *c, scratch *s, int64_t row, double value)
{
    while (s->next < row) s->next = sample_row(++s->stretch, c->rows);
    if (s->next > row) return;
    s->sample[s->sampled++] = value;
    s->next = sample_row(++s->stretch, c->rows);
}

static void scan_numbers(const mli_column *c, finding *f, scratch *s)
{
    for (int64_t begin = 0; begin < c->rows; begin += BLOCK) {
        int64_t end = begin + BLOCK < c->rows ? begin + BLOCK : c->rows, n = 0;
        mli_column_f64(c, begin, end, s->block, 1);
        for (int64_t row = begin; row < end; row++) {
            double value = s->block[row - begin];
            if (isnan(value)) {
                sign(f, 0);
                continue;
            }
            uint64_t key = mli_number_key(c, row, value);
            mli_distinct_add(&s->distinct, key, row);
            sign(f, key + 1);
            add_number(f, value);
            if (row >= s->next) take_sample(c, s, row, value);
            s->block[n++] = value;
        }
        mli_join_moments((double)f->present, s->block, n, &f->mean, &f->m2);
        f->present += n;
    }
}

static void scan_texts(const mli_column *c, finding *f, scratch *s)
{
    for (int64_t row = 0; row < c->rows; row++) {
        size_t size = 0;
        double value;
        int64_t micros;
        const char *text = mli_column_text(c, row, &size);
        if (!text) {
            sign(f, 0);
            continue;
        }
        uint64_t key = mli_hash(text, size);
        mli_distinct_add(&s->distinct, key, row);
        sign(f, key);
        f->present++;
        f->text_bytes += (int64_t)size;
        /* one text that is no number settles it, and one that is no date */
        if (f->numeric_texts == f->present - 1)
            f->numeric_texts +=
                mli_parse_f64(text, text + size, &value) || mli_like_number(text, size);
        if (f->date_texts == f->present - 1)
            f->date_texts += mli_parse_ordered(text, size, 0, &micros) ||
                             mli_parse_ordered(text, size, 1, &micros);
    }
}

static int64_t integer_at(const mli_column *c, int64_t row)
{
    return c->type == ML_TYPE_DATE ? ((const int32_t *)c->data)[row]
                                   : ((const int64_t *)c->data)[row];
}

static void scan_times(const mli_column *c, finding *f, scratch *s)
{
    f->first = INT64_MAX;
    f->last = INT64_MIN;
    for (int64_t row = 0; row < c->rows; row++) {
        if (!mli_column_valid(c, row)) {
            sign(f, 0);
            continue;
        }
        int64_t value = integer_at(c, row);
        mli_distinct_add(&s->distinct, (uint64_t)value, row);
        sign(f, (uint64_t)value + 1);
        f->present++;
        if (value < f->first) f->first = value;
        if (value > f->last) f->last = value;
    }
}

/* ---- quartiles ---- */

/* Puts the value of rank k in its place, smaller ones before it (Hoare's FIND, with a
 * pivot drawn by a hash so that no order of the input is slow). */
static void place(double *x, int64_t n, int64_t k)
{
    int64_t low = 0, high = n - 1;
    while (low < high) {
        uint64_t draw = mli_mix64((uint64_t)low * 31 + (uint64_t)high);
        double pivot = x[low + (int64_t)(draw % (uint64_t)(high - low + 1))];
        int64_t i = low, j = high;
        while (i <= j) {
            while (x[i] < pivot) i++;
            while (x[j] > pivot) j--;
            if (i > j) break;
            double swap = x[i];
            x[i++] = x[j];
            x[j--] = swap;
        }
        if (k <= j) {
            high = j;
        } else if (k >= i) {
            low = i;
        } else {
            return;
        }
    }
}

/* Interpolates linearly between the two nearest ranks. */
static double quantile(double *x, int64_t n, double q)
{
    double at = q * (double)(n - 1), below = floor(at);
    int64_t k = (int64_t)below;
    place(x, n, k);
    double value = x[k];
    if (k + 1 >= n || at == below) return value;
    double next = x[k + 1];
    for (int64_t i = k + 2; i < n; i++) next = x[i] < next ? x[i] : next;
    return next == value ? value : value + (at - below) * (next - value);
}

static int is_numeric(int32_t type)
{
    return mli_type_is_number(type);
}

static void scan(void *arg, int64_t task, int32_t slot)
{
    profile *p = arg;
    const mli_column *c = &p->table->columns[task];
    finding *f = &p->findings[task];
    scratch *s = p->slots[slot];
    mli_distinct_clear(&s->distinct);
    s->sampled = s->stretch = 0;
    s->next = sample_row(0, c->rows);
    f->min = INFINITY;
    f->max = -INFINITY;
    f->previous = NAN;
    f->rising = f->falling = 1;
    if (is_numeric(c->type)) {
        scan_numbers(c, f, s);
    } else if (mli_type_is_time(c->type)) {
        scan_times(c, f, s);
    } else {
        scan_texts(c, f, s);
    }
    f->missing = c->rows - f->present;
    f->distinct = mli_distinct_number(&s->distinct);
    if (f->distinct > f->present) f->distinct = f->present;
    f->top_count = mli_distinct_top(&s->distinct, &f->top_row);
    for (int i = 0; i < 3; i++) {
        f->quartile[i] =
            s->sampled ? quantile(s->sample, s->sampled, 0.25 * (i + 1)) : NAN;
    }
}

/* ---- warnings ---- */

static int is_integer(int32_t type)
{
    return type >= ML_DTYPE_I8 && type <= ML_DTYPE_U64;
}

/* Every row another value: texts, or integers that only rise or only fall. */
static int is_identifier(const mli_column *c, const finding *f)
{
    if (f->present < ENOUGH_ROWS) return 0;
    if (is_integer(c->type)) return f->rising || f->falling;
    if (c->type != ML_TYPE_TEXT && c->type != ML_TYPE_CATEGORY) return 0;
    return (double)f->distinct >= 0.95 * (double)f->present;
}

/* The first column with the same values, -1 when there is none. */
static int64_t twin_of(const profile *p, int64_t column)
{
    const finding *f = &p->findings[column];
    int32_t type = p->table->columns[column].type;
    for (int64_t i = 0; i < column && f->present > 0; i++) {
        int32_t other = p->table->columns[i].type;
        int alike = is_numeric(type) ? is_numeric(other)
                    : mli_type_is_time(type)
                        ? type == other
                        : !is_numeric(other) && !mli_type_is_time(other);
        if (alike && p->findings[i].fingerprint == f->fingerprint) return i;
    }
    return -1;
}

static void warn(mli_str *s, const char *text)
{
    if (s->size) mli_str_add(s, "; ");
    mli_str_add(s, text);
}

static void warn_about_text(const finding *f, int identifier, mli_str *s)
{
    int lengthy = f->text_bytes >= LONG_TEXT * f->present;
    if (identifier) {
        warn(s, lengthy ? "free text" : "identifier-like");
    } else if (f->distinct > MANY_LEVELS) {
        warn(s, "many distinct values");
    }
    if (f->numeric_texts == f->present) warn(s, "numbers as text");
    if (f->date_texts == f->present) warn(s, "dates as text");
}

static uint32_t flags_of(const profile *p, int64_t column)
{
    const mli_column *c = &p->table->columns[column];
    int leaks = p->power && c->rows >= LEAK_ROWS &&
                p->power[column] > (p->classes ? LEAK_CLASS : LEAK_NUMBER);
    return (leaks ? MLI_PROFILE_LEAKS : 0) |
           (is_identifier(c, &p->findings[column]) ? MLI_PROFILE_IDENTIFIES : 0);
}

static void find_warnings(const profile *p, int64_t column, mli_str *s)
{
    uint32_t flags = flags_of(p, column);
    const mli_column *c = &p->table->columns[column];
    const finding *f = &p->findings[column];
    if (c->rows == 0) return;
    if (f->present == 0) {
        warn(s, "all missing");
        return;
    }
    int identifier = (flags & MLI_PROFILE_IDENTIFIES) != 0;
    if (2 * f->missing > c->rows) warn(s, "mostly missing");
    if (f->distinct == 1) {
        warn(s, "constant");
    } else if ((double)f->top_count > 0.99 * (double)f->present) {
        warn(s, "nearly constant");
    }
    if (f->infinite) warn(s, "infinite values");
    if (c->type == ML_TYPE_TEXT || c->type == ML_TYPE_CATEGORY) {
        warn_about_text(f, identifier, s);
    } else if (identifier) {
        warn(s, "identifier-like");
    }
    if (f->twin >= 0) {
        warn(s, "duplicate of ");
        mli_str_add(s, p->table->columns[f->twin].name);
    }
    if (flags & MLI_PROFILE_LEAKS) warn(s, "may leak the target");
}

/* What the column is good for. */
static const char *role_of(const profile *p, int64_t column)
{
    const mli_column *c = &p->table->columns[column];
    const finding *f = &p->findings[column];
    int text = c->type == ML_TYPE_TEXT || c->type == ML_TYPE_CATEGORY;
    if (column == p->target) return "target";
    if (f->distinct < 2 || f->twin >= 0) return "ignore";
    if (text && f->text_bytes >= LONG_TEXT * f->present && 2 * f->distinct > f->present)
        return "text";
    if (is_identifier(c, f)) return "ignore";
    if (mli_type_is_time(c->type)) return "time";
    return text ? "categorical" : "feature";
}

/* ---- the result ---- */

enum {
    F_PERCENT,
    F_MEAN,
    F_SD,
    F_MIN,
    F_Q25,
    F_MEDIAN,
    F_Q75,
    F_MAX,
    F_TOP_COUNT,
    F_POWER,
    N_F
};
enum { I_ROWS, I_MISSING, I_DISTINCT, N_I };
enum { T_COLUMN, T_TYPE, T_TOP, T_EARLIEST, T_LATEST, T_ROLE, T_WARNINGS, N_T };

/* The columns of the result; owned texts are freed with it. */
typedef struct {
    ml_context *ctx;
    int64_t n;
    double *f[N_F];
    int64_t *i[N_I];
    char **t[N_T];
} result;

static ml_status result_init(result *r, ml_context *ctx, int64_t n, ml_error *err)
{
    int ok = 1;
    memset(r, 0, sizeof *r);
    r->ctx = ctx;
    r->n = n;
    for (int k = 0; k < N_F; k++) {
        ok &= (r->f[k] = mli_calloc(ctx, (size_t)n, sizeof(double))) != NULL;
    }
    for (int k = 0; k < N_I; k++) {
        ok &= (r->i[k] = mli_calloc(ctx, (size_t)n, sizeof(int64_t))) != NULL;
    }
    for (int k = 0; k < N_T; k++) {
        ok &= (r->t[k] = mli_calloc(ctx, (size_t)n, sizeof(char *))) != NULL;
    }
    return ok ? ML_OK : mli_nomem(err);
}

static void result_free(result *r)
{
    for (int k = 0; k < N_F; k++) mli_free(r->ctx, r->f[k]);
    for (int k = 0; k < N_I; k++) mli_free(r->ctx, r->i[k]);
    for (int k = 0; k < N_T; k++) {
        for (int64_t j = 0; r->t[k] && j < r->n; j++) mli_free(r->ctx, r->t[k][j]);
        mli_free(r->ctx, r->t[k]);
    }
}

/* Takes the text of `s` and empties it; an empty one is a missing value. */
static int give_text(result *r, int what, int64_t j, mli_str *s, int empty_too)
{
    if (s->failed) return 0;
    if (s->size || empty_too) {
        r->t[what][j] = mli_strndup(r->ctx, s->data, s->size);
        if (!r->t[what][j]) return 0;
    }
    mli_str_clear(s);
    return 1;
}

static void set_numbers(result *r, int64_t j, const mli_column *c, const finding *f)
{
    for (int k = 0; k < N_F; k++) r->f[k][j] = NAN;
    r->i[I_ROWS][j] = c->rows;
    r->i[I_MISSING][j] = f->missing;
    r->i[I_DISTINCT][j] = f->distinct;
    if (c->rows) r->f[F_PERCENT][j] = 100.0 * (double)f->missing / (double)c->rows;
    if (!is_numeric(c->type) || f->present == 0) return;
    r->f[F_MEAN][j] = f->mean;
    if (f->present > 1) r->f[F_SD][j] = sqrt(f->m2 / (double)(f->present - 1));
    r->f[F_MIN][j] = f->min;
    r->f[F_Q25][j] = f->quartile[0];
    r->f[F_MEDIAN][j] = f->quartile[1];
    r->f[F_Q75][j] = f->quartile[2];
    r->f[F_MAX][j] = f->max;
}

static void print_time(mli_str *s, int32_t type, int64_t value)
{
    if (type == ML_TYPE_DATE) {
        mli_print_date(s, value);
    } else {
        mli_print_timestamp(s, value);
    }
}

static int set_texts(result *r, int64_t j, const profile *p, mli_str *s)
{
    const mli_column *c = &p->table->columns[j];
    const finding *f = &p->findings[j];
    int ok = 1;
    mli_str_add(s, c->name);
    ok &= give_text(r, T_COLUMN, j, s, 1);
    mli_str_add(s, mli_type_name(c->type));
    ok &= give_text(r, T_TYPE, j, s, 1);
    int few = !is_numeric(c->type) || f->distinct <= FEW_NUMBERS;
    if (f->top_count > 0 && few && (f->top_count > 1 || f->distinct == 1)) {
        mli_column_print(c, f->top_row, s);
        ok &= give_text(r, T_TOP, j, s, 1);
        r->f[F_TOP_COUNT][j] = (double)f->top_count;
    }
    if (mli_type_is_time(c->type) && f->present) {
        print_time(s, c->type, f->first);
        ok &= give_text(r, T_EARLIEST, j, s, 1);
        print_time(s, c->type, f->last);
        ok &= give_text(r, T_LATEST, j, s, 1);
    }
    mli_str_add(s, role_of(p, j));
    ok &= give_text(r, T_ROLE, j, s, 1);
    if (p->power) r->f[F_POWER][j] = p->power[j];
    find_warnings(p, j, s);
    return ok & give_text(r, T_WARNINGS, j, s, 0);
}

static ml_status result_fill(result *r, const profile *p, ml_error *err)
{
    mli_str s;
    int ok = 1;
    mli_str_init(&s, r->ctx);
    for (int64_t j = 0; j < r->n; j++) p->findings[j].twin = twin_of(p, j);
    for (int64_t j = 0; j < r->n && ok; j++) {
        set_numbers(r, j, &p->table->columns[j], &p->findings[j]);
        ok = set_texts(r, j, p, &s);
    }
    mli_str_free(&s);
    return ok ? ML_OK : mli_nomem(err);
}

/* The order of the columns of the profile. */
static const struct {
    const char *name;
    char kind; /* f, i, t */
    int8_t index;
} layout[] = {
    {"column", 't', T_COLUMN},
    {"type", 't', T_TYPE},
    {"rows", 'i', I_ROWS},
    {"missing", 'i', I_MISSING},
    {"missing_percent", 'f', F_PERCENT},
    {"distinct", 'i', I_DISTINCT},
    {"mean", 'f', F_MEAN},
    {"sd", 'f', F_SD},
    {"min", 'f', F_MIN},
    {"q25", 'f', F_Q25},
    {"median", 'f', F_MEDIAN},
    {"q75", 'f', F_Q75},
    {"max", 'f', F_MAX},
    {"earliest", 't', T_EARLIEST},
    {"latest", 't', T_LATEST},
    {"top", 't', T_TOP},
    {"top_count", 'f', F_TOP_COUNT},
    {"predictive_power", 'f', F_POWER}, /* when a target is named */
    {"role", 't', T_ROLE},
    {"warnings", 't', T_WARNINGS},
};

static ml_status result_table(const result *r, int target, ml_table **out, ml_error *err)
{
    mli_builder *b = NULL;
    ml_status status = mli_builder_new(r->ctx, r->n, &b, err);
    if (status) return status;
    for (size_t k = 0; k < sizeof layout / sizeof layout[0] && !status; k++) {
        int at = layout[k].index;
        if (layout[k].kind == 'f' && at == F_POWER && !target) continue;
        if (layout[k].kind == 'f') {
            status = mli_builder_f64(b, layout[k].name, r->f[at], err);
        } else if (layout[k].kind == 'i') {
            status = mli_builder_i64(b, layout[k].name, r->i[at], err);
        } else {
            status =
                mli_builder_text(b, layout[k].name, (const char *const *)r->t[at], err);
        }
    }
    if (!status) return mli_builder_finish(b, out, err);
    mli_builder_free(b);
    return status;
}

/* ---- memory ---- */

static void profile_free(profile *p)
{
    ml_context *ctx = p->table->ctx;
    for (int32_t i = 0; p->slots && i < p->n_slots; i++) {
        if (!p->slots[i]) continue;
        mli_free(ctx, p->slots[i]->sample);
        mli_distinct_free(&p->slots[i]->distinct, ctx);
        mli_free(ctx, p->slots[i]);
    }
    mli_free(ctx, p->slots);
    mli_free(ctx, p->findings);
    mli_free(ctx, p->power);
}

static ml_status profile_init(profile *p, const ml_table *table, ml_error *err)
{
    ml_context *ctx = table->ctx;
    int64_t sample = table->rows < SAMPLE ? table->rows : SAMPLE;
    *p = (profile){.table = table, .n_slots = mli_slots(ctx)};
    p->findings = mli_calloc(ctx, (size_t)table->n_columns, sizeof *p->findings);
    p->slots = mli_calloc(ctx, (size_t)p->n_slots, sizeof *p->slots);
    if (!p->findings || !p->slots) return mli_nomem(err);
    for (int32_t i = 0; i < p->n_slots; i++) {
        scratch *s = mli_calloc(ctx, 1, sizeof *s);
        if (!s) return mli_nomem(err);
        p->slots[i] = s;
        s->sample = mli_alloc(ctx, (size_t)sample * sizeof *s->sample);
        if (!mli_distinct_init(&s->distinct, ctx) || !s->sample) return mli_nomem(err);
    }
    return ML_OK;
}

static ml_status find_target(profile *p, const char *name, ml_error *err)
{
    const ml_table *t = p->table;
    p->target = -1;
    if (!*name) return ML_OK;
    p->target = ml_table_find(t, name);
    if (p->target < 0) return mli_table_unknown(t, name, "the table", "target", err);
    p->power = mli_alloc_vec(t->ctx, t->n_columns, sizeof *p->power);
    return p->power ? mli_profile_power(t, p->target, p->power, &p->classes, err)
                    : mli_nomem(err);
}

static ml_status profile_scan(profile *p, const ml_table *table, const char *target,
                              ml_error *err)
{
    ml_status status = profile_init(p, table, err);
    if (!status) status = find_target(p, target, err);
    if (!status) mli_parallel(table->ctx, table->n_columns, scan, p);
    return status;
}

ml_status mli_profile_flags(const ml_table *table, const char *target, uint32_t *flags,
                            ml_error *err)
{
    profile p;
    ml_status status = profile_scan(&p, table, target, err);
    for (int64_t j = 0; j < table->n_columns && !status; j++) flags[j] = flags_of(&p, j);
    profile_free(&p);
    return status;
}

static ml_status profile_columns(const ml_table *table, const char *target,
                                 ml_table **out, ml_error *err)
{
    profile p;
    result r = {0};
    ml_status status = profile_scan(&p, table, target, err);
    if (!status) status = result_init(&r, table->ctx, table->n_columns, err);
    if (!status) status = result_fill(&r, &p, err);
    if (!status) status = result_table(&r, p.power != NULL, out, err);
    result_free(&r);
    profile_free(&p);
    return status;
}

static ml_status make_profile(const ml_table *table, const ml_params *options,
                              ml_table **out, ml_error *error)
{
    ml_params *o = NULL;
    ml_status status =
        mli_params_resolve(table->ctx, &mli_options_profile, options, &o, error);
    if (status) return status;
    const char *part = mli_get_str(o, "part");
    if (strcmp(part, "correlations") == 0)
        status = mli_profile_correlations(table, mli_get_i64(o, "top"), out, error);
    else if (strcmp(part, "summary") == 0)
        status = mli_profile_summary(table, out, error);
    else if (strcmp(part, "sketch") == 0)
        status = mli_profile_sketch(table, out, error);
    else if (strcmp(part, "merge") == 0)
        status = mli_profile_merge(table, out, error);
    else
        status = profile_columns(table, mli_get_str(o, "target"), out, error);
    ml_params_free(o);
    return status;
}

ml_status ml_table_profile(const ml_table *table, const ml_params *options,
                           ml_table **out, ml_error *error)
{
    ml_table *plain = NULL;
    if (!table) return mli_null(error, "table");
    if (!out) return mli_null(error, "out");
    ml_status status = mli_table_plain(table, &plain, error);
    if (!status) status = make_profile(plain, options, out, error);
    ml_table_free(plain);
    return status;
}
