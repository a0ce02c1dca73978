#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Joins and aggregates of libml beside polars: prints the rows of a table of docs/benchmarks.md.

Usage: benchmarks/tables.py [--rows N] [--repeats N] [WHAT...]
       WHAT: join, many, asof, sum, median (all without)
Runs in the benchmarks' virtual environment (benchmarks/compare makes it), with libml found by
LIBML_LIBRARY.

One thread each, processor time, medians of runs in turn; the ratio is polars' time by libml's,
above 1 libml is faster, with the least and the largest of the pairs. Both give rows in the
order of the left table, groups in the order of their first rows. The sizes are for --rows
1000000 and shrink with it.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

os.environ["POLARS_MAX_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bindings" / "python"))
import numpy as np  # noqa: E402
import polars as pl  # noqa: E402
import libml  # noqa: E402


def join(rows, rng):
    """join 1M rows with 100k, one whole-number key"""
    left = {"k": rng.integers(0, rows // 10, rows), "a": rng.normal(size=rows)}
    right = {"k": rng.permutation(rows // 10), "b": rng.normal(size=rows // 10)}
    return (left, right, lambda l, r: l.join(r, on="k"),
            lambda l, r: l.join(r, on="k", maintain_order="left_right"))


def many(rows, rng):
    """join 200k rows with 1M, 2M rows out"""
    left = {"k": rng.integers(0, rows // 10, rows // 5), "a": rng.normal(size=rows // 5)}
    right = {"k": rng.integers(0, rows // 10, rows), "b": rng.normal(size=rows)}
    return (left, right, lambda l, r: l.join(r, on="k"),
            lambda l, r: l.join(r, on="k", maintain_order="left_right"))


def asof(rows, rng):
    """as-of join 200k on 1M, by key, rows unsorted"""
    def side(n, value):
        return {"k": rng.integers(0, 1000, n), "t": rng.integers(0, 10 ** 9, n),
                value: rng.normal(size=n)}

    def peer(l, r):
        order = l.with_row_index("i").sort("t")
        return order.join_asof(r.sort("t"), on="t", by="k", check_sortedness=False).sort("i")
    return (side(rows // 5, "a"), side(rows, "b"),
            lambda l, r: l.join(r, on="k", time="t", how="left"), peer)


def group(rows, rng, ours, theirs):
    table = {"k": rng.integers(0, rows // 10, rows), "a": rng.normal(size=rows)}
    return (table, {"z": np.zeros(1)}, lambda l, r: l.aggregate(ours, by="k"),
            lambda l, r: l.group_by("k", maintain_order=True).agg(theirs))


def sums(rows, rng):
    """sum, mean, std of 1M rows in 100k groups"""
    a = pl.col("a")
    return group(rows, rng, ["s = sum(a)", "m = mean(a)", "d = std(a)"],
                 [a.sum().alias("s"), a.mean().alias("m"), a.std().alias("d")])


def median(rows, rng):
    """median of 1M rows in 100k groups"""
    return group(rows, rng, ["m = median(a)"], [pl.col("a").median().alias("m")])


WHAT = {"join": join, "many": many, "asof": asof, "sum": sums, "median": median}


def clock(function, *arguments):
    start = time.process_time()
    out = function(*arguments)
    return time.process_time() - start, out


def same(ours, theirs):
    """The same rows in the same order."""
    for name in theirs.columns:
        if name == "i":
            continue
        a, b = ours[name], theirs[name].to_numpy()
        np.testing.assert_allclose(np.asarray(a, float), np.asarray(b, float), rtol=1e-9)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*")
    parser.add_argument("--rows", type=int, default=1000000)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    libml.set_threads(1)
    print("| what | libml | polars | ratio |\n|---|---|---|---|")
    for name in args.what or WHAT:
        left, right, ours, theirs = WHAT[name](args.rows, np.random.default_rng(0))
        tables = libml.Table(left), libml.Table(right)
        frames = pl.DataFrame(left), pl.DataFrame(right)
        same(ours(*tables), theirs(*frames))
        pairs = [(clock(ours, *tables)[0], clock(theirs, *frames)[0])
                 for _ in range(args.repeats)]
        ratios = [b / a for a, b in pairs]
        mine, other = (1000 * statistics.median(p) for p in zip(*pairs))
        print(f"| {WHAT[name].__doc__} | {mine:.0f} ms | {other:.0f} ms | "
              f"{statistics.median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}] |",
              flush=True)


if __name__ == "__main__":
    main()
