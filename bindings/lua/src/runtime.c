/* SPDX-License-Identifier: MIT
 *
 * runtime.c: handles, errors and arguments of the Lua module.
 *
 * Every function of the module is a closure whose first upvalue is the state and whose
 * next ones are the metatables of all types, so that checking a type is one comparison.
 */
#include "runtime.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define META(type)  lua_upvalueindex(2 + (type))
#define COLLECT_AT  ((size_t)64 << 20)
#define MODEL_BYTES ((size_t)256 << 10)

const char *const lml_type_names[LML_TYPES] = {
    "context", "cancel",    "schema", "params", "tensor", "table", "estimator",
    "model",   "predictor", "study",  "report", "vector", "call",  "state"};

/* ---- the state ---- */

lml_state *lml_enter(lua_State *L)
{
    lml_state *state = lua_touserdata(L, lua_upvalueindex(1));
    if (state->closed) luaL_error(L, "libml is closed");
    state->L = L;
    return state;
}

ml_status lml_default(lml_state *state, ml_context **out)
{
    if (!state->context) {
        ml_host host = ML_HOST_INIT;
        host.threads = -1;
        ml_status status = ml_context_new(&host, &state->context, state->error);
        if (status < 0) return status;
    }
    *out = state->context;
    return ML_OK;
}

/* ---- handles ---- */

lml_handle *lml_new(lua_State *L, int type)
{
    lml_handle *handle = lua_newuserdata(L, sizeof *handle);
    *handle = (lml_handle){0};
    lua_pushvalue(L, META(type));
    lua_setmetatable(L, -2);
    return handle;
}

static size_t table_bytes(const ml_table *table)
{
    return (size_t)ml_table_rows(table) * (size_t)ml_table_columns(table) * 8;
}

static size_t tensor_bytes(const ml_tensor *tensor)
{
    size_t bytes = 8;
    const int64_t *shape = ml_tensor_shape(tensor);
    for (int i = 0; i < ml_tensor_ndim(tensor); i++) bytes *= (size_t)shape[i];
    return bytes;
}

/* Lua's collector sees 24 bytes where libml holds a table: it is told of the rest by a
 * full collection after every so many bytes. */
void lml_made(lua_State *L, lml_handle *handle, int type, void *object)
{
    lml_state *state = lua_touserdata(L, lua_upvalueindex(1));
    handle->ptr = object;
    switch (type) {
    case LML_TABLE:
        state->unpaid += table_bytes(object);
        break;
    case LML_TENSOR:
        state->unpaid += tensor_bytes(object);
        break;
    case LML_MODEL:
    case LML_STUDY:
        state->unpaid += MODEL_BYTES;
        break;
    default:
        state->unpaid += 4096;
    }
    if (state->unpaid > COLLECT_AT) {
        state->unpaid = 0;
        lua_gc(L, LUA_GCCOLLECT, 0);
    }
}

void lml_release(lml_handle *handle, int type)
{
    void *object = handle->ptr;
    handle->ptr = NULL;
    if (handle->borrowed) return;
    switch (type) {
    case LML_CONTEXT:
        ml_context_free(object);
        break;
    case LML_CANCEL:
        ml_cancel_free(object);
        break;
    case LML_SCHEMA:
        ml_schema_free(object);
        break;
    case LML_PARAMS:
        ml_params_free(object);
        break;
    case LML_TENSOR:
        ml_tensor_free(object);
        break;
    case LML_TABLE:
        ml_table_free(object);
        break;
    case LML_ESTIMATOR:
        ml_estimator_free(object);
        break;
    case LML_MODEL:
        ml_model_free(object);
        break;
    case LML_PREDICTOR:
        ml_predictor_free(object);
        ml_model_free(handle->model);
        free(handle->kinds);
        handle->kinds = NULL;
        handle->model = NULL;
        break;
    case LML_STUDY:
        ml_study_free(object);
        break;
    case LML_REPORT:
        ml_report_free(object);
        break;
    default:
        break;
    }
}

void *lml_test(lua_State *L, int index, int type)
{
    void *block = lua_touserdata(L, index);
    if (!block || !lua_getmetatable(L, index)) return NULL;
    int same = lua_rawequal(L, -1, META(type));
    lua_pop(L, 1);
    return same ? block : NULL;
}

/* "table expected, got model" as the error of an argument. */
int lml_wrong_type(lua_State *L, int arg, const char *expected)
{
    const char *got = luaL_typename(L, arg);
    if (lua_istable(L, arg) && strcmp(expected, "table") == 0)
        got = "a Lua table; ml.table makes one of it";
    for (int type = 0; type < LML_CALL; type++) {
        if (lml_test(L, arg, type)) got = lml_type_names[type];
    }
    return luaL_argerror(L, arg,
                         lua_pushfstring(L, "%s expected, got %s", expected, got));
}

void *lml_check(lua_State *L, int arg, int type)
{
    lml_handle *handle = lml_test(L, arg, type);
    if (!handle) lml_wrong_type(L, arg, lml_type_names[type]);
    if (type == LML_VECTOR) return handle;
    if (!handle->ptr) {
        luaL_argerror(L, arg,
                      lua_pushfstring(L, "this %s is freed", lml_type_names[type]));
    }
    if (handle->busy && (type == LML_ESTIMATOR || type == LML_PARAMS))
        luaL_argerror(L, arg,
                      lua_pushfstring(L, "this %s is in use by the call that called back",
                                      lml_type_names[type]));
    return handle->ptr;
}

void *lml_opt(lua_State *L, int arg, int type)
{
    return lua_isnoneornil(L, arg) ? NULL : lml_check(L, arg, type);
}

/* ---- arguments ---- */

const char *lml_text(lua_State *L, int arg)
{
    size_t size;
    if (lua_type(L, arg) != LUA_TSTRING) lml_wrong_type(L, arg, "string");
    const char *text = lua_tolstring(L, arg, &size);
    luaL_argcheck(L, strlen(text) == size, arg, "the text holds a NUL byte");
    return text;
}

const char *lml_opt_text(lua_State *L, int arg)
{
    return lua_isnoneornil(L, arg) ? NULL : lml_text(L, arg);
}

int lml_whole(lua_State *L, int index, int64_t *out)
{
#if LUA_VERSION_NUM >= 503
    if (lua_isinteger(L, index)) {
        *out = lua_tointeger(L, index);
        return 1;
    }
#endif
    double number = lua_tonumber(L, index);
    if (!(number >= -0x1p63 && number < 0x1p63 && floor(number) == number)) return 0;
    *out = (int64_t)number;
    return 1;
}

int64_t lml_integer(lua_State *L, int arg)
{
    int64_t value = 0;
    if (lua_type(L, arg) != LUA_TNUMBER) lml_wrong_type(L, arg, "number");
    luaL_argcheck(L, lml_whole(L, arg, &value), arg, "a whole number is expected");
    return value;
}

int32_t lml_integer32(lua_State *L, int arg)
{
    int64_t value = lml_integer(L, arg);
    luaL_argcheck(L, value >= INT32_MIN && value <= INT32_MAX, arg,
                  "the number is too large");
    return (int32_t)value;
}

int64_t lml_index(lua_State *L, int arg)
{
    int64_t value = lml_integer(L, arg);
    return value > INT64_MIN ? value - 1 : value;
}

int64_t lml_opt_index(lua_State *L, int arg)
{
    return lua_isnoneornil(L, arg) ? 0 : lml_index(L, arg);
}

void *lml_pointer(lua_State *L, int arg)
{
    luaL_checktype(L, arg, LUA_TLIGHTUSERDATA);
    void *pointer = lua_touserdata(L, arg);
    luaL_argcheck(L, pointer != NULL, arg, "a null pointer");
    return pointer;
}

const char **lml_texts(lua_State *L, int arg, int64_t *count)
{
    if (lua_isnoneornil(L, arg)) {
        *count = 0;
        return NULL;
    }
    if (lua_type(L, arg) == LUA_TSTRING) {
        const char **one = lua_newuserdata(L, sizeof *one);
        one[0] = lml_text(L, arg);
        *count = 1;
        return one;
    }
    if (!lua_istable(L, arg)) lml_wrong_type(L, arg, "table of strings");
    *count = lml_rawlen(L, arg);
    const char **texts = lua_newuserdata(L, (size_t)(*count + 1) * sizeof *texts);
    for (int64_t i = 0; i < *count; i++) {
        lua_rawgeti(L, arg, (int)(i + 1));
        size_t size = 0;
        /* The string stays alive in the table. */
        texts[i] = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &size) : NULL;
        luaL_argcheck(L, texts[i] && strlen(texts[i]) == size, arg,
                      "an item of the list is no text");
        lua_pop(L, 1);
    }
    return texts;
}

int64_t *lml_indices(lua_State *L, int arg, int64_t *count)
{
    lml_vector *vector = lml_test(L, arg, LML_VECTOR);
    if (!vector && !lua_istable(L, arg)) lml_wrong_type(L, arg, "table of numbers");
    *count = vector ? vector->count : lml_rawlen(L, arg);
    int64_t *indices = lua_newuserdata(L, (size_t)(*count + 1) * sizeof *indices);
    for (int64_t i = 0; i < *count; i++) {
        if (vector) {
            lua_pushnumber(L, vector->values[i]);
        } else {
            lua_rawgeti(L, arg, (int)(i + 1));
        }
        int64_t value = 0;
        luaL_argcheck(L, lua_type(L, -1) == LUA_TNUMBER && lml_whole(L, -1, &value), arg,
                      "an item of the list is no whole number");
        indices[i] = value > INT64_MIN ? value - 1 : value;
        lua_pop(L, 1);
    }
    return indices;
}

/* ---- options ---- */

/* Text of a real number, in full and without the locale's decimal point. */
static void real_text(double value, char *out, size_t size)
{
    snprintf(out, size, "%.17g", value);
    char *p = out, *from;
    while (*p && strchr("0123456789+-einfaINFA", *p)) p++;
    if (!*p) return;
    from = p;
    while (*from && !strchr("0123456789", *from)) from++;
    *p++ = '.';
    memmove(p, from, strlen(from) + 1);
}

static void add_quoted(luaL_Buffer *b, const char *text)
{
    luaL_addchar(b, '"');
    for (; *text; text++) {
        char escaped[8];
        if (*text == '"' || *text == '\\') {
            luaL_addchar(b, '\\');
            luaL_addchar(b, *text);
        } else if ((unsigned char)*text < 32) {
            snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned)*text);
            luaL_addstring(b, escaped);
        } else {
            luaL_addchar(b, *text);
        }
    }
    luaL_addchar(b, '"');
}

/* A list at the top of the stack becomes its text, "[1, 2]". */
static void list_text(lua_State *L, const char *name)
{
    int list = lua_gettop(L);
    int64_t count = lml_rawlen(L, list);
    luaL_Buffer b;
    luaL_checkstack(L, LUA_MINSTACK, "the list of a parameter");
    luaL_buffinit(L, &b);
    luaL_addchar(&b, '[');
    for (int64_t i = 1; i <= count; i++) {
        char text[64];
        int64_t value;
        if (i > 1) luaL_addstring(&b, ", ");
        /* The buffer may keep a piece on the stack: nothing is left above it. */
        lua_rawgeti(L, list, (int)i);
        int type = lua_type(L, -1);
        if (type == LUA_TSTRING) {
            const char *item = lua_tostring(L, -1);
            lua_pop(L, 1); /* alive in the list */
            add_quoted(&b, item);
        } else if (type == LUA_TNUMBER || type == LUA_TBOOLEAN) {
            if (type == LUA_TBOOLEAN) {
                snprintf(text, sizeof text, "%s",
                         lua_toboolean(L, -1) ? "true" : "false");
            } else if (lml_whole(L, -1, &value)) {
                snprintf(text, sizeof text, "%lld", (long long)value);
            } else {
                real_text(lua_tonumber(L, -1), text, sizeof text);
            }
            lua_pop(L, 1);
            luaL_addstring(&b, text);
        } else {
            luaL_error(L, "parameter \"%s\": item %d of the list is a %s", name, (int)i,
                       lua_typename(L, type));
        }
    }
    luaL_addchar(&b, ']');
    luaL_pushresult(&b);
    lua_replace(L, list);
}

ml_status lml_put(lua_State *L, ml_params *params, const char *name, ml_error *error)
{
    int64_t integer;
    size_t size;
    if (lua_istable(L, -1)) list_text(L, name);
    switch (lua_type(L, -1)) {
    case LUA_TBOOLEAN:
        return ml_params_set_str(params, name, lua_toboolean(L, -1) ? "true" : "false",
                                 error);
    case LUA_TNUMBER:
        if (lml_whole(L, -1, &integer))
            return ml_params_set_i64(params, name, integer, error);
        return ml_params_set_f64(params, name, lua_tonumber(L, -1), error);
    case LUA_TSTRING: {
        const char *text = lua_tolstring(L, -1, &size);
        if (strlen(text) != size)
            luaL_error(L, "parameter \"%s\": the text holds a NUL byte", name);
        return ml_params_set_str(params, name, text, error);
    }
    default:
        luaL_error(L, "parameter \"%s\": a %s is no value of a parameter", name,
                   luaL_typename(L, -1));
        return ML_E_TYPE;
    }
}

/* Is the value at the top a table of values by name? */
static int is_nested(lua_State *L)
{
    if (!lua_istable(L, -1) || lml_rawlen(L, -1) > 0) return 0;
    lua_pushnil(L);
    if (!lua_next(L, -2)) return 0;
    lua_pop(L, 2);
    return 1;
}

/* Values by name; {gbdt = {n_trees = 9}} is the parameter gbdt.n_trees of a pipeline. */
static ml_status put_all(lua_State *L, int from, const char *prefix, int depth,
                         ml_params *params, ml_error *error)
{
    ml_status status = ML_OK;
    luaL_checkstack(L, LUA_MINSTACK, "options");
    if (depth > 8) luaL_error(L, "option \"%s\": tables in tables, too deep", prefix);
    for (lua_pushnil(L); status == ML_OK && lua_next(L, from);) {
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "options are named: {name = value}, got the key of type %s",
                       luaL_typename(L, -2));
        const char *name = lua_tostring(L, -2);
        if (prefix)
            name = lua_pushfstring(L, "%s.%s", prefix, name);
        else
            lua_pushvalue(L, -2);
        lua_insert(L, -2); /* the name stays alive below the value */
        status = is_nested(L) ? put_all(L, lua_gettop(L), name, depth + 1, params, error)
                              : lml_put(L, params, name, error);
        lua_pop(L, 2);
    }
    return status;
}

ml_params *lml_options(lua_State *L, int arg)
{
    lml_state *state = lua_touserdata(L, lua_upvalueindex(1));
    if (lua_isnoneornil(L, arg)) return NULL;
    if (!lua_istable(L, arg)) return lml_check(L, arg, LML_PARAMS);
    lml_handle *handle = lml_new(L, LML_PARAMS);
    int top = lua_gettop(L);
    ml_context *context = NULL;
    ml_params *params = NULL;
    ml_status status = lml_default(state, &context);
    if (status == ML_OK) status = ml_params_new(context, &params, state->error);
    if (status == ML_OK) lml_made(L, handle, LML_PARAMS, params);
    if (status == ML_OK) status = put_all(L, arg, NULL, 0, params, state->error);
    if (status < 0) luaL_error(L, "%s", ml_error_message(state->error));
    lua_settop(L, top);
    handle->temp = 1;
    lua_replace(L, arg);
    return params;
}

void lml_end_options(lua_State *L, int arg)
{
    lml_handle *handle = lml_test(L, arg, LML_PARAMS);
    if (handle && handle->temp) lml_release(handle, LML_PARAMS);
}

/* ---- results ---- */

void lml_push_text(lua_State *L, const char *text)
{
    if (text) {
        lua_pushstring(L, text);
    } else {
        lua_pushnil(L);
    }
}

void lml_push_integer(lua_State *L, int64_t value)
{
#if LUA_VERSION_NUM >= 503
    lua_pushinteger(L, value);
#else
    lua_pushnumber(L, (double)value);
#endif
}

static void push_error(lua_State *L, const ml_error *error, int depth)
{
    luaL_checkstack(L, LUA_MINSTACK, "the causes of an error");
    lua_createtable(L, 0, 6);
    lua_pushinteger(L, ml_error_code(error));
    lua_setfield(L, -2, "code");
    lua_pushstring(L, ml_status_name(ml_error_code(error)));
    lua_setfield(L, -2, "status");
    lua_pushstring(L, ml_error_message(error));
    lua_setfield(L, -2, "message");
    lua_pushstring(L, ml_error_location(error));
    lua_setfield(L, -2, "location");
    lua_pushstring(L, ml_error_hint(error));
    lua_setfield(L, -2, "hint");
    if (ml_error_cause(error) && depth < 16) {
        push_error(L, ml_error_cause(error), depth + 1);
        lua_setfield(L, -2, "cause");
    }
    luaL_newmetatable(L, "libml.error"); /* filled when the module was opened */
    lua_setmetatable(L, -2);
}

int lml_fail(lua_State *L, const ml_error *error)
{
    lua_pushnil(L);
    push_error(L, error, 0);
    return 2;
}
