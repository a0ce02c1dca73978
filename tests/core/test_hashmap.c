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
          holds_a_million_keys, survives_no_memory, hash_depends_on_every_bit,
          hash_spreads)
