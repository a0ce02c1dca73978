/* SPDX-License-Identifier: MIT
 *
 * Eight threads share tables, models and schemas, each with its own predictor: `const`
 * means safe to call concurrently. Meant for the thread sanitizer.
 */
#include "kit.h"

#include <pthread.h>

#define THREADS 8
#define TURNS   12

typedef struct shared {
    ml_context *ctx;
    ml_table *table;
    ml_model *model;
    const ml_tensor *expected;
    int transformer;
} shared;

static void *predict_often(void *arg)
{
    shared *s = arg;
    ml_error *err = ml_error_new();
    int64_t wrong = 0;
    for (int turn = 0; turn < TURNS; turn++) {
        ml_predictor *p = NULL;
        ml_tensor *out = NULL;
        if (ml_predictor_new(s->model, NULL, NULL, &p, err) < 0 ||
            ml_predictor_run(p, s->table, &out, err) < 0)
            wrong++;
        else
            wrong += !same_tensor(out, s->expected);
        ml_tensor_free(out);
        ml_predictor_free(p);
    }
    ml_error_free(err);
    return (void *)(intptr_t)wrong;
}

static void *read_often(void *arg)
{
    shared *s = arg;
    ml_error *err = ml_error_new();
    int64_t wrong = 0;
    char text[64];
    for (int turn = 0; turn < TURNS; turn++) {
        ml_table *profile = NULL, *part = NULL, *scores = NULL;
        ml_tensor *t = NULL;
        ml_model *again = ml_model_ref(s->model);
        wrong += strlen(ml_model_json(again)) < 10;
        for (int64_t i = 0; i < ml_model_attributes(again); i++) {
            const char *name = ml_model_attribute_name(again, i);
            if (ml_model_get_tensor(again, name, &t, err) == ML_OK) ml_tensor_free(t);
        }
        wrong += ml_table_profile(s->table, NULL, &profile, err) < 0;
        wrong += ml_table_slice(s->table, 0, 10, &part, err) < 0;
        if (!s->transformer)
            wrong += ml_model_evaluate(again, s->table, NULL, &scores, err) < 0;
        for (int64_t j = 0; j < ml_table_columns(s->table); j++)
            ml_table_get_str(s->table, turn, j, text, sizeof text);
        ml_table_free(profile);
        ml_table_free(part);
        ml_table_free(scores);
        ml_model_free(again);
    }
    ml_error_free(err);
    return (void *)(intptr_t)wrong;
}

START_TEST(const_is_concurrent)
{
    ml_context *ctx = test_context(2);
    subject all[SUBJECTS_MAX];
    int n = subjects(ctx, all);
    for (int k = 0; k < n; k++) {
        if (all[k].classes == 3) continue;
        shared s = {.ctx = ctx, .transformer = all[k].transformer};
        pthread_t threads[THREADS];
        s.table = kit_table(ctx, &(kit_data){.rows = 120, .classes = all[k].classes});
        s.model = kit_fit(ctx, &all[k], s.table);
        ml_tensor *expected = predicted(s.model, NULL, s.table);
        s.expected = expected;
        for (int i = 0; i < THREADS; i++)
            ck_assert_int_eq(
                pthread_create(&threads[i], NULL, i % 2 ? read_often : predict_often, &s),
                0);
        for (int i = 0; i < THREADS; i++) {
            void *wrong;
            pthread_join(threads[i], &wrong);
            ck_assert_int_eq((intptr_t)wrong, 0);
        }
        ml_tensor_free(expected);
        ml_model_free(s.model);
        ml_table_free(s.table);
    }
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("conformance/hammer", const_is_concurrent)
