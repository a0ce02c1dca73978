/* SPDX-License-Identifier: MIT
 *
 * Damaged and hostile model files of every algorithm: each is refused, or gives a model
 * that can be used without harm. Run under AddressSanitizer this proves the more.
 */
#include "conformance/kit.h"
#include "algorithms/model.h"
#include "serialization/safetensors.h"

enum { ROUNDS = SANITIZED ? 60 : 200, DENSE = SANITIZED ? 6 : 12 };
/* ROUNDS: files with random changes. DENSE: elements of a tensor that are damaged, the
 * first so many and as many of the rest. */

static ml_context *ctx;
static ml_table *sample_rows;
static int64_t loaded, refused;

/* ---- using a model in all ways ---- */

/* Rows with nothing that makes sense: codes out of range, infinities, NaN. */
static void predict_garbage(ml_predictor *p, int64_t inputs)
{
    static const double values[] = {
        0,   1,     -1,           3,         NAN,  INFINITY,    1e300, -1e300, 0.5,
        1e9, 1e-30, 4294967296.0, -INFINITY, -0.0, 2147483648.0};
    enum { ROWS = 40, VALUES = 15 };
    int64_t outputs = ml_predictor_outputs(p);
    double *rows = calloc((size_t)(ROWS * inputs + 1), sizeof *rows);
    float *floats = calloc((size_t)(ROWS * inputs + 1), sizeof *floats);
    double *out = calloc((size_t)(ROWS * outputs + 1), sizeof *out);
    for (int64_t i = 0; i < ROWS * inputs; i++) {
        rows[i] = values[(i * 7 + i / VALUES) % VALUES];
        floats[i] = (float)rows[i];
    }
    OK(ml_predictor_rows(p, rows, ML_DTYPE_F64, ROWS, inputs, out, ERR));
    OK(ml_predictor_rows(p, floats, ML_DTYPE_F32, ROWS, inputs, out, ERR));
    for (int64_t i = 0; i < ROWS; i++)
        OK(ml_predictor_rows(p, rows + i * inputs, ML_DTYPE_F64, 1, inputs, out, ERR));
    free(rows);
    free(floats);
    free(out);
}

static void use_kind(const ml_model *m, const char *kind)
{
    ml_predictor *p = NULL;
    ml_table *out = NULL;
    if (ml_predictor_new(m, kind, NULL, &p, ERR) != ML_OK) return;
    int64_t outputs = ml_predictor_outputs(p);
    ck_assert(outputs >= 0);
    for (int64_t i = 0; i < outputs; i++)
        ck_assert_ptr_nonnull(ml_predictor_output_name(p, i));
    predict_garbage(p, ml_model_inputs(m));
    if (ml_predictor_run_table(p, sample_rows, &out, ERR) == ML_OK)
        ck_assert_int_eq(ml_table_rows(out), ml_table_rows(sample_rows));
    ml_table_free(out);
    ml_predictor_free(p);
}

static void use(const ml_model *m)
{
    const mli_kind *kinds = m->algorithm->head.kinds;
    for (int i = 0; kinds[i].name; i++) use_kind(m, kinds[i].name);
    use_kind(m, "class");
    ck_assert_ptr_nonnull(ml_model_json(m));
    for (int64_t i = 0; i < ml_model_attributes(m); i++) {
        ml_tensor *t = NULL;
        if (ml_model_get_tensor(m, ml_model_attribute_name(m, i), &t, ERR) == ML_OK)
            ml_tensor_free(t);
    }
    for (int64_t i = 0; i < ml_model_classes(m); i++)
        ck_assert_ptr_nonnull(ml_model_class_label(m, i));
    kit_bytes again = {0};
    ml_io io = ML_IO_INIT;
    io.write = kit_write;
    io.user = &again;
    if (ml_model_save_io(m, &io, NULL, ERR) == ML_OK) ck_assert(again.size > 8);
    free(again.data);
}

/* In memory of exactly this size, so that reads beyond it are seen. */
static void try_bytes(const char *data, size_t size)
{
    char *copy = malloc(size + 1);
    ml_model *m = NULL;
    if (size) memcpy(copy, data, size);
    char *exact = realloc(copy, size ? size : 1);
    ml_status status = ml_model_load_memory(ctx, exact, size, NULL, NULL, NULL, &m, ERR);
    if (status == ML_OK) {
        loaded++;
        use(m);
    } else {
        refused++;
        ck_assert_msg(status == ML_E_FORMAT, "%s: %s", ml_status_name(status),
                      ml_error_message(ERR));
        ck_assert_int_gt(strlen(ml_error_message(ERR)), 10);
        ck_assert_ptr_null(strchr(ml_error_message(ERR), '\n'));
    }
    ml_model_free(m);
    free(exact);
}

/* ---- the models ---- */

/* Models with tensors that the parameters of the kit do not make. */
static const struct {
    const char *algorithm, *target, *columns, *param, *value;
} more[] = {{"random_forest", "targets", "y, a", "n_trees", "3"},
            {"gbdt", "target", "y", "linear_tree", "true"},
            {"gbdt", NULL, NULL, NULL, NULL}}; /* one of CatBoost, with crosses */
enum { MORE = sizeof more / sizeof *more };

static ml_model *fit_more(int i, const ml_table *t)
{
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    if (!more[i].target) {
        const char *path = source_path("tests/data/foreign/crosses.cat_plain.json");
        OK(ml_model_load_file(ctx, path, NULL, &m, ERR));
        return m;
    }
    OK(ml_estimator_new(ctx, more[i].algorithm, &e, ERR));
    OK(ml_estimator_set_str(e, more[i].target, more[i].columns, ERR));
    OK(ml_estimator_set_i64(e, "n_trees", 4, ERR));
    OK(ml_estimator_set_str(e, more[i].param, more[i].value, ERR));
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_estimator_free(e);
    return m;
}

/* The model of a subject, or without one that of more[i]. */
static kit_bytes model_bytes(const subject *s, int i)
{
    kit_data d = {.rows = 60, .classes = s ? s->classes : 0, .seed = 5};
    ml_table *t = kit_table(ctx, &d);
    ml_model *m = s ? kit_fit(ctx, s, t) : fit_more(i, t);
    kit_bytes b = kit_save(m);
    ml_model_free(m);
    ml_table_free(sample_rows);
    sample_rows = t;
    return b;
}

static void for_all_models(void (*fn)(const subject *s, kit_bytes *b))
{
    subject list[SUBJECTS_MAX];
    ctx = test_context(1);
    int n = subjects(ctx, list);
    ck_assert_int_gt(n, 0);
    for (int i = 0; i < n + MORE; i++) {
        subject other = {0};
        if (i >= n)
            snprintf(other.algorithm, sizeof other.algorithm, "%s",
                     more[i - n].algorithm);
        kit_bytes b = model_bytes(i < n ? &list[i] : NULL, i - n);
        fn(i < n ? &list[i] : &other, &b);
        free(b.data);
    }
    ml_table_free(sample_rows);
    sample_rows = NULL;
    ml_context_free(ctx);
}

static size_t header_end(const kit_bytes *b)
{
    uint64_t n = 0;
    for (int i = 7; i >= 0; i--) n = n << 8 | (unsigned char)b->data[i];
    return (size_t)n + 8;
}

/* ---- damage ---- */

static void cut(const subject *s, kit_bytes *b)
{
    size_t header = header_end(b);
    for (size_t n = 0; n < b->size; n += n < header + 64 ? 1 : 1 + b->size / 500) {
        ml_model *m = NULL;
        char *copy = malloc(n ? n : 1);
        memcpy(copy, b->data, n);
        ml_status status = ml_model_load_memory(ctx, copy, n, NULL, NULL, NULL, &m, ERR);
        ck_assert_msg(status == ML_E_FORMAT, "%s cut at %d: %s", s->algorithm, (int)n,
                      ml_status_name(status));
        free(copy);
    }
    try_bytes(b->data, b->size);
}

START_TEST(cut_anywhere)
{
    loaded = 0;
    for_all_models(cut);
    ck_assert_int_gt(loaded, 0); /* the whole ones */
}
END_TEST

/* Bytes of the header, most of them or all, with one bit flipped. */
static void flip_header(const subject *s, kit_bytes *b)
{
    uint64_t state = 11;
    (void)s;
    size_t step = 1 + header_end(b) / 3000;
    for (size_t i = 0; i < header_end(b); i += step) {
        char saved = b->data[i];
        b->data[i] = (char)(saved ^ (1 << (kit_random(&state) % 8)));
        try_bytes(b->data, b->size);
        b->data[i] = saved;
    }
}

START_TEST(a_bit_of_the_header_flipped)
{
    loaded = refused = 0;
    for_all_models(flip_header);
    ck_assert_int_gt(refused, 0);
}
END_TEST

/* Several bytes anywhere, changed to anything. */
static void scramble(const subject *s, kit_bytes *b)
{
    uint64_t state = 13;
    char *copy = malloc(b->size);
    (void)s;
    for (int round = 0; round < ROUNDS; round++) {
        memcpy(copy, b->data, b->size);
        int changes = 1 + (int)(kit_random(&state) % 6);
        for (int i = 0; i < changes; i++) {
            size_t from = round % 3 ? header_end(b) : 8;
            copy[from + kit_random(&state) % (b->size - from)] = (char)kit_random(&state);
        }
        try_bytes(copy, b->size);
    }
    free(copy);
}

START_TEST(bytes_changed_at_random)
{
    loaded = refused = 0;
    for_all_models(scramble);
    ck_assert_int_gt(loaded, 0);
}
END_TEST

/* ---- every number at its extremes ---- */

static void put_extreme(char *at, int32_t dtype, int which)
{
    static const double reals[] = {NAN, INFINITY, -INFINITY, 1e308, -1, 4294967296.0};
    static const int64_t whole[] = {-1, INT64_MAX, INT64_MIN, INT32_MAX, 255, 1};
    double d = reals[which];
    float f = (float)d;
    int64_t v = whole[which];
    int32_t v32 = which == 2 ? INT32_MIN : (int32_t)v;
    int16_t v16 = which == 2 ? INT16_MIN : which == 1 ? INT16_MAX : (int16_t)v;
    char v8 = which == 2 ? (char)-128 : (char)v;
    size_t size = mli_dtype_size(dtype);
    memcpy(at,
           dtype == ML_DTYPE_F64   ? (void *)&d
           : dtype == ML_DTYPE_F32 ? (void *)&f
           : size == 8             ? (void *)&v
           : size == 4             ? (void *)&v32
           : size == 2             ? (void *)&v16
                                   : (void *)&v8,
           size);
}

static void damage_tensor(kit_bytes *b, const mli_st_tensor *t)
{
    size_t item = mli_dtype_size(t->dtype), n = (t->end - t->begin) / item;
    char *data = b->data + header_end(b) + t->begin, saved[8];
    for (size_t i = 0; i < n; i += i < DENSE ? 1 : 1 + n / DENSE) {
        for (int which = 0; which < 6; which++) {
            memcpy(saved, data + i * item, item);
            put_extreme(data + i * item, t->dtype, which);
            try_bytes(b->data, b->size);
            memcpy(data + i * item, saved, item);
        }
    }
    /* All elements at once. */
    char *whole = malloc(n * item + 1);
    memcpy(whole, data, n * item);
    for (int which = 0; which < 6; which++) {
        for (size_t i = 0; i < n; i++) put_extreme(data + i * item, t->dtype, which);
        try_bytes(b->data, b->size);
    }
    memcpy(data, whole, n * item);
    free(whole);
}

static void extremes(const subject *s, kit_bytes *b)
{
    mli_safetensors st;
    (void)s;
    OK(mli_safetensors_read(ctx, b->data, b->size, &st, ERR));
    for (int64_t i = 0; i < st.count; i++) damage_tensor(b, &st.tensors[i]);
    mli_safetensors_free(&st);
}

START_TEST(numbers_at_their_extremes)
{
    loaded = refused = 0;
    for_all_models(extremes);
    ck_assert_int_gt(loaded, 0);
    ck_assert_int_gt(refused, 0);
}
END_TEST

/* ---- tensors of another shape ---- */

/* The file with tensor `k` left out or cut to `size` elements in its first dimension. */
static void try_shape(const mli_safetensors *st, int64_t k, int64_t size)
{
    mli_st_tensor *t = calloc((size_t)st->count + 1, sizeof *t);
    int64_t n = 0;
    for (int64_t i = 0; i < st->count; i++) {
        if (i == k && size < 0) continue;
        t[n] = st->tensors[i];
        if (i == k) t[n].shape[0] = size;
        n++;
    }
    ck_assert(mli_safetensors_place(t, n));
    mli_str s;
    mli_str_init(&s, NULL);
    mli_safetensors_header(&s, st->meta, st->n_meta, t, n);
    for (int64_t i = 0; i < n; i++) mli_str_add_n(&s, t[i].data, t[i].end - t[i].begin);
    try_bytes(s.data, s.size);
    mli_str_free(&s);
    free(t);
}

static void reshape(const subject *s, kit_bytes *b)
{
    mli_safetensors st;
    (void)s;
    OK(mli_safetensors_read(ctx, b->data, b->size, &st, ERR));
    for (int64_t i = 0; i < st.count; i++) {
        try_shape(&st, i, -1);
        if (st.tensors[i].ndim == 0) continue;
        int64_t size = st.tensors[i].shape[0];
        try_shape(&st, i, 0);
        if (size > 1) try_shape(&st, i, 1);
        if (size > 0) try_shape(&st, i, size - 1);
    }
    mli_safetensors_free(&st);
}

START_TEST(tensors_that_lack_or_are_short)
{
    loaded = refused = 0;
    for_all_models(reshape);
    ck_assert_int_gt(refused, 0);
}
END_TEST

/* ---- targets ---- */

/* A list of targets in a model that predicts one number per row. */
START_TEST(targets_that_nobody_predicts)
{
    enum { TARGETS = 2000 };
    ctx = test_context(1);
    subject s = {.algorithm = "baseline", .has_target = 1};
    kit_data d = {.rows = 60, .seed = 5};
    ml_table *t = kit_table(ctx, &d);
    ml_model *m = kit_fit(ctx, &s, t), *same = NULL;
    char y[] = "y", *names[TARGETS];
    ml_table *scores = NULL;
    for (int i = 0; i < TARGETS; i++) names[i] = y;
    OK(mli_inputs_set_targets(m->inputs, names, TARGETS, ERR));
    FAILS(ML_E_SHAPE, ml_model_evaluate(m, t, "rmse", &scores, ERR));
    kit_bytes b = kit_save(m);
    FAILS(ML_E_FORMAT,
          ml_model_load_memory(ctx, b.data, b.size, NULL, NULL, NULL, &same, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "several targets"));
    free(b.data);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* ---- large headers ---- */

START_TEST(a_large_header_takes_no_hours)
{
    enum { N = 300000 };
    ctx = test_context(1);
    mli_str s;
    mli_str_init(&s, NULL);
    mli_str_add(&s, "12345678{\"__metadata__\": {\"libml.format\": \"1\"}");
    for (int i = 0; i < N; i++) {
        mli_str_printf(&s,
                       ", \"t%d\": {\"dtype\": \"U8\", \"shape\": [0], "
                       "\"data_offsets\": [0, 0]}",
                       (int)(i * 7919LL % N));
    }
    mli_str_char(&s, '}');
    ck_assert(!s.failed);
    uint64_t n = s.size - 8;
    for (int i = 0; i < 8; i++) s.data[i] = (char)(n >> (8 * i));
    ml_model *m = NULL;
    FAILS(ML_E_FORMAT,
          ml_model_load_memory(ctx, s.data, s.size, NULL, NULL, NULL, &m, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "libml.algorithm"));
    mli_str_free(&s);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("serialization/hostile", cut_anywhere, a_bit_of_the_header_flipped,
          bytes_changed_at_random, numbers_at_their_extremes,
          tensors_that_lack_or_are_short, targets_that_nobody_predicts,
          a_large_header_takes_no_hours)
