/* SPDX-License-Identifier: MIT
 *
 * The hash map: numbering, look-up, odd keys, no memory; the hash.
 */
#include "failing.h"

#include "core/hashmap.h"

START_TEST(numbers_keys_in_order)
{
    mli_map m;
    mli_map_init(&m, NULL);
    ck_assert_int_eq(mli_map_find(&m, "a", 1), -1);
    ck_assert_int_eq(mli_map_add(&m, "red", 3), 0);
    ck_assert_int_eq(mli_map_add(&m, "green", 5), 1);
    ck_assert_int_eq(mli_map_add(&m, "red", 3), 0);
    ck_assert_int_eq(mli_map_add(&m, "re", 2), 2);
    ck_assert_int_eq(mli_map_add(&m, "", 0), 3);
    ck_assert_int_eq(mli_map_add(&m, "", 0), 3);
    ck_assert_int_eq(mli_map_add(&m, "\0", 1), 4);
    ck_assert_int_eq(mli_map_add(&m, "\0\0", 2), 5);
    ck_assert_int_eq(mli_map_find(&m, "green", 5), 1);
    ck_assert_int_eq(mli_map_find(&m, "gree", 4), -1);
    ck_assert_int_eq(mli_map_find(&m, "\0", 1), 4);
    ck_assert_int_eq(m.count, 6);
    ck_assert_mem_eq(m.bytes, "redgreenre\0\0\0", 13);
    ck_assert_int_eq(m.offsets[0], 0);
    ck_assert_int_eq(m.offsets[1], 3);
    ck_assert_int_eq(m.offsets[6], 13);
    mli_map_free(&m);
    mli_map_free(&m);
    ck_assert_int_eq(m.count, 0);
}
END_TEST

START_TEST(the_empty_key_may_be_the_first)
{
    mli_map m;
    mli_map_init(&m, NULL);
    ck_assert_int_eq(mli_map_add(&m, "", 0), 0);
    ck_assert_int_eq(mli_map_find(&m, "", 0), 0);
    ck_assert_int_eq(mli_map_add(&m, "x", 1), 1);
    mli_map_free(&m);
}
END_TEST

START_TEST(holds_a_million_keys)
{
    mli_map m;
    char key[32];
    mli_map_init(&m, NULL);
    for (int i = 0; i < 1000000; i++) {
        int n = snprintf(key, sizeof key, "key %d", i);
        if (mli_map_add(&m, key, (size_t)n) != i) ck_abort_msg("%s is not new", key);
    }
    for (int i = 0; i < 1000000; i += 7) {
        int n = snprintf(key, sizeof key, "key %d", i);
        if (mli_map_find(&m, key, (size_t)n) != i) ck_abort_msg("%s is lost", key);
        n = snprintf(key, sizeof key, "yek %d", i);
        if (mli_map_find(&m, key, (size_t)n) >= 0) ck_abort_msg("%s is found", key);
    }
    ck_assert_int_eq(m.count, 1000000);
    mli_map_free(&m);
}
END_TEST

/* Texts of 0 to 20 bytes, bytes of 0 among them, `kinds` different ones. */
static int64_t make_texts(char *bytes, int64_t *offsets, int n, int kinds, unsigned seed)
{
    for (int i = 0; i < n; i++) {
        seed = seed * 1103515245u + 12345u;
        unsigned kind = (seed >> 8) % (unsigned)kinds, size = kind % 21;
        char *to = bytes + offsets[i];
        memset(to, (int)(kind % 3), size);
        if (size) to[size - 1] = (char)(kind >> 8);
        if (size > 1) to[size / 2 - 1] = (char)kind;
        offsets[i + 1] = offsets[i] + size;
    }
    return offsets[n];
}

/* With and without remembering the numbers are the same, for more kinds than it has room
 * for as well, in parts, and for keys that are not there. */
START_TEST(remembers_short_texts)
{
    enum { N = 20000 };
    int64_t *offsets = calloc(N + 1, sizeof *offsets), unknown[] = {0, 2, 3};
    int32_t *a = malloc(N * sizeof *a), *b = malloc(N * sizeof *b);
    char *texts = malloc(N * 20 + 1);
    const int kinds[] = {1, 60, 3000, 15000};
    for (int k = 0; k < 4; k++) {
        mli_map plain, quick;
        mli_map_init(&plain, NULL);
        mli_map_init(&quick, NULL);
        mli_map_remember(&quick);
        ck_assert_ptr_nonnull(quick.front);
        int64_t size = make_texts(texts, offsets, N, kinds[k], 5);
        char *exact = malloc((size_t)size); /* so that reading past the end is seen */
        memcpy(exact, texts, (size_t)size);
        for (int i = 0; i < N; i++)
            a[i] = mli_map_add(&plain, exact + offsets[i],
                               (size_t)(offsets[i + 1] - offsets[i]));
        for (int i = 0, m; i < N; i += m) {
            m = i < 50 ? 1 : N - i < 997 ? N - i : 997;
            ck_assert(mli_map_add_texts(&quick, exact, offsets + i, m, b + i));
        }
        ck_assert_mem_eq(a, b, N * sizeof *a);
        memset(b, 0, N * sizeof *b);
        ck_assert_int_eq(mli_map_find_texts(&quick, exact, offsets, N, b), N);
        ck_assert_mem_eq(a, b, N * sizeof *a);
        ck_assert_int_eq(quick.count, plain.count);
        ck_assert_int_eq(mli_map_find_texts(&quick, "zzz", unknown, 2, b), 0);
        ck_assert(b[0] == -1 && b[1] == -1);
        mli_map_free(&plain);
        mli_map_free(&quick);
        free(exact);
    }
    free(offsets);
    free(texts);
    free(a);
    free(b);
}
END_TEST

static ml_status fill(failing_alloc *f)
{
    ml_host host = failing_host(f);
    ml_context *ctx = NULL;
    ml_status status = ml_context_new(&host, &ctx, NULL);
    if (status != ML_OK) return status;
    mli_map m;
    mli_map_init(&m, ctx);
    int32_t last = 0;
    for (int i = 0; i < 400 && last >= 0; i++) {
        char key[32];
        int n = snprintf(key, sizeof key, "%d", i);
        last = mli_map_add(&m, key, (size_t)n);
        /* What was added before stays, also after running out of memory. */
        if (i > 0) ck_assert_int_eq(mli_map_find(&m, "0", 1), 0);
        ck_assert_int_eq(mli_map_find(&m, key, (size_t)n), last);
    }
    mli_map_free(&m);
    ml_context_free(ctx);
    return last < 0 ? ML_E_MEMORY : ML_OK;
}

START_TEST(survives_no_memory)
{
    failing_alloc f;
    OUT_OF_MEMORY_LOOP(f, fill(&f));
}
END_TEST

START_TEST(hash_depends_on_every_bit)
{
    unsigned char data[64] = {0};
    for (size_t size = 1; size <= sizeof data; size++) {
        uint64_t h = mli_hash(data, size);
        ck_assert(h != mli_hash(data, size - 1));
        for (size_t bit = 0; bit < size * 8; bit++) {
            data[bit / 8] ^= (unsigned char)(1 << bit % 8);
            uint64_t d = h ^ mli_hash(data, size);
            int changed = __builtin_popcountll(d);
            ck_assert_msg(changed > 8 && changed < 56, "bit %zu of %zu: %d", bit, size,
                          changed);
            data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
    }
}
END_TEST

START_TEST(hash_spreads)
{
    enum { BUCKETS = 1024, KEYS = 1024 * 64 };
    static int count[BUCKETS];
    for (int i = 0; i < KEYS; i++) {
        char key[16];
        int n = snprintf(key, sizeof key, "c%05d", i);
        count[mli_hash(key, (size_t)n) % BUCKETS]++;
    }
    double chi2 = 0;
    for (int i = 0; i < BUCKETS; i++) {
        double d = count[i] - 64;
        chi2 += d * d / 64;
    }
    /* 1023 degrees of freedom: 1023 on average, deviation 45. */
    ck_assert_msg(chi2 > 800 && chi2 < 1300, "chi2 is %f", chi2);
}
END_TEST

TEST_MAIN("core/hashmap", numbers_keys_in_order, the_empty_key_may_be_the_first,
          holds_a_million_keys, remembers_short_texts, survives_no_memory,
          hash_depends_on_every_bit, hash_spreads)
