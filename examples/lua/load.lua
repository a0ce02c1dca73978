-- SPDX-License-Identifier: MIT
-- load.lua: what wrk sends: transactions with 28 components and an amount, all different.
-- Usage: wrk -s load.lua http://127.0.0.1:8087 -- /pay
local requests, at = {}, 0

function init(args)
    local path = args[1] or "/pay"
    for i = 1, 256 do
        local query = {}
        for c = 1, 28 do query[c] = ("V%d=%.6f"):format(c, math.random() * 4 - 2) end
        query[29] = ("Amount=%.2f"):format(math.random() * 200)
        requests[i] = wrk.format("GET", path .. "?" .. table.concat(query, "&"))
    end
end

function request()
    at = at % #requests + 1
    return requests[at]
end
