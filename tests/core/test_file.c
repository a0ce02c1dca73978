/* SPDX-License-Identifier: MIT
 *
 * Reading, mapping and writing files: gzip, hosts' streams, every operation failing,
 * no memory, and messages that name path and remedy.
 */
#include "failing.h"

#include "core/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char *path_of(const char *name)
{
    static char paths[4][512];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, 512, "%s/%s", test_folder(), name);
    return path;
}

static void put_file(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, size, f), size);
    ck_assert_int_eq(fclose(f), 0);
}

/* The whole file, NUL-terminated, to be freed; NULL when it is not there. */
static char *get_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    char *data = malloc(8 << 20);
    *size = fread(data, 1, (8 << 20) - 1, f);
    data[*size] = 0;
    fclose(f);
    return data;
}

static int count_files(void)
{
    int n = 0;
    DIR *d = opendir(test_folder());
    while (readdir(d)) n++;
    closedir(d);
    return n - 2;
}

/* Bytes that compress, but not too well. */
static char *make_data(size_t size)
{
    char *data = malloc(size + 1);
    uint32_t state = 7;
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525 + 1013904223;
        data[i] = (char)('0' + (state >> 24) % 12);
    }
    return data;
}

static ml_status read_all(mli_source *s, size_t part, mli_str *out, ml_error *err)
{
    char *buffer = malloc(part);
    size_t got = 1;
    ml_status status = ML_OK;
    while (status == ML_OK && got > 0) {
        status = mli_source_read(s, buffer, part, &got, err);
        if (status == ML_OK) mli_str_add_n(out, buffer, got);
    }
    free(buffer);
    return status;
}

static void check_reads(ml_context *ctx, const char *path, const char *data, size_t size,
                        size_t part)
{
    mli_source *s;
    mli_str out;
    mli_str_init(&out, NULL);
    OK(mli_source_open(ctx, path, &s, ERR));
    OK(read_all(s, part, &out, ERR));
    ck_assert_uint_eq(out.size, size);
    ck_assert(memcmp(out.data, data, size) == 0);
    size_t got = 9;
    char byte;
    OK(mli_source_read(s, &byte, 1, &got, ERR)); /* the end stays the end */
    ck_assert_uint_eq(got, 0);
    mli_source_close(s);
    mli_str_free(&out);
}

START_TEST(reads_any_parts)
{
    ml_context *ctx = test_context(1);
    static const size_t sizes[] = {0, 1, 2, 3, 1000, 262143, 262144, 262145, 1000000};
    static const size_t parts[] = {1, 7, 65536, 262144, 3000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *data = make_data(sizes[i]);
        put_file(path_of("plain"), data, sizes[i]);
        for (size_t k = sizes[i] > 5000; k < sizeof parts / sizeof *parts; k++) {
            check_reads(ctx, path_of("plain"), data, sizes[i], parts[k]);
        }
        free(data);
    }
    ml_context_free(ctx);
}
END_TEST

static int have_gzip(void)
{
    return system("gzip --version >/dev/null 2>&1") == 0;
}

static void run(const char *format, const char *a, const char *b)
{
    char command[1400];
    snprintf(command, sizeof command, format, a, b);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(reads_gzip)
{
    if (!have_gzip()) SKIP("gzip is not there");
    ml_context *ctx = test_context(1);
    static const size_t sizes[] = {0, 1, 1000, 300000, 3000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *data = make_data(sizes[i]);
        put_file(path_of("a"), data, sizes[i]);
        run("gzip -c '%s' > '%s'", path_of("a"), path_of("a.gz"));
        check_reads(ctx, path_of("a.gz"), data, sizes[i], sizes[i] < 5000 ? 1 : 1000);
        check_reads(ctx, path_of("a.gz"), data, sizes[i], 5000000);
        free(data);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(reads_gzip_of_many_members)
{
    if (!have_gzip()) SKIP("gzip is not there");
    ml_context *ctx = test_context(1);
    put_file(path_of("a"), "first,", 6);
    put_file(path_of("b"), "second", 6);
    char command[1400];
    snprintf(command, sizeof command,
             "(gzip -c %s; gzip -c /dev/null; gzip -c %s; head -c 600000 /dev/zero) > %s",
             path_of("a"), path_of("b"), path_of("ab.gz"));
    ck_assert_int_eq(system(command), 0);
    check_reads(ctx, path_of("ab.gz"), "first,second", 12, 100);
    check_reads(ctx, path_of("ab.gz"), "first,second", 12, 1);
    ml_context_free(ctx);
}
END_TEST

static ml_status try_bytes(ml_context *ctx, const char *data, size_t size, ml_error *err)
{
    mli_source *s;
    mli_str out;
    put_file(path_of("try.gz"), data, size);
    ml_status status = mli_source_open(ctx, path_of("try.gz"), &s, err);
    if (status != ML_OK) return status;
    mli_str_init(&out, NULL);
    status = read_all(s, 1000, &out, err);
    mli_str_free(&out);
    mli_source_close(s);
    return status;
}

START_TEST(refuses_damaged_gzip)
{
    if (!have_gzip()) SKIP("gzip is not there");
    ml_context *ctx = test_context(1);
    char *data = make_data(3000);
    size_t size;
    put_file(path_of("a"), data, 3000);
    run("gzip -c '%s' > '%s'", path_of("a"), path_of("a.gz"));
    char *packed = get_file(path_of("a.gz"), &size);
    for (size_t n = 2; n < size; n++) { /* cut anywhere */
        ck_assert_int_eq(try_bytes(ctx, packed, n, ERR), ML_E_FORMAT);
        if (n > 20) ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "cut off"));
    }
    for (size_t n = 0; n < 8; n++) { /* length and checksum stand at the end */
        packed[size - 1 - n] ^= 0x55;
        FAILS(ML_E_FORMAT, try_bytes(ctx, packed, size, ERR));
        ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "damaged"));
        ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "try.gz"));
        packed[size - 1 - n] ^= 0x55;
    }
    packed = realloc(packed, size + 10);
    memcpy(packed + size, "trailer", 7);
    FAILS(ML_E_FORMAT, try_bytes(ctx, packed, size + 7, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "followed by something else"));
    free(packed);
    free(data);
    ml_context_free(ctx);
}
END_TEST

typedef struct stream {
    const char *data;
    size_t size, at, part;
    int fail_at, calls;
    mli_str written;
} stream;

static int64_t stream_read(void *buffer, size_t size, void *user)
{
    stream *s = user;
    if (++s->calls == s->fail_at) return -7;
    size_t n = s->size - s->at;
    if (n > s->part) n = s->part;
    if (n > size) n = size;
    memcpy(buffer, s->data + s->at, n);
    s->at += n;
    return (int64_t)n;
}

static int64_t stream_write(const void *buffer, size_t size, void *user)
{
    stream *s = user;
    if (++s->calls == s->fail_at) return -7;
    if (size > s->part) size = s->part;
    mli_str_add_n(&s->written, buffer, size);
    return (int64_t)size;
}

START_TEST(reads_from_a_host)
{
    ml_context *ctx = test_context(1);
    char *data = make_data(100000);
    for (size_t part = 1; part < 100000; part = part * 3 + 1) {
        stream host = {.data = data, .size = 100000, .part = part};
        ml_io io = ML_IO_INIT;
        io.read = stream_read;
        io.user = &host;
        mli_source *s;
        mli_str out;
        mli_str_init(&out, NULL);
        OK(mli_source_open_io(ctx, &io, &s, ERR));
        OK(read_all(s, 5000, &out, ERR));
        ck_assert_uint_eq(out.size, 100000);
        ck_assert(memcmp(out.data, data, 100000) == 0);
        mli_source_close(s);
        mli_str_free(&out);
    }
    free(data);
    ml_context_free(ctx);
}
END_TEST

START_TEST(passes_on_failures_of_a_host)
{
    ml_context *ctx = test_context(1);
    stream host = {.data = "abc", .size = 3, .part = 3, .fail_at = 1};
    ml_io io = ML_IO_INIT;
    mli_source *s = NULL;
    FAILS(ML_E_ARGUMENT, mli_source_open_io(ctx, NULL, &s, ERR));
    FAILS(ML_E_ARGUMENT, mli_source_open_io(ctx, &io, &s, ERR));
    io.read = stream_read;
    io.user = &host;
    FAILS(ML_E_CALLBACK, mli_source_open_io(ctx, &io, &s, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "-7"));
    ck_assert_ptr_null(s);
    host = (stream){.data = "abc", .size = 3, .part = 3, .fail_at = 2};
    OK(mli_source_open_io(ctx, &io, &s, ERR));
    mli_str out;
    mli_str_init(&out, NULL);
    FAILS(ML_E_CALLBACK, read_all(s, 2, &out, ERR));
    mli_source_close(s);
    mli_str_free(&out);
    mli_sink *sink = NULL;
    FAILS(ML_E_ARGUMENT, mli_sink_open_io(ctx, NULL, &sink, ERR));
    io.write = NULL;
    FAILS(ML_E_ARGUMENT, mli_sink_open_io(ctx, &io, &sink, ERR));
    host = (stream){.part = 100, .fail_at = 1};
    io.write = stream_write;
    OK(mli_sink_open_io(ctx, &io, &sink, ERR));
    OK(mli_sink_write(sink, "abc", 3, ERR));
    FAILS(ML_E_CALLBACK, mli_sink_commit(sink, ERR));
    ml_context_free(ctx);
}
END_TEST

START_TEST(writes_to_a_host)
{
    ml_context *ctx = test_context(1);
    char *data = make_data(700000);
    stream host = {.part = 100000};
    ml_io io = ML_IO_INIT;
    io.write = stream_write;
    io.user = &host;
    mli_sink *s;
    mli_str_init(&host.written, NULL);
    OK(mli_sink_open_io(ctx, &io, &s, ERR));
    OK(mli_sink_write(s, data, 10, ERR));
    OK(mli_sink_write(s, data + 10, 500000, ERR));
    OK(mli_sink_write(s, data + 500010, 199990, ERR));
    OK(mli_sink_commit(s, ERR));
    ck_assert_uint_eq(host.written.size, 700000);
    ck_assert(memcmp(host.written.data, data, 700000) == 0);
    mli_str_free(&host.written);
    free(data);
    ml_context_free(ctx);
}
END_TEST

static void check_error(ml_status status, const char *path, const char *what,
                        const char *remedy)
{
    const char *text = ml_error_message(ERR);
    ck_assert_int_eq(status, ML_E_IO);
    ck_assert_msg(strstr(text, path) && strstr(text, what) && strstr(text, remedy), "%s",
                  text);
    ck_assert_ptr_null(strchr(text, '\n'));
}

START_TEST(names_path_and_remedy)
{
    ml_context *ctx = test_context(1);
    mli_source *s = NULL;
    mli_sink *w = NULL;
    mli_buffer *b = NULL;
    put_file(path_of("train.csv"), "a", 1);
    const char *missing = path_of("trian.csv"), *folder = test_folder();
    check_error(mli_source_open(ctx, missing, &s, ERR), missing, "no such file",
                "did you mean \"train.csv\"?");
    check_error(mli_map_file(ctx, missing, &b, ERR), missing, "no such file",
                "train.csv");
    check_error(mli_source_open(ctx, path_of("zebra"), &s, ERR), "zebra", "no such file",
                "check the path");
    check_error(mli_source_open(ctx, folder, &s, ERR), folder, "folder, not a file",
                "give the path of a file");
    check_error(mli_map_file(ctx, folder, &b, ERR), folder, "folder, not a file", "give");
    check_error(mli_sink_open(ctx, folder, 0, &w, ERR), folder, "folder, not a file",
                "give");
    check_error(mli_source_open(ctx, path_of("train.csv/x"), &s, ERR), "train.csv/x", "",
                "is a file, not a folder");
    check_error(mli_sink_open(ctx, path_of("none/x"), 0, &w, ERR), "none/x",
                "no such file", "make the folder first");
    check_error(mli_sink_open(ctx, "", 0, &w, ERR), "\"\"", "no such file", "");
    check_error(mli_source_open(ctx, "", &s, ERR), "\"\"", "no such file", "");
    FAILS(ML_E_ARGUMENT, mli_source_open(ctx, NULL, &s, ERR));
    FAILS(ML_E_ARGUMENT, mli_sink_open(ctx, NULL, 0, &w, ERR));
    FAILS(ML_E_ARGUMENT, mli_map_file(ctx, NULL, &b, ERR));
    ck_assert(!s && !w && !b);
    ml_context_free(ctx);
}
END_TEST

START_TEST(needs_permission)
{
    ml_context *ctx = test_context(1);
    mli_source *s = NULL;
    mli_sink *w = NULL;
    const char *file = path_of("secret"), *folder = path_of("locked");
    put_file(file, "a", 1);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    ck_assert_int_eq(chmod(file, 0) | chmod(folder, 0500) | chmod(test_folder(), 0755),
                     0);
    int limited = geteuid() != 0 || seteuid(65534) == 0; /* root may do everything */
    int fd = limited ? open(file, O_RDONLY) : -1;
    if (!limited || fd >= 0) {
        if (getuid() == 0 && seteuid(0) != 0) ck_abort();
        SKIP("this user may read everything");
    }
    check_error(mli_source_open(ctx, file, &s, ERR), "secret", "permission denied",
                "check the permissions");
    check_error(mli_sink_open(ctx, path_of("locked/x"), 0, &w, ERR), "locked/x",
                "permission denied", "permissions");
    if (getuid() == 0) ck_assert_int_eq(seteuid(0), 0);
    ml_context_free(ctx);
}
END_TEST

START_TEST(reports_a_full_disk)
{
    if (access("/dev/full", W_OK) != 0) SKIP("there is no /dev/full");
    ml_context *ctx = test_context(1);
    mli_sink *s;
    OK(mli_sink_open(ctx, "/dev/full", 0, &s, ERR));
    OK(mli_sink_write(s, "abc", 3, ERR));
    check_error(mli_sink_commit(s, ERR), "/dev/full", "no space left", "free some space");
    ml_context_free(ctx);
}
END_TEST

START_TEST(writes_whole_files)
{
    ml_context *ctx = test_context(1);
    mli_sink *s;
    size_t size;
    int before = count_files();
    OK(mli_sink_open(ctx, path_of("out"), 0, &s, ERR));
    OK(mli_sink_write(s, "hello", 5, ERR));
    OK(mli_sink_write(s, "", 0, ERR));
    ck_assert_ptr_null(get_file(path_of("out"), &size)); /* not before commit */
    OK(mli_sink_commit(s, ERR));
    char *text = get_file(path_of("out"), &size);
    ck_assert_str_eq(text, "hello");
    free(text);
    ck_assert_int_eq(count_files(), before + 1);
    OK(mli_sink_open(ctx, path_of("out"), 0, &s, ERR));
    OK(mli_sink_write(s, "changed", 7, ERR));
    mli_sink_abort(s);
    mli_sink_abort(NULL);
    text = get_file(path_of("out"), &size);
    ck_assert_str_eq(text, "hello");
    free(text);
    OK(mli_sink_open(ctx, path_of("out"), 0, &s, ERR));
    OK(mli_sink_commit(s, ERR)); /* nothing written: an empty file */
    text = get_file(path_of("out"), &size);
    ck_assert_uint_eq(size, 0);
    free(text);
    ck_assert_int_eq(count_files(), before + 1);
    ml_context_free(ctx);
}
END_TEST

START_TEST(writes_long_names)
{
    ml_context *ctx = test_context(1);
    char path[600];
    mli_sink *s = NULL;
    for (int n = 225; n <= 260; n++) {
        size_t size;
        snprintf(path, sizeof path, "%s/%0*d", test_folder(), n, 7);
        if (n <= 255) {
            OK(mli_sink_open(ctx, path, 0, &s, ERR));
            OK(mli_sink_write(s, "long", 4, ERR));
            OK(mli_sink_commit(s, ERR));
            char *text = get_file(path, &size);
            ck_assert_str_eq(text, "long");
            free(text);
        } else {
            FAILS(ML_E_IO, mli_sink_open(ctx, path, 0, &s, ERR));
        }
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(keeps_permissions_and_links)
{
    ml_context *ctx = test_context(1);
    mli_sink *s;
    struct stat info;
    size_t size;
    put_file(path_of("target"), "old", 3);
    ck_assert_int_eq(chmod(path_of("target"), 0640), 0);
    ck_assert_int_eq(symlink("target", path_of("link")), 0);
    OK(mli_sink_open(ctx, path_of("link"), 0, &s, ERR));
    OK(mli_sink_write(s, "new", 3, ERR));
    OK(mli_sink_commit(s, ERR));
    ck_assert_int_eq(lstat(path_of("link"), &info), 0);
    ck_assert(S_ISLNK(info.st_mode));
    char *text = get_file(path_of("target"), &size);
    ck_assert_str_eq(text, "new");
    free(text);
    ck_assert_int_eq(stat(path_of("target"), &info), 0);
    ck_assert_int_eq(info.st_mode & 0777, 0640);
    mode_t mask = umask(027);
    OK(mli_sink_open(ctx, path_of("fresh"), 0, &s, ERR));
    OK(mli_sink_commit(s, ERR));
    umask(mask);
    ck_assert_int_eq(stat(path_of("fresh"), &info), 0);
    ck_assert_int_eq(info.st_mode & 0777, 0640);
    ml_context_free(ctx);
}
END_TEST

START_TEST(writes_gzip)
{
    ml_context *ctx = test_context(1);
    static const size_t sizes[] = {0, 1, 1000, 262144, 2000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *data = make_data(sizes[i]);
        for (size_t part = 777; part < 5000000; part *= 1000) {
            mli_sink *s;
            OK(mli_sink_open(ctx, path_of("w.gz"), 1, &s, ERR));
            for (size_t at = 0; at < sizes[i]; at += part) {
                size_t n = sizes[i] - at < part ? sizes[i] - at : part;
                OK(mli_sink_write(s, data + at, n, ERR));
            }
            OK(mli_sink_commit(s, ERR));
            check_reads(ctx, path_of("w.gz"), data, sizes[i], 100000);
        }
        if (have_gzip() && sizes[i] > 0) {
            put_file(path_of("w"), data, sizes[i]);
            run("gzip -dc '%s' | cmp -s - '%s'", path_of("w.gz"), path_of("w"));
        }
        free(data);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(maps_files)
{
    ml_context *ctx = test_context(1);
    mli_buffer *b = NULL;
    char *data = make_data(100000);
    put_file(path_of("m"), data, 100000);
    OK(mli_map_file(ctx, path_of("m"), &b, ERR));
    ck_assert_uint_eq(b->size, 100000);
    ck_assert(memcmp(b->data, data, 100000) == 0);
    ck_assert_int_eq(unlink(path_of("m")), 0);
    ck_assert(memcmp(b->data, data, 100000) == 0); /* stays when the name goes */
    mli_buffer_free(b);
    put_file(path_of("m"), "", 0);
    OK(mli_map_file(ctx, path_of("m"), &b, ERR));
    ck_assert_uint_eq(b->size, 0);
    ck_assert_ptr_nonnull(b->data);
    mli_buffer_free(b);
    free(data);
    ml_context_free(ctx);
}
END_TEST

START_TEST(maps_a_pipe_by_reading)
{
    ml_context *ctx = test_context(1);
    mli_buffer *b = NULL;
    int ends[2];
    char path[64];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], "through a pipe", 14), 14);
    close(ends[1]);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    OK(mli_map_file(ctx, path, &b, ERR));
    ck_assert_uint_eq(b->size, 14);
    ck_assert_mem_eq(b->data, "through a pipe", 14);
    mli_buffer_free(b);
    close(ends[0]);
    ml_context_free(ctx);
}
END_TEST

/* File operations of which number `fault.at` fails. */
static struct {
    int at, calls, number; /* number: an errno, or 0 for a short write */
    int renamed;           /* calls made when the file was in place */
} fault;

static int fault_hits(void)
{
    if (++fault.calls != fault.at) return 0;
    errno = fault.number;
    return 1;
}
static int fault_open(const char *path, int flags, int mode)
{
    return fault_hits() ? -1 : mli_fs_posix.open(path, flags, mode);
}
static int64_t fault_read(int fd, void *buffer, size_t size)
{
    return fault_hits() ? -1 : mli_fs_posix.read(fd, buffer, size);
}
static int64_t fault_write(int fd, const void *buffer, size_t size)
{
    if (fault_hits()) {
        if (fault.number) return -1;
        size = (size + 1) / 2;
    }
    return mli_fs_posix.write(fd, buffer, size);
}
static int fault_fsync(int fd)
{
    return fault_hits() ? -1 : mli_fs_posix.fsync(fd);
}
static int fault_close(int fd)
{
    int hit = fault_hits();
    mli_fs_posix.close(fd);
    if (hit) errno = fault.number;
    return hit ? -1 : 0;
}
static int fault_rename(const char *from, const char *to)
{
    if (fault_hits()) return -1;
    int done = mli_fs_posix.rename(from, to);
    fault.renamed = fault.calls;
    return done;
}
static int fault_unlink(const char *path)
{
    return mli_fs_posix.unlink(path);
}
static const mli_fs fault_fs = {fault_open,  fault_read,   fault_write, fault_fsync,
                                fault_close, fault_rename, fault_unlink, NULL};

static ml_status write_some(ml_context *ctx, const char *path, int gzip, ml_error *err)
{
    mli_sink *s;
    char *data = make_data(600000);
    ml_status status = mli_sink_open(ctx, path, gzip, &s, err);
    if (status == ML_OK) {
        status = mli_sink_write(s, data, 1000, err);
        if (status == ML_OK) status = mli_sink_write(s, data + 1000, 599000, err);
        if (status == ML_OK) {
            status = mli_sink_commit(s, err);
        } else {
            mli_sink_abort(s);
        }
    }
    free(data);
    return status;
}

/* Each operation fails in turn: the old file stays as it was, nothing is left behind. */
static void check_write_faults(int gzip, int number)
{
    ml_context *ctx = test_context(1);
    ctx->fs = &fault_fs;
    const char *path = path_of("safe");
    int before = 0;
    for (int at = 1;; at++) {
        size_t size;
        put_file(path, "old", 3);
        if (at == 1) before = count_files();
        memset(&fault, 0, sizeof fault);
        fault.at = at;
        fault.number = number;
        ml_status status = write_some(ctx, path, gzip, ERR);
        ck_assert_int_eq(count_files(), before);
        char *text = get_file(path, &size);
        int done = fault.renamed > 0 && (at > fault.renamed || at > fault.calls);
        if (number == 0 || done) {
            ck_assert_int_eq(status, ML_OK);
            ck_assert_uint_gt(size, 3);
        } else {
            ck_assert_int_eq(status, ML_E_IO);
            ck_assert_str_eq(text, "old");
            ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), path));
        }
        free(text);
        if (at > fault.calls) break;
    }
    ml_context_free(ctx);
}

START_TEST(write_faults_leave_nothing)
{
    check_write_faults(0, EIO);
    check_write_faults(1, ENOSPC);
    check_write_faults(0, EACCES);
}
END_TEST

START_TEST(short_writes_go_on)
{
    ml_context *ctx = test_context(1);
    ctx->fs = &fault_fs;
    memset(&fault, 0, sizeof fault);
    fault.at = 2; /* the first write */
    OK(write_some(ctx, path_of("short"), 0, ERR));
    size_t size;
    char *text = get_file(path_of("short"), &size), *data = make_data(600000);
    ck_assert_uint_eq(size, 600000);
    ck_assert(memcmp(text, data, size) == 0);
    free(text);
    free(data);
    ml_context_free(ctx);
}
END_TEST

START_TEST(interrupted_calls_go_on)
{
    ml_context *ctx = test_context(1);
    ctx->fs = &fault_fs;
    char *data = make_data(300000);
    for (int at = 2; at < 5; at++) {
        memset(&fault, 0, sizeof fault);
        put_file(path_of("i"), data, 300000);
        fault.at = at;
        fault.number = EINTR;
        mli_source *s;
        mli_str out;
        mli_str_init(&out, NULL);
        OK(mli_source_open(ctx, path_of("i"), &s, ERR));
        OK(read_all(s, 100000, &out, ERR));
        ck_assert_uint_eq(out.size, 300000);
        mli_str_free(&out);
        mli_source_close(s);
    }
    free(data);
    ml_context_free(ctx);
}
END_TEST

START_TEST(read_faults_are_reported)
{
    ml_context *ctx = test_context(1);
    ctx->fs = &fault_fs;
    char *data = make_data(600000);
    put_file(path_of("r"), data, 600000);
    for (int at = 1;; at++) {
        memset(&fault, 0, sizeof fault);
        fault.at = at;
        fault.number = EIO;
        mli_source *s = NULL;
        mli_str out;
        mli_str_init(&out, NULL);
        ml_status status = mli_source_open(ctx, path_of("r"), &s, ERR);
        if (status == ML_OK) status = read_all(s, 100000, &out, ERR);
        mli_source_close(s);
        mli_str_free(&out);
        if (at > 1 &&
            at >= fault.calls) { /* only closing is left to fail, which does not matter */
            ck_assert_int_eq(status, ML_OK);
            break;
        }
        ck_assert_int_eq(status, ML_E_IO);
        ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "/r\""));
    }
    free(data);
    ml_context_free(ctx);
}
END_TEST

/* One round of everything that allocates. */
static ml_status use_files(failing_alloc *f, int gzip)
{
    ml_host host = failing_host(f);
    ml_context *ctx = NULL;
    mli_source *s = NULL;
    mli_buffer *b = NULL;
    mli_str out;
    ml_status status = ml_context_new(&host, &ctx, ERR);
    if (status != ML_OK) return status;
    mli_str_init(&out, NULL);
    status = write_some(ctx, path_of("oom"), gzip, ERR);
    if (status == ML_OK) status = mli_source_open(ctx, path_of("oom"), &s, ERR);
    if (status == ML_OK) status = read_all(s, 50000, &out, ERR);
    if (status == ML_OK) ck_assert_uint_eq(out.size, 600000);
    if (status == ML_OK) status = mli_map_file(ctx, path_of("oom"), &b, ERR);
    mli_source_close(s);
    mli_buffer_free(b);
    mli_str_free(&out);
    ml_context_free(ctx);
    return status;
}

START_TEST(survives_no_memory)
{
    failing_alloc f;
    int before = count_files();
    OUT_OF_MEMORY_LOOP(f, use_files(&f, 0));
    OUT_OF_MEMORY_LOOP(f, use_files(&f, 1));
    ck_assert_int_eq(count_files(), before + 1);
}
END_TEST

TEST_MAIN("core/file", reads_any_parts, reads_gzip, reads_gzip_of_many_members,
          refuses_damaged_gzip, reads_from_a_host, passes_on_failures_of_a_host,
          writes_to_a_host, names_path_and_remedy, needs_permission, reports_a_full_disk,
          writes_whole_files, writes_long_names, keeps_permissions_and_links, writes_gzip,
          maps_files, maps_a_pipe_by_reading, write_faults_leave_nothing,
          short_writes_go_on, interrupted_calls_go_on, read_faults_are_reported,
          survives_no_memory)
