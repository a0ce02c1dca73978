/* SPDX-License-Identifier: MIT
 *
 * export_lightgbm.c: trees as the text of a LightGBM model (v4). Thresholds and leaf
 * values keep all their digits, so that LightGBM predicts the same to the last bits. What
 * the scores start from is added to the leaves of the first trees. In LightGBM a category
 * that is missing or unknown goes right: where ours go left the children change places.
 */
#include "core/json.h"
#include "serialization/export.h"

#include <math.h>
#include <string.h>

typedef struct writer {
    mli_export_job *x;
    int32_t *number; /* [nodes of the largest tree] among its splits, or its leaves */
    const char *objective;
    double scale; /* of leaf values */
} writer;

/* ---- what LightGBM cannot say ---- */

static ml_status choose_objective(writer *w)
{
    const mli_export_job *x = w->x;
    const char *own = mli_get_str(x->model->params, "objective");
    int64_t classes = x->inputs->classes.n;
    int one = x->e.n_scores == 1;
    w->scale = x->scale;
    switch (x->link) {
    case MLI_LINK_SIGMOID:
        w->objective = !classes ? "cross_entropy"
                       : one    ? "binary sigmoid:1"
                                : "multiclassova";
        return ML_OK;
    case MLI_LINK_SOFTMAX:
        w->objective = "multiclass";
        return ML_OK;
    case MLI_LINK_EXP:
        w->objective = mli_in_list(own, "gamma,tweedie") ? own : "poisson";
        return ML_OK;
    case MLI_LINK_SOFTPLUS:
        w->objective = "cross_entropy_lambda";
        return ML_OK;
    case MLI_LINK_SQUARE:
        w->objective = "regression sqrt";
        return ML_OK;
    case MLI_LINK_IDENTITY:
        w->objective = "regression";
        if (classes == 0) return ML_OK;
        return mli_export_refuse(x, "LightGBM",
                                 "classes whose probabilities are plain sums");
    default:
        return mli_export_refuse(x, "LightGBM", "this link of scores and predictions");
    }
}

static int is_set(const mli_ensemble *e, int64_t i)
{
    return e->left[i] && (e->flags[i] & MLI_NODE_CATEGORICAL);
}

/* Missing categories must go where unknown ones go. */
static ml_status check(const mli_export_job *x)
{
    for (int64_t i = 0; i < x->e.n_nodes; i++) {
        if (!is_set(&x->e, i)) continue;
        if (mli_ensemble_goes_left(&x->e, i, -1) ==
            mli_ensemble_goes_left(&x->e, i, (double)NAN))
            continue;
        return mli_export_refuse(
            x, "LightGBM", "missing categories that go another way than unknown ones");
    }
    return ML_OK;
}

/* ---- arrays ---- */

static void put_f64(mli_str *s, double v)
{
    if (isinf(v)) v = v > 0 ? 1.7976931348623157e308 : -1.7976931348623157e308;
    mli_str_f64(s, v);
}

/* Do the children change places? */
static int swapped(const writer *w, int64_t i)
{
    return is_set(&w->x->e, i) && mli_ensemble_goes_left(&w->x->e, i, -1);
}

/* Splits and leaves are numbered apart; returns the number of leaves. */
static int32_t number_nodes(const writer *w, int64_t t)
{
    const mli_ensemble *e = &w->x->e;
    int32_t splits = 0, leaves = 0;
    int64_t first = e->start[t];
    for (int64_t i = first; i < e->start[t + 1]; i++)
        w->number[i - first] = e->left[i] ? splits++ : leaves++;
    return leaves;
}

static void put_child(const writer *w, int64_t t, int64_t i, int second)
{
    const mli_ensemble *e = &w->x->e;
    int64_t child = e->left[i] + (second != swapped(w, i));
    int32_t number = w->number[child];
    mli_str_i64(w->x->s, e->left[e->start[t] + child] ? number : -number - 1);
}

static void put_decision(const writer *w, int64_t i)
{
    const mli_ensemble *e = &w->x->e;
    int left = e->flags[i] & MLI_NODE_MISSING_LEFT ? 2 : 0;
    int zero = e->zero_missing && e->zero_missing[e->feature[i]];
    mli_str_i64(w->x->s, is_set(e, i) ? 1 : left + (zero ? 4 : 8));
}

enum {
    FEATURE,
    GAIN,
    THRESHOLD,
    DECISION,
    LEFT,
    RIGHT,
    VALUE,
    COVER,
    LEAF_WEIGHT,
    INNER
};

/* Is the field one of leaves? */
static int of_leaves(int field)
{
    return field == VALUE || field == LEAF_WEIGHT;
}

static void put_array(const writer *w, int64_t t, const char *key, int field)
{
    const mli_ensemble *e = &w->x->e;
    mli_str *s = w->x->s;
    int32_t set = 0;
    int any = 0;
    mli_str_printf(s, "%s=", key);
    for (int64_t i = e->start[t]; i < e->start[t + 1]; i++) {
        if (of_leaves(field) != (e->left[i] == 0)) continue;
        if (any++) mli_str_char(s, ' ');
        double base = t < e->n_scores ? e->base[t] : 0;
        switch (field) {
        case FEATURE:
            mli_str_i64(s, e->feature[i]);
            break;
        case GAIN:
            put_f64(s, isfinite(e->gain[i]) ? e->gain[i] : 0);
            break;
        case THRESHOLD:
            if (is_set(e, i))
                mli_str_i64(s, set++);
            else
                put_f64(s, e->threshold[i]);
            break;
        case DECISION:
            put_decision(w, i);
            break;
        case LEFT:
        case RIGHT:
            put_child(w, t, i, field == RIGHT);
            break;
        case VALUE:
            put_f64(s, (base + e->value[i]) * w->scale);
            break;
        case INNER:
            put_f64(s, e->value[i] * w->scale);
            break;
        default:
            put_f64(s, isfinite(e->cover[i]) ? e->cover[i] : 0);
        }
    }
    mli_str_char(s, '\n');
}

/* The codes that go where unknown ones do not, as bits. */
static void put_bits(const writer *w, mli_str *bits, mli_str *bounds, int64_t i,
                     int64_t *words)
{
    const mli_ensemble *e = &w->x->e;
    int64_t j = e->feature[i], n = e->level_start[j + 1] - e->level_start[j];
    int other = mli_ensemble_goes_left(e, i, -1);
    int64_t last = -1;
    for (int64_t code = 0; code < n; code++)
        if (mli_ensemble_goes_left(e, i, (double)code) != other) last = code;
    for (int64_t word = 0; 32 * word <= last || word == 0; word++) {
        uint32_t v = 0;
        for (int64_t code = 32 * word; code < n && code < 32 * word + 32; code++)
            if (mli_ensemble_goes_left(e, i, (double)code) != other)
                v |= 1U << (code & 31);
        mli_str_printf(bits, bits->size ? " %u" : "%u", v);
        ++*words;
    }
    mli_str_printf(bounds, " %lld", (long long)*words);
}

static void put_sets(const writer *w, int64_t t)
{
    const mli_ensemble *e = &w->x->e;
    mli_str *s = w->x->s, bits, bounds;
    int64_t words = 0;
    mli_str_init(&bits, s->ctx);
    mli_str_init(&bounds, s->ctx);
    for (int64_t i = e->start[t]; i < e->start[t + 1]; i++)
        if (is_set(e, i)) put_bits(w, &bits, &bounds, i, &words);
    mli_str_printf(s, "cat_boundaries=0%s\ncat_threshold=%s\n", bounds.data, bits.data);
    if (bits.failed || bounds.failed) s->failed = 1;
    mli_str_free(&bits);
    mli_str_free(&bounds);
}

/* The features or the coefficients of all leaves. */
static void put_terms(const writer *w, int64_t t, int coefs)
{
    const mli_ensemble *e = &w->x->e;
    int64_t begin = e->linear_start[e->start[t]], end = e->linear_start[e->start[t + 1]];
    mli_str *s = w->x->s;
    mli_str_add(s, coefs ? "leaf_coeff=" : "leaf_features=");
    for (int64_t k = begin; k < end; k++) {
        if (k > begin) mli_str_char(s, ' ');
        if (coefs)
            put_f64(s, e->linear_coef[k] * w->scale);
        else
            mli_str_i64(s, e->linear_feature[k]);
    }
    mli_str_char(s, '\n');
}

static void put_linear(const writer *w, int64_t t)
{
    const mli_ensemble *e = &w->x->e;
    mli_str *s = w->x->s, counts;
    double base = t < e->n_scores ? e->base[t] : 0;
    int any = 0;
    mli_str_init(&counts, s->ctx);
    mli_str_add(s, "is_linear=1\nleaf_const=");
    for (int64_t i = e->start[t]; i < e->start[t + 1]; i++) {
        if (e->left[i]) continue;
        int64_t n = e->linear_start[i + 1] - e->linear_start[i];
        if (any) mli_str_char(s, ' ');
        put_f64(s, (base + (n ? e->linear_const[i] : e->value[i])) * w->scale);
        mli_str_printf(&counts, any++ ? " %lld" : "%lld", (long long)n);
    }
    mli_str_printf(s, "\nnum_features=%s\n", counts.data ? counts.data : "");
    if (counts.failed) s->failed = 1;
    mli_str_free(&counts);
    put_terms(w, t, 0);
    put_terms(w, t, 1);
}

static void put_tree(const writer *w, int64_t t)
{
    static const struct {
        const char *key;
        int field;
    } arrays[] = {{"split_feature", FEATURE}, {"split_gain", GAIN},
                  {"threshold", THRESHOLD},   {"decision_type", DECISION},
                  {"left_child", LEFT},       {"right_child", RIGHT}};
    const mli_ensemble *e = &w->x->e;
    mli_str *s = w->x->s;
    int32_t leaves = number_nodes(w, t);
    int64_t sets = 0;
    for (int64_t i = e->start[t]; i < e->start[t + 1]; i++) sets += is_set(e, i);
    mli_str_printf(s, "Tree=%lld\nnum_leaves=%d\nnum_cat=%lld\n", (long long)t, leaves,
                   (long long)sets);
    for (size_t a = 0; leaves > 1 && a < sizeof arrays / sizeof arrays[0]; a++)
        put_array(w, t, arrays[a].key, arrays[a].field);
    put_array(w, t, "leaf_value", VALUE);
    if (leaves > 1) {
        put_array(w, t, "leaf_weight", LEAF_WEIGHT);
        put_array(w, t, "internal_value", INNER);
        put_array(w, t, "internal_weight", COVER);
        if (sets) put_sets(w, t);
    }
    if (e->linear_start)
        put_linear(w, t);
    else
        mli_str_add(s, "is_linear=0\n");
    mli_str_add(s, "shrinkage=1\n\n\n");
}

/* ---- head and tail ---- */

static int has_sets(const mli_export_job *x, int64_t j)
{
    return x->inputs->features[j].kind == MLI_CATEGORICAL ||
           (x->e.n_sets && x->e.level_start[j + 1] > x->e.level_start[j]);
}

/* Names are separated by spaces, and must not have what JSON would escape. */
static void put_name(mli_str *s, const char *name)
{
    for (const char *p = name; *p; p++)
        mli_str_char(s, (unsigned char)*p <= ' ' || strchr("\"\\,:[]{}=", *p) ? '_' : *p);
}

static void put_head(const writer *w)
{
    const mli_export_job *x = w->x;
    mli_str *s = x->s;
    int64_t n = x->e.n_features, k = x->e.n_scores;
    mli_str_printf(s,
                   "tree\nversion=v4\nnum_class=%lld\nnum_tree_per_iteration=%lld\n"
                   "label_index=0\nmax_feature_idx=%lld\nobjective=%s",
                   (long long)k, (long long)k, (long long)(n - 1), w->objective);
    if (strncmp(w->objective, "multiclass", 10) == 0)
        mli_str_printf(s, " num_class:%lld", (long long)k);
    if (strcmp(w->objective, "multiclassova") == 0) mli_str_add(s, " sigmoid:1");
    mli_str_add(s, "\nfeature_names=");
    for (int64_t j = 0; j < n; j++) {
        if (j) mli_str_char(s, ' ');
        put_name(s, x->inputs->features[j].name);
    }
    mli_str_add(s, "\nfeature_infos=");
    for (int64_t j = 0; j < n; j++) {
        if (j) mli_str_char(s, ' ');
        if (!has_sets(x, j)) {
            mli_str_add(s, "[-1e+300:1e+300]");
            continue;
        }
        int64_t levels = x->e.n_sets ? x->e.level_start[j + 1] - x->e.level_start[j]
                                     : x->inputs->features[j].levels.n;
        for (int64_t c = 0; c < levels; c++)
            mli_str_printf(s, c ? ":%lld" : "%lld", (long long)c);
        if (levels == 0) mli_str_add(s, "none");
    }
    mli_str_add(s, "\n\n");
}

static void put_levels(mli_str *s, const mli_dictionary *d)
{
    mli_str_char(s, '[');
    for (int64_t k = 0; k < d->n; k++) {
        if (k) mli_str_add(s, ", ");
        mli_json_str_n(s, d->bytes + d->offsets[k],
                       (size_t)(d->offsets[k + 1] - d->offsets[k]));
    }
    mli_str_char(s, ']');
}

/* The names of categories are of use for data frames, where all such columns have them.
 */
static void put_tail(const writer *w)
{
    const mli_export_job *x = w->x;
    mli_str *s = x->s;
    int named = 0, plain = 0, any = 0;
    mli_str_add(s, "end of trees\n\nparameters:\n[categorical_feature: ");
    for (int64_t j = 0; j < x->e.n_features; j++) {
        if (!has_sets(x, j)) continue;
        mli_str_printf(s, any++ ? ",%lld" : "%lld", (long long)j);
        if (x->inputs->features[j].kind == MLI_CATEGORICAL)
            named = 1;
        else
            plain = 1;
    }
    mli_str_add(s, "]\nend of parameters\n\npandas_categorical:");
    any = 0;
    if (!named || plain) {
        mli_str_add(s, "null\n");
        return;
    }
    mli_str_char(s, '[');
    for (int64_t j = 0; j < x->e.n_features; j++) {
        if (!has_sets(x, j)) continue;
        if (any++) mli_str_add(s, ", ");
        put_levels(s, &x->inputs->features[j].levels);
    }
    mli_str_add(s, "]\n");
}

ml_status mli_export_lightgbm(mli_export_job *x)
{
    writer w = {.x = x};
    int64_t most = 1;
    ml_status status = choose_objective(&w);
    if (!status) status = check(x);
    if (status) return status;
    for (int64_t t = 0; t < x->e.n_trees; t++)
        if (x->e.start[t + 1] - x->e.start[t] > most)
            most = x->e.start[t + 1] - x->e.start[t];
    w.number = mli_calloc(x->s->ctx, (size_t)most, sizeof *w.number);
    if (!w.number) return mli_nomem(x->err);
    put_head(&w);
    for (int64_t t = 0; t < x->e.n_trees; t++) put_tree(&w, t);
    put_tail(&w);
    mli_free(x->s->ctx, w.number);
    return ML_OK;
}
