-- SPDX-License-Identifier: MIT
-- action.lua: the actions that haproxy.cfg names.
local fraud = require "fraud"
fraud.start() -- HAProxy runs this file once per thread

local function values_of(txn)
    local values = {}
    for name, value in (txn.sf:query() or ""):gmatch("([^=&]+)=([^&]*)") do
        values[name] = value
    end
    return values
end

core.register_action("fraud", { "http-req" }, function(txn)
    local score, err = fraud.score(values_of(txn))
    if not score then
        txn:set_var("txn.fraud_error", err)
        return
    end
    txn:set_var("txn.fraud_score", ("%.17g"):format(score))
    txn:set_var("txn.fraud_percent", math.floor(score * 100))
end)

core.register_action("plain", { "http-req" }, function(txn)
    local sum = 0
    for _, value in pairs(values_of(txn)) do sum = sum + (tonumber(value) or 0) end
    txn:set_var("txn.fraud_score", ("%.17g"):format(sum))
    txn:set_var("txn.fraud_percent", 0)
end)
