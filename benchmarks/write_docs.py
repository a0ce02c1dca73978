#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the table of docs/benchmarks.md from the JSON files of benchmarks/compare.

Rows of workloads that the files do not have are kept.
Usage: benchmarks/write_docs.py FILE.json...
"""

import json
import platform
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- table begins -->", "<!-- table ends -->"
HEAD = ("| workload | peer | threads | ratio | 95 % interval | libml | peer | "
        "quality libml / peer | gate |\n|---|---|---|---|---|---|---|---|---|\n")


def seconds(s):
    for unit, scale in (("s", 1), ("ms", 1e3), ("us", 1e6)):
        if s * scale >= 1 or unit == "us":
            return f"{s * scale:.3g} {unit}"
    return f"{s:.3g} s"


def line(r):
    memory = ""
    if "memory_libml_mib" in r and "memory_peer_mib" in r:
        memory = f"; memory {r['memory_libml_mib']:.0f} / {r['memory_peer_mib']:.0f} MiB"
    ratio = f"{r['ratio']:.2f}"
    quality = "-"
    if r["gate"] != "-":
        quality = f"{r['quality_libml']:.5g} / {r['quality_peer']:.5g}"
        if "quality_error" in r:
            quality += f" ({r['quality_difference']:+.4f} ± {r['quality_error']:.4f})"
    if r["gate"] in ("ok", "-"):
        ratio = f"**{ratio}**"
    return (f"| {r['workload']} | {r['peer']} {r['peer_version']} | {r['threads']} | "
            f"{ratio} | {r['ratio_low']:.2f} to {r['ratio_high']:.2f} | "
            f"{seconds(r['seconds_libml'])} | {seconds(r['seconds_peer'])} | "
            f"{quality}{memory} | {r['gate']} |")


def key(text):
    cells = [c.strip() for c in text.strip("|").split("|")]
    return cells[0], cells[1].rsplit(" ", 1)[0], cells[2]


def processor():
    for row in Path("/proc/cpuinfo").read_text().splitlines():
        if row.startswith("model name"):
            return row.split(":", 1)[1].strip()
    return platform.machine()


def main():
    text = PAGE.read_text(encoding="utf-8")
    old = text.split(BEGIN)[1].split(END)[0]
    rows = {key(r): r for r in re.findall(r"^\| (?!workload|---).*\|$", old, re.M)}
    for name in sys.argv[1:]:
        for r in json.loads(Path(name).read_text()):
            row = line(r)
            rows[key(row)] = row
    table = f"\n{HEAD}" + "\n".join(rows[k] for k in sorted(rows)) + "\n"
    PAGE.write_text(text.split(BEGIN)[0] + BEGIN + table + END + text.split(END)[1],
                    encoding="utf-8")


if __name__ == "__main__":
    main()
