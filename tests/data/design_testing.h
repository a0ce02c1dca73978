/* SPDX-License-Identifier: MIT
 *
 * tests/data/design_testing.h: what the tests of the design share: descriptors of
 * algorithms that do not exist, a table, and shorthands.
 */
#ifndef ML_DESIGN_TESTING_H
#define ML_DESIGN_TESTING_H

#include "failing.h"
#include "testing_data.h"
#include <stdarg.h>

#include "data/design.h"

#define DESCRIPTOR(symbol, task_bits, cap_bits, role_list)                               \
    static const mli_descriptor symbol = {.name = #symbol,                               \
                                          .sort = MLI_SORT_ALGORITHM,                    \
                                          .tasks = (task_bits),                          \
                                          .caps = (cap_bits),                            \
                                          .roles = role_list}
#define ALL_CAPS (MLI_CAN_MISSING | MLI_CAN_CATEGORIES | MLI_CAN_WEIGHTS)
DESCRIPTOR(both, MLI_TASK_REGRESSION | MLI_TASK_CLASSIFICATION, ALL_CAPS,
           mli_roles_supervised);
DESCRIPTOR(regressor, MLI_TASK_REGRESSION, ALL_CAPS, mli_roles_supervised);
DESCRIPTOR(classifier, MLI_TASK_CLASSIFICATION, ALL_CAPS, mli_roles_supervised);
DESCRIPTOR(ranker, MLI_TASK_RANKING, ALL_CAPS, mli_roles_supervised);
DESCRIPTOR(plain, MLI_TASK_REGRESSION, 0, mli_roles_supervised);
DESCRIPTOR(reader, MLI_TASK_REGRESSION, ALL_CAPS | MLI_CAN_TEXT, mli_roles_supervised);
DESCRIPTOR(unsupervised, MLI_TASK_CLUSTERING, ALL_CAPS, mli_roles_unsupervised);

/* Parameters from pairs of names and values that end with NULL, resolved. */
static inline ml_status resolved_list(ml_context *ctx, const mli_descriptor *desc,
                                      ml_params **out, ml_error *err, va_list args)
{
    ml_params *p = NULL;
    ml_status status = ml_params_new(ctx, &p, err);
    for (;;) {
        const char *name = va_arg(args, const char *);
        if (!name || status) break;
        status = ml_params_set_str(p, name, va_arg(args, const char *), err);
    }
    if (!status) status = mli_params_resolve(ctx, desc, p, out, err);
    ml_params_free(p);
    return status;
}

static inline ml_status resolved(ml_context *ctx, const mli_descriptor *desc,
                                 ml_params **out, ml_error *err, ...)
{
    va_list args;
    va_start(args, err);
    ml_status status = resolved_list(ctx, desc, out, err, args);
    va_end(args);
    return status;
}

/* A design of a table; the parameters follow as pairs that end with NULL. */
static inline mli_design *train(ml_context *ctx, const mli_descriptor *desc,
                                const ml_table *t, ...)
{
    mli_design *d = NULL;
    ml_params *p = NULL;
    va_list args;
    va_start(args, t);
    OK(resolved_list(ctx, desc, &p, ERR, args));
    va_end(args);
    OK(mli_design_train(ctx, desc, p, t, &d, ERR));
    ml_params_free(p);
    return d;
}

static inline void train_fails(ml_status expected, ml_context *ctx,
                               const mli_descriptor *desc, const ml_table *t, ...)
{
    mli_design *d = NULL;
    ml_params *p = NULL;
    va_list args;
    va_start(args, t);
    ml_status status = resolved_list(ctx, desc, &p, ERR, args);
    va_end(args);
    if (!status) status = mli_design_train(ctx, desc, p, t, &d, ERR);
    ck_assert_msg(status == expected, "%s: %s", ml_status_name(status),
                  ml_error_message(ERR));
    ck_assert_ptr_null(d);
    ck_assert_int_eq(ml_error_code(ERR), expected);
    ml_params_free(p);
}

/* age f64, job text, member bool, zip i64, w f64 (weights), income text (two classes). */
#define PEOPLE 6
static inline ml_status people_new(ml_context *ctx, ml_table **out, ml_error *err)
{
    static const double age[] = {44, 31, 27, NAN, 60, 18}, w[] = {1, 2, 0.5, 1, 0, 3};
    static const int64_t zip[] = {100, 200, 100, 300, 200, 400};
    static const uint8_t member[] = {1, 0, 0, 1, 1, 0};
    static const char *const job[] = {"clerk", "smith", "clerk", NULL, "smith", "nurse"};
    static const char *const income[] = {"no", "yes", "no", "yes", "yes", "no"};
    ml_table *t = NULL, *next = NULL;
    ml_status status = ML_OK;
    int64_t n = PEOPLE;
#define COLUMN(name, dtype, values)                                                      \
    do {                                                                                 \
        ml_tensor *tensor = NULL;                                                        \
        if (!status) {                                                                   \
            status = ml_tensor_new(ctx, dtype, 1, &n, NULL, values, &tensor, err);       \
        }                                                                                \
        if (!status) status = ml_table_with_tensor(t, name, tensor, &next, err);         \
        ml_tensor_free(tensor);                                                          \
        if (!status) {                                                                   \
            ml_table_free(t);                                                            \
            t = next;                                                                    \
        }                                                                                \
    } while (0)
#define STRINGS(name, values)                                                            \
    do {                                                                                 \
        if (!status) status = ml_table_with_strs(ctx, t, name, values, n, &next, err);   \
        if (!status) {                                                                   \
            ml_table_free(t);                                                            \
            t = next;                                                                    \
        }                                                                                \
    } while (0)
    COLUMN("age", ML_DTYPE_F64, age);
    STRINGS("job", job);
    COLUMN("member", ML_DTYPE_BOOL, member);
    COLUMN("zip", ML_DTYPE_I64, zip);
    COLUMN("w", ML_DTYPE_F64, w);
    STRINGS("income", income);
#undef COLUMN
#undef STRINGS
    if (status) {
        ml_table_free(t);
    } else {
        *out = t;
    }
    return status;
}

static inline ml_table *people(ml_context *ctx)
{
    ml_table *t = NULL;
    OK(people_new(ctx, &t, ERR));
    return t;
}

static inline void is_text(const mli_dictionary *d, int64_t k, const char *text)
{
    ck_assert_int_lt(k, d->n);
    ck_assert_int_eq(d->offsets[k + 1] - d->offsets[k], (int64_t)strlen(text));
    ck_assert(memcmp(d->bytes + d->offsets[k], text, strlen(text)) == 0);
}
static inline void is_level(const mli_design *d, int64_t feature, int64_t k,
                            const char *text)
{
    is_text(&d->inputs->features[feature].levels, k, text);
}
static inline void is_class(const mli_design *d, int64_t k, const char *text)
{
    is_text(&d->inputs->classes, k, text);
}

#endif
