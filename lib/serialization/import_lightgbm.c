/* SPDX-License-Identifier: MIT
 *
 * import_lightgbm.c: the text in which LightGBM saves its models (versions v2 to v4).
 *
 *   tree
 *   key=value                 of the model, up to the first tree
 *   Tree=0
 *   key=value value ...       one line per array, up to the next tree
 *   end of trees              importances, parameters, pandas_categorical:[[...]]
 *
 * Children are node numbers, leaves their complement. A row goes left when x <=
 * threshold. What is missing depends on the node: nothing (NaN counts as 0), NaN, or NaN
 * and numbers near 0. Categories of a bit set go left; all others and missing ones go
 * right.
 */
#include "serialization/import.h"
#include "serialization/import_value.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define KEYS_MAX 64

typedef struct entry {
    const char *key, *value;
    size_t key_size, value_size;
} entry;

/* Lines of one part of the file. */
typedef struct block {
    entry entry[KEYS_MAX];
    int n;
    int64_t line; /* of its begin */
} block;

typedef struct lgb {
    mli_import *im;
    const char *at, *end;
    int64_t line;
    block block;
    int average;            /* the mean of the rounds */
    int64_t tree, expected; /* trees by the head; -1: it does not say */
    mli_import_node *nodes;
    int64_t capacity;
    double *number; /* scratch for one array */
    int64_t number_capacity;
} lgb;

/* ---- lines ---- */

/* The next line without its end; 0 at the end of the text. */
static int next_line(lgb *l, const char **line, size_t *size)
{
    if (l->at >= l->end) return 0;
    const char *end = memchr(l->at, '\n', (size_t)(l->end - l->at));
    if (!end) end = l->end;
    *line = l->at;
    *size = (size_t)(end - l->at);
    l->at = end < l->end ? end + 1 : end;
    l->line++;
    if (*size && (*line)[*size - 1] == '\r') --*size;
    return 1;
}

static int starts(const char *line, size_t size, const char *with)
{
    size_t n = strlen(with);
    return size >= n && memcmp(line, with, n) == 0;
}

/* Old versions leave the line "end of trees" out. */
static int ends_trees(const char *line, size_t size)
{
    return starts(line, size, "end of trees") ||
           starts(line, size, "feature importances") ||
           starts(line, size, "feature_importances");
}

/* Reads lines up to one that starts a tree or ends them, which stays unread. */
static void read_block(lgb *l)
{
    const char *line;
    size_t size;
    block *b = &l->block;
    b->n = 0;
    b->line = l->line + 1;
    for (;;) {
        const char *before = l->at;
        int64_t at = l->line;
        if (!next_line(l, &line, &size)) return;
        if (starts(line, size, "Tree=") || ends_trees(line, size)) {
            l->at = before;
            l->line = at;
            return;
        }
        const char *equals = size ? memchr(line, '=', size) : NULL;
        if (!size || b->n == KEYS_MAX) continue;
        size_t key = equals ? (size_t)(equals - line) : size;
        b->entry[b->n++] = (entry){line, line + key + (equals != NULL), key,
                                   size - key - (equals != NULL)};
    }
}

static const entry *find(const lgb *l, const char *key)
{
    size_t n = strlen(key);
    for (int i = 0; i < l->block.n; i++) {
        const entry *e = &l->block.entry[i];
        if (e->key_size == n && memcmp(e->key, key, n) == 0) return e;
    }
    return NULL;
}

/* ---- values ---- */

static ml_status fail(const lgb *l, ml_status status, const char *key, const char *what)
{
    mli_fail(l->im->err, status, "\"%s\" %s", key, what);
    if (l->tree < 0) return mli_error_at(l->im->err, status, "the model's head");
    return mli_error_at(l->im->err, status, "tree %lld, from line %lld",
                        (long long)l->tree, (long long)l->block.line);
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The next word of a value; 0: none. */
static int next_word(const char **at, const char *end, const char **word, size_t *size)
{
    while (*at < end && is_blank(**at)) ++*at;
    *word = *at;
    while (*at < end && !is_blank(**at)) ++*at;
    *size = (size_t)(*at - *word);
    return *size > 0;
}

static ml_status reserve_numbers(lgb *l, int64_t n)
{
    if (n <= l->number_capacity) return ML_OK;
    mli_free(l->im->ctx, l->number);
    l->number = mli_alloc(l->im->ctx, (size_t)n * sizeof *l->number);
    l->number_capacity = l->number ? n : 0;
    return l->number ? ML_OK : mli_nomem(l->im->err);
}

/* Exactly n numbers into l->number. */
static ml_status numbers(lgb *l, const char *key, int64_t n)
{
    const entry *e = find(l, key);
    const char *word;
    size_t size;
    if (!e) return fail(l, ML_E_FORMAT, key, "is missing");
    if ((int64_t)e->value_size / 2 + 1 < n) /* before memory is asked for */
        return fail(l, ML_E_FORMAT, key, "has too few numbers");
    ml_status s = reserve_numbers(l, n);
    if (s) return s;
    const char *at = e->value, *end = e->value + e->value_size;
    for (int64_t i = 0; i < n; i++) {
        if (!next_word(&at, end, &word, &size))
            return fail(l, ML_E_FORMAT, key, "has too few numbers");
        if (!mli_parse_f64(word, word + size, &l->number[i]))
            return fail(l, ML_E_FORMAT, key, "holds something that is not a number");
    }
    if (next_word(&at, end, &word, &size))
        return fail(l, ML_E_FORMAT, key, "has too many numbers");
    return ML_OK;
}

static ml_status whole(lgb *l, const char *key, int64_t dflt, int64_t low, int64_t high,
                       int64_t *out)
{
    const entry *e = find(l, key);
    *out = dflt;
    if (!e && dflt >= low) return ML_OK;
    if (!e) return fail(l, ML_E_FORMAT, key, "is missing");
    if (mli_parse_i64(e->value, e->value + e->value_size, out) && *out >= low &&
        *out <= high)
        return ML_OK;
    return fail(l, ML_E_FORMAT, key, "is not a whole number in its range");
}

/* ---- the head ---- */

static const struct {
    const char *name, *param;
    int32_t link;
    int classes;
} objectives[] = {
    {"regression", "squared", 0, 0},
    {"regression_l1", "absolute", 0, 0},
    {"huber", "huber", 0, 0},
    {"fair", "squared", 0, 0},
    {"poisson", "poisson", 0, 0},
    {"quantile", "quantile", 0, 0},
    {"mape", "absolute", 0, 0},
    {"gamma", "gamma", 0, 0},
    {"tweedie", "tweedie", 0, 0},
    {"cross_entropy", "squared", MLI_LINK_SIGMOID, 0},
    {"xentropy", "squared", MLI_LINK_SIGMOID, 0},
    {"cross_entropy_lambda", "squared", MLI_LINK_SOFTPLUS, 0},
    {"xentlambda", "squared", MLI_LINK_SOFTPLUS, 0},
    {"lambdarank", "squared", 0, 0},
    {"rank_xendcg", "squared", 0, 0},
    {"custom", "squared", 0, 0},
    {"binary", "logistic", 0, 2},
    {"multiclass", "softmax", 0, -1},
    {"multiclassova", "softmax", MLI_LINK_SIGMOID, -1},
};
#define N_OBJECTIVES (int)(sizeof objectives / sizeof objectives[0])

/* "binary sigmoid:1", "regression sqrt", "multiclass num_class:5". */
static ml_status read_objective(lgb *l, int64_t classes)
{
    mli_import *im = l->im;
    const entry *e = find(l, "objective");
    const char *at = e ? e->value : "custom", *end = at + (e ? e->value_size : 6), *word;
    size_t size;
    int i = 0;
    if (!next_word(&at, end, &word, &size))
        return fail(l, ML_E_FORMAT, "objective", "is empty");
    snprintf(im->objective, sizeof im->objective, "%.*s",
             (int)(end - word < 120 ? end - word : 120), word);
    while (i < N_OBJECTIVES && (strlen(objectives[i].name) != size ||
                                memcmp(objectives[i].name, word, size) != 0))
        i++;
    if (i == N_OBJECTIVES)
        return fail(l, ML_E_UNSUPPORTED, "objective", "is one that is not known here");
    im->param = objectives[i].param;
    im->link = objectives[i].link;
    while (next_word(&at, end, &word, &size)) {
        if (size == 4 && memcmp(word, "sqrt", 4) == 0) im->link = MLI_LINK_SQUARE;
        if (starts(word, size, "sigmoid:") &&
            !mli_parse_f64(word + 8, word + size, &im->link_scale))
            return fail(l, ML_E_FORMAT, "objective",
                        "has a sigmoid that is not a number");
    }
    if (im->link_scale != 1 && !im->link) im->link = MLI_LINK_SIGMOID;
    im->n_classes = objectives[i].classes < 0 ? classes : objectives[i].classes;
    int own = strcmp(objectives[i].name, "custom") == 0; /* any number of scores */
    if (objectives[i].classes < 0 ? classes < 2 : classes != 1 && !own)
        return fail(l, ML_E_UNSUPPORTED, "num_class", "does not fit the objective");
    return ML_OK;
}

static ml_status read_names(lgb *l, int64_t n)
{
    mli_import *im = l->im;
    const entry *e = find(l, "feature_names");
    ml_status s = mli_import_features(im, n);
    if (s || !e) return s;
    const char *at = e->value, *end = e->value + e->value_size, *word;
    size_t size;
    for (int64_t j = 0; !s && j < n; j++) {
        if (!next_word(&at, end, &word, &size))
            return fail(l, ML_E_FORMAT, "feature_names", "has too few names");
        s = mli_import_name(im, j, word, size);
    }
    if (!s && next_word(&at, end, &word, &size))
        return fail(l, ML_E_FORMAT, "feature_names", "has too many names");
    return s;
}

static void count_trees(lgb *l)
{
    const entry *e = find(l, "tree_sizes");
    const char *at = e ? e->value : NULL, *word;
    size_t size;
    l->expected = e ? 0 : -1;
    while (e && next_word(&at, e->value + e->value_size, &word, &size)) l->expected++;
}

static ml_status read_head(lgb *l)
{
    mli_import *im = l->im;
    int64_t last, classes, per_round;
    l->tree = -1;
    read_block(l);
    const entry *version = find(l, "version");
    snprintf(im->system, sizeof im->system, "LightGBM (text %.*s)",
             version && version->value_size < 16 ? (int)version->value_size : 0,
             version ? version->value : "");
    ml_status s = whole(l, "max_feature_idx", -1, 0, 16777215, &last);
    if (!s) s = whole(l, "num_class", -1, 1, 65536, &classes);
    if (!s) s = whole(l, "num_tree_per_iteration", classes, 1, 65536, &per_round);
    if (!s && per_round != classes)
        s = fail(l, ML_E_UNSUPPORTED, "num_tree_per_iteration", "is not num_class");
    if (!s) s = read_objective(l, classes);
    if (!s) s = read_names(l, last + 1);
    if (!s) s = mli_import_scores(im, per_round);
    if (find(l, "average_output")) l->average = 1;
    count_trees(l);
    return s;
}

/* ---- trees ---- */

static ml_status child_of(lgb *l, const char *key, double v, int64_t leaves, int64_t *out)
{
    if (!(v >= (double)-leaves && v < (double)(leaves - 1)) || floor(v) != v)
        return fail(l, ML_E_FORMAT, key, "names a node that is not there");
    /* Leaf number k has the place leaves - 1 + k. */
    *out = v >= 0 ? (int64_t)v : leaves - 2 - (int64_t)v;
    return ML_OK;
}

static ml_status read_children(lgb *l, int64_t leaves)
{
    ml_status s = numbers(l, "left_child", leaves - 1);
    for (int64_t i = 0; !s && i < leaves - 1; i++)
        s = child_of(l, "left_child", l->number[i], leaves, &l->nodes[i].left);
    if (!s) s = numbers(l, "right_child", leaves - 1);
    for (int64_t i = 0; !s && i < leaves - 1; i++)
        s = child_of(l, "right_child", l->number[i], leaves, &l->nodes[i].right);
    return s;
}

/* Optional arrays: of the splits (at 0) or of the leaves (at leaves - 1). */
static ml_status read_facts(lgb *l, const char *key, int64_t from, int64_t n,
                            size_t field)
{
    if (!find(l, key)) return ML_OK;
    const entry *e = find(l, key);
    if (e->value_size == 0) return ML_OK; /* some versions leave them empty */
    ml_status s = numbers(l, key, n);
    for (int64_t i = 0; !s && i < n; i++)
        memcpy((char *)&l->nodes[from + i] + field, &l->number[i], sizeof(double));
    return s;
}

static ml_status read_features_of_splits(lgb *l, int64_t splits)
{
    ml_status s = numbers(l, "split_feature", splits);
    for (int64_t i = 0; !s && i < splits; i++) {
        double v = l->number[i];
        if (!(v >= 0 && v < (double)l->im->n_features) || floor(v) != v)
            return fail(l, ML_E_FORMAT, "split_feature",
                        "names a feature that the model does not have");
        l->nodes[i].feature = (int32_t)v;
    }
    return s;
}

/* ---- categories ---- */

/* The bits of words [from, to) of cat_threshold, as a set of the node. */
static ml_status bits_to_set(lgb *l, const double *words, int64_t n, mli_import_node *p)
{
    int64_t count = 0, room = 32 * n;
    int32_t *codes = mli_alloc(l->im->ctx, (size_t)room * sizeof *codes + 8);
    if (!codes) return mli_nomem(l->im->err);
    ml_status s = ML_OK;
    for (int64_t w = 0; !s && w < n; w++) {
        if (!(words[w] >= 0 && words[w] <= 4294967295.0) || floor(words[w]) != words[w])
            s = fail(l, ML_E_FORMAT, "cat_threshold", "is not made of 32-bit words");
        uint32_t bits = s ? 0 : (uint32_t)words[w];
        for (int b = 0; b < 32; b++)
            if (bits >> b & 1) codes[count++] = (int32_t)(32 * w + b);
    }
    if (!s) s = mli_import_add_set(l->im, p->feature, 1, 0, codes, count, &p->set);
    mli_free(l->im->ctx, codes);
    return s;
}

/* l->number holds cat_threshold, bound [n_cat + 1] its parts. */
static ml_status fill_sets(lgb *l, int64_t splits, const uint8_t *categorical,
                           const double *bound, int64_t n_cat, int64_t n_words)
{
    ml_status s = ML_OK;
    for (int64_t i = 0; !s && i < splits; i++) {
        if (!categorical[i]) continue;
        double k = l->nodes[i].threshold;
        if (!(k >= 0 && k < (double)n_cat) || floor(k) != k)
            return fail(l, ML_E_FORMAT, "threshold", "names a set that is not there");
        double from = bound[(int64_t)k], to = bound[(int64_t)k + 1];
        if (!(from >= 0 && from <= to && to <= (double)n_words) || floor(from) != from)
            return fail(l, ML_E_FORMAT, "cat_boundaries", "does not fit cat_threshold");
        s = bits_to_set(l, l->number + (int64_t)from, (int64_t)to - (int64_t)from,
                        &l->nodes[i]);
    }
    return s;
}

static ml_status read_sets(lgb *l, int64_t splits, const uint8_t *categorical,
                           int64_t n_cat)
{
    ml_status s = numbers(l, "cat_boundaries", n_cat + 1);
    if (s) return s;
    double *bound = mli_alloc(l->im->ctx, (size_t)(n_cat + 1) * sizeof *bound);
    if (!bound) return mli_nomem(l->im->err);
    memcpy(bound, l->number, (size_t)(n_cat + 1) * sizeof *bound);
    double n = bound[n_cat];
    if (!(n >= 0 && n <= 1e9) || floor(n) != n)
        s = fail(l, ML_E_FORMAT, "cat_boundaries", "does not fit cat_threshold");
    if (!s) s = numbers(l, "cat_threshold", (int64_t)n);
    if (!s) s = fill_sets(l, splits, categorical, bound, n_cat, (int64_t)n);
    mli_free(l->im->ctx, bound);
    return s;
}

/* ---- decisions ---- */

static ml_status zero_is_missing(lgb *l, int32_t feature)
{
    mli_import *im = l->im;
    if (!im->zero_missing)
        im->zero_missing = mli_calloc(im->ctx, (size_t)im->n_features, 1);
    if (!im->zero_missing) return mli_nomem(im->err);
    im->zero_missing[feature] = 1;
    return ML_OK;
}

/* decision_type: bit 0 categories, bit 1 missing goes left, bits 2 and 3 what is missing:
 * 0 nothing, 1 NaN and zero, 2 NaN. */
static ml_status decide(lgb *l, mli_import_node *p, int type, uint8_t *categorical)
{
    *categorical = type & 1;
    if (type & 1) return ML_OK;
    p->missing_left = (type & 2) != 0;
    switch (type >> 2 & 3) {
    case 0:
        p->missing_left = p->threshold >= 0;
        return ML_OK;
    case 1:
        return zero_is_missing(l, p->feature);
    case 2:
        return ML_OK;
    default:
        return fail(l, ML_E_FORMAT, "decision_type", "holds an unknown type");
    }
}

static ml_status read_decisions(lgb *l, int64_t splits, uint8_t *categorical)
{
    ml_status s = numbers(l, "threshold", splits);
    for (int64_t i = 0; !s && i < splits; i++) l->nodes[i].threshold = l->number[i];
    if (!s) s = numbers(l, "decision_type", splits);
    for (int64_t i = 0; !s && i < splits; i++) {
        double v = l->number[i];
        if (!(v >= 0 && v < 16) || floor(v) != v)
            return fail(l, ML_E_FORMAT, "decision_type", "holds an unknown type");
        s = decide(l, &l->nodes[i], (int)v, &categorical[i]);
    }
    return s;
}

static ml_status read_splits(lgb *l, int64_t leaves, int64_t n_cat)
{
    int64_t splits = leaves - 1;
    if (splits == 0) return ML_OK;
    uint8_t *categorical = mli_calloc(l->im->ctx, (size_t)splits, 1);
    if (!categorical) return mli_nomem(l->im->err);
    ml_status s = read_children(l, leaves);
    if (!s) s = read_features_of_splits(l, splits);
    if (!s) s = read_decisions(l, splits, categorical);
    if (!s && n_cat > 0) s = read_sets(l, splits, categorical, n_cat);
    mli_free(l->im->ctx, categorical);
    if (!s) s = read_facts(l, "split_gain", 0, splits, offsetof(mli_import_node, gain));
    /* LightGBM explains its models by counts of rows. */
    if (!s)
        s = read_facts(l, "internal_weight", 0, splits, offsetof(mli_import_node, cover));
    if (!s)
        s = read_facts(l, "internal_count", 0, splits, offsetof(mli_import_node, cover));
    return s;
}

static ml_status reserve_nodes(lgb *l, int64_t n)
{
    if (n > l->capacity) {
        mli_free(l->im->ctx, l->nodes);
        l->nodes = mli_alloc(l->im->ctx, (size_t)n * sizeof *l->nodes);
        l->capacity = l->nodes ? n : 0;
    }
    for (int64_t i = 0; i < l->capacity && i < n; i++)
        l->nodes[i] = (mli_import_node){.left = -1, .right = -1, .set = -1};
    return l->nodes ? ML_OK : mli_nomem(l->im->err);
}

/* Linear functions of the leaves: a constant and so many features and coefficients. */
static ml_status read_linear(lgb *l, int64_t leaves)
{
    mli_import *im = l->im;
    mli_import_node *leaf = l->nodes + leaves - 1;
    int64_t n = 0;
    ml_status s = numbers(l, "leaf_const", leaves);
    for (int64_t i = 0; !s && i < leaves; i++) leaf[i].constant = l->number[i];
    if (!s) s = numbers(l, "num_features", leaves);
    for (int64_t i = 0; !s && i < leaves; i++) {
        double v = l->number[i];
        if (!(v >= 0 && v <= (double)im->n_features) || floor(v) != v)
            return fail(l, ML_E_FORMAT, "num_features", "does not fit the features");
        leaf[i].term = n;
        leaf[i].n_terms = (int64_t)v;
        n += (int64_t)v;
    }
    if (!s) s = numbers(l, "leaf_features", n);
    int64_t first = s ? 0 : mli_import_add_terms(im, n);
    if (first < 0) return mli_nomem(im->err);
    for (int64_t k = 0; !s && k < n; k++) {
        double v = l->number[k];
        if (!(v >= 0 && v < (double)im->n_features) || floor(v) != v)
            return fail(l, ML_E_FORMAT, "leaf_features", "names an unknown feature");
        im->terms.feature[first + k] = (int32_t)v;
    }
    if (!s) s = numbers(l, "leaf_coeff", n);
    for (int64_t k = 0; !s && k < n; k++) im->terms.coef[first + k] = l->number[k];
    for (int64_t i = 0; !s && i < leaves; i++) {
        if (leaf[i].n_terms == 0) leaf[i].value = leaf[i].constant;
        leaf[i].term += first;
    }
    im->terms.on = 1;
    return s;
}

static ml_status read_tree(lgb *l)
{
    int64_t leaves, n_cat, linear;
    const entry *values = find(l, "leaf_value");
    ml_status s = whole(l, "num_leaves", -1, 1, 1000000000, &leaves);
    if (!s) s = whole(l, "num_cat", 0, 0, 1000000000, &n_cat);
    if (!s) s = whole(l, "is_linear", 0, 0, 1, &linear);
    if (!s && (!values || leaves > (int64_t)values->value_size))
        s = fail(l, ML_E_FORMAT, "leaf_value", "has too few numbers");
    if (!s) s = reserve_nodes(l, 2 * leaves - 1);
    if (!s) s = numbers(l, "leaf_value", leaves);
    for (int64_t i = 0; !s && i < leaves; i++)
        l->nodes[leaves - 1 + i].value = l->number[i];
    if (!s && leaves > 1)
        s = read_facts(l, "leaf_weight", leaves - 1, leaves,
                       offsetof(mli_import_node, cover));
    if (!s && leaves > 1)
        s = read_facts(l, "leaf_count", leaves - 1, leaves,
                       offsetof(mli_import_node, cover));
    if (!s && n_cat > 0 && !find(l, "cat_boundaries"))
        s = fail(l, ML_E_FORMAT, "cat_boundaries", "is missing");
    if (!s) s = read_splits(l, leaves, n_cat);
    if (!s && linear) s = read_linear(l, leaves);
    if (s) return s;
    return mli_import_tree(l->im, l->nodes, 2 * leaves - 1, l->tree % l->im->n_scores);
}

static ml_status check_count(lgb *l)
{
    int64_t n = l->tree;
    l->tree = -1;
    return l->expected < 0 || l->expected == n
               ? ML_OK
               : fail(l, ML_E_FORMAT, "tree_sizes", "lists another number of trees");
}

static ml_status read_trees(lgb *l)
{
    const char *line;
    size_t size;
    ml_status s = ML_OK;
    l->tree = 0;
    while (!s && next_line(l, &line, &size)) {
        if (ends_trees(line, size)) return check_count(l);
        read_block(l);
        s = read_tree(l);
        l->tree++;
    }
    if (s) return s;
    mli_fail(l->im->err, ML_E_FORMAT, "the text ends before the line \"end of trees\"");
    return mli_error_at(l->im->err, ML_E_FORMAT, "line %lld", (long long)l->line);
}

/* A random forest's prediction is the link of the mean of its rounds; its raw score is
 * their sum. */
static void take_mean(lgb *l)
{
    mli_import *im = l->im;
    static const struct {
        const char *param;
        int32_t link;
    } links[] = {{"logistic", MLI_LINK_SIGMOID},
                 {"softmax", MLI_LINK_SOFTMAX},
                 {"poisson", MLI_LINK_EXP},
                 {"gamma", MLI_LINK_EXP},
                 {"tweedie", MLI_LINK_EXP}};
    for (size_t i = 0; !im->link && i < sizeof links / sizeof links[0]; i++)
        if (strcmp(links[i].param, im->param) == 0) im->link = links[i].link;
    if (!im->link) im->link = MLI_LINK_IDENTITY;
    im->link_scale *= (double)im->n_scores / (double)im->trees.n_trees;
}

/* ---- names of categories ---- */

/* The features that the parameters call categorical, "[categorical_feature: 3,4]", in
 * order; n receives their number, list may be NULL. */
static int categorical_features(const char *text, const char *end, int64_t *list,
                                int64_t limit, int64_t *n)
{
    static const char key[] = "[categorical_feature: ";
    size_t size = sizeof key - 1;
    *n = 0;
    for (const char *p = text; p && p + size < end;
         p = memchr(p + 1, '[', (size_t)(end - p - 1))) {
        if (memcmp(p, key, size) != 0) continue;
        for (p += size; p < end;) {
            const char *stop = p;
            while (stop < end && *stop >= '0' && *stop <= '9') stop++;
            int64_t v;
            if (!mli_parse_i64(p, stop, &v) || *n >= limit) return 0;
            list[(*n)++] = v;
            if (stop >= end || *stop != ',') return stop < end && *stop == ']';
            p = stop + 1;
        }
    }
    return 0;
}

static ml_status name_levels(lgb *l, int64_t feature, const mli_item *names)
{
    char text[MLI_NUM_SIZE];
    if (names->n == 0) return ML_OK;
    ml_status s = mli_import_levels(l->im, feature, names->n);
    for (int64_t k = 0; !s && k < names->n; k++) {
        const mli_item *name = names->type == MLI_V_NUMBERS ? NULL : &names->as.items[k];
        double v = name ? name->as.number : names->as.numbers[k];
        if (name && name->type == MLI_V_TEXT)
            s = mli_import_level(l->im, feature, k, name->as.text, (size_t)name->n);
        else if (name ? name->truth : names->truth)
            s = mli_import_level(l->im, feature, k, v != 0 ? "true" : "false",
                                 v != 0 ? 4 : 5);
        else if (!name || name->type == MLI_V_NUMBER)
            s = mli_import_level(l->im, feature, k, text,
                                 (size_t)mli_format_f64(v, text));
        else
            s = fail(l, ML_E_FORMAT, "pandas_categorical",
                     "holds something that is not a name");
    }
    return s;
}

/* `pandas_categorical:[["a", "b"], [1, 2]]`: the categories of a data frame's columns. */
static ml_status read_pandas(lgb *l)
{
    static const char key[] = "pandas_categorical:";
    const char *line, *rest = l->at;
    size_t size;
    int64_t list[1024], n;
    while (next_line(l, &line, &size)) {
        if (!starts(line, size, key)) continue;
        mli_doc doc;
        ml_status s = mli_doc_json(l->im->ctx, line + sizeof key - 1,
                                   size - (sizeof key - 1), &doc, l->im->err);
        if (s) return s;
        const mli_item *all = &doc.root;
        int known = all->type == MLI_V_ARRAY && all->n > 0 &&
                    categorical_features(rest, line, list, 1024, &n) && n == all->n;
        for (int64_t i = 0; known && !s && i < n; i++) {
            int32_t type = all->as.items[i].type;
            if (list[i] >= l->im->n_features ||
                (type != MLI_V_ARRAY && type != MLI_V_NUMBERS))
                s = fail(l, ML_E_FORMAT, "pandas_categorical", "is damaged");
            else
                s = name_levels(l, list[i], &all->as.items[i]);
        }
        mli_doc_free(&doc);
        return s;
    }
    return ML_OK;
}

ml_status mli_import_lightgbm(mli_import *im, const char *text, size_t size)
{
    lgb l = {.im = im, .at = text, .end = text + size};
    ml_status s = read_head(&l);
    if (!s) s = read_trees(&l);
    if (!s && l.average && im->trees.n_trees) take_mean(&l);
    l.tree = -1;
    if (!s) s = read_pandas(&l);
    mli_free(im->ctx, l.nodes);
    mli_free(im->ctx, l.number);
    return s;
}
