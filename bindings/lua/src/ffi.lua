-- SPDX-License-Identifier: MIT
-- ffi.lua: the runtime of the module for LuaJIT that calls libml by FFI. It does what the C
-- module does in runtime.c, callbacks.c and vector.c, with the same face.
--
-- A handle is a struct with a pointer, which __gc frees. Its fields start with an underscore,
-- for they come before the methods. No function of libml that calls back may run in compiled
-- code; those are marked by jit.off.

local ffi = require("ffi")
local istype, new, cast, copy, to_text = ffi.istype, ffi.new, ffi.cast, ffi.copy, ffi.string
local floor, type, tonumber, select = math.floor, type, tonumber, select

--@cdef

ffi.cdef([[
void *malloc(size_t size);
void free(void *block);
typedef struct libml_vector { double _count; double _values[?]; } libml_vector;
]])

-- The library: $LIBML_LIBRARY, or what the loader finds.
local function load_library()
    local path = os.getenv("LIBML_LIBRARY")
    if path then return ffi.load(path) end
    for _, name in ipairs({ "libml.so.0", "libml.0.dylib", "ml" }) do
        local found, library = pcall(ffi.load, name)
        if found then return library end
    end
    error("libml.so.0 is not found: install libml, or name its file in LIBML_LIBRARY", 0)
end

local C = load_library()
local kinds = { "context", "cancel", "schema", "params", "tensor", "table", "estimator",
                "model", "predictor", "study", "report" }
local raw, methods, metas, types = {}, {}, {}, {}

for _, kind in ipairs(kinds) do
    local more = kind == "predictor" and "ml_model *_model; double _inputs, _outputs; "
        .. "int _lenient, _strict, _serial;" or ""
    ffi.cdef(("typedef struct libml_%s { ml_%s *_ptr; int _busy, _borrowed; %s } libml_%s;")
             :format(kind, kind, more, kind))
    types[kind] = ffi.typeof("libml_" .. kind)
    methods[kind], metas[kind] = {}, {}
    metas[kind].__index = methods[kind]
end
types.vector = ffi.typeof("libml_vector")
methods.vector, metas.vector = {}, {}
kinds[#kinds + 1] = "vector"

local vector_t, predictor_t = types.vector, types.predictor
local err = C.ml_error_new()
local null = cast("void *", 0)
local nan = 0 / 0

-- ---- errors ----

local error_meta = {}

local function push_error(from, depth)
    local out = setmetatable({
        code = C.ml_error_code(from),
        status = to_text(C.ml_status_name(C.ml_error_code(from))),
        message = to_text(C.ml_error_message(from)),
        location = to_text(C.ml_error_location(from)),
        hint = to_text(C.ml_error_hint(from)),
    }, error_meta)
    local cause = C.ml_error_cause(from)
    if cause ~= nil and depth < 16 then out.cause = push_error(cause, depth + 1) end
    return out
end

local function fail() return nil, push_error(err, 0) end

function raw.type(value)
    for i = 1, #kinds do
        if istype(types[kinds[i]], value) then return kinds[i] end
    end
end

local function arg_error(n, name, text)
    error(("bad argument #%d to '%s' (%s)"):format(n, name, text), 4)
end

local function wrong_type(value, n, name, expected)
    local got = raw.type(value) or type(value)
    if type(value) == "table" and expected == "table" then
        got = "a Lua table; ml.table makes one of it"
    end
    error(("bad argument #%d to '%s' (%s expected, got %s)"):format(n, name, expected, got), 4)
end

-- ---- handles ----

-- LuaJIT's collector sees 16 bytes where libml holds a table: see lml_made in runtime.c.
local unpaid = 0

local function made(kind, pointer)
    local handle = types[kind]()
    handle._ptr = pointer
    if kind == "table" then
        unpaid = unpaid + tonumber(C.ml_table_rows(pointer) * C.ml_table_columns(pointer) * 8)
    elseif kind == "tensor" then
        local bytes, shape = 8, C.ml_tensor_shape(pointer)
        for i = 0, C.ml_tensor_ndim(pointer) - 1 do bytes = bytes * tonumber(shape[i]) end
        unpaid = unpaid + bytes
    else
        unpaid = unpaid + ((kind == "model" or kind == "study") and 262144 or 4096)
    end
    if unpaid > 67108864 then
        unpaid = 0
        collectgarbage()
    end
    return handle
end

local function check(value, kind, n, name)
    if not istype(types[kind], value) then wrong_type(value, n, name, kind) end
    if value._ptr == nil then arg_error(n, name, "this " .. kind .. " is freed") end
    if value._busy > 0 and (kind == "estimator" or kind == "params") then
        arg_error(n, name, "this " .. kind .. " is in use by the call that called back")
    end
    return value._ptr
end

local function opt(value, kind, n, name)
    if value == nil then return nil end
    if not istype(types[kind], value) then wrong_type(value, n, name, kind) end
    return check(value, kind, n, name)
end

local function release(handle, kind)
    local pointer = handle._ptr
    handle._ptr = nil
    if pointer == nil or handle._borrowed ~= 0 then return end
    C["ml_" .. kind .. "_free"](pointer)
    if kind == "predictor" then
        C.ml_model_free(handle._model)
        handle._model = nil
    end
end

for _, kind in ipairs(kinds) do
    if kind ~= "vector" then
        metas[kind].__gc = function(handle) release(handle, kind) end
        metas[kind].__close = function(handle)
            if not istype(types[kind], handle) then
                local got = raw.type(handle) or type(handle)
                error(("%s expected, got %s"):format(kind, got), 2)
            end
            if handle._busy > 0 then
                error(("this %s is in use by the call that called back"):format(kind), 2)
            end
            release(handle, kind)
        end
        metas[kind].__tostring = function(handle)
            return "libml." .. kind .. (handle._ptr == nil and " (freed)" or "")
        end
    end
end

function raw.alive(handle)
    local kind = raw.type(handle)
    if kind and kind ~= "vector" then return handle._ptr ~= nil end
end

-- ---- arguments ----

local function text(value, n, name)
    if type(value) ~= "string" then wrong_type(value, n, name, "string") end
    if value:find("\0", 1, true) then arg_error(n, name, "the text holds a NUL byte") end
    return value
end

local function opt_text(value, n, name)
    if value == nil then return nil end
    return text(value, n, name)
end

local function bytes(value, n, name)
    if type(value) ~= "string" then wrong_type(value, n, name, "string") end
    return value
end

local function number(value, n, name)
    if type(value) ~= "number" then wrong_type(value, n, name, "number") end
    return value
end

local function is_whole(value)
    return floor(value) == value and value >= -2 ^ 63 and value < 2 ^ 63
end

local function integer(value, n, name)
    if type(value) ~= "number" then wrong_type(value, n, name, "number") end
    if not is_whole(value) then arg_error(n, name, "a whole number is expected") end
    return value
end

local function integer32(value, n, name)
    integer(value, n, name)
    if value < -2 ^ 31 or value >= 2 ^ 31 then
        arg_error(n, name, "the number is too large")
    end
    return value
end

local function index(value, n, name) return integer(value, n, name) - 1 end

local function opt_index(value, n, name)
    return value == nil and 0 or integer(value, n, name) - 1
end

local function pointer(value, n, name)
    local is_pointer = type(value) == "userdata" or type(value) == "cdata"
        and (istype("void *", value) or tostring(ffi.typeof(value)):find("%*"))
    if not is_pointer then wrong_type(value, n, name, "pointer") end
    value = cast("void *", value)
    if value == nil then arg_error(n, name, "a null pointer") end
    return value
end

-- An array of C and its length. The strings stay alive in the table, which is returned too.
local function texts(value, n, name)
    if value == nil then return nil, 0 end
    if type(value) == "string" then value = { value } end
    if type(value) ~= "table" then wrong_type(value, n, name, "table of strings") end
    local out = new("const char *[?]", #value + 1)
    for i = 1, #value do
        if type(value[i]) ~= "string" or value[i]:find("\0", 1, true) then
            arg_error(n, name, "an item of the list is no text")
        end
        out[i - 1] = value[i]
    end
    return out, #value, value
end

local function indices(value, n, name)
    local is_vector = istype(vector_t, value)
    if not is_vector and type(value) ~= "table" then
        wrong_type(value, n, name, "table of numbers")
    end
    local count = #value
    local out = new("int64_t[?]", count + 1)
    for i = 1, count do
        local item = value[i]
        if type(item) ~= "number" or not is_whole(item) then
            arg_error(n, name, "an item of the list is no whole number")
        end
        out[i - 1] = item - 1
    end
    return out, count
end

local function text_of(chars)
    if chars == nil then return nil end
    return to_text(chars)
end

-- ---- options ----

local function quoted(item)
    return '"' .. item:gsub('[%c"\\]', function(c)
        return c:byte() < 32 and ("\\u%04x"):format(c:byte()) or "\\" .. c
    end) .. '"'
end

local function real_text(value)
    return is_whole(value) and math.abs(value) < 2 ^ 63 and ("%.0f"):format(value)
        or (("%.17g"):format(value):gsub(",", "."))
end

local function list_text(list, name)
    local out = {}
    for i = 1, #list do
        local item = list[i]
        if type(item) == "string" then
            out[i] = quoted(item)
        elseif type(item) == "number" then
            out[i] = real_text(item)
        elseif type(item) == "boolean" then
            out[i] = tostring(item)
        else
            error(('parameter "%s": item %d of the list is a %s'):format(
                name, i, type(item)), 0)
        end
    end
    return "[" .. table.concat(out, ", ") .. "]"
end

local function put(params, name, value)
    if type(value) == "table" then value = list_text(value, name) end
    if type(value) == "boolean" then value = tostring(value) end
    if type(value) == "number" then
        if is_whole(value) then return C.ml_params_set_i64(params, name, value, err) end
        return C.ml_params_set_f64(params, name, value, err)
    end
    if type(value) ~= "string" then
        error(('parameter "%s": a %s is no value of a parameter'):format(
            name, raw.type(value) or type(value)), 0)
    end
    if value:find("\0", 1, true) then
        error(('parameter "%s": the text holds a NUL byte'):format(name), 0)
    end
    return C.ml_params_set_str(params, name, value, err)
end

-- Values by name; {gbdt = {n_trees = 9}} is the parameter gbdt.n_trees of a pipeline.
local function put_all(params, values, prefix, depth)
    if depth > 8 then
        error(('option "%s": tables in tables, too deep'):format(prefix), 0)
    end
    for key, item in pairs(values) do
        if type(key) ~= "string" then
            error(("options are named: {name = value}, got the key of type %s")
                  :format(type(key)), 0)
        end
        local name = prefix and prefix .. "." .. key or key
        if type(item) == "table" and #item == 0 and next(item) ~= nil then
            put_all(params, item, name, depth + 1)
        elseif put(params, name, item) < 0 then
            error(to_text(C.ml_error_message(err)), 0)
        end
    end
end

local default -- the default context, made when first needed

local function default_context()
    if not default then
        local host = new("ml_host")
        host.struct_size = ffi.sizeof("ml_host")
        host.threads = -1
        local out = new("ml_context *[1]")
        if C.ml_context_new(host, out, err) < 0 then return nil end
        default = made("context", out[0])
    end
    return default
end

function raw.default_context()
    local context = default_context()
    if not context then return fail() end
    local shared = made("context", context._ptr)
    shared._borrowed = 1
    return shared
end

-- Parameters of C, and the handle that holds them when they were made of a table.
local function options(value, n, name)
    if value == nil then return nil end
    if type(value) ~= "table" then return check(value, "params", n, name) end
    local out = new("ml_params *[1]")
    local context = default_context()
    if not context or C.ml_params_new(context._ptr, out, err) < 0 then
        error(to_text(C.ml_error_message(err)), 3)
    end
    local handle = made("params", out[0])
    put_all(handle._ptr, value, nil, 0)
    return handle._ptr, handle
end

local function end_options(handle)
    if handle then release(handle, "params") end
end

-- ---- callbacks ----

-- The calls that are running, the innermost last. One C function per kind of callback serves
-- all of them, for each costs memory that is never given back.
local running = {}

local function call_back(call, ...)
    if call.failed then return false end
    local done, answer = pcall(call.f, ...)
    if done and call.accept then done, answer = pcall(call.accept, answer) end
    if not done then call.failed, call.problem = true, answer end
    return done, answer
end

local answers = { continue = 0, stop = 1, cancel = 2 }

local function accept_answer(value)
    if value == nil or value == true then return 0 end
    if value == false then return 1 end
    return answers[value] or error('a progress function answers "continue", "stop" or '
                                   .. '"cancel", not ' .. tostring(value), 0)
end

local function known(value)
    if value == value then return value end
end

local on_progress = cast("ml_progress_fn", function(p)
    local trial, steps = p.trial, tonumber(p.steps)
    local done, answer = call_back(running[#running], {
        trial = trial >= 0 and trial + 1 or nil,
        fraction = known(p.fraction), elapsed = known(p.elapsed),
        remaining = known(p.remaining), score = known(p.score),
        best_score = known(p.best_score), step = tonumber(p.step),
        steps = steps ~= 0 and steps or nil, stage = text_of(p.stage) or "",
    })
    return done and answer or 2
end)

local function accept_written(value)
    if value == false then error("the writing function answered false", 0) end
end

local function accept_read(value)
    if value ~= nil and type(value) ~= "string" then
        error("a reading function gives texts, and nil at the end, not a " .. type(value), 0)
    end
    return value
end

local io_callbacks = new("ml_io")
io_callbacks.struct_size = ffi.sizeof("ml_io")
io_callbacks.write = function(buffer, size)
    local done = call_back(running[#running], to_text(buffer, size))
    return done and size or -1
end
io_callbacks.read = function(buffer, size)
    local call = running[#running]
    while not call.rest or call.at == #call.rest do
        local done, part = call_back(call)
        if not done then return -1 end
        if part == nil then return 0 end
        call.rest, call.at = part, 0
    end
    local n = math.min(tonumber(size), #call.rest - call.at)
    copy(buffer, cast("const char *", call.rest) + call.at, n)
    call.at = call.at + n
    return n
end

-- Begins a call that calls f; the handles must stay.
local function begin(f, n, name, accept, ...)
    if type(f) ~= "function" then wrong_type(f, n, name, "function") end
    local call = { f = f, accept = accept, handles = { ... } }
    for i = 1, select("#", ...) do
        local handle = call.handles[i]
        local kind = raw.type(handle)
        if kind and kind ~= "vector" then handle._busy = handle._busy + 1 end
    end
    running[#running + 1] = call
    return call
end

local function begin_progress(f, n, name, ...)
    if f == nil then return nil end
    return begin(f, n, name, accept_answer, ...)
end

-- Ends it: nothing when all went well, or nil and the error.
local function finish(call, status)
    if call then
        running[#running] = nil
        for i = 1, table.maxn(call.handles) do
            local handle = call.handles[i]
            local kind = raw.type(handle)
            if kind and kind ~= "vector" then handle._busy = handle._busy - 1 end
        end
        if call.failed then
            local named, what = pcall(tostring, call.problem)
            local meta = type(call.problem) == "table" and getmetatable(call.problem) or {}
            if type(call.problem) == "table" and not meta.__tostring then what = "table" end
            C.ml_error_set(err, -15, "the callback raised an error: "
                           .. (named and what or type(call.problem)))
            local _, out = fail()
            out.cause = call.problem
            return true, nil, out
        end
    end
    if status < 0 then return true, fail() end
    return false
end

-- ---- vectors ----

local function new_vector(count)
    if not (count >= 0 and count < 2 ^ 40) then
        error("a vector of that length cannot be", 3)
    end
    local vector = vector_t(count)
    vector._count = count
    return vector
end

local function is_null(value)
    return value == nil or type(value) == "userdata" and cast("void *", value) == nil
end

local function number_of(value, i)
    if type(value) == "number" then return value end
    if is_null(value) then return nan end
    if type(value) == "boolean" then return value and 1 or 0 end
    error(("item %d is a %s, not a number"):format(i, type(value)), 3)
end

function raw.vector_new(from, count)
    if type(from) == "number" then return new_vector(integer(from, 1, "vector")) end
    if istype(vector_t, from) then
        local vector = new_vector(from._count)
        copy(vector._values, from._values, from._count * 8)
        return vector
    end
    if type(from) ~= "table" then wrong_type(from, 1, "vector", "table") end
    count = count == nil and #from or integer(count, 2, "vector")
    local vector = new_vector(count)
    for i = 1, count do vector._values[i - 1] = number_of(from[i], i) end
    return vector
end

local function check_vector(value, n, name)
    if not istype(vector_t, value) then wrong_type(value, n, name, "vector") end
    return value
end

function raw.vector_fill(vector, value)
    check_vector(vector, 1, "fill")
    number(value, 2, "fill")
    for i = 0, vector._count - 1 do vector._values[i] = value end
    return vector
end

function raw.vector_set(vector, array)
    check_vector(vector, 1, "set")
    if type(array) ~= "table" then wrong_type(array, 2, "set", "table") end
    if #array > vector._count then
        error(("%d numbers do not fit a vector of %d"):format(#array, vector._count), 2)
    end
    for i = 1, #array do vector._values[i - 1] = number_of(array[i], i) end
    return vector
end

function raw.vector_table(vector)
    check_vector(vector, 1, "table")
    local out = {}
    for i = 1, vector._count do out[i] = vector._values[i - 1] end
    return out
end

local vector_methods = methods.vector
metas.vector.__index = function(vector, i)
    if type(i) == "number" then
        if i >= 1 and i <= vector._count and i == floor(i) then
            return vector._values[i - 1]
        end
        return nil
    end
    return vector_methods[i]
end
metas.vector.__newindex = function(vector, i, value)
    if type(i) ~= "number" then wrong_type(i, 2, "vector", "number") end
    if not (i >= 1 and i <= vector._count and i == floor(i)) then
        error(("index %f is outside of a vector of %d"):format(i, vector._count), 2)
    end
    if type(value) ~= "number" then
        if not is_null(value) then wrong_type(value, 3, "vector", "number") end
        value = nan
    end
    vector._values[i - 1] = value
end
metas.vector.__len = function(vector) return vector._count end
metas.vector.__tostring = function(vector)
    return ("libml.vector of %d"):format(vector._count)
end

--@special

--@calls

-- ---- the face ----

local core = { raw = raw, methods = methods, metas = metas, error_meta = error_meta,
               null = null }
local face = (function(...)
--@face
end)(core)

for _, kind in ipairs(kinds) do ffi.metatype(types[kind], metas[kind]) end

return face
