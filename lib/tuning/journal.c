/* SPDX-License-Identifier: MIT
 *
 * journal.c: the file of records, see journal.h.
 */
#include "tuning/journal.h"

#include "core/file.h"
#include "core/file_error.h"
#include "core/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define TAG      "J1 "
#define TAG_SIZE 3
#define DIGITS   16
#define MOST     (1u << 30) /* bytes of a journal that is read */

struct mli_journal {
    ml_context *ctx;
    int fd;
    int held;     /* nobody else writes */
    int64_t size; /* when it was opened */
    char *path;
};

static void checksum(const char *json, size_t size, char digits[DIGITS + 1])
{
    mli_sha256 h;
    unsigned char digest[32];
    char hex[65];
    mli_sha256_init(&h);
    mli_sha256_add(&h, json, size);
    mli_sha256_end(&h, digest);
    mli_sha256_hex(digest, hex);
    memcpy(digits, hex, DIGITS);
    digits[DIGITS] = 0;
}

void mli_journal_close(mli_journal *j)
{
    if (!j) return;
    if (j->fd >= 0) j->ctx->fs->close(j->fd);
    mli_free(j->ctx, j->path);
    mli_free(j->ctx, j);
}

static ml_status write_all(mli_journal *j, const char *data, size_t size, ml_error *err)
{
    while (size > 0) {
        int64_t n = j->ctx->fs->write(j->fd, data, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return mli_file_error(err, n < 0 ? errno : ENOSPC, "write", j->path);
        data += n;
        size -= (size_t)n;
    }
    return ML_OK;
}

static ml_status refuse(const mli_journal *j, const char *problem, const char *hint,
                        ml_error *err)
{
    mli_fail(err, ML_E_IO, "%s", problem);
    mli_error_at(err, ML_E_IO, "%s", j->path);
    return mli_error_hint(err, ML_E_IO, "%s", hint);
}

/* A process that was killed while it waited for the disk holds its lock until the disk
 * has answered: who starts again at once need not be refused. */
#define TRIES   40
#define BETWEEN 50000000 /* nanoseconds */

static ml_status take(mli_journal *j, ml_error *err)
{
    static const struct timespec between = {.tv_nsec = BETWEEN};
    int st = -1;
    for (int k = 0; k < TRIES; k++) {
        if (k) nanosleep(&between, NULL);
        do st = flock(j->fd, LOCK_EX | LOCK_NB);
        while (st < 0 && errno == EINTR);
        if (st == 0 || errno != EWOULDBLOCK) break;
    }
    j->held = st == 0 || errno != EWOULDBLOCK;
    if (j->held) return ML_OK;
    return refuse(j, "another fit or study is writing to the journal",
                  "wait for its end, or name another file", err);
}

ml_status mli_journal_hold(mli_journal *j, ml_error *err)
{
    if (j->held) return ML_OK;
    ml_status st = take(j, err);
    if (st < 0 || lseek(j->fd, 0, SEEK_END) == j->size) return st;
    j->held = 0;
    flock(j->fd, LOCK_UN);
    return refuse(j, "another fit or study has written to the journal meanwhile",
                  "begin again, which reads it", err);
}

ml_status mli_journal_open(ml_context *ctx, const char *path, int hold, mli_journal **out,
                           ml_error *err)
{
    mli_journal *j = mli_calloc(ctx, 1, sizeof *j);
    if (!j) return mli_nomem(err);
    j->ctx = ctx;
    j->fd = -1;
    j->path = mli_strdup(ctx, path);
    ml_status st = j->path ? ML_OK : mli_nomem(err);
    if (st == ML_OK) {
        j->fd = ctx->fs->open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
        if (j->fd < 0) st = mli_file_error(err, errno, "open", path);
    }
    if (st == ML_OK && hold) st = take(j, err);
    if (st < 0) {
        mli_journal_close(j);
        return st;
    }
    j->size = lseek(j->fd, 0, SEEK_END);
    *out = j;
    return ML_OK;
}

ml_status mli_journal_append(mli_journal *j, const char *json, size_t size, int sync,
                             ml_error *err)
{
    mli_str line;
    char digits[DIGITS + 1];
    ml_status st = mli_journal_hold(j, err);
    if (st < 0) return st;
    checksum(json, size, digits);
    mli_str_init(&line, j->ctx);
    mli_str_printf(&line, "%s%s %zu ", TAG, digits, size);
    mli_str_add_n(&line, json, size);
    mli_str_char(&line, '\n');
    st = line.failed ? mli_nomem(err) : write_all(j, line.data, line.size, err);
    mli_str_free(&line);
    if (st == ML_OK && sync && j->ctx->fs->fsync(j->fd) < 0)
        st = mli_file_error(err, errno, "sync", j->path);
    return st;
}

/* The whole record that begins at text, or NULL; *json is its content. */
static const char *whole_record(const char *text, const char *end, const char **json,
                                size_t *size)
{
    char digits[DIGITS + 1];
    if ((size_t)(end - text) < TAG_SIZE + DIGITS + 4 || memcmp(text, TAG, TAG_SIZE) != 0)
        return NULL;
    const char *given = text + TAG_SIZE, *p = given + DIGITS;
    size_t n = 0;
    if (*p++ != ' ') return NULL;
    for (; p < end && *p >= '0' && *p <= '9' && n < MOST; p++)
        n = 10 * n + (size_t)(*p - '0');
    if (p >= end || *p++ != ' ' || n > (size_t)(end - p)) return NULL;
    checksum(p, n, digits);
    if (memcmp(digits, given, DIGITS) != 0) return NULL;
    *json = p;
    *size = n;
    return p + n;
}

/* The next place where a record may begin. */
static const char *next_tag(const char *text, const char *end)
{
    while (text < end && (text = memchr(text, TAG[0], (size_t)(end - text)))) {
        if ((size_t)(end - text) >= TAG_SIZE && memcmp(text, TAG, TAG_SIZE) == 0)
            return text;
        text++;
    }
    return end;
}

static ml_status scan(const char *text, size_t size, mli_journal_fn fn, void *arg,
                      int64_t *records, ml_error *err)
{
    const char *end = text + size, *json;
    for (const char *at = next_tag(text, end); at < end;) {
        size_t n;
        const char *after = whole_record(at, end, &json, &n);
        if (after) {
            ml_status st = fn(arg, json, n, err);
            if (st < 0) return st;
            ++*records;
        }
        at = next_tag(after ? after : at + 1, end);
    }
    return ML_OK;
}

static ml_status load(ml_context *ctx, int fd, const char *path, mli_str *text,
                      ml_error *err)
{
    char buffer[65536];
    for (;;) {
        int64_t n = ctx->fs->read(fd, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return mli_file_error(err, errno, "read", path);
        if (n == 0) return text->failed ? mli_nomem(err) : ML_OK;
        mli_str_add_n(text, buffer, (size_t)n);
        if (text->size > MOST)
            return mli_fail(err, ML_E_FORMAT, "the journal is larger than 1 GiB");
    }
}

ml_status mli_journal_read(ml_context *ctx, const char *path, mli_journal_fn fn,
                           void *arg, int64_t *records, ml_error *err)
{
    mli_str text;
    *records = 0;
    int fd = ctx->fs->open(path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return mli_file_error(err, errno, "open", path);
    mli_str_init(&text, ctx);
    ml_status st = load(ctx, fd, path, &text, err);
    ctx->fs->close(fd);
    if (st == ML_OK) st = scan(text.data, text.size, fn, arg, records, err);
    int ours = text.size < TAG_SIZE || memcmp(text.data, TAG, TAG_SIZE) == 0;
    if (st == ML_OK && *records == 0 && text.size > 0 && !ours) {
        mli_fail(err, ML_E_FORMAT, "the file is not the journal of a study");
        mli_error_at(err, ML_E_FORMAT, "%s", path);
        st = mli_error_hint(err, ML_E_FORMAT, "name a file of its own");
    }
    mli_str_free(&text);
    return st;
}

#define BLOCK 256

ml_status mli_journal_hash(const mli_design *d, mli_sha256 *h, ml_error *err)
{
    int64_t k = d->n_features, rows = d->rows;
    double *block = mli_alloc_vec(d->ctx, BLOCK * (k + 1), sizeof *block);
    if (!block) return mli_nomem(err);
    mli_sha256_add(h, &rows, sizeof rows);
    for (int64_t i = 0; i < rows; i += BLOCK) {
        int64_t end = i + BLOCK < rows ? i + BLOCK : rows;
        mli_design_rows(d, i, end, block, k);
        mli_sha256_add(h, block, (size_t)((end - i) * k) * sizeof *block);
    }
    if (d->y) mli_sha256_add(h, d->y, (size_t)rows * sizeof *d->y);
    if (d->label) mli_sha256_add(h, d->label, (size_t)rows * sizeof *d->label);
    if (d->weight) mli_sha256_add(h, d->weight, (size_t)rows * sizeof *d->weight);
    mli_free(d->ctx, block);
    return ML_OK;
}
