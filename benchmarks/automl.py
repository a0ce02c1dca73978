#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Equal time for automl and its peers on real tables: the loss on rows that none of them
saw, and the mean rank.

Usage: benchmarks/automl.py [--time SECONDS] [--seeds N] [--threads N] [--tables a,b]
                            [--tools a,b] [--more FILE.json] [--parallel-peers]
                            [--libml COMMAND] [--autogluon PYTHON] [--flaml PYTHON]
                            [--out FILE.jsonl] [--note TEXT]
       benchmarks/automl.py --docs FILE.jsonl...

Tables are those of benchmarks/quality.py, and of --more: {"name": {"file", "target",
"classes", "drop"}}, whose files stand beside it. Tools: libml, flaml, LightGBM tuned by
Optuna's TPE, autogluon (medium quality). Run it with the Python of the benchmarks' virtual
environment; --autogluon and --flaml name the Pythons of others. A quarter of the rows is for the
score, another for each seed. --parallel-peers runs all tools of a table at once, so that
other work on the machine slows all alike; give each one thread then. A line of --out is
one fit; fits that are there are not run again. --docs writes the tables of
docs/benchmarks.md, one for each --note and time.

Loss: 1 - AUC for two classes, log loss for more, RMSE divided by the standard deviation of
the targets for numbers. A tool that fails is ranked last; losses within 0.1 % share a rank.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- automl begins -->", "<!-- automl ends -->"
TOOLS = ["libml", "flaml", "lightgbm_optuna", "autogluon"]


# ---- tables ----

def load(name, more):
    """Rows, the target's name, is it classes."""
    import pandas as pd
    if name in more:
        entry = more[name]
        data = pd.read_csv(entry["path"]).drop(columns=entry.get("drop", []))
        data = data[data[entry["target"]].notna()]
        return data, entry["target"], entry["classes"]
    import quality
    x, y, _, classes = quality.load(name)
    return x.assign(**{"@y": y}), "@y", classes > 0


def split(folder, name, seed, more, args):
    from sklearn.model_selection import train_test_split
    data, target, classes = load(name, more)
    if classes:
        data[target] = "c" + data[target].astype(str)
        data = data[data.groupby(target)[target].transform("size") >= 8]
    train, test = train_test_split(data, test_size=0.25, random_state=seed,
                                   stratify=data[target] if classes else None)
    train.to_csv(folder / "train.csv", index=False)
    test.drop(columns=target).to_csv(folder / "test.csv", index=False)
    (folder / "task.json").write_text(json.dumps({
        "target": target, "classes": bool(classes), "time": args.time, "seed": seed,
        "threads": args.threads, "libml": str(args.libml)}))
    return train, test, target, classes


def loss(train, test, target, classes, predicted):
    import numpy as np
    from sklearn.metrics import log_loss, roc_auc_score, root_mean_squared_error
    truth = test[target]
    if not classes:
        return float(root_mean_squared_error(truth, predicted) / np.std(truth))
    labels = np.unique(train[target])
    codes = np.searchsorted(labels, truth)
    if len(labels) == 2:
        return 1 - float(roc_auc_score(codes, predicted[:, 1]))
    return float(log_loss(codes, predicted, labels=range(len(labels))))


# ---- fits ----

def start(tool, folder, args):
    python = {"autogluon": args.autogluon, "flaml": args.flaml}.get(tool, sys.executable)
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    env = dict(os.environ, **{n: str(args.threads) for n in names})
    log = open(folder / f"{tool}.log", "w")
    return subprocess.Popen([python, ROOT / "benchmarks" / "automl_peer.py", tool, folder],
                            stdout=log, stderr=log, env=env)


def wait(tool, process, folder, rows):
    import numpy as np
    row = {"loss": None, "seconds": None, "processor": None}
    process.wait()
    try:
        row.update(json.loads((folder / f"{tool}.json").read_text()))
        row["loss"] = loss(*rows, np.load(folder / f"{tool}.npy"))
    except (OSError, ValueError) as problem:
        lines = (folder / f"{tool}.log").read_text().strip().splitlines()
        print(f"{tool}: {problem}: {' / '.join(lines[-3:])}", file=sys.stderr)
    return row


def fit_all(name, seed, tools, more, args):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        rows = split(folder, name, seed, more, args)
        if args.parallel_peers:
            running = {t: start(t, folder, args) for t in tools}
        for tool in tools:
            process = running[tool] if args.parallel_peers else start(tool, folder, args)
            yield tool, len(rows[0]) + len(rows[1]), wait(tool, process, folder, rows)


def key(row):
    return row["table"], row["seed"], row["time"], row["threads"], row["tool"]


def read(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines() if line]


def measure(args, more):
    done = {key(r) for r in read(args.out)} if args.out and args.out.exists() else set()
    import quality
    names = args.tables.split(",") if args.tables else [*quality.TABLES, *more]
    for seed in range(args.seeds):
        for name in names:
            at = {"table": name, "seed": seed, "time": args.time, "threads": args.threads,
                  "note": args.note}
            tools = [t for t in args.tools.split(",") if key(dict(at, tool=t)) not in done]
            for tool, rows, row in fit_all(name, seed, tools, more, args) if tools else ():
                row = dict(at, tool=tool, rows=rows, **row)
                print(f"{name:18} {seed} {tool:16} {row['loss']} {row['seconds']} s "
                      f"({row['processor']} s)", flush=True)
                if args.out:
                    with open(args.out, "a") as f:
                        f.write(json.dumps(row) + "\n")


# ---- the page ----

def ranks(losses):
    """1 for the least; losses within 0.1 % of each other share their mean rank."""
    value = {t: float("inf") if v is None else v for t, v in losses.items()}
    out = {}
    for t, v in value.items():
        below = sum(o < v * 0.999 for o in value.values())
        same = sum(o == v or abs(o - v) <= v * 0.001 for o in value.values())
        out[t] = below + (same + 1) / 2
    return out


def mean(values):
    values = list(values)
    return sum(values) / len(values) if values and None not in values else float("nan")


def section(rows):
    """Of fits with one time: a line per table, and the mean ranks over tables and seeds."""
    tools = [t for t in TOOLS if any(r["tool"] == t for r in rows)]
    groups, tables = defaultdict(dict), {}
    for r in rows:
        groups[r["table"], r["seed"]][r["tool"]] = r
        tables[r["table"]] = r
    whole = {k: g for k, g in groups.items() if len(g) == len(tools)}
    out = [f"| table | rows | {' | '.join(tools)} |", f"|---|---|{'---|' * len(tools)}"]
    for name in sorted(tables):
        mine = [g for k, g in whole.items() if k[0] == name]
        if not mine:
            continue
        values = {t: mean(g[t]["loss"] for g in mine) for t in tools}
        best = min(v for v in values.values() if v == v)
        cells = [f"**{v:.4f}**" if v <= best * 1.001 else f"{v:.4f}" for v in values.values()]
        out.append(f"| {name} | {tables[name]['rows']:,} | {' | '.join(cells)} |")
    every = [ranks({t: g[t]["loss"] for t in tools}) for g in whole.values()]
    out.append("| mean rank | | " + " | ".join(
        f"{mean(r[t] for r in every):.2f}" for t in tools) + " |")
    for what in ("seconds", "processor"):
        label = "seconds, most" if what == "seconds" else "processor seconds, mean"
        cells = []
        for t in tools:
            v = [g[t][what] for g in whole.values() if g[t][what] is not None]
            cells.append(f"{max(v) if what == 'seconds' else mean(v):.1f}" if v else "-")
        out.append(f"| {label} | | {' | '.join(cells)} |")
    return len(whole), "\n".join(out)


def page(paths):
    rows = {(r["note"], *key(r)): r for p in paths for r in read(p)}.values()
    out = []
    for note, seconds in dict.fromkeys((r["note"], r["time"]) for r in rows):
        mine = [r for r in rows if (r["note"], r["time"]) == (note, seconds)]
        n, table = section(mine)
        about = f"{note}: " if note else ""
        out.append(f"{about}{seconds:g} seconds, {mine[0]['threads']} thread(s) each, "
                   f"{n} splits:\n\n{table}\n")
    return "\n".join(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--time", type=float, default=60)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tables")
    parser.add_argument("--tools", default=",".join(TOOLS))
    parser.add_argument("--more", type=Path)
    parser.add_argument("--parallel-peers", action="store_true")
    parser.add_argument("--libml", type=Path, default=ROOT / "build" / "tools" / "libml")
    parser.add_argument("--autogluon", default=sys.executable)
    parser.add_argument("--flaml", default=sys.executable)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--note", default="")
    parser.add_argument("--docs", nargs="+", type=Path)
    args = parser.parse_args()
    if args.docs:
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(text.split(BEGIN)[0] + BEGIN + "\n" + page(args.docs) + END
                        + text.split(END)[1], encoding="utf-8")
        return
    more = json.loads(args.more.read_text()) if args.more else {}
    for entry in more.values():
        entry["path"] = args.more.parent / entry["file"]
    measure(args, more)


if __name__ == "__main__":
    main()
