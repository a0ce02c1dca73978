/* SPDX-License-Identifier: MIT
 *
 * SHA-256: the vectors of FIPS 180-4 and NIST's test program, both ways of computing,
 * any cut of the input.
 */
#include "testing.h"

#include "core/sha256.h"

static const struct {
    const char *text;
    int times;
    const char *digest;
} vectors[] = {
    {"", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklm"
     "no"
     "pqrlmnopqrsmnopqrstnopqrstu",
     1, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    {"a", 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    {"\xbd", 1, "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b"},
    {"\xc9\x8c\x8e\x55", 1,
     "7abc22c0ae5af26ce93dbb94433a0e0b2e119d014f8e7f65bd56c61ccccd9504"}};

static void check_vector(size_t i, int fast)
{
    mli_sha256 h;
    unsigned char digest[32];
    char hex[65];
    mli_sha256_init(&h);
    if (!fast) h.fast = 0;
    for (int k = 0; k < vectors[i].times; k++) {
        mli_sha256_add(&h, vectors[i].text, strlen(vectors[i].text));
    }
    mli_sha256_end(&h, digest);
    mli_sha256_hex(digest, hex);
    ck_assert_str_eq(hex, vectors[i].digest);
}

START_TEST(computes_vectors)
{
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) check_vector(i, 1);
}
END_TEST

START_TEST(computes_vectors_in_plain_c)
{
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) check_vector(i, 0);
}
END_TEST

static void digest_in_parts(const unsigned char *data, size_t size, size_t part, int fast,
                            unsigned char digest[32])
{
    mli_sha256 h;
    mli_sha256_init(&h);
    if (!fast) h.fast = 0;
    for (size_t at = 0; at < size; at += part) {
        mli_sha256_add(&h, data + at, size - at < part ? size - at : part);
    }
    mli_sha256_end(&h, digest);
}

START_TEST(any_cut_and_way_give_the_same)
{
    unsigned char data[1000], whole[32], parts[32];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)(i * 131 + i / 7);
    for (size_t size = 0; size <= 300; size++) {
        digest_in_parts(data, size, 1000, 1, whole);
        digest_in_parts(data, size, 1 + size % 67, 0, parts);
        ck_assert_mem_eq(whole, parts, 32);
    }
    digest_in_parts(data, sizeof data, sizeof data, 1, whole);
    for (size_t part = 1; part < 200; part++) {
        digest_in_parts(data, sizeof data, part, part & 1, parts);
        ck_assert_mem_eq(whole, parts, 32);
    }
}
END_TEST

TEST_MAIN("core/sha256", computes_vectors, computes_vectors_in_plain_c,
          any_cut_and_way_give_the_same)
