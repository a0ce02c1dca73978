/* SPDX-License-Identifier: MIT
 *
 * export_xgboost.c: to come.
 */
#include "serialization/export.h"

ml_status mli_export_xgboost(mli_export *x, int ubjson)
{
    (void)ubjson;
    return mli_export_refuse(x, "xgboost", "anything yet");
}
