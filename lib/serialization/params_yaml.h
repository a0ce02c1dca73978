/* SPDX-License-Identifier: MIT
 *
 * serialization/params_yaml.h: what reading and writing YAML share.
 */
#ifndef MLI_SERIALIZATION_PARAMS_YAML_H
#define MLI_SERIALIZATION_PARAMS_YAML_H

#include <stdint.h>

/* What a plain (unquoted) scalar means: ML_PARAM_BOOL (in *whole), I64, F64, STR, or 0
 * for null. */
int32_t mli_yaml_resolve(const char *text, int64_t *whole, double *real);

#endif
