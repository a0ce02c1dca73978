/* SPDX-License-Identifier: MIT
 *
 * core/file_gzip.h: gzip by the system's libz.so.1, which is loaded at first need.
 */
#ifndef MLI_CORE_FILE_GZIP_H
#define MLI_CORE_FILE_GZIP_H

#include "core/context.h"

typedef struct mli_gzip mli_gzip;

#define MLI_GZIP_MORE      0
#define MLI_GZIP_END       1
#define MLI_GZIP_CORRUPT   (-1)
#define MLI_GZIP_NO_MEMORY (-2)

/* To inflate, or to deflate. Fails when the system has no zlib. */
ml_status mli_gzip_open(ml_context *ctx, int deflate, mli_gzip **out, ml_error *err);
/* Starts the next member of a file that consists of several. */
int mli_gzip_again(mli_gzip *g);
/* Works on from *in, of *in_left bytes, to *out, of *out_left bytes, and moves these on.
 * `finish`: there is no more input (when deflating). Returns one of MLI_GZIP_. */
int mli_gzip_step(mli_gzip *g, const char **in, size_t *in_left, char **out,
                  size_t *out_left, int finish);
void mli_gzip_close(mli_gzip *g); /* NULL is fine */

#endif
