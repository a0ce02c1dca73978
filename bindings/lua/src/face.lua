-- SPDX-License-Identifier: MIT
-- face.lua: the module as programs see it, made of plain functions. It is the same for the
-- C module and for the FFI module; Lua 5.1 to 5.4. Indices start at 1.
--
-- Every plain function "table_select" is the method "select" of tables; what is written here
-- comes on top. What can fail in good use gives nil and an error; misuse raises one.

local core = ...
local raw, methods, metas, null = core.raw, core.methods, core.metas, core.null
local ml = { _VERSION = "libml " .. raw.version(), null = null }
local floor, concat = math.floor, table.concat
local to_integer = math.tointeger or function(value) return value end

for name, f in pairs(raw) do
    local kind, method = name:match("^(%l+)_(.+)$")
    if methods[kind] then methods[kind][method] = f end
end
for kind, names in pairs({
    context = { "new", "estimator_new", "params_new", "schema_new", "report_new",
                "model_load_file", "schema_name_at", "metric_score",
                "table_read_csv", "table_read_csv_io", "table_read_arrow",
                "table_read_tensor", "tensor_read_dlpack" },
    params = { "put", "yaml", "values", "type", "name", "count" },
    estimator = { "put", "values", "custom" },
    model = { "values", "get_tensor", "save_file" },
    report = { "save_file" },
    predictor = { "sizes" },
    table = { "with_numbers", "with_texts", "get_f64", "get_tensor" },
    tensor = { "new", "get_f64", "ndim" },
    cancel = { "new" },
    study = { "new" },
    vector = { "new" },
}) do
    for _, name in ipairs(names) do methods[kind][name] = nil end
end

for kind, meta in pairs(metas) do
    if meta.__close then methods[kind].free = meta.__close end
    methods[kind].alive = meta.__close and raw.alive
end

local function is_null(value)
    return value == nil or value == null
end

-- ---- errors ----

function core.error_meta.__tostring(err)
    return err.message
end

-- As assert, with the message of the error: many hosts show no error that is a table.
function ml.assert(value, err, ...)
    if not value then error(tostring(err or "assertion failed!"), 2) end
    return value, err, ...
end

local function misuse(level, text, ...)
    error(text:format(...), level + 1)
end

-- ---- lists ----

local escapes = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local function unescape(text)
    text = text:gsub("\\u(%x%x%x%x)", function(hex)
        local code = tonumber(hex, 16)
        return code < 128 and string.char(code) or nil
    end)
    return (text:gsub("\\(.)", function(c) return escapes[c] or c end))
end

-- The text of a list parameter, [1, 2.5, "a, \"b\""], as an array.
local function list_of(text)
    local list, at = {}, 2
    while true do
        local from, to = text:find('^[%s,]*"', at)
        if from then
            local stop = to + 1
            while text:sub(stop, stop) ~= '"' do
                if stop > #text then return list end
                stop = stop + (text:sub(stop, stop) == "\\" and 2 or 1)
            end
            list[#list + 1] = unescape(text:sub(to + 1, stop - 1))
            at = stop + 1
        else
            local word
            from, to, word = text:find("^[%s,]*([^%s,%]]+)", at)
            if not from then return list end
            if word == "true" or word == "false" then
                list[#list + 1] = word == "true"
            else
                list[#list + 1] = tonumber(word) or word
            end
            at = to + 1
        end
    end
end

-- Values and their types as one table: lists as arrays.
local function plain_values(values, types)
    for name, kind in pairs(types) do
        local value = values[name]
        if kind >= 5 and kind <= 7 and type(value) == "string" then
            values[name] = value ~= "" and list_of(value) or nil
        end
    end
    return values
end

local function names_of(object, count, name_at)
    local list = {}
    for i = 1, count(object) do list[i] = name_at(object, i) end
    return list
end

-- ---- contexts ----

local default

local function context()
    if not default then
        local made, err = raw.default_context()
        if not made then error(err.message, 0) end
        default = made
    end
    return default
end

local on_context = methods.context

-- A context of one's own. options: threads (default -1: all that are allowed), cpu_level,
-- blas_threads.
function ml.context(options)
    options = options or {}
    for name in pairs(options) do
        if name ~= "threads" and name ~= "cpu_level" and name ~= "blas_threads" then
            misuse(2, 'a context has no option "%s"; there are threads, cpu_level, '
                   .. "blas_threads", tostring(name))
        end
    end
    return raw.context_new(options.threads or -1, options.cpu_level or 0,
                           options.blas_threads or 0)
end

function on_context.estimator(ctx, name, params)
    local estimator, err = raw.context_estimator_new(ctx, name)
    if not estimator then return nil, err end
    return raw.estimator_put(estimator, params)
end
on_context.read_csv = raw.context_table_read_csv
on_context.read_csv_io = raw.context_table_read_csv_io
on_context.read_arrow = raw.context_table_read_arrow
on_context.read_dlpack = raw.context_tensor_read_dlpack
on_context.load = raw.context_model_load_file
on_context.load_bytes = raw.context_load_bytes
on_context.params = raw.context_params_new
on_context.schema = raw.context_schema_new
on_context.report = raw.context_report_new

-- Names of all algorithms, or of what a schema's sort is ("metric", "options").
function on_context.names(ctx, sort)
    local list = {}
    for i = 1, math.huge do
        local name = raw.context_schema_name_at(ctx, i)
        if not name then break end
        local schema = raw.context_schema_new(ctx, name)
        if schema and raw.schema_get(schema, 0, 1, "sort") == (sort or "algorithm") then
            list[#list + 1] = name
        end
    end
    return list
end

-- ---- vectors and tensors ----

-- ml.vector(n): n zeros. ml.vector(array [, n]): its numbers; nil is a missing value.
ml.vector = raw.vector_new

local on_tensor = methods.tensor

local function as_vector(values)
    return raw.type(values) == "vector" and values or raw.vector_new(values)
end

-- Of a vector, an array, or an array of rows; shape: sizes of the dimensions.
function on_context.tensor(ctx, values, shape)
    local first = type(values) == "table" and values[1]
    if type(first) == "table" and not shape then
        local rows, width = #values, #first
        local flat = raw.vector_new(rows * width)
        for i = 1, rows do
            if #values[i] ~= width then
                misuse(2, "row %d has %d numbers, the first has %d", i, #values[i], width)
            end
            for j = 1, width do flat[(i - 1) * width + j] = values[i][j] end
        end
        return raw.tensor_new(ctx, flat, { rows, width })
    end
    return raw.tensor_new(ctx, as_vector(values), shape)
end

local dtypes = {
    "bool", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64",
    [16] = "f32", [17] = "f64", [32] = "text", [33] = "category", [34] = "date",
    [35] = "timestamp",
}

on_tensor.get = raw.tensor_get_f64
function on_tensor.dtype(t) return dtypes[raw.tensor_dtype(t)] end
function metas.tensor.__len(t) return raw.tensor_shape(t)[1] or 1 end

-- ---- tables ----

local on_table = methods.table

metas.table.__len = raw.table_rows

-- The index of a column that is given by index or name.
local function column_at(t, column)
    if type(column) ~= "string" then return column end
    return raw.table_find(t, column) or misuse(3, 'the table has no column "%s"', column)
end

-- What the values of an array are: "number", "whole", "boolean", "string".
local function sort_of(name, values, count)
    local sort, missing = nil, false
    for i = 1, count do
        local value = values[i]
        local kind = type(value)
        if is_null(value) then
            missing = true
        elseif kind == "number" then
            local whole = floor(value) == value and value > -2 ^ 53 and value < 2 ^ 53
            kind = whole and sort ~= "number" and "whole" or "number"
            if sort == nil or sort == "whole" then sort = kind end
            if sort ~= "whole" and sort ~= "number" then kind = "mixed" end
        elseif kind == "string" or kind == "boolean" then
            if sort == nil then sort = kind end
            if sort ~= kind then kind = "mixed" end
        else
            misuse(4, 'column "%s", row %d: a %s is no value', name, i, kind)
        end
        if kind == "mixed" then
            misuse(4, 'column "%s", row %d: a %s among values of type %s', name, i,
                   type(value), sort == "whole" and "number" or sort)
        end
    end
    return sort, missing
end

local F64, I64, BOOL = 17, 5, 1

-- A table with a column more: a vector, a tensor, or an array of numbers (whole numbers
-- become integers), booleans or texts.
local function with_column(ctx, t, name, values)
    local kind = raw.type(values)
    if kind == "vector" then return raw.table_with_numbers(ctx, t, name, values, F64) end
    if kind == "tensor" then
        return raw.table_with_numbers(ctx, t, name, raw.tensor_vector(values), F64)
    end
    if type(values) ~= "table" then
        misuse(3, 'column "%s": a vector or an array is expected, not a %s', name,
               kind or type(values))
    end
    local count = #values
    local sort, missing = sort_of(name, values, count)
    if sort == "string" then
        return raw.table_with_texts(ctx, t, name, values, count)
    end
    local dtype = F64
    if not missing and sort == "whole" then dtype = I64 end
    if not missing and sort == "boolean" then dtype = BOOL end
    return raw.table_with_numbers(ctx, t, name, raw.vector_new(values, count), dtype)
end

-- Of columns by name; names: their order, and which (default: all, sorted).
function on_context.table(ctx, columns, names)
    if type(columns) ~= "table" then
        misuse(2, "a table of columns is expected, not a %s", type(columns))
    end
    if not names then
        names = {}
        for name in pairs(columns) do
            if type(name) ~= "string" then
                misuse(2, "columns are named: {name = values}, got the key %s",
                       tostring(name))
            end
            names[#names + 1] = name
        end
        table.sort(names)
    end
    local t, err
    for _, name in ipairs(names) do
        if columns[name] == nil then misuse(2, 'there is no column "%s"', name) end
        t, err = with_column(ctx, t, name, columns[name])
        if not t then return nil, err end
    end
    if not t then misuse(2, "a table needs a column") end
    return t
end

-- Of rows, tables of values by name; names: the order of the columns, and which.
function on_context.records(ctx, rows, names)
    local columns, order = {}, names
    if type(rows) ~= "table" then
        misuse(2, "a table of rows is expected, not a %s", type(rows))
    end
    for i, row in ipairs(rows) do
        if type(row) ~= "table" then misuse(2, "row %d is a %s", i, type(row)) end
    end
    if not order then
        local seen = {}
        order = {}
        for _, row in ipairs(rows) do
            for name in pairs(row) do
                if not seen[name] then order[#order + 1] = name end
                seen[name] = true
            end
        end
        table.sort(order)
    end
    for _, name in ipairs(order) do
        local column = {}
        for i, row in ipairs(rows) do
            column[i] = row[name]
            if column[i] == nil then column[i] = null end
        end
        columns[name] = column
    end
    return on_context.table(ctx, columns, order)
end

-- A table of numbers out of a tensor; names: of its columns.
on_context.read_tensor = raw.context_table_read_tensor

function on_table.columns(t)
    return names_of(t, raw.table_columns, raw.table_column_name)
end

function on_table.rows(t) return raw.table_rows(t) end

-- A table with one column more, or with a column of that name replaced.
function on_table.with(t, name, values)
    return with_column(context(), t, name, values)
end

function on_table.column_type(t, column)
    return dtypes[raw.table_column_type(t, column_at(t, column))]
end

-- A cell: a number, a boolean, a text (dates too), or nil when it is missing.
function on_table.get(t, row, column)
    column = column_at(t, column)
    local kind = raw.table_column_type(t, column)
    if kind >= 32 then return raw.table_text(t, row, column) end
    local value = raw.table_get_f64(t, row, column)
    if value ~= value then return nil end
    if kind == BOOL then return value ~= 0 end
    return kind < 16 and to_integer(value) or value
end

-- A cell as text, or nil.
function on_table.text(t, row, column)
    return raw.table_text(t, row, column_at(t, column))
end

-- A column: a vector of numbers (missing values are NaN), or an array of texts (ml.null).
function on_table.column(t, column)
    local at = column_at(t, column)
    local kind = raw.table_column_type(t, at)
    if kind == 0 then misuse(2, "the table has %d columns", raw.table_columns(t)) end
    if kind >= 32 then
        local list = {}
        for i = 1, raw.table_rows(t) do list[i] = raw.table_text(t, i, at) or null end
        return list
    end
    local tensor, err = raw.table_get_tensor(t, at)
    if not tensor then return nil, err end
    return raw.tensor_vector(tensor)
end

-- Rows as tables of values by name; what is missing is absent.
function on_table.records(t)
    local names, rows = on_table.columns(t), {}
    for i = 1, raw.table_rows(t) do
        local row = {}
        for c = 1, #names do row[names[c]] = on_table.get(t, i, c) end
        rows[i] = row
    end
    return rows
end

-- ---- estimators ----

local on_estimator = methods.estimator

function on_estimator.params(e) return plain_values(raw.estimator_values(e)) end

-- e:set{ name = value, ... } or e:set(name, value)
function on_estimator.set(e, name, value)
    if type(name) == "string" then name = { [name] = value } end
    return raw.estimator_put(e, name)
end

-- Functions of gradients and metrics, by estimator. Copies share them.
local custom = setmetatable({}, { __mode = "k" })

local function set_custom(e, name, f, maximize)
    if f ~= nil and type(f) ~= "function" then
        misuse(3, "a function is expected, not a %s", type(f))
    end
    local done, err = raw.estimator_custom(e, name, f ~= nil, maximize or false)
    if not done then return nil, err end
    local have = custom[e] or {}
    custom[e] = { objective = have.objective, metric = have.metric, maximize = have.maximize }
    custom[e][name] = f
    if name == "metric" then custom[e].maximize = maximize end
    return e
end

-- f gets {rows, outputs, labels, weights, scores, gradients, hessians} after each round and
-- fills the last two.
function on_estimator.set_objective(e, f) return set_custom(e, "objective", f) end

-- f gets the same without them, of the validation rows, and gives a number.
function on_estimator.set_metric(e, f, maximize)
    return set_custom(e, "metric", f, maximize)
end

function on_estimator.fit(e, train, valid, progress)
    local have = raw.type(e) == "estimator" and custom[e] or {}
    return raw.estimator_fit(e, train, valid, progress, have.objective, have.metric)
end

function on_estimator.clone(e)
    local copy, err = raw.estimator_clone(e)
    local have = custom[e] or {}
    for _, name in ipairs({ "objective", "metric" }) do
        if copy and have[name] then
            copy, err = set_custom(copy, name, have[name], have.maximize)
        end
    end
    return copy, err
end

function methods.params.get(p, name) return plain_values(raw.params_values(p))[name] end
function methods.params.table(p) return plain_values(raw.params_values(p)) end
methods.params.set = raw.params_put
methods.params.write_yaml = raw.params_yaml

-- ---- models ----

local on_model = methods.model

on_model.save = raw.model_save_file
function on_model.params(m) return plain_values(raw.model_values(m)) end
function on_model.inputs(m) return names_of(m, raw.model_inputs, raw.model_input_name) end
function on_model.classes(m) return names_of(m, raw.model_classes, raw.model_class_label) end
function on_model.attributes(m)
    return names_of(m, raw.model_attributes, raw.model_attribute_name)
end

-- A fitted attribute: a number, or a tensor.
function on_model.attribute(m, name)
    local tensor, err = raw.model_get_tensor(m, name)
    if not tensor then return nil, err end
    if raw.tensor_ndim(tensor) == 0 then return raw.tensor_get_f64(tensor, 1) end
    return tensor
end

-- The model file as a string.
function on_model.bytes(m)
    local parts = {}
    local done, err = raw.model_save_io(m, function(part) parts[#parts + 1] = part end)
    if not done then return nil, err end
    return concat(parts)
end

-- Scores by metric; metrics: names, as a text with commas or an array; nil for the usual.
function on_model.evaluate(m, t, metrics)
    if type(metrics) == "table" then metrics = concat(metrics, ",") end
    local result, err = raw.model_evaluate(m, t, metrics)
    if not result then return nil, err end
    local scores = {}
    for i = 1, raw.table_rows(result) do
        scores[raw.table_text(result, i, 1)] = raw.table_get_f64(result, i, 2)
    end
    return scores
end

-- Predictions of a whole table, as a table.
function on_model.predict(m, t, kind, options)
    local predictor, err = raw.model_predictor(m, kind, options)
    if not predictor then return nil, err end
    return raw.predictor_run_table(predictor, t)
end

-- ---- predictors ----

local on_predictor = methods.predictor

function on_predictor.outputs(p)
    return names_of(p, raw.predictor_outputs, raw.predictor_output_name)
end
function on_predictor.inputs(p) return (raw.predictor_sizes(p)) end
metas.predictor.__len = raw.predictor_outputs

-- The code of a category for rows as vectors. input: index or name.
function on_predictor.code(p, input, text)
    if type(input) == "string" then
        input = raw.predictor_input(p, input)
            or misuse(2, 'the model has no input "%s"', input)
    end
    return raw.predictor_code(p, input, text)
end

-- ---- studies ----

local on_study = methods.study

-- The number of trials when the options give none; nil when they do.
local function default_trials(options)
    local schema = raw.context_schema_new(context(), "options.study")
    local most = raw.schema_find(schema, 1, "n_trials")
    if raw.type(options) == "params" then options = plain_values(raw.params_values(options)) end
    for name in pairs(type(options) == "table" and options or {}) do
        if type(name) == "string" and raw.schema_find(schema, 1, name) == most then return end
    end
    return tonumber((raw.schema_get(schema, 1, most, "default")))
end

-- A study fits with the functions that its estimator had.
function ml.study(estimator, train, options, valid)
    local s, err = raw.study_new(estimator, train, valid, options)
    if not s then return nil, err end
    local have = custom[estimator] or {}
    custom[s] = { objective = have.objective, metric = have.metric,
                  trials = default_trials(options) }
    return s
end

local function functions_of(s)
    return raw.type(s) == "study" and custom[s] or {}
end

function on_study.run(s, progress, cancel)
    local have = functions_of(s)
    return raw.study_run(s, progress, have.objective, have.metric, cancel)
end

function on_study.best_model(s, cancel)
    local have = functions_of(s)
    return raw.study_best_model(s, have.objective, have.metric, cancel)
end

-- How often optimize asks; the library ends what the options limit.
local function rounds_of(s, trials)
    if trials ~= nil and type(trials) ~= "number" then
        misuse(3, "a number of trials is expected, not a %s", type(trials))
    end
    local most = not trials and functions_of(s).trials
    if not most then return trials or math.huge end
    for _, state in ipairs(s:get_table("trials"):column("state")) do
        if state ~= "asked" then most = most - 1 end
    end
    return most
end

-- f(params, trial) gives the score of a table of parameters, or nil when they are no good;
-- trials: how many more at most. The options of the study hold as well: n_trials counts all
-- its trials. What f raises is raised, and the trial counts as failed.
function on_study.optimize(s, f, trials)
    if type(f) ~= "function" then misuse(2, "a function is expected, not a %s", type(f)) end
    for _ = 1, rounds_of(s, trials) do
        local trial, params = on_study.ask(s)
        if not trial and params.status == "ML_E_STATE" then break end  -- the study is over
        if not trial then return nil, params end
        local done, score = pcall(f, params, trial)
        local number = done and type(score) == "number" and score or 0 / 0
        local told, err = raw.study_tell(s, trial, number)
        if not told then raw.study_tell(s, trial, 0 / 0) end
        if not done then error(score, 0) end
        if score ~= nil and type(score) ~= "number" then
            misuse(2, "a score is a number or nil, not a %s", type(score))
        end
        if not told then return nil, err end
    end
    return s
end

-- The next trial's number, and its parameters as a table.
function on_study.ask(s)
    local trial, params = raw.study_ask(s)
    if not trial then return nil, params end
    return trial, plain_values(raw.params_values(params))
end

-- The best trial's parameters as a table, and its score.
function on_study.best_params(s)
    local score, params = raw.study_best_params(s)
    if not score then return nil, params end
    return plain_values(raw.params_values(params)), score
end

-- ---- cancel tokens ----

local on_cancel = methods.cancel
local answers = { continue = 0, stop = 1, cancel = 2 }
local answer_names = { [0] = "continue", "stop", "cancel" }

local function answer_of(mode)
    return answers[mode or "cancel"]
        or misuse(3, 'a mode is "cancel", "stop" or "continue", not %s', tostring(mode))
end

-- A token that stops fits and studies: ml.cancel(), then token:request("stop").
function ml.cancel() return raw.cancel_new() end
function on_cancel.request(c, mode) return raw.cancel_request(c, answer_of(mode)) end
function on_cancel.set_deadline(c, seconds, mode)
    return raw.cancel_set_deadline(c, seconds, answer_of(mode))
end
function on_cancel.state(c) return answer_names[raw.cancel_state(c)] end

-- ---- schemas and reports ----

-- Entries of a group as tables: "params", "roles", "kinds", "attributes".
local groups = { algorithm = 0, params = 1, roles = 2, kinds = 3, attributes = 4 }
local param_fields = {
    "name", "aliases", "type", "default", "range", "tune", "active_if", "flags", "doc", "since",
}
local fields = {
    algorithm = { "name", "aliases", "title", "doc", "family", "sort", "tasks", "caps",
                  "since", "direction", "needs" },
    params = param_fields,
    roles = param_fields,
    kinds = { "name", "doc", "shape" },
    attributes = { "name", "dtype", "shape", "doc" },
}

function methods.schema.list(s, group)
    local number = groups[group]
    if raw.type(s) == "schema" and not number then
        misuse(2, 'a schema has no group "%s"', tostring(group))
    end
    local list = {}
    for i = 1, raw.schema_count(s, number) do
        local entry = {}
        for _, field in ipairs(fields[group]) do
            local text = raw.schema_get(s, number, i, field)
            if text and text ~= "" then entry[field] = text end
        end
        list[i] = entry
    end
    return list
end

methods.report.save = raw.report_save_file

-- ---- metrics ----

-- A metric of truth and prediction: vectors, arrays or tensors. options: weight, and those
-- of "options.metric".
function on_context.score(ctx, metric, truth, prediction, options)
    local weight, others = nil, nil
    for name, value in pairs(options or {}) do
        if name == "weight" then
            weight = value
        else
            others = others or {}
            others[name] = value
        end
    end
    local function tensor(values)
        if raw.type(values) == "tensor" then return values end
        return ml.assert(on_context.tensor(ctx, values))
    end
    return raw.context_metric_score(ctx, metric, tensor(truth), tensor(prediction),
                                    weight and tensor(weight), others)
end

-- ---- functions of the module: those of the default context ----

for _, name in ipairs({ "estimator", "read_csv", "read_csv_io", "read_arrow", "read_dlpack",
                        "read_tensor", "load", "load_bytes", "params", "schema", "report",
                        "names", "tensor", "table", "records", "score",
                        "set_threads", "info" }) do
    local method = on_context[name]
    ml[name] = function(...) return method(context(), ...) end
end

-- The names of the methods of a type, as for completion in an editor or a shell.
function ml.methods(kind)
    local list = {}
    for name in pairs(methods[kind] or {}) do list[#list + 1] = name end
    table.sort(list)
    return list
end

ml.type, ml.default_context = raw.type, context

-- ---- constructors by name of the algorithm: ml.gbdt{ target = "y" } ----

setmetatable(ml, {
    __index = function(_, name)
        if type(name) ~= "string" then return nil end
        local schema = raw.context_schema_new(context(), name)
        local sort = schema and raw.schema_get(schema, 0, 1, "sort")
        if not sort or sort == "metric" or sort == "options" then return nil end
        local function make(params) return on_context.estimator(context(), name, params) end
        rawset(ml, name, make)
        return make
    end,
})

return ml
