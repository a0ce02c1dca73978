/* SPDX-License-Identifier: MIT
 *
 * trees/forest_page.c: the codes of some rows, copied feature by feature, from codes that
 * lie row by row. Blocks of 8 x 8 are turned in registers; the rows of later blocks are
 * fetched early, since they lie apart.
 *
 * Cost: a cache miss per row, and about 1 cycle per code.
 */
#include "algorithms/trees/forest.h"
#include "core/cpu.h"
#ifdef MLI_X86
#include <emmintrin.h>
#endif

#define AHEAD 24 /* rows that are fetched early */

static void copy_some(const mli_forest_codes *c, const uint32_t *row, int64_t begin,
                      int64_t end, uint16_t *page, int64_t ld)
{
    for (int64_t i = begin; i < end; i++) {
        const uint16_t *from = c->by_row + (int64_t)row[i] * c->row_ld;
        for (int64_t j = 0; j < c->n_features; j++) page[j * ld + i] = from[j];
    }
}

#ifdef MLI_X86
/* Turns a block: to[k] has element k of each of the eight rows. */
static inline void turn(const __m128i r[8], __m128i to[8])
{
    __m128i a[8], b[8];
    for (int k = 0; k < 4; k++) {
        a[2 * k] = _mm_unpacklo_epi16(r[2 * k], r[2 * k + 1]);
        a[2 * k + 1] = _mm_unpackhi_epi16(r[2 * k], r[2 * k + 1]);
    }
    for (int k = 0; k < 2; k++) {
        b[4 * k] = _mm_unpacklo_epi32(a[4 * k], a[4 * k + 2]);
        b[4 * k + 1] = _mm_unpackhi_epi32(a[4 * k], a[4 * k + 2]);
        b[4 * k + 2] = _mm_unpacklo_epi32(a[4 * k + 1], a[4 * k + 3]);
        b[4 * k + 3] = _mm_unpackhi_epi32(a[4 * k + 1], a[4 * k + 3]);
    }
    for (int k = 0; k < 4; k++) {
        to[2 * k] = _mm_unpacklo_epi64(b[k], b[k + 4]);
        to[2 * k + 1] = _mm_unpackhi_epi64(b[k], b[k + 4]);
    }
}

static void copy_eight(const mli_forest_codes *c, const uint32_t *row, uint16_t *page,
                       int64_t ld)
{
    for (int64_t j = 0; j < c->n_features; j += 8) {
        __m128i r[8], t[8];
        int64_t n = c->n_features - j < 8 ? c->n_features - j : 8;
        for (int k = 0; k < 8; k++)
            r[k] = _mm_loadu_si128(
                (const __m128i *)(const void *)(c->by_row + (int64_t)row[k] * c->row_ld +
                                                j));
        turn(r, t);
        for (int64_t k = 0; k < n; k++)
            _mm_storeu_si128((__m128i *)(void *)(page + (j + k) * ld), t[k]);
    }
}
#endif

void mli_forest_copy(const mli_forest_codes *c, const uint32_t *row, int64_t n,
                     uint16_t *page, int64_t ld)
{
    int64_t done = 0;
#ifdef MLI_X86
    for (; done + 8 <= n; done += 8) {
        for (int64_t i = done + AHEAD; i < done + AHEAD + 8 && i < n; i++)
            for (int64_t j = 0; j < c->n_features; j += 32)
                __builtin_prefetch(c->by_row + (int64_t)row[i] * c->row_ld + j);
        copy_eight(c, row + done, page + done, ld);
    }
#endif
    copy_some(c, row, done, n, page, ld);
}

void mli_forest_copy_places(const mli_forest_codes *c, const uint32_t *row, int64_t n,
                            float *page, int64_t ld)
{
    int64_t done = 0;
#ifdef MLI_X86
    for (; done + 4 <= n; done += 4) {
        for (int64_t i = done + AHEAD; i < done + AHEAD + 4 && i < n; i++)
            for (int64_t j = 0; j < c->n_features; j += 16)
                __builtin_prefetch(c->place_by_row + (int64_t)row[i] * c->row_ld + j);
        for (int64_t j = 0; j < c->n_features; j += 4) {
            __m128 r[4];
            int64_t width = c->n_features - j < 4 ? c->n_features - j : 4;
            for (int k = 0; k < 4; k++)
                r[k] = _mm_loadu_ps(c->place_by_row + (int64_t)row[done + k] * c->row_ld +
                                    j);
            _MM_TRANSPOSE4_PS(r[0], r[1], r[2], r[3]);
            for (int64_t k = 0; k < width; k++)
                _mm_storeu_ps(page + (j + k) * ld + done, r[k]);
        }
    }
#endif
    for (int64_t i = done; i < n; i++) {
        const float *from = c->place_by_row + (int64_t)row[i] * c->row_ld;
        for (int64_t j = 0; j < c->n_features; j++) page[j * ld + i] = from[j];
    }
}
