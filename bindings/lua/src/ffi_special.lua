-- SPDX-License-Identifier: MIT
-- ffi_special.lua: the functions of the FFI module that are not generated, as special.c has
-- them for the C module. A part of ffi.lua, in the place of its mark.

function raw.context_new(threads, cpu_level, blas_threads)
    local host, out = new("ml_host"), new("ml_context *[1]")
    host.struct_size = ffi.sizeof("ml_host")
    host.threads = integer32(threads, 1, "context")
    host.cpu_level = integer32(cpu_level, 2, "context")
    host.blas_threads = integer32(blas_threads, 3, "context")
    if C.ml_context_new(host, out, err) < 0 then return fail() end
    return made("context", out[0])
end

function raw.params_put(params, name, value)
    local set = check(params, "params", 1, "set")
    if put(set, text(name, 2, "set"), value) < 0 then return fail() end
    return params
end

local function values_of(params)
    local values, kinds_of = {}, {}
    local integer_out, real_out = new("int64_t[1]"), new("double[1]")
    for i = 0, tonumber(C.ml_params_count(params)) - 1 do
        local name = to_text(C.ml_params_name(params, i))
        local kind = C.ml_params_type(params, name)
        local value
        if kind == 1 or kind == 2 then
            local status = C.ml_params_get_i64(params, name, integer_out, nil)
            value = status < 0 and 0 or tonumber(integer_out[0])
            if kind == 1 then value = value ~= 0 end
        elseif kind == 3 then
            local status = C.ml_params_get_f64(params, name, real_out, nil)
            value = status < 0 and nan or real_out[0]
        else
            value = text_of(C.ml_params_get_str(params, name))
        end
        values[name], kinds_of[name] = value, kind
    end
    return values, kinds_of
end

function raw.params_values(params) return values_of(check(params, "params", 1, "params")) end

function raw.estimator_values(estimator)
    return values_of(C.ml_estimator_params(check(estimator, "estimator", 1, "params")))
end

function raw.model_values(model)
    return values_of(C.ml_model_params(check(model, "model", 1, "params")))
end

function raw.params_yaml(params)
    local set, needed = check(params, "params", 1, "write_yaml"), new("size_t[1]")
    if C.ml_params_write_yaml(set, nil, 0, needed, err) < 0 then return fail() end
    local buffer = new("char[?]", needed[0])
    if C.ml_params_write_yaml(set, buffer, needed[0], needed, err) < 0 then return fail() end
    return to_text(buffer)
end

function raw.tensor_new(context, vector, shape)
    local ctx = check(context, "context", 1, "tensor")
    check_vector(vector, 2, "tensor")
    if shape == nil then shape = { vector._count } end
    if type(shape) ~= "table" then wrong_type(shape, 3, "tensor", "table") end
    if #shape > 8 then arg_error(3, "tensor", "at most 8 dimensions") end
    local sizes, total = new("int64_t[8]"), 1
    for i = 1, #shape do
        if integer(shape[i], 3, "tensor") < 0 then total = -1 end
        sizes[i - 1] = shape[i]
        total = total * shape[i]
    end
    if total ~= vector._count then
        arg_error(3, "tensor", "the shape does not fit the number of elements")
    end
    local out = new("ml_tensor *[1]")
    if C.ml_tensor_new(ctx, 17, #shape, sizes, nil, vector._values, out, err) < 0 then
        return fail()
    end
    return made("tensor", out[0])
end

function raw.tensor_shape(tensor)
    local t, out = check(tensor, "tensor", 1, "shape"), {}
    local sizes = C.ml_tensor_shape(t)
    for i = 1, C.ml_tensor_ndim(t) do out[i] = tonumber(sizes[i - 1]) end
    return out
end

local element_types = {
    "uint8_t", "int8_t", "int16_t", "int32_t", "int64_t", "uint8_t", "uint16_t", "uint32_t",
    "uint64_t", [16] = "float", [17] = "double",
}

function raw.tensor_vector(tensor)
    local t = check(tensor, "tensor", 1, "vector")
    local sizes, strides = C.ml_tensor_shape(t), C.ml_tensor_strides(t)
    local ndim = C.ml_tensor_ndim(t)
    local data = cast("const " .. element_types[C.ml_tensor_dtype(t)] .. " *",
                      C.ml_tensor_data(t))
    local shape, step, at, total = {}, {}, {}, 1
    for i = 1, ndim do
        shape[i], step[i], at[i] = tonumber(sizes[i - 1]), tonumber(strides[i - 1]), 0
        total = total * shape[i]
    end
    local vector, place = new_vector(total), 0
    for n = 0, total - 1 do
        vector._values[n] = tonumber(data[place])
        for i = ndim, 1, -1 do
            place, at[i] = place + step[i], at[i] + 1
            if at[i] < shape[i] then break end
            place, at[i] = place - step[i] * shape[i], 0
        end
    end
    return vector
end

local cell = new("char[256]")

function raw.table_text(t, row, column)
    local tab = check(t, "table", 1, "text")
    row, column = index(row, 2, "text"), index(column, 3, "text")
    local size = tonumber(C.ml_table_get_str(tab, row, column, cell, 256))
    if size < 0 then return nil end
    if size < 256 then return to_text(cell, size) end
    local long = new("char[?]", size + 1)
    C.ml_table_get_str(tab, row, column, long, size + 1)
    return to_text(long, size)
end

local function with_numbers(ctx, tab, name, vector, dtype)
    local values, count = vector._values, vector._count
    if dtype == 5 then
        values = new("int64_t[?]", count)
        for i = 0, count - 1 do values[i] = vector._values[i] end
    elseif dtype == 1 then
        values = new("uint8_t[?]", count)
        for i = 0, count - 1 do values[i] = vector._values[i] ~= 0 and 1 or 0 end
    end
    local tensor, out = new("ml_tensor *[1]"), new("ml_table *[1]")
    local shape = new("int64_t[1]", count)
    local status = C.ml_tensor_new(ctx, dtype, 1, shape, nil, values, tensor, err)
    if status == 0 then status = C.ml_table_with_tensor(tab, name, tensor[0], out, err) end
    C.ml_tensor_free(tensor[0])
    if status < 0 then return fail() end
    return made("table", out[0])
end

function raw.table_with_numbers(context, t, name, vector, dtype)
    local ctx, tab = check(context, "context", 1, "table"), opt(t, "table", 2, "table")
    text(name, 3, "table")
    return with_numbers(ctx, tab, name, check_vector(vector, 4, "table"), dtype)
end

function raw.table_with_texts(context, t, name, array, count)
    local ctx, tab = check(context, "context", 1, "table"), opt(t, "table", 2, "table")
    local chars, out = new("const char *[?]", count + 1), new("ml_table *[1]")
    for i = 1, count do
        if type(array[i]) == "string" then chars[i - 1] = array[i] end
    end
    if C.ml_table_with_strs(ctx, tab, text(name, 3, "table"), chars, count, out, err) < 0 then
        return fail()
    end
    return made("table", out[0])
end

function raw.estimator_put(estimator, given)
    local e = check(estimator, "estimator", 1, "set")
    local params, temporary = options(given, 2, "set")
    local status = 0
    if params ~= nil then status = C.ml_estimator_set_params(e, params, err) end
    end_options(temporary)
    if status < 0 then return fail() end
    return estimator
end

-- ---- functions of gradients and metrics ----

local function vector_of(numbers, count)
    local vector = new_vector(count)
    if numbers ~= nil then copy(vector._values, numbers, count * 8) end
    return vector
end

local function round_of(rows, outputs, labels, weights, scores)
    rows, outputs = tonumber(rows), tonumber(outputs)
    return {
        rows = rows, outputs = outputs, labels = vector_of(labels, rows),
        weights = weights ~= nil and vector_of(weights, rows) or nil,
        scores = vector_of(scores, rows * outputs),
    }
end

-- Calls another function of the running call than that of its progress.
local function call_instead(f, round)
    local call = running[#running]
    local progress, accept = call.f, call.accept
    call.f, call.accept = f, nil
    local done, answer = call_back(call, round)
    call.f, call.accept = progress, accept
    return done, answer
end

local on_objective = cast("ml_objective_fn", function(rows, outputs, labels, weights, scores,
                                                      gradients, hessians)
    local objective = running[#running] and running[#running].objective
    if not objective then return -1 end
    local round = round_of(rows, outputs, labels, weights, scores)
    local count = round.rows * round.outputs
    round.gradients, round.hessians = new_vector(count), new_vector(count)
    copy(round.gradients._values, gradients, count * 8)  -- NaN: what is left out is found
    copy(round.hessians._values, hessians, count * 8)
    local done = call_instead(function()
        objective(round)
        for _, name in ipairs({ "gradients", "hessians" }) do
            if not istype(vector_t, round[name]) or round[name]._count ~= count then
                error(("%s is no vector of %d numbers"):format(name, count), 0)
            end
        end
    end)
    if not done then return -1 end
    copy(gradients, round.gradients._values, count * 8)
    copy(hessians, round.hessians._values, count * 8)
    return 0
end)

local on_metric = cast("ml_metric_fn", function(rows, outputs, labels, weights, scores, value)
    local metric = running[#running] and running[#running].metric
    if not metric then return -1 end
    local done, answer = call_instead(function(round)
        local got = metric(round)
        if type(got) ~= "number" then
            error("a metric gives a number, not a " .. type(got), 0)
        end
        return got
    end, round_of(rows, outputs, labels, weights, scores))
    if not done then return -1 end
    value[0] = answer
    return 0
end)

function raw.estimator_custom(estimator, name, on, maximize)
    local e = check(estimator, "estimator", 1, "set_" .. name)
    local status
    if name == "metric" then
        status = C.ml_estimator_set_metric(e, on and on_metric or nil, nil, maximize and 1 or 0,
                                           err)
    else
        status = C.ml_estimator_set_objective(e, on and on_objective or nil, nil, err)
    end
    if status < 0 then return fail() end
    return estimator
end

-- A running call with a progress function, a loss and a metric, each of which may be nil.
local function begin_rounds(progress, objective, metric, n, name, ...)
    local call = begin_progress(progress, n, name, ...)
        or begin(function() end, n, name, nil, ...)
    call.objective, call.metric = objective, metric
    return call
end

function raw.estimator_fit(estimator, train, valid, progress, objective, metric)
    local e = check(estimator, "estimator", 1, "fit")
    local rows, others = check(train, "table", 2, "fit"), opt(valid, "table", 3, "fit")
    local call = begin_rounds(progress, objective, metric, 4, "fit", estimator, train, valid)
    local out = new("ml_model *[1]")
    C.ml_estimator_set_progress(e, progress and on_progress or nil, nil)
    local status = C.ml_estimator_fit(e, rows, others, out, err)
    C.ml_estimator_set_progress(e, nil, nil)
    local model = out[0] ~= nil and made("model", out[0]) or nil
    local failed, none, problem = finish(call, status)
    if failed then return none, problem end
    return model
end
jit.off(raw.estimator_fit)

function raw.study_run(study, progress, objective, metric, cancel)
    local s = check(study, "study", 1, "run")
    local token = opt(cancel, "cancel", 3, "run")
    local call = begin_rounds(progress, objective, metric, 2, "run", study)
    local status = C.ml_study_run(s, progress and on_progress or nil, nil, token, err)
    local failed, none, problem = finish(call, status)
    if failed then return none, problem end
    return study
end
jit.off(raw.study_run)

function raw.study_best_model(study, objective, metric, cancel)
    local s = check(study, "study", 1, "best_model")
    local token = opt(cancel, "cancel", 2, "best_model")
    local call = begin_rounds(nil, objective, metric, 2, "best_model", study)
    local out = new("ml_model *[1]")
    local status = C.ml_study_best_model(s, token, out, err)
    local model = out[0] ~= nil and made("model", out[0]) or nil
    local failed, none, problem = finish(call, status)
    if failed then return none, problem end
    return model
end
jit.off(raw.study_best_model)

function raw.context_load_bytes(context, content, given)
    local ctx = check(context, "context", 1, "load_bytes")
    bytes(content, 2, "load_bytes")
    local params, temporary = options(given, 3, "load_bytes")
    local block = ffi.C.malloc(math.max(#content, 1))
    if block == nil then error("out of memory", 2) end
    copy(block, content, #content)
    local out = new("ml_model *[1]")
    local status = C.ml_model_load_memory(
        ctx, block, #content, cast("ml_release_fn", ffi.C.free), block, params, out, err)
    if status < 0 then ffi.C.free(block) end
    end_options(temporary)
    if status < 0 then return fail() end
    return made("model", out[0])
end

-- ---- predictors ----

-- A letter per input for its kind, by the number of the predictor. See special.c.
local input_kinds, serials = setmetatable({}, { __mode = "v" }), 0
local keepers = setmetatable({}, { __mode = "k" })

function raw.model_predictor(model, kind, given)
    local m = check(model, "model", 1, "predictor")
    opt_text(kind, 2, "predictor")
    local params, temporary = options(given, 3, "predictor")
    local out = new("ml_predictor *[1]")
    local status = C.ml_predictor_new(m, kind, params, out, err)
    local absent, unseen
    if params ~= nil then
        absent = text_of(C.ml_params_get_str(params, "missing_columns"))
        unseen = text_of(C.ml_params_get_str(params, "unseen"))
    end
    if not unseen or unseen == "model" then
        unseen = text_of(C.ml_params_get_str(C.ml_model_params(m), "unseen"))
    end
    end_options(temporary)
    if status < 0 then return fail() end
    local handle = made("predictor", out[0])
    handle._lenient = absent and absent ~= "error" and 1 or 0
    handle._strict = unseen == "error" and 1 or 0
    handle._model = C.ml_model_ref(m)
    handle._inputs = tonumber(C.ml_model_inputs(m))
    handle._outputs = tonumber(C.ml_predictor_outputs(out[0]))
    return handle
end

-- Names and kinds of the inputs.
local function inputs_of(handle)
    local found = input_kinds[handle._serial]
    if found then return found end
    local json = to_text(C.ml_model_json(handle._model))
    local at = json:find('"inputs": [{"name": ', 1, true)
    found = { names = {}, numeric = {} }
    for i = 1, handle._inputs do
        found.names[i] = to_text(C.ml_model_input_name(handle._model, i - 1))
        local letter
        at, letter = select(2, json:find('"kind": "(%a)', at))
        letter = at and json:sub(at, at)
        found.numeric[i] = letter == "n"
    end
    serials = serials + 1
    handle._serial = serials
    input_kinds[serials], keepers[handle] = found, found
    return found
end

local function category(handle, i, name, value)
    local code = C.ml_predictor_code(handle._ptr, i - 1, value)
    if code ~= code and handle._strict ~= 0 then
        error(('input "%s": training had no category "%s"'):format(name, value), 4)
    end
    return code
end

local function input_number(handle, found, i, value)
    local kind = type(value)
    if found.numeric[i] then
        if kind == "number" then return value end
        if kind == "boolean" then return value and 1 or 0 end
    elseif kind == "number" then
        return category(handle, i, found.names[i],
                        is_whole(value) and ("%.0f"):format(value) or tostring(value))
    elseif kind == "string" or kind == "boolean" then
        return category(handle, i, found.names[i], tostring(value))
    end
    if is_null(value) then return nan end
    error(('input "%s": a %s is no %s'):format(found.names[i], kind,
                                              found.numeric[i] and "number" or "category"), 4)
end

local function table_row(handle, given, row)
    local found = inputs_of(handle)
    local width = #given
    if width > handle._inputs then
        error(("%d values, the model has %d inputs"):format(width, handle._inputs), 3)
    end
    for i = 1, handle._inputs do
        local value
        if width > 0 then
            value = given[i]
        else
            value = given[found.names[i]]
            if value == nil and type(value) == "nil" and handle._lenient == 0 then
                error(('the row has no "%s"; a missing value is libml.null, or set the option '
                       .. 'missing_columns to "missing"'):format(found.names[i]), 3)
            end
        end
        row._values[i - 1] = input_number(handle, found, i, value)
    end
end

local function result_vector(out, size, n, name)
    if out == nil then return new_vector(size) end
    check_vector(out, n, name)
    if out._count < size then
        arg_error(n, name, ("%d numbers do not fit a vector of %d"):format(size, out._count))
    end
    return out
end

function raw.predictor_row(predictor, row, out)
    local p = check(predictor, "predictor", 1, "row")
    local inputs = predictor._inputs
    out = result_vector(out, predictor._outputs, 3, "row")
    if type(row) == "table" then
        local given = row
        row = new_vector(inputs)
        table_row(predictor, given, row)
    else
        check_vector(row, 2, "row")
        if row._count ~= inputs then
            error(("a vector of %d, the model has %d inputs"):format(row._count, inputs), 2)
        end
    end
    if C.ml_predictor_rows(p, row._values, 17, 1, inputs, out._values, err) < 0 then
        return fail()
    end
    return out
end

function raw.predictor_rows(predictor, rows, count, out)
    local p = check(predictor, "predictor", 1, "rows")
    local inputs = predictor._inputs
    check_vector(rows, 2, "rows")
    local most = floor(rows._count / math.max(inputs, 1))
    count = count == nil and most or integer(count, 3, "rows")
    if count < 0 or count > most then
        error(("a vector of %d numbers does not hold %d rows of %d inputs"):format(
            rows._count, count, inputs), 2)
    end
    out = result_vector(out, count * predictor._outputs, 4, "rows")
    if C.ml_predictor_rows(p, rows._values, 17, count, inputs, out._values, err) < 0 then
        return fail()
    end
    return out
end

local function indices_of(v)
    local out = new("int64_t[?]", v._count + 1)
    for i = 0, v._count - 1 do
        local x = v._values[i] - 1
        out[i] = x >= 0 and x < 9e15 and x or -1
    end
    return out
end

function raw.predictor_sparse_rows(predictor, offsets, columns, values, absent, out)
    local p = check(predictor, "predictor", 1, "sparse_rows")
    check_vector(offsets, 2, "sparse_rows")
    check_vector(columns, 3, "sparse_rows")
    check_vector(values, 4, "sparse_rows")
    absent = absent == nil and 0 or number(absent, 5, "sparse_rows")
    local count, n = offsets._count - 1, columns._count
    if count < 0 then arg_error(2, "sparse_rows", "there is one offset more than rows") end
    if offsets._values[count] ~= n + 1 or values._count ~= n then
        arg_error(3, "sparse_rows", "the last offset, columns and values do not fit")
    end
    out = result_vector(out, count * predictor._outputs, 6, "sparse_rows")
    if C.ml_predictor_sparse_rows(p, indices_of(offsets), indices_of(columns), 5, values._values,
                                  17, count, absent, out._values, err) < 0 then
        return fail()
    end
    return out
end

function raw.predictor_sizes(predictor)
    check(predictor, "predictor", 1, "inputs")
    return predictor._inputs, predictor._outputs
end

function raw.predictor_input(predictor, name)
    check(predictor, "predictor", 1, "code")
    text(name, 2, "code")
    for i = 0, predictor._inputs - 1 do
        if to_text(C.ml_model_input_name(predictor._model, i)) == name then return i + 1 end
    end
end
