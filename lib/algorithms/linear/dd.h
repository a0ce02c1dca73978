/* SPDX-License-Identifier: MIT
 *
 * linear/dd.h: numbers of about 32 digits as unevaluated sums of two doubles (Dekker
 * 1971; Knuth; Hida, Li and Bailey 2001). Needs that the compiler neither reorders nor
 * fuses operations. Values must stay within about 1e-140 and 1e150.
 */
#ifndef MLI_LINEAR_DD_H
#define MLI_LINEAR_DD_H

#include <math.h>

typedef struct mli_dd {
    double hi, lo;
} mli_dd;

/* a + b exactly, for |a| >= |b|. */
static inline mli_dd mli_dd_fast_sum(double a, double b)
{
    double s = a + b;
    return (mli_dd){s, b - (s - a)};
}
/* a + b exactly. */
static inline mli_dd mli_dd_sum(double a, double b)
{
    double s = a + b, z = s - a;
    return (mli_dd){s, (a - (s - z)) + (b - z)};
}
/* a * b exactly. */
static inline mli_dd mli_dd_product(double a, double b)
{
    double p = a * b, ca = a * 134217729.0, cb = b * 134217729.0;
    double ah = ca - (ca - a), bh = cb - (cb - b), al = a - ah, bl = b - bh;
    return (mli_dd){p, ((ah * bh - p) + ah * bl + al * bh) + al * bl};
}
static inline mli_dd mli_dd_add(mli_dd a, mli_dd b)
{
    mli_dd s = mli_dd_sum(a.hi, b.hi), t = mli_dd_sum(a.lo, b.lo);
    s = mli_dd_fast_sum(s.hi, s.lo + t.hi);
    return mli_dd_fast_sum(s.hi, s.lo + t.lo);
}
static inline mli_dd mli_dd_sub(mli_dd a, mli_dd b)
{
    return mli_dd_add(a, (mli_dd){-b.hi, -b.lo});
}
static inline mli_dd mli_dd_mul(mli_dd a, mli_dd b)
{
    mli_dd p = mli_dd_product(a.hi, b.hi);
    return mli_dd_fast_sum(p.hi, p.lo + (a.hi * b.lo + a.lo * b.hi));
}
static inline mli_dd mli_dd_div(mli_dd a, mli_dd b)
{
    double q = a.hi / b.hi;
    mli_dd r = mli_dd_sub(a, mli_dd_mul(b, (mli_dd){q, 0}));
    double q2 = r.hi / b.hi;
    r = mli_dd_sub(r, mli_dd_mul(b, (mli_dd){q2, 0}));
    return mli_dd_add(mli_dd_fast_sum(q, q2), (mli_dd){r.hi / b.hi, 0});
}
static inline mli_dd mli_dd_sqrt(mli_dd a)
{
    if (!(a.hi > 0)) return (mli_dd){0, 0};
    double x = 1.0 / sqrt(a.hi), y = a.hi * x;
    mli_dd r = mli_dd_sub(a, mli_dd_product(y, y));
    return mli_dd_fast_sum(y, r.hi * x * 0.5);
}
static inline double mli_dd_double(mli_dd a)
{
    return a.hi + a.lo;
}

#endif
