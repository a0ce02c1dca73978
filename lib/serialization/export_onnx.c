/* SPDX-License-Identifier: MIT
 *
 * export_onnx.c: to come.
 */
#include "serialization/export.h"

ml_status mli_export_onnx(mli_export *x)
{

    return mli_export_refuse(x, "onnx", "anything yet");
}
