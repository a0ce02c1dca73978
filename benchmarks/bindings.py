# SPDX-License-Identifier: MIT
"""What `bench rows MODEL KIND` does, through Python: one row of NumPy at a time out of a
thousand, the median over stretches of calls. Prints one JSON object; "call" is the share of
ctypes, a call with the same arguments that has no row to predict.

Usage: bindings.py MODEL KIND | bindings.py import MODULE
"""

import json
import os
import sys
import time

STRETCHES, CALLS, ROWS = 200, 1000, 1000
clock = time.process_time if os.environ.get("BENCH_CPU") else time.perf_counter


def median(function, stretches=STRETCHES):
    """Seconds of one call; `function` makes CALLS of them."""
    times = []
    for _ in range(stretches):
        start = clock()
        function()
        times.append((clock() - start) / CALLS)
    return sorted(times)[stretches // 2]


def rows_of(inputs):
    import numpy as np
    state, rows = 1, []
    for _ in range(ROWS):
        row = np.empty(inputs)
        for i in range(inputs):
            state = state * 16807 % 2147483647
            row[i] = state / 2147483647 * 4 - 2
        rows.append(row)
    return rows


def bare_call(predictor):
    """Calls with all arguments of a row, but no row."""
    import ctypes
    cells = dict(zip(predictor._fast.__code__.co_freevars,
                     (c.cell_contents for c in predictor._fast.__closure__)))
    names = ("predictor", "data", "dtype", "one", "stride", "out", "error")
    cells.update(data=bytes(8 * len(predictor._names)), one=ctypes.c_int64.from_param(0))
    function, args = cells["function"], [cells[n] for n in names]

    def stretch():
        for _ in range(CALLS):
            function(*args)
    return median(stretch)


def single(path, kind):
    import libml
    predictor = libml.load(path).predictor(kind)
    rows = rows_of(len(predictor._names))
    total = 0.0

    def stretch():
        nonlocal total
        for row in rows:
            total += predictor.row(row)[0]
    seconds = median(stretch)
    return {"seconds": seconds, "quality": total, "call": bare_call(predictor)}


def imported(name):
    start = clock()
    __import__(name)
    return {"seconds": clock() - start, "quality": 0}


if __name__ == "__main__":
    print(json.dumps(imported(sys.argv[2]) if sys.argv[1] == "import"
                     else single(*sys.argv[1:])))
