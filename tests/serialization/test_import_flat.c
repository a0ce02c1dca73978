/* SPDX-License-Identifier: MIT
 *
 * CatBoost's binary format, files made by hand: parts that are shared so that a small
 * file would mean endless work, and parts out of order.
 */
#include "foreign_testing.h"

/* A FlatBuffer as it grows: references lead forward to what is written later. */
typedef struct flat {
    unsigned char at[4096];
    uint32_t n;
} flat;

static void put32(flat *f, uint32_t at, uint32_t v)
{
    ck_assert_uint_le(at + 4, sizeof f->at);
    for (int i = 0; i < 4; i++) f->at[at + (uint32_t)i] = (unsigned char)(v >> 8 * i);
    if (at + 4 > f->n) f->n = at + 4;
}

static void refer(flat *f, uint32_t from, uint32_t to)
{
    put32(f, from, to - from);
}

/* A table of n fields of 4 bytes each, those of the mask; field k is at the result
 * + 4 + 4k. */
static uint32_t put_table(flat *f, int n, unsigned mask)
{
    uint32_t list = f->n, table = list + (4 + 2 * (uint32_t)n + 3) / 4 * 4;
    for (uint32_t i = list; i < table + 4 + 4 * (uint32_t)n; i += 4) put32(f, i, 0);
    f->at[list] = (unsigned char)(4 + 2 * n);
    for (int k = 0; k < n; k++)
        if (mask >> k & 1) f->at[list + 4 + 2 * (uint32_t)k] = (unsigned char)(4 + 4 * k);
    put32(f, table, table - list);
    return table;
}

/* n words, for a field that refers to them. */
static uint32_t put_words(flat *f, uint32_t field, uint32_t length, const uint32_t *words,
                          uint32_t n)
{
    uint32_t at = f->n;
    refer(f, field, at);
    put32(f, at, length);
    for (uint32_t i = 0; i < n; i++) put32(f, at + 4 + 4 * i, words[i]);
    return at + 4;
}

static uint32_t field(uint32_t table, uint32_t k)
{
    return table + 4 + 4 * k;
}

enum { CORE_TREES = 1, CORE_INFO };
enum {
    SPLITS = 1,
    SIZES,
    CATEGORIES = 4,
    FLOATS,
    ONE_HOT,
    VALUES = 8,
    STEPS = 10,
    LEAVES
};

/* A tree of one split and two leaves, which have the values left and right of n. */
static uint32_t put_model(flat *f, uint32_t n, uint32_t left, uint32_t right)
{
    f->n = 0;
    put32(f, 0, 0);
    uint32_t core = put_table(f, 4, 6);
    refer(f, 0, core);
    uint32_t trees = put_table(f, 12, 0xd77);
    refer(f, field(core, CORE_TREES), trees);
    put32(f, field(trees, 0), 1);
    put_words(f, field(trees, SPLITS), 3, (uint32_t[]){0, 0, 0}, 3);
    put_words(f, field(trees, SIZES), 1, (uint32_t[]){3}, 1);
    put_words(f, field(trees, VALUES), n, (uint32_t[]){0, 0x3ff00000, 0, 0x40000000},
              2 * n);
    put_words(f, field(trees, STEPS), 3, (uint32_t[]){1 | 2 << 16, 0, 0}, 3);
    put_words(f, field(trees, LEAVES), 3, (uint32_t[]){0, left, right}, 3);
    uint32_t list = put_words(f, field(trees, FLOATS), 1, (uint32_t[]){0}, 1);
    uint32_t one = put_table(f, 4, 14);
    refer(f, list, one);
    put_words(f, field(one, 3), 1, (uint32_t[]){0x3f000000}, 1);
    return core;
}

/* Categories of the features 1 and 2, and splits on values of two features. */
static void put_categories(flat *f, uint32_t core, uint32_t first, uint32_t second)
{
    uint32_t trees = core + 4 + 4 * CORE_TREES, at;
    trees += (uint32_t)(f->at[trees] | f->at[trees + 1] << 8);
    uint32_t list = put_words(f, field(trees, CATEGORIES), 2, (uint32_t[]){0, 0}, 2);
    for (uint32_t i = 0; i < 2; i++) {
        refer(f, list + 4 * i, at = put_table(f, 2, 3));
        put32(f, field(at, 0), i);
        put32(f, field(at, 1), i + 1);
    }
    list = put_words(f, field(trees, ONE_HOT), 2, (uint32_t[]){0, 0}, 2);
    for (uint32_t i = 0; i < 2; i++) {
        refer(f, list + 4 * i, at = put_table(f, 2, 3));
        put32(f, field(at, 0), i ? second : first);
        put_words(f, field(at, 1), 1, (uint32_t[]){i + 5}, 1);
    }
}

static ml_status load(ml_context *ctx, const flat *f, ml_model **m)
{
    size_t size = f->n + 12;
    unsigned char *file = calloc(size, 1); /* no tables of statistics */
    memcpy(file, "CBM1", 4);
    for (int i = 0; i < 4; i++) file[4 + i] = (unsigned char)(f->n >> 8 * i);
    memcpy(file + 8, f->at, f->n);
    ml_status s = ml_model_load_memory(ctx, file, size, NULL, NULL, NULL, m, ERR);
    free(file);
    return s;
}

START_TEST(shared_leaves)
{
    ml_context *ctx = test_context(1);
    ml_model *m = NULL;
    flat f;
    put_model(&f, 2, 0, 1);
    OK(load(ctx, &f, &m));
    double rows[2] = {0, 1};
    matrix got = predict_rows(m, "score", (matrix){2, 1, rows});
    ck_assert(got.at[0] == 1 && got.at[1] == 2);
    free(got.at);
    ml_model_free(m);
    /* Many leaves of many values that are the same ones would have no end. */
    put_model(&f, 1, 0, 0);
    FAILS(ML_E_FORMAT, load(ctx, &f, &m));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "leaves share their values"));
    put_model(&f, 2, 0, 2);
    FAILS(ML_E_FORMAT, load(ctx, &f, &m));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "a leaf without values"));
    ml_context_free(ctx);
}
END_TEST

START_TEST(orders_of_features)
{
    ml_context *ctx = test_context(1);
    ml_model *m = NULL;
    flat f;
    put_categories(&f, put_model(&f, 2, 0, 1), 0, 1);
    OK(load(ctx, &f, &m));
    ck_assert_int_eq(ml_model_inputs(m), 3);
    ml_model_free(m);
    static const uint32_t wrong[][2] = {{1, 0}, {0, 2}, {7, 1}};
    for (int i = 0; i < 3; i++) {
        put_categories(&f, put_model(&f, 2, 0, 1), wrong[i][0], wrong[i][1]);
        FAILS(ML_E_FORMAT, load(ctx, &f, &m));
        ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "order of their features"));
    }
    ml_context_free(ctx);
}
END_TEST

/* What the training says of itself may be no object, and be there twice. */
START_TEST(facts_twice)
{
    ml_context *ctx = test_context(1);
    ml_model *m = NULL;
    flat f;
    uint32_t core = put_model(&f, 2, 0, 1);
    uint32_t list = put_words(&f, field(core, CORE_INFO), 2, (uint32_t[]){0, 0}, 2);
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t one = put_table(&f, 2, 3);
        refer(&f, list + 4 * i, one);
        /* "params": "12" */
        put_words(&f, field(one, 0), 6, (uint32_t[]){0x61726170, 0x736d}, 2);
        put_words(&f, field(one, 1), 2, (uint32_t[]){0x3231}, 1);
    }
    OK(load(ctx, &f, &m));
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("serialization/import_flat", shared_leaves, orders_of_features, facts_twice)
