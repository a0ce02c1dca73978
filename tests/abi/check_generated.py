#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Committed generated files are fresh: api.json; schema.json, the baseline of names, types,
defaults and ranges of all parameters; and what the generators make of these two.

Usage: check_generated.py LIBML_COMMAND        (tools/regenerate renews the files)
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def main():
    passed, failed = 0, 0
    for script in sorted((ROOT / "bindings").glob("gen_*.py")) + [ROOT / "bindings/scan.py"]:
        done = subprocess.run([sys.executable, str(script), "--check"])
        passed, failed = passed + (done.returncode == 0), failed + (done.returncode != 0)
    schema = subprocess.run([sys.argv[1], "schema"], text=True, check=True,
                            stdout=subprocess.PIPE).stdout
    path = ROOT / "bindings" / "schema.json"
    if path.exists() and path.read_text(encoding="utf-8") == schema:
        passed += 1
    else:
        failed += 1
        print("bindings/schema.json differs from the library's schemas: parameters are ABI; "
              "renew it on purpose with tools/regenerate BUILD")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
