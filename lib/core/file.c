/* SPDX-License-Identifier: MIT
 *
 * file.c: reading files, hosts' streams and gzip; mapping files. Writing is in
 * file_write.c.
 */
#include "core/file.h"
#include "core/file_error.h"
#include "core/file_gzip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_SIZE (256 * 1024)

static int posix_open(const char *path, int flags, int mode)
{
    return open(path, flags, mode);
}
static int64_t posix_read(int fd, void *buffer, size_t size)
{
    return read(fd, buffer, size);
}
static int64_t posix_write(int fd, const void *buffer, size_t size)
{
    return write(fd, buffer, size);
}
static int posix_allocate(int fd, int64_t at, int64_t size)
{
    errno = posix_fallocate(fd, (off_t)at, (off_t)size);
    return errno ? -1 : 0;
}
const mli_fs mli_fs_posix = {posix_open, posix_read, posix_write, fsync,
                             close,      rename,     unlink,      posix_allocate};

struct mli_source {
    ml_context *ctx;
    char *path; /* for messages */
    int fd;     /* -1: io */
    ml_io io;
    int ended; /* the raw stream has no more */
    char *at;  /* unread bytes in the buffer */
    size_t left;
    mli_gzip *gzip; /* NULL: not compressed */
    int in_member;  /* gzip: inside a member, whose end must come */
    char buffer[BUFFER_SIZE];
};

/* Raw bytes, from the file or the host. */
static ml_status read_raw(mli_source *s, void *buffer, size_t size, size_t *got,
                          ml_error *err)
{
    if (size > INT32_MAX) size = INT32_MAX; /* what one system call takes */
    int64_t n;
    if (s->fd < 0) {
        n = s->io.read(buffer, size, s->io.user);
        if (n < 0 || (uint64_t)n > size) {
            mli_fail(err, ML_E_CALLBACK, "the host's read callback returned %lld",
                     (long long)n);
            return mli_error_hint(
                err, ML_E_CALLBACK,
                "it must return the number of bytes read, 0 at the end");
        }
    } else {
        do n = s->ctx->fs->read(s->fd, buffer, size);
        while (n < 0 && errno == EINTR);
        if (n < 0) return mli_file_error(err, errno, "read", s->path);
    }
    *got = (size_t)n;
    if (n == 0) s->ended = 1;
    return ML_OK;
}

/* Refills the empty buffer. */
static ml_status refill(mli_source *s, ml_error *err)
{
    s->at = s->buffer;
    return s->ended ? ML_OK : read_raw(s, s->buffer, BUFFER_SIZE, &s->left, err);
}

/* Is this the begin of a gzip member (which is in the buffer, unless the stream ends)? */
static int is_gzip(const mli_source *s)
{
    return s->left >= 2 && (unsigned char)s->at[0] == 0x1f &&
           (unsigned char)s->at[1] == 0x8b;
}

/* Makes at least two bytes visible, if there are as many. */
static ml_status look_ahead(mli_source *s, ml_error *err)
{
    if (s->left >= 2) return ML_OK;
    memmove(s->buffer, s->at, s->left);
    s->at = s->buffer;
    while (s->left < 2 && !s->ended) {
        size_t got = 0;
        ml_status status =
            read_raw(s, s->buffer + s->left, BUFFER_SIZE - s->left, &got, err);
        if (status != ML_OK) return status;
        s->left += got;
    }
    return ML_OK;
}

static ml_status start(mli_source *s, mli_source **out, ml_error *err)
{
    s->at = s->buffer;
    ml_status status = look_ahead(s, err);
    if (status == ML_OK && is_gzip(s)) {
        status = mli_gzip_open(s->ctx, 0, &s->gzip, err);
        if (status != ML_OK && s->path) mli_error_at(err, status, "\"%s\"", s->path);
        s->in_member = 1;
    }
    if (status != ML_OK) {
        mli_source_close(s);
        return status;
    }
    *out = s;
    return ML_OK;
}

static mli_source *new_source(ml_context *ctx)
{
    mli_source *s = mli_alloc(ctx, sizeof *s);
    if (!s) return NULL;
    memset(s, 0, offsetof(mli_source, buffer));
    s->ctx = mli_context_ref(ctx);
    s->fd = -1;
    return s;
}

ml_status mli_source_open(ml_context *ctx, const char *path, mli_source **out,
                          ml_error *err)
{
    if (!path) return mli_null(err, "path");
    mli_source *s = new_source(ctx);
    if (!s) return mli_nomem(err);
    s->path = mli_strdup(ctx, path);
    ml_status status = s->path ? ML_OK : mli_nomem(err);
    if (status == ML_OK) {
        s->fd = ctx->fs->open(path, O_RDONLY | O_CLOEXEC, 0);
        if (s->fd < 0) status = mli_file_error(err, errno, "open", path);
    }
    if (status != ML_OK) {
        mli_source_close(s);
        return status;
    }
    return start(s, out, err);
}

ml_status mli_source_open_io(ml_context *ctx, const ml_io *io, mli_source **out,
                             ml_error *err)
{
    if (!io) return mli_null(err, "io");
    mli_source *s = new_source(ctx);
    if (!s) return mli_nomem(err);
    size_t size = io->struct_size;
    memcpy(&s->io, io, size < sizeof s->io ? size : sizeof s->io);
    if (!s->io.read) {
        mli_source_close(s);
        return mli_null(err, "io.read");
    }
    return start(s, out, err);
}

static ml_status bad_gzip(const mli_source *s, ml_error *err, const char *what)
{
    mli_fail(err, ML_E_FORMAT, "the gzip data %s", what);
    if (s->path) mli_error_at(err, ML_E_FORMAT, "\"%s\"", s->path);
    return mli_error_hint(err, ML_E_FORMAT, "fetch or compress the file again");
}

/* Behind a member: another one, or the end (zero bytes are allowed as padding). */
static ml_status next_member(mli_source *s, ml_error *err)
{
    ml_status status;
    do {
        status = look_ahead(s, err);
        if (status != ML_OK) return status;
        while (s->left > 0 && *s->at == 0) s->at++, s->left--;
    } while (s->left < 2 && !s->ended);
    if (s->left == 0) return ML_OK;
    if (!is_gzip(s)) return bad_gzip(s, err, "are followed by something else");
    s->in_member = 1;
    if (mli_gzip_again(s->gzip) < 0) return bad_gzip(s, err, "are damaged");
    return ML_OK;
}

static ml_status read_gzip(mli_source *s, char *out, size_t size, size_t *got,
                           ml_error *err)
{
    size_t room = size;
    while (room == size) {
        ml_status status = ML_OK;
        if (!s->in_member) {
            status = next_member(s, err);
            if (status == ML_OK && !s->in_member) break;
        } else if (s->left == 0) {
            status = refill(s, err);
            if (status == ML_OK && s->left == 0) return bad_gzip(s, err, "are cut off");
        }
        if (status != ML_OK) return status;
        const char *in = s->at;
        int code = mli_gzip_step(s->gzip, &in, &s->left, &out, &room, 0);
        s->at += in - s->at;
        if (code == MLI_GZIP_NO_MEMORY) return mli_nomem(err);
        if (code == MLI_GZIP_CORRUPT) return bad_gzip(s, err, "are damaged");
        if (code == MLI_GZIP_END) s->in_member = 0;
    }
    *got = size - room;
    return ML_OK;
}

ml_status mli_source_read(mli_source *s, void *buffer, size_t size, size_t *got,
                          ml_error *err)
{
    size_t n = 0;
    ml_status status = ML_OK;
    if (size == 0) {
        *got = 0;
        return ML_OK;
    }
    if (s->gzip) return read_gzip(s, buffer, size, got, err);
    if (s->left == 0 && !s->ended) {
        if (size >= BUFFER_SIZE) return read_raw(s, buffer, size, got, err);
        status = refill(s, err);
    }
    if (status != ML_OK) return status;
    n = size < s->left ? size : s->left;
    memcpy(buffer, s->at, n);
    s->at += n;
    s->left -= n;
    *got = n;
    return ML_OK;
}

void mli_source_close(mli_source *s)
{
    if (!s) return;
    ml_context *ctx = s->ctx;
    mli_gzip_close(s->gzip);
    if (s->fd >= 0) ctx->fs->close(s->fd);
    mli_free(ctx, s->path);
    mli_free(ctx, s);
    ml_context_free(ctx);
}

typedef struct mapping {
    ml_context *ctx;
    void *data;
    size_t size;
} mapping;

static void unmap(void *user)
{
    mapping *m = user;
    munmap(m->data, m->size);
    mli_free(m->ctx, m);
}

/* NULL when it cannot be mapped: then it is read. */
static mli_buffer *map(ml_context *ctx, int fd, size_t size)
{
    mapping *m = mli_alloc(ctx, sizeof *m);
    if (!m) return NULL;
    void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    *m = (mapping){ctx, data, size};
    mli_buffer *b = NULL;
    if (data != MAP_FAILED) {
        b = mli_buffer_wrap(ctx, data, size, unmap, m);
        if (!b) munmap(data, size);
    }
    if (!b) mli_free(ctx, m);
    return b;
}

/* Reads what cannot be mapped (pipes, odd file systems), with one copy at the end. */
static ml_status read_whole(ml_context *ctx, int fd, const char *path, mli_buffer **out,
                            ml_error *err)
{
    mli_str all;
    mli_str_init(&all, ctx);
    ml_status status = ML_OK;
    char *chunk = mli_alloc(ctx, BUFFER_SIZE);
    while (chunk && !all.failed) {
        int64_t n = ctx->fs->read(fd, chunk, BUFFER_SIZE);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) status = mli_file_error(err, errno, "read", path);
        if (n <= 0) break;
        mli_str_add_n(&all, chunk, (size_t)n);
    }
    if (status == ML_OK) {
        char *data = NULL;
        mli_buffer *b = NULL;
        if (chunk && !all.failed) b = mli_buffer_new(ctx, all.size, &data);
        if (b && all.size) memcpy(data, all.data, all.size);
        if (!b) status = mli_nomem(err);
        if (b) *out = b;
    }
    mli_free(ctx, chunk);
    mli_str_free(&all);
    return status;
}

ml_status mli_map_file(ml_context *ctx, const char *path, mli_buffer **out, ml_error *err)
{
    if (!path) return mli_null(err, "path");
    int fd = ctx->fs->open(path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return mli_file_error(err, errno, "open", path);
    struct stat info;
    mli_buffer *b = NULL;
    ml_status status = ML_OK;
    int known = fstat(fd, &info) == 0;
    if (known && S_ISDIR(info.st_mode)) {
        status = mli_file_error(err, EISDIR, "read", path);
    } else if (known && S_ISREG(info.st_mode) && info.st_size > 0) {
        b = map(ctx, fd, (size_t)info.st_size);
    }
    if (status == ML_OK && !b) status = read_whole(ctx, fd, path, &b, err);
    ctx->fs->close(fd);
    if (status == ML_OK) *out = b;
    return status;
}
