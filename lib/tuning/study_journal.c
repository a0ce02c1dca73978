/* SPDX-License-Identifier: MIT
 *
 * study_journal.c: the events of a study as records of its journal, and a study as it was
 * from them:
 *
 *     {"study": 1, "algorithm": ..., "space": ..., ...}      what the study is
 *     {"ask": 7, "params": {"learning_rate": "0.1", ...}}    trial 7 began
 *     {"report": 7, "step": 20, "value": 0.31}               a score on the way
 *     {"tell": 7, "state": "done", "values": [0.3], ...}     trial 7 ended
 *
 * A trial without its end is handed out again.
 */
#include "serialization/modelfile.h"
#include "tuning/study.h"

#include "core/json.h"
#include "core/value.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MOST_TRIALS 10000000

/* ------------------------------------------------------------------ what a study is */

#define N_FACTS 6
static const char *const fact_names[N_FACTS] = {"algorithm", "space", "goals",
                                                "fixed",     "rows",  "estimator"};

/* What an estimator has beside its parameters: functions of the host are not told apart.
 */
static void write_hooks(mli_str *s, const mli_hooks *h)
{
    char hash[65] = "";
    mli_str header;
    mli_str_init(&header, s->ctx);
    if (h->start && mli_modelfile_header(h->start, &header, hash, NULL)) s->failed = 1;
    mli_str_free(&header);
    if (h->start) mli_str_printf(s, "goes on from %s; ", hash);
    if (h->objective) mli_str_add(s, "an objective of the host; ");
    if (h->metric) mli_str_add(s, "a metric of the host; ");
}

static void write_space(mli_str *s, const mli_space *space)
{
    for (int64_t i = 0; i < space->n; i++) {
        const mli_range *r = &space->dimensions[i].range;
        int real = space->dimensions[i].param->type == ML_PARAM_F64;
        void (*number)(mli_str *, double) = real ? mli_str_real : mli_str_f64;
        mli_str_printf(s, "%s%s: ", i ? "; " : "", space->dimensions[i].param->name);
        if (r->is_set) {
            mli_str_char(s, '{');
            mli_str_add_n(s, r->set, strcspn(r->set, "}"));
            mli_str_char(s, '}');
        } else {
            mli_str_add(s, r->log ? "log [" : "[");
            number(s, r->low);
            mli_str_add(s, ", ");
            number(s, r->high);
            mli_str_char(s, ']');
            if (r->step > 0) mli_str_add(s, " step ");
            if (r->step > 0) number(s, r->step);
        }
        const char *condition = space->dimensions[i].param->active_if;
        if (condition) mli_str_printf(s, " if %s", condition);
    }
}

/* How many rows, and which: other rows have other scores. */
static void write_rows(mli_str *s, const ml_study *study)
{
    unsigned char digest[32];
    char hex[65];
    mli_sha256 h;
    mli_sha256_init(&h);
    ml_status st = mli_journal_hash(study->whole, &h, NULL);
    if (st == ML_OK && study->valid) st = mli_journal_hash(study->fold_test[0], &h, NULL);
    mli_sha256_end(&h, digest);
    mli_sha256_hex(digest, hex);
    if (st < 0) s->failed = 1;
    mli_str_printf(s, "%lld (%.16s), %lld folds", (long long)study->whole->rows, hex,
                   (long long)study->n_folds);
}

/* Fact k of the study, as text. */
static void write_fact(mli_str *s, const ml_study *study, int k)
{
    if (k == 0) mli_str_add(s, study->space.own ? "" : study->algorithm->head.name);
    if (k == 1) write_space(s, &study->space);
    for (int64_t i = 0; k == 2 && i < study->n_goals; i++) {
        const mli_goal *g = &study->goals[i];
        mli_str_printf(s, "%s%s %s", i ? "; " : "", g->maximize ? "maximize" : "minimize",
                       g->name);
        if (g->bounded) mli_str_add(s, " within ");
        if (g->bounded) mli_str_f64(s, g->bound);
    }
    for (int64_t i = 0; k == 3 && i < study->base->count; i++) {
        const mli_value *v = &study->base->values[i];
        mli_path at;
        const mli_descriptor *d = study->space.descriptor;
        int known = mli_path_find(study->base, d, v->name, &at, NULL) == ML_OK;
        if (v->given && !(known && (at.param->flags & MLI_FLAG_NO_EFFECT)))
            mli_str_printf(s, "%s: %s; ", v->name, v->text);
    }
    if (k == 5) write_hooks(s, &study->hooks);
    if (k == 4 && study->whole) write_rows(s, study);
}

static ml_status append(ml_study *s, mli_str *json, int sync, ml_error *err)
{
    int wait = sync && strcmp(mli_get_str(s->options, "journal_sync"), "trial") == 0;
    ml_status st =
        json->failed ? mli_nomem(err)
                     : mli_journal_append(s->journal, json->data, json->size, wait, err);
    mli_str_free(json);
    return st;
}

static ml_status write_head(ml_study *s, ml_error *err)
{
    mli_str json, fact;
    mli_str_init(&json, s->ctx);
    mli_str_init(&fact, s->ctx);
    mli_str_add(&json, "{\"study\": 1");
    for (int k = 0; k < N_FACTS; k++) {
        mli_str_clear(&fact);
        write_fact(&fact, s, k);
        mli_json_key(&json, fact_names[k], 0);
        mli_json_str(&json, fact.data);
        if (fact.failed) json.failed = 1;
    }
    mli_str_char(&json, '}');
    mli_str_free(&fact);
    return append(s, &json, 1, err);
}

/* ---------------------------------------------------------------------------- writing */

ml_status mli_study_log_ask(ml_study *s, int64_t trial, const ml_params *params,
                            ml_error *err)
{
    mli_str json;
    int first = 1;
    if (!s->journal) return ML_OK;
    mli_str_init(&json, s->ctx);
    mli_str_printf(&json, "{\"ask\": %lld, \"params\": {", (long long)trial);
    for (int64_t i = 0; i < s->space.n; i++) {
        const mli_value *v = mli_params_find(params, s->space.dimensions[i].param->name);
        if (!v) continue;
        mli_json_key(&json, v->name, first);
        if (v->type == ML_PARAM_F64) {
            mli_str_char(&json, '"');
            mli_str_real(&json, v->f64);
            mli_str_char(&json, '"');
        } else {
            mli_json_str(&json, v->text);
        }
        first = 0;
    }
    mli_str_add(&json, "}}");
    return append(s, &json, 0, err);
}

ml_status mli_study_log_report(ml_study *s, int64_t trial, int64_t step, double value,
                               ml_error *err)
{
    mli_str json;
    if (!s->journal) return ML_OK;
    mli_str_init(&json, s->ctx);
    mli_str_printf(&json,
                   "{\"report\": %lld, \"step\": %lld, \"value\": ", (long long)trial,
                   (long long)step);
    mli_json_real(&json, value);
    mli_str_char(&json, '}');
    return append(s, &json, 0, err);
}

ml_status mli_study_log_tell(ml_study *s, int64_t trial, const mli_outcome *o,
                             ml_error *err)
{
    mli_str json;
    if (!s->journal) return ML_OK;
    mli_str_init(&json, s->ctx);
    mli_str_printf(&json, "{\"tell\": %lld, \"state\": \"%s\", \"values\": [",
                   (long long)trial, mli_trial_states[o->state]);
    for (int64_t i = 0; i < s->n_goals; i++) {
        if (i) mli_str_add(&json, ", ");
        mli_json_real(&json, o->values[i]);
    }
    mli_str_add(&json, "], \"spread\": ");
    mli_json_real(&json, o->spread);
    mli_str_add(&json, ", \"seconds\": ");
    mli_json_real(&json, o->seconds);
    mli_str_printf(&json, ", \"rounds\": %lld", (long long)o->rounds);
    if (o->message) mli_json_key(&json, "message", 0);
    if (o->message) mli_json_str(&json, o->message);
    mli_str_char(&json, '}');
    return append(s, &json, 1, err);
}

/* ---------------------------------------------------------------------------- reading */

/* A record's fields; those that it lacks are NaN, -1, NULL. */
typedef struct record {
    int64_t ask, report, tell, step, rounds;
    double value, spread, seconds, values[MLI_MOST_OBJECTIVES + MLI_MOST_CONSTRAINTS];
    int64_t n_values;
    int32_t state, is_study;
    mli_str message, facts[N_FACTS];
    ml_params *params; /* texts as given */
} record;

static void record_init(record *r, ml_context *ctx)
{
    *r = (record){.ask = -1, .report = -1, .tell = -1, .step = -1};
    r->value = r->spread = r->seconds = NAN;
    mli_str_init(&r->message, ctx);
    for (int k = 0; k < N_FACTS; k++) mli_str_init(&r->facts[k], ctx);
}

static void record_free(record *r)
{
    mli_str_free(&r->message);
    for (int k = 0; k < N_FACTS; k++) mli_str_free(&r->facts[k]);
    ml_params_free(r->params);
}

static int read_number(mli_json *j, mli_json_token t, double *out)
{
    *out = NAN;
    return t == MLI_JSON_NULL || (t == MLI_JSON_NUMBER && mli_json_f64(j, out));
}

static int read_index(mli_json *j, int64_t *out)
{
    return mli_json_next(j) == MLI_JSON_NUMBER && mli_json_i64(j, out) && *out >= 0 &&
           *out < MOST_TRIALS;
}

static int read_values(mli_json *j, record *r)
{
    if (mli_json_next(j) != MLI_JSON_ARRAY) return 0;
    for (;;) {
        mli_json_token t = mli_json_next(j);
        double v;
        if (t == MLI_JSON_ARRAY_END) return 1;
        if (r->n_values >= MLI_MOST_OBJECTIVES + MLI_MOST_CONSTRAINTS ||
            !read_number(j, t, &v))
            return 0;
        r->values[r->n_values++] = v;
    }
}

static int read_params(mli_json *j, ml_context *ctx, record *r)
{
    if (r->params || ml_params_new(ctx, &r->params, NULL) < 0 ||
        mli_json_next(j) != MLI_JSON_OBJECT)
        return 0;
    mli_str name, text;
    mli_str_init(&name, ctx);
    mli_str_init(&text, ctx);
    mli_json_token t;
    int good = 1;
    while (good && (t = mli_json_next(j)) == MLI_JSON_KEY) {
        mli_str_clear(&name);
        mli_str_clear(&text);
        good = mli_json_unescape(j, &name) && mli_json_next(j) == MLI_JSON_STRING &&
               mli_json_unescape(j, &text) && !name.failed && !text.failed &&
               ml_params_set_str(r->params, name.data, text.data, NULL) == ML_OK;
    }
    mli_str_free(&name);
    mli_str_free(&text);
    return good && t == MLI_JSON_OBJECT_END;
}

static int read_state(mli_json *j, record *r)
{
    if (mli_json_next(j) != MLI_JSON_STRING) return 0;
    for (int32_t k = 0; k < MLI_TRIAL_STATES; k++)
        if (mli_json_is(j, mli_trial_states[k])) r->state = k;
    return r->state != MLI_TRIAL_ASKED;
}

static int read_text(mli_json *j, mli_str *s)
{
    return mli_json_next(j) == MLI_JSON_STRING && mli_json_unescape(j, s) && !s->failed;
}

static int read_field(mli_json *j, ml_context *ctx, record *r)
{
    if (mli_json_is(j, "ask")) return read_index(j, &r->ask);
    if (mli_json_is(j, "report")) return read_index(j, &r->report);
    if (mli_json_is(j, "tell")) return read_index(j, &r->tell);
    if (mli_json_is(j, "step"))
        return mli_json_next(j) == MLI_JSON_NUMBER && mli_json_i64(j, &r->step);
    if (mli_json_is(j, "rounds"))
        return mli_json_next(j) == MLI_JSON_NUMBER && mli_json_i64(j, &r->rounds);
    if (mli_json_is(j, "value")) return read_number(j, mli_json_next(j), &r->value);
    if (mli_json_is(j, "spread")) return read_number(j, mli_json_next(j), &r->spread);
    if (mli_json_is(j, "seconds")) return read_number(j, mli_json_next(j), &r->seconds);
    if (mli_json_is(j, "values")) return read_values(j, r);
    if (mli_json_is(j, "params")) return read_params(j, ctx, r);
    if (mli_json_is(j, "state")) return read_state(j, r);
    if (mli_json_is(j, "message")) return read_text(j, &r->message);
    if (mli_json_is(j, "study")) r->is_study = 1;
    for (int k = 0; k < N_FACTS; k++)
        if (mli_json_is(j, fact_names[k])) return read_text(j, &r->facts[k]);
    return mli_json_skip(j, mli_json_next(j)); /* of a later version */
}

static int read_record(record *r, ml_context *ctx, const char *json, size_t size)
{
    mli_json j;
    mli_json_token t;
    mli_json_open(&j, json, size);
    if (mli_json_next(&j) != MLI_JSON_OBJECT) return 0;
    while ((t = mli_json_next(&j)) == MLI_JSON_KEY)
        if (!read_field(&j, ctx, r)) return 0;
    return t == MLI_JSON_OBJECT_END;
}

/* --------------------------------------------------------------------------- resuming */

typedef struct resuming {
    ml_study *s;
    int heads, prior; /* prior: of an earlier study, whose trials only teach */
    const char *path;
} resuming;

static ml_status check_head(resuming *c, record *r, ml_error *err)
{
    mli_str own;
    mli_str_init(&own, c->s->ctx);
    ml_status st = ML_OK;
    c->heads++;
    for (int k = 0; k < N_FACTS && st == ML_OK; k++) {
        /* An earlier study may have had other data, fixed values and ranges. */
        if (c->prior && (k == 1 || k >= 3)) continue;
        mli_str_clear(&own);
        write_fact(&own, c->s, k);
        if (own.failed) {
            st = mli_nomem(err);
        } else if (strcmp(own.data, r->facts[k].data) != 0) {
            mli_fail(
                err, ML_E_DATA,
                "the journal is of another study: its %s is \"%.200s\", not \"%.200s\"",
                fact_names[k], r->facts[k].data, own.data);
            mli_error_at(err, ML_E_DATA, "%s", c->path);
            st = mli_error_hint(err, ML_E_DATA,
                                c->prior ? "name a study of the same goals"
                                         : "name another file, or give this one as "
                                           "warm_start");
        }
    }
    mli_str_free(&own);
    return st;
}

/* The parameters of a record in this study's terms; ML_E_NAME and others when they do not
 * fit. */
static ml_status complete(ml_study *s, const record *r, ml_params **out, ml_error *err)
{
    ml_params *p = NULL;
    ml_status st = ml_params_clone(s->base, &p, err);
    for (int64_t i = 0; st == ML_OK && r->params && i < r->params->count; i++) {
        const mli_value *v = &r->params->values[i];
        st = mli_params_put(p, s->space.descriptor, v->name, v, err);
        if (st == ML_E_NAME && s->transfer) st = ML_OK; /* of another space */
    }
    if (st < 0) {
        ml_params_free(p);
        return st;
    }
    *out = p;
    return ML_OK;
}

/* Makes trials up to that number; those whose records are lost count as failed. */
static ml_status make_room(ml_study *s, int64_t trial, ml_error *err)
{
    while (s->count < trial) {
        ml_params *p = NULL;
        ml_status st = ml_params_clone(s->base, &p, err);
        if (st == ML_OK && (st = mli_study_add(s, p, err)) < 0) ml_params_free(p);
        if (st < 0) return st;
        mli_trial *t = &s->trials[s->count - 1];
        t->state = MLI_TRIAL_FAILED;
        t->lost = 1;
        t->message = mli_strdup(s->ctx, "its record is lost");
    }
    return ML_OK;
}

static ml_status resume_ask(ml_study *s, const record *r, ml_error *err)
{
    ml_params *p = NULL;
    if (r->ask < s->count) return ML_OK; /* handed out again */
    ml_status st = make_room(s, r->ask, err);
    if (st == ML_OK) st = complete(s, r, &p, NULL);
    if (st == ML_E_MEMORY) return mli_nomem(err);
    if (st < 0) return make_room(s, r->ask + 1, err); /* does not fit: counts as lost */
    st = mli_study_add(s, p, err);
    if (st < 0)
        ml_params_free(p);
    else
        s->trials[s->count - 1].orphan = 1;
    return st;
}

static ml_status resume_tell(ml_study *s, const record *r, ml_error *err)
{
    if (r->tell >= s->count || s->trials[r->tell].lost) return ML_OK;
    if (s->trials[r->tell].state != MLI_TRIAL_ASKED || r->n_values != s->n_goals)
        return ML_OK;
    mli_outcome o = {.state = r->state,
                     .values = r->values,
                     .spread = r->spread,
                     .seconds = r->seconds,
                     .rounds = r->rounds,
                     .message = r->message.size ? r->message.data : NULL};
    s->trials[r->tell].orphan = 0;
    s->resumed++;
    return mli_study_end(s, r->tell, &o, err);
}

static ml_status resume_record(void *arg, const char *json, size_t size, ml_error *err)
{
    resuming *c = arg;
    record r;
    record_init(&r, c->s->ctx);
    ml_status st = ML_OK;
    if (read_record(&r, c->s->ctx, json, size)) {
        if (r.is_study)
            st = check_head(c, &r, err);
        else if (r.ask >= 0)
            st = resume_ask(c->s, &r, err);
        else if (r.report >= 0 && r.report < c->s->count)
            st = mli_study_add_report(c->s, r.report, r.step, r.value, err);
        else if (r.tell >= 0)
            st = resume_tell(c->s, &r, err);
    }
    record_free(&r);
    return st;
}

ml_status mli_study_resume(ml_study *s, ml_error *err)
{
    const char *path = mli_get_str(s->options, "journal");
    int64_t records;
    if (!path[0]) return ML_OK;
    resuming c = {.s = s, .path = path};
    ml_status st = mli_journal_open(s->ctx, path, 0, &s->journal, err);
    if (st == ML_OK)
        st = mli_journal_read(s->ctx, path, resume_record, &c, &records, err);
    if (st == ML_OK && c.heads == 0) st = write_head(s, err);
    return st;
}

/* ------------------------------------------------------------------------ warm starts */

/* Has a trial like it been kept? */
static int is_kept(const ml_study *s, const mli_trial *t)
{
    for (int64_t i = 0; i < s->n_prior; i++)
        if (memcmp(s->prior[i].unit, t->unit, (size_t)s->space.n * sizeof *t->unit) == 0)
            return 1;
    return 0;
}

/* Keeps the trials of a shadow of the study that have a score and lie in the space. To be
 * tried first they need not: they are what is nearest to them there. */
static ml_status take_priors(ml_study *s, ml_study *shadow, ml_error *err)
{
    size_t size = (size_t)(s->n_prior + shadow->count + 1) * sizeof *s->prior;
    mli_trial *all = mli_realloc(s->ctx, s->prior, size);
    if (!all) return mli_nomem(err);
    s->prior = all;
    for (int64_t i = 0; i < shadow->count; i++) {
        mli_trial *t = &shadow->trials[i];
        int ended = t->state == MLI_TRIAL_DONE || t->state == MLI_TRIAL_PRUNED;
        if (!ended || !isfinite(t->score)) continue;
        if (!mli_space_unit(&s->space, t->params, t->unit)) {
            if (!s->transfer || is_kept(s, t)) continue;
            ml_params *p = NULL;
            ml_status st = mli_space_at(&s->space, s->base, t->unit, &p, err);
            if (st < 0) return st;
            ml_params_free(t->params);
            t->params = p;
        }
        s->prior[s->n_prior++] = *t;
        *t = (mli_trial){0}; /* moved */
    }
    return ML_OK;
}

ml_status mli_study_warm(ml_study *s, ml_error *err)
{
    const char *const *paths = NULL;
    int64_t n = mli_get_strs(s->options, "warm_start", &paths), records;
    ml_status st = ML_OK;
    s->transfer = strcmp(mli_get_str(s->options, "warm_start_type"), "transfer") == 0;
    for (int64_t i = 0; i < n && st == ML_OK; i++) {
        ml_study shadow = *s;
        shadow.trials = NULL;
        shadow.count = shadow.capacity = 0;
        shadow.best = -1;
        resuming c = {.s = &shadow, .prior = 1, .path = paths[i]};
        st = mli_journal_read(s->ctx, paths[i], resume_record, &c, &records, err);
        if (st == ML_OK) st = take_priors(s, &shadow, err);
        mli_trials_free(s->ctx, shadow.trials, shadow.count);
    }
    return st;
}

/* The estimator's parameters with those given. */
static ml_status with_given(const ml_study *s, const ml_params *given, ml_params **out,
                            ml_error *err)
{
    ml_status st = ml_params_clone(s->base, out, err);
    for (int64_t i = 0; i < given->count && st == ML_OK; i++) {
        const mli_value *v = &given->values[i];
        if (v->given) st = mli_params_put(*out, &s->algorithm->head, v->name, v, err);
    }
    return st;
}

ml_status mli_study_teach(ml_study *s, const ml_params *given, double score,
                          ml_error *err)
{
    mli_trial t = {
        .state = MLI_TRIAL_DONE, .score = score, .spread = NAN, .seconds = NAN};
    size_t size = (size_t)(s->n_prior + 1) * sizeof *s->prior;
    mli_trial *all = mli_realloc(s->ctx, s->prior, size);
    if (!all) return mli_nomem(err);
    s->prior = all;
    ml_status st = with_given(s, given, &t.params, err);
    if (st == ML_OK) {
        t.unit = mli_alloc_vec(s->ctx, s->space.n + 1, sizeof *t.unit);
        t.values = mli_alloc_vec(s->ctx, s->n_goals, sizeof *t.values);
        if (!t.unit || !t.values) st = mli_nomem(err);
    }
    if (st == ML_OK && mli_space_unit(&s->space, t.params, t.unit)) {
        for (int64_t k = 0; k < s->n_goals; k++) t.values[k] = k ? NAN : score;
        s->prior[s->n_prior++] = t;
        return ML_OK;
    }
    mli_free(s->ctx, t.unit);
    mli_free(s->ctx, t.values);
    ml_params_free(t.params);
    return st;
}
