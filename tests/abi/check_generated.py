#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Committed generated files are fresh: api.json, the version script, and schema.json, the
baseline of names, types, defaults and ranges of all parameters.

Usage: check_generated.py LIBML_COMMAND [--update]
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def main():
    update = "--update" in sys.argv[2:]
    flag = [] if update else ["--check"]
    passed, failed = 0, 0
    for script in ("scan.py", "gen_map.py"):
        done = subprocess.run([sys.executable, str(ROOT / "bindings" / script), *flag])
        passed, failed = passed + (done.returncode == 0), failed + (done.returncode != 0)
    schema = subprocess.run([sys.argv[1], "schema"], text=True, check=True,
                            stdout=subprocess.PIPE).stdout
    path = ROOT / "bindings" / "schema.json"
    if update:
        path.write_text(schema, encoding="utf-8")
    if path.exists() and path.read_text(encoding="utf-8") == schema:
        passed += 1
    else:
        failed += 1
        print("bindings/schema.json differs from the library's schemas: parameters are ABI; "
              "renew it on purpose with tests/abi/check_generated.py LIBML --update")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
