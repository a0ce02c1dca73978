-- SPDX-License-Identifier: MIT
-- face.lua: the module as programs see it, made of plain functions. It is the same for the
-- C module and for the FFI module; Lua 5.1 to 5.4.

local core = ...
local raw, methods, metas = core.raw, core.methods, core.metas
local ml = { _VERSION = "libml " .. raw.version(), null = core.null }
local floor = math.floor

-- Every plain function "table_select" is the method "select" of tables.
for name, f in pairs(raw) do
    local kind, method = name:match("^(%l+)_(.+)$")
    if methods[kind] then methods[kind][method] = f end
end

function core.error_meta.__tostring(err)
    return err.message
end

-- As assert, which in Lua 5.1 and 5.2 takes no error objects.
function ml.assert(value, err, ...)
    if not value then error(err or "assertion failed!", 2) end
    return value, err, ...
end

-- ---- the default context ----

local default

local function context()
    if not default then
        local made, err = raw.default_context()
        if not made then error(err.message, 0) end
        default = made
    end
    return default
end

-- ---- estimators ----

local function new_estimator(ctx, name, params)
    local estimator, err = raw.context_estimator_new(ctx, name)
    if not estimator then return nil, err end
    return raw.estimator_put(estimator, params)
end

function ml.estimator(name, params)
    return new_estimator(context(), name, params)
end

function ml.read_csv(path, options)
    return raw.context_table_read_csv(context(), path, options)
end

function ml.load(path, options)
    return raw.context_model_load_file(context(), path, options)
end

function ml.study(estimator, train, options, valid)
    return raw.study_new(estimator, train, valid, options)
end

local function names(object, count, name_at)
    local list = {}
    for i = 1, count(object) do list[i] = name_at(object, i) end
    return list
end

methods.table.columns = function(t)
    return names(t, raw.table_columns, raw.table_column_name)
end
methods.model.save = raw.model_save_file
methods.tensor.get = raw.tensor_get_f64

-- ---- constructors by name of the algorithm ----

setmetatable(ml, {
    __index = function(_, name)
        if type(name) ~= "string" then return nil end
        local schema = raw.context_schema_new(context(), name)
        if not schema then return nil end
        if raw.schema_get(schema, 0, 1, "sort") ~= "algorithm" then return nil end
        local function make(params) return new_estimator(context(), name, params) end
        rawset(ml, name, make)
        return make
    end,
})

return ml
