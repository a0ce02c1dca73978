/* SPDX-License-Identifier: MIT
 *
 * file_write.c: writing files as a whole or not at all. The bytes go to a temporary file
 * beside the target; commit syncs it, renames it over the target and syncs the folder.
 * Where there is nothing to replace (a pipe, a device, a host's stream) they go straight
 * to the target.
 */
#include "core/file.h"
#include "core/file_error.h"
#include "core/file_gzip.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_SIZE (256 * 1024)
#define NAME_TRIES  100

struct mli_sink {
    ml_context *ctx;
    char *path;      /* the target; NULL: io */
    char *temporary; /* NULL: written directly */
    int fd;          /* -1: io */
    ml_io io;
    mli_gzip *gzip;
    size_t used; /* bytes in the buffer, before compression */
    char buffer[BUFFER_SIZE];
    char packed[BUFFER_SIZE]; /* compressed bytes on their way */
};

/* Writes to the file or the host, all of it. */
static ml_status write_raw(mli_sink *s, const char *data, size_t size, ml_error *err)
{
    while (size > 0) {
        size_t part = size < INT32_MAX ? size : INT32_MAX;
        int64_t n;
        if (s->fd < 0) {
            n = s->io.write(data, part, s->io.user);
            if (n <= 0 || (uint64_t)n > part) {
                return mli_fail(err, ML_E_CALLBACK,
                                "the host's write callback returned %lld for %lld bytes",
                                (long long)n, (long long)part);
            }
        } else {
            n = s->ctx->fs->write(s->fd, data, part);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return mli_file_error(err, errno, "write", s->path);
            if (n == 0) return mli_file_error(err, ENOSPC, "write", s->path);
        }
        data += n;
        size -= (size_t)n;
    }
    return ML_OK;
}

/* Passes bytes on, compressed if so wanted. `finish`: the last ones. */
static ml_status pass_on(mli_sink *s, const char *data, size_t size, int finish,
                         ml_error *err)
{
    if (!s->gzip) return write_raw(s, data, size, err);
    int code = MLI_GZIP_MORE;
    size_t room = 0;
    while (size > 0 || room == 0 || (finish && code != MLI_GZIP_END)) {
        char *out = s->packed;
        room = BUFFER_SIZE;
        code = mli_gzip_step(s->gzip, &data, &size, &out, &room, finish);
        if (code == MLI_GZIP_NO_MEMORY) return mli_nomem(err);
        if (code < 0) return mli_fail(err, ML_E_INTERNAL, "zlib failed to compress");
        ml_status status = write_raw(s, s->packed, BUFFER_SIZE - room, err);
        if (status != ML_OK) return status;
    }
    return ML_OK;
}

static ml_status flush(mli_sink *s, int finish, ml_error *err)
{
    size_t used = s->used;
    s->used = 0;
    return pass_on(s, s->buffer, used, finish, err);
}

/* The name that a path stands for: links are followed, so that they stay links. */
static char *real_target(ml_context *ctx, const char *path)
{
    struct stat info;
    if (lstat(path, &info) == 0 && S_ISLNK(info.st_mode)) {
        char *full = realpath(path, NULL);
        char *copy = full ? mli_strdup(ctx, full) : NULL;
        free(full);
        if (full) return copy;
    }
    return mli_strdup(ctx, path);
}

/* A number for a name that nobody else has chosen: time and address, mixed. */
static uint64_t name_number(const mli_sink *s, int attempt)
{
    double now = mli_now();
    uint64_t bits;
    memcpy(&bits, &now, sizeof bits);
    bits ^= (uint64_t)(uintptr_t)s + (uint64_t)attempt;
    bits *= 0x9e3779b97f4a7c15u;
    return bits >> 32;
}

/* Opens a new file named after the first `prefix` bytes of the path. Returns 0 or errno.
 */
static int try_temporary(mli_sink *s, int prefix, size_t size)
{
    for (int i = 0; i < NAME_TRIES; i++) {
        snprintf(s->temporary, size, "%.*s.tmp-%ld-%llx", prefix, s->path, (long)getpid(),
                 (unsigned long long)name_number(s, i));
        s->fd =
            s->ctx->fs->open(s->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (s->fd >= 0) return 0;
        if (errno != EEXIST) break;
    }
    return errno;
}

static ml_status open_temporary(mli_sink *s, ml_error *err)
{
    size_t length = strlen(s->path), size = length + 48;
    if (length > INT_MAX - 48) return mli_file_error(err, ENAMETOOLONG, "write", s->path);
    s->temporary = mli_alloc(s->ctx, size);
    if (!s->temporary) return mli_nomem(err);
    const char *slash = strrchr(s->path, '/');
    int number = try_temporary(s, (int)length, size);
    if (number == ENAMETOOLONG) { /* the name alone may fit: .tmp-... in its folder */
        number = try_temporary(s, slash ? (int)(slash + 1 - s->path) : 0, size);
    }
    if (number == 0) return ML_OK;
    mli_free(s->ctx, s->temporary);
    s->temporary = NULL;
    return mli_file_error(err, number, "write", s->path);
}

static ml_status open_target(mli_sink *s, ml_error *err)
{
    struct stat info;
    int exists = stat(s->path, &info) == 0;
    if (!*s->path) return mli_file_error(err, ENOENT, "write", s->path);
    if (!exists && errno == ENAMETOOLONG) {
        return mli_file_error(err, ENAMETOOLONG, "write", s->path);
    }
    if (exists && S_ISDIR(info.st_mode)) {
        return mli_file_error(err, EISDIR, "write", s->path);
    }
    if (exists && access(s->path, W_OK) != 0) {
        return mli_file_error(err, errno, "write", s->path);
    }
    if (exists && !S_ISREG(info.st_mode)) {
        s->fd = s->ctx->fs->open(s->path, O_WRONLY | O_CLOEXEC, 0);
        return s->fd < 0 ? mli_file_error(err, errno, "write", s->path) : ML_OK;
    }
    ml_status status = open_temporary(s, err);
    /* A replaced file keeps its permissions; where that fails, the usual ones will do. */
    if (status == ML_OK && exists && fchmod(s->fd, info.st_mode & 0777) != 0) errno = 0;
    return status;
}

static mli_sink *new_sink(ml_context *ctx)
{
    mli_sink *s = mli_alloc(ctx, sizeof *s);
    if (!s) return NULL;
    memset(s, 0, offsetof(mli_sink, buffer));
    s->ctx = mli_context_ref(ctx);
    s->fd = -1;
    return s;
}

ml_status mli_sink_open(ml_context *ctx, const char *path, int gzip, mli_sink **out,
                        ml_error *err)
{
    if (!path) return mli_null(err, "path");
    mli_sink *s = new_sink(ctx);
    if (!s) return mli_nomem(err);
    s->path = real_target(ctx, path);
    ml_status status = s->path ? ML_OK : mli_nomem(err);
    if (status == ML_OK && gzip) status = mli_gzip_open(ctx, 1, &s->gzip, err);
    if (status == ML_OK) status = open_target(s, err);
    if (status != ML_OK) {
        mli_sink_abort(s);
        return status;
    }
    *out = s;
    return ML_OK;
}

ml_status mli_sink_open_io(ml_context *ctx, const ml_io *io, mli_sink **out,
                           ml_error *err)
{
    if (!io) return mli_null(err, "io");
    mli_sink *s = new_sink(ctx);
    if (!s) return mli_nomem(err);
    size_t size = io->struct_size;
    memcpy(&s->io, io, size < sizeof s->io ? size : sizeof s->io);
    if (!s->io.write) {
        mli_sink_abort(s);
        return mli_null(err, "io.write");
    }
    *out = s;
    return ML_OK;
}

ml_status mli_sink_write(mli_sink *s, const void *data, size_t size, ml_error *err)
{
    if (size > BUFFER_SIZE - s->used) {
        ml_status status = flush(s, 0, err);
        if (status != ML_OK) return status;
    }
    if (size >= BUFFER_SIZE) return pass_on(s, data, size, 0, err);
    if (size) memcpy(s->buffer + s->used, data, size);
    s->used += size;
    return ML_OK;
}

static ml_status close_file(mli_sink *s, ml_error *err)
{
    if (s->fd < 0) return ML_OK;
    int fd = s->fd;
    s->fd = -1;
    if (s->ctx->fs->close(fd) == 0 || errno == EINTR) return ML_OK;
    return mli_file_error(err, errno, "write", s->path);
}

/* Makes the new name durable. The file is in place and whole when this fails, so it is
 * not an error: only a loss of power in the next seconds could undo the rename. */
static void sync_folder(const mli_sink *s)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(s->path, '/');
    int size = slash ? (int)(slash - s->path) + (slash == s->path) : 1;
    if (size >= PATH_MAX) return;
    snprintf(folder, sizeof folder, "%.*s", size, slash ? s->path : ".");
    int fd = s->ctx->fs->open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    int failed = fd < 0 || s->ctx->fs->fsync(fd) != 0;
    if (fd >= 0) s->ctx->fs->close(fd);
    if (failed) {
        mli_log(s->ctx, ML_LOG_WARNING, "file", "could not sync the folder of \"%s\"",
                s->path);
    }
}

ml_status mli_sink_commit(mli_sink *s, ml_error *err)
{
    const mli_fs *fs = s->ctx->fs;
    ml_status status = flush(s, 1, err);
    if (status == ML_OK && s->temporary) {
        if (fs->fsync(s->fd) != 0) status = mli_file_error(err, errno, "write", s->path);
        if (status == ML_OK) status = close_file(s, err);
        if (status == ML_OK && fs->rename(s->temporary, s->path) != 0) {
            status = mli_file_error(err, errno, "write", s->path);
        }
        if (status == ML_OK) {
            mli_free(s->ctx, s->temporary);
            s->temporary = NULL;
            sync_folder(s);
        }
    } else if (status == ML_OK) {
        status = close_file(s, err);
    }
    mli_sink_abort(s);
    return status;
}

void mli_sink_abort(mli_sink *s)
{
    if (!s) return;
    ml_context *ctx = s->ctx;
    mli_gzip_close(s->gzip);
    if (s->fd >= 0) ctx->fs->close(s->fd);
    if (s->temporary) ctx->fs->unlink(s->temporary);
    mli_free(ctx, s->temporary);
    mli_free(ctx, s->path);
    mli_free(ctx, s);
    ml_context_free(ctx);
}
