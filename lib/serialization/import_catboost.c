/* SPDX-License-Identifier: MIT
 *
 * import_catboost.c: to come.
 */
#include "serialization/import.h"
ml_status mli_import_catboost(mli_import *im, const struct mli_item *root)
{
    (void)root;
    return mli_fail(im->err, ML_E_UNSUPPORTED, "not yet");
}
