#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The manual pages: one for each function, algorithm and the command, which groff takes
without a warning.

Usage: check_man.py COMMAND
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def main():
    api = json.loads((ROOT / "bindings" / "api.json").read_text(encoding="utf-8"))
    schemas = json.loads((ROOT / "bindings" / "schema.json").read_text(encoding="utf-8"))
    wanted = {f"man3/{f['name']}.3" for f in api["functions"]} | {"man1/libml.1"}
    wanted |= {f"man7/libml-{s['name']}.7" for s in schemas["schemas"] if "." not in s["name"]}
    wanted |= {"man7/libml-options.7", "man7/libml-metrics.7"}
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "bindings"
        shutil.copytree(ROOT / "bindings", copy,
                        ignore=shutil.ignore_patterns("__pycache__", "lua", "python"))
        free = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        subprocess.run([sys.executable, copy / "man_pages.py", folder, sys.argv[1]],
                       check=True, env=free)
        assert not (copy / "__pycache__").exists(), "an install writes to the source tree"
        have = {str(p.relative_to(folder)): p for p in Path(folder).rglob("*.[137]")}
        assert set(have) == wanted, set(have) ^ wanted
        if not shutil.which("groff"):
            print("SKIP: no groff")
            return
        warnings = subprocess.run(["groff", "-man", "-Tutf8", "-K", "utf8", "-ww", "-z",
                                   *have.values()], stderr=subprocess.PIPE, text=True).stderr
        assert not warnings, warnings[:2000]
        shown = subprocess.run(["groff", "-man", "-Tascii", "-P-bcou",
                                have["man7/libml-gbdt.7"]], stdout=subprocess.PIPE,
                               text=True).stdout
        gbdt = next(s for s in schemas["schemas"] if s["name"] == "gbdt")
        lost = [p["name"] for p in gbdt["params"]
                if not re.search(rf"^ +{p['name']}( |$)", shown, re.M)]
        assert not lost, lost
    print(f"{len(wanted)} passed, 0 failed")


if __name__ == "__main__":
    main()
