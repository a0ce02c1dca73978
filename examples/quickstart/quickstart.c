/* SPDX-License-Identifier: MIT
 *
 * quickstart.c: the main job of libml on real data, through the public API.
 *
 *   quickstart train TRAIN.csv TEST.csv FOLDER   baseline, logistic regression, tuned gbdt,
 *                                                leaderboard, model file, report
 *   quickstart score FOLDER TEST.csv             reload in a new process, score, time
 *
 * The second call writes FOLDER/result.json.
 */
#include <ml/ml.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TARGET "income"
#define TRIALS 25
#define TRY(call)                                                                        \
    do {                                                                                 \
        if ((call) < 0) goto out;                                                        \
    } while (0)

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int on_progress(const ml_progress *p, void *user)
{
    static double last;
    (void)user;
    if (!isatty(STDERR_FILENO) || (now() - last < 0.1 && p->fraction < 1))
        return ML_CONTINUE;
    last = now();
    fprintf(stderr, "\r\033[K%3.0f %%  %s", 100 * p->fraction, p->stage);
    if (!isnan(p->best_score)) fprintf(stderr, "  best %.4f", p->best_score);
    if (!isnan(p->remaining)) fprintf(stderr, "  %.0f s left", p->remaining);
    if (p->fraction >= 1) fputs("\r\033[K", stderr);
    fflush(stderr);
    return ML_CONTINUE;
}

/* One line of the leaderboard. */
typedef struct entry {
    const char *name;
    double auc, accuracy, log_loss, seconds;
} entry;

static double value_of(const ml_table *scores, const char *metric)
{
    char name[64];
    for (int64_t i = 0; i < ml_table_rows(scores); i++) {
        ml_table_get_str(scores, i, 0, name, sizeof name);
        if (strcmp(name, metric) == 0) return ml_table_get_f64(scores, i, 1);
    }
    return NAN;
}

static ml_status score(const ml_model *model, const ml_table *test, entry *e,
                       ml_error *err)
{
    ml_table *scores = NULL;
    ml_status st =
        ml_model_evaluate(model, test, "roc_auc,accuracy,log_loss", &scores, err);
    if (st < 0) return st;
    e->auc = value_of(scores, "roc_auc");
    e->accuracy = value_of(scores, "accuracy");
    e->log_loss = value_of(scores, "log_loss");
    ml_table_free(scores);
    printf("  %-22s AUC %.4f   accuracy %.4f   log loss %.4f   %.1f s\n", e->name, e->auc,
           e->accuracy, e->log_loss, e->seconds);
    return ML_OK;
}

static ml_status fit(ml_context *ctx, const char *algorithm, const ml_table *train,
                     const ml_table *test, entry *e, ml_model **out, ml_error *err)
{
    ml_estimator *est = NULL;
    double start = now();
    ml_status st = ml_estimator_new(ctx, algorithm, &est, err);
    if (st == ML_OK) st = ml_estimator_set_str(est, "target", TARGET, err);
    if (st == ML_OK) st = ml_estimator_fit(est, train, NULL, out, err);
    e->name = algorithm;
    e->seconds = now() - start;
    if (st == ML_OK) st = score(*out, test, e, err);
    ml_estimator_free(est);
    return st;
}

static ml_status tune(ml_context *ctx, const ml_table *train, const ml_table *test,
                      entry *e, ml_study **study, ml_model **out, ml_error *err)
{
    ml_estimator *est = NULL;
    ml_params *options = NULL;
    double start = now();
    ml_status st = ml_estimator_new(ctx, "gbdt", &est, err);
    if (st == ML_OK) st = ml_estimator_set_str(est, "target", TARGET, err);
    if (st == ML_OK) st = ml_params_new(ctx, &options, err);
    if (st == ML_OK) st = ml_params_set_i64(options, "n_trials", TRIALS, err);
    if (st == ML_OK) st = ml_study_new(est, train, NULL, options, study, err);
    if (st == ML_OK) st = ml_study_run(*study, on_progress, NULL, NULL, err);
    if (st == ML_OK) st = ml_study_best_model(*study, NULL, out, err);
    e->name = "gbdt, tuned";
    e->seconds = now() - start;
    if (st == ML_OK) st = score(*out, test, e, err);
    ml_params_free(options);
    ml_estimator_free(est);
    return st;
}

static ml_status add_numbers(ml_context *ctx, ml_table **t, const char *name,
                             const double *values, int64_t n, ml_error *err)
{
    ml_tensor *column = NULL;
    ml_table *with = NULL;
    ml_status st = ml_tensor_new(ctx, ML_DTYPE_F64, 1, &n, NULL, values, &column, err);
    if (st == ML_OK) st = ml_table_with_tensor(*t, name, column, &with, err);
    ml_tensor_free(column);
    if (st < 0) return st;
    ml_table_free(*t);
    *t = with;
    return ML_OK;
}

static ml_status make_leaderboard(ml_context *ctx, const entry *e, int64_t n,
                                  ml_table **out, ml_error *err)
{
    const char *names[8];
    double auc[8], accuracy[8], log_loss[8], seconds[8];
    for (int64_t i = 0; i < n; i++) { /* best first */
        names[i] = e[n - 1 - i].name;
        auc[i] = e[n - 1 - i].auc;
        accuracy[i] = e[n - 1 - i].accuracy;
        log_loss[i] = e[n - 1 - i].log_loss;
        seconds[i] = e[n - 1 - i].seconds;
    }
    ml_status st = ml_table_with_strs(ctx, NULL, "model", names, n, out, err);
    if (st == ML_OK) st = add_numbers(ctx, out, "test AUC", auc, n, err);
    if (st == ML_OK) st = add_numbers(ctx, out, "test accuracy", accuracy, n, err);
    if (st == ML_OK) st = add_numbers(ctx, out, "test log loss", log_loss, n, err);
    if (st == ML_OK) st = add_numbers(ctx, out, "seconds", seconds, n, err);
    return st;
}

static ml_status write_report(ml_context *ctx, const ml_table *board,
                              const ml_model *model, const ml_study *study,
                              const ml_table *train, const ml_table *test,
                              const char *path, ml_error *err)
{
    ml_report *r = NULL;
    ml_status st = ml_report_new(ctx, "Adult: who earns more than 50K a year", &r, err);
    if (st == ML_OK) st = ml_report_add_table(r, "Leaderboard", board, err);
    if (st == ML_OK) st = ml_report_add_model(r, "Tuned gbdt", model, test, err);
    if (st == ML_OK) st = ml_report_add_study(r, "Tuning", study, err);
    if (st == ML_OK) st = ml_report_add_profile(r, "Training data", train, NULL, err);
    if (st == ML_OK) st = ml_report_save_file(r, path, err);
    ml_report_free(r);
    return st;
}

static int train_all(ml_context *ctx, char **argv, ml_error *err)
{
    ml_table *train = NULL, *test = NULL, *board = NULL;
    ml_model *base = NULL, *linear = NULL, *best = NULL;
    ml_study *study = NULL;
    entry e[3] = {0};
    char model[4096], report[4096], baseline[4096];
    int code = 1;
    snprintf(model, sizeof model, "%s/model.mlm", argv[4]);
    snprintf(report, sizeof report, "%s/report.html", argv[4]);
    snprintf(baseline, sizeof baseline, "%s/baseline.mlm", argv[4]);
    TRY(ml_table_read_csv(ctx, argv[2], NULL, &train, err));
    TRY(ml_table_read_csv(ctx, argv[3], NULL, &test, err));
    printf("\ntraining on %lld rows, testing on %lld:\n", (long long)ml_table_rows(train),
           (long long)ml_table_rows(test));
    TRY(fit(ctx, "baseline", train, test, &e[0], &base, err));
    TRY(fit(ctx, "logistic_regression", train, test, &e[1], &linear, err));
    TRY(tune(ctx, train, test, &e[2], &study, &best, err));
    TRY(make_leaderboard(ctx, e, 3, &board, err));
    TRY(ml_model_save_file(best, model, NULL, err));
    TRY(ml_model_save_file(base, baseline, NULL, err));
    TRY(write_report(ctx, board, best, study, train, test, report, err));
    printf("\nsaved %s\nreport %s\n", model, report);
    code = 0;
out:
    ml_study_free(study);
    ml_model_free(base);
    ml_model_free(linear);
    ml_model_free(best);
    ml_table_free(board);
    ml_table_free(train);
    ml_table_free(test);
    return code;
}

/* Rows per second of the batch call: the best of five runs over the table. */
static ml_status time_batch(ml_predictor *p, const ml_table *test, double *rate,
                            ml_error *err)
{
    *rate = 0;
    for (int i = 0; i < 5; i++) {
        ml_tensor *out = NULL;
        double start = now();
        ml_status st = ml_predictor_run(p, test, &out, err);
        if (st < 0) return st;
        double r = (double)ml_table_rows(test) / (now() - start);
        if (r > *rate) *rate = r;
        ml_tensor_free(out);
    }
    return ML_OK;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median time of one row through the plain-buffer call, over a thousand test rows. */
static ml_status time_rows(ml_predictor *p, const ml_model *model, const ml_table *test,
                           double *micros, ml_error *err)
{
    int64_t n = ml_model_inputs(model), rows = ml_table_rows(test), many = 16;
    if (rows > 1000) rows = 1000;
    double *row = calloc((size_t)n, sizeof *row), *out = calloc(16, sizeof *out);
    double *times = calloc((size_t)rows, sizeof *times);
    ml_status st = row && out && times && ml_predictor_outputs(p) <= 16 ? ML_OK
                                                                        : ML_E_MEMORY;
    for (int64_t i = 0; i < rows && st == ML_OK; i++) {
        for (int64_t j = 0; j < n; j++) {
            char text[256];
            int64_t c = ml_table_find(test, ml_model_input_name(model, j));
            row[j] = ml_table_get_f64(test, i, c);
            int32_t type = ml_table_column_type(test, c);
            if (type == ML_TYPE_TEXT || type == ML_TYPE_CATEGORY) {
                int64_t size = ml_table_get_str(test, i, c, text, sizeof text);
                row[j] = ml_predictor_code(p, j, size < 0 ? NULL : text);
            }
        }
        double start = now();
        for (int64_t k = 0; k < many && st == ML_OK; k++)
            st = ml_predictor_rows(p, row, ML_DTYPE_F64, 1, n, out, err);
        times[i] = (now() - start) * 1e6 / (double)many;
    }
    if (st == ML_OK) {
        qsort(times, (size_t)rows, sizeof *times, by_value);
        *micros = times[rows / 2];
    }
    free(row);
    free(out);
    free(times);
    return st;
}

static int score_all(ml_context *ctx, char **argv, ml_error *err)
{
    ml_table *test = NULL, *scores = NULL, *base_scores = NULL;
    ml_model *model = NULL, *base = NULL;
    ml_predictor *p = NULL;
    char path[4096];
    double rate = 0, micros = 0;
    int code = 1;
    snprintf(path, sizeof path, "%s/baseline.mlm", argv[2]);
    TRY(ml_model_load_file(ctx, path, NULL, &base, err));
    snprintf(path, sizeof path, "%s/model.mlm", argv[2]);
    double start = now();
    TRY(ml_model_load_file(ctx, path, NULL, &model, err));
    double load = (now() - start) * 1e6;
    TRY(ml_table_read_csv(ctx, argv[3], NULL, &test, err));
    TRY(ml_model_evaluate(base, test, "accuracy", &base_scores, err));
    TRY(ml_model_evaluate(model, test, "roc_auc,accuracy", &scores, err));
    TRY(ml_predictor_new(model, "proba", NULL, &p, err));
    TRY(time_batch(p, test, &rate, err));
    TRY(time_rows(p, model, test, &micros, err));
    printf("\nreloaded in a new process (%.0f us): test AUC %.4f, accuracy %.4f "
           "(baseline %.4f)\n%.0f rows per second, %.2f us for a single row\n",
           load, value_of(scores, "roc_auc"), value_of(scores, "accuracy"),
           value_of(base_scores, "accuracy"), rate, micros);
    char result[4200];
    snprintf(result, sizeof result, "%s/result.json", argv[2]);
    FILE *f = fopen(result, "w");
    if (!f) goto out;
    fprintf(f,
            "{\"test_auc\": %.6f, \"test_accuracy\": %.6f, \"baseline_accuracy\": %.6f, "
            "\"predict_rows_per_second\": %.0f, \"single_row_us\": %.3f, "
            "\"load_us\": %.1f, \"model\": \"%s\", \"report\": \"%s/report.html\"}\n",
            value_of(scores, "roc_auc"), value_of(scores, "accuracy"),
            value_of(base_scores, "accuracy"), rate, micros, load, path, argv[2]);
    code = fclose(f) == 0 ? 0 : 1;
out:
    ml_predictor_free(p);
    ml_model_free(model);
    ml_model_free(base);
    ml_table_free(test);
    ml_table_free(scores);
    ml_table_free(base_scores);
    return code;
}

int main(int argc, char **argv)
{
    int train = argc == 5 && strcmp(argv[1], "train") == 0;
    if (!train && !(argc == 4 && strcmp(argv[1], "score") == 0)) {
        fputs("usage: quickstart train TRAIN.csv TEST.csv FOLDER\n"
              "       quickstart score FOLDER TEST.csv\n",
              stderr);
        return 2;
    }
    ml_error *err = ml_error_new();
    ml_context *ctx = NULL;
    ml_host host = ML_HOST_INIT;
    host.threads = -1;
    int code = 1;
    if (ml_context_new(&host, &ctx, err) == ML_OK)
        code = train ? train_all(ctx, argv, err) : score_all(ctx, argv, err);
    if (code) fprintf(stderr, "quickstart: %s\n", ml_error_message(err));
    ml_context_free(ctx);
    ml_error_free(err);
    return code;
}
