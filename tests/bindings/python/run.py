#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the tests of the Python package; ends with "N passed, N failed, N skipped".

Usage: run.py [--need NAME,NAME] [TEST_FILE_OR_NAME...]

What needs a package that is not installed is skipped and says so, unless --need names it.
LIBML_LIBRARY says which shared library is tested, LIBML_COMMAND which command.
"""

import argparse
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[2] / "bindings" / "python")]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--need", default="")
    parser.add_argument("--installed", action="store_true",
                        help="test the installed package instead of the source tree's")
    parser.add_argument("test", nargs="*")
    args = parser.parse_args()
    if args.installed:
        sys.path.remove(str(HERE.parents[2] / "bindings" / "python"))
    for name in filter(None, args.need.split(",")):
        __import__(name)
    names = args.test or sorted(p.stem for p in HERE.glob("test_*.py"))
    suite = unittest.TestLoader().loadTestsFromNames(
        [Path(n).stem if n.endswith(".py") else n for n in names])
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=1).run(suite)
    bad = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    for test, why in sorted({(type(t).__name__, why) for t, why in result.skipped}):
        print(f"{test}: skipped: {why}")
    skipped = len(result.skipped)
    print(f"{result.testsRun - bad - skipped} passed, {bad} failed, {skipped} skipped")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
