/* SPDX-License-Identifier: MIT
 *
 * Cancel tokens, deadlines, progress.
 */
#include "testing.h"
#include "core/run.h"
#include <pthread.h>
#include <signal.h>
#include <time.h>

static void wait_ms(int ms)
{
    nanosleep(&(struct timespec){0, ms * 1000000L}, NULL);
}

START_TEST(token_is_triggered_and_reset)
{
    ml_cancel *c = NULL;
    OK(ml_cancel_new(&c, ERR));
    ck_assert_int_eq(ml_cancel_state(c), ML_CONTINUE);
    ml_cancel_request(c, ML_STOP_KEEP);
    ck_assert_int_eq(ml_cancel_state(c), ML_STOP_KEEP);
    ml_cancel_request(c, ML_CANCEL);
    ck_assert_int_eq(ml_cancel_state(c), ML_CANCEL);
    ml_cancel_request(c, ML_CONTINUE);
    ck_assert_int_eq(ml_cancel_state(c), ML_CONTINUE);
    ml_cancel_request(c, 77); /* unknown: the strongest */
    ck_assert_int_eq(ml_cancel_state(c), ML_CANCEL);
    ck_assert_ptr_eq(mli_cancel_ref(c), c);
    ml_cancel_free(c);
    ck_assert_int_eq(ml_cancel_state(c), ML_CANCEL);
    ml_cancel_free(c);
    FAILS(ML_E_ARGUMENT, ml_cancel_new(NULL, ERR));
    ml_cancel_free(NULL);
    ml_cancel_request(NULL, ML_CANCEL);
    ml_cancel_set_deadline(NULL, 1, ML_CANCEL);
    ck_assert_int_eq(ml_cancel_state(NULL), ML_CONTINUE);
    ck_assert_ptr_null(mli_cancel_ref(NULL));
}
END_TEST

START_TEST(deadline_passes)
{
    ml_cancel *c = NULL;
    OK(ml_cancel_new(&c, ERR));
    ml_cancel_set_deadline(c, 0.03, ML_STOP_KEEP);
    ck_assert_int_eq(ml_cancel_state(c), ML_CONTINUE);
    wait_ms(40);
    ck_assert_int_eq(ml_cancel_state(c), ML_STOP_KEEP);
    ml_cancel_set_deadline(c, -1, ML_CANCEL);
    ck_assert_int_eq(ml_cancel_state(c), ML_CONTINUE);
    ml_cancel_set_deadline(c, 0, ML_CANCEL);
    ck_assert_int_eq(ml_cancel_state(c), ML_CANCEL);
    ml_cancel_request(c, ML_CONTINUE); /* a reset removes the deadline too */
    ck_assert_int_eq(ml_cancel_state(c), ML_CONTINUE);
    static const double never[] = {NAN, INFINITY, -INFINITY, 1e300, 8e9, 1e9};
    for (int i = 0; i < 6; i++) {
        ml_cancel_set_deadline(c, never[i], ML_CANCEL);
        ck_assert_int_eq(ml_cancel_state(c), ML_CONTINUE);
    }
    ml_cancel_free(c);
}
END_TEST

START_TEST(deadline_and_request_give_the_stronger)
{
    ml_cancel *c = NULL;
    OK(ml_cancel_new(&c, ERR));
    ml_cancel_request(c, ML_STOP_KEEP);
    ml_cancel_set_deadline(c, 0, ML_CANCEL);
    ck_assert_int_eq(ml_cancel_state(c), ML_CANCEL);
    ml_cancel_request(c, ML_CONTINUE);
    ml_cancel_request(c, ML_CANCEL);
    ml_cancel_set_deadline(c, 0, ML_STOP_KEEP);
    ck_assert_int_eq(ml_cancel_state(c), ML_CANCEL);
    ml_cancel_free(c);
}
END_TEST

static ml_cancel *signalled;
static void on_signal(int number)
{
    (void)number;
    ml_cancel_request(signalled, ML_STOP_KEEP);
}

START_TEST(signal_handler_triggers)
{
    OK(ml_cancel_new(&signalled, ERR));
    struct sigaction action = {.sa_handler = on_signal}, before;
    sigaction(SIGUSR1, &action, &before);
    raise(SIGUSR1);
    sigaction(SIGUSR1, &before, NULL);
    ck_assert_int_eq(ml_cancel_state(signalled), ML_STOP_KEEP);
    ml_cancel_free(signalled);
}
END_TEST

static void *request_later(void *arg)
{
    wait_ms(10);
    ml_cancel_request(arg, ML_CANCEL);
    ml_cancel_free(arg);
    return NULL;
}

START_TEST(another_thread_triggers)
{
    ml_cancel *c = NULL;
    OK(ml_cancel_new(&c, ERR));
    ml_context *ctx = test_context(1);
    mli_run run;
    mli_run_init(&run, ctx, c, NULL, NULL);
    pthread_t thread;
    pthread_create(&thread, NULL, request_later, mli_cancel_ref(c));
    double start = mli_now();
    while (mli_run_state(&run) == ML_CONTINUE && mli_now() - start < 10) continue;
    FAILS(ML_E_CANCELLED, mli_run_check(&run, ERR));
    ck_assert_str_eq(ml_error_message(ERR),
                     "the call was cancelled through its token; ask for ML_STOP_KEEP to "
                     "keep the best result so far");
    pthread_join(thread, NULL);
    ml_cancel_free(c);
    ml_context_free(ctx);
}
END_TEST

typedef struct seen {
    int calls;
    int32_t answer;
    int32_t answer_at; /* the call from which on `answer` is given */
    ml_progress last;
    char stage[32];
    double fractions[64];
} seen;

static int32_t watch(const ml_progress *p, void *user)
{
    seen *s = user;
    ck_assert_uint_eq(p->struct_size, sizeof *p);
    s->last = *p;
    snprintf(s->stage, sizeof s->stage, "%s", p->stage);
    if (s->calls < 64) s->fractions[s->calls] = p->fraction;
    s->calls++;
    return s->calls >= s->answer_at ? s->answer : ML_CONTINUE;
}

START_TEST(progress_is_reported)
{
    seen s = {0};
    ml_context *ctx = test_context(1);
    mli_run run;
    mli_run_init(&run, ctx, NULL, watch, &s);
    OK(mli_run_step(&run, "boosting", 0, 4, NAN, ERR));
    ck_assert(s.last.fraction == 0);
    ck_assert(isnan(s.last.remaining));
    ck_assert(isnan(s.last.score));
    ck_assert(isnan(s.last.best_score));
    ck_assert_int_eq(s.last.trial, -1);
    wait_ms(20);
    OK(mli_run_step(&run, "boosting", 1, 4, 0.5, ERR));
    ck_assert_str_eq(s.stage, "boosting");
    ck_assert(s.last.fraction == 0.25);
    ck_assert_int_eq(s.last.step, 1);
    ck_assert_int_eq(s.last.steps, 4);
    ck_assert(s.last.elapsed >= 0.02);
    ck_assert_double_eq_tol(s.last.remaining, 3 * s.last.elapsed, 1e-9);
    ck_assert(s.last.score == 0.5 && s.last.best_score == 0.5);
    OK(mli_run_step(&run, "boosting", 2, 4, 0.7, ERR));
    ck_assert(s.last.score == 0.7 && s.last.best_score == 0.5); /* lower is better */
    OK(mli_run_step(&run, "boosting", 3, 4, 0.4, ERR));
    ck_assert(s.last.best_score == 0.4);
    OK(mli_run_step(&run, "boosting", 4, 4, NAN, ERR));
    ck_assert(s.last.fraction == 1 && s.last.remaining == 0 && s.last.best_score == 0.4);
    ml_context_free(ctx);
}
END_TEST

START_TEST(best_score_follows_the_direction)
{
    seen s = {0};
    mli_run run;
    mli_run_init(&run, NULL, NULL, watch, &s);
    run.maximize = 1;
    OK(mli_run_step(&run, "x", 1, 4, 0.5, ERR));
    OK(mli_run_step(&run, "x", 2, 4, 0.7, ERR));
    OK(mli_run_step(&run, "x", 3, 4, 0.6, ERR));
    ck_assert(s.last.best_score == 0.7);
}
END_TEST

START_TEST(progress_never_falls)
{
    seen s = {0};
    mli_run run;
    mli_run_init(&run, NULL, NULL, watch, &s);
    static const int64_t steps[][2] = {{5, 10},  {2, 10}, {1, 2},  {0, 0},  {-3, 10},
                                       {99, 10}, {1, 10}, {3, -1}, {10, 10}};
    for (int i = 0; i < 9; i++)
        OK(mli_run_step(&run, "x", steps[i][0], steps[i][1], NAN, ERR));
    for (int i = 0; i < 9; i++) {
        ck_assert(s.fractions[i] >= 0 && s.fractions[i] <= 1);
        if (i) ck_assert(s.fractions[i] >= s.fractions[i - 1]);
    }
    ck_assert(s.fractions[8] == 1);
    ck_assert_int_eq(s.last.steps, 10);
}
END_TEST

START_TEST(callback_stops_and_cancels)
{
    static const struct {
        int32_t answer;
        ml_status status;
        int32_t state;
    } cases[] = {{ML_CONTINUE, ML_OK, ML_CONTINUE},
                 {ML_STOP_KEEP, ML_OK, ML_STOP_KEEP},
                 {ML_CANCEL, ML_E_CANCELLED, ML_CANCEL},
                 {-1, ML_E_CANCELLED, ML_CANCEL}};
    for (int i = 0; i < 4; i++) {
        seen s = {.answer = cases[i].answer, .answer_at = 2};
        mli_run run;
        mli_run_init(&run, NULL, NULL, watch, &s);
        OK(mli_run_step(&run, "x", 1, 10, NAN, ERR));
        ck_assert_int_eq(mli_run_state(&run), ML_CONTINUE);
        ck_assert_int_eq(mli_run_step(&run, "x", 2, 10, NAN, ERR), cases[i].status);
        ck_assert_int_eq(mli_run_state(&run), cases[i].state);
        if (cases[i].status)
            ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "progress callback"));
        int calls = s.calls;
        ck_assert_int_eq(mli_run_step(&run, "x", 3, 10, NAN, NULL), cases[i].status);
        ck_assert_int_eq(s.calls, cases[i].status ? calls : calls + 1);
    }
}
END_TEST

START_TEST(stop_is_not_taken_back)
{
    seen s = {.answer = ML_STOP_KEEP, .answer_at = 1};
    mli_run run;
    mli_run_init(&run, NULL, NULL, watch, &s);
    OK(mli_run_step(&run, "x", 1, 10, NAN, ERR));
    s.answer = ML_CONTINUE;
    OK(mli_run_step(&run, "x", 2, 10, NAN, ERR));
    ck_assert_int_eq(mli_run_state(&run), ML_STOP_KEEP);
}
END_TEST

START_TEST(deadline_stops_a_run)
{
    ml_cancel *c = NULL;
    OK(ml_cancel_new(&c, ERR));
    mli_run run;
    mli_run_init(&run, NULL, c, NULL, NULL);
    OK(mli_run_check(&run, ERR));
    ml_cancel_set_deadline(c, 0, ML_STOP_KEEP);
    OK(mli_run_check(&run, ERR));
    ck_assert_int_eq(mli_run_state(&run), ML_STOP_KEEP);
    ml_cancel_set_deadline(c, 0, ML_CANCEL);
    FAILS(ML_E_CANCELLED, mli_run_step(&run, "x", 1, 2, NAN, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "deadline"));
    ml_cancel_free(c);
}
END_TEST

START_TEST(parts_map_into_the_whole)
{
    seen s = {0};
    mli_run run, fit, stage;
    mli_run_init(&run, NULL, NULL, watch, &s);
    run.maximize = 1;
    OK(mli_run_step(&run, "study", 0, 2, 0.9, ERR));
    run.trial = 3;
    mli_run_part(&fit, &run, 0.5, 1, 1);
    ck_assert_int_eq(fit.trial, 3);
    mli_run_part(&stage, &fit, 0, 0.5, 1);
    OK(mli_run_step(&stage, "boosting", 1, 2, 0.1, ERR));
    ck_assert(s.last.fraction == 0.5 + 0.5 * 0.25);
    ck_assert_int_eq(s.last.trial, 3);
    ck_assert_str_eq(s.stage, "boosting");
    ck_assert(isnan(s.last.score)); /* the scores of parts are their own */
    ck_assert(s.last.best_score == 0.9);
    ck_assert(stage.best_score == 0.1);
    OK(mli_run_step(&fit, "fit", 2, 2, NAN, ERR));
    ck_assert(s.last.fraction == 1);
    OK(mli_run_step(&stage, "late", 2, 2, NAN, ERR));
    ck_assert(s.last.fraction == 1);
}
END_TEST

START_TEST(silent_parts_report_nothing)
{
    seen s = {0};
    ml_cancel *c = NULL;
    OK(ml_cancel_new(&c, ERR));
    mli_run run, part, inner;
    mli_run_init(&run, NULL, c, watch, &s);
    mli_run_part(&part, &run, 0, 1, 0);
    mli_run_part(&inner, &part, 0, 1, 1);
    OK(mli_run_step(&part, "x", 1, 2, 0.5, ERR));
    OK(mli_run_step(&inner, "x", 1, 2, 0.5, ERR));
    ck_assert_int_eq(s.calls, 0);
    ck_assert(run.fraction == 0);
    ml_cancel_request(c, ML_STOP_KEEP);
    ck_assert_int_eq(mli_run_state(&inner), ML_STOP_KEEP);
    ml_cancel_request(c, ML_CANCEL);
    FAILS(ML_E_CANCELLED, mli_run_step(&inner, "x", 2, 2, NAN, ERR));
    FAILS(ML_E_CANCELLED, mli_run_check(&part, ERR));
    ml_cancel_free(c);
}
END_TEST

START_TEST(answer_reaches_parts)
{
    seen s = {.answer = ML_CANCEL, .answer_at = 1};
    mli_run run, part, other;
    mli_run_init(&run, NULL, NULL, watch, &s);
    mli_run_part(&part, &run, 0, 0.5, 1);
    mli_run_part(&other, &run, 0.5, 1, 0);
    FAILS(ML_E_CANCELLED, mli_run_step(&part, "x", 1, 2, NAN, ERR));
    ck_assert_int_eq(mli_run_state(&run), ML_CANCEL);
    ck_assert_int_eq(mli_run_state(&other), ML_CANCEL);
}
END_TEST

TEST_MAIN("core/run", token_is_triggered_and_reset, deadline_passes,
          deadline_and_request_give_the_stronger, signal_handler_triggers,
          another_thread_triggers, progress_is_reported, best_score_follows_the_direction,
          progress_never_falls, callback_stops_and_cancels, stop_is_not_taken_back,
          deadline_stops_a_run, parts_map_into_the_whole, silent_parts_report_nothing,
          answer_reaches_parts)
