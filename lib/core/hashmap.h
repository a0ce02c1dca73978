/* SPDX-License-Identifier: MIT
 *
 * core/hashmap.h: a map from byte strings to int32 numbers in order of insertion:
 * dictionaries of categories, names of columns.
 */
#ifndef MLI_CORE_HASHMAP_H
#define MLI_CORE_HASHMAP_H

#include "core/memory.h"

typedef struct mli_map {
    ml_context *ctx;
    int64_t count;    /* number of keys */
    int64_t *offsets; /* count + 1, into bytes */
    char *bytes;      /* the keys, one after another */
    /* private */
    uint64_t *hashes;
    int32_t *slots;
    int64_t slot_count, key_capacity;
    size_t byte_capacity;
    struct mli_map_front *front; /* see mli_map_remember */
} mli_map;

void mli_map_init(mli_map *m, ml_context *ctx);
void mli_map_free(mli_map *m);
/* The number of a key, added when new; -1 when out of memory (or 2^31 - 1 keys). */
int32_t mli_map_add(mli_map *m, const char *key, size_t size);
/* The number of a key, or -1. Safe to call concurrently while nobody adds. */
int32_t mli_map_find(const mli_map *m, const char *key, size_t size);
/* The same for many keys, bytes[offsets[i]] .. bytes[offsets[i + 1]]; adding: 0 when out
 * of memory; finding: the first that is not there, or n. */
int mli_map_add_texts(mli_map *m, const char *bytes, const int64_t *offsets, int64_t n,
                      int32_t *numbers);
int64_t mli_map_find_texts(mli_map *m, const char *bytes, const int64_t *offsets,
                           int64_t n, int32_t *numbers);
/* Makes the two above twice as fast where the same short keys come again and again; for
 * thousands of keys. Without memory it does nothing. `find_texts` then changes the map. */
void mli_map_remember(mli_map *m);
uint64_t mli_hash(const void *data, size_t size); /* 64 bits, fast, not cryptographic */

#endif
