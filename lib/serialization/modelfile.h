/* SPDX-License-Identifier: MIT
 *
 * serialization/modelfile.h: the model file (docs/model-file.md): safetensors with
 * libml.* metadata.
 */
#ifndef MLI_SERIALIZATION_MODELFILE_H
#define MLI_SERIALIZATION_MODELFILE_H

#include "algorithms/model.h"
#include "core/file.h"

#define MLI_FORMAT_VERSION 1

/* Header (with its 8-byte length) of a model into `s`; the tensor bytes follow in the
 * order of the header. hash: SHA-256 of the tensor bytes in hex. */
ml_status mli_modelfile_header(const ml_model *m, mli_str *s, char hash[65],
                               ml_error *err);
/* A model over a buffer (a reference is taken). verify: check the SHA-256. */
ml_status mli_modelfile_read(ml_context *ctx, mli_buffer *buffer, int verify,
                             ml_model **out, ml_error *err);

#endif
