/* SPDX-License-Identifier: MIT
 *
 * bench.c: the libml side of benchmarks/compare. Each call does one workload once in a
 * fresh process and prints one JSON object: seconds (of the workload alone, without
 * reading its input), quality, and peak memory.
 *
 *   bench make ROWS SEED FILE              synthetic HIGGS-like rows (docs/benchmarks.md)
 *   bench make-kind KIND ROWS SEED FILE    categories, wide (one-hot), multiclass, numbers,
 *                                          rank
 *   bench csv-of FILE OUT.csv              the same as CSV
 *   bench fit THREADS TRAIN TEST MODEL ALGORITHM [key=value ...]
 *   bench predict THREADS MODEL DATA KIND
 *   bench single MODEL DATA KIND
 *   bench rows MODEL KIND                  single rows, as benchmarks/bindings.lua does
 *   bench load MODEL
 *   bench csv THREADS FILE
 *
 * A data file is: int64 rows, int64 columns, float32 features row by row, float32 labels.
 */
#include <ml/ml.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

typedef struct dataset {
    int64_t rows, columns;
    float *x, *y;
} dataset;

static double now(void)
{
    struct timespec t;
    clock_gettime(getenv("BENCH_CPU") ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

/* The recipe's generator: splitmix64, uniform in (0, 1), Box-Muller with a cached sine.
 */
static uint64_t state;
static double cached;
static int has_cached;

static double uniform(void)
{
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return ((double)(z >> 11) + 0.5) * 0x1p-53;
}

static double normal(void)
{
    const double two_pi = 6.283185307179586;
    if (has_cached) {
        has_cached = 0;
        return cached;
    }
    double r = sqrt(-2 * log(uniform())), a = two_pi * uniform();
    cached = r * sin(a);
    has_cached = 1;
    return r * cos(a);
}

static void higgs_row(float *out, float *label)
{
    double x[28];
    for (int j = 0; j <= 20; j++) {
        double z = normal();
        x[j] = j % 3 == 0 ? exp(z / 2) : j % 3 == 1 ? z : 3.48 * uniform() - 1.74;
        if (j == 8 || j == 17) {
            double u = uniform();
            x[j] = u < 0.5 ? 0 : u < 0.8 ? 1.0865 : 2.1731;
        }
    }
    x[21] = sqrt(x[0] * x[0] + x[1] * x[1]);
    x[22] = x[3] * x[4];
    x[23] = fabs(x[6] - x[7]);
    x[24] = log(1 + x[9] * fabs(x[10]));
    x[25] = x[12] * x[13] * x[14];
    x[26] = fmax(x[15], x[16]);
    x[27] = sin(2 * x[18]) + x[19];
    double f = 0.9 * (x[21] - 1.55) - 0.7 * x[22] * (x[8] > 0.5 ? 1 : -0.4) +
               0.8 * (x[23] - 1.2) * (x[2] > 0 ? 1 : -1) + 0.9 * (x[24] - 0.55) +
               0.35 * x[25] - 0.5 * (x[26] - 1.4) + 0.48 * x[27] * x[5] +
               0.5 * x[20] * sin(3 * x[11]) + 0.25 * x[1] * x[4] * (x[17] > 0 ? 1 : -1);
    for (int j = 0; j < 28; j++) out[j] = (float)x[j];
    *label = uniform() < 1 / (1 + exp(-1.1 * f));
}

static int make(char **argv)
{
    int64_t rows = atoll(argv[2]), columns = 28;
    state = (uint64_t)atoll(argv[3]);
    FILE *f = fopen(argv[4], "wb");
    float *y = malloc((size_t)rows * sizeof *y), row[28];
    if (!f || !y) die("cannot write the data");
    fwrite(&rows, 8, 1, f);
    fwrite(&columns, 8, 1, f);
    for (int64_t i = 0; i < rows; i++) {
        higgs_row(row, &y[i]);
        fwrite(row, sizeof row, 1, f);
    }
    fwrite(y, sizeof *y, (size_t)rows, f);
    free(y);
    return fclose(f);
}

/* 10 categories of 20 to 1000 levels, whose effects are random, and 10 numbers. */
static void category_row(const float *effect, float *out, float *label)
{
    double f = 0;
    for (int j = 0; j < 10; j++) {
        int levels = 20 << (j * 6 / 10);
        int level = (int)(uniform() * uniform() * levels);
        out[j] = (float)level;
        f += effect[j * 1000 + level];
    }
    for (int j = 10; j < 20; j++) out[j] = (float)normal();
    f += out[10] * out[11] + (out[12] > 0 ? effect[(int)out[0]] * out[13] : 0);
    *label = uniform() < 1 / (1 + exp(-f));
}

/* 40 choices of 20 each as 800 columns of 0 and 1, and 8 numbers. */
static void wide_row(const float *effect, float *out, float *label)
{
    double f = 0;
    memset(out, 0, 808 * sizeof *out);
    for (int j = 0; j < 40; j++) {
        int level = (int)(uniform() * 20);
        out[j * 20 + level] = 1;
        if (j % 2) f += 0.5 * effect[j * 20 + level];
    }
    for (int j = 800; j < 808; j++) out[j] = (float)normal();
    f += out[800] * out[801] + (out[20] > 0 ? out[802] : 0);
    *label = uniform() < 1 / (1 + exp(-f));
}

/* Queries of 40 rows: 30 numbers, some the same in the whole query, relevance 0 to 4; the
 * last column is the query. */
static void rank_row(int64_t row, float *shared, float *out, float *label)
{
    for (int j = 0; j < 6 && row % 40 == 0; j++) shared[j] = (float)normal();
    for (int j = 0; j < 30; j++) out[j] = j < 6 ? shared[j] : (float)normal();
    double f = out[6] + out[7] * out[8] + out[0] * out[9] + 0.5 * fabs(out[10]) +
               (out[1] > 0 ? out[11] : -out[12]) + normal();
    out[30] = (float)(row / 40);
    *label = f < 0.5 ? 0 : f < 1.5 ? 1 : f < 2.5 ? 2 : f < 3.5 ? 3 : 4;
}

/* The numbers of the HIGGS-like rows and five classes: the largest of five sums of them
 * with noise. */
static void class_row(const float *effect, float *out, float *label)
{
    double best = -INFINITY;
    higgs_row(out, label);
    for (int k = 0; k < 5; k++) {
        const float *a = effect + 40 * k;
        double f = normal();
        for (int j = 0; j < 28; j++)
            f += 0.4 * a[j] * (j % 2 ? tanh(out[j]) : out[j] > a[j]);
        f += 0.5 * a[30] * out[k] * out[k + 22] + a[31] * sin(out[k + 8] * out[k + 1]);
        if (f <= best) continue;
        best = f;
        *label = (float)k;
    }
}

/* HIGGS-like rows with a number to predict. */
static void number_row(float *out, float *label)
{
    higgs_row(out, label);
    *label = (float)(out[21] - out[22] * (out[8] > 0.5f ? 1 : -0.4) + out[23] +
                     0.5 * out[27] * out[5] + 0.3 * out[25] + normal());
}

static int make_kind(char **argv)
{
    int64_t rows = atoll(argv[3]);
    char kind = argv[2][0];
    int64_t columns = kind == 'c'                  ? 20
                      : kind == 'w'                ? 808
                      : kind == 'm' || kind == 'n' ? 28
                                                   : 31;
    FILE *f = fopen(argv[5], "wb");
    float *y = malloc((size_t)rows * sizeof *y), row[808], effect[10000], shared[6];
    if (!f || !y) die("cannot write the data");
    state = 77;
    for (int i = 0; i < 10000; i++) effect[i] = (float)normal();
    state = (uint64_t)atoll(argv[4]);
    has_cached = 0;
    fwrite(&rows, 8, 1, f);
    fwrite(&columns, 8, 1, f);
    for (int64_t i = 0; i < rows; i++) {
        if (kind == 'c')
            category_row(effect, row, &y[i]);
        else if (kind == 'w')
            wide_row(effect, row, &y[i]);
        else if (kind == 'm')
            class_row(effect, row, &y[i]);
        else if (kind == 'n')
            number_row(row, &y[i]);
        else
            rank_row(i, shared, row, &y[i]);
        fwrite(row, sizeof *row, (size_t)columns, f);
    }
    fwrite(y, sizeof *y, (size_t)rows, f);
    free(y);
    return fclose(f);
}

static dataset read_data(const char *path)
{
    dataset d = {0};
    FILE *f = fopen(path, "rb");
    if (!f || fread(&d.rows, 8, 1, f) != 1 || fread(&d.columns, 8, 1, f) != 1)
        die("cannot read the data");
    size_t n = (size_t)(d.rows * d.columns), rows = (size_t)d.rows;
    d.x = malloc(n * sizeof *d.x);
    d.y = malloc(rows * sizeof *d.y);
    if (!d.x || !d.y || fread(d.x, sizeof *d.x, n, f) != n ||
        fread(d.y, sizeof *d.y, rows, f) != rows)
        die("cannot read the data");
    fclose(f);
    return d;
}

static int csv_of(char **argv)
{
    dataset d = read_data(argv[2]);
    FILE *f = fopen(argv[3], "w");
    if (!f) die("cannot write the CSV file");
    for (int64_t j = 0; j < d.columns; j++) fprintf(f, "f%d,", (int)j);
    fputs("label\n", f);
    for (int64_t i = 0; i < d.rows; i++) {
        for (int64_t j = 0; j < d.columns; j++)
            fprintf(f, "%.9g,", (double)d.x[i * d.columns + j]);
        fprintf(f, "%d\n", (int)d.y[i]);
    }
    return fclose(f);
}

static ml_error *err;
#define MUST(call)                                                                       \
    do {                                                                                 \
        if ((call) < 0) die(ml_error_message(err));                                      \
    } while (0)

static ml_context *context(const char *threads)
{
    ml_context *ctx = NULL;
    ml_host host = ML_HOST_INIT;
    host.threads = atoi(threads);
    err = ml_error_new();
    MUST(ml_context_new(&host, &ctx, err));
    return ctx;
}

static ml_table *table_of(ml_context *ctx, const dataset *d)
{
    ml_tensor *x = NULL, *y = NULL;
    ml_table *t = NULL, *with = NULL;
    const int64_t shape[2] = {d->rows, d->columns};
    MUST(ml_tensor_wrap(ctx, ML_DTYPE_F32, 2, shape, NULL, d->x, NULL, NULL, &x, err));
    MUST(ml_tensor_wrap(ctx, ML_DTYPE_F32, 1, shape, NULL, d->y, NULL, NULL, &y, err));
    MUST(ml_table_read_tensor(ctx, x, NULL, &t, err));
    MUST(ml_table_with_tensor(t, "label", y, &with, err));
    ml_tensor_free(x);
    ml_tensor_free(y);
    ml_table_free(t);
    return with;
}

static long peak_kib(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

static double score(const ml_model *m, const ml_table *t, const char *metric)
{
    ml_table *scores = NULL;
    MUST(ml_model_evaluate(m, t, metric, &scores, err));
    double v = ml_table_get_f64(scores, 0, 1);
    ml_table_free(scores);
    return v;
}

static double dcg(const float *gain, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n && i < 10; i++)
        sum += (exp2((double)gain[i]) - 1) / log2((double)i + 2);
    return sum;
}

/* NDCG at 10 of queries of 40 rows, which is what `make-kind rank` makes. */
static double ndcg(ml_context *ctx, const ml_model *m, const ml_table *t, const float *y)
{
    enum { SIZE = 40 };
    ml_predictor *p = NULL;
    ml_tensor *out = NULL;
    double sum = 0;
    int64_t queries = ml_table_rows(t) / SIZE;
    (void)ctx;
    MUST(ml_predictor_new(m, "score", NULL, &p, err));
    MUST(ml_predictor_run(p, t, &out, err));
    for (int64_t q = 0; q < queries; q++) {
        float order[SIZE], best[SIZE];
        double key[SIZE];
        for (int i = 0; i < SIZE; i++) {
            double s = ml_tensor_get_f64(out, q * SIZE + i, 0);
            float v = y[q * SIZE + i];
            int j = i, k = i;
            for (; j > 0 && key[j - 1] < s; j--)
                key[j] = key[j - 1], order[j] = order[j - 1];
            for (; k > 0 && best[k - 1] < v; k--) best[k] = best[k - 1];
            key[j] = s;
            order[j] = v;
            best[k] = v;
        }
        double most = dcg(best, SIZE);
        sum += most > 0 ? dcg(order, SIZE) / most : 1;
    }
    return sum / (double)queries;
}

static int fit(int argc, char **argv)
{
    ml_context *ctx = context(argv[2]);
    dataset train = read_data(argv[3]), test = read_data(argv[4]);
    ml_table *a = table_of(ctx, &train), *b = table_of(ctx, &test);
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    const char *metric = "roc_auc";
    MUST(ml_estimator_new(ctx, argv[6], &e, err));
    MUST(ml_estimator_set_str(e, "target", "label", err));
    for (int i = 7; i < argc; i++) {
        char *equal = strchr(argv[i], '=');
        if (!equal) die("parameters are key=value");
        *equal = 0;
        if (strcmp(argv[i], "metric") == 0)
            metric = equal + 1;
        else
            MUST(ml_estimator_set_str(e, argv[i], equal + 1, err));
    }
    long before = peak_kib();
    double start = now();
    MUST(ml_estimator_fit(e, a, NULL, &m, err));
    double seconds = now() - start;
    long after = peak_kib();
    double quality =
        strcmp(metric, "ndcg") == 0 ? ndcg(ctx, m, b, test.y) : score(m, b, metric);
    if (strcmp(argv[5], "-") != 0) MUST(ml_model_save_file(m, argv[5], NULL, err));
    printf("{\"seconds\": %.6f, \"quality\": %.6f, \"extra_kib\": %ld}\n", seconds,
           quality, after - before);
    return 0;
}

static ml_model *load(ml_context *ctx, const char *path)
{
    ml_model *m = NULL;
    MUST(ml_model_load_file(ctx, path, NULL, &m, err));
    return m;
}

/* Batch: the best of five passes over the data, features given as plain rows. */
static int predict(char **argv)
{
    ml_context *ctx = context(argv[2]);
    ml_model *m = load(ctx, argv[3]);
    dataset d = read_data(argv[4]);
    ml_predictor *p = NULL;
    double best = INFINITY, sum = 0;
    MUST(ml_predictor_new(m, argv[5], NULL, &p, err));
    int64_t k = ml_predictor_outputs(p);
    double *out = malloc((size_t)(d.rows * k) * sizeof *out);
    for (int turn = 0; turn < 5; turn++) {
        double start = now();
        MUST(ml_predictor_rows(p, d.x, ML_DTYPE_F32, d.rows, d.columns, out, err));
        best = fmin(best, now() - start);
    }
    for (int64_t i = 0; i < d.rows; i++) sum += out[i * k + k - 1];
    printf("{\"seconds\": %.9f, \"quality\": %.12g}\n", best, sum / (double)d.rows);
    return 0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* One row at a time, each row another one: the median over stretches of 100 calls. */
static int single(char **argv)
{
    enum { STRETCHES = 200, CALLS = 100 };
    ml_context *ctx = context("1");
    ml_model *m = load(ctx, argv[2]);
    dataset d = read_data(argv[3]);
    ml_predictor *p = NULL;
    double times[STRETCHES], out[64], sum = 0;
    int64_t row = 0;
    MUST(ml_predictor_new(m, argv[4], NULL, &p, err));
    if (ml_predictor_outputs(p) > 64) die("too many outputs");
    for (int s = 0; s < STRETCHES; s++) {
        double start = now();
        for (int i = 0; i < CALLS; i++) {
            MUST(ml_predictor_rows(p, d.x + row * d.columns, ML_DTYPE_F32, 1, d.columns,
                                   out, err));
            row = (row + 1) % d.rows;
            sum += out[0];
        }
        times[s] = (now() - start) / CALLS;
    }
    qsort(times, STRETCHES, sizeof times[0], by_value);
    printf("{\"seconds\": %.12f, \"p99\": %.12f, \"quality\": %.9g}\n",
           times[STRETCHES / 2], times[STRETCHES * 99 / 100], sum);
    return 0;
}

/* As benchmarks/bindings.lua: the same rows of double, the same stretches, the same sum.
 */
static int rows_again(char **argv)
{
    enum { STRETCHES = 200, CALLS = 1000, ROWS = 1000 };
    ml_context *ctx = context("1");
    ml_model *m = load(ctx, argv[2]);
    ml_predictor *p = NULL;
    int64_t n = ml_model_inputs(m), row = 0;
    double *x = malloc((size_t)(n * ROWS) * sizeof *x), times[STRETCHES], out[64],
           sum = 0;
    uint64_t seed = 1;
    MUST(ml_predictor_new(m, argv[3], NULL, &p, err));
    if (ml_predictor_outputs(p) > 64 || !x) die("too many outputs");
    for (int64_t i = 0; i < n * ROWS; i++) {
        seed = seed * 16807 % 2147483647;
        x[i] = (double)seed / 2147483647 * 4 - 2;
    }
    for (int s = 0; s < STRETCHES; s++) {
        double start = now();
        for (int i = 0; i < CALLS; i++) {
            MUST(ml_predictor_rows(p, x + row * n, ML_DTYPE_F64, 1, n, out, err));
            row = (row + 1) % ROWS;
            sum += out[0];
        }
        times[s] = (now() - start) / CALLS;
    }
    qsort(times, STRETCHES, sizeof times[0], by_value);
    printf("{\"seconds\": %.12f, \"quality\": %.17g}\n", times[STRETCHES / 2], sum);
    return 0;
}

static int load_often(char **argv)
{
    enum { TURNS = 101 };
    ml_context *ctx = context("1");
    double times[TURNS];
    for (int i = 0; i < TURNS; i++) {
        double start = now();
        ml_model *m = load(ctx, argv[2]);
        times[i] = now() - start;
        ml_model_free(m);
    }
    qsort(times, TURNS, sizeof times[0], by_value);
    printf("{\"seconds\": %.9f, \"quality\": 1}\n", times[TURNS / 2]);
    return 0;
}

static int csv(char **argv)
{
    ml_context *ctx = context(argv[2]);
    ml_table *t = NULL;
    double start = now();
    MUST(ml_table_read_csv(ctx, argv[3], NULL, &t, err));
    double seconds = now() - start, sum = 0;
    for (int64_t i = 0; i < ml_table_rows(t); i++) sum += ml_table_get_f64(t, i, 1);
    printf("{\"seconds\": %.6f, \"quality\": %.9g}\n", seconds, sum);
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "make") == 0 && argc == 5) return make(argv);
    if (strcmp(what, "make-kind") == 0 && argc == 6) return make_kind(argv);
    if (strcmp(what, "csv-of") == 0 && argc == 4) return csv_of(argv);
    if (strcmp(what, "fit") == 0 && argc >= 7) return fit(argc, argv);
    if (strcmp(what, "predict") == 0 && argc == 6) return predict(argv);
    if (strcmp(what, "single") == 0 && argc == 5) return single(argv);
    if (strcmp(what, "rows") == 0 && argc == 4) return rows_again(argv);
    if (strcmp(what, "load") == 0 && argc == 3) return load_often(argv);
    if (strcmp(what, "csv") == 0 && argc == 4) return csv(argv);
    fputs("usage: see the head of benchmarks/bench.c\n", stderr);
    return 2;
}
