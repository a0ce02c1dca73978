#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Expected values of tests/data/test_profile.c: associations of four columns of 100 rows,
by scipy and by the formulas of the correlation ratio (Kelley 1935) and of Cramer's V
(Bergsma 2013)."""
import numpy as np
from scipy import stats

i = np.arange(100)
x, y = i % 7, (i * i) % 11
a, b = (i * i) % 5, (i // 3) % 4


def epsilon(level, v):
    groups = [v[level == k] for k in np.unique(level)]
    n, k = len(v), len(groups)
    within = sum(((g - g.mean()) ** 2).sum() for g in groups)
    share = 1 - within / ((v - v.mean()) ** 2).sum() * (n - 1) / (n - k)
    return max(share, 0) ** 0.5


def cramer(p, q):
    table = np.array([[(p == i)[q == j].sum() for j in np.unique(q)] for i in np.unique(p)])
    n, (r, k) = table.sum(), table.shape
    phi2 = stats.chi2_contingency(table, correction=False).statistic / n
    phi2 -= (k - 1) * (r - 1) / (n - 1)
    least = min(r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)) - 1
    return max(phi2 / least, 0) ** 0.5


print("x y", repr(float(stats.pearsonr(x, y).statistic)))
print("a y", repr(float(epsilon(a, y.astype(float)))))
print("b x", repr(float(epsilon(b, x.astype(float)))))
c = (i % 5) * (i % 3 > 0)
print("c a", repr(float(cramer(c, a))))
print("c x", repr(float(epsilon(c, (i % 15).astype(float)))))
