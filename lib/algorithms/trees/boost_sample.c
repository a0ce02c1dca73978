/* SPDX-License-Identifier: MIT
 *
 * trees/boost_sample.c: which rows a tree is grown on. A row is taken when a hash of its
 * number and the round is below a threshold: no lists, the same for any number of
 * threads.
 *
 * uniform: one threshold. stratified: per class the threshold that takes its share
 * exactly, but for a 65536th of the class. goss: all rows with large gradients and a
 * share of the others, whose gradients are scaled up so that sums stay right (Ke and
 * others, "LightGBM", 2017); it begins after 1 / learning_rate rounds, since the first
 * gradients tell little.
 */
#include "algorithms/trees/boost.h"
#include "core/rng.h"
#include <math.h>

#define HASH_BUCKETS 65536
#define SIZE_BUCKETS 131072 /* of the leading 17 bits of a float */

static inline uint64_t hash_of(const mli_sample *s, int64_t row)
{
    return mli_mix64(s->key + (uint64_t)row * UINT64_C(0x9e3779b97f4a7c15));
}

/* Sum of |gradient| over the scores of a row, by its leading bits. */
static inline uint32_t magnitude(const float *gh, int64_t stride, int32_t k, int64_t row)
{
    float sum = 0;
    uint32_t bits;
    for (int32_t i = 0; i < k; i++) {
        float g = gh[2 * (i * stride + row)];
        sum += g < 0 ? -g : g;
    }
    memcpy(&bits, &sum, sizeof bits);
    return bits >> 15;
}

/* mvs: how much the gradients of a row weigh. */
static inline double size_of(const float *gh, int64_t stride, int32_t k, int64_t row,
                             double more)
{
    for (int32_t i = 0; i < k; i++) {
        double g = (double)gh[2 * (i * stride + row)];
        more += g * g;
    }
    return sqrt(more);
}

/* A row's number between 0 and 1, neither of them. */
static inline double share_of(const mli_sample *s, int64_t row)
{
    return ((double)(hash_of(s, row) >> 12) + 0.5) * 0x1p-52;
}

static inline double mvs_factor(const mli_sample *s, int64_t row)
{
    double size = size_of(s->gh, s->stride, s->n_scores, row, s->more);
    if (size >= s->enough) return 1;
    double share = size / s->enough;
    return share_of(s, row) < share ? 1 / share : 0;
}

static uint64_t threshold(double share)
{
    if (share >= 1) return UINT64_MAX;
    uint64_t below = (uint64_t)(share * 18446744073709549568.0);
    return below > 0 ? below : 1;
}

/* The threshold below which about `want` of the counted hashes lie. */
static uint64_t cut_of(const uint32_t *count, double want)
{
    double sum = 0;
    for (int64_t k = 0; k < HASH_BUCKETS; k++) {
        if (sum + count[k] >= want) {
            double part = count[k] ? (want - sum) / count[k] : 0;
            return ((uint64_t)k << 48) + (uint64_t)(part * 281474976710656.0);
        }
        sum += count[k];
    }
    return UINT64_MAX;
}

static ml_status stratify(mli_booster *b, mli_sample *s, ml_error *err)
{
    int64_t classes = b->options.objective.n_classes, rows = b->targets.rows;
    uint32_t *count = mli_calloc(b->ctx, HASH_BUCKETS, sizeof *count);
    s->cut = mli_calloc(b->ctx, (size_t)classes, sizeof *s->cut);
    s->label = b->targets.label;
    for (int64_t k = 0; count && s->cut && k < classes; k++) {
        int64_t n = 0;
        memset(count, 0, HASH_BUCKETS * sizeof *count);
        for (int64_t i = 0; i < rows; i++) {
            if (s->label[i] != k) continue;
            count[hash_of(s, i) >> 48]++;
            n++;
        }
        double want = floor(b->options.subsample * (double)n + 0.5);
        s->cut[k] = cut_of(count, want < 1 ? 1 : want);
    }
    mli_free(b->ctx, count);
    return count && s->cut ? ML_OK : mli_nomem(err);
}

static ml_status largest(mli_booster *b, mli_sample *s, ml_error *err)
{
    const mli_boost_options *o = &b->options;
    int64_t rows = b->targets.rows;
    uint32_t *count = mli_calloc(b->ctx, SIZE_BUCKETS, sizeof *count);
    if (!count) return mli_nomem(err);
    for (int64_t i = 0; i < rows; i++) count[magnitude(b->gh, rows, b->n_scores, i)]++;
    double want = floor(o->goss_top * (double)rows + 0.5), sum = 0;
    int64_t k = SIZE_BUCKETS - 1;
    while (k > 0 && sum + count[k] < want) sum += count[k--];
    s->goss = 1;
    s->gh = b->gh;
    s->stride = rows;
    s->n_scores = b->n_scores;
    s->top = (uint32_t)k;
    s->edge = count[k] ? threshold((want - sum) / count[k]) : 0;
    double share = o->goss_other / (1 - o->goss_top);
    s->below = threshold(share);
    s->factor = share < 1 ? 1 / share : 1;
    mli_free(b->ctx, count);
    return ML_OK;
}

/* The size from which rows are always taken, such that the others, taken with probability
 * size / that, complete the expected number `want`. */
static double enough_of(const uint32_t *count, const double *sum, double rows,
                        double want)
{
    double above = rows, below = 0;
    for (int64_t k = 0; k < SIZE_BUCKETS; k++) {
        if (count[k] == 0) continue;
        double enough = want > above ? below / (want - above) : INFINITY;
        if (enough <= sum[k] / count[k]) return enough;
        below += sum[k];
        above -= count[k];
    }
    return below / want;
}

static uint32_t size_bucket(double size)
{
    float narrow = (float)size;
    uint32_t bits;
    memcpy(&bits, &narrow, sizeof bits);
    return bits >> 15;
}

static ml_status minimal_variance(mli_booster *b, mli_sample *s, ml_error *err)
{
    int64_t rows = b->targets.rows;
    uint32_t *count = mli_calloc(b->ctx, SIZE_BUCKETS, sizeof *count);
    double *sum = mli_calloc(b->ctx, SIZE_BUCKETS, sizeof *sum), mean = 0;
    for (int64_t i = 0; i < rows; i++) mean += size_of(b->gh, rows, b->n_scores, i, 0);
    mean = rows > 0 ? mean / (double)rows : 0;
    s->more = mean * mean;
    s->gh = b->gh;
    s->stride = rows;
    s->n_scores = b->n_scores;
    for (int64_t i = 0; count && sum && i < rows; i++) {
        double size = size_of(b->gh, rows, b->n_scores, i, s->more);
        uint32_t k = size_bucket(size);
        count[k]++;
        sum[k] += size;
    }
    ml_status status = count && sum ? ML_OK : mli_nomem(err);
    if (status == ML_OK)
        s->enough =
            enough_of(count, sum, (double)rows, b->options.subsample * (double)rows);
    mli_free(b->ctx, count);
    mli_free(b->ctx, sum);
    return status;
}

ml_status mli_boost_sample(mli_booster *b, int64_t round, mli_sample *out, ml_error *err)
{
    const mli_boost_options *o = &b->options;
    memset(out, 0, sizeof *out);
    uint64_t epoch = (uint64_t)(round / o->subsample_every);
    out->key = mli_mix64(o->grow.seed + UINT64_C(0x9e3779b97f4a7c15) * (epoch + 1));
    if (o->sampling == MLI_SAMPLE_GOSS) {
        if ((double)round < 1 / o->learning_rate || o->goss_top + o->goss_other >= 1)
            return ML_OK;
        return largest(b, out, err);
    }
    if (o->sampling == MLI_SAMPLE_BAYESIAN) {
        out->temperature = o->temperature;
        return ML_OK;
    }
    if (o->subsample >= 1) return ML_OK;
    if (o->sampling == MLI_SAMPLE_MVS) return minimal_variance(b, out, err);
    if (o->sampling == MLI_SAMPLE_STRATIFIED && b->targets.label)
        return stratify(b, out, err);
    out->below = threshold(o->subsample);
    return ML_OK;
}

void mli_boost_sample_free(mli_booster *b, mli_sample *s)
{
    mli_free(b->ctx, s->cut);
    memset(s, 0, sizeof *s);
}

int mli_sample_scales(const mli_sample *s)
{
    return s->goss || s->enough > 0 || s->temperature > 0;
}

int mli_boost_sampled(const mli_sample *s)
{
    return s->below != 0 || s->cut || s->goss || s->enough > 0;
}

double mli_sample_row(const mli_sample *s, int64_t row)
{
    if (s->goss) {
        uint32_t bits = magnitude(s->gh, s->stride, s->n_scores, row);
        uint64_t hash = hash_of(s, row);
        if (bits > s->top || (bits == s->top && hash < s->edge)) return 1;
        return mli_mix64(hash) < s->below ? s->factor : 0;
    }
    if (s->enough > 0) return mvs_factor(s, row);
    if (s->temperature > 0) {
        double factor = pow(-log(share_of(s, row)), s->temperature);
        return factor < 1e-30 ? 1e-30 : factor > 1e30 ? 1e30 : factor; /* all are taken */
    }
    if (s->cut) return hash_of(s, row) < s->cut[s->label[row]];
    return s->below == 0 || hash_of(s, row) < s->below;
}

ml_status mli_boost_draw_make(mli_booster *b, ml_error *err)
{
    size_t rows = (size_t)b->targets.rows;
    if (!b->drawn) b->drawn = mli_calloc(b->ctx, rows, sizeof *b->drawn);
    if (!b->factor) b->factor = mli_calloc(b->ctx, rows, sizeof *b->factor);
    return b->drawn && b->factor ? ML_OK : mli_nomem(err);
}

/* Puts row i of a block before the others if it is taken, else behind: without a branch,
 * into both places that are free. */
typedef struct drawing {
    uint16_t *row;
    float *factor;
    int64_t taken, end;
} drawing;

static inline void put(drawing *d, int64_t i, double factor, int take)
{
    d->row[d->taken] = d->row[d->end - 1] = (uint16_t)i;
    d->factor[d->taken] = (float)factor;
    d->taken += take;
    d->end -= !take;
}

static void draw_mvs(const mli_sample *s, int64_t begin, int64_t rows, drawing *d)
{
    for (int64_t i = 0; i < rows; i++) {
        double size = size_of(s->gh, s->stride, s->n_scores, begin + i, s->more);
        double share = size / s->enough, least = share < 1 ? share : 1;
        put(d, i, 1 / least, share_of(s, begin + i) < share);
    }
}

void mli_boost_draw(mli_booster *b, int64_t block)
{
    const mli_sample *s = &b->sample;
    int64_t begin = block * MLI_BOOST_BLOCK, rows = b->targets.rows - begin;
    if (rows > MLI_BOOST_BLOCK) rows = MLI_BOOST_BLOCK;
    drawing d = {b->drawn + begin, b->factor + begin, 0, rows};
    if (s->enough > 0) {
        draw_mvs(s, begin, rows, &d);
    } else if (s->below != 0 && !s->goss) {
        for (int64_t i = 0; i < rows; i++)
            put(&d, i, 1, hash_of(s, begin + i) < s->below);
    } else {
        for (int64_t i = 0; i < rows; i++) {
            double f = mli_sample_row(s, begin + i);
            put(&d, i, f, f > 0);
        }
    }
    b->taken[block] = d.taken;
}
