/* SPDX-License-Identifier: MIT
 *
 * import.c: which system a file comes from, and its reader.
 */
#include "serialization/import.h"
#include "serialization/import_value.h"

#include <string.h>

static int is_json(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && strchr(" \t\r\n", p[i]) && p[i]) i++;
    if (i < n && p[i] == '[') i++; /* a dump of XGBoost, to be told of */
    for (; i < n && strchr(" \t\r\n", p[i]) && p[i]; i++) continue;
    if (i >= n || p[i] != '{') return 0;
    for (i++; i < n && strchr(" \t\r\n", p[i]) && p[i]; i++) continue;
    return i < n && p[i] == '"';
}

/* A protobuf whose first field is the version of the format, and then another field. */
static int is_onnx(const unsigned char *p, size_t n)
{
    return n > 8 && p[0] == 0x08 && p[1] > 0 && p[1] < 0x40 && p[2] &&
           strchr("\x12\x1a\x22\x2a\x30\x32\x3a\x42\x72", p[2]) != NULL;
}

int32_t mli_import_sniff(const void *data, size_t size)
{
    const char *p = data;
    if (size < 9) return MLI_FOREIGN_NONE;
    if (mli_import_is_xgboost_binary(data, size)) return MLI_FOREIGN_BINARY;
    /* A safetensors file: the length of its header, and the header. */
    if (p[8] == '{' && !p[5] && !p[6] && !p[7]) return MLI_FOREIGN_NONE;
    if (memcmp(p, "tree\n", 5) == 0 || memcmp(p, "tree\r\n", 6) == 0)
        return MLI_FOREIGN_LIGHTGBM;
    if (is_json(p, size)) return MLI_FOREIGN_JSON;
    if (p[0] == '{' && p[1] && strchr("iUIlL#$", p[1])) return MLI_FOREIGN_UBJSON;
    if (memcmp(p, "CBM1", 4) == 0) return MLI_FOREIGN_CATBOOST;
    if (p[0] == '\x80' && p[1] >= 2 && p[1] <= 5) return MLI_FOREIGN_PICKLE;
    if (memcmp(p, "<PMML", 5) == 0 || memcmp(p, "<?xml", 5) == 0) return MLI_FOREIGN_PMML;
    return is_onnx(data, size) ? MLI_FOREIGN_ONNX : MLI_FOREIGN_NONE;
}

/* Formats that are known by their first bytes, and what to do instead. */
static ml_status refuse(int32_t format, ml_error *err)
{
    static const struct {
        int32_t format;
        const char *what, *remedy;
    } known[] = {
        {MLI_FOREIGN_PICKLE, "a Python pickle, which is a program rather than data",
         "load it in Python and save the model in a format of its system: "
         "booster.save_model(path), or skl2onnx for scikit-learn"},
        {MLI_FOREIGN_PMML, "an XML document (PMML), which cannot be imported",
         "save the model in a format of its own system, or as ONNX"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].format != format) continue;
        mli_fail(err, ML_E_UNSUPPORTED, "%s", known[i].what);
        return mli_error_hint(err, ML_E_UNSUPPORTED, "%s", known[i].remedy);
    }
    return ML_OK;
}

static ml_status read_document(mli_import *im, const void *data, size_t size,
                               int32_t format)
{
    mli_doc doc;
    ml_status status = format == MLI_FOREIGN_JSON
                           ? mli_doc_json(im->ctx, data, size, &doc, im->err)
                           : mli_doc_ubjson(im->ctx, data, size, &doc, im->err);
    if (status) return status;
    if (mli_item_get(&doc.root, "learner"))
        status = mli_import_xgboost(im, &doc.root);
    else if (mli_item_get(&doc.root, "oblivious_trees") ||
             mli_item_get(&doc.root, "trees"))
        status = mli_import_catboost(im, &doc.root);
    else {
        mli_fail(im->err, ML_E_FORMAT,
                 "a JSON document that is not a model of XGBoost (it has no "
                 "\"learner\") nor of CatBoost (it has no \"oblivious_trees\")");
        status = mli_error_hint(im->err, ML_E_FORMAT,
                                "a dump is not all of a model: give what save_model "
                                "of its system writes");
    }
    mli_doc_free(&doc);
    return status;
}

void mli_import_free(mli_import *im)
{
    ml_context *ctx = im->ctx;
    for (int64_t j = 0; im->features && j < im->n_features; j++) {
        mli_import_feature *f = &im->features[j];
        for (int64_t k = 0; k < f->n_levels; k++) mli_free(ctx, f->levels[k]);
        mli_free(ctx, f->levels);
        mli_free(ctx, f->name);
        mli_free(ctx, f->hash);
    }
    for (int64_t k = 0; im->labels && k < im->n_classes; k++)
        mli_free(ctx, im->labels[k]);
    for (int64_t i = 0; im->crosses && i < im->n_crosses; i++) {
        mli_free(ctx, im->crosses[i].elements);
        mli_free(ctx, im->crosses[i].keys);
        mli_free(ctx, im->crosses[i].values);
    }
    mli_free(ctx, im->crosses);
    mli_free(ctx, im->features);
    mli_free(ctx, im->labels);
    mli_free(ctx, im->base);
    mli_free(ctx, im->zero_missing);
    mli_free(ctx, im->score);
    mli_free(ctx, im->sets);
    mli_free(ctx, im->codes);
    mli_free(ctx, im->linear);
    mli_free(ctx, im->fill);
    mli_free(ctx, im->terms.feature);
    mli_free(ctx, im->terms.coef);
    mli_free(ctx, im->terms.node);
    mli_ensemble_builder_free(&im->trees);
}

ml_status mli_import_read(ml_context *ctx, const void *data, size_t size, int32_t format,
                          const char *target, ml_model **out, ml_error *err)
{
    mli_import im = {.ctx = ctx, .err = err, .target = target, .link_scale = 1};
    ml_status status = refuse(format, err);
    if (status) return status;
    *out = NULL;
    mli_ensemble_builder_init(&im.trees, ctx);
    switch (format) {
    case MLI_FOREIGN_LIGHTGBM:
        status = mli_import_lightgbm(&im, data, size);
        break;
    case MLI_FOREIGN_BINARY:
        status = mli_import_xgboost_binary(&im, data, size);
        break;
    case MLI_FOREIGN_CATBOOST:
        status = mli_import_catboost_binary(&im, data, size);
        break;
    case MLI_FOREIGN_ONNX:
        status = mli_import_onnx(&im, data, size, out);
        break;
    default:
        status = read_document(&im, data, size, format);
    }
    if (!status && !*out)
        status =
            im.linear ? mli_import_finish_linear(&im, out) : mli_import_finish(&im, out);
    mli_import_free(&im);
    return status;
}
