/* SPDX-License-Identifier: MIT
 *
 * import_finish.c: the libml model of a collected one.
 *
 * Categories. Of each feature with sets, the codes 0 .. n - 1 that occur, "any other" and
 * "missing" are divided into classes that no set tells apart: all start in one, and each
 * set divides the classes that it cuts. Classes are the bins. Cost: the sum of the sizes
 * of the sets.
 */
#include "core/hashmap.h"
#include "serialization/import.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define CODES_MAX 67108864 /* of all features together */
#define BINS_MAX  65536

/* ---- inputs ---- */

static ml_status feature_name(mli_import *im, int64_t j, mli_map *seen, char **out)
{
    char text[32];
    const char *name = im->features[j].name;
    snprintf(text, sizeof text, "f%lld", (long long)j);
    if (!name || !name[0]) name = text;
    if (mli_map_find(seen, name, strlen(name)) >= 0)
        return mli_fail(im->err, ML_E_FORMAT, "two features have the name \"%s\"", name);
    *out = mli_strdup(im->ctx, name);
    if (!*out || mli_map_add(seen, name, strlen(name)) < 0) return mli_nomem(im->err);
    return ML_OK;
}

typedef struct level {
    const char *text;
    int64_t code;
} level;

static int by_text(const level *a, const level *b)
{
    return strcmp(a->text, b->text); /* bytes: shorter first on a tie */
}

/* Merge sort, since qsort has no place for failures and may use the heap. */
static void sort_levels(level *v, level *other, int64_t n)
{
    if (n < 2) return;
    int64_t half = n / 2, i = 0, j = half;
    sort_levels(v, other, half);
    sort_levels(v + half, other, n - half);
    memcpy(other, v, (size_t)n * sizeof *v);
    for (int64_t k = 0; k < n; k++) {
        int left = j >= n || (i < half && by_text(&other[i], &other[j]) <= 0);
        v[k] = left ? other[i++] : other[j++];
    }
}

/* rank[code] is the place of a level among the sorted ones. */
static ml_status make_levels(mli_import *im, int64_t j, mli_dictionary *out,
                             int64_t *rank)
{
    const mli_import_feature *f = &im->features[j];
    int64_t n = f->n_levels, size = 0, *offsets;
    char *bytes;
    level *v = mli_calloc(im->ctx, (size_t)n * 2, sizeof *v);
    if (!v) return mli_nomem(im->err);
    for (int64_t k = 0; k < n; k++) {
        v[k] = (level){f->levels[k] ? f->levels[k] : "", k};
        size += (int64_t)strlen(v[k].text);
    }
    sort_levels(v, v + n, n);
    ml_status status =
        mli_dictionary_new(im->ctx, n, size, out, &bytes, &offsets, im->err);
    for (int64_t k = 0; !status && k < n; k++) {
        size_t length = strlen(v[k].text);
        if (k && by_text(&v[k - 1], &v[k]) == 0)
            status = mli_fail(im->err, ML_E_FORMAT,
                              "feature %lld has the category \"%s\" twice", (long long)j,
                              v[k].text);
        memcpy(bytes + offsets[k], v[k].text, length);
        offsets[k + 1] = offsets[k] + (int64_t)length;
        rank[v[k].code] = k;
    }
    mli_free(im->ctx, v);
    return status;
}

static ml_status make_labels(mli_import *im, mli_dictionary *out)
{
    int64_t n = im->n_classes, size = 0, *offsets;
    char *bytes, text[32];
    if (n == 0) return ML_OK;
    for (int64_t k = 0; k < n; k++)
        size += im->labels ? (int64_t)strlen(im->labels[k] ? im->labels[k] : "") : 24;
    ml_status status =
        mli_dictionary_new(im->ctx, n, size, out, &bytes, &offsets, im->err);
    for (int64_t k = 0; !status && k < n; k++) {
        snprintf(text, sizeof text, "%lld", (long long)k);
        const char *label = im->labels ? im->labels[k] : text;
        size_t length = label ? strlen(label) : 0;
        if (length) memcpy(bytes + offsets[k], label, length);
        offsets[k + 1] = offsets[k] + (int64_t)length;
    }
    return status;
}

/* Several targets: target_0, target_1, ... */
static ml_status make_targets(mli_import *im, mli_inputs *in)
{
    size_t room = strlen(im->target) + 24;
    char *name = mli_alloc(im->ctx, room);
    in->targets = mli_calloc(im->ctx, (size_t)im->n_scores, sizeof *in->targets);
    ml_status status = name && in->targets ? ML_OK : mli_nomem(im->err);
    for (int64_t k = 0; !status && k < im->n_scores; k++, in->n_targets++) {
        snprintf(name, room, "%s_%lld", im->target, (long long)k);
        in->targets[k] = mli_strdup(im->ctx, name);
        if (!in->targets[k]) status = mli_nomem(im->err);
        if (status) break;
    }
    if (!status) in->target = mli_strdup(im->ctx, in->targets[0]);
    mli_free(im->ctx, name);
    return status || in->target ? status : mli_nomem(im->err);
}

/* rank [n_features]: NULL for features without named categories. */
ml_status mli_import_make_inputs(mli_import *im, int64_t **rank, mli_inputs **out)
{
    mli_map seen;
    ml_status status = mli_inputs_new(im->ctx, im->n_features, out, im->err);
    if (status) return status;
    mli_inputs *in = *out;
    mli_map_init(&seen, im->ctx);
    for (int64_t j = 0; !status && j < im->n_features; j++) {
        mli_feature *f = &in->features[j];
        f->kind = MLI_NUMERIC;
        f->type = ML_DTYPE_F64;
        f->hashed = im->features[j].hashed;
        if (f->hashed) f->type = ML_TYPE_CATEGORY;
        status = feature_name(im, j, &seen, &f->name);
        if (status || !im->features[j].levels) continue;
        f->kind = MLI_CATEGORICAL;
        f->type = ML_TYPE_CATEGORY;
        rank[j] =
            mli_alloc(im->ctx, (size_t)im->features[j].n_levels * sizeof **rank + 8);
        status = rank[j] ? make_levels(im, j, &f->levels, rank[j]) : mli_nomem(im->err);
    }
    mli_map_free(&seen);
    if (status) return status;
    in->task = im->n_classes ? MLI_TASK_CLASSIFICATION : MLI_TASK_REGRESSION;
    in->target_type = im->n_classes ? ML_TYPE_CATEGORY : ML_DTYPE_F64;
    if (im->n_classes == 0 && im->n_scores > 1) return make_targets(im, in);
    in->target = mli_strdup(im->ctx, im->target);
    if (!in->target) return mli_nomem(im->err);
    return make_labels(im, &in->classes);
}

/* ---- categories ---- */

/* The codes of one feature and their classes. */
typedef struct codes {
    int64_t n;       /* codes; then come "any other" and "missing" */
    int32_t *class_; /* [n + 2] */
    int32_t bins;
} codes;

/* map [bins]: scratch, all -1 before and after; touched [n]: scratch. */
static void divide(codes *c, const int32_t *member, int64_t n, int32_t *map,
                   int32_t *touched)
{
    int32_t bins = c->bins;
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) {
        int32_t *k = &c->class_[member[i]];
        if (*k >= bins) continue; /* a code that is listed twice */
        if (map[*k] < 0) {
            touched[count++] = *k;
            map[*k] = c->bins++;
        }
        *k = map[*k];
    }
    for (int64_t i = 0; i < count; i++) map[touched[i]] = -1;
}

/* Leaves out classes that have become empty. */
static void number_classes(codes *c, int32_t *map)
{
    int32_t bins = 0;
    for (int64_t i = 0; i < c->n + 2; i++) {
        int32_t *k = &c->class_[i];
        if (map[*k] < 0) map[*k] = bins++;
        *k = map[*k];
    }
    for (int32_t k = 0; k < c->bins; k++) map[k] = -1;
    c->bins = bins;
}

/* Is "missing" on the side of the members? */
static int missing_is_member(const mli_import_set *s)
{
    return !s->in_left == !s->missing_left;
}

typedef struct finisher {
    mli_import *im;
    mli_inputs *inputs;
    int64_t **rank;
    codes *codes;  /* [n_features] */
    int64_t words; /* of a set */
    int wide, own_missing;
    ml_params *params;
    ml_model *model;
} finisher;

static ml_status count_codes(finisher *f)
{
    mli_import *im = f->im;
    int64_t total = 0;
    for (int64_t j = 0; j < im->n_features; j++) f->codes[j].n = im->features[j].n_levels;
    for (int64_t s = 0; s < im->n_sets; s++) {
        codes *c = &f->codes[im->sets[s].feature];
        const int32_t *member = im->n_codes ? im->codes + im->sets[s].begin : NULL;
        for (int64_t i = 0; i < im->sets[s].n; i++) {
            if (member[i] < 0)
                return mli_fail(im->err, ML_E_FORMAT, "a split has a negative category");
            if (member[i] < c->n) continue;
            if (im->features[im->sets[s].feature].levels)
                return mli_fail(
                    im->err, ML_E_FORMAT,
                    "a split on feature %d has the category %d, but only %lld "
                    "are named",
                    im->sets[s].feature, member[i], (long long)c->n);
            c->n = member[i] + 1;
        }
    }
    for (int64_t j = 0; j < im->n_features; j++) total += f->codes[j].n;
    if (total > CODES_MAX)
        return mli_fail(im->err, ML_E_UNSUPPORTED,
                        "the model has more than %d categories", CODES_MAX);
    return ML_OK;
}

static ml_status divide_all(finisher *f)
{
    mli_import *im = f->im;
    int64_t room = im->n_codes + im->n_sets + 2;
    int32_t *map = mli_alloc(im->ctx, (size_t)room * sizeof *map);
    int32_t *member = mli_alloc(im->ctx, (size_t)room * 2 * sizeof *member);
    ml_status status = map && member ? ML_OK : mli_nomem(im->err);
    for (int64_t i = 0; map && i < room; i++) map[i] = -1;
    for (int64_t j = 0; !status && j < im->n_features; j++) {
        codes *c = &f->codes[j];
        c->class_ = mli_calloc(im->ctx, (size_t)c->n + 2, sizeof *c->class_);
        c->bins = 1;
        if (!c->class_) status = mli_nomem(im->err);
    }
    for (int64_t s = 0; !status && s < im->n_sets; s++) {
        const mli_import_set *set = &im->sets[s];
        codes *c = &f->codes[set->feature];
        int64_t n = set->n;
        if (n) memcpy(member, im->codes + set->begin, (size_t)n * sizeof *member);
        if (missing_is_member(set)) member[n++] = (int32_t)c->n + 1;
        divide(c, member, n, map, member + room);
        if (c->bins > BINS_MAX) number_classes(c, map);
    }
    for (int64_t j = 0; !status && j < im->n_features; j++)
        number_classes(&f->codes[j], map);
    mli_free(im->ctx, map);
    mli_free(im->ctx, member);
    return status;
}

static ml_status measure(finisher *f)
{
    f->words = 8;
    for (int64_t j = 0; j < f->im->n_features; j++) {
        const codes *c = &f->codes[j];
        if (c->bins > BINS_MAX)
            return mli_fail(f->im->err, ML_E_UNSUPPORTED,
                            "the splits on feature %lld tell %d groups of categories "
                            "apart, more than %d",
                            (long long)j, c->bins, BINS_MAX);
        if (c->bins > 256) f->wide = 1;
        if ((c->bins + 31) / 32 > f->words) f->words = (c->bins + 31) / 32;
        if (c->class_[c->n] != c->class_[c->n + 1]) f->own_missing = 1;
    }
    return ML_OK;
}

static void put_bin(const finisher *f, void *to, int64_t i, int32_t bin)
{
    if (f->wide)
        ((uint16_t *)to)[i] = (uint16_t)bin;
    else
        ((uint8_t *)to)[i] = (uint8_t)bin;
}

static ml_status write_levels(finisher *f)
{
    mli_import *im = f->im;
    int64_t n = im->n_features, starts = n + 1, total = 0, *start;
    int32_t type = f->wide ? ML_DTYPE_U16 : ML_DTYPE_U8;
    void *bin, *other, *missing = NULL;
    for (int64_t j = 0; j < n; j++) total += f->codes[j].n;
    ml_status s =
        mli_model_add(f->model, "level_start", ML_DTYPE_I64, 1, &starts, &start, im->err);
    if (!s) s = mli_model_add(f->model, "level_bin", type, 1, &total, &bin, im->err);
    if (!s) s = mli_model_add(f->model, "level_other", type, 1, &n, &other, im->err);
    if (!s && f->own_missing)
        s = mli_model_add(f->model, "level_missing", type, 1, &n, &missing, im->err);
    for (int64_t j = 0; !s && j < n; j++) {
        const codes *c = &f->codes[j];
        start[j + 1] = start[j] + c->n;
        for (int64_t k = 0; k < c->n; k++)
            put_bin(f, bin, start[j] + (f->rank[j] ? f->rank[j][k] : k), c->class_[k]);
        put_bin(f, other, j, c->class_[c->n]);
        if (missing) put_bin(f, missing, j, c->class_[c->n + 1]);
    }
    return s;
}

static void fill_set(const finisher *f, const mli_import_set *s, uint32_t *to)
{
    const codes *c = &f->codes[s->feature];
    for (int64_t i = 0; i <= s->n; i++) {
        if (i == s->n && !missing_is_member(s)) break;
        int32_t bin = c->class_[i < s->n ? f->im->codes[s->begin + i] : c->n + 1];
        to[bin >> 5] |= 1U << (bin & 31);
    }
    if (s->in_left) return;
    for (int32_t bin = 0; bin < c->bins; bin++) to[bin >> 5] ^= 1U << (bin & 31);
}

static ml_status write_sets(finisher *f)
{
    mli_import *im = f->im;
    int64_t n = im->trees.n_nodes, shape[2] = {im->n_sets, f->words};
    int32_t *node_set;
    uint32_t *sets;
    ml_status s =
        mli_model_add(f->model, "node_set", ML_DTYPE_I32, 1, &n, &node_set, im->err);
    if (!s) s = mli_model_add(f->model, "sets", ML_DTYPE_U32, 2, shape, &sets, im->err);
    if (s) return s;
    for (int64_t i = 0; i < n; i++) node_set[i] = im->trees.node[i].set;
    for (int64_t i = 0; i < im->n_sets; i++)
        fill_set(f, &im->sets[i], sets + i * f->words);
    return write_levels(f);
}

static ml_status write_categories(finisher *f)
{
    if (f->im->n_sets == 0) return ML_OK;
    ml_status status = count_codes(f);
    if (!status) status = divide_all(f);
    if (!status) status = measure(f);
    return status ? status : write_sets(f);
}

/* ---- trees ---- */

/* Tree t must add to score t % n_scores. */
static int in_order(const mli_import *im)
{
    if (im->trees.n_trees % im->n_scores) return 0;
    for (int64_t t = 0; t < im->trees.n_trees; t++)
        if (im->score[t] != t % im->n_scores) return 0;
    return 1;
}

/* Tree t, or one leaf of 0 for t = -1, behind the others. */
static ml_status copy_tree(mli_import *im, int64_t t, mli_ensemble_builder *to)
{
    mli_ensemble_node *nodes;
    int64_t first = t < 0 ? 0 : im->trees.start[t];
    int64_t n = t < 0 ? 1 : im->trees.start[t + 1] - first;
    ml_status status = mli_ensemble_builder_tree(to, n, &nodes, im->err);
    if (status) return status;
    if (t >= 0)
        memcpy(nodes, im->trees.node + first, (size_t)n * sizeof *nodes);
    else
        nodes[0] = (mli_ensemble_node){.feature = -1, .set = -1};
    return ML_OK;
}

static ml_status order_trees(mli_import *im)
{
    mli_ensemble_builder sorted;
    int64_t *next = mli_calloc(im->ctx, (size_t)im->n_scores, sizeof *next);
    if (!next) return mli_nomem(im->err);
    mli_ensemble_builder_init(&sorted, im->ctx);
    ml_status status = ML_OK;
    for (int more = 1; !status && more;) {
        more = 0;
        for (int64_t k = 0; k < im->n_scores; k++) {
            while (next[k] < im->trees.n_trees && im->score[next[k]] != k) next[k]++;
            more |= next[k] < im->trees.n_trees;
        }
        for (int64_t k = 0; more && !status && k < im->n_scores; k++) {
            int there = next[k] < im->trees.n_trees;
            status = copy_tree(im, there ? next[k]++ : -1, &sorted);
        }
    }
    mli_free(im->ctx, next);
    if (status) {
        mli_ensemble_builder_free(&sorted);
        return status;
    }
    mli_ensemble_builder_free(&im->trees);
    im->trees = sorted;
    return ML_OK;
}

/* An ensemble has at least one tree: the tensors' shapes then need no special case. */
static ml_status arrange(mli_import *im)
{
    ml_status status = ML_OK;
    if (im->trees.n_trees && !in_order(im)) {
        if (!im->terms.on) return order_trees(im);
        return mli_fail(im->err, ML_E_FORMAT, "the trees are not in order");
    }
    for (int64_t k = 0; !status && im->trees.n_trees < im->n_scores; k++)
        status = copy_tree(im, -1, &im->trees);
    return status;
}

/* ---- the model ---- */

static ml_status make_params(finisher *f, const mli_algorithm *gbdt)
{
    mli_import *im = f->im;
    ml_params *p = NULL;
    int64_t rounds = im->trees.n_trees / im->n_scores;
    ml_status s = ml_params_new(im->ctx, &p, im->err);
    if (!s)
        s = ml_params_set_str(p, "objective", im->param ? im->param : "auto", im->err);
    if (!s)
        s = ml_params_set_i64(p, "n_trees", rounds < 100000 ? rounds : 100000, im->err);
    if (!s) s = ml_params_set_str(p, "target", im->target, im->err);
    if (!s)
        s = ml_params_set_str(p, "task", im->n_classes ? "classification" : "regression",
                              im->err);
    if (!s) s = mli_params_resolve(im->ctx, &gbdt->head, p, &f->params, im->err);
    ml_params_free(p);
    return s;
}

static ml_status write_link(finisher *f)
{
    mli_import *im = f->im;
    int64_t one = 1, n = im->n_features;
    uint8_t *link, *zero, *sums;
    ml_status s = ML_OK;
    if (im->link)
        s = mli_model_add(f->model, "link", ML_DTYPE_U8, 1, &one, &link, im->err);
    if (!s && im->link) *link = (uint8_t)im->link;
    if (!s && im->link && im->link_scale != 1)
        s = mli_model_add_f64s(f->model, "link_scale", &im->link_scale, 1, im->err);
    if (!s && im->float_sums)
        s = mli_model_add(f->model, "float_sums", ML_DTYPE_U8, 1, &one, &sums, im->err);
    if (!s && im->float_sums) *sums = 1;
    if (s || !im->zero_missing) return s;
    s = mli_model_add(f->model, "zero_missing", ML_DTYPE_U8, 1, &n, &zero, im->err);
    if (!s) memcpy(zero, im->zero_missing, (size_t)n);
    return s;
}

ml_status mli_import_note(mli_import *im, ml_model *model)
{
    mli_model_note_str(model, "imported_from", im->system);
    mli_model_note_str(model, "imported_objective", im->objective);
    ml_status s = mli_model_seal(model, im->err);
    if (s) return s;
    atomic_store(&model->unchecked, 1);
    return mli_model_check(model, im->err);
}

/* Linear functions of leaves: see trees/ensemble.h. */
static ml_status write_terms(finisher *f)
{
    const mli_import_terms *t = &f->im->terms;
    int64_t nodes = f->im->trees.n_nodes, starts = nodes + 1, n = 0, *start;
    double *constant, *coef;
    int32_t *feature;
    ml_error *err = f->im->err;
    if (!t->on) return ML_OK;
    for (int64_t i = 0; i < t->n_nodes; i++) n += t->node[i].n;
    if (n == 0) return ML_OK; /* constants are in the nodes */
    ml_status s =
        mli_model_add(f->model, "linear_start", ML_DTYPE_I64, 1, &starts, &start, err);
    if (!s)
        s = mli_model_add(f->model, "linear_const", ML_DTYPE_F64, 1, &nodes, &constant,
                          err);
    if (!s)
        s = mli_model_add(f->model, "linear_feature", ML_DTYPE_I32, 1, &n, &feature, err);
    if (!s) s = mli_model_add(f->model, "linear_coef", ML_DTYPE_F64, 1, &n, &coef, err);
    n = 0;
    for (int64_t i = 0; !s && i < nodes; i++) {
        start[i] = n;
        for (int64_t k = 0; i < t->n_nodes && k < t->node[i].n; k++, n++) {
            feature[n] = t->feature[t->node[i].first + k];
            coef[n] = t->coef[t->node[i].first + k];
        }
        constant[i] = i < t->n_nodes ? t->node[i].constant : 0;
    }
    if (!s) start[nodes] = n;
    return s;
}

static ml_status build(finisher *f, const mli_algorithm *gbdt)
{
    mli_import *im = f->im;
    int64_t sets = im->trees.n_sets;
    ml_status s = arrange(im);
    if (!s) s = mli_import_make_inputs(im, f->rank, &f->inputs);
    if (!s) s = make_params(f, gbdt);
    if (!s) s = mli_model_new(im->ctx, gbdt, f->params, f->inputs, &f->model, im->err);
    im->trees.n_sets = 0; /* they are ours to write */
    if (!s) s = mli_ensemble_builder_write(&im->trees, f->model, im->err);
    im->trees.n_sets = sets;
    if (!s) s = write_categories(f);
    if (!s) s = mli_import_write_crosses(im, f->rank, f->model);
    if (!s)
        s = mli_model_add_f64s(f->model, "base_score", im->base, im->n_scores, im->err);
    if (!s) s = write_link(f);
    if (!s) s = write_terms(f);
    if (s) return s;
    mli_model_note_i64(f->model, "trees", im->trees.n_trees);
    return mli_import_note(im, f->model);
}

ml_status mli_import_finish(mli_import *im, ml_model **out)
{
    const mli_algorithm *gbdt = (const mli_algorithm *)mli_catalog_find("gbdt");
    finisher f = {.im = im};
    int64_t n = im->n_features;
    f.rank = mli_calloc(im->ctx, (size_t)n, sizeof *f.rank);
    f.codes = mli_calloc(im->ctx, (size_t)n, sizeof *f.codes);
    ml_status status = f.rank && f.codes ? build(&f, gbdt) : mli_nomem(im->err);
    for (int64_t j = 0; j < n; j++) {
        if (f.rank) mli_free(im->ctx, f.rank[j]);
        if (f.codes) mli_free(im->ctx, f.codes[j].class_);
    }
    mli_free(im->ctx, f.rank);
    mli_free(im->ctx, f.codes);
    mli_inputs_free(f.inputs);
    ml_params_free(f.params);
    if (status)
        ml_model_free(f.model);
    else
        *out = f.model;
    return status;
}
