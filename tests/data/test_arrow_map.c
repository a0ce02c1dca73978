/* SPDX-License-Identifier: MIT
 *
 * Sparse rows as a column of maps (data/arrow_map.c): what they become, that all that
 * reads a table sees numbers, and damaged ones.
 */
#include "failing.h"
#include "testing_data.h"
#include <ml/arrow.h>
#include <math.h>

enum { ROWS = 5 };

typedef struct {
    int32_t offsets[ROWS + 1], keys[8];
    double values[8];
    struct ArrowSchema field[3], top, *children[1], *entry[1], *pair[2];
    struct ArrowArray array[4], batch, *a_children[1], *a_entry[1], *a_pair[2];
    const void *buffers[5][2];
    int given;
} sparse_rows;

static void drop_schema(struct ArrowSchema *s)
{
    s->release = NULL;
}
static void drop_array(struct ArrowArray *a)
{
    a->release = NULL;
}
static void drop_stream(struct ArrowArrayStream *s)
{
    s->release = NULL;
}
static const char *no_error(struct ArrowArrayStream *s)
{
    (void)s;
    return NULL;
}

static struct ArrowSchema schema_of(const char *format, const char *name, int64_t n,
                                    struct ArrowSchema **children)
{
    return (struct ArrowSchema){.format = format,
                                .name = name,
                                .n_children = n,
                                .children = children,
                                .release = drop_schema};
}

static int get_schema(struct ArrowArrayStream *s, struct ArrowSchema *out)
{
    sparse_rows *r = s->private_data;
    static struct ArrowSchema key, value;
    key = schema_of("i", "key", 0, NULL);
    value = schema_of("g", "value", 0, NULL);
    r->pair[0] = &key;
    r->pair[1] = &value;
    r->field[1] = schema_of("+s", "entries", 2, r->pair);
    r->entry[0] = &r->field[1];
    r->field[0] = schema_of("+m", "f", 1, r->entry);
    r->children[0] = &r->field[0];
    *out = schema_of("+s", "", 1, r->children);
    return 0;
}

static int get_next(struct ArrowArrayStream *s, struct ArrowArray *out)
{
    sparse_rows *r = s->private_data;
    memset(out, 0, sizeof *out);
    if (r->given++) return 0;
    int64_t n = r->offsets[ROWS] < 0 || r->offsets[ROWS] > 8 ? 8 : r->offsets[ROWS];
    r->buffers[0][1] = r->keys;
    r->buffers[1][1] = r->values;
    r->buffers[3][1] = r->offsets;
    for (int k = 0; k < 4; k++)
        r->array[k] = (struct ArrowArray){
            .length = n, .n_buffers = 2, .buffers = r->buffers[k], .release = drop_array};
    r->a_pair[0] = &r->array[0];
    r->a_pair[1] = &r->array[1];
    r->array[2].n_children = 2;
    r->array[2].children = r->a_pair;
    r->array[2].n_buffers = 1;
    r->a_entry[0] = &r->array[2];
    r->array[3].n_children = 1;
    r->array[3].children = r->a_entry;
    r->array[3].length = ROWS;
    r->a_children[0] = &r->array[3];
    *out = (struct ArrowArray){.length = ROWS,
                               .n_buffers = 1,
                               .buffers = r->buffers[4],
                               .n_children = 1,
                               .children = r->a_children,
                               .release = drop_array};
    return 0;
}

/* Rows {1: 2.5}, {}, {0: 1, 3: -4, 3: 1}, {1: 7}, {3: 5}. */
static sparse_rows example(void)
{
    return (sparse_rows){.offsets = {0, 1, 1, 4, 5, 6},
                         .keys = {1, 0, 3, 3, 1, 3},
                         .values = {2.5, 1, -4, 1, 7, 5}};
}

static ml_status read_rows(ml_context *ctx, sparse_rows *r, const char *columns,
                           ml_table **out, ml_error *err)
{
    struct ArrowArrayStream s = {get_schema, get_next, no_error, drop_stream, r};
    ml_params *p = NULL;
    ml_status status = ML_OK;
    r->given = 0;
    if (columns) status = ml_params_new(ctx, &p, err);
    if (columns && !status) status = ml_params_set_str(p, "map_columns", columns, err);
    if (!status) status = ml_table_read_arrow(ctx, &s, p, out, err);
    ml_params_free(p);
    return status;
}

static const double expected[ROWS][4] = {
    {0, 2.5, 0, 0}, {0, 0, 0, 0}, {1, 0, 0, -3}, {0, 7, 0, 0}, {0, 0, 0, 5}};

START_TEST(sparse_rows_are_columns)
{
    ml_context *ctx = test_context(1);
    sparse_rows r = example();
    ml_table *t = NULL, *back = NULL, *part = NULL;
    OK(read_rows(ctx, &r, "6", &t, ERR));
    ck_assert_int_eq(ml_table_columns(t), 6);
    ck_assert_str_eq(ml_table_column_name(t, 5), "f5");
    ml_table_free(t);
    OK(read_rows(ctx, &r, NULL, &t, ERR));
    ck_assert_int_eq(ml_table_columns(t), 4);
    struct ArrowArrayStream s;
    OK(ml_table_write_arrow(t, &s, ERR));
    OK(ml_table_read_arrow(ctx, &s, NULL, &back, ERR));
    OK(ml_table_slice(t, 1, ROWS, &part, ERR));
    for (int j = 0; j < 4; j++) {
        ml_tensor *x = NULL;
        OK(ml_table_get_tensor(t, j, &x, ERR));
        for (int i = 0; i < ROWS; i++) {
            char text[32];
            ck_assert_double_eq(ml_table_get_f64(t, i, j), expected[i][j]);
            ck_assert_double_eq(ml_table_get_f64(back, i, j), expected[i][j]);
            ck_assert_double_eq(ml_tensor_get_f64(x, i, 0), expected[i][j]);
            ml_table_get_str(t, i, j, text, sizeof text);
            ck_assert_double_eq(strtod(text, NULL), expected[i][j]);
            if (i > 0)
                ck_assert_double_eq(ml_table_get_f64(part, i - 1, j), expected[i][j]);
        }
        ml_tensor_free(x);
    }
    ml_table_free(part);
    ml_table_free(back);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Keys joined, values counted and profiles made from a table of sparse rows. */
START_TEST(sparse_rows_in_use)
{
    ml_context *ctx = test_context(1);
    sparse_rows r = example();
    ml_table *t = NULL, *out[3] = {NULL};
    ml_params *by = NULL;
    OK(read_rows(ctx, &r, NULL, &t, ERR));
    OK(ml_params_new(ctx, &by, ERR));
    OK(ml_params_set_str(by, "by", "f0", ERR));
    OK(ml_table_join(t, t, by, &out[0], ERR));
    ck_assert_int_eq(ml_table_rows(out[0]), 4 * 4 + 1);
    OK(ml_params_set_str(by, "aggregates", "n = count()", ERR));
    OK(ml_table_aggregate(t, NULL, by, &out[1], ERR));
    ck_assert_int_eq(ml_table_rows(out[1]), 2);
    OK(ml_table_profile(t, NULL, &out[2], ERR));
    int64_t at = ml_table_find(out[2], "max");
    ck_assert_double_eq(ml_table_get_f64(out[2], 1, at), 7);
    for (int i = 0; i < 3; i++) ml_table_free(out[i]);
    ml_params_free(by);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(missing_values_stay)
{
    ml_context *ctx = test_context(1);
    sparse_rows r = example();
    ml_table *t = NULL;
    r.values[5] = NAN;
    OK(read_rows(ctx, &r, NULL, &t, ERR));
    ck_assert(isnan(ml_table_get_f64(t, 4, 3)));
    ck_assert_double_eq(ml_table_get_f64(t, 2, 3), -3);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(damaged_rows)
{
    ml_context *ctx = test_context(1);
    ml_table *t = NULL;
    sparse_rows r = example();
    r.offsets[2] = 5;
    FAILS(ML_E_DATA, read_rows(ctx, &r, NULL, &t, ERR));
    r = example();
    r.offsets[0] = -1;
    FAILS(ML_E_DATA, read_rows(ctx, &r, NULL, &t, ERR));
    r = example();
    r.offsets[ROWS] = 9;
    FAILS(ML_E_DATA, read_rows(ctx, &r, NULL, &t, ERR));
    r = example();
    r.keys[2] = -3;
    FAILS(ML_E_DATA, read_rows(ctx, &r, NULL, &t, ERR));
    r = example();
    FAILS(ML_E_DATA, read_rows(ctx, &r, "3", &t, ERR));
    FAILS(ML_E_RANGE, read_rows(ctx, &r, "0", &t, ERR));
    ck_assert_ptr_null(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(names_of_columns)
{
    ml_context *ctx = test_context(1);
    ml_table *t = NULL;
    for (int wrong = 0; wrong < 2; wrong++) {
        sparse_rows r = example();
        struct ArrowArrayStream s = {get_schema, get_next, no_error, drop_stream, &r};
        ml_params *p = NULL;
        OK(ml_params_new(ctx, &p, ERR));
        OK(ml_params_set_str(p, "names", wrong ? "[a, b, c, d, e]" : "[a, b, c, d]",
                             ERR));
        if (wrong) {
            FAILS(ML_E_SHAPE, ml_table_read_arrow(ctx, &s, p, &t, ERR));
        } else {
            OK(ml_table_read_arrow(ctx, &s, p, &t, ERR));
            ck_assert_str_eq(ml_table_column_name(t, 3), "d");
            ck_assert_double_eq(ml_table_get_f64(t, 2, 3), -3);
            ml_table_free(t);
        }
        ml_params_free(p);
    }
    ml_context_free(ctx);
}
END_TEST

static ml_status whole_life(failing_alloc *f)
{
    ml_context *ctx = NULL;
    ml_table *t = NULL, *back = NULL;
    sparse_rows r = example();
    struct ArrowArrayStream s;
    ml_host host = failing_host(f);
    ml_status status = ml_context_new(&host, &ctx, NULL);
    if (!status) status = read_rows(ctx, &r, NULL, &t, NULL);
    if (!status) status = ml_table_write_arrow(t, &s, NULL);
    if (!status) status = ml_table_read_arrow(ctx, &s, NULL, &back, NULL);
    ml_table_free(t);
    ml_table_free(back);
    ml_context_free(ctx);
    return status;
}

START_TEST(out_of_memory)
{
    failing_alloc f;
    OUT_OF_MEMORY_LOOP(f, whole_life(&f));
}
END_TEST

TEST_MAIN("data/arrow_map", sparse_rows_are_columns, sparse_rows_in_use, names_of_columns,
          missing_values_stay, damaged_rows, out_of_memory)
