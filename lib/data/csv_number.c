/* SPDX-License-Identifier: MIT
 *
 * csv_number.c: vector kernels for columns of plain numbers.
 *
 * A number of up to 16 characters is loaded so that it ends at the end of a register. The
 * decimal point is taken out by a shuffle, and three multiply-adds make an integer of the
 * digits. With a point these are at most 15, so that one division of exact doubles rounds
 * correctly (Clinger 1990). What has another form is left to the general way.
 */
#include "core/cpu.h"
#include "data/csv.h"

#ifdef MLI_X86
#include <immintrin.h>
#include <string.h>

/* keep[n]: the last n bytes. drop[p]: moves the bytes in front of position p one up, over
 * it; byte 0 becomes zero. */
#define F 0xff
static const uint8_t ones_behind[32] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                        F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F};
#undef F
#define DROP(p)                                                                          \
    {                                                                                    \
        0x80, 1 > p ? 1 : 0, 2 > p ? 2 : 1, 3 > p ? 3 : 2, 4 > p ? 4 : 3, 5 > p ? 5 : 4, \
            6 > p ? 6 : 5, 7 > p ? 7 : 6, 8 > p ? 8 : 7, 9 > p ? 9 : 8, 10 > p ? 10 : 9, \
            11 > p ? 11 : 10, 12 > p ? 12 : 11, 13 > p ? 13 : 12, 14 > p ? 14 : 13,      \
            15 > p ? 15 : 14                                                             \
    }
static const uint8_t drop[16][16] = {
    DROP(0), DROP(1), DROP(2),  DROP(3),  DROP(4),  DROP(5),  DROP(6),  DROP(7),
    DROP(8), DROP(9), DROP(10), DROP(11), DROP(12), DROP(13), DROP(14), DROP(15)};

static const double power[16] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

MLI_AVX2 static inline __m128i load16(const void *p)
{
    return _mm_loadu_si128((const __m128i *)p);
}

/* The value of 16 digits (as numbers 0..9, the highest first). */
MLI_AVX2 static inline uint64_t digits_value(__m128i digits)
{
    const __m128i tens = _mm_set1_epi16(1 << 8 | 10),
                  hundreds = _mm_set1_epi32(1 << 16 | 100),
                  myriads = _mm_set1_epi32(1 << 16 | 10000);
    __m128i pairs = _mm_maddubs_epi16(digits, tens);
    __m128i fours = _mm_madd_epi16(pairs, hundreds);
    __m128i eights = _mm_madd_epi16(_mm_packus_epi32(fours, fours), myriads);
    uint64_t both = (uint64_t)_mm_cvtsi128_si64(eights);
    return (both & 0xffffffff) * 100000000 + (both >> 32);
}

/* The n characters before `end`, as numbers 0..9 behind zeros; other characters give
 * values above 9. */
MLI_AVX2 static inline __m128i load_digits(const char *end, int64_t n)
{
    __m128i keep = load16(ones_behind + n);
    return _mm_and_si128(_mm_sub_epi8(load16(end - 16), _mm_set1_epi8('0')), keep);
}

MLI_AVX2 static inline uint32_t above_nine(__m128i digits)
{
    __m128i ok = _mm_cmpeq_epi8(_mm_min_epu8(digits, _mm_set1_epi8(9)), digits);
    return (uint32_t)_mm_movemask_epi8(ok) ^ 0xffff;
}

MLI_AVX2 int64_t mli_csv_ints_avx2(const mli_csv_view *v, int64_t row, int64_t *out)
{
    const uint32_t *begin = v->begin + row * v->stride, *end = v->end + row * v->stride;
    int trim = v->dialect->trim;
    for (; row < v->rows; row++, begin += v->stride, end += v->stride) {
        const char *p = v->text + (uint32_t)(*begin + 1), *stop = v->text + *end;
        p += trim & (*p == ' '); /* ", " between fields is common */
        int64_t negative = *p == '-';
        int64_t n = stop - p - negative;
        if (n < 1 || n > 16 || (p[negative] == '0' && (n > 1 || negative))) return row;
        __m128i digits = load_digits(stop, n);
        if (above_nine(digits)) return row;
        int64_t value = (int64_t)digits_value(digits);
        out[row] = (value ^ -negative) + negative;
    }
    return row;
}

MLI_AVX2 int64_t mli_csv_reals_avx2(const mli_csv_view *v, int64_t row, char mark,
                                    double *out)
{
    const uint32_t *begin = v->begin + row * v->stride, *end = v->end + row * v->stride;
    int trim = v->dialect->trim;
    for (; row < v->rows; row++, begin += v->stride, end += v->stride) {
        const char *p = v->text + (uint32_t)(*begin + 1), *stop = v->text + *end;
        p += trim & (*p == ' '); /* ", " between fields is common */
        uint64_t negative = *p == '-';
        int64_t n = stop - p - (int64_t)negative;
        if (n < 1 || n > 16) return row;
        __m128i digits = load_digits(stop, n);
        uint32_t odd = above_nine(digits);
        uint64_t value;
        int decimals = 0;
        if (odd) {
            /* Only one character may be other than a digit: the point. */
            int at = (int)_tzcnt_u32(odd);
            if ((odd & (odd - 1)) || stop[at - 16] != mark || n < 2) return row;
            decimals = 15 - at;
            value = digits_value(_mm_shuffle_epi8(digits, load16(drop[at])));
        } else {
            /* A name made of digits, minus zero: for the general way. */
            if (p[negative] == '0' && (n > 1 || negative)) return row;
            value = digits_value(digits);
        }
        double d = (double)(int64_t)value / power[decimals];
        uint64_t bits;
        memcpy(&bits, &d, sizeof bits);
        bits |= negative << 63;
        memcpy(&out[row], &bits, sizeof bits);
    }
    return row;
}
#endif
