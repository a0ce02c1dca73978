/* SPDX-License-Identifier: MIT
 *
 * csv_scan_wide.c: the fast scanner, 64 bytes at a time.
 *
 * Comparisons give a bit per byte for delimiters, line ends and quotes. A prefix
 * exclusive-or of the quotes tells which bytes lie inside quotes (Langdale and Lemire,
 * "Parsing gigabytes of JSON per second", 2019). That is right only where quotes stand at
 * the borders of fields or in pairs, which is checked: an opening quote must follow a
 * delimiter, a line end or a quote, and a closing one must be followed by such. At the
 * first exception the scan ends, at the begin of that record.
 */
#include "core/cpu.h"
#include "data/csv.h"

#ifdef MLI_X86
#include <immintrin.h>
#include <string.h>

typedef struct masks {
    uint64_t delimiter, newline, quote, returned;
} masks;

typedef struct needles {
    __m256i delimiter, newline, returned, quote, zero;
} needles;

MLI_AVX2 static inline uint64_t equal(__m256i a, __m256i b, __m256i needle)
{
    uint32_t low = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, needle));
    uint32_t high = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, needle));
    return (uint64_t)high << 32 | low;
}

/* Bit i: the exclusive-or of bits 0..i. */
static inline uint64_t prefix_xor(uint64_t x)
{
    x ^= x << 1;
    x ^= x << 2;
    x ^= x << 4;
    x ^= x << 8;
    x ^= x << 16;
    return x ^ x << 32;
}

/* Appends the positions of the bits. Writes up to 8 more than there are. */
MLI_AVX2 static inline uint32_t *put_bits(uint32_t *out, uint64_t bits, uint32_t base)
{
    int n = (int)_mm_popcnt_u64(bits);
    uint32_t *next = out + n;
    while (bits) {
        for (int i = 0; i < 4; i++) {
            *out++ = base + (uint32_t)_tzcnt_u64(bits);
            bits = _blsr_u64(bits);
        }
    }
    return next;
}

/* Quotes that stand where they should not. `inside` holds the opening quote but not the
 * closing one. `before` has the borders shifted by one byte, with what the block before
 * left; bit 63 of a closing quote is looked at in the next block. */
static inline uint64_t irregular(uint64_t quote, uint64_t inside, uint64_t border,
                                 uint64_t border_before, uint64_t close_before)
{
    uint64_t any = border | quote;
    uint64_t open = quote & inside, close = quote & ~inside;
    uint64_t bad = open & ~(any << 1 | border_before);
    return bad | (((close << 1) | close_before) & ~any);
}

MLI_AVX2 size_t mli_csv_scan_avx2(mli_csv_index *x, const mli_csv_dialect *d,
                                  const char *text, size_t cut, int64_t *newlines)
{
    const __m256i delimiter = _mm256_set1_epi8(d->delimiter),
                  newline = _mm256_set1_epi8('\n'), returned = _mm256_set1_epi8('\r'),
                  quote = _mm256_set1_epi8(d->quote), none = _mm256_setzero_si256();
    uint64_t has_quote = d->quote ? ~UINT64_C(0) : 0;
    uint64_t carry = 0;         /* all ones inside quotes */
    uint64_t border_before = 1; /* the text begins at a border */
    uint64_t close_before = 0;
    __m256i high = none, zero = none;
    uint64_t any_returns = 0, any_quoted = 0, bad = 0;
    int64_t records = 0, lines = 0;
    uint32_t *out = NULL;
    size_t base = 0;
    if (!mli_csv_index_reserve(x, 1)) return SIZE_MAX;
    x->at[0] = UINT32_MAX;
    x->fields = 0;
    while (base < cut && !bad) {
        if (!mli_csv_index_reserve(x, x->fields + 4096 + 80)) return SIZE_MAX;
        size_t stripe = cut - base < 4096 ? cut : base + 4096;
        out = x->at + 1 + x->fields;
        for (; base < stripe; base += 64) {
            __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(text + base));
            __m256i b =
                _mm256_loadu_si256((const __m256i *)(const void *)(text + base + 32));
            uint64_t mask =
                cut - base < 64 ? (UINT64_C(1) << (cut - base)) - 1 : ~UINT64_C(0);
            uint64_t ds = equal(a, b, delimiter) & mask, ns = equal(a, b, newline) & mask,
                     rs = equal(a, b, returned) & mask,
                     qs = equal(a, b, quote) & has_quote & mask;
            uint64_t inside = carry, borders = ds | ns | rs;
            if (rs) {
                uint64_t next = text[base + 64] == '\n' ? UINT64_C(1) << 63 : 0;
                any_returns |= rs;
                uint64_t followed = equal(a, b, newline) >> 1 | next;
                ns |= rs & ~followed;
            }
            if (qs | close_before) {
                inside ^= prefix_xor(qs);
                bad = irregular(qs, inside, borders, border_before, close_before) & mask;
                if (bad) break;
                close_before = (qs & ~inside) >> 63;
                carry = (uint64_t)((int64_t)inside >> 63);
            }
            /* A quote before an opening one is the first of a pair. */
            border_before = (borders | qs) >> 63;
            lines += _mm_popcnt_u64(ns);
            any_quoted |= ns & inside;
            ns &= ~inside;
            records += _mm_popcnt_u64(ns);
            out = put_bits(out, (ds & ~inside) | ns, (uint32_t)base);
            if (mask == ~UINT64_C(0)) {
                high = _mm256_or_si256(high, _mm256_or_si256(a, b));
                zero =
                    _mm256_or_si256(zero, _mm256_cmpeq_epi8(_mm256_min_epu8(a, b), none));
            } else {
                for (size_t i = base; i < cut; i++) {
                    if (text[i] & (char)0x80) x->flags |= MLI_CSV_HIGH;
                    if (!text[i]) x->flags |= MLI_CSV_ZERO;
                }
            }
        }
        x->fields = out - (x->at + 1);
    }
    if (_mm256_movemask_epi8(high)) x->flags |= MLI_CSV_HIGH;
    if (_mm256_movemask_epi8(zero)) x->flags |= MLI_CSV_ZERO;
    if (any_returns) x->flags |= MLI_CSV_RETURNS;
    if (any_quoted) x->flags |= MLI_CSV_NEWLINES;
    /* Only complete records count: go back to the last line end. */
    int64_t count = x->fields;
    while (count > 0 && text[x->at[count]] != '\n' && text[x->at[count]] != '\r') count--;
    size_t stop = count ? (size_t)x->at[count] + 1 : 0;
    /* The lines of what is scanned again are counted then. */
    for (size_t i = stop; i < base && i < cut; i++) {
        if (text[i] == '\n' || (text[i] == '\r' && text[i + 1] != '\n')) lines--;
    }
    x->fields = count;
    x->lines = lines;
    *newlines = records;
    return stop;
}
#endif
