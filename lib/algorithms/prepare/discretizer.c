/* SPDX-License-Identifier: MIT
 *
 * prepare/discretizer.c: numbers into bins of equal width or equally many training
 * values.
 *
 * Tensors: edges f64 [all]: the inner edges of each picked feature's bins; start i64
 * [features + 1]. Cost: a pass for bins of equal width; else places of the sorted order
 * of each column, or its sort where there are many bins.
 */
#include "algorithms/prepare/prepare.h"

#include <math.h>
#include <string.h>

#define FEW    64 /* bins whose edges are found without sorting all */
#define EDGES  f64[0]
#define START  i64[0]
#define ONEHOT option[0]
#define NARROW 1e-8 /* bins no wider, or such a part of small values, join the next */

typedef struct {
    double *edges; /* [features][bins + 1] */
    int64_t bins;
    int uniform;
} binning;

static void find_edges(void *arg, int64_t j, double *sorted, int64_t n)
{
    const binning *b = arg;
    double *e = b->edges + j * (b->bins + 1);
    for (int64_t k = 0; k <= b->bins; k++)
        e[k] = mli_quantile(sorted, n, mli_even_place(0, 1, k, b->bins + 1));
}

static void edges_of_range(const binning *b, const uint8_t *picked, int64_t n,
                           const mli_moments *m)
{
    for (int64_t j = 0; j < n; j++) {
        double *e = b->edges + j * (b->bins + 1);
        double width = (m[j].max - m[j].min) / (double)b->bins;
        for (int64_t k = 0; picked[j] && k <= b->bins; k++)
            e[k] = !m[j].present  ? NAN
                   : k == b->bins ? m[j].max
                                  : m[j].min + (double)k * width;
    }
}

static ml_status place_edges(mli_fit *job, binning *b, const uint8_t *picked,
                             ml_error *err)
{
    mli_moments *m = NULL;
    double q[FEW];
    ml_status status =
        mli_prepare_moments(job->train, picked, MLI_NO_SQUARES, job->run, &m, err);
    if (!status && b->uniform) edges_of_range(b, picked, job->train->n_features, m);
    mli_free(job->ctx, m);
    if (status || b->uniform) return status;
    if (b->bins >= FEW)
        return mli_prepare_sorted(job->train, picked, job->run, find_edges, b, err);
    for (int64_t k = 0; k <= b->bins; k++) q[k] = mli_even_place(0, 1, k, b->bins + 1);
    return mli_prepare_ranked(job->train, picked, q, b->bins + 1, job->run, find_edges, b,
                              err);
}

/* The inner edges, without those of bins that are too narrow: of the edges kept all but
 * the first and the last. */
static int64_t inner(const binning *b, int64_t j, double *to)
{
    const double *e = b->edges + j * (b->bins + 1);
    double narrow = NARROW * fmin(1, fmax(fabs(e[0]), fabs(e[b->bins])));
    int64_t n = 0, last = 0;
    for (int64_t k = 1; k <= b->bins; k++) {
        if (!(e[k] - e[k - 1] > (b->uniform ? 0 : narrow))) continue;
        if (last > 0) to[n++] = e[last];
        last = k;
    }
    return n;
}

static ml_status add(mli_fit *job, const binning *b, const uint8_t *picked, ml_error *err)
{
    int64_t n = job->train->n_features, n1 = n + 1, total = 0, *start;
    double *edges, *kept = mli_calloc(job->ctx, (size_t)(b->bins + 1), sizeof *kept);
    if (!kept) return mli_nomem(err);
    ml_status status =
        mli_model_add(job->model, "start", ML_DTYPE_I64, 1, &n1, &start, err);
    for (int64_t j = 0; j < n && !status; j++) {
        start[j] = total;
        if (picked[j]) total += inner(b, j, kept);
    }
    if (!status) start[n] = total;
    if (!status)
        status = mli_model_add(job->model, "edges", ML_DTYPE_F64, 1, &total, &edges, err);
    for (int64_t j = 0; j < n && !status; j++)
        if (picked[j]) inner(b, j, edges + start[j]);
    mli_free(job->ctx, kept);
    return status;
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    uint8_t *picked = NULL;
    binning b = {.bins = mli_get_i64(job->params, "bins"),
                 .uniform = strcmp(mli_get_str(job->params, "strategy"), "uniform") == 0};
    ml_status status = mli_prepare_picked(job, MLI_TAKES_NUMBERS, &picked, err);
    if (status) return status;
    b.edges = mli_calloc(job->ctx, (size_t)(job->train->n_features * (b.bins + 1)),
                         sizeof *b.edges);
    status = b.edges ? place_edges(job, &b, picked, err) : mli_nomem(err);
    if (!status) status = add(job, &b, picked, err);
    mli_free(job->ctx, b.edges);
    mli_free(job->ctx, picked);
    return status;
}

/* ---- the plan ---- */

static ml_status load(mli_prepared *t, ml_error *err)
{
    int64_t total = -1;
    t->ONEHOT = strcmp(mli_get_str(t->model->params, "encode"), "one_hot") == 0;
    ml_status status =
        mli_model_want(t->model, "edges", ML_DTYPE_F64, 1, &total, &t->EDGES, err);
    return status ? status : mli_prepare_offsets(t, "start", total, &t->START, err);
}

static int64_t width(const mli_prepared *t, int64_t j)
{
    return t->ONEHOT ? t->START[j + 1] - t->START[j] + 1 : 1;
}

static ml_status describe(const mli_prepared *t, int64_t j, mli_feature *out,
                          ml_error *err)
{
    const char *name = t->in->features[j].name;
    ml_status status = ML_OK;
    if (!t->ONEHOT) return mli_prepare_name(t, out, err, "%s", name);
    for (int64_t k = 0; k < width(t, j) && !status; k++)
        status = mli_prepare_name(t, &out[k], err, "%s in bin %d", name, (int)k);
    return status;
}

/* How many edges are at or below x. */
static int64_t bin_of(const double *e, int64_t n, double x)
{
    int64_t low = 0, high = n;
    if (n < FEW / 4) { /* cheaper than to guess which way the search turns */
        for (int64_t k = 0; k < n; k++) low += e[k] <= x;
        return low;
    }
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (e[middle] <= x)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void map(const mli_prepared *t, int64_t j, const double *in, int64_t stride,
                int64_t n, double *out, int64_t out_stride)
{
    const double *e = t->EDGES + t->START[j];
    int64_t edges = t->START[j + 1] - t->START[j], wide = width(t, j);
    for (int64_t i = 0; i < n; i++) {
        double x = in[i * stride], *to = out + i * out_stride;
        int64_t bin = isnan(x) ? -1 : bin_of(e, edges, x);
        if (!t->ONEHOT) {
            *to = bin < 0 ? NAN : (double)bin;
            continue;
        }
        memset(to, 0, (size_t)wide * sizeof *to);
        if (bin >= 0) to[bin] = 1;
    }
}

static const mli_transformer kind = {.takes = MLI_TAKES_NUMBERS,
                                     .load = load,
                                     .width = width,
                                     .describe = describe,
                                     .map = map};
MLI_PREPARE_FUNCTIONS(kind)

static const mli_param params[] = {
    MLI_PARAM_COLUMNS,
    {"bins", "n_bins", ML_PARAM_I64, 0, "5", "[2, 10000]", "[2, 50]", NULL,
     "Bins per column; fewer where several would hold the same value.", "0.1"},
    {"strategy", NULL, ML_PARAM_STR, 0, "quantile", "{quantile, uniform}",
     "{quantile, uniform}", NULL,
     "quantile: bins with equally many training values. uniform: of equal width.", "0.1"},
    {"encode", NULL, ML_PARAM_STR, 0, "ordinal", "{ordinal, one_hot}", NULL, NULL,
     "The number of the bin, or a column of 0 and 1 per bin.", "0.1"},
    MLI_PARAM_END};

static const mli_attribute attributes[] = {
    {"edges", "f64", "[edges]", "The inner edges of the bins."},
    {"start", "i64", "[features + 1]", "Where the edges of each column begin."},
    {NULL, NULL, NULL, NULL}};

extern const mli_algorithm mli_discretizer;
const mli_algorithm mli_discretizer = {
    .head = {MLI_PREPARE_HEAD, .name = "discretizer",
             .aliases = "k_bins_discretizer,binning", .title = "numbers into bins",
             .doc = "Cuts each column into bins and gives their numbers. Missing values "
                    "stay missing, or get all zeros.",
             .caps = MLI_CAN_PREPARE, .params = params, .roles = mli_roles_unsupervised,
             .attributes = attributes},
    .fit = fit,
    .plan = plan,
    .outputs = outputs,
};
