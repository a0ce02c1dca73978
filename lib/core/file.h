/* SPDX-License-Identifier: MIT
 *
 * core/file.h: files. All access goes through the context's table of operations, so that
 * tests can make any of them fail. Writing goes to a temporary file beside the target,
 * which is synced and renamed at the end.
 */
#ifndef MLI_CORE_FILE_H
#define MLI_CORE_FILE_H

#include "core/context.h"

/* Each returns as its POSIX namesake (-1 and errno on failure). */
typedef struct mli_fs {
    int (*open)(const char *path, int flags, int mode);
    int64_t (*read)(int fd, void *buffer, size_t size);
    int64_t (*write)(int fd, const void *buffer, size_t size);
    int (*fsync)(int fd);
    int (*close)(int fd);
    int (*rename)(const char *from, const char *to);
    int (*unlink)(const char *path);
    int (*allocate)(int fd, int64_t at, int64_t size); /* takes space on the disk */
} mli_fs;
extern const mli_fs mli_fs_posix;

/* A stream to read from: a file or a host's ml_io; gzip is recognised and inflated
 * (through libz.so.1, loaded on demand). */
typedef struct mli_source mli_source;
ml_status mli_source_open(ml_context *ctx, const char *path, mli_source **out,
                          ml_error *err);
ml_status mli_source_open_io(ml_context *ctx, const ml_io *io, mli_source **out,
                             ml_error *err);
/* Reads up to size bytes; *got is 0 only at the end. */
ml_status mli_source_read(mli_source *s, void *buffer, size_t size, size_t *got,
                          ml_error *err);
void mli_source_close(mli_source *s);

/* A stream to write to: buffered. Nothing appears under `path` before commit. */
typedef struct mli_sink mli_sink;
ml_status mli_sink_open(ml_context *ctx, const char *path, int gzip, mli_sink **out,
                        ml_error *err);
ml_status mli_sink_open_io(ml_context *ctx, const ml_io *io, mli_sink **out,
                           ml_error *err);
ml_status mli_sink_write(mli_sink *s, const void *data, size_t size, ml_error *err);
/* Flushes, syncs, renames. The sink is closed also on failure (then without a trace). */
ml_status mli_sink_commit(mli_sink *s, ml_error *err);
void mli_sink_abort(mli_sink *s); /* NULL is fine; removes the temporary file */

/* Maps a whole file read-only (reads it where mapping is not possible). */
ml_status mli_map_file(ml_context *ctx, const char *path, mli_buffer **out,
                       ml_error *err);

#endif
