/* SPDX-License-Identifier: MIT
 *
 * automl_refit.c: the candidates that were chosen, fitted to all rows, and the tensors of
 * the model.
 */
#include "algorithms/compose/stacking.h"
#include "algorithms/compose/thresholds.h"
#include "core/parallel.h"
#include "core/text.h"
#include "tuning/automl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- members ---- */

#define FEW_ROWS 50000 /* so far a fit depends much on what it draws */
#define REPEATS  3
#define SURELY   0.8 /* of the time that is left: rows do not cost the same */

/* A model of the result: a candidate, fitted with a seed of its own. Those that repeat
 * another come after all that do not. */
typedef struct {
    const mli_candidate *c;
    int64_t repeat;
} member;

/* Boosting draws columns, rows and the noise of its splits; forests have drawn enough. */
static int draws(const mli_candidate *c)
{
    return mli_automl_flagged(c->algorithm, MLI_FLAG_ROUNDS) &&
           mli_param_find(&c->algorithm->head, "seed");
}

int64_t mli_automl_repeats(const mli_automl *a)
{
    int64_t asked = mli_get_i64(a->job->params, "repeats");
    if (asked) return asked;
    return mli_get_i64(a->job->params, "max_members") == 1 ||
                   a->job->train->rows > FEW_ROWS
               ? 1
               : REPEATS;
}

/* What a member predicts is a column of a final model, which knows it once. A host that
 * has ended the search does not wait for more of the same. */
static ml_status list_members(const mli_automl *a, member **out, int64_t *n,
                              ml_error *err)
{
    int once = a->stacked || mli_run_state(a->job->run) != ML_CONTINUE;
    int64_t repeats = once ? 1 : mli_automl_repeats(a);
    *n = 0;
    *out = mli_alloc_vec(a->ctx, a->count * repeats, sizeof **out);
    if (!*out) return mli_nomem(err);
    for (int64_t k = 0; k < repeats; k++)
        for (int64_t i = 0; i < a->count; i++) {
            const mli_candidate *c = &a->candidates[i];
            if (c->weight > 0 && (k == 0 || draws(c))) (*out)[(*n)++] = (member){c, k};
        }
    return ML_OK;
}

/* The seed of a candidate, or one that comes after it, within what seeds may be. */
static int64_t seed_of(const member *m)
{
    const mli_value *v = mli_params_find(m->c->given, "seed");
    uint64_t seed = v ? strtoull(v->text, NULL, 10) : 0;
    return (int64_t)((seed + (uint64_t)m->repeat) & INT64_MAX);
}

/* "m0=gbdt, m1=..." and the parameters of each, as the model keeps them. */
static ml_status add_member(const member *m, int64_t k, mli_str *list, ml_params *out,
                            ml_error *err)
{
    const mli_candidate *c = m->c;
    char path[128];
    ml_status status = ML_OK;
    mli_str_printf(list, "%sm%lld=%s", k ? ", " : "", (long long)k,
                   c->algorithm->head.name);
    for (int64_t i = 0; i < c->given->count && !status; i++) {
        const mli_value *v = &c->given->values[i];
        if (!v->given) continue;
        snprintf(path, sizeof path, "m%lld.%s", (long long)k, v->name);
        status = ml_params_set_str(out, path, v->text, err);
    }
    snprintf(path, sizeof path, "m%lld.seed", (long long)k);
    if (m->repeat && !status) status = ml_params_set_i64(out, path, seed_of(m), err);
    for (const mli_param *p = c->algorithm->head.params; p && p->name && !status; p++) {
        const mli_value *v = mli_params_find(c->given, p->name);
        int64_t value;
        if (!mli_param_settled(p, v, c->rounds, &value)) continue;
        snprintf(path, sizeof path, "m%lld.%s", (long long)k, p->name);
        status = ml_params_set_i64(out, path, value, err);
    }
    return status;
}

static ml_status member_params(const mli_automl *a, const member *m, int64_t n,
                               ml_params **out, ml_error *err)
{
    ml_params *given = NULL;
    mli_str list;
    mli_str_init(&list, a->ctx);
    ml_status status = ml_params_clone(a->job->params, &given, err);
    for (int64_t k = 0; k < n && !status; k++)
        status = add_member(&m[k], k, &list, given, err);
    if (!status && list.failed) status = mli_nomem(err);
    if (!status) status = ml_params_set_str(given, "members", list.data, err);
    mli_str_free(&list);
    const mli_algorithm *whole = a->job->model->algorithm;
    if (!status && a->stacked)
        status = mli_stack_params(a->ctx, whole, a->job->train->inputs, given, out, err);
    else if (!status)
        status = mli_params_resolve_again(a->ctx, &whole->head, given, out, err);
    ml_params_free(given);
    return status;
}

/* ---- the leaderboard ---- */

static const char *state_of(const mli_candidate *c)
{
    if (!isnan(c->guess)) return "given up";
    if (isnan(c->score)) return "failed";
    return c->cut ? "cut short" : "judged";
}

/* Inside of a quoted field of a CSV file. */
static void quoted(mli_str *s, const char *text)
{
    for (; *text; text++) {
        if (*text == '"') mli_str_char(s, '"');
        mli_str_char(s, *text);
    }
}

static void describe_candidate(const mli_candidate *c, mli_str *s)
{
    mli_str_printf(s, "%s,", c->algorithm->head.name);
    if (!isnan(c->score)) mli_str_f64(s, c->score);
    mli_str_char(s, ',');
    mli_str_f64(s, c->weight);
    mli_str_printf(s, ",%lld,%s,\"", (long long)c->rounds, state_of(c));
    int n = 0;
    for (int64_t i = 0; i < c->given->count; i++) {
        const mli_value *v = &c->given->values[i];
        if (!v->given || strcmp(v->name, "seed") == 0) continue;
        mli_str_printf(s, "%s%s=", n++ ? " " : "", v->name);
        quoted(s, v->text);
    }
    mli_str_add(s, "\",\"");
    quoted(s, c->why ? c->why : "");
    mli_str_add(s, "\"\n");
}

/* The best first. */
static ml_status describe_all(const mli_automl *a, mli_str *s, ml_error *err)
{
    int64_t *order = mli_alloc_vec(a->ctx, a->count, sizeof *order);
    if (!order) return mli_nomem(err);
    for (int64_t i = 0; i < a->count; i++) {
        int64_t at = i;
        for (; at > 0; at--) {
            const mli_candidate *other = &a->candidates[order[at - 1]];
            if (!mli_automl_better(a, a->candidates[i].score, other->score)) break;
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
    for (int64_t i = 0; i < a->count; i++)
        describe_candidate(&a->candidates[order[i]], s);
    mli_free(a->ctx, order);
    return ML_OK;
}

static ml_status add_text(ml_model *m, const char *name, const mli_str *s, ml_error *err)
{
    unsigned char *data = NULL;
    int64_t n = (int64_t)s->size;
    if (s->failed) return mli_nomem(err);
    ml_status status = mli_model_add(m, name, ML_DTYPE_U8, 1, &n, &data, err);
    if (!status) memcpy(data, s->data, s->size);
    return status;
}

ml_status mli_automl_leaderboard(const mli_automl *a, ml_error *err)
{
    ml_model *m = a->job->model;
    double *scores = NULL;
    mli_str s;
    mli_str_init(&s, a->ctx);
    mli_str_add(&s, "algorithm,score,weight,rounds,state,parameters,message\n");
    ml_status status = describe_all(a, &s, err);
    if (!status) status = add_text(m, "leaderboard", &s, err);
    mli_str_free(&s);
    if (!status)
        status =
            mli_model_add(m, "trial_scores", ML_DTYPE_F64, 1, &a->count, &scores, err);
    for (int64_t i = 0; i < a->count && !status; i++) scores[i] = a->candidates[i].score;
    if (!status && !isnan(a->score))
        status = mli_model_add_f64s(m, "held_out_score", &a->score, 1, err);
    return status;
}

static ml_status add_weights(const mli_automl *a, const member *m, int64_t n,
                             ml_error *err)
{
    double *weights = NULL;
    ml_status status =
        mli_model_add(a->job->model, "weights", ML_DTYPE_F64, 1, &n, &weights, err);
    for (int64_t k = 0; k < n && !status; k++) {
        int64_t repeats = 0;
        for (int64_t i = 0; i < n; i++) repeats += m[i].c == m[k].c;
        weights[k] = m[k].c->weight / (double)repeats;
    }
    return status;
}

/* ---- fits ---- */

#define WORTH 1.3 /* times the rows of the model that there is */

static void last_clock(mli_automl *a)
{
    ml_cancel_request(a->clock, ML_CONTINUE);
    if (!(a->limit > 0)) return;
    double left = mli_automl_left(a);
    ml_cancel_set_deadline(a->clock, left > 0.05 ? left : 0.05, ML_STOP_KEEP);
}

/* As many of the rows as there is time for, if they are clearly more than those of the
 * model of one fold: *out, else NULL. need: seconds for all rows; left: those there are.
 */
static ml_status some_rows(const mli_automl *a, const mli_candidate *c,
                           const mli_design *all, double need, double left,
                           mli_design **out, ml_error *err)
{
    double share = SURELY * left / need;
    int64_t n = all->rows, most = (int64_t)(share * (double)n);
    if (!(share > WORTH / fmax(c->growth, 1)) || share >= 1) return ML_OK;
    int64_t *rows = mli_alloc_vec(a->ctx, n, sizeof *rows);
    if (!rows) return mli_nomem(err);
    for (int64_t i = 0; i < n; i++) rows[i] = i;
    mli_automl_thin(a, rows, &n, most);
    ml_status status = mli_design_take(all, rows, n, out, err);
    mli_free(a->ctx, rows);
    return status;
}

/* Within the memory limit, when the model of one fold can stand in, or it is a repeat:
 * *out is NULL where there is not enough. */
static ml_status fit_rows(const mli_automl *a, const mli_fit *whole, const char *name,
                          const member *m, const mli_design *rows, ml_model **out,
                          ml_error *err)
{
    static const mli_hooks none;
    ml_params *params = NULL;
    int limited = 0;
    ml_status status = mli_params_part(whole->params, name, &params, err);
    if (!status && (m->c->kept || m->repeat))
        limited = mli_automl_limit(a, m->c->algorithm);
    if (!status)
        status = mli_fit_part(a->ctx, m->c->algorithm, name, params, rows, NULL, &none,
                              whole->run, out, err);
    if (limited) mli_memory_lift(a->ctx);
    ml_params_free(params);
    return limited && status == ML_E_MEMORY ? ML_OK : status;
}

/* What there was too little of for a fit to all rows. */
enum { NOTHING, TIME, MEMORY };

/* One member that is fitted, perhaps beside others. */
typedef struct {
    const mli_automl *a;
    const mli_fit *whole;
    const member *one;
    const char *name; /* of the part */
    int64_t part;
    double from, to; /* part of the progress */
    ml_model *m;     /* NULL: it lacked something */
    int lacked;
} fitting;

/* To all rows, or as many as there is time for. What is cut short by the clock is worse
 * than the model of one fold, which stands in for it then. */
static ml_status fit_member(fitting *f, const mli_fit *whole, ml_error *err)
{
    const mli_candidate *c = f->one->c;
    const mli_automl *a = f->a;
    ml_model *m = NULL;
    mli_design *some = NULL;
    double need = mli_automl_whole_seconds(a, c);
    double left = mli_automl_left(a);
    ml_status status = ML_OK;
    int late = c->kept && a->limit > 0 && need > left &&
               strcmp(c->algorithm->head.name, "baseline") != 0; /* which takes none */
    if (late) status = some_rows(a, c, whole->train, need, left, &some, err);
    if ((!late || some) && !status)
        status = fit_rows(a, whole, f->name, f->one, some ? some : whole->train, &m, err);
    mli_design_free(some);
    int cut = mli_run_state(whole->run) != ML_CONTINUE;
    f->lacked = late || cut ? TIME : m ? NOTHING : MEMORY;
    f->m = m;
    if (status || !c->kept || (m && !cut)) return status;
    ml_model_free(m);
    f->m = ml_model_ref(c->kept);
    return ML_OK;
}

/* A repeat, if there is time and memory for all of it. */
static ml_status fit_again(fitting *f, const mli_fit *whole, ml_error *err)
{
    f->lacked = TIME;
    if (mli_run_state(whole->run) == ML_STOP_KEEP ||
        mli_automl_whole_seconds(f->a, f->one->c) > SURELY * mli_automl_left(f->a))
        return ML_OK;
    ml_status status = fit_rows(f->a, whole, f->name, f->one, whole->train, &f->m, err);
    if (f->m && mli_run_state(whole->run) != ML_STOP_KEEP) f->lacked = NOTHING;
    return status;
}

static ml_status fit_task(void *arg, int64_t task, int32_t slot, ml_error *err)
{
    fitting *f = (fitting *)arg + task;
    mli_fit whole = *f->whole;
    mli_run run;
    (void)slot;
    mli_run_part(&run, whole.run, f->from, f->to, 1);
    whole.run = &run;
    return f->one->repeat ? fit_again(f, &whole, err) : fit_member(f, &whole, err);
}

/* The next `count` members to fit: those with the largest weights first, and then the
 * repeats. */
static void next_members(const mli_parts *p, const member *m, fitting *out, int64_t count)
{
    for (int64_t k = 0; k < count; k++) {
        int64_t best = -1;
        for (int64_t i = 0; i < p->n; i++) {
            int taken = p->model[i] != NULL;
            for (int64_t j = 0; j < k; j++) taken |= out[j].part == i;
            if (!taken &&
                (best < 0 || (!m[i].repeat && m[i].c->weight > m[best].c->weight)))
                best = i;
        }
        out[k] = (fitting){.part = best, .one = &m[best], .name = p->part[best].name};
    }
}

static void tell_lacking(const mli_automl *a, const member *m, int64_t n,
                         const int64_t *behind)
{
    static const char *const names[] = {"", "time", "memory"};
    while (n > 0 && m[n - 1].repeat) n--;
    for (int what = TIME; what <= MEMORY; what++)
        if (behind[what])
            mli_log(a->ctx, ML_LOG_WARNING, "automl",
                    "%lld of %lld models lacked %s for a fit to all rows: raise %s_limit",
                    (long long)behind[what], (long long)n, names[what], names[what]);
}

/* Takes what was fitted over; *n grows up to the first repeat that is lacking. */
static ml_status adopt_all(mli_fit *whole, mli_parts *p, const fitting *f, int64_t count,
                           int64_t *n, int64_t *behind, ml_error *err)
{
    ml_status status = ML_OK;
    for (int64_t k = 0; k < count && !status; k++) {
        if (f[k].one->repeat && f[k].lacked) break;
        status = mli_part_adopt(whole, p, f[k].part, f[k].m, err);
        behind[f[k].lacked]++;
        ++*n;
    }
    return status;
}

/* Members that are fitted at once. */
static int64_t at_once(const mli_automl *a)
{
    if (!mli_automl_side_by_side(a, a->job->train)) return 1;
    /* Whether the host has lost patience is asked on its own thread. */
    return mli_run_state(a->job->run) == ML_CONTINUE ? mli_slots(a->ctx) : 1;
}

/* Up to the first repeat that there is no time or memory for: *n members. */
static ml_status fit_parts(const mli_automl *a, mli_fit *whole, mli_parts *p,
                           const member *m, int64_t *n, ml_error *err)
{
    int64_t behind[3] = {0}, most = at_once(a);
    fitting *f = mli_alloc_vec(a->ctx, most, sizeof *f);
    if (!f) return mli_nomem(err);
    ml_status status = ML_OK;
    for (*n = 0; *n < p->n && !status;) {
        int64_t before = *n, count = most < p->n - *n ? most : p->n - *n;
        next_members(p, m, f, count);
        for (int64_t k = 0; k < count; k++) {
            f[k].a = a;
            f[k].whole = whole;
            f[k].from = (double)*n / (double)p->n;
            f[k].to = (double)(*n + 1) / (double)p->n;
        }
        status = mli_parallel_try(a->ctx, 1, count, fit_task, f, err);
        if (!status) status = adopt_all(whole, p, f, count, n, behind, err);
        for (int64_t k = 0; k < count; k++) ml_model_free(f[k].m);
        if (!status && most > 1)
            status = mli_run_step(whole->run, "members", *n, p->n, NAN, err);
        if (*n < before + count) break;
    }
    mli_free(a->ctx, f);
    if (!status) tell_lacking(a, m, p->n, behind);
    double lacking = (double)(behind[TIME] + behind[MEMORY]);
    if (!status && lacking > 0)
        status = mli_model_add_f64s(a->job->model, "not_refitted", &lacking, 1, err);
    return status;
}

static ml_status fit_members(mli_automl *a, mli_fit *whole, const member *m, int64_t *n,
                             ml_error *err)
{
    mli_parts p = {0};
    ml_status status = mli_parts_new(a->ctx, mli_automl_members, whole->params, &p, err);
    if (!status) status = fit_parts(a, whole, &p, m, n, err);
    if (!status && !a->stacked) status = add_weights(a, m, *n, err);
    mli_parts_free(&p);
    return status;
}

static ml_status fit_final(mli_automl *a, mli_fit *whole, ml_error *err)
{
    mli_parts p = {0};
    mli_design *rows = NULL;
    ml_status status = mli_parts_new(a->ctx, mli_automl_final, whole->params, &p, err);
    if (!status) status = mli_automl_stack_rows(a, &rows, err);
    if (!status) status = mli_part_fit(whole, &p, 0, rows, NULL, 1, 1, err);
    mli_design_free(rows);
    mli_parts_free(&p);
    return status;
}

static ml_status add_adjustments(const mli_automl *a, ml_error *err)
{
    double *cuts = NULL;
    ml_model *m = a->job->model;
    ml_status status = mli_calibration_save(&a->map, m, err);
    if (status || !a->cuts) return status;
    status = mli_model_add(m, MLI_THRESHOLDS, ML_DTYPE_F64, 1, &a->n_outputs, &cuts, err);
    if (!status) memcpy(cuts, a->cuts, (size_t)a->n_outputs * sizeof *cuts);
    return status;
}

static int still_wanted(const ml_progress *p, void *user)
{
    (void)p;
    return mli_run_state(user) == ML_CANCEL ? ML_CANCEL : ML_CONTINUE;
}

/* A host that ended the search wants what was found, fitted in full. */
void mli_automl_last_run(mli_automl *a, mli_run *run)
{
    if (mli_run_state(a->job->run) == ML_STOP_KEEP)
        mli_run_init(run, a->ctx, NULL, still_wanted, a->job->run);
    else
        mli_run_part(run, a->job->run, 0.9, 1, 1);
    last_clock(a);
    run->cancel = a->clock;
    run->quiet = 1;
}

/* The parameters of n members become those of the model. */
static ml_status set_params(mli_automl *a, const member *m, int64_t n, ml_error *err)
{
    ml_params *kept = NULL;
    ml_model *model = a->job->model;
    ml_status status = member_params(a, m, n, &kept, err);
    if (status) return status;
    ml_params_free(model->params);
    model->params = kept;
    mli_params_drop(kept, &model->algorithm->head, MLI_FLAG_NO_EFFECT);
    return ML_OK;
}

static ml_status fit_all(mli_automl *a, const member *m, int64_t n, ml_error *err)
{
    mli_run run;
    int64_t fitted = 0;
    mli_automl_last_run(a, &run);
    mli_fit whole = *a->job;
    whole.params = a->job->model->params;
    whole.run = &run;
    ml_status status = fit_members(a, &whole, m, &fitted, err);
    ml_cancel_request(a->clock, ML_CONTINUE);
    if (!status && a->stacked) status = fit_final(a, &whole, err);
    if (!status && fitted < n) status = set_params(a, m, fitted, err);
    return status ? status : add_adjustments(a, err);
}

ml_status mli_automl_refit(mli_automl *a, ml_error *err)
{
    member *m = NULL;
    int64_t n;
    ml_status status = list_members(a, &m, &n, err);
    if (!status) status = set_params(a, m, n, err);
    if (!status) status = fit_all(a, m, n, err);
    mli_free(a->ctx, m);
    return status;
}
