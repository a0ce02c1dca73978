/* SPDX-License-Identifier: MIT
 *
 * `const` means safe to call concurrently: eight threads call each function of the
 * library that takes a const object, on the same objects, and get what one thread got.
 * The calls are generated from the headers; the thread sanitizer sees the rest.
 */
#include "kit.h"

#include <pthread.h>

#define THREADS 8
#define TURNS   5

typedef struct objects {
    ml_context *context;
    ml_cancel *cancel;
    ml_params *params;
    ml_schema *schema;
    ml_tensor *tensor, *values;
    ml_table *table;
    ml_table *train; /* the same */
    ml_estimator *estimator;
    ml_model *model;
    ml_predictor *predictor;
    ml_study *study;
    ml_report *report;
    ml_error *error;
    const char *attribute;
    char path[256]; /* each thread its own */
    int function;
    uint64_t expected;
} objects;

static void note_i64(uint64_t *sum, int64_t value)
{
    *sum = (*sum ^ (uint64_t)value) * 0x100000001b3u + 7;
}

static void note_f64(uint64_t *sum, double value)
{
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    note_i64(sum, bits);
}

static void note_text(uint64_t *sum, const char *text)
{
    for (; text && *text; text++) note_i64(sum, *text);
    note_i64(sum, text != NULL);
}

static int64_t write_nowhere(const void *data, size_t size, void *user)
{
    (void)data, (void)user;
    return (int64_t)size;
}

/* A tensor of DLPack, as its specification has it. */
typedef struct dl_managed {
    void *data;
    int32_t device[2], ndim;
    uint8_t code, bits;
    uint16_t lanes;
    int64_t *shape, *strides;
    uint64_t byte_offset;
    void *manager;
    void (*deleter)(struct dl_managed *);
} dl_managed;

static void drop_capsule(void *capsule)
{
    dl_managed *t = capsule;
    if (t && t->deleter) t->deleter(t);
}

#include "const_calls.h"

static void *call_often(void *arg)
{
    const objects *x = arg;
    ml_error *error = ml_error_new();
    intptr_t wrong = 0;
    for (int turn = 0; turn < TURNS; turn++) wrong += call_const(x, error) != x->expected;
    ml_error_free(error);
    return (void *)wrong;
}

static void make(objects *x)
{
    x->context = test_context(2);
    ml_context *ctx = x->context;
    x->train = x->table = kit_table(ctx, &(kit_data){.rows = 60, .classes = 2});
    subject s = {.algorithm = "gbdt", .classes = 2, .has_target = 1};
    x->estimator = kit_estimator(ctx, &s);
    x->model = kit_fit(ctx, &s, x->table);
    x->attribute = ml_model_attribute_name(x->model, 0);
    OK(ml_cancel_new(&x->cancel, ERR));
    OK(ml_params_new(ctx, &x->params, ERR));
    OK(ml_params_set_i64(x->params, "seed", 4, ERR));
    OK(ml_schema_new(ctx, "gbdt", &x->schema, ERR));
    OK(ml_predictor_new(x->model, NULL, NULL, &x->predictor, ERR));
    int64_t n = 60;
    double numbers[60] = {1, 2, 3};
    OK(ml_tensor_new(ctx, ML_DTYPE_F64, 1, &n, NULL, numbers, &x->tensor, ERR));
    OK(ml_tensor_new(ctx, ML_DTYPE_F64, 1, &n, NULL, numbers, &x->values, ERR));
    ml_params *options = NULL;
    const char *yaml = "{trials: 2, tune: [learning_rate], folds: 2}";
    OK(ml_params_new(ctx, &options, ERR));
    OK(ml_params_read_yaml(options, yaml, strlen(yaml), ERR));
    OK(ml_study_new(x->estimator, x->table, NULL, options, &x->study, ERR));
    OK(ml_study_run(x->study, NULL, NULL, NULL, ERR));
    ml_params_free(options);
    OK(ml_report_new(ctx, "shared", &x->report, ERR));
    OK(ml_report_add_table(x->report, "rows", x->table, ERR));
    x->error = ml_error_new();
    ml_error_set(x->error, ML_E_DATA, "a message");
}

static void drop(objects *x)
{
    ml_error_free(x->error);
    ml_report_free(x->report);
    ml_study_free(x->study);
    ml_tensor_free(x->values);
    ml_tensor_free(x->tensor);
    ml_predictor_free(x->predictor);
    ml_schema_free(x->schema);
    ml_params_free(x->params);
    ml_cancel_free(x->cancel);
    ml_model_free(x->model);
    ml_estimator_free(x->estimator);
    ml_table_free(x->table);
    ml_context_free(x->context);
}

START_TEST(const_functions_are_concurrent)
{
    objects x = {0};
    make(&x);
    for (int f = 0; f < CONST_FUNCTIONS; f++) {
        objects shared[THREADS];
        pthread_t threads[THREADS];
        x.function = f;
        snprintf(x.path, sizeof x.path, "%s/const", test_folder());
        x.expected = call_const(&x, ERR);
        for (int i = 0; i < THREADS; i++) {
            shared[i] = x;
            snprintf(shared[i].path, sizeof x.path, "%s/const%d", test_folder(), i);
            ck_assert_int_eq(pthread_create(&threads[i], NULL, call_often, &shared[i]),
                             0);
        }
        for (int i = 0; i < THREADS; i++) {
            void *wrong;
            pthread_join(threads[i], &wrong);
            ck_assert_msg(!wrong, "%s gave something else in a thread", const_names[f]);
        }
    }
    drop(&x);
}
END_TEST

TEST_MAIN("conformance/const", const_functions_are_concurrent)
