/* SPDX-License-Identifier: MIT
 *
 * The conformance kit: every algorithm of the catalog must do these. Nothing here names
 * an algorithm, so a new one is tested by being registered.
 */
#include "kit.h"

#include "../failing.h"
#include <ctype.h>
#include <pthread.h>

#define EACH_SUBJECT(ctx, s)                                                             \
    subject all_subjects[SUBJECTS_MAX];                                                  \
    int n_subjects = subjects(ctx, all_subjects);                                        \
    ck_assert_int_gt(n_subjects, 0);                                                     \
    for (const subject *s = all_subjects; s < all_subjects + n_subjects; s++)

static ml_table *usual(ml_context *ctx, const subject *s)
{
    return kit_table(ctx, &(kit_data){.rows = 240, .classes = s->classes, .seed = 9});
}

static void name_is_plain(const char *name)
{
    ck_assert_msg(islower((unsigned char)name[0]), "name %s", name);
    for (const char *p = name; *p; p++)
        ck_assert_msg(islower((unsigned char)*p) || isdigit((unsigned char)*p) ||
                          *p == '_' || *p == '.',
                      "name %s", name);
}

START_TEST(schemas_are_sane)
{
    ml_context *ctx = test_context(1);
    const char *before = "";
    for (int64_t i = 0; ml_schema_name_at(ctx, i); i++) {
        const char *name = ml_schema_name_at(ctx, i);
        ml_schema *s = NULL;
        OK(ml_schema_new(ctx, name, &s, ERR));
        name_is_plain(name);
        ck_assert_msg(strcmp(before, name) < 0, "%s is out of order", name);
        before = name;
        ck_assert_int_gt(strlen(ml_schema_get(s, ML_SCHEMA_ALGORITHM, 0, "doc")), 10);
        for (int64_t j = 0; j < ml_schema_count(s, ML_SCHEMA_PARAM); j++) {
            const char *param = ml_schema_get(s, ML_SCHEMA_PARAM, j, "name");
            name_is_plain(param);
            ck_assert_msg(strlen(ml_schema_get(s, ML_SCHEMA_PARAM, j, "doc")) > 10,
                          "%s.%s has no doc", name, param);
            ck_assert_int_eq(ml_schema_find(s, ML_SCHEMA_PARAM, param), j);
            ck_assert_msg(*ml_schema_get(s, ML_SCHEMA_PARAM, j, "since"), "%s.%s", name,
                          param);
        }
        ml_schema_free(s);
    }
    ml_context_free(ctx);
}
END_TEST

/* Tuning ranges lie within the legal ones: both ends can be set. */
START_TEST(tuning_ranges_are_legal)
{
    ml_context *ctx = test_context(1);
    for (int64_t i = 0; ml_schema_name_at(ctx, i); i++) {
        const char *name = ml_schema_name_at(ctx, i);
        ml_schema *s = NULL;
        ml_estimator *e = NULL;
        if (strchr(name, '.')) continue;
        OK(ml_schema_new(ctx, name, &s, ERR));
        OK(ml_estimator_new(ctx, name, &e, ERR));
        for (int64_t j = 0; j < ml_schema_count(s, ML_SCHEMA_PARAM); j++) {
            const char *param = ml_schema_get(s, ML_SCHEMA_PARAM, j, "name");
            const char *tune = ml_schema_get(s, ML_SCHEMA_PARAM, j, "tune");
            char item[64];
            const char *p = tune + strcspn(tune, "[{");
            while (*p && *p != ']' && *p != '}') {
                p += strspn(p, "[{, ");
                size_t n = strcspn(p, ",]}");
                if (n == 0) break;
                snprintf(item, sizeof item, "%.*s", (int)n, p);
                OK(ml_estimator_set_str(e, param, item, ERR));
                p += n;
            }
        }
        ml_estimator_free(e);
        ml_schema_free(s);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(predictions_have_their_shapes)
{
    ml_context *ctx = test_context(2);
    EACH_SUBJECT(ctx, s)
    {
        ml_table *t = usual(ctx, s);
        ml_model *m = kit_fit(ctx, s, t);
        const char *kinds[16];
        int n = kit_kinds(ctx, m, kinds);
        ck_assert_int_gt(n, 0);
        ck_assert_int_eq(ml_model_classes(m), s->classes);
        for (int k = 0; k < n; k++) {
            ml_tensor *p = predicted(m, kinds[k], t);
            const int64_t *shape = ml_tensor_shape(p);
            ck_assert_int_eq(shape[0], 240);
            for (int64_t i = 0; i < shape[0]; i++) {
                double sum = 0;
                for (int64_t j = 0; j < shape[1]; j++) {
                    ck_assert_msg(s->transformer || isfinite(ml_tensor_get_f64(p, i, j)),
                                  "%s %s", s->algorithm, kinds[k]);
                    sum += ml_tensor_get_f64(p, i, j);
                }
                if (strcmp(kinds[k], "proba") == 0) ck_assert_double_eq_tol(sum, 1, 1e-9);
                if (strcmp(kinds[k], "class") == 0) ck_assert(sum < s->classes);
            }
            ml_tensor_free(p);
        }
        ml_model_free(m);
        ml_table_free(t);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(single_rows_equal_the_batch)
{
    ml_context *ctx = test_context(2);
    EACH_SUBJECT(ctx, s)
    {
        ml_table *t = usual(ctx, s);
        ml_model *m = kit_fit(ctx, s, t);
        const char *kinds[16];
        int n = kit_kinds(ctx, m, kinds);
        for (int k = 0; k < n; k++) {
            ml_tensor *batch = predicted(m, kinds[k], t);
            ml_predictor *p = NULL;
            double row[8], out[1024];
            float row32[8];
            OK(ml_predictor_new(m, kinds[k], NULL, &p, ERR));
            ck_assert_int_le(ml_predictor_outputs(p), 1024);
            for (int64_t i = 0; i < 240; i++) {
                kit_row(p, m, t, i, row);
                OK(ml_predictor_rows(p, row, ML_DTYPE_F64, 1, ml_model_inputs(m), out,
                                     ERR));
                for (int64_t j = 0; j < ml_predictor_outputs(p); j++)
                    ck_assert_msg(same_number(out[j], ml_tensor_get_f64(batch, i, j)),
                                  "%s %s row %d: %.17g, batch %.17g", s->algorithm,
                                  kinds[k], (int)i, out[j],
                                  ml_tensor_get_f64(batch, i, j));
                for (int j = 0; j < 8 && j < ml_model_inputs(m); j++)
                    row32[j] = (float)row[j];
                OK(ml_predictor_rows(p, row32, ML_DTYPE_F32, 1, ml_model_inputs(m), out,
                                     ERR));
                ck_assert(s->transformer || isfinite(out[0]));
            }
            ml_predictor_free(p);
            ml_tensor_free(batch);
        }
        ml_model_free(m);
        ml_table_free(t);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(saving_keeps_everything)
{
    ml_context *ctx = test_context(1);
    EACH_SUBJECT(ctx, s)
    {
        ml_table *t = usual(ctx, s);
        ml_model *m = kit_fit(ctx, s, t), *loaded = NULL;
        const char *kinds[16];
        int n = kit_kinds(ctx, m, kinds);
        kit_bytes bytes = kit_save(m);
        OK(ml_model_load_memory(ctx, bytes.data, bytes.size, NULL, NULL, NULL, &loaded,
                                ERR));
        for (int k = 0; k < n; k++) {
            ml_tensor *a = predicted(m, kinds[k], t), *b = predicted(loaded, kinds[k], t);
            ck_assert_msg(same_tensor(a, b), "%s %s", s->algorithm, kinds[k]);
            ml_tensor_free(a);
            ml_tensor_free(b);
        }
        ck_assert_str_eq(ml_model_json(m), ml_model_json(loaded));
        kit_bytes again = kit_save(loaded);
        ck_assert_int_eq(again.size, bytes.size);
        ck_assert_mem_eq(again.data, bytes.data, bytes.size);
        ml_model_free(loaded);
        ml_model_free(m);
        ml_table_free(t);
        free(bytes.data);
        free(again.data);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(threads_do_not_change_the_model)
{
    const int32_t threads[] = {1, 2, 7};
    ml_context *list = test_context(1);
    EACH_SUBJECT(list, s)
    {
        kit_bytes first = {0};
        for (int i = 0; i < 3; i++) {
            ml_context *ctx = test_context(threads[i]);
            ml_table *t = kit_table(
                ctx, &(kit_data){.rows = 3000, .classes = s->classes, .seed = 4});
            ml_model *m = kit_fit(ctx, s, t);
            kit_bytes bytes = kit_save(m);
            if (i == 0) {
                first = bytes;
            } else {
                ck_assert_int_eq(bytes.size, first.size);
                ck_assert_msg(memcmp(bytes.data, first.data, bytes.size) == 0,
                              "%s differs with %d threads", s->algorithm, threads[i]);
                free(bytes.data);
            }
            ml_model_free(m);
            ml_table_free(t);
            ml_context_free(ctx);
        }
        free(first.data);
    }
    ml_context_free(list);
}
END_TEST

/* Extreme tables: a model whose predictions are finite, or an error that says why. */
START_TEST(extreme_tables)
{
    ml_context *ctx = test_context(1);
    const kit_data cases[] = {
        {.rows = 200, .infinities = 1},
        {.rows = 200, .constant = 1},
        {.rows = 200, .duplicates = 1},
        {.rows = 3000, .levels = 2500},
        {.rows = 200, .all_missing = 1},
        {.rows = 0},
        {.rows = 1},
        {.rows = 2},
        {.rows = 9},
        {.rows = 200, .scale = 1e300},
        {.rows = 200, .scale = 1e-300},
    };
    EACH_SUBJECT(ctx, s)
    {
        for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
            kit_data d = cases[c];
            d.classes = s->classes;
            ml_table *t = kit_table(ctx, &d);
            ml_estimator *e = kit_estimator(ctx, s);
            ml_model *m = NULL;
            ml_status st = ml_estimator_fit(e, t, NULL, &m, ERR);
            if (st == ML_OK) {
                ml_tensor *p = predicted(m, NULL, t);
                for (int64_t i = 0; i < d.rows; i++)
                    ck_assert_msg(s->transformer || isfinite(ml_tensor_get_f64(p, i, 0)),
                                  "%s case %d row %d", s->algorithm, (int)c, (int)i);
                ml_tensor_free(p);
            } else {
                const char *text = ml_error_message(ERR);
                ck_assert_msg(st != ML_E_INTERNAL && st != ML_E_MEMORY, "%s", text);
                ck_assert_int_gt(strlen(text), 10);
                ck_assert_ptr_null(strchr(text, '\n'));
                ck_assert_ptr_null(m);
            }
            ml_model_free(m);
            ml_estimator_free(e);
            ml_table_free(t);
        }
    }
    ml_context_free(ctx);
}
END_TEST

/* A table at prediction that lacks a column, or has one of another type. */
START_TEST(prediction_checks_the_table)
{
    ml_context *ctx = test_context(1);
    EACH_SUBJECT(ctx, s)
    {
        ml_table *t = usual(ctx, s), *part = NULL;
        ml_model *m = kit_fit(ctx, s, t);
        ml_predictor *p = NULL;
        ml_tensor *out = NULL;
        const char *names[] = {"a", "c", "k"};
        OK(ml_table_select(t, names, 3, &part, ERR));
        OK(ml_predictor_new(m, NULL, NULL, &p, ERR));
        FAILS(ML_E_NAME, ml_predictor_run(p, part, &out, ERR));
        ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "\"b\""));
        FAILS(ML_E_NAME, ml_predictor_new(m, "probability", NULL, &p, ERR));
        ml_predictor_free(p);
        ml_table_free(part);
        ml_model_free(m);
        ml_table_free(t);
    }
    ml_context_free(ctx);
}
END_TEST

typedef struct progress_state {
    double fraction;
    int calls, answer;
} progress_state;

static int check_progress(const ml_progress *p, void *user)
{
    progress_state *s = user;
    ck_assert_double_ge(p->fraction, s->fraction);
    ck_assert_double_le(p->fraction, 1);
    ck_assert_ptr_nonnull(p->stage);
    s->fraction = p->fraction;
    s->calls++;
    return s->answer;
}

START_TEST(progress_never_falls_and_can_stop)
{
    ml_context *ctx = test_context(2);
    EACH_SUBJECT(ctx, s)
    {
        ml_table *t = usual(ctx, s);
        for (int answer = ML_CONTINUE; answer <= ML_CANCEL; answer++) {
            ml_estimator *e = kit_estimator(ctx, s);
            ml_model *m = NULL;
            progress_state state = {.answer = answer};
            ml_estimator_set_progress(e, check_progress, &state);
            ml_status st = ml_estimator_fit(e, t, NULL, &m, ERR);
            if (answer == ML_CANCEL && state.calls > 0)
                ck_assert_int_eq(st, ML_E_CANCELLED);
            else
                ck_assert_int_eq(st, ML_OK);
            ml_model_free(m);
            ml_estimator_free(e);
        }
        ml_table_free(t);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(cancelled_before_it_began)
{
    ml_context *ctx = test_context(2);
    ml_cancel *cancel = NULL;
    OK(ml_cancel_new(&cancel, ERR));
    ml_cancel_request(cancel, ML_CANCEL);
    EACH_SUBJECT(ctx, s)
    {
        ml_table *t = usual(ctx, s);
        ml_estimator *e = kit_estimator(ctx, s);
        ml_model *m = NULL;
        ml_estimator_set_cancel(e, cancel);
        FAILS(ML_E_CANCELLED, ml_estimator_fit(e, t, NULL, &m, ERR));
        ck_assert_ptr_null(m);
        ml_estimator_free(e);
        ml_table_free(t);
    }
    ml_cancel_free(cancel);
    ml_context_free(ctx);
}
END_TEST

/* Fit, save, load, predict, with an allocator that fails. */
static ml_status life_cycle(failing_alloc *f, const subject *s)
{
    ml_context *ctx = NULL, *plain = test_context(1);
    ml_host host = failing_host(f);
    ml_estimator *e = NULL;
    ml_model *m = NULL, *loaded = NULL;
    ml_predictor *p = NULL;
    ml_tensor *out = NULL;
    kit_bytes bytes = {0};
    ml_io io = ML_IO_INIT;
    io.write = kit_write;
    io.user = &bytes;
    /* The table belongs to a context that does not fail. */
    ml_table *t = kit_table(plain, &(kit_data){.rows = 60, .classes = s->classes});
    ml_status st = ml_context_new(&host, &ctx, NULL);
    if (st == ML_OK) st = ml_estimator_new(ctx, s->algorithm, &e, NULL);
    if (st == ML_OK) st = kit_set_up(plain, e, s, 2);
    if (st == ML_OK) st = ml_estimator_fit(e, t, NULL, &m, NULL);
    if (st == ML_OK) st = ml_model_save_io(m, &io, NULL, NULL);
    if (st == ML_OK)
        st = ml_model_load_memory(ctx, bytes.data, bytes.size, NULL, NULL, NULL, &loaded,
                                  NULL);
    if (st == ML_OK) st = ml_predictor_new(loaded, NULL, NULL, &p, NULL);
    if (st == ML_OK) st = ml_predictor_run(p, t, &out, NULL);
    ml_tensor_free(out);
    ml_predictor_free(p);
    ml_model_free(loaded);
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
    ml_context_free(plain);
    free(bytes.data);
    return st;
}

/* What is made of parts allocates thousands of times, and mostly in its parts, which have
 * a turn of their own: every seventh has to do. */
static int64_t step_of(ml_context *ctx, const subject *s)
{
    ml_schema *schema = NULL;
    OK(ml_schema_new(ctx, s->algorithm, &schema, ERR));
    const char *family = ml_schema_get(schema, ML_SCHEMA_ALGORITHM, 0, "family");
    int64_t step = strcmp(family, "compose") == 0 ? 7 : 1;
    ml_schema_free(schema);
    return step > OOM_STEP ? step : OOM_STEP;
}

/* `transformers`: these, or the others. */
static void run_out_of_memory(int transformers)
{
    ml_context *ctx = test_context(1);
    failing_alloc f = {0};
    EACH_SUBJECT(ctx, s)
    {
        if (s->transformer != transformers) continue;
        if (s->classes == 3) continue; /* the same paths as two classes, for time */
        OUT_OF_MEMORY_STEPS(f, life_cycle(&f, s), step_of(ctx, s));
    }
    ml_context_free(ctx);
}

START_TEST(out_of_memory_anywhere)
{
    run_out_of_memory(0);
}
END_TEST

START_TEST(out_of_memory_in_transformers)
{
    run_out_of_memory(1);
}
END_TEST

TEST_MAIN("conformance/kit", schemas_are_sane, tuning_ranges_are_legal,
          predictions_have_their_shapes, single_rows_equal_the_batch,
          saving_keeps_everything, threads_do_not_change_the_model, extreme_tables,
          prediction_checks_the_table, progress_never_falls_and_can_stop,
          cancelled_before_it_began, out_of_memory_anywhere,
          out_of_memory_in_transformers)
