/* SPDX-License-Identifier: MIT
 *
 * trees/logistic.c: gradients of the logistic loss, eight rows at a time. With t = s for
 * label 0 and -s for label 1, e = e^-t and q = 1 / (1 + e), the gradient is q or -q, and
 * the hessian q (1 - q) = q (e q): no difference of numbers close to each other, so that
 * both keep their digits where the model is sure.
 *
 * e^z is 2^k e^r with k = round(z / ln 2): 1 + r + r^2 p(r), where p is the polynomial of
 * degree 4 with the least error (3e-9). Single precision is enough: gradients are rounded
 * to about 30 bits of their sum before they are added up.
 *
 * Cost: about 1 ns per row with AVX2, a third of that in double precision.
 */
#include "algorithms/trees/logistic.h"
#include "algorithms/trees/objective.h"
#include "core/cpu.h"
#include <string.h>

typedef float floats __attribute__((vector_size(32), may_alias));
typedef int32_t words __attribute__((vector_size(32), may_alias));
typedef float pairs __attribute__((vector_size(32), aligned(4), may_alias));
typedef double scores __attribute__((vector_size(64), aligned(8), may_alias));
typedef int32_t labels __attribute__((vector_size(32), aligned(4), may_alias));
/* Lanes of two vectors in turn, from the lane `at` on. */
#define IN_TURN(a, b, at)                                                                \
    MLI_LANES(words, a, b, at, at + 8, at + 1, at + 9, at + 2, at + 10, at + 3, at + 11)
#define INLINE static inline __attribute__((always_inline))

/* Functions that return vectors would differ between instruction sets. */
#define PICK(which, a, b) ((floats)(((words)(a) & (which)) | ((words)(b) & ~(which))))

INLINE void eight(const double *score, const int32_t *label, float *gh)
{
    const float most = 87, magic = 12582912; /* 1.5 * 2^23: adding it rounds */
    const floats none = {0};
    words sign = *(const labels *)label << 31;
    floats z = (floats)((words) __builtin_convertvector(*(const scores *)score, floats) ^
                        (~sign & INT32_MIN));
    z = PICK(z > most, none + most, z);
    z = PICK(z < -most, none - most, z);
    floats shifted = z * 1.44269504F + magic, k = shifted - magic;
    floats r = (z - k * 0.693359375F) + k * 2.12194440e-4F; /* ln 2 in two parts */
    floats p = (r * 0x1.6a23d0p-10F + 0x1.123a20p-7F) * r + 0x1.5558f2p-5F;
    p = (p * r + 0x1.555492p-3F) * r + 0x1.fffffcp-2F;
    words power = (((words)shifted - 0x4b400000) + 127) << 23;
    floats e = (1 + (r + r * r * p)) * (floats)power;
    floats q = 1 / (1 + e), h = q * (e * q);
    h = PICK(h > MLI_SMALLEST_H, h, none + MLI_SMALLEST_H);
    floats g = (floats)((words)q ^ sign);
    *(pairs *)gh = IN_TURN(g, h, 0);
    *(pairs *)(gh + 8) = IN_TURN(g, h, 4);
}

INLINE void all_rows(const double *score, const int32_t *label, int64_t n, float *gh)
{
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) eight(score + i, label + i, gh + 2 * i);
    if (i == n) return;
    double s[8] = {0};
    int32_t y[8] = {0};
    float out[16];
    memcpy(s, score + i, (size_t)(n - i) * sizeof *s);
    memcpy(y, label + i, (size_t)(n - i) * sizeof *y);
    eight(s, y, out);
    memcpy(gh + 2 * i, out, (size_t)(n - i) * 2 * sizeof *out);
}

#ifdef MLI_X86
MLI_AVX2 static void rows_avx2(const double *score, const int32_t *label, int64_t n,
                               float *gh)
{
    all_rows(score, label, n, gh);
}
#endif

void mli_logistic_gradients(int32_t level, const double *score, const int32_t *label,
                            int64_t n, float *gh)
{
#ifdef MLI_X86
    if (level >= MLI_CPU_AVX2) {
        rows_avx2(score, label, n, gh);
        return;
    }
#endif
    (void)level;
    all_rows(score, label, n, gh);
}
