/* SPDX-License-Identifier: MIT
 *
 * hashmap.c: byte strings to numbers in order of insertion. Open addressing with linear
 * probing over a table at most half full (small ones: a quarter); each slot keeps the
 * hash beside the number, so that a probe looks at key bytes only when the hashes agree.
 */
#include "core/hashmap.h"
#include "core/wide.h"

#include <string.h>

#define FIRST_SLOTS 16
#define SMALL       4096 /* slots: they stay in the nearest cache; fewer keys collide */

/* Folds a 128-bit product: the mixing step of the hash. */
static inline uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t high, low = mli_mul128(a, b, &high);
    return low ^ high;
}

#define K0 0x9e3779b97f4a7c15u
#define K1 0xd1b54a32d192ed03u
#define K2 0x8cb92ba72f3d8dd7u

static inline uint64_t hash_of(const void *data, size_t size)
{
    const unsigned char *p = data;
    uint64_t h = K0 ^ size, a = 0, b = 0;
    size_t left = size;
    for (; left > 16; left -= 16, p += 16) {
        h = mix(mli_load64(p) ^ K1, mli_load64(p + 8) ^ h);
    }
    /* The last 1 to 16 bytes, by two loads that may overlap. */
    if (left >= 8) {
        a = mli_load64(p);
        b = mli_load64(p + left - 8);
    } else if (left >= 4) {
        a = mli_load32(p);
        b = mli_load32(p + left - 4);
    } else if (left > 0) {
        a = (uint64_t)p[0] << 16 | (uint64_t)p[left / 2] << 8 | p[left - 1];
    }
    return mix(mix(a ^ K1, b ^ h) ^ K2, K1 ^ size);
}

uint64_t mli_hash(const void *data, size_t size)
{
    return hash_of(data, size);
}

void mli_map_init(mli_map *m, ml_context *ctx)
{
    *m = (mli_map){.ctx = ctx};
}

void mli_map_free(mli_map *m)
{
    mli_free(m->ctx, m->offsets);
    mli_free(m->ctx, m->bytes);
    mli_free(m->ctx, m->hashes);
    mli_free(m->ctx, m->slots);
    mli_free(m->ctx, m->front);
    mli_map_init(m, m->ctx);
}

/* Short keys are compared by two loads that may overlap. */
static inline int same_bytes(const char *a, const char *b, size_t size)
{
    if (size > 16) return memcmp(a, b, size) == 0;
    if (size >= 8)
        return ((mli_load64(a) ^ mli_load64(b)) |
                (mli_load64(a + size - 8) ^ mli_load64(b + size - 8))) == 0;
    if (size >= 4)
        return ((mli_load32(a) ^ mli_load32(b)) |
                (mli_load32(a + size - 4) ^ mli_load32(b + size - 4))) == 0;
    for (size_t i = 0; i < size; i++)
        if (a[i] != b[i]) return 0;
    return 1;
}

/* The slot that holds the key, or the empty one where it belongs. */
static inline int64_t probe(const mli_map *m, uint64_t hash, const char *key, size_t size)
{
    int64_t mask = m->slot_count - 1, at = (int64_t)(hash & (uint64_t)mask);
    for (;; at = (at + 1) & mask) {
        int32_t number = m->slots[at];
        if (number < 0) return at;
        if (m->hashes[at] != hash) continue;
        const int64_t *offset = m->offsets + number;
        if ((size_t)(offset[1] - offset[0]) == size &&
            same_bytes(m->bytes + offset[0], key, size))
            return at;
    }
}

/* Doubles the table. 1 on success. */
static int grow_slots(mli_map *m)
{
    int64_t count = m->slot_count ? m->slot_count * 2 : FIRST_SLOTS, mask = count - 1;
    uint64_t *hashes = mli_calloc(m->ctx, (size_t)count, sizeof *hashes);
    int32_t *slots = mli_calloc(m->ctx, (size_t)count, sizeof *slots);
    if (!hashes || !slots) {
        mli_free(m->ctx, hashes);
        mli_free(m->ctx, slots);
        return 0;
    }
    memset(slots, 0xff, (size_t)count * sizeof *slots);
    for (int64_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i] < 0) continue;
        int64_t at = (int64_t)(m->hashes[i] & (uint64_t)mask);
        while (slots[at] >= 0) at = (at + 1) & mask;
        slots[at] = m->slots[i];
        hashes[at] = m->hashes[i];
    }
    mli_free(m->ctx, m->hashes);
    mli_free(m->ctx, m->slots);
    m->hashes = hashes;
    m->slots = slots;
    m->slot_count = count;
    return 1;
}

/* Room for one more key of that size. 1 on success. */
static int grow_keys(mli_map *m, size_t size)
{
    if (!m->offsets || m->count == m->key_capacity) {
        int64_t capacity = m->key_capacity ? m->key_capacity * 2 : FIRST_SLOTS / 2;
        size_t bytes = ((size_t)capacity + 1) * sizeof *m->offsets;
        int64_t *offsets = m->offsets ? mli_realloc(m->ctx, m->offsets, bytes)
                                      : mli_alloc(m->ctx, bytes);
        if (!offsets) return 0;
        if (!m->offsets) offsets[0] = 0;
        m->offsets = offsets;
        m->key_capacity = capacity;
    }
    size_t used = (size_t)m->offsets[m->count];
    if (!m->bytes || size > m->byte_capacity - used) {
        size_t capacity = m->byte_capacity * 2 + size + 64;
        if (capacity < size) return 0;
        char *bytes = m->bytes ? mli_realloc(m->ctx, m->bytes, capacity)
                               : mli_alloc(m->ctx, capacity);
        if (!bytes) return 0;
        m->bytes = bytes;
        m->byte_capacity = capacity;
    }
    return 1;
}

/* A key that is not there; `at`: where it belongs, if there is room. */
static int32_t add_new(mli_map *m, uint64_t hash, int64_t at, const char *key,
                       size_t size)
{
    if (m->count == INT32_MAX || !grow_keys(m, size)) return -1;
    if ((m->count + 1) * (m->slot_count < SMALL ? 4 : 2) > m->slot_count) {
        if (!grow_slots(m)) return -1;
        at = probe(m, hash, key, size);
    }
    int64_t begin = m->offsets[m->count];
    if (size) memcpy(m->bytes + begin, key, size);
    m->offsets[m->count + 1] = begin + (int64_t)size;
    m->slots[at] = (int32_t)m->count;
    m->hashes[at] = hash;
    return (int32_t)m->count++;
}

static inline int32_t add(mli_map *m, const char *key, size_t size)
{
    uint64_t hash = hash_of(key, size);
    int64_t at = -1;
    if (m->slot_count) {
        at = probe(m, hash, key, size);
        if (m->slots[at] >= 0) return m->slots[at];
    }
    return add_new(m, hash, at, key, size);
}

int32_t mli_map_add(mli_map *m, const char *key, size_t size)
{
    return add(m, key, size);
}

/* ---- many texts ---- */

/* Short keys that came before. No branch depends on their length, and whole keys stand in
 * the table, at most half of which is used. */
#define FRONT  4096
#define SHORT  16
#define NOBODY 0xff00000000000000u
struct mli_map_front {
    uint64_t key[FRONT][2]; /* up to 15 bytes, zeros, the size in the last one */
    int32_t number[FRONT];
    int64_t count, asked, lost; /* lost: keys for which there was no room */
};

void mli_map_remember(mli_map *m)
{
    m->front = mli_alloc(m->ctx, sizeof *m->front);
    if (!m->front) return;
    m->front->count = m->front->asked = m->front->lost = 0;
    for (int i = 0; i < FRONT; i++) m->front->key[i][0] = m->front->key[i][1] = NOBODY;
}

/* Where to look first for a text, behind whose start SHORT bytes can be read. */
static inline uint64_t front_key(const char *text, size_t size, uint64_t *key)
{
    static const uint64_t window[4] = {~(uint64_t)0, ~(uint64_t)0, 0, 0};
    const char *kept = (const char *)window + SHORT - size;
    key[0] = mli_load64(text) & mli_load64(kept);
    key[1] = (mli_load64(text + 8) & mli_load64(kept + 8)) | (uint64_t)size << 56;
    return mix(key[0] ^ K1, key[1] ^ K2) & (FRONT - 1);
}

/* Numbers texts from `i` on, up to the first that is too long or has not come before.
 * Returns which. A loop of its own, so that all it needs is in registers. */
static int64_t front_run(const struct mli_map_front *f, const char *bytes,
                         const int64_t *offsets, int64_t i, int64_t n, int32_t *numbers)
{
    const int64_t last = offsets[n] - SHORT;
    for (; i < n && offsets[i] <= last; i++) {
        uint64_t key[2], size = (uint64_t)(offsets[i + 1] - offsets[i]);
        if (size >= SHORT) return i;
        uint64_t at = front_key(bytes + offsets[i], size, key);
        while ((f->key[at][0] ^ key[0]) | (f->key[at][1] ^ key[1])) {
            if (f->key[at][1] == NOBODY) return i;
            at = (at + 1) & (FRONT - 1);
        }
        numbers[i] = f->number[at];
    }
    return i;
}

/* A text that was not there. 0 when there was no room for too many. */
static int front_add(struct mli_map_front *f, const char *text, size_t size,
                     int32_t number, int64_t asked)
{
    uint64_t key[2], at = front_key(text, size, key);
    if (f->count >= FRONT / 2) return ++f->lost <= 1024 + (f->asked + asked) / 4;
    while (f->key[at][1] != NOBODY) at = (at + 1) & (FRONT - 1);
    memcpy(f->key[at], key, sizeof key);
    f->number[at] = number;
    f->count++;
    return 1;
}

static inline int32_t find(const mli_map *m, const char *key, size_t size)
{
    return m->slot_count ? m->slots[probe(m, hash_of(key, size), key, size)] : -1;
}

/* Returns the first that is not there or cannot be added, or n. Inline, so that the loops
 * of both callers know what they do. */
static inline __attribute__((always_inline)) int64_t
number_texts(mli_map *m, int adding, const char *bytes, const int64_t *offsets, int64_t n,
             int32_t *numbers)
{
    struct mli_map_front *front = m->front;
    int64_t lost = n;
    for (int64_t i = 0; i < n; i++) {
        if (front) i = front_run(front, bytes, offsets, i, n, numbers);
        if (i == n) break;
        size_t size = (size_t)(offsets[i + 1] - offsets[i]);
        const char *text = size ? bytes + offsets[i] : "";
        numbers[i] = adding ? add(m, text, size) : find(m, text, size);
        if (numbers[i] < 0 && adding) return i;
        if (numbers[i] < 0 && lost == n) lost = i;
        if (front && numbers[i] >= 0 && size < SHORT &&
            offsets[i] <= offsets[n] - SHORT &&
            !front_add(front, bytes + offsets[i], size, numbers[i], i))
            front = NULL;
    }
    if (m->front) m->front->asked += n;
    return lost;
}

int mli_map_add_texts(mli_map *m, const char *bytes, const int64_t *offsets, int64_t n,
                      int32_t *numbers)
{
    return number_texts(m, 1, bytes, offsets, n, numbers) == n;
}

int64_t mli_map_find_texts(mli_map *m, const char *bytes, const int64_t *offsets,
                           int64_t n, int32_t *numbers)
{
    return number_texts(m, 0, bytes, offsets, n, numbers);
}

int32_t mli_map_find(const mli_map *m, const char *key, size_t size)
{
    return find(m, key, size);
}
