/* SPDX-License-Identifier: MIT
 *
 * tuning/space.h: the search space of a study: from the tuning ranges of a descriptor, or
 * from a text of the host's own.
 *
 * A point is a vector in the unit cube, one coordinate per dimension, so that samplers
 * know nothing of types, logarithms and sets. The coordinate of an inactive conditional
 * parameter is NaN.
 */
#ifndef MLI_TUNING_SPACE_H
#define MLI_TUNING_SPACE_H

#include "core/params.h"
#include "core/rng.h"

/* One dimension: a parameter and its tuning range. */
typedef struct mli_dimension {
    const mli_param *param;
    mli_range range;
    mli_param *part; /* owned: the parameter of a part, whose name is its path; or NULL */
    int64_t place;   /* among the parameters of the whole */
} mli_dimension;

/* When a dimension is active: always, or by the values of those before it. One whose
 * condition names an inactive parameter is inactive as well. */
#define MLI_MOST_PARENTS 16
#define MLI_SET_ITEM 128 /* bytes of a value of a set, its end included */
typedef struct mli_activity {
    int32_t conditional, n_parents;
    int32_t parents[MLI_MOST_PARENTS]; /* dimensions */
    unsigned char *table; /* outcomes by the parents' levels; NULL: by their values */
} mli_activity;

typedef struct mli_space {
    ml_context *ctx;
    const mli_descriptor *descriptor;
    int64_t n;
    mli_dimension *dimensions;
    mli_activity *activity;
    int32_t conditional; /* some dimension is */
    /* Of a space given as text: */
    char *text;          /* the ranges point into it */
    mli_param *params;   /* of `own` */
    mli_descriptor *own; /* NULL: the ranges are for parameters of an algorithm */
} mli_space;

/* The parameters named in `tune`, or with none named all that have a tuning range and are
 * not set explicitly in `base`. Those of parts, "gbdt.max_leaves", are named by paths. */
ml_status mli_space_init(mli_space *s, ml_context *ctx, const mli_descriptor *d,
                         const ml_params *base, const char *const *tune, int64_t n_tune,
                         ml_error *err);
/* A space of the text: lines (or parts between ';') "name: range [if condition]". With a
 * descriptor the names are its parameters', else they are free. */
ml_status mli_space_parse(mli_space *s, ml_context *ctx, const mli_descriptor *d,
                          const ml_params *base, const char *text, ml_error *err);
/* Makes a parameter at a path the dimension's own. */
ml_status mli_dimension_take(mli_space *s, mli_dimension *dim, const ml_params *base,
                             const mli_path *at, ml_error *err);
void mli_space_free(mli_space *s);
/* In the descriptor's order, parts behind, so that conditions name dimensions before
 * theirs. */
void mli_space_sort(mli_space *s);
/* ML_E_NAME at params.`option` for a name that cannot be tuned, with the path of the part
 * that has it, or the nearest name. */
ml_status mli_space_unknown(const mli_descriptor *d, const ml_params *base,
                            const char *name, const char *option, ml_error *err);
/* Prepares the conditions, given the values that are not tuned. To be called once. */
ml_status mli_space_compile(mli_space *s, const ml_params *base, ml_error *err);
/* Is dimension i active, given the coordinates before it (NaN: inactive)? */
int mli_space_active(const mli_space *s, int64_t i, const double *u);
/* Do conditions of other dimensions ask for dimension i? */
int mli_space_has_branches(const mli_space *s, int64_t i);
/* Are two dimensions active under the same condition? */
int mli_space_together(const mli_space *s, int64_t i, int64_t k);
/* Sets the coordinates of inactive dimensions to NaN. */
void mli_space_mask(const mli_space *s, double *u);

/* A set without order. */
static inline int mli_dimension_is_set(const mli_dimension *d)
{
    return d->range.is_set;
}
/* The number of values when they are few, 0 when continuous (or more than 2^31). */
int64_t mli_dimension_levels(const mli_dimension *d);
/* The value of a dimension at u in [0, 1], as text. */
void mli_dimension_text(const mli_dimension *d, double u, mli_str *s);
/* The coordinate of a value: the middle of its stretch where values are few. NaN when the
 * value is not in the range. */
double mli_dimension_unit(const mli_dimension *d, const mli_value *v);
/* The coordinate of the value at u: mli_dimension_unit of mli_dimension_text, nearly. */
double mli_dimension_snap(const mli_dimension *d, double u);
/* The number of points of a dimension in a grid of about `points` per range. */
int64_t mli_dimension_points(const mli_dimension *d, int64_t points);
/* Points of the whole grid, INT64_MAX when they overflow. */
int64_t mli_space_grid(const mli_space *s, int64_t points);

/* `base` with the point's values put in. Inactive conditional parameters are left at
 * their base value; in a space of its own they are removed. */
ml_status mli_space_at(const mli_space *s, const ml_params *base, const double *u,
                       ml_params **out, ml_error *err);
/* The point of a set of values: NaN where inactive. Returns 0 when an active value is
 * outside its range; it is then clamped to the nearest coordinate or 0.5. */
int mli_space_unit(const mli_space *s, const ml_params *p, double *u);

#endif
