/* SPDX-License-Identifier: MIT
 *
 * serialization/export.h: libml models in the formats of other systems.
 *
 * Each writer appends the whole file to a string. What a format cannot say is
 * ML_E_UNSUPPORTED with the reason: a written file always predicts the same.
 */
#ifndef MLI_SERIALIZATION_EXPORT_H
#define MLI_SERIALIZATION_EXPORT_H

#include "algorithms/model.h"
#include "algorithms/trees/ensemble.h"

enum {
    MLI_EXPORT_OWN = -1, /* a libml model: modelfile.h */
    MLI_EXPORT_C,
    MLI_EXPORT_XGBOOST,
    MLI_EXPORT_ONNX,
    MLI_EXPORT_LIGHTGBM
};
#define MLI_EXPORT_FORMATS "c,xgboost,onnx,lightgbm"

/* The format that "options.save" ask for; auto: by the end of the path (nullable). */
int mli_export_format(const ml_params *options, const char *path);
/* Appends the file; `name` as in "options.save". */
ml_status mli_export(const ml_model *m, int format, const char *name, mli_str *out,
                     ml_error *err);

/* What is the same for all writers of trees. */
typedef struct mli_export_job {
    const ml_model *model;
    const mli_inputs *inputs;
    mli_ensemble e;
    int32_t link; /* never MLI_LINK_NONE */
    double scale; /* of scores before the link */
    const char *name;
    mli_str *s;
    ml_error *err;
    void *memory; /* of an ensemble made for the export */
} mli_export_job;

/* Reads the ensemble of a model made of trees; ML_E_UNSUPPORTED for others. A forest of
 * several classes, whose leaves hold a row of shares, becomes a tree for each class.
 * `memory` is to be freed. */
ml_status mli_export_open(mli_export_job *x, const char *format);
ml_status mli_export_refuse(const mli_export_job *x, const char *format,
                            const char *what);

ml_status mli_export_c(mli_export_job *x);
ml_status mli_export_c_linear(mli_export_job *x);
ml_status mli_export_xgboost(mli_export_job *x);
ml_status mli_export_onnx(mli_export_job *x);
ml_status mli_export_lightgbm(mli_export_job *x);

/* For C: a double as a literal, a text as a string literal, what every file begins and
 * ends with. */
void mli_c_number(mli_str *s, double v);
void mli_c_text(mli_str *s, const char *text, size_t size);
void mli_c_begin(mli_export_job *x, int64_t n_scores, int64_t n_outputs);
/* The function NAME_cross, where the model has crosses. */
void mli_c_crosses(mli_export_job *x);
/* NAME_code for hashed inputs; 0: there are none, and nothing is written. */
int mli_c_hashes(mli_export_job *x);
void mli_c_link(mli_export_job *x, int64_t n_scores, int64_t n_outputs);
/* `static const TYPE NAME_FIELD[] = {...};` of n doubles or integers. */
void mli_c_doubles(mli_export_job *x, const char *field, const double *v, int64_t n);

#endif
