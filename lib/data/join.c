/* SPDX-License-Identifier: MIT
 *
 * data/join.c: tables side by side by their keys, and as-of joins.
 *
 * The right table is grouped by its keys (keys.c); each row of the left table looks its
 * group up. As-of: the rows of a group lie sorted by time, and a binary search finds the
 * last one that is not too late. Cost: linear in the rows of both and of the result, with
 * a logarithm for times.
 */
#include "core/parallel.h"
#include "core/text.h"
#include "data/keys.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define GRAIN 32768
#define NAMES(name, aliases, doc)                                                        \
    {                                                                                    \
        name, aliases, ML_PARAM_STRS, MLI_FLAG_NULLABLE, "", NULL, NULL, NULL, doc,      \
            "0.1"                                                                        \
    }
#define NAME(name, aliases, doc)                                                         \
    {                                                                                    \
        name, aliases, ML_PARAM_STR, MLI_FLAG_NULLABLE, "", NULL, NULL, NULL, doc, "0.1" \
    }

static const mli_param params[] = {
    NAMES("on", "keys,by,using", "The key columns, where both tables name them so."),
    NAMES("left_on", "left_by,left_keys",
          "The key columns of the left table, where names differ."),
    NAMES("right_on", "right_by,right_keys", "Those of the right table, in that order."),
    {"how", "type,kind", ML_PARAM_STR, 0, "auto",
     "{auto, inner, left, full, semi, anti, union}", NULL, NULL,
     "Which rows stay. auto: left with a time, else inner. inner: those that have a "
     "partner. left: all of the left table. "
     "full: those of the right table without a partner as well, at the end. semi, anti: "
     "rows of the left table that have a partner or have none, without columns of the "
     "right one. union: the rows of both tables below each other, columns by name, "
     "without keys.",
     "0.1"},
    NAME("time", "asof,asof_on",
         "The column of times in both tables. Then each left row gets one right row at "
         "most: the last at its time or before."),
    NAME("left_time", NULL, "That of the left table, where names differ."),
    NAME("right_time", NULL, "That of the right table."),
    {"direction", "strategy", ML_PARAM_STR, 0, "backward", "{backward, forward, nearest}",
     NULL, NULL,
     "The last right row up to the time, the first one from it on, or the nearer one of "
     "the two (on a tie the earlier).",
     "0.1"},
    {"strict", NULL, ML_PARAM_BOOL, 0, "false", NULL, NULL, NULL,
     "A right row at the very time does not count: what happened at the moment of a "
     "prediction is not known to it.",
     "0.1"},
    NAME("tolerance", "max_age,within",
         "How far the times may be apart: a number in the unit of the column, or for "
         "dates and times with a unit: 7d, 12h, 30min."),
    NAMES("columns", "select", "The columns of the right table to add. Not set: all."),
    {"suffix", "rsuffix", ML_PARAM_STR, 0, "_right", NULL, NULL, NULL,
     "What a column of the right table gets behind its name where the left table has "
     "that name.",
     "0.1"},
    {"validate", NULL, ML_PARAM_STR, 0, "none", "{none, one}", NULL, NULL,
     "one: two right rows of the same keys are an error.", "0.1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL}};

extern const mli_descriptor mli_options_join;
const mli_descriptor mli_options_join = {
    .name = "options.join",
    .title = "Joining tables",
    .doc = "How ml_table_join puts the rows of two tables side by side.",
    .since = "0.1",
    .sort = MLI_SORT_OPTIONS,
    .params = params,
};

enum { INNER, LEFT, FULL, SEMI, ANTI, UNION };
enum { BACKWARD, FORWARD, NEAREST };

typedef struct {
    ml_context *ctx;
    const ml_table *left, *right;
    const ml_params *p;
    int how, direction, strict;
    int64_t n_keys;
    const char *const *left_names, *const *right_names;
    const mli_column **columns; /* [2 n_keys] left, then right */
    int *compare;               /* [n_keys] */
    const mli_column *left_time, *right_time;
    double tolerance;
    mli_keys left_keys, right_keys;
    mli_groups groups;
    int64_t *start, *list; /* rows of the right table by group */
    int single;            /* each group has one row: group k is list[k] */
    int64_t *match;        /* [left rows] group; as-of: the partner's place in list; -1 */
    double *times[2];
    double *sorted;   /* the right times in the order of list */
    int64_t count;    /* rows of the result */
    int64_t *take[2]; /* [count] */
} joining;

/* ---- parameters ---- */

static ml_status find_keys(joining *j, ml_error *err)
{
    const char *const *left, *const *right, *const *both;
    int64_t n = mli_get_strs(j->p, "on", &both);
    int64_t nl = mli_get_strs(j->p, "left_on", &left);
    int64_t nr = mli_get_strs(j->p, "right_on", &right);
    if ((nl || nr) && n) {
        mli_fail(err, ML_E_ARGUMENT, "either on is set, or left_on and right_on");
        return mli_error_at(err, ML_E_ARGUMENT, "params.on");
    }
    if (nl != nr) {
        mli_fail(err, ML_E_ARGUMENT,
                 "left_on names %" PRId64 " columns, right_on %" PRId64, nl, nr);
        return mli_error_at(err, ML_E_ARGUMENT, "params.right_on");
    }
    j->n_keys = n + nl;
    j->left_names = n ? both : left;
    j->right_names = n ? both : right;
    j->columns = mli_calloc(j->ctx, (size_t)(2 * j->n_keys), sizeof *j->columns);
    j->compare = mli_calloc(j->ctx, (size_t)j->n_keys, sizeof *j->compare);
    if (!j->columns || !j->compare) return mli_nomem(err);
    ml_status status =
        mli_columns_named(j->left, j->left_names, j->n_keys, "the left table",
                          n ? "on" : "left_on", j->columns, err);
    if (!status)
        status = mli_columns_named(j->right, j->right_names, j->n_keys, "the right table",
                                   n ? "on" : "right_on", j->columns + j->n_keys, err);
    if (!status)
        status = mli_keys_agree(j->columns, j->columns + j->n_keys, j->n_keys, j->compare,
                                err);
    return status;
}

/* An option that would be ignored is an error. */
static ml_status refuse_given(const joining *j, const char *const *names, const char *why,
                              ml_error *err)
{
    for (int64_t i = 0; names[i]; i++) {
        const mli_value *v = mli_params_find(j->p, names[i]);
        if (!v || !v->given) continue;
        mli_fail(err, ML_E_ARGUMENT, "%s means nothing %s", names[i], why);
        return mli_error_at(err, ML_E_ARGUMENT, "params.%s", names[i]);
    }
    return ML_OK;
}

/* The names of the times of both tables; NULL when the join has none. */
static ml_status name_times(const joining *j, const char **left, const char **right,
                            ml_error *err)
{
    static const char *const timed[] = {"tolerance", "direction", "strict", NULL};
    static const char *const untimed[] = {"validate", NULL};
    const char *both = mli_get_str(j->p, "time"), *a = mli_get_str(j->p, "left_time");
    const char *b = mli_get_str(j->p, "right_time");
    *left = *a ? a : *both ? both : NULL;
    *right = *b ? b : *both ? both : NULL;
    if (!*left && !*right) return refuse_given(j, timed, "without a time", err);
    if (!*left || !*right) {
        mli_fail(err, ML_E_ARGUMENT, "both tables need a time");
        return mli_error_at(err, ML_E_ARGUMENT,
                            *left ? "params.right_time" : "params.left_time");
    }
    if (j->how == FULL) {
        mli_fail(err, ML_E_ARGUMENT, "as-of joins are inner, left, semi or anti");
        return mli_error_at(err, ML_E_ARGUMENT, "params.how");
    }
    return refuse_given(j, untimed, "with a time", err);
}

static ml_status read_time(const joining *j, const ml_table *t, const char *name,
                           const char *param, const mli_column **out, ml_error *err)
{
    const char *whose = strcmp(param, "left_time") ? "the right table" : "the left table";
    const char *what = *mli_get_str(j->p, param) ? param : "time";
    return mli_columns_named(t, &name, 1, whose, what, out, err);
}

static ml_status find_times(joining *j, ml_error *err)
{
    const char *a, *b;
    const mli_column *unit;
    int micros;
    ml_status status = name_times(j, &a, &b, err);
    if (status || !a) return status;
    status = read_time(j, j->left, a, "left_time", &j->left_time, err);
    if (!status) status = read_time(j, j->right, b, "right_time", &j->right_time, err);
    if (!status)
        status = mli_times_agree(j->left_time, j->right_time, &micros, &unit, err);
    if (status) return status;
    status = mli_time_span(unit, mli_get_str(j->p, "tolerance"), "tolerance",
                           &j->tolerance, err);
    if (!status) status = mli_time_read(j->ctx, j->left_time, micros, &j->times[0], err);
    if (!status) status = mli_time_read(j->ctx, j->right_time, micros, &j->times[1], err);
    return status;
}

static ml_status read_params(joining *j, ml_error *err)
{
    static const char *const others[] = {
        "on",         "left_on",  "right_on", "time",      "left_time",
        "right_time", "columns",  "suffix",   "tolerance", "direction",
        "strict",     "validate", NULL};
    int how = mli_get_enum(j->p, "how", "auto,inner,left,full,semi,anti,union");
    int timed = *mli_get_str(j->p, "time") || *mli_get_str(j->p, "left_time");
    j->how = how ? how - 1 : timed ? LEFT : INNER;
    j->direction = mli_get_enum(j->p, "direction", "backward,forward,nearest");
    j->strict = mli_get_bool(j->p, "strict");
    if (j->how == UNION) return refuse_given(j, others, "with how: union", err);
    ml_status status = find_keys(j, err);
    if (!status) status = find_times(j, err);
    if (status || j->n_keys || j->left_time) return status;
    mli_fail(err, ML_E_ARGUMENT, "a join needs keys or a time");
    mli_error_at(err, ML_E_ARGUMENT, "params.on");
    return mli_error_hint(err, ML_E_ARGUMENT, "name the columns that rows must agree in");
}

/* ---- partners ---- */

static ml_status check_unique(const joining *j, ml_error *err)
{
    if (j->left_time || strcmp(mli_get_str(j->p, "validate"), "one") != 0) return ML_OK;
    for (int64_t k = 0; k < j->groups.n; k++) {
        if (j->start[k + 1] - j->start[k] < 2) continue;
        mli_fail(err, ML_E_DATA,
                 "rows %" PRId64 " and %" PRId64 " of the right table have the same keys",
                 j->list[j->start[k]] + 1, j->list[j->start[k] + 1] + 1);
        return mli_error_at(err, ML_E_DATA, "params.validate");
    }
    return ML_OK;
}

/* The place in the list of the as-of partner of a left row, or -1. */
static int64_t partner_at(const joining *j, int64_t row)
{
    int64_t k = j->match[row];
    double t = j->times[0][row];
    if (k < 0 || isnan(t)) return -1;
    int64_t end = j->start[k + 1];
    int64_t low = mli_time_known(j->sorted, j->start[k], end);
    int64_t from = mli_time_from(j->sorted, low, end, t), after = from;
    if (from < end && j->sorted[from] == t)
        after = mli_time_after(j->sorted, from, end, t);
    int64_t back = (j->strict ? from : after) - 1, next = j->strict ? after : from;
    double back_gap = back < low ? INFINITY : t - j->sorted[back];
    double next_gap = next >= end ? INFINITY : j->sorted[next] - t;
    int forward =
        j->direction == FORWARD || (j->direction == NEAREST && next_gap < back_gap);
    if (forward ? next >= end : back < low) return -1;
    return (forward ? next_gap : back_gap) <= j->tolerance ? (forward ? next : back) : -1;
}

static void match_times(void *arg, int64_t task, int32_t slot)
{
    joining *j = arg;
    int64_t end = (task + 1) * GRAIN < j->left->rows ? (task + 1) * GRAIN : j->left->rows;
    (void)slot;
    for (int64_t i = task * GRAIN; i < end; i++) j->match[i] = partner_at(j, i);
}

static ml_status find_partners(joining *j, ml_error *err)
{
    j->left_keys = (mli_keys){j->ctx, j->left->rows, j->n_keys, j->columns, j->compare};
    j->right_keys =
        (mli_keys){j->ctx, j->right->rows, j->n_keys, j->columns + j->n_keys, j->compare};
    ml_status status = mli_groups_new(&j->right_keys, 0, &j->groups, err);
    if (!status) status = mli_groups_list(&j->groups, &j->start, &j->list, err);
    if (!status) j->single = j->start[j->groups.n] == j->groups.n;
    if (!status) status = check_unique(j, err);
    j->match = status ? NULL : mli_alloc_vec(j->ctx, j->left->rows + 1, sizeof *j->match);
    if (!status && !j->match) status = mli_nomem(err);
    if (!status) status = mli_groups_find(&j->groups, &j->left_keys, 0, j->match, err);
    if (!status && j->left_time)
        status = mli_time_sort(j->ctx, j->start, j->groups.n, j->list, j->times[1],
                               &j->sorted, err);
    if (!status && j->left_time)
        mli_parallel(j->ctx, mli_task_count(j->left->rows, GRAIN), match_times, j);
    return status;
}

/* The partners of a left row: list[*from .. *to - 1]. */
static void partners(const joining *j, int64_t row, int64_t *from, int64_t *to)
{
    int64_t k = j->match[row];
    *from = *to = 0;
    if (k < 0) return;
    if (j->left_time || j->single) {
        *from = k;
        *to = k + 1;
    } else {
        *from = j->start[k];
        *to = j->start[k + 1];
    }
}

/* ---- rows of the result ---- */

/* How many rows a left row becomes. */
static int64_t rows_of(const joining *j, int64_t partners_there)
{
    if (j->how == SEMI) return partners_there > 0;
    if (j->how == ANTI) return partners_there == 0;
    return j->how == INNER || partners_there ? partners_there : 1;
}

typedef struct {
    const joining *j;
    int64_t *begin; /* [tasks + 1] */
    int filling;
} filling;

static void walk(void *arg, int64_t task, int32_t slot)
{
    const filling *f = arg;
    const joining *j = f->j;
    int64_t end = (task + 1) * GRAIN < j->left->rows ? (task + 1) * GRAIN : j->left->rows;
    int64_t at = f->filling ? f->begin[task] : 0, from, to;
    (void)slot;
    for (int64_t i = task * GRAIN; i < end; i++) {
        partners(j, i, &from, &to);
        int64_t n = rows_of(j, to - from);
        for (int64_t k = 0; f->filling && k < n; k++) {
            j->take[0][at + k] = i;
            j->take[1][at + k] = from + k < to ? j->list[from + k] : -1;
        }
        at += n;
    }
    if (!f->filling) f->begin[task + 1] = at;
}

/* Right rows that no left row has. */
static int64_t lonely(const joining *j, const uint8_t *met, int64_t at)
{
    for (int64_t i = 0; i < j->right->rows; i++) {
        int64_t k = j->groups.group[i];
        if (k >= 0 && met[k]) continue;
        if (j->take[1]) {
            j->take[0][at] = -1;
            j->take[1][at] = i;
        }
        at++;
    }
    return at;
}

static ml_status list_rows(joining *j, filling *f, int64_t tasks, const uint8_t *met,
                           ml_error *err)
{
    mli_parallel(j->ctx, tasks, walk, f);
    for (int64_t k = 0; k < tasks; k++)
        if (__builtin_add_overflow(f->begin[k + 1], f->begin[k], &f->begin[k + 1]))
            return mli_nomem(err);
    j->count = j->how == FULL ? lonely(j, met, f->begin[tasks]) : f->begin[tasks];
    j->take[0] = mli_alloc_vec(j->ctx, j->count + 1, sizeof(int64_t));
    j->take[1] = mli_alloc_vec(j->ctx, j->count + 1, sizeof(int64_t));
    if (!j->take[0] || !j->take[1]) return mli_nomem(err);
    f->filling = 1;
    mli_parallel(j->ctx, tasks, walk, f);
    if (j->how == FULL) lonely(j, met, f->begin[tasks]);
    return ML_OK;
}

static ml_status make_rows(joining *j, ml_error *err)
{
    int64_t tasks = mli_task_count(j->left->rows, GRAIN);
    filling f = {j, mli_calloc(j->ctx, (size_t)tasks + 1, sizeof(int64_t)), 0};
    uint8_t *met = mli_calloc(j->ctx, (size_t)j->groups.n + 1, 1);
    ml_status status = f.begin && met ? ML_OK : mli_nomem(err);
    for (int64_t i = 0; !status && j->how == FULL && i < j->left->rows; i++)
        if (j->match[i] >= 0) met[j->match[i]] = 1;
    if (!status) status = list_rows(j, &f, tasks, met, err);
    mli_free(j->ctx, f.begin);
    mli_free(j->ctx, met);
    return status;
}

/* ---- columns of the result ---- */

static int is_key(const joining *j, const mli_column *c)
{
    for (int64_t i = 0; i < j->n_keys; i++)
        if (j->columns[j->n_keys + i] == c) return 1;
    return 0;
}

/* Which columns of the right table are added. */
static ml_status choose(const joining *j, uint8_t *chosen, int64_t *n, ml_error *err)
{
    const char *const *names;
    const mli_column *c;
    int64_t given = mli_get_strs(j->p, "columns", &names);
    ml_status status = ML_OK;
    *n = 0;
    if (j->how == SEMI || j->how == ANTI) return ML_OK;
    for (int64_t i = 0; i < given && !status; i++) {
        status = mli_columns_named(j->right, &names[i], 1, "the right table", "columns",
                                   &c, err);
        if (!status) chosen[c - j->right->columns] = 1;
    }
    for (int64_t i = 0; i < j->right->n_columns && !status; i++) {
        c = &j->right->columns[i];
        if (!given) chosen[i] = !is_key(j, c);
        *n += chosen[i];
    }
    return status;
}

/* A key without any value in the left table has the values of the right one. */
static ml_status take_keys(const joining *j, const mli_column *key, mli_column *to,
                           ml_error *err)
{
    char *name = to->name;
    to->name = NULL;
    mli_column_clear(j->ctx, to);
    ml_status status = mli_column_gather(j->ctx, key, j->take[1], j->count, to, err);
    mli_free(j->ctx, status ? name : to->name);
    if (!status) to->name = name;
    return status;
}

/* Keys of right rows without a partner into those of the left table. */
static ml_status fill_keys(const joining *j, ml_table *t, ml_error *err)
{
    ml_status status = ML_OK;
    for (int64_t i = 0; i < j->n_keys && j->how == FULL && !status; i++) {
        const mli_column *a = j->columns[i], *b = j->columns[j->n_keys + i];
        mli_column *to = &t->columns[a - j->left->columns];
        if (mli_column_empty(b)) continue;
        if (mli_column_empty(a)) {
            status = take_keys(j, b, to, err);
        } else if (a->type != b->type || a->type == ML_TYPE_CATEGORY) {
            mli_fail(err, ML_E_TYPE,
                     "the key \"%s\" is %s in the left table and %s in the right one",
                     a->name, mli_type_name(a->type), mli_type_name(b->type));
            return mli_error_hint(
                err, ML_E_TYPE, "a full join needs keys of one type, and no categories");
        } else {
            mli_column_clear(t->ctx, to);
            status =
                mli_column_merge(t->ctx, a, j->take[0], b, j->take[1], j->count, to, err);
        }
    }
    return status;
}

static ml_status rename_right(const joining *j, ml_table *t, ml_error *err)
{
    const char *suffix = mli_get_str(j->p, "suffix");
    int64_t n = j->left->n_columns;
    for (int64_t i = n; i < t->n_columns; i++) {
        mli_column *c = &t->columns[i];
        if (ml_table_find(j->left, c->name) < 0) continue;
        mli_str s;
        mli_str_init(&s, t->ctx);
        mli_str_printf(&s, "%s%s", c->name, suffix);
        char *name = mli_str_take(&s);
        if (!name) return mli_nomem(err);
        mli_free(t->ctx, c->name);
        c->name = name;
    }
    return ML_OK;
}

static ml_status make_table(const joining *j, ml_table **out, ml_error *err)
{
    uint8_t *chosen = mli_calloc(j->ctx, (size_t)j->right->n_columns + 1, 1);
    ml_table *t = NULL;
    int64_t n = 0;
    ml_status status = chosen ? choose(j, chosen, &n, err) : mli_nomem(err);
    if (!status)
        status = mli_table_alloc(j->ctx, j->count, j->left->n_columns + n, &t, err);
    if (!status)
        status = mli_table_gather(j->left, NULL, j->take[0], j->count, t, 0, err);
    if (!status && n)
        status = mli_table_gather(j->right, chosen, j->take[1], j->count, t,
                                  j->left->n_columns, err);
    if (!status) status = fill_keys(j, t, err);
    if (!status) status = rename_right(j, t, err);
    if (!status) status = mli_table_seal(t, err);
    /* Names that the left table has twice are its own matter. */
    if (!status)
        status = mli_names_differ(t, j->left->n_columns, "suffix",
                                  "choose another suffix", err);
    mli_free(j->ctx, chosen);
    if (status)
        ml_table_free(t);
    else
        *out = t;
    return status;
}

static void joining_free(joining *j)
{
    mli_groups_free(&j->groups);
    mli_free(j->ctx, j->columns);
    mli_free(j->ctx, j->compare);
    mli_free(j->ctx, j->start);
    mli_free(j->ctx, j->list);
    mli_free(j->ctx, j->match);
    mli_free(j->ctx, j->sorted);
    for (int i = 0; i < 2; i++) {
        mli_free(j->ctx, j->times[i]);
        mli_free(j->ctx, j->take[i]);
    }
}

static ml_status join(const ml_table *left, const ml_table *right,
                      const ml_params *options, ml_table **out, ml_error *error)
{
    ml_params *p = NULL;
    joining j = {.ctx = left->ctx, .left = left, .right = right};
    ml_status status = mli_params_resolve(j.ctx, &mli_options_join, options, &p, error);
    if (status) return status;
    j.p = p;
    j.groups.ctx = j.ctx;
    status = read_params(&j, error);
    if (!status && j.how == UNION) {
        status = mli_table_stack(left, right, out, error);
        goto done;
    }
    if (!status) status = find_partners(&j, error);
    if (!status) status = make_rows(&j, error);
    if (!status) status = make_table(&j, out, error);
done:
    joining_free(&j);
    ml_params_free(p);
    return status;
}

ml_status ml_table_join(const ml_table *left, const ml_table *right,
                        const ml_params *options, ml_table **out, ml_error *error)
{
    ml_table *a = NULL, *b = NULL;
    if (!left) return mli_null(error, "left");
    if (!right) return mli_null(error, "right");
    if (!out) return mli_null(error, "out");
    ml_status status = mli_table_plain(left, &a, error);
    if (!status) status = mli_table_plain(right, &b, error);
    if (!status) status = join(a, b, options, out, error);
    ml_table_free(a);
    ml_table_free(b);
    return status;
}
