-- SPDX-License-Identifier: MIT
-- train_fraud.lua: fits the model that the nginx and HAProxy examples score with.
-- Usage: lua train_fraud.lua MODEL [CSV]
-- CSV: transactions with a column Class (1: fraud), such as the well-known creditcard.csv.
-- Without it transactions are made up.
local ml = require "libml"

-- Normal numbers from a generator of its own, so that every Lua makes the same table.
local state = 1
local function uniform()
    state = (state * 16807) % 2147483647
    return state / 2147483647
end
local function normal()
    return math.sqrt(-2 * math.log(uniform())) * math.cos(2 * math.pi * uniform())
end

local function made_up(rows)
    local columns, names = { Class = {} }, {}
    for c = 1, 28 do names[c] = "V" .. c end
    names[29], names[30] = "Amount", "Class"
    for c = 1, 29 do columns[names[c]] = ml.vector(rows) end
    for i = 1, rows do
        local class = uniform() < 0.2 and 1 or 0
        for c = 1, 28 do
            columns[names[c]][i] = normal() + (c % 4 == 0 and -1.5 * class or 0)
        end
        columns.Amount[i] = math.exp(3 + normal() + class)
        columns.Class[i] = class
    end
    return ml.assert(ml.table(columns, names))
end

local path, csv = arg[1] or "fraud.mlm", arg[2]
local all = csv and ml.assert(ml.read_csv(csv)) or made_up(4000)
local train, test = all:split({ fraction = 0.2 })
local model = ml.assert(ml.assert(ml.gbdt({
    target = "Class", ignore = csv and { "Time" } or nil, n_trees = 100, max_leaves = 15,
})):fit(train))
print(("ROC AUC on %d transactions that training did not see: %.4f"):format(
    test:rows(), ml.assert(model:evaluate(test)).roc_auc))
ml.assert(model:save(path))
