/* SPDX-License-Identifier: MIT
 *
 * export_lightgbm.c: to come.
 */
#include "serialization/export.h"

ml_status mli_export_lightgbm(mli_export *x)
{

    return mli_export_refuse(x, "lightgbm", "anything yet");
}
