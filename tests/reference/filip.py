#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The least squares solution of the NIST set Filip with powers of x rounded to double, in
exact rational arithmetic: the most that a solver given those columns can know. Prints the
numbers that stand in tests/algorithms/test_linear_nist.c."""

from fractions import Fraction
from pathlib import Path

LINES = (Path(__file__).parent / "nist" / "Filip.dat").read_text().split("\n")
ROWS = [tuple(map(float, line.split())) for line in LINES[60:142]]


def solve(columns, y):
    q = len(columns)
    a = [[sum(u * v for u, v in zip(columns[i], other)) for other in columns + [y]]
         for i in range(q)]
    for i in range(q):
        pivot = a[i][i]
        a[i] = [v / pivot for v in a[i]]
        for r in range(q):
            if r != i and a[r][i]:
                factor = a[r][i]
                a[r] = [u - factor * v for u, v in zip(a[r], a[i])]
    return [row[q] for row in a]


y = [Fraction(row[0]) for row in ROWS]
x = [Fraction(row[1]) for row in ROWS]
columns = [[Fraction(float(v**k)) for v in x] for k in range(11)]
for b in solve(columns, y):
    print(repr(float(b)))
