/* SPDX-License-Identifier: MIT
 *
 * core/sha256.h: SHA-256 (FIPS 180-4), with the CPU's SHA instructions where present.
 */
#ifndef MLI_CORE_SHA256_H
#define MLI_CORE_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct mli_sha256 {
    uint32_t state[8];
    uint64_t length;
    unsigned char block[64];
    int fast; /* the CPU's SHA instructions are used; tests may clear it */
} mli_sha256;

void mli_sha256_init(mli_sha256 *h);
void mli_sha256_add(mli_sha256 *h, const void *data, size_t size);
void mli_sha256_end(mli_sha256 *h, unsigned char digest[32]);
void mli_sha256_hex(const unsigned char digest[32], char hex[65]);

#endif
