-- SPDX-License-Identifier: MIT
-- test_monkey.lua: calls every method of every type with arguments drawn at random: handles
-- of all types, freed ones too, and values of all kinds. Whatever comes, it is a result, nil
-- and an error, or a Lua error; never the end of the process.
-- Usage: lua test_monkey.lua MODULE CALLS
local ml = require(arg[1])
local calls = tonumber(arg[2]) or 20000
local unpack = table.unpack or unpack
local passed, failed, raised, refused = 0, 0, 0, 0

local state = 12345
local function draw(n)
    state = (state * 16807) % 2147483647
    return state % n + 1
end

local t = ml.assert(ml.table({ x = { 1, 2, 3, 4, 5, 6 }, y = { 3, 5, 7, 9, 11, 13 },
                               c = { "a", "b", "a", "b", "a", ml.null } }))
local function handles()
    local e = ml.linear_regression({ target = "y", ignore = "c" })
    local m = ml.assert(e:fit(t))
    return {
        ml.context({ threads = 1 }), ml.cancel(), ml.schema("gbdt"), ml.params(),
        ml.tensor({ { 1, 2 }, { 3, 4 } }), t:slice(1, 4), e, m, m:predictor(),
        ml.study(ml.gbdt({ target = "y", n_trees = 2 }), t,
                 { tune = { "learning_rate" }, n_trials = 1 }),
        ml.report("r"),
    }
end

local kinds = { "context", "cancel", "schema", "params", "tensor", "table", "estimator",
                "model", "predictor", "study", "report" }
-- Pointers cannot be told from each other; these take or give them. The last one goes on for
-- as many trials as it is told.
local left_out = { read_dlpack = true, write_dlpack = true, read_arrow = true,
                   write_arrow = true, optimize = true }
local alive, freed = handles(), handles()
for _, handle in ipairs(freed) do handle:free() end
-- An answer for progress, and text for a reader that comes to an end.
local turns = 0
local function sometimes()
    turns = turns + 1
    if turns % 1000 ~= 0 then return "stop" end
end
local plain = {
    0, 1, 2, -1, 1.5, 2 ^ 53, -2 ^ 63, 2 ^ 63, 1e308, 0 / 0, 1 / 0, "", "x", "y", "c", "gbdt",
    "proba", "/nowhere/file", "a\0b", ("x"):rep(10000), true, false, ml.null, {}, { 1, 2 },
    { "x", "y" }, { x = 1 }, { target = "y" }, { "x", 1 }, { {} }, tostring, coroutine.create(function() end),
    io.stdout, function() error("from a callback") end, sometimes,
    function() return {} end, function() return nil end, ml.vector(2), ml.vector(0),
    ml.vector({ 1, 2, 3 }),
}

local function argument()
    local which = draw(10)
    if which <= 4 then return alive[draw(#alive)] end
    if which == 5 then return freed[draw(#freed)] end
    if which == 6 then return nil end
    return plain[draw(#plain)]
end

for _ = 1, calls do
    local at = draw(#kinds)
    local names = ml.methods(kinds[at])
    local name = names[draw(#names)]
    local handle = draw(8) > 1 and alive[at] or argument()
    if not left_out[name] then
        local given, n = { handle }, draw(5) - 1
        for i = 1, n do given[i + 1] = argument() end
        local done, result, err = pcall(alive[at][name], unpack(given, 1, n + 1))
        if not done then
            raised = raised + 1
            -- The C library's defects and crashes inside of Lua show as other texts.
            if tostring(result):find("attempt to call a nil") then
                failed = failed + 1
                print(kinds[at], name, result)
            end
        elseif result == nil and err ~= nil then
            refused = refused + 1
            if type(err) ~= "table" or not err.status or err.status == "ML_E_INTERNAL" then
                failed = failed + 1
                print(kinds[at], name, err)
            end
        else
            passed = passed + 1
        end
        if not alive[at]:alive() then alive = handles() end
    end
end
print(("%d results, %d errors, %d raised"):format(passed, refused, raised))
local good = passed > calls / 100 and refused > calls / 100 and raised > calls / 100
print(("%d passed, %d failed"):format(good and 1 or 0, failed + (good and 0 or 1)))
if failed > 0 or not good then os.exit(1) end
