/* SPDX-License-Identifier: MIT
 *
 * automl_journal.c: the candidates of a search as records of a journal, so that a search
 * that was killed goes on with nothing lost:
 *
 *     {"automl": 1, "data": "<hash>", "judge": "roc_auc, 5 folds, seed 0"}
 *     {"candidate": "gbdt", "score": 0.92, "seconds": 1.5, "rounds": 210,
 * "elapsed": 20.5, "predictions": "<base64>", "p.learning_rate": "0.1", ...}
 *     {"elapsed": 20.7}
 *
 * Predictions are those for the judged rows, as little-endian doubles; of two classes
 * only the second where the first is the rest. A candidate that failed has no score, one
 * that was given up a "guess" in its place, and no predictions; one
 * that lacked memory is not written, since there may be more the next time. One search at
 * a time holds the file. With a time limit the time is written down while a candidate is
 * fitted, so that one that is killed has used its time.
 */
#include "core/base64.h"
#include "core/json.h"
#include "core/sha256.h"
#include "core/text.h"
#include "tuning/automl.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- what the search is ---- */

/* The rows to learn from, and those that candidates are judged by: rows of their own, or
 * how they are divided. */
static ml_status hash_rows(const mli_automl *a, char hex[65], ml_error *err)
{
    const mli_design *d = a->job->train;
    unsigned char digest[32];
    mli_sha256 h;
    mli_sha256_init(&h);
    for (int64_t j = 0; j < d->n_features; j++)
        mli_sha256_add(&h, d->inputs->features[j].name,
                       strlen(d->inputs->features[j].name) + 1);
    ml_status status = mli_journal_hash(d, &h, err);
    if (!status && !a->judged_rows) status = mli_journal_hash(a->judged, &h, err);
    if (status) return status;
    for (int64_t k = 0; k < a->n_folds; k++) {
        const int64_t n[2] = {a->train[k]->rows, a->test[k]->rows};
        mli_sha256_add(&h, n, sizeof n);
    }
    if (a->judged_rows)
        mli_sha256_add(&h, a->judged_rows,
                       (size_t)a->judged->rows * sizeof *a->judged_rows);
    mli_sha256_end(&h, digest);
    mli_sha256_hex(digest, hex);
    return ML_OK;
}

static void describe_judge(const mli_automl *a, char out[160])
{
    snprintf(out, 160, "%s, %lld rows in %lld folds, seed %llu",
             strrchr(a->metric->head.name, '.') + 1, (long long)a->judged->rows,
             (long long)a->n_folds, (unsigned long long)a->seed);
}

static ml_status append(mli_automl *a, mli_str *json, ml_error *err)
{
    ml_status status =
        json->failed ? mli_nomem(err)
                     : mli_journal_append(a->journal, json->data, json->size, 1, err);
    mli_str_free(json);
    return status;
}

static ml_status write_head(mli_automl *a, const char *hash, ml_error *err)
{
    char judge[160];
    mli_str json;
    mli_str_init(&json, a->ctx);
    describe_judge(a, judge);
    mli_str_printf(&json, "{\"automl\": 1, \"data\": \"%s\", \"judge\": ", hash);
    mli_json_str(&json, judge);
    mli_str_char(&json, '}');
    return append(a, &json, err);
}

/* ---- writing ---- */

/* Is the first of two probabilities one minus the second everywhere? */
static int first_is_rest(const double *p, int64_t rows)
{
    for (int64_t i = 0; i < rows; i++)
        if (p[2 * i] != 1 - p[2 * i + 1]) return 0;
    return 1;
}

static void write_predictions(const mli_automl *a, const mli_candidate *c, mli_str *s)
{
    int64_t rows = a->judged->rows, k = a->n_outputs;
    const double *p = c->predictions;
    mli_json_key(s, "predictions", 0);
    mli_str_char(s, '"');
    if (k == 2 && first_is_rest(p, rows)) {
        for (int64_t i = 0; i < rows; i += 3) { /* three doubles are 32 digits */
            double three[3];
            int64_t n = rows - i < 3 ? rows - i : 3;
            for (int64_t j = 0; j < n; j++) three[j] = p[2 * (i + j) + 1];
            mli_base64_write(s, three, (size_t)n * sizeof *three);
        }
    } else {
        mli_base64_write(s, p, (size_t)(rows * k) * sizeof *p);
    }
    mli_str_char(s, '"');
}

static void write_number(mli_str *s, const char *key, double v)
{
    mli_json_key(s, key, 0);
    mli_json_real(s, v);
}

ml_status mli_automl_keep(mli_automl *a, const mli_candidate *c, ml_error *err)
{
    char key[128];
    mli_str s;
    if (!a->journal) return ML_OK;
    mli_str_init(&s, a->ctx);
    mli_str_printf(&s, "{\"candidate\": \"%s\"", c->algorithm->head.name);
    if (!isnan(c->score)) write_number(&s, "score", c->score);
    if (!isnan(c->guess)) write_number(&s, "guess", c->guess);
    write_number(&s, "seconds", c->seconds);
    mli_str_printf(&s, ", \"rounds\": %lld", (long long)c->rounds);
    if (c->cut) mli_str_add(&s, ", \"cut\": 1");
    write_number(&s, "elapsed", mli_now() - a->start);
    if (c->predictions) write_predictions(a, c, &s);
    for (int64_t i = 0; i < c->given->count; i++) {
        snprintf(key, sizeof key, "p.%s", c->given->values[i].name);
        mli_json_key(&s, key, 0);
        mli_json_str(&s, c->given->values[i].text);
    }
    mli_str_char(&s, '}');
    return append(a, &s, err);
}

#define BEATS 200 /* of a time limit are written */

static int32_t beat(const ml_progress *p, void *user)
{
    (void)p;
    mli_automl *a = user;
    double now = mli_now();
    mli_str s;
    if (now - a->beat < a->limit / BEATS) return ML_CONTINUE;
    a->beat = now;
    mli_str_init(&s, a->ctx);
    mli_str_add(&s, "{\"elapsed\": ");
    mli_json_real(&s, now - a->start);
    mli_str_char(&s, '}');
    /* It need not outlive the machine, and what cannot be written the next record tells.
     */
    if (!s.failed) (void)!mli_journal_append(a->journal, s.data, s.size, 0, NULL);
    mli_str_free(&s);
    return ML_CONTINUE;
}

void mli_automl_beat(mli_automl *a, mli_run *run)
{
    if (!a->journal || !(a->limit > 0)) return;
    run->progress = beat;
    run->user = a;
    (void)beat(NULL, a);
}

/* ---- reading ---- */

static int read_predictions(const mli_automl *a, const ml_params *p, double *out)
{
    const char *text = ml_params_get_str(p, "predictions");
    int64_t rows = a->judged->rows, k = a->n_outputs;
    if (!text) return 0;
    size_t size = strlen(text);
    if (mli_base64_read(text, size, out, (size_t)(rows * k) * sizeof *out)) return 1;
    if (k != 2 || !mli_base64_read(text, size, out, (size_t)rows * sizeof *out)) return 0;
    for (int64_t i = rows - 1; i >= 0; i--) {
        out[2 * i + 1] = out[i];
        out[2 * i] = 1 - out[2 * i + 1];
    }
    return 1;
}

/* The parameters of the candidate, as they were given. */
static ml_status read_given(const mli_automl *a, const ml_params *p, ml_params **out,
                            ml_error *err)
{
    ml_status status = ml_params_new(a->ctx, out, err);
    for (int64_t i = 0; i < p->count && !status; i++)
        if (strncmp(p->values[i].name, "p.", 2) == 0)
            status =
                ml_params_set_str(*out, p->values[i].name + 2, p->values[i].text, err);
    return status;
}

static double number_of(const ml_params *p, const char *name, double other)
{
    const mli_value *v = mli_params_find(p, name);
    return v && (v->type == ML_PARAM_F64 || v->type == ML_PARAM_I64) ? v->f64 : other;
}

/* A record that is not understood is passed by, as if it were not there. */
static ml_status add_past(mli_automl *a, const ml_params *p, ml_error *err)
{
    const mli_descriptor *d = mli_catalog_find(ml_params_get_str(p, "candidate"));
    if (!d || !mli_automl_takes_part(a, d)) return ML_OK;
    if (!mli_reserve(a->ctx, &a->past, &a->past_capacity, a->n_past + 1, sizeof *a->past))
        return mli_nomem(err);
    mli_past *q = &a->past[a->n_past++];
    *q = (mli_past){.c = {.algorithm = (const mli_algorithm *)d,
                          .score = number_of(p, "score", NAN),
                          .first = NAN,
                          .guess = number_of(p, "guess", NAN),
                          .seconds = number_of(p, "seconds", 0),
                          .rounds = (int64_t)number_of(p, "rounds", 0),
                          .cut = number_of(p, "cut", 0) > 0}};
    ml_status status = read_given(a, p, &q->c.given, err);
    if (status || isnan(q->c.score)) return status;
    /* Room for classes as well, as when it is judged. */
    q->c.predictions =
        mli_alloc_vec(a->ctx, a->judged->rows * (a->n_outputs + 1), sizeof(double));
    if (!q->c.predictions) return mli_nomem(err);
    if (!read_predictions(a, p, q->c.predictions)) {
        q->used = 1;
        q->c.score = NAN;
    }
    return ML_OK;
}

static ml_status check_head(const mli_automl *a, const ml_params *p, const char *hash,
                            ml_error *err)
{
    char judge[160];
    const char *data = ml_params_get_str(p, "data"), *by = ml_params_get_str(p, "judge");
    describe_judge(a, judge);
    if (!by || strcmp(by, judge) != 0)
        mli_fail(err, ML_E_ARGUMENT, "the journal belongs to a search judged by %s",
                 by ? by : "something else");
    else if (!data || strcmp(data, hash) != 0)
        mli_fail(err, ML_E_ARGUMENT, "the journal belongs to other rows, or other folds");
    else
        return ML_OK;
    mli_error_at(err, ML_E_ARGUMENT, "params.journal");
    return mli_error_hint(err, ML_E_ARGUMENT, "name a file of its own");
}

typedef struct {
    mli_automl *a;
    const char *hash;
    int64_t heads;
    double used; /* seconds */
} reading;

static ml_status read_record(void *arg, const char *json, size_t size, ml_error *err)
{
    reading *r = arg;
    ml_params *p = NULL;
    ml_status status = ml_params_new(r->a->ctx, &p, err);
    if (status) return status;
    status = mli_params_from_json(p, json, size, NULL);
    if (status) { /* not ours */
        ml_params_free(p);
        return status == ML_E_MEMORY ? mli_nomem(err) : ML_OK;
    }
    r->used = number_of(p, "elapsed", r->used);
    if (ml_params_get_str(p, "automl")) {
        r->heads++;
        status = check_head(r->a, p, r->hash, err);
    } else if (ml_params_get_str(p, "candidate")) {
        status = add_past(r->a, p, err);
    }
    ml_params_free(p);
    return status;
}

/* The time that the earlier run has used counts, but for what the last fits need. */
static void count_time(mli_automl *a, double used)
{
    double most = 0;
    if (!(a->limit > 0)) return;
    for (int64_t i = 0; i < a->n_past; i++) most = fmax(most, a->past[i].c.seconds);
    double free = 0.9 * a->limit - 6 * most / (double)a->n_folds;
    if (used > free) used = free;
    if (used > 0) a->start -= used;
}

ml_status mli_automl_open(mli_automl *a, ml_error *err)
{
    char hash[65];
    int64_t records;
    const char *path = mli_get_str(a->job->params, "journal");
    reading r = {a, hash, 0, 0};
    if (!*path) return ML_OK;
    ml_status status = hash_rows(a, hash, err);
    if (!status) status = mli_journal_open(a->ctx, path, 1, &a->journal, err);
    if (!status) status = mli_journal_read(a->ctx, path, read_record, &r, &records, err);
    if (!status && records > 0 && r.heads == 0 && a->n_past == 0) {
        mli_fail(err, ML_E_ARGUMENT, "the journal is not that of automl");
        status = mli_error_at(err, ML_E_ARGUMENT, "params.journal");
    }
    if (!status && r.heads == 0) status = write_head(a, hash, err);
    if (!status) count_time(a, r.used);
    if (!status && a->n_past)
        mli_log(a->ctx, ML_LOG_INFO, "automl", "going on after %lld candidates",
                (long long)a->n_past);
    return status;
}

void mli_automl_close(mli_automl *a)
{
    for (int64_t i = 0; i < a->n_past; i++) {
        ml_params_free(a->past[i].c.given);
        mli_free(a->ctx, a->past[i].c.predictions);
    }
    mli_free(a->ctx, a->past);
    mli_journal_close(a->journal);
}

/* ---- using it ---- */

int mli_automl_same(const ml_params *x, const ml_params *y)
{
    if (x->count != y->count) return 0;
    for (int64_t i = 0; i < x->count; i++) {
        const mli_value *v = mli_params_find(y, x->values[i].name);
        if (!v || strcmp(v->text, x->values[i].text) != 0) return 0;
    }
    return 1;
}

static void take_over(mli_candidate *c, mli_past *p)
{
    c->predictions = p->c.predictions;
    c->score = p->c.score;
    c->first = p->c.first;
    c->guess = p->c.guess;
    c->seconds = p->c.seconds;
    c->rounds = p->c.rounds;
    c->cut = p->c.cut;
    p->c.predictions = NULL;
    p->used = 1;
}

mli_past *mli_automl_past(const mli_automl *a, const mli_algorithm *algorithm,
                          const ml_params *given)
{
    for (int64_t i = 0; i < a->n_past; i++) {
        mli_past *p = &a->past[i];
        if (p->used || p->c.algorithm != algorithm) continue;
        if (mli_automl_same(p->c.given, given)) return p;
    }
    return NULL;
}

int mli_automl_known(mli_automl *a, mli_candidate *c)
{
    mli_past *p = mli_automl_past(a, c->algorithm, c->given);
    if (p) take_over(c, p);
    return p != NULL;
}

mli_past *mli_automl_next_past(mli_automl *a)
{
    for (int64_t i = 0; i < a->n_past; i++)
        if (!a->past[i].used) return &a->past[i];
    return NULL;
}

ml_status mli_automl_take_past(mli_automl *a, mli_past *p, ml_error *err)
{
    if (!mli_reserve(a->ctx, &a->candidates, &a->capacity, a->count + 1,
                     sizeof *a->candidates))
        return mli_nomem(err);
    mli_candidate *c = &a->candidates[a->count++];
    *c = (mli_candidate){.algorithm = p->c.algorithm, .given = p->c.given};
    p->c.given = NULL;
    take_over(c, p);
    return ML_OK;
}
