-- SPDX-License-Identifier: MIT
-- tour.lua: the life of a model in Lua: read, split, tune, fit, save, load, score a row.
-- Usage: lua tour.lua CSV TARGET
local ml = require "libml"

local csv, target = arg[1], arg[2]
if not target then error("usage: lua tour.lua CSV TARGET", 0) end
local train, test = ml.assert(ml.read_csv(csv)):split({ fraction = 0.25 })
print(#train:column(target) .. " rows to train, " .. test:rows() .. " to test")

local gbdt = ml.assert(ml.gbdt({ target = target, n_trees = 50 }))
local study = ml.assert(ml.study(gbdt, train, {
    tune = { "learning_rate", "max_leaves" }, n_trials = 4,
}))
ml.assert(study:run(function(p)
    io.write(("%3.0f %%\r"):format(100 * p.fraction))
end))
local best, score = study:best_params()
print(("best score %.4f with learning_rate %.3f, max_leaves %d"):format(
    score, best.learning_rate, best.max_leaves))

local model = ml.assert(study:best_model())
ml.assert(model:save("model.mlm"))

local loaded = ml.assert(ml.load("model.mlm"))
for name, value in pairs(ml.assert(loaded:evaluate(test))) do print(name, value) end

local row = test:records()[1]
for _, name in ipairs(loaded:inputs()) do
    if row[name] == nil then row[name] = ml.null end -- missing
end
local predictor = ml.assert(loaded:predictor("proba"))
local probabilities = ml.assert(predictor:row(row))
for i, output in ipairs(predictor:outputs()) do print(output, probabilities[i]) end
