/* SPDX-License-Identifier: MIT
 *
 * core/number.h: what reading and writing numbers share. The functions themselves are
 * declared in core/text.h.
 */
#ifndef MLI_CORE_NUMBER_H
#define MLI_CORE_NUMBER_H

#include <stdint.h>

#define MLI_POW10_LOW  (-342)
#define MLI_POW10_HIGH 324

/* The top 128 bits of 10^q at [q - MLI_POW10_LOW], high word first. Cut off below, except
 * for q = -27..-1, which are rounded up. */
extern const uint64_t mli_pow10[MLI_POW10_HIGH - MLI_POW10_LOW + 1][2];

/* Reads a decimal number by exact arithmetic, rounding to nearest even: `digits` are n
 * ASCII digits that may have a '.' among them, times 10^exponent. Slow and always right;
 * returns the bits of a positive double. */
uint64_t mli_decimal_exact(const char *digits, const char *end, int64_t exponent);

#endif
