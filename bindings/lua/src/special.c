/* SPDX-License-Identifier: MIT
 *
 * special.c: the functions of the module that are not generated: those that move values
 * between Lua and libml in bulk, and the prediction of rows.
 */
#include "runtime.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* context_new(threads, cpu_level, blas_threads) */
static int context_new(lua_State *L)
{
    lml_state *state = lml_enter(L);
    ml_host host = ML_HOST_INIT;
    host.threads = lml_integer32(L, 1);
    host.cpu_level = lml_integer32(L, 2);
    host.blas_threads = lml_integer32(L, 3);
    lml_handle *result = lml_new(L, LML_CONTEXT);
    ml_context *out = NULL;
    if (ml_context_new(&host, &out, state->error) < 0) return lml_fail(L, state->error);
    lml_made(L, result, LML_CONTEXT, out);
    return 1;
}

/* ---- parameters ---- */

static int params_put(lua_State *L)
{
    lml_state *state = lml_enter(L);
    ml_params *params = lml_check(L, 1, LML_PARAMS);
    const char *name = lml_text(L, 2);
    lua_settop(L, 3);
    if (lml_put(L, params, name, state->error) < 0) return lml_fail(L, state->error);
    lua_settop(L, 1);
    return 1;
}

/* Values of a list stay text: the face takes it apart. */
static void push_value(lua_State *L, const ml_params *params, const char *name)
{
    int64_t integer = 0;
    double real = 0;
    switch (ml_params_type(params, name)) {
    case ML_PARAM_BOOL:
        if (ml_params_get_i64(params, name, &integer, NULL) < 0) integer = 0;
        lua_pushboolean(L, integer != 0);
        break;
    case ML_PARAM_I64:
        if (ml_params_get_i64(params, name, &integer, NULL) < 0) integer = 0;
        lml_push_integer(L, integer);
        break;
    case ML_PARAM_F64:
        if (ml_params_get_f64(params, name, &real, NULL) < 0) real = (double)NAN;
        lua_pushnumber(L, real);
        break;
    default:
        lml_push_text(L, ml_params_get_str(params, name));
    }
}

/* Two tables: values by name, and types by name. */
static int push_params(lua_State *L, const ml_params *params)
{
    int64_t count = ml_params_count(params);
    lua_createtable(L, 0, (int)count);
    lua_createtable(L, 0, (int)count);
    for (int64_t i = 0; i < count; i++) {
        const char *name = ml_params_name(params, i);
        push_value(L, params, name);
        lua_setfield(L, -3, name);
        lua_pushinteger(L, ml_params_type(params, name));
        lua_setfield(L, -2, name);
    }
    return 2;
}

static int params_values(lua_State *L)
{
    lml_enter(L);
    return push_params(L, lml_check(L, 1, LML_PARAMS));
}

static int estimator_values(lua_State *L)
{
    lml_enter(L);
    return push_params(L, ml_estimator_params(lml_check(L, 1, LML_ESTIMATOR)));
}

static int model_values(lua_State *L)
{
    lml_enter(L);
    return push_params(L, ml_model_params(lml_check(L, 1, LML_MODEL)));
}

static int params_yaml(lua_State *L)
{
    lml_state *state = lml_enter(L);
    const ml_params *params = lml_check(L, 1, LML_PARAMS);
    size_t needed = 0;
    ml_status status = ml_params_write_yaml(params, NULL, 0, &needed, state->error);
    if (status < 0) return lml_fail(L, state->error);
    char *text = lua_newuserdata(L, needed + 1);
    status = ml_params_write_yaml(params, text, needed, &needed, state->error);
    if (status < 0) return lml_fail(L, state->error);
    lua_pushlstring(L, text, needed - 1);
    return 1;
}

/* ---- tensors ---- */

/* tensor_new(context, vector, { size, ... }): of the vector's numbers, row by row */
static int tensor_new(lua_State *L)
{
    lml_state *state = lml_enter(L);
    ml_context *context = lml_check(L, 1, LML_CONTEXT);
    const lml_vector *vector = lml_check(L, 2, LML_VECTOR);
    int64_t shape[8] = {vector->count}, total = 1;
    int32_t ndim = 1;
    if (!lua_isnoneornil(L, 3)) {
        luaL_checktype(L, 3, LUA_TTABLE);
        ndim = (int32_t)lml_rawlen(L, 3);
        luaL_argcheck(L, ndim >= 0 && ndim <= 8, 3, "at most 8 dimensions");
        for (int i = 0; i < ndim; i++) {
            lua_rawgeti(L, 3, i + 1);
            shape[i] = lml_integer(L, lua_gettop(L));
            lua_pop(L, 1);
            luaL_argcheck(L, shape[i] >= 0 && shape[i] <= vector->count, 3,
                          "the shape does not fit the number of elements");
            total *= shape[i] <= INT32_MAX && total <= INT32_MAX ? shape[i] : 0;
        }
        luaL_argcheck(L, total == vector->count, 3,
                      "the shape does not fit the number of elements");
    }
    lml_handle *result = lml_new(L, LML_TENSOR);
    ml_tensor *out = NULL;
    ml_status status = ml_tensor_new(context, ML_DTYPE_F64, ndim, shape, NULL,
                                     vector->values, &out, state->error);
    if (status < 0) return lml_fail(L, state->error);
    lml_made(L, result, LML_TENSOR, out);
    return 1;
}

static int tensor_shape(lua_State *L)
{
    lml_enter(L);
    const ml_tensor *tensor = lml_check(L, 1, LML_TENSOR);
    int32_t ndim = ml_tensor_ndim(tensor);
    lua_createtable(L, ndim, 0);
    for (int i = 0; i < ndim; i++) {
        lml_push_integer(L, ml_tensor_shape(tensor)[i]);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

static double element(const ml_tensor *tensor, int64_t at)
{
    const void *data = ml_tensor_data(tensor);
    switch (ml_tensor_dtype(tensor)) {
    case ML_DTYPE_F64:
        return ((const double *)data)[at];
    case ML_DTYPE_F32:
        return ((const float *)data)[at];
    case ML_DTYPE_I64:
        return (double)((const int64_t *)data)[at];
    case ML_DTYPE_I32:
        return ((const int32_t *)data)[at];
    case ML_DTYPE_I16:
        return ((const int16_t *)data)[at];
    case ML_DTYPE_I8:
        return ((const int8_t *)data)[at];
    case ML_DTYPE_U64:
        return (double)((const uint64_t *)data)[at];
    case ML_DTYPE_U32:
        return ((const uint32_t *)data)[at];
    case ML_DTYPE_U16:
        return ((const uint16_t *)data)[at];
    default:
        return ((const uint8_t *)data)[at];
    }
}

/* All numbers as a vector, row by row. */
static int tensor_vector(lua_State *L)
{
    lml_enter(L);
    const ml_tensor *tensor = lml_check(L, 1, LML_TENSOR);
    const int64_t *shape = ml_tensor_shape(tensor), *strides = ml_tensor_strides(tensor);
    int32_t ndim = ml_tensor_ndim(tensor);
    int64_t total = 1, index[8] = {0}, at = 0;
    for (int i = 0; i < ndim; i++) total *= shape[i];
    lml_vector *vector = lml_new_vector(L, total);
    for (int64_t n = 0; n < total; n++) {
        vector->values[n] = element(tensor, at);
        for (int i = ndim - 1; i >= 0; i--) {
            at += strides[i];
            if (++index[i] < shape[i]) break;
            at -= strides[i] * shape[i];
            index[i] = 0;
        }
    }
    return 1;
}

/* ---- tables ---- */

/* The text of a cell, or nil when it is missing. */
static int table_text(lua_State *L)
{
    char buffer[128];
    lml_enter(L);
    const ml_table *table = lml_check(L, 1, LML_TABLE);
    int64_t row = lml_index(L, 2), column = lml_index(L, 3);
    int64_t size = ml_table_get_str(table, row, column, buffer, sizeof buffer);
    if (size < 0) {
        lua_pushnil(L);
    } else if (size < (int64_t)sizeof buffer) {
        lua_pushlstring(L, buffer, (size_t)size);
    } else {
        char *text = lua_newuserdata(L, (size_t)size + 1);
        ml_table_get_str(table, row, column, text, (size_t)size + 1);
        lua_pushlstring(L, text, (size_t)size);
    }
    return 1;
}

/* A tensor of one dimension as a column: vector, whose numbers are of `dtype`. */
static ml_status column_tensor(ml_context *context, lml_vector *vector, int32_t dtype,
                               ml_tensor **out, ml_error *error)
{
    int64_t *integers = (int64_t *)(void *)vector->values;
    unsigned char *bytes = (unsigned char *)vector->values;
    for (int64_t i = 0; i < vector->count; i++) { /* in place, from the front */
        double value;
        memcpy(&value, &vector->values[i], sizeof value);
        int64_t whole = dtype == ML_DTYPE_I64 ? (int64_t)value : 0;
        if (dtype == ML_DTYPE_I64) memcpy(&integers[i], &whole, sizeof whole);
        if (dtype == ML_DTYPE_BOOL) bytes[i] = value != 0;
    }
    return ml_tensor_new(context, dtype, 1, &vector->count, NULL, vector->values, out,
                         error);
}

/* table_with_numbers(context, table or nil, name, vector, dtype): dtype F64, or I64 or
 * BOOL for a vector that is not needed any more */
static int table_with_numbers(lua_State *L)
{
    lml_state *state = lml_enter(L);
    ml_context *context = lml_check(L, 1, LML_CONTEXT);
    const ml_table *table = lml_opt(L, 2, LML_TABLE);
    const char *name = lml_text(L, 3);
    lml_vector *vector = lml_check(L, 4, LML_VECTOR);
    int32_t dtype = lml_integer32(L, 5);
    lml_handle *result = lml_new(L, LML_TABLE);
    ml_tensor *tensor = NULL;
    ml_table *out = NULL;
    ml_status status = column_tensor(context, vector, dtype, &tensor, state->error);
    if (status == ML_OK)
        status = ml_table_with_tensor(table, name, tensor, &out, state->error);
    ml_tensor_free(tensor);
    if (status < 0) return lml_fail(L, state->error);
    lml_made(L, result, LML_TABLE, out);
    return 1;
}

/* table_with_texts(context, table or nil, name, array, count): nil and false are missing
 */
static int table_with_texts(lua_State *L)
{
    lml_state *state = lml_enter(L);
    ml_context *context = lml_check(L, 1, LML_CONTEXT);
    const ml_table *table = lml_opt(L, 2, LML_TABLE);
    const char *name = lml_text(L, 3);
    luaL_checktype(L, 4, LUA_TTABLE);
    int64_t count = lml_integer(L, 5);
    luaL_argcheck(L, count >= 0 && count <= INT32_MAX, 5, "not a count of rows");
    const char **texts = lua_newuserdata(L, (size_t)(count + 1) * sizeof *texts);
    for (int64_t i = 0; i < count; i++) {
        lua_rawgeti(L, 4, (int)(i + 1));
        texts[i] = NULL;
        if (lua_type(L, -1) == LUA_TSTRING) texts[i] = lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    lml_handle *result = lml_new(L, LML_TABLE);
    ml_table *out = NULL;
    ml_status status =
        ml_table_with_strs(context, table, name, texts, count, &out, state->error);
    if (status < 0) return lml_fail(L, state->error);
    lml_made(L, result, LML_TABLE, out);
    return 1;
}

/* ---- estimators and models ---- */

static int estimator_put(lua_State *L)
{
    lml_state *state = lml_enter(L);
    ml_estimator *estimator = lml_check(L, 1, LML_ESTIMATOR);
    lua_settop(L, 2);
    const ml_params *params = lml_options(L, 2);
    ml_status status = ML_OK;
    if (params) status = ml_estimator_set_params(estimator, params, state->error);
    lml_end_options(L, 2);
    if (status < 0) return lml_fail(L, state->error);
    lua_settop(L, 1);
    return 1;
}

/* estimator_custom(estimator, name, on, maximize): says that fits will have a function */
static int estimator_custom(lua_State *L)
{
    lml_state *state = lml_enter(L);
    ml_estimator *estimator = lml_check(L, 1, LML_ESTIMATOR);
    int metric = strcmp(lml_text(L, 2), "metric") == 0, on = lua_toboolean(L, 3);
    ml_status status =
        metric ? ml_estimator_set_metric(estimator, on ? lml_on_metric : NULL, state,
                                         lua_toboolean(L, 4), state->error)
               : ml_estimator_set_objective(estimator, on ? lml_on_objective : NULL,
                                            state, state->error);
    if (status < 0) return lml_fail(L, state->error);
    lua_settop(L, 1);
    return 1;
}

/* estimator_fit(estimator, train, valid or nil, progress or nil, objective or nil, metric
 * or nil) */
static int estimator_fit(lua_State *L)
{
    lml_enter(L);
    lua_settop(L, 6);
    ml_estimator *estimator = lml_check(L, 1, LML_ESTIMATOR);
    const ml_table *train = lml_check(L, 2, LML_TABLE);
    const ml_table *valid = lml_opt(L, 3, LML_TABLE);
    lml_rounds rounds;
    lml_handle *result = lml_new(L, LML_MODEL);
    int top = lua_gettop(L);
    lml_call *call = lml_progress_begin(L, 4);
    ml_model *out = NULL;
    lml_rounds_begin(call, &rounds, 5, 6);
    ml_estimator_set_progress(estimator, call->function ? lml_on_progress : NULL, call);
    ml_status status = ml_estimator_fit(estimator, train, valid, &out, call->error);
    ml_estimator_set_progress(estimator, NULL, NULL);
    result->ptr = out; /* before anything that can raise */
    int failed = lml_call_end(call, status);
    if (failed) return failed;
    lml_made(L, result, LML_MODEL, out);
    lua_settop(L, top);
    return 1;
}

/* study_run(study, progress or nil, objective or nil, metric or nil, cancel or nil) */
static int study_run(lua_State *L)
{
    lml_enter(L);
    lua_settop(L, 5);
    ml_study *study = lml_check(L, 1, LML_STUDY);
    ml_cancel *cancel = lml_opt(L, 5, LML_CANCEL);
    lml_rounds rounds;
    lml_call *call = lml_progress_begin(L, 2);
    lml_rounds_begin(call, &rounds, 3, 4);
    ml_status status = ml_study_run(study, call->function ? lml_on_progress : NULL, call,
                                    cancel, call->error);
    int failed = lml_call_end(call, status);
    if (failed) return failed;
    lua_settop(L, 1);
    return 1;
}

/* study_best_model(study, objective or nil, metric or nil, cancel or nil) */
static int study_best_model(lua_State *L)
{
    lml_enter(L);
    lua_settop(L, 5); /* the last one, nil, stands for the progress */
    ml_study *study = lml_check(L, 1, LML_STUDY);
    ml_cancel *cancel = lml_opt(L, 4, LML_CANCEL);
    lml_rounds rounds;
    lml_handle *result = lml_new(L, LML_MODEL);
    int top = lua_gettop(L);
    lml_call *call = lml_progress_begin(L, 5);
    ml_model *out = NULL;
    lml_rounds_begin(call, &rounds, 2, 3);
    ml_status status = ml_study_best_model(study, cancel, &out, call->error);
    result->ptr = out;
    int failed = lml_call_end(call, status);
    if (failed) return failed;
    lml_made(L, result, LML_MODEL, out);
    lua_settop(L, top);
    return 1;
}

static void free_bytes(void *user)
{
    free(user);
}

/* context_load_bytes(context, bytes, options): the bytes are copied */
static int context_load_bytes(lua_State *L)
{
    lml_state *state = lml_enter(L);
    size_t size;
    lua_settop(L, 3);
    ml_context *context = lml_check(L, 1, LML_CONTEXT);
    luaL_checktype(L, 2, LUA_TSTRING);
    const char *bytes = lua_tolstring(L, 2, &size);
    const ml_params *options = lml_options(L, 3);
    lml_handle *result = lml_new(L, LML_MODEL);
    void *copy = malloc(size ? size : 1);
    if (!copy) return luaL_error(L, "out of memory");
    memcpy(copy, bytes, size);
    ml_model *out = NULL;
    ml_status status = ml_model_load_memory(context, copy, size, free_bytes, copy,
                                            options, &out, state->error);
    if (status < 0) free(copy);
    lml_end_options(L, 3);
    if (status < 0) return lml_fail(L, state->error);
    lml_made(L, result, LML_MODEL, out);
    return 1;
}

/* ---- predictors ---- */

/* model_predictor(model, kind or nil, options or nil) */
static int model_predictor(lua_State *L)
{
    lml_state *state = lml_enter(L);
    lua_settop(L, 3);
    ml_model *model = lml_check(L, 1, LML_MODEL);
    const char *kind = lml_opt_text(L, 2);
    const ml_params *options = lml_options(L, 3);
    lml_handle *result = lml_new(L, LML_PREDICTOR);
    ml_predictor *out = NULL;
    ml_status status = ml_predictor_new(model, kind, options, &out, state->error);
    const char *absent = options ? ml_params_get_str(options, "missing_columns") : NULL;
    const char *unseen = options ? ml_params_get_str(options, "unseen") : NULL;
    if (!unseen || !strcmp(unseen, "model"))
        unseen = ml_params_get_str(ml_model_params(model), "unseen");
    result->lenient = absent && strcmp(absent, "error") != 0;
    result->strict = unseen && strcmp(unseen, "error") == 0;
    lml_end_options(L, 3);
    if (status < 0) return lml_fail(L, state->error);
    result->model = ml_model_ref(model); /* names the inputs of records */
    result->inputs = ml_model_inputs(model);
    result->outputs = ml_predictor_outputs(out);
    lml_made(L, result, LML_PREDICTOR, out);
    return 1;
}

/* The result vector at an argument, made when there is none. */
static lml_vector *result_vector(lua_State *L, int arg, int64_t size)
{
    lml_vector *out = lml_opt(L, arg, LML_VECTOR);
    if (!out) {
        out = lml_new_vector(L, size);
        lua_replace(L, arg);
    }
    if (out->count < size)
        luaL_argerror(L, arg,
                      lua_pushfstring(L, "%d numbers do not fit a vector of %d",
                                      (int)size, (int)out->count));
    return out;
}

/* predictor_rows(predictor, rows, count or nil, out or nil): vectors; gives out */
static int predictor_rows(lua_State *L)
{
    lml_state *state = lml_enter(L);
    lua_settop(L, 4);
    ml_predictor *predictor = lml_check(L, 1, LML_PREDICTOR);
    const lml_handle *handle = lua_touserdata(L, 1);
    const lml_vector *rows = lml_check(L, 2, LML_VECTOR);
    int64_t width = handle->inputs > 0 ? handle->inputs : 1;
    int64_t count = lua_isnil(L, 3) ? rows->count / width : lml_integer(L, 3);
    if (count < 0 || count > rows->count / width)
        return luaL_error(L, "a vector of %d numbers does not hold %d rows of %d inputs",
                          (int)rows->count, (int)count, (int)handle->inputs);
    lml_vector *out = result_vector(L, 4, count * handle->outputs);
    ml_status status = ml_predictor_rows(predictor, rows->values, ML_DTYPE_F64, count,
                                         handle->inputs, out->values, state->error);
    if (status < 0) return lml_fail(L, state->error);
    return 1;
}

/* n numbers that count from 1, as integers that count from 0; NULL: no memory. Those that
 * are none become -1, which libml refuses. */
static int64_t *indices_of(const lml_vector *v, int64_t n)
{
    int64_t *out = malloc((size_t)(n + 1) * sizeof *out);
    for (int64_t i = 0; out && i < n; i++) {
        double x = v->values[i] - 1;
        out[i] = x >= 0 && x < 9e15 ? (int64_t)x : -1;
    }
    return out;
}

/* predictor_sparse_rows(predictor, offsets, columns, values, absent or nil, out or nil):
 * vectors; gives out */
static int predictor_sparse_rows(lua_State *L)
{
    lml_state *state = lml_enter(L);
    lua_settop(L, 6);
    ml_predictor *predictor = lml_check(L, 1, LML_PREDICTOR);
    const lml_handle *handle = lua_touserdata(L, 1);
    const lml_vector *offsets = lml_check(L, 2, LML_VECTOR);
    const lml_vector *columns = lml_check(L, 3, LML_VECTOR);
    const lml_vector *values = lml_check(L, 4, LML_VECTOR);
    double absent = lua_isnil(L, 5) ? 0 : luaL_checknumber(L, 5);
    int64_t count = offsets->count - 1, n = columns->count;
    if (count < 0) return luaL_argerror(L, 2, "there is one offset more than rows");
    if (offsets->values[count] != (double)n + 1 || values->count != n)
        return luaL_argerror(L, 3, "the last offset, columns and values do not fit");
    lml_vector *out = result_vector(L, 6, count * handle->outputs);
    int64_t *from = indices_of(offsets, count + 1), *which = indices_of(columns, n);
    if (!from || !which) {
        free(from);
        free(which);
        return luaL_error(L, "out of memory");
    }
    ml_status status =
        ml_predictor_sparse_rows(predictor, from, which, ML_DTYPE_I64, values->values,
                                 ML_DTYPE_F64, count, absent, out->values, state->error);
    free(from);
    free(which);
    if (status < 0) return lml_fail(L, state->error);
    return 1;
}

/* One letter per input, the first of its kind: numeric, categorical, text. Read from the
 * model's description when the first row comes as a table. */
static const char *input_kinds(lua_State *L, lml_handle *handle)
{
    static const char start[] = "\"inputs\": [{\"name\": ", key[] = "\"kind\": \"";
    if (handle->kinds) return handle->kinds;
    char *kinds = calloc((size_t)handle->inputs + 1, 1);
    if (!kinds) luaL_error(L, "out of memory");
    const char *p = strstr(ml_model_json(handle->model), start);
    for (int64_t i = 0; p && i < handle->inputs; i++) {
        p = strstr(p, key); /* not inside a text: there the quotes are escaped */
        if (p) kinds[i] = *(p += sizeof key - 1);
    }
    handle->kinds = kinds;
    return kinds;
}

static double category(lua_State *L, const lml_handle *handle, int64_t input,
                       const char *text)
{
    double code = ml_predictor_code(handle->ptr, input, text);
    if (code != code && handle->strict)
        luaL_error(L, "input \"%s\": training had no category \"%s\"",
                   ml_model_input_name(handle->model, input), text);
    return code;
}

/* The value at the top of the stack as the number of an input. */
static double input_number(lua_State *L, const lml_handle *handle, int64_t input)
{
    int is_number = handle->kinds[input] == 'n';
    int64_t integer;
    char text[32];
    switch (lua_type(L, -1)) {
    case LUA_TNUMBER:
        if (is_number) return lua_tonumber(L, -1);
        if (!lml_whole(L, -1, &integer))
            return category(L, handle, input, lua_tostring(L, -1));
        snprintf(text, sizeof text, "%lld", (long long)integer);
        return category(L, handle, input, text);
    case LUA_TBOOLEAN:
        if (is_number) return lua_toboolean(L, -1);
        return category(L, handle, input, lua_toboolean(L, -1) ? "true" : "false");
    case LUA_TSTRING:
        if (!is_number) return category(L, handle, input, lua_tostring(L, -1));
        break;
    case LUA_TNIL:
    case LUA_TLIGHTUSERDATA:
        return (double)NAN; /* missing */
    default:
        break;
    }
    luaL_error(L, "input \"%s\": a %s is no %s",
               ml_model_input_name(handle->model, input), luaL_typename(L, -1),
               is_number ? "number" : "category");
    return 0;
}

/* A row out of a table: an array in the order of the inputs, or values by name. */
static void table_row(lua_State *L, lml_handle *handle, double *row)
{
    int array = lml_rawlen(L, 2) > 0;
    if (lml_rawlen(L, 2) > handle->inputs)
        luaL_error(L, "%d values, the model has %d inputs", (int)lml_rawlen(L, 2),
                   (int)handle->inputs);
    input_kinds(L, handle);
    for (int64_t i = 0; i < handle->inputs; i++) {
        const char *name = ml_model_input_name(handle->model, i);
        if (array) {
            lua_rawgeti(L, 2, (int)(i + 1));
        } else {
            lua_getfield(L, 2, name);
            if (lua_isnil(L, -1) && !handle->lenient)
                luaL_error(L,
                           "the row has no \"%s\"; a missing value is libml.null, or set "
                           "the option missing_columns to \"missing\"",
                           name);
        }
        row[i] = input_number(L, handle, i);
        lua_pop(L, 1);
    }
}

/* predictor_row(predictor, row, out or nil): a vector, an array or values by name */
static int predictor_row(lua_State *L)
{
    double few[64], *row = few;
    lml_state *state = lml_enter(L);
    lua_settop(L, 3);
    ml_predictor *predictor = lml_check(L, 1, LML_PREDICTOR);
    lml_handle *handle = lua_touserdata(L, 1);
    lml_vector *out = result_vector(L, 3, handle->outputs);
    if (lua_istable(L, 2)) {
        if (handle->inputs > (int64_t)(sizeof few / sizeof few[0]))
            row = lua_newuserdata(L, (size_t)handle->inputs * sizeof *row);
        table_row(L, handle, row);
    } else {
        lml_vector *given = lml_check(L, 2, LML_VECTOR);
        row = given->values;
        if (given->count != handle->inputs)
            return luaL_error(L, "a vector of %d, the model has %d inputs",
                              (int)given->count, (int)handle->inputs);
    }
    ml_status status = ml_predictor_rows(predictor, row, ML_DTYPE_F64, 1, handle->inputs,
                                         out->values, state->error);
    if (status < 0) return lml_fail(L, state->error);
    lua_settop(L, 3);
    return 1;
}

static int predictor_sizes(lua_State *L)
{
    lml_enter(L);
    lml_check(L, 1, LML_PREDICTOR);
    const lml_handle *handle = lua_touserdata(L, 1);
    lml_push_integer(L, handle->inputs);
    lml_push_integer(L, handle->outputs);
    return 2;
}

/* The index of an input by name, or nil. */
static int predictor_input(lua_State *L)
{
    lml_enter(L);
    lml_check(L, 1, LML_PREDICTOR);
    const lml_handle *handle = lua_touserdata(L, 1);
    const char *name = lml_text(L, 2);
    for (int64_t i = 0; i < handle->inputs; i++) {
        if (strcmp(name, ml_model_input_name(handle->model, i)) == 0) {
            lml_push_integer(L, i + 1);
            return 1;
        }
    }
    return 0;
}

const luaL_Reg lml_special_calls[] = {{"context_load_bytes", context_load_bytes},
                                      {"context_new", context_new},
                                      {"estimator_custom", estimator_custom},
                                      {"estimator_fit", estimator_fit},
                                      {"estimator_put", estimator_put},
                                      {"estimator_values", estimator_values},
                                      {"model_predictor", model_predictor},
                                      {"model_values", model_values},
                                      {"params_put", params_put},
                                      {"params_values", params_values},
                                      {"params_yaml", params_yaml},
                                      {"predictor_input", predictor_input},
                                      {"predictor_row", predictor_row},
                                      {"predictor_rows", predictor_rows},
                                      {"predictor_sizes", predictor_sizes},
                                      {"predictor_sparse_rows", predictor_sparse_rows},
                                      {"study_best_model", study_best_model},
                                      {"study_run", study_run},
                                      {"table_text", table_text},
                                      {"table_with_numbers", table_with_numbers},
                                      {"table_with_texts", table_with_texts},
                                      {"tensor_new", tensor_new},
                                      {"tensor_shape", tensor_shape},
                                      {"tensor_vector", tensor_vector},
                                      {NULL, NULL}};
