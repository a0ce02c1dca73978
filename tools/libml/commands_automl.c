/* SPDX-License-Identifier: MIT
 *
 * commands_automl.c: automl, which is train with limits, and its leaderboard.
 */
#include "app.h"

#include <string.h>

/* Bytes as a stream. */
typedef struct reader {
    const char *data;
    int64_t size, at;
} reader;

static int64_t read_bytes(void *buffer, size_t size, void *user)
{
    reader *r = user;
    int64_t left = r->size - r->at, n = (int64_t)size < left ? (int64_t)size : left;
    memcpy(buffer, r->data + r->at, (size_t)n);
    r->at += n;
    return n;
}

ml_status read_leaderboard(app *a, const ml_model *model, ml_table **out)
{
    ml_tensor *t = NULL;
    ml_io io = ML_IO_INIT;
    *out = NULL;
    if (ml_model_get_tensor(model, "leaderboard", &t, NULL) < 0) return ML_OK;
    reader r = {ml_tensor_data(t), ml_tensor_shape(t)[0], 0};
    io.read = read_bytes;
    io.user = &r;
    ml_status st = ml_table_read_csv_io(a->ctx, &io, NULL, out, a->err);
    ml_tensor_free(t);
    return st;
}

#define SHOWN 12

void print_leaderboard(const ml_table *table)
{
    static const char *const names[] = {"algorithm", "score", "weight", "rounds",
                                        "state"};
    ml_table *some = NULL, *top = NULL;
    int64_t rows = ml_table_rows(table);
    if (ml_table_select(table, names, 5, &some, NULL) == ML_OK &&
        ml_table_slice(some, 0, rows < SHOWN ? rows : SHOWN, &top, NULL) == ML_OK) {
        printf("\nleaderboard, the best of %lld by held-out rows:\n", (long long)rows);
        print_table(stdout, top);
    }
    ml_table_free(top);
    ml_table_free(some);
}

ml_status set_limits(app *a, ml_estimator *e)
{
    ml_status st = ML_OK;
    if (flag(a, OPT_TIME))
        st = ml_estimator_set_str(e, "time_limit", a->value[OPT_TIME], a->err);
    if (st == ML_OK && flag(a, OPT_TRIALS))
        st = ml_estimator_set_str(e, "trials", a->value[OPT_TRIALS], a->err);
    else if (st == ML_OK && clock_given(a) > 0)
        st = ml_estimator_set_i64(e, "trials", 0, a->err);
    if (st == ML_OK && flag(a, OPT_JOURNAL))
        st = ml_estimator_set_str(e, "journal", a->value[OPT_JOURNAL], a->err);
    return st;
}

int cmd_automl(app *a)
{
    a->value[OPT_ALGORITHM] = "automl";
    return cmd_train(a);
}
