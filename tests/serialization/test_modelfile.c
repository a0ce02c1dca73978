/* SPDX-License-Identifier: MIT
 *
 * Model files: what is saved is what is loaded, in any of the ways; the same model gives
 * the same bytes; failures of memory and of the file system leave nothing behind.
 */
#include "failing.h"
#include "model_samples.h"
#include "core/context.h"
#include "core/file.h"
#include "core/sha256.h"
#include "serialization/modelfile.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

static ml_context *ctx;

static char folder[256];

/* Starts a test: a context and an empty folder. */
static void begin(void)
{
    ctx = test_context(1);
    snprintf(folder, sizeof folder, "%s/XXXXXX", test_folder());
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static const char *path_of(const char *name)
{
    static char path[8][512];
    static int next;
    next = (next + 1) % 8;
    snprintf(path[next], sizeof path[next], "%s/%s", folder, name);
    return path[next];
}

static int files_in_folder(void)
{
    DIR *d = opendir(folder);
    int n = 0;
    while (readdir(d)) n++;
    closedir(d);
    return n - 2; /* "." and ".." */
}

/* ---- round trips ---- */

static void same_tensor(const ml_tensor *a, const ml_tensor *b)
{
    ck_assert_int_eq(a->dtype, b->dtype);
    ck_assert_int_eq(a->ndim, b->ndim);
    for (int i = 0; i < a->ndim; i++) ck_assert_int_eq(a->shape[i], b->shape[i]);
    for (int64_t i = 0; i < (a->ndim ? a->shape[0] : 1); i++) {
        for (int64_t j = 0; j < (a->ndim > 1 ? a->shape[1] : 1); j++)
            ck_assert_double_eq(ml_tensor_get_f64(a, i, j), ml_tensor_get_f64(b, i, j));
    }
}

static void same_dictionary(const mli_dictionary *a, const mli_dictionary *b)
{
    ck_assert_int_eq(a->n, b->n);
    if (a->n == 0) return;
    ck_assert_mem_eq(a->offsets, b->offsets, (size_t)(a->n + 1) * 8);
    ck_assert_mem_eq(a->bytes, b->bytes, (size_t)a->offsets[a->n]);
}

static void same_text(const char *a, const char *b)
{
    ck_assert_int_eq(a == NULL, b == NULL);
    if (a) ck_assert_str_eq(a, b);
}

static void same_inputs(const mli_inputs *a, const mli_inputs *b)
{
    ck_assert_int_eq(a->n_features, b->n_features);
    ck_assert_int_eq(a->task, b->task);
    ck_assert_int_eq(a->unseen_error, b->unseen_error);
    ck_assert_int_eq(a->target_type, b->target_type);
    same_text(a->target, b->target);
    same_text(a->weight, b->weight);
    same_text(a->group, b->group);
    same_text(a->time, b->time);
    same_dictionary(&a->classes, &b->classes);
    for (int64_t i = 0; i < a->n_features; i++) {
        ck_assert_str_eq(a->features[i].name, b->features[i].name);
        ck_assert_int_eq(a->features[i].kind, b->features[i].kind);
        ck_assert_int_eq(a->features[i].type, b->features[i].type);
        same_dictionary(&a->features[i].levels, &b->features[i].levels);
    }
}

static void same_model(const ml_model *a, const ml_model *b)
{
    ck_assert_ptr_eq(a->algorithm, b->algorithm);
    ck_assert_int_eq(a->count, b->count);
    for (int64_t i = 0; i < a->count; i++) {
        ck_assert_str_eq(a->tensors[i].name, b->tensors[i].name);
        same_tensor(a->tensors[i].tensor, b->tensors[i].tensor);
    }
    same_inputs(a->inputs, b->inputs);
    ck_assert_int_eq(ml_params_count(a->params), ml_params_count(b->params));
    for (int64_t i = 0; i < ml_params_count(a->params); i++) {
        const char *name = ml_params_name(a->params, i);
        ck_assert_str_eq(name, ml_params_name(b->params, i));
        ck_assert_str_eq(ml_params_get_str(a->params, name),
                         ml_params_get_str(b->params, name));
    }
    ck_assert_str_eq(a->summary.data, b->summary.data);
    ck_assert_str_eq(ml_model_json(a), ml_model_json(b));
}

START_TEST(a_file_gives_the_model_back)
{
    begin();
    ml_model *m = sample_model(ctx), *back = NULL;
    OK(ml_model_save_file(m, path_of("a.mlm"), NULL, ERR));
    OK(ml_model_load_file(ctx, path_of("a.mlm"), NULL, &back, ERR));
    same_model(m, back);
    ck_assert_str_eq(ml_model_class_label(back, 2), "may\"be");
    ml_model_free(back);
    ml_params *options = NULL;
    OK(ml_params_new(ctx, &options, ERR));
    OK(ml_params_set_str(options, "verify", "true", ERR));
    OK(ml_model_load_file(ctx, path_of("a.mlm"), options, &back, ERR));
    same_model(m, back);
    ml_model_free(back);
    ml_params_free(options);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

START_TEST(the_same_model_gives_the_same_bytes)
{
    begin();
    ml_model *m = sample_model(ctx), *again = sample_model(ctx), *back = NULL;
    bytes a = bytes_of_model(m), b = bytes_of_model(again);
    ck_assert_int_eq(a.size, b.size);
    ck_assert_mem_eq(a.data, b.data, a.size);
    OK(load_bytes(ctx, &a, &back));
    bytes c = bytes_of_model(back);
    ck_assert_int_eq(a.size, c.size);
    ck_assert_mem_eq(a.data, c.data, a.size);
    OK(ml_model_save_file(m, path_of("a.mlm"), NULL, ERR));
    bytes d = bytes_of_file(path_of("a.mlm"));
    ck_assert_int_eq(a.size, d.size);
    ck_assert_mem_eq(a.data, d.data, a.size);
    ml_model_free(back); /* its tensors are in a's bytes */
    free(a.data), free(b.data), free(c.data), free(d.data);
    ml_model_free(m);
    ml_model_free(again);
    ml_context_free(ctx);
}
END_TEST

START_TEST(the_header_says_the_truth)
{
    begin();
    ml_model *m = sample_model(ctx);
    bytes b = bytes_of_model(m);
    size_t n = header_size(&b);
    ck_assert_int_eq((n + 8) % 64, 0);
    mli_sha256 h;
    unsigned char digest[32];
    char hex[65], hash[65];
    mli_sha256_init(&h);
    mli_sha256_add(&h, b.data + 8 + n, b.size - 8 - n);
    mli_sha256_end(&h, digest);
    mli_sha256_hex(digest, hex);
    ck_assert_ptr_nonnull(find_bytes(b.data, n, hex, 64));
    mli_str s;
    mli_str_init(&s, ctx);
    OK(mli_modelfile_header(m, &s, hash, ERR));
    ck_assert_str_eq(hash, hex);
    ck_assert_int_eq(s.size, n + 8);
    ck_assert_mem_eq(s.data, b.data, s.size);
    mli_str_free(&s);
    ck_assert_ptr_nonnull(find_bytes(b.data, n, "\"libml.format\": \"1\"", 19));
    ck_assert_ptr_nonnull(find_bytes(b.data, n, ml_version(), strlen(ml_version())));
    free(b.data);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

START_TEST(tensors_are_not_copied_and_outlive_the_model)
{
    begin();
    ml_model *m = sample_model(ctx), *back = NULL;
    bytes b = bytes_of_model(m);
    OK(load_bytes(ctx, &b, &back));
    ml_tensor *t = NULL;
    OK(ml_model_get_tensor(back, "square", &t, ERR));
    const unsigned char *data = ml_tensor_data(t);
    ck_assert(data > b.data && data < b.data + b.size);
    ck_assert_int_eq((data - b.data) % 8, 0);
    ml_model_free(back);
    ck_assert_double_eq(ml_tensor_get_f64(t, 1, 2), 6);
    ml_tensor_free(t);
    OK(ml_model_save_file(m, path_of("t.mlm"), NULL, ERR));
    ml_model_free(m);
    OK(ml_model_load_file(ctx, path_of("t.mlm"), NULL, &back, ERR));
    OK(ml_model_get_tensor(back, "scalar", &t, ERR));
    ml_model_free(back);
    unlink(path_of("t.mlm"));
    ck_assert_double_eq(ml_tensor_get_f64(t, 0, 0), -0.5);
    ml_tensor_free(t);
    free(b.data);
    ml_context_free(ctx);
}
END_TEST

/* ---- memory ---- */

static void count_release(void *user)
{
    ++*(int *)user;
}

START_TEST(memory_is_given_back_once)
{
    begin();
    ml_model *m = sample_model(ctx), *back = NULL;
    bytes b = bytes_of_model(m);
    int released = 0;
    OK(ml_model_load_memory(ctx, b.data, b.size, count_release, &released, NULL, &back,
                            ERR));
    ml_tensor *t = NULL;
    OK(ml_model_get_tensor(back, "square", &t, ERR));
    ml_model_free(back);
    ck_assert_int_eq(released, 0);
    ml_tensor_free(t);
    ck_assert_int_eq(released, 1);
    FAILS(ML_E_FORMAT, ml_model_load_memory(ctx, b.data, b.size - 1, count_release,
                                            &released, NULL, &back, ERR));
    ck_assert_int_eq(released, 1);
    free(b.data);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

START_TEST(memory_need_not_be_aligned)
{
    begin();
    ml_model *m = sample_model(ctx);
    bytes b = bytes_of_model(m);
    for (size_t shift = 1; shift < 9; shift++) {
        unsigned char *moved = malloc(b.size + shift);
        ml_model *back = NULL;
        memcpy(moved + shift, b.data, b.size);
        OK(ml_model_load_memory(ctx, moved + shift, b.size, free, moved, NULL, &back,
                                ERR));
        same_model(m, back);
        for (int64_t i = 0; i < back->count; i++) {
            const ml_tensor *t = back->tensors[i].tensor;
            ck_assert_int_eq((uintptr_t)t->data % mli_dtype_size(t->dtype), 0);
        }
        ml_model_free(back);
    }
    free(b.data);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

/* ---- wrong arguments ---- */

static int64_t never(const void *data, size_t size, void *user)
{
    (void)data, (void)size, (void)user;
    return -7;
}

START_TEST(arguments_and_options_are_checked)
{
    begin();
    ml_model *m = sample_model(ctx), *back = NULL;
    ml_params *options = NULL;
    FAILS(ML_E_ARGUMENT, ml_model_save_file(NULL, "x", NULL, ERR));
    FAILS(ML_E_ARGUMENT, ml_model_save_file(m, NULL, NULL, ERR));
    FAILS(ML_E_ARGUMENT, ml_model_save_io(m, NULL, NULL, ERR));
    FAILS(ML_E_ARGUMENT, ml_model_load_file(NULL, "x", NULL, &back, ERR));
    FAILS(ML_E_ARGUMENT, ml_model_load_file(ctx, NULL, NULL, &back, ERR));
    FAILS(ML_E_ARGUMENT, ml_model_load_file(ctx, "x", NULL, NULL, ERR));
    FAILS(ML_E_ARGUMENT,
          ml_model_load_memory(ctx, NULL, 3, NULL, NULL, NULL, &back, ERR));
    OK(ml_params_new(ctx, &options, ERR));
    OK(ml_params_set_str(options, "verfy", "true", ERR));
    FAILS(ML_E_NAME, ml_model_load_file(ctx, "x", options, &back, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_hint(ERR), "verify"));
    FAILS(ML_E_NAME, ml_model_save_file(m, path_of("x"), options, ERR));
    ml_params_free(options);
    ml_io io = ML_IO_INIT;
    FAILS(ML_E_ARGUMENT, ml_model_save_io(m, &io, NULL, ERR));
    io.write = never;
    FAILS(ML_E_CALLBACK, ml_model_save_io(m, &io, NULL, ERR));
    FAILS(ML_E_IO, ml_model_save_file(m, path_of("none/x.mlm"), NULL, ERR));
    FAILS(ML_E_IO, ml_model_save_file(m, folder, NULL, ERR));
    FAILS(ML_E_IO, ml_model_load_file(ctx, path_of("none.mlm"), NULL, &back, ERR));
    FAILS(ML_E_IO, ml_model_load_file(ctx, folder, NULL, &back, ERR));
    FILE *f = fopen(path_of("empty.mlm"), "wb");
    fclose(f);
    FAILS(ML_E_FORMAT, ml_model_load_file(ctx, path_of("empty.mlm"), NULL, &back, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_location(ERR), "empty.mlm"));
    unlink(path_of("empty.mlm"));
    ck_assert_int_eq(files_in_folder(), 0);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

/* ---- files that do not suit ---- */

static void edit_fails(const bytes *b, const char *from, const char *to, const char *word)
{
    bytes e = edited(b, from, to);
    ml_model *m = NULL;
    FAILS(ML_E_FORMAT, load_bytes(ctx, &e, &m));
    ck_assert_msg(strstr(ml_error_message(ERR), word) || strstr(ml_error_hint(ERR), word),
                  "'%s' is not in: %s (%s)", word, ml_error_message(ERR),
                  ml_error_hint(ERR));
    free(e.data);
}

START_TEST(says_why_a_file_does_not_suit)
{
    begin();
    ml_model *m = sample_model(ctx);
    bytes b = bytes_of_model(m);
    char writer[64];
    snprintf(writer, sizeof writer, "\"libml.writer\": \"%s\"", ml_version());
    edit_fails(&b, "\"libml.format\": \"1\"", "\"libml.format\": \"2\"", "format 2");
    edit_fails(&b, "\"libml.format\": \"1\"", "\"libml.format\": \"999\"", ml_version());
    edit_fails(&b, "\"libml.format\": \"1\"", "\"libml.format\": \"x\"", "\"x\"");
    edit_fails(&b, "\"libml.format\": \"1\"", "\"libml.format\": \"0\"", "\"0\"");
    edit_fails(&b, "libml.format", "other.format", "not a libml model");
    bytes newer = edited(&b, writer, "\"libml.writer\": \"9.8.7\"");
    edit_fails(&newer, "\"libml.format\": \"1\"", "\"libml.format\": \"2\"", "9.8.7");
    edit_fails(&newer, "\"baseline\"", "\"deep_net\"", "deep_net");
    edit_fails(&newer, "\"baseline\"", "\"deep_net\"", "9.8.7");
    edit_fails(&newer, "\"baseline\"", "\"options.load\"", "options.load");
    edit_fails(&newer, "\\\"quantile\\\"", "\\\"sharpness\\\"", "sharpness");
    edit_fails(&newer, "\\\"quantile\\\"", "\\\"sharpness\\\"", "9.8.7");
    edit_fails(&b, "\\\"quantile\\\": 0.1", "\\\"quantile\\\": 1.1", "quantile");
    edit_fails(&b, "\\\"quantile\\\": 0.1", "\\\"quantile\\\": \\\"x\\\"", "quantile");
    edit_fails(&b, "libml.algorithm", "libml.algarithm", "libml.algorithm");
    edit_fails(&b, "libml.inputs", "libml.output", "libml.inputs");
    edit_fails(&b, "libml.params", "libml.param", "libml.params");
    edit_fails(&b, "\"libml.summary\": \"{", "\"libml.summary\": \"[{", "summary");
    free(newer.data);
    free(b.data);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

START_TEST(inputs_that_do_not_fit_are_refused)
{
    begin();
    ml_model *m = sample_model(ctx);
    bytes b = bytes_of_model(m);
    edit_fails(&b, "\\\"classification\\\"", "\\\"forecast\\\"", "task");
    edit_fails(&b, "\\\"classification\\\"", "\\\"regression\\\"", "task");
    edit_fails(&b, "\\\"classification\\\"", "\\\"poetry\\\"", "unknown task");
    edit_fails(&b, "\\\"unseen\\\": \\\"error\\\"", "\\\"unseen\\\": \\\"?\\\"",
               "unseen");
    edit_fails(&b, "\\\"numeric\\\"", "\\\"complex\\\"", "kind");
    edit_fails(&b, "\\\"i64\\\"", "\\\"i65\\\"", "type");
    edit_fails(&b, "\\\"kind\\\"", "\\\"date_order\\\": \\\"?\\\", \\\"kind\\\"",
               "malformed");
    edit_fails(&b, "\\\"levels\\\": 4", "\\\"levels\\\": 5", "fewer texts");
    edit_fails(&b, "\\\"levels\\\": 4", "\\\"levels\\\": 3", "more texts");
    edit_fails(&b, "\\\"levels\\\": 4", "\\\"levels\\\": 0", "more texts");
    edit_fails(&b, "\\\"levels\\\": 4", "\\\"levels\\\": -1", "malformed");
    edit_fails(&b, "\\\"levels\\\": 4", "\\\"levels\\\": 9223372036854775807", "fewer");
    edit_fails(&b, "\\\"levels\\\": 0", "\\\"levels\\\": 1", "fewer texts");
    edit_fails(&b, "\\\"classes\\\": 3", "\\\"classes\\\": 2", "texts");
    edit_fails(&b, "\\\"classes\\\": 3", "\\\"classes\\\": 4", "fewer texts");
    edit_fails(&b, "\\\"classes\\\": 3", "\\\"classes\\\": true", "malformed");
    edit_fails(&b, "\"inputs.levels\"", "\"inputs.labels\"", "offsets");
    edit_fails(&b, "\"inputs.offsets\"", "\"inputs.offset\"", "fewer texts");
    edit_fails(&b, "\\\"name\\\": \\\"age\\\", ", "", "lacks a name");
    edit_fails(&b, "\\\"name\\\": \\\"age\\\"",
               "\\\"name\\\": \\\"age\\\", \\\"name\\\": \\\"age\\\"", "twice");
    edit_fails(&b, "\\\"target_type\\\": \\\"text\\\", ", "", "target");
    edit_fails(&b, "\\\"features\\\": [", "\\\"features\\\": [1, ", "malformed");
    edit_fails(&b, "\"square\"", "\"inputs.square\"", "inputs.square");
    edit_fails(&b, "\"libml.inputs\": \"{", "\"libml.inputs\": \"{{", "malformed");
    /* What a reader does not know is ignored. */
    bytes e = edited(&b, "\\\"task\\\"", "\\\"shape\\\": [1, {}], \\\"task\\\"");
    ml_model *back = NULL;
    OK(load_bytes(ctx, &e, &back));
    same_model(m, back);
    ml_model_free(back);
    free(e.data);
    free(b.data);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

START_TEST(verify_finds_a_changed_byte)
{
    begin();
    ml_model *m = sample_model(ctx), *back = NULL;
    bytes b = bytes_of_model(m);
    ml_params *options = NULL;
    OK(ml_params_new(ctx, &options, ERR));
    OK(ml_params_set_i64(options, "verify", 1, ERR));
    unsigned char *last = &b.data[b.size - 1];
    *last ^= 1;
    FAILS(ML_E_FORMAT,
          ml_model_load_memory(ctx, b.data, b.size, NULL, NULL, options, &back, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "SHA-256"));
    *last ^= 1;
    bytes e = edited(&b, "libml.sha256", "libml.sha255");
    FAILS(ML_E_FORMAT,
          ml_model_load_memory(ctx, e.data, e.size, NULL, NULL, options, &back, ERR));
    OK(load_bytes(ctx, &e, &back));
    ml_model_free(back);
    free(e.data);
    free(b.data);
    ml_params_free(options);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

/* ---- contents that are checked later ---- */

static void damaged_levels(int64_t level, int64_t offset)
{
    ml_model *m = wide_model(ctx, 20000), *back = NULL;
    bytes b = bytes_of_model(m);
    ml_model_free(m);
    OK(load_bytes(ctx, &b, &back));
    int64_t *offsets =
        (int64_t *)(void *)(uintptr_t)back->inputs->features[0].levels.offsets;
    offsets[level] = offset;
    ml_predictor *p = NULL;
    FAILS(ML_E_FORMAT, ml_predictor_new(back, NULL, NULL, &p, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "key"));
    ml_table *t = NULL, *scores = NULL;
    OK(ml_table_with_strs(ctx, NULL, "key", (const char *[]){"000000001"}, 1, &t, ERR));
    mli_design *design = NULL;
    FAILS(ML_E_FORMAT, mli_design_apply(back->inputs, t, 0, &design, ERR));
    FAILS(ML_E_FORMAT, ml_model_evaluate(back, t, NULL, &scores, ERR));
    ml_table_free(t);
    ml_model_free(back);
    free(b.data);
}

START_TEST(large_dictionaries_are_checked_before_use)
{
    begin();
    damaged_levels(10000, -1);
    damaged_levels(10000, INT64_MAX);
    damaged_levels(10000, INT64_MIN);
    damaged_levels(19999, 180001);
    damaged_levels(0, 1);
    damaged_levels(2, 17); /* the second text is the start of the first */
    ml_context_free(ctx);
}
END_TEST

static void *make_predictors(void *model)
{
    int64_t wrong = 0;
    for (int i = 0; i < 20; i++) {
        ml_predictor *p = NULL;
        wrong += ml_predictor_new(model, NULL, NULL, &p, NULL) != ML_OK;
        wrong += ml_predictor_code(p, 0, "000000042") != 42;
        wrong += strncmp(ml_model_json(model), "{\"algorithm\"", 12) != 0;
        ml_predictor_free(p);
    }
    return wrong ? model : NULL;
}

START_TEST(threads_check_a_large_model_at_the_same_time)
{
    begin();
    ml_model *m = wide_model(ctx, 20000), *back = NULL;
    OK(ml_model_save_file(m, path_of("m.mlm"), NULL, ERR));
    for (int round = 0; round < 5; round++) {
        pthread_t threads[8];
        OK(ml_model_load_file(ctx, path_of("m.mlm"), NULL, &back, ERR));
        for (int i = 0; i < 8; i++)
            ck_assert_int_eq(pthread_create(&threads[i], NULL, make_predictors, back), 0);
        for (int i = 0; i < 8; i++) {
            void *wrong = NULL;
            pthread_join(threads[i], &wrong);
            ck_assert_ptr_null(wrong);
        }
        ml_model_free(back);
    }
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

START_TEST(saving_refuses_what_loading_would_refuse)
{
    begin();
    ml_model *m = sample_model(ctx);
    char *levels = (char *)(uintptr_t)m->inputs->features[1].levels.bytes;
    levels[0] = (char)0xff;
    FAILS(ML_E_DATA, ml_model_save_file(m, path_of("x.mlm"), NULL, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "colour"));
    ck_assert_int_eq(files_in_folder(), 0);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

/* ---- faults ---- */

static int64_t fs_calls, fs_fail_at;

static int fs_fails(void)
{
    if (++fs_calls != fs_fail_at) return 0;
    errno = ENOSPC;
    return 1;
}
static int bad_open(const char *path, int flags, int mode)
{
    return fs_fails() ? -1 : mli_fs_posix.open(path, flags, mode);
}
static int64_t bad_read(int fd, void *buffer, size_t size)
{
    return fs_fails() ? -1 : mli_fs_posix.read(fd, buffer, size);
}
static int64_t bad_write(int fd, const void *buffer, size_t size)
{
    return fs_fails() ? -1 : mli_fs_posix.write(fd, buffer, size);
}
static int bad_fsync(int fd)
{
    return fs_fails() ? -1 : mli_fs_posix.fsync(fd);
}
static int bad_close(int fd)
{
    int closed = mli_fs_posix.close(fd);
    return fs_fails() ? -1 : closed;
}
static int bad_rename(const char *from, const char *to)
{
    return fs_fails() ? -1 : mli_fs_posix.rename(from, to);
}
static const mli_fs bad_fs = {bad_open,  bad_read,   bad_write, bad_fsync,
                              bad_close, bad_rename, NULL,      NULL};

START_TEST(a_failing_disk_leaves_the_old_file)
{
    begin();
    ml_model *m = sample_model(ctx);
    mli_fs fs = bad_fs;
    fs.unlink = mli_fs_posix.unlink;
    ml_model *other = wide_model(ctx, 3);
    OK(ml_model_save_file(other, path_of("m.mlm"), NULL, ERR));
    bytes old = bytes_of_file(path_of("m.mlm")), new = bytes_of_model(m);
    ctx->fs = &fs;
    int64_t failures = 0;
    for (fs_fail_at = 1;; fs_fail_at++) {
        fs_calls = 0;
        ml_status status = ml_model_save_file(m, path_of("m.mlm"), NULL, ERR);
        bytes now = bytes_of_file(path_of("m.mlm"));
        ck_assert_int_eq(files_in_folder(), 1);
        if (status) {
            ck_assert_int_eq(status, ML_E_IO);
            ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "space"));
            ck_assert_int_eq(now.size, old.size);
            ck_assert_mem_eq(now.data, old.data, old.size);
            failures++;
        } else {
            ck_assert_int_eq(now.size, new.size);
            ck_assert_mem_eq(now.data, new.data, new.size);
        }
        free(now.data);
        if (fs_calls < fs_fail_at) break;
    }
    ck_assert_int_ge(failures, 4); /* open, write, fsync, rename at least */
    ctx->fs = &mli_fs_posix;
    free(old.data);
    free(new.data);
    ml_model_free(other);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

static ml_status save_and_load(failing_alloc *a, const bytes *b)
{
    ml_host host = failing_host(a);
    ml_context *c = NULL;
    ml_model *m = NULL, *back = NULL;
    ml_error *err = ml_error_new();
    ml_status status = ml_context_new(&host, &c, err);
    if (status) goto out;
    status = ml_model_load_memory(c, b->data, b->size, NULL, NULL, NULL, &m, err);
    if (status) goto out;
    status = ml_model_save_file(m, path_of("oom.mlm"), NULL, err);
    ck_assert_int_eq(files_in_folder(), status == ML_OK);
    if (status) goto out;
    status = ml_model_load_file(c, path_of("oom.mlm"), NULL, &back, err);
    unlink(path_of("oom.mlm"));
out:
    ml_model_free(m);
    ml_model_free(back);
    ml_context_free(c);
    ml_error_free(err);
    return status;
}

START_TEST(lack_of_memory_is_an_error_and_no_more)
{
    begin();
    ml_model *m = sample_model(ctx);
    bytes b = bytes_of_model(m);
    failing_alloc a;
    OUT_OF_MEMORY_LOOP(a, save_and_load(&a, &b));
    for (int64_t n = 1; n < 2000; n += 7) { /* a single failure, all others succeed */
        a = (failing_alloc){.fail_at = n, .once = 1};
        ml_status status = save_and_load(&a, &b);
        ck_assert_int_eq(a.live, 0);
        ck_assert(status == ML_OK || status == ML_E_MEMORY);
    }
    /* Not aligned: tensors are copied. */
    b.data = realloc(b.data, b.size + 1);
    memmove(b.data + 1, b.data, b.size);
    bytes shifted = {b.data + 1, b.size};
    OUT_OF_MEMORY_LOOP(a, save_and_load(&a, &shifted));
    free(b.data);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("serialization/modelfile", a_file_gives_the_model_back,
          the_same_model_gives_the_same_bytes, the_header_says_the_truth,
          tensors_are_not_copied_and_outlive_the_model, memory_is_given_back_once,
          memory_need_not_be_aligned, arguments_and_options_are_checked,
          says_why_a_file_does_not_suit, inputs_that_do_not_fit_are_refused,
          verify_finds_a_changed_byte, large_dictionaries_are_checked_before_use,
          threads_check_a_large_model_at_the_same_time,
          saving_refuses_what_loading_would_refuse, a_failing_disk_leaves_the_old_file,
          lack_of_memory_is_an_error_and_no_more)
