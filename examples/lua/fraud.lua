-- SPDX-License-Identifier: MIT
-- fraud.lua: scores requests against a model of fraud. The host requires it once, before
-- its workers fork, and calls start() in each worker.
local ml = require(jit and "libml_ffi" or "libml") -- LuaJIT compiles calls by FFI

local fraud = {}
-- The file is mapped: all workers share its pages.
local model = ml.assert(ml.load(os.getenv("FRAUD_MODEL") or "fraud.mlm"))
local inputs = model:inputs()
local predictor

-- A predictor belongs to one thread and serves all of its requests.
function fraud.start()
    predictor = ml.assert(model:predictor("proba"))
end

-- The probability of fraud of values by name, given as text; or nil and what is wrong.
-- The row is the request's own: HAProxy may switch to another request at any instruction.
function fraud.score(values)
    local row = ml.vector(#inputs)
    for i = 1, #inputs do
        local value = tonumber(values[inputs[i]])
        if not value or value ~= value then
            return nil, inputs[i] .. ": a number is expected"
        end
        row[i] = value
    end
    local out, err = predictor:row(row)
    if not out then return nil, err.message end
    return out[2]
end

return fraud
