-- SPDX-License-Identifier: MIT
-- bindings.lua: what `bench rows MODEL KIND` does, through Lua: one row at a time out of a
-- thousand, the median over stretches of calls. Prints one JSON object.
-- Usage: lua bindings.lua MODULE MODEL KIND
local ml = require(arg[1])
local STRETCHES, CALLS, ROWS = 200, 1000, 1000

local clock = os.clock
if jit then
    local ffi = require("ffi")
    ffi.cdef("struct bench_time { long s, ns; }; int clock_gettime(int, struct bench_time *);")
    local time = ffi.new("struct bench_time")
    clock = function()
        ffi.C.clock_gettime(os.getenv("BENCH_CPU") and 2 or 1, time)
        return tonumber(time.s) + 1e-9 * tonumber(time.ns)
    end
end

local model = ml.assert(ml.load(arg[2]))
local predictor = ml.assert(model:predictor(arg[3]))
local inputs = #model:inputs()
local rows, state = {}, 1
for r = 1, ROWS do
    rows[r] = ml.vector(inputs)
    for i = 1, inputs do
        state = (state * 16807) % 2147483647
        rows[r][i] = state / 2147483647 * 4 - 2
    end
end

local out, sum, times, r = ml.vector(#predictor:outputs()), 0, {}, 0
for s = 1, STRETCHES do
    local start = clock()
    for _ = 1, CALLS do
        r = r % ROWS + 1
        predictor:row(rows[r], out)
        sum = sum + out[1]
    end
    times[s] = (clock() - start) / CALLS
end
table.sort(times)
print(('{"seconds": %.12f, "quality": %.17g}'):format(times[STRETCHES / 2 + 1], sum))
