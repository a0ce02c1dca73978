/* SPDX-License-Identifier: MIT
 *
 * core/file_error.h: messages about failed file operations, shared by the files that
 * read and write.
 */
#ifndef MLI_CORE_FILE_ERROR_H
#define MLI_CORE_FILE_ERROR_H

#include "core/error.h"

/* "cannot open: no such file" with the path as the place and a remedy as the hint.
 * `number` is an errno. Returns ML_E_IO, or ML_E_MEMORY for ENOMEM. */
ml_status mli_file_error(ml_error *err, int number, const char *action, const char *path);

#endif
