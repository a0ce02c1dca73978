/* SPDX-License-Identifier: MIT
 *
 * core/spill.c: memory that lives in a file without a name.
 *
 * A room's bytes are one range of addresses, into which the extents of the file that it
 * got as it grew are mapped one behind another: growing copies nothing. An extent is at
 * least half as large as what the room had, so there are few. When the range of addresses
 * is used up, the extents are mapped again into one of twice the size.
 */
#include "core/spill.h"
#include "core/file.h"
#include "core/file_error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define GRAIN      ((size_t)64 << 10) /* a multiple of all sizes of pages */
#define STEP       ((int64_t)1 << 28) /* bytes taken from the disk at a time */
#define MOST       128                /* extents; they grow by half: never reached */
#define WORTH      ((size_t)1 << 20)  /* bytes that are given back */
#define NAME_TRIES 100

struct mli_spill {
    mli_ref ref;
    ml_context *ctx;
    char *folder;            /* absolute */
    int fd;                  /* -1 when sealed */
    atomic_int_fast64_t end; /* of the extents given so far */
    atomic_int failed;       /* the first errno */
};

typedef struct extent {
    int64_t at; /* in the file */
    size_t size;
} extent;

typedef struct mli_extents {
    size_t reserved; /* addresses */
    int n;
    extent items[MOST];
} mli_extents;

/* ---- the file ---- */

/* For systems that have no files without a name: one that loses it at once. */
static int open_named(mli_spill *s)
{
    size_t size = strlen(s->folder) + 64;
    char *path = mli_alloc(s->ctx, size);
    int fd = -1;
    errno = ENOMEM;
    for (int i = 0; path && fd < 0 && i < NAME_TRIES; i++) {
        double now = mli_now();
        uint64_t bits;
        memcpy(&bits, &now, sizeof bits);
        bits = (bits ^ ((uint64_t)(uintptr_t)s + (uint64_t)i)) * 0x9e3779b97f4a7c15u;
        snprintf(path, size, "%s/libml-%ld-%llx.tmp", s->folder, (long)getpid(),
                 (unsigned long long)(bits >> 32));
        fd = s->ctx->fs->open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 && errno != EEXIST) break;
    }
    int number = errno;
    if (fd >= 0) s->ctx->fs->unlink(path);
    mli_free(s->ctx, path);
    errno = number;
    return fd;
}

static int open_file(mli_spill *s)
{
#ifdef O_TMPFILE
    int fd = s->ctx->fs->open(s->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0) return fd;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL) return -1;
#endif
    return open_named(s);
}

/* The process may change its folder before the next file is made. */
static ml_status find_folder(mli_spill *s, const char *folder, ml_error *err)
{
    struct stat info;
    char *full = realpath(folder, NULL);
    if (!full) return mli_file_error(err, errno, "make a temporary file", folder);
    s->folder = mli_strdup(s->ctx, full);
    free(full);
    if (!s->folder) return mli_nomem(err);
    if (stat(s->folder, &info) == 0 && S_ISDIR(info.st_mode)) return ML_OK;
    mli_fail(err, ML_E_IO, "cannot make a temporary file: it is a file, not a folder");
    mli_error_at(err, ML_E_IO, "\"%s\"", folder);
    return mli_error_hint(err, ML_E_IO, "give a folder");
}

ml_status mli_spill_open(ml_context *ctx, const char *folder, mli_spill **out,
                         ml_error *err)
{
    mli_spill *s = mli_calloc(ctx, 1, sizeof *s);
    if (!s) return mli_nomem(err);
    mli_ref_init(&s->ref);
    s->ctx = mli_context_ref(ctx);
    s->fd = -1;
    ml_status status = find_folder(s, folder, err);
    if (!status && (s->fd = open_file(s)) < 0)
        status = mli_file_error(err, errno, "make a temporary file", s->folder);
    if (status)
        mli_spill_free(s);
    else
        *out = s;
    return status;
}

ml_status mli_spill_again(const mli_spill *s, mli_spill **out, ml_error *err)
{
    *out = NULL;
    return s ? mli_spill_open(s->ctx, s->folder, out, err) : ML_OK;
}

mli_spill *mli_spill_ref(mli_spill *s)
{
    if (s) mli_ref_up(&s->ref);
    return s;
}

void mli_spill_seal(mli_spill *s)
{
    if (s && s->fd >= 0) s->ctx->fs->close(s->fd);
    if (s) s->fd = -1;
}

void mli_spill_free(mli_spill *s)
{
    if (!s || !mli_ref_down(&s->ref)) return;
    ml_context *ctx = s->ctx;
    mli_spill_seal(s);
    mli_free(ctx, s->folder);
    mli_free(ctx, s);
    ml_context_free(ctx);
}

ml_status mli_spill_error(mli_spill *s, ml_error *err)
{
    int number = s ? atomic_load(&s->failed) : 0;
    if (!number) return mli_nomem(err);
    mli_file_error(err, number, "write the temporary file of a table", s->folder);
    if (number != EOPNOTSUPP && number != EINVAL) return ML_E_IO;
    return mli_error_hint(err, ML_E_IO, "give a folder of another file system");
}

/* ---- space ---- */

/* Gives space back, where the system can, that nobody wrote to: of dirty pages file
 * systems would first write the bytes to the disk. What rooms leave that are freed early
 * comes back with the table. */
static void punch(const mli_spill *s, int64_t at, size_t size)
{
#ifdef FALLOC_FL_PUNCH_HOLE
    if (s->fd < 0 || size < WORTH) return;
    int kept = errno;
    if (fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, (off_t)size))
        errno = kept;
#else
    (void)s, (void)at, (void)size;
#endif
}

/* A file beyond the limit of the process would bring a signal. */
static int too_large(int64_t end)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return 0;
    return (uint64_t)end > limit.rlim_cur;
}

/* Takes `size` bytes from the disk; 0 or errno. */
static int take_space(mli_spill *s, size_t size, extent *out)
{
    *out = (extent){atomic_fetch_add(&s->end, (int64_t)size), size};
    int64_t at = out->at, end = at + (int64_t)size;
    if (too_large(end)) return EFBIG;
    while (at < end) {
        int64_t step = end - at < STEP ? end - at : STEP;
        if (s->ctx->fs->allocate(s->fd, at, step) == 0) {
            at += step;
        } else if (errno != EINTR) {
            int number = errno;
            punch(s, out->at, size);
            return number;
        }
    }
    return 0;
}

/* What is more than needed is not worth failing for. */
static int take_extent(mli_spill *s, size_t size, size_t least, extent *out)
{
    int number = size > PTRDIFF_MAX / 2 ? EFBIG : take_space(s, size, out);
    if (number && least < size) number = take_space(s, least, out);
    int none = 0;
    if (number) atomic_compare_exchange_strong(&s->failed, &none, number);
    return number == 0;
}

/* ---- addresses ---- */

static int map_extent(const mli_room *r, char *base, size_t at, const extent *e)
{
    return mmap(base + at, e->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                r->spill->fd, (off_t)e->at) != MAP_FAILED;
}

/* Maps all extents into a new range of addresses. */
static int move(mli_room *r, size_t reserve)
{
    mli_extents *x = r->file;
    size_t at = 0;
    char *base = mmap(NULL, reserve, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) return 0;
    for (int i = 0; i < x->n; at += x->items[i++].size) {
        if (map_extent(r, base, at, &x->items[i])) continue;
        munmap(base, reserve);
        return 0;
    }
    if (x->reserved) munmap(r->data, x->reserved);
    x->reserved = reserve;
    r->data = base;
    return 1;
}

static size_t whole_grains(size_t size)
{
    return (size + GRAIN - 1) / GRAIN * GRAIN;
}

static int grow_file(mli_room *r, size_t need)
{
    mli_extents *x = r->file;
    size_t size = x->reserved ? r->size : 0, least = whole_grains(need - size);
    size_t more = least > size / 2 ? least : whole_grains(size / 2);
    extent e;
    if (x->n == MOST || !take_extent(r->spill, more, least, &e)) return 0;
    size_t end = size + e.size;
    if (end > x->reserved && !move(r, size ? 2 * end : end)) {
        punch(r->spill, e.at, e.size);
        return 0;
    }
    if (!map_extent(r, r->data, size, &e)) {
        punch(r->spill, e.at, e.size);
        return 0;
    }
    x->items[x->n++] = e;
    r->size = end;
    return 1;
}

/* From memory into the file. */
static int leave_memory(mli_room *r, size_t used, size_t need)
{
    mli_room fresh = *r;
    fresh.data = NULL;
    fresh.size = 0;
    fresh.file = mli_calloc(r->ctx, 1, sizeof *fresh.file);
    if (!fresh.file) return 0;
    if (!grow_file(&fresh, need)) {
        mli_room_free(&fresh);
        return 0;
    }
    if (used) memcpy(fresh.data, r->data, used);
    mli_free(r->ctx, r->data);
    *r = fresh;
    return 1;
}

static int grow_memory(mli_room *r, size_t used, size_t need)
{
    void *fresh = r->loose ? mli_realloc(r->ctx, r->data, need)
                           : mli_alloc_vec(r->ctx, (int64_t)need, 1);
    if (!fresh) return 0;
    if (used && !r->loose) memcpy(fresh, r->data, used);
    if (!r->loose) mli_free(r->ctx, r->data);
    r->data = fresh;
    r->size = need;
    return 1;
}

/* ---- rooms ---- */

void mli_room_init(mli_room *r, ml_context *ctx, mli_spill *spill)
{
    *r = (mli_room){.ctx = ctx, .spill = spill};
}

/* Without a block, all else kept. */
static void empty(mli_room *r)
{
    r->data = NULL;
    r->size = 0;
    r->file = NULL;
}

void mli_room_free(mli_room *r)
{
    mli_extents *x = r->file;
    if (x) {
        if (x->reserved) munmap(r->data, x->reserved);
        mli_free(r->ctx, x);
    } else {
        mli_free(r->ctx, r->data);
    }
    empty(r);
}

int mli_room_grow(mli_room *r, size_t used, size_t need)
{
    if (r->data && need <= r->size) return 1;
    if (need > PTRDIFF_MAX / 4) return 0;
    if (r->file) return grow_file(r, need);
    if (r->spill && need >= GRAIN) return leave_memory(r, used, need);
    return grow_memory(r, used, need);
}

/* ---- buffers ---- */

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

static void release_block(void *user)
{
    mli_buffer *b = user;
    mli_free(b->ctx, (void *)(uintptr_t)b->data);
}

/* Gives back what lies behind the first `size` bytes, a multiple of GRAIN. */
static void cut(mli_room *r, size_t size)
{
    mli_extents *x = r->file;
    size_t at = 0;
    for (int i = 0; i < x->n; at += x->items[i++].size) {
        const extent *e = &x->items[i];
        size_t kept = at >= size ? 0 : size - at < e->size ? size - at : e->size;
        punch(r->spill, e->at + (int64_t)kept, e->size - kept);
    }
    if (x->reserved > size) munmap((char *)r->data + size, x->reserved - size);
}

static mli_buffer *file_buffer(mli_room *r, size_t size)
{
    size_t whole = whole_grains(size ? size : 1);
    mapping *m = mli_alloc(r->ctx, sizeof *m);
    if (!m) return NULL;
    *m = (mapping){r->ctx, r->data, whole};
    mli_buffer *b = mli_buffer_wrap(r->ctx, r->data, size, unmap, m);
    if (!b) {
        mli_free(r->ctx, m);
        return NULL;
    }
    cut(r, whole);
    mli_free(r->ctx, r->file);
    return b;
}

mli_buffer *mli_room_buffer(mli_room *r, size_t size)
{
    mli_buffer *b;
    if (!r->data && !mli_room_grow(r, 0, 1)) return NULL;
    if (r->file) {
        b = file_buffer(r, size);
        mli_spill_buffer_seal(b);
    } else {
        b = mli_buffer_wrap(r->ctx, r->data, size, release_block, NULL);
        if (b) b->user = b;
    }
    if (b) empty(r);
    return b;
}

mli_buffer *mli_spill_buffer(ml_context *ctx, mli_spill *s, size_t size, void *data)
{
    if (!s || size < GRAIN) return mli_buffer_new(ctx, size, data);
    mli_room r;
    mli_room_init(&r, ctx, s);
    if (!mli_room_grow(&r, 0, size)) return NULL;
    mli_buffer *b = file_buffer(&r, size);
    if (!b) mli_room_free(&r);
    if (b) memcpy(data, &b->data, sizeof b->data);
    return b;
}

void mli_spill_buffer_seal(mli_buffer *b)
{
    if (!b || b->release != unmap) return;
    const mapping *m = b->user;
    mprotect(m->data, m->size, PROT_READ);
}
