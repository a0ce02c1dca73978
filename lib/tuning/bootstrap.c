/* SPDX-License-Identifier: MIT
 *
 * bootstrap.c: 95 % intervals of metrics by the bootstrap (Efron, Tibshirani, "An
 * introduction to the bootstrap", 1993). A sample is a set of weights, how often each row
 * was drawn, and all metrics are computed of the same samples.
 *
 * Few rows: the interval is that of the percentiles of many samples. Many rows: fewer
 * samples are enough, since metrics are nearly normal, and the interval comes from their
 * standard deviation; a row is in a sample as often as a Poisson variable says, which
 * needs no draw with a random address (Chamandy and others, "Estimating uncertainty for
 * massive data streams", 2012). Of very many rows some stand for all: each for the rows
 * of its class that were left out, with the variance that they would have (Kleiner and
 * others, "A scalable bootstrap for massive data", 2014, here with all rows of small
 * classes, and all errors far out).
 *
 * Cost: about SAMPLES_MIN * ROWS rows for each metric, however many there are.
 */
#include "tuning/bootstrap.h"
#include "core/parallel.h"
#include "core/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES_MAX 400
#define SAMPLES_MIN 80
#define ROWS        25000 /* that stand for all; with many classes fewer, down to: */
#define ROWS_MIN    5000
#define FAR         4    /* deviations */
#define DRAWN       5000 /* units: from here on by Poisson weights */

typedef struct bootstrap {
    ml_context *ctx;
    mli_truth truth; /* of the rows that stand for all; its arrays are owned */
    double *prediction[MLI_NEEDS_COUNT];
    double *stands; /* [rows] for how many rows each stands */
    int thinned;    /* not all rows are here */
    int64_t **order;
    const mli_metric_options *options;
    const mli_judged *judged;
    int64_t n_metrics, samples;
    double *values; /* [metrics][samples], NaN where the metric is not defined */
    atomic_int nomem;
} bootstrap;

/* ---- the rows that stand for all ---- */

static int64_t rows_for(const mli_truth *t)
{
    double most = t->n_classes > 3 ? ROWS * 3.0 / (double)t->n_classes : ROWS;
    if (t->group) return t->n; /* groups are drawn whole */
    if (!t->label) return 2 * ROWS;
    return most > ROWS_MIN ? (int64_t)most : ROWS_MIN;
}

typedef struct stratum {
    int64_t all, wanted; /* its rows, and those that stand for them */
    int64_t left, missing;
} stratum;

/* Classes; of values the errors far out, which decide how wide an interval is, and the
 * others. */
typedef struct strata {
    const mli_truth *truth;
    const double *value; /* NULL: classes, or errors that are not looked at */
    double far;
    stratum *s;
    int64_t n;
} strata;

static stratum *stratum_of(const strata *x, int64_t row)
{
    const mli_truth *t = x->truth;
    if (t->label) return &x->s[t->label[row]];
    return &x->s[x->value && fabs(t->y[row] - x->value[row]) > x->far];
}

static void find_far(strata *x, const double *value)
{
    const mli_truth *t = x->truth;
    double squares = 0;
    if (!value || !t->y || t->ys) return;
    for (int64_t i = 0; i < t->n; i++)
        squares += (t->y[i] - value[i]) * (t->y[i] - value[i]);
    x->far = FAR * sqrt(squares / (double)t->n);
    x->value = value;
}

/* Of each as many rows as of the others, where there are so many. */
static void divide(const strata *x)
{
    const mli_truth *t = x->truth;
    int64_t present = 0, most = rows_for(t);
    for (int64_t i = 0; i < t->n; i++) present += stratum_of(x, i)->all++ == 0;
    for (int64_t c = 0; c < x->n; c++) {
        stratum *s = &x->s[c];
        int64_t share = t->n <= most ? t->n : most / present + 1;
        s->left = s->all;
        s->missing = s->wanted = s->all < share ? s->all : share;
    }
}

/* rows: those chosen, in the order of mli_rank_rows (NULL: their own). Returns how many.
 */
static int64_t choose(const strata *x, const int64_t *order, int64_t *rows,
                      double *stands)
{
    int64_t n = 0;
    mli_rng rng;
    mli_rng_init(&rng, 0, (uint64_t)x->truth->n, 0x726f7773 /* "rows" */);
    divide(x);
    for (int64_t i = 0; i < x->truth->n; i++) {
        int64_t r = order ? order[i] / 2 : i;
        stratum *s = stratum_of(x, r);
        int takes = s->missing == s->left ||
                    mli_rng_f64(&rng) * (double)s->left < (double)s->missing;
        s->left--;
        if (!takes) continue;
        s->missing--;
        stands[n] = (double)s->all / (double)s->wanted;
        rows[n++] = r;
    }
    return n;
}

/* Those rows of an array of `size` bytes a row; NULL stays NULL. */
static void *gather(bootstrap *b, const void *from, size_t size, const int64_t *rows)
{
    int64_t n = b->truth.n;
    char *to = from ? mli_alloc_vec(b->ctx, n, size) : NULL;
    if (from && !to) atomic_store(&b->nomem, 1);
    for (int64_t i = 0; to && i < n; i++)
        memcpy(to + (size_t)i * size, (const char *)from + (size_t)rows[i] * size, size);
    return to;
}

static void take_rows(bootstrap *b, const mli_truth *t, double *const *predictions,
                      const int64_t *rows)
{
    mli_truth *own = &b->truth;
    size_t targets = t->ys ? (size_t)t->n_targets : 1, number = sizeof(double);
    const size_t width[MLI_NEEDS_COUNT] = {0, targets, 1, (size_t)t->n_classes, targets};
    own->y = gather(b, t->y, number, rows);
    own->ys = gather(b, t->ys, targets * number, rows);
    own->label = gather(b, t->label, sizeof *t->label, rows);
    own->weight = gather(b, t->weight, number, rows);
    own->event = gather(b, t->event, number, rows);
    for (int k = 1; k < MLI_NEEDS_COUNT; k++)
        b->prediction[k] = gather(b, predictions[k], width[k] * number, rows);
}

/* The rows by each class's probability, once for all samples. */
static void rank(bootstrap *b, const double *proba)
{
    mli_truth *t = &b->truth;
    if (!proba) return;
    b->order = mli_calloc(b->ctx, (size_t)t->n_classes, sizeof *b->order);
    int made = b->order != NULL;
    for (int64_t c = t->n_classes == 2; c < t->n_classes && made; c++)
        made = (b->order[c] = mli_rank_rows(b->ctx, t, proba, c)) != NULL;
    if (!made) atomic_store(&b->nomem, 1);
    t->order = b->order;
}

/* Of two classes the rows are put in the order of their probability, so that metrics of
 * rankings read memory in order. */
static void prepare(bootstrap *b, const mli_truth *t, double *const *predictions)
{
    const int64_t *order = t->order && t->n_classes == 2 ? t->order[1] : NULL;
    strata x = {.truth = t, .n = t->label ? t->n_classes : 2};
    int64_t *rows = mli_alloc_vec(b->ctx, t->n, sizeof *rows);
    x.s = mli_calloc(b->ctx, (size_t)x.n, sizeof *x.s);
    b->stands = mli_alloc_vec(b->ctx, t->n, sizeof *b->stands);
    find_far(&x, predictions[MLI_NEEDS_VALUE]);
    if (rows && x.s && b->stands) {
        b->truth.n = choose(&x, order, rows, b->stands);
        take_rows(b, t, predictions, rows);
    } else {
        atomic_store(&b->nomem, 1);
    }
    mli_free(b->ctx, rows);
    mli_free(b->ctx, x.s);
    if (!atomic_load(&b->nomem)) rank(b, b->prediction[MLI_NEEDS_PROBA]);
}

static void bootstrap_free(bootstrap *b)
{
    const void *const arrays[] = {b->truth.y,      b->truth.ys,    b->truth.label,
                                  b->truth.weight, b->truth.event, b->stands,
                                  b->values};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++)
        mli_free(b->ctx, (void *)(uintptr_t)arrays[k]);
    for (int k = 1; k < MLI_NEEDS_COUNT; k++) mli_free(b->ctx, b->prediction[k]);
    for (int64_t c = 0; b->order && c < b->truth.n_classes; c++)
        mli_free(b->ctx, b->order[c]);
    mli_free(b->ctx, b->order);
}

/* ---- samples ---- */

/* Of 256 equally likely bytes, how many are at least k + 1 of a Poisson variable of mean
 * 1: mean 1.004, variance 1.004. */
static const uint8_t poisson_below[] = {94, 188, 235, 251, 255};

static int poisson_of(uint32_t byte)
{
    int count = 0;
    for (size_t k = 0; k < sizeof poisson_below; k++) count += byte >= poisson_below[k];
    return count;
}

/* A row (or group) of the sample, `times` times. */
static void add_unit(const bootstrap *b, int64_t unit, int times, double *weight)
{
    const mli_truth *t = &b->truth;
    int64_t begin = unit, end = unit + 1;
    if (t->group) {
        begin = t->group[unit];
        end = t->group[unit + 1];
    }
    for (int64_t r = begin; r < end; r++) {
        double n = b->stands[r]; /* mean and variance */
        weight[r] += (n + sqrt(n) * (times - 1)) * mli_truth_weight(t, r);
    }
}

/* The weights of a sample: how often each row is in it, times its own. */
static void draw_sample(const bootstrap *b, int64_t task, double *weight)
{
    const mli_truth *t = &b->truth;
    int64_t units = t->group ? t->n_groups : t->n;
    uint32_t bits = 0;
    mli_rng rng;
    mli_rng_init(&rng, 0, (uint64_t)task, 0x626f6f74 /* "boot" */);
    for (int64_t i = 0; i < units; i++, bits >>= 8) {
        if (!b->thinned && units < DRAWN) {
            add_unit(b, mli_rng_below(&rng, units), 1, weight);
            continue;
        }
        if (i % 4 == 0) bits = mli_rng_u32(&rng);
        add_unit(b, i, poisson_of(bits & 255), weight);
    }
}

static void bootstrap_task(void *arg, int64_t task, int32_t slot)
{
    (void)slot;
    bootstrap *b = arg;
    double *weight = mli_calloc(b->ctx, (size_t)b->truth.n, sizeof *weight), value;
    if (!weight) {
        atomic_store(&b->nomem, 1);
        return;
    }
    draw_sample(b, task, weight);
    mli_truth sample = b->truth;
    sample.weight = weight;
    for (int64_t k = 0; k < b->n_metrics; k++) {
        const mli_metric *m = b->judged[k].metric;
        ml_status st = mli_metric_score(m, b->ctx, &sample, b->prediction[m->needs],
                                        b->options, &value, NULL);
        if (st == ML_E_MEMORY) atomic_store(&b->nomem, 1);
        b->values[k * b->samples + task] = st ? NAN : value;
    }
    mli_free(b->ctx, weight);
}

/* ---- intervals ---- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The interval about the value with the standard deviation of its samples, no wider than
 * they lie about their mean: metrics have bounds. */
static void normal(const double *values, int64_t n, mli_judged *j)
{
    double mean = 0, squares = 0, below = 0, above = 0;
    for (int64_t i = 0; i < n; i++) mean += values[i] / (double)n;
    for (int64_t i = 0; i < n; i++) {
        double d = values[i] - mean;
        squares += d * d;
        below = fmax(below, -d);
        above = fmax(above, d);
    }
    double half = 1.959963984540054 * sqrt(squares / (double)(n - 1));
    j->low = j->value - fmin(half, below);
    j->high = j->value + fmin(half, above);
}

/* The 2.5 % and 97.5 % points of the samples that are defined; of few (which is, of many
 * rows) the interval of a normal variable. */
static void percentiles(double *values, int64_t n, mli_judged *j)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++)
        if (!isnan(values[i])) values[kept++] = values[i];
    j->low = j->high = NAN;
    if (kept < SAMPLES_MIN / 4) return;
    if (n < SAMPLES_MAX) {
        normal(values, kept, j);
        return;
    }
    qsort(values, (size_t)kept, sizeof *values, ascending);
    j->low = values[(int64_t)(0.025 * (double)(kept - 1) + 0.5)];
    j->high = values[(int64_t)(0.975 * (double)(kept - 1) + 0.5)];
}

/* Few samples of many rows or classes, and many of few. */
static int64_t samples_for(const mli_truth *given, int64_t rows)
{
    int64_t most = given->group ? ROWS : rows_for(given); /* groups: all rows */
    if (most == ROWS_MIN) most = ROWS * 3 / given->n_classes;
    int64_t n = SAMPLES_MIN * most / rows;
    return n < SAMPLES_MIN ? SAMPLES_MIN : n > SAMPLES_MAX ? SAMPLES_MAX : n;
}

ml_status mli_bootstrap(ml_context *ctx, const mli_truth *truth,
                        double *const predictions[MLI_NEEDS_COUNT],
                        const mli_metric_options *options, mli_judged *judged, int64_t n,
                        ml_error *err)
{
    bootstrap b = {.ctx = ctx,
                   .truth = {.n_classes = truth->n_classes,
                             .n_targets = truth->n_targets,
                             .n_groups = truth->n_groups,
                             .group = truth->group},
                   .options = options,
                   .judged = judged,
                   .n_metrics = n};
    atomic_init(&b.nomem, 0);
    prepare(&b, truth, predictions);
    b.thinned = b.truth.n < truth->n;
    b.samples = samples_for(truth, b.truth.n + 1);
    b.values = mli_alloc_vec(ctx, n * b.samples, sizeof *b.values);
    if (!b.values) atomic_store(&b.nomem, 1);
    if (!atomic_load(&b.nomem)) mli_parallel(ctx, b.samples, bootstrap_task, &b);
    for (int64_t k = 0; k < n && !atomic_load(&b.nomem); k++)
        percentiles(b.values + k * b.samples, b.samples, &judged[k]);
    bootstrap_free(&b);
    return atomic_load(&b.nomem) ? mli_nomem(err) : ML_OK;
}
