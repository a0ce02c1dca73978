/* SPDX-License-Identifier: MIT
 *
 * import_onnx.c: to come.
 */
#include "serialization/import.h"
ml_status mli_import_onnx(mli_import *im, const void *data, size_t size)
{
    (void)data;
    (void)size;
    return mli_fail(im->err, ML_E_UNSUPPORTED, "not yet");
}
