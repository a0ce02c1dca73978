/* SPDX-License-Identifier: MIT
 *
 * module.c: opens the module. It makes the metatables and a table of plain functions, one
 * per function of libml, and gives both to the face (face.lua, embedded by face.h), which
 * arranges them into what programs see.
 */
#include "runtime.h"

#include "face.h"

#include <string.h>

/* ---- metamethods of handles; the type is their last upvalue ---- */

static int handle_type(lua_State *L)
{
    return (int)lua_tointeger(L, lua_upvalueindex(2 + LML_TYPES));
}

/* Frees; a second time does nothing. Also __gc and __close. */
static int handle_free(lua_State *L)
{
    int type = handle_type(L);
    lml_handle *handle = lml_test(L, 1, type);
    lml_state *state = lua_touserdata(L, lua_upvalueindex(1));
    if (!handle) return lml_wrong_type(L, 1, lml_type_names[type]);
    if (handle->busy)
        return luaL_error(L, "this %s is in use by the call that called back",
                          lml_type_names[type]);
    state->L = L;
    lml_release(handle, type);
    return 0;
}

static int handle_tostring(lua_State *L)
{
    int type = handle_type(L);
    const lml_handle *handle = lml_test(L, 1, type);
    if (!handle) return luaL_error(L, "%s expected", lml_type_names[type]);
    lua_pushfstring(L, "libml.%s%s", lml_type_names[type], handle->ptr ? "" : " (freed)");
    return 1;
}

static int call_gc(lua_State *L)
{
    lml_call *call = lua_touserdata(L, 1);
    ml_error_free(call->error);
    call->error = NULL;
    return 0;
}

static int state_gc(lua_State *L)
{
    lml_state *state = lua_touserdata(L, 1);
    state->closed = 1;
    ml_context_free(state->context);
    ml_error_free(state->error);
    state->context = NULL;
    state->error = NULL;
    return 0;
}

/* type(value): the name of its type, or nil when it is not of libml. */
static int type_of(lua_State *L)
{
    for (int type = 0; type < LML_CALL; type++) {
        if (lml_test(L, 1, type)) {
            lua_pushstring(L, lml_type_names[type]);
            return 1;
        }
    }
    return 0;
}

/* Is the handle not freed? */
static int is_alive(lua_State *L)
{
    for (int type = 0; type < LML_VECTOR; type++) {
        const lml_handle *handle = lml_test(L, 1, type);
        if (handle) {
            lua_pushboolean(L, handle->ptr != NULL);
            return 1;
        }
    }
    return 0;
}

static int default_context(lua_State *L)
{
    lml_state *state = lml_enter(L);
    lml_handle *result = lml_new(L, LML_CONTEXT);
    ml_context *context = NULL;
    if (lml_default(state, &context) < 0) return lml_fail(L, state->error);
    result->borrowed = 1; /* the state frees it */
    lml_made(L, result, LML_CONTEXT, context);
    return 1;
}

static const luaL_Reg general[] = {{"type", type_of},
                                   {"alive", is_alive},
                                   {"default_context", default_context},
                                   {NULL, NULL}};

/* ---- opening ---- */

/* A closure of the state and the metatables, which start at `base`, and of what is on the
 * top of the stack, if `extra`. */
static void push_closure(lua_State *L, int base, lua_CFunction function, int extra)
{
    int top = lua_gettop(L);
    for (int i = 0; i <= LML_TYPES; i++) lua_pushvalue(L, base + i);
    if (extra) lua_pushvalue(L, top);
    lua_pushcclosure(L, function, LML_TYPES + 1 + extra);
    if (extra) lua_remove(L, top);
}

static void add_functions(lua_State *L, int base, const luaL_Reg *functions)
{
    for (; functions->name; functions++) {
        push_closure(L, base, functions->func, 0);
        lua_setfield(L, -2, functions->name);
    }
}

static void add_meta(lua_State *L, int base, const char *name, lua_CFunction function,
                     int type)
{
    lua_pushinteger(L, type);
    push_closure(L, base, function, 1);
    lua_setfield(L, base + 1 + type, name);
}

/* Metatables with names; what they hold is theirs and not of the program. */
static void fill_metas(lua_State *L, int base, int methods)
{
    for (int type = 0; type < LML_TYPES; type++) {
        int meta = base + 1 + type;
        lua_pushfstring(L, "libml.%s", lml_type_names[type]);
        lua_pushvalue(L, -1);
        lua_setfield(L, meta, "__name");
        lua_setfield(L, meta, "__metatable");
        if (type >= LML_VECTOR) continue;
        add_meta(L, base, "__gc", handle_free, type);
        add_meta(L, base, "__close", handle_free, type);
        add_meta(L, base, "__tostring", handle_tostring, type);
    }
    lua_pushcfunction(L, call_gc);
    lua_setfield(L, base + 1 + LML_CALL, "__gc");
    lua_pushcfunction(L, state_gc);
    lua_setfield(L, base + 1 + LML_STATE, "__gc");
    for (const luaL_Reg *f = lml_vector_meta; f->name; f++) {
        lua_getfield(L, methods, "vector");
        push_closure(L, base, f->func, 1);
        lua_setfield(L, base + 1 + LML_VECTOR, f->name);
    }
}

/* A table per type, for its methods; __index of handles. */
static void add_methods(lua_State *L, int base)
{
    lua_newtable(L);
    for (int type = 0; type < LML_CALL; type++) {
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setfield(L, base + 1 + type, "__index");
        lua_setfield(L, -2, lml_type_names[type]);
    }
}

static const char *face_reader(lua_State *L, void *user, size_t *size)
{
    int *line = user;
    (void)L;
    const char *text = lml_face[*line];
    *size = text ? strlen(text) : 0;
    *line += text != NULL;
    return text;
}

static void load_face(lua_State *L)
{
    int line = 0;
#if LUA_VERSION_NUM < 502
    int status = lua_load(L, face_reader, &line, "=libml");
#else
    int status = lua_load(L, face_reader, &line, "=libml", "t");
#endif
    if (status != 0) lua_error(L);
}

LML_EXPORT int luaopen_libml(lua_State *L);

int luaopen_libml(lua_State *L)
{
    luaL_checkstack(L, 3 * LML_TYPES + LUA_MINSTACK, "libml");
    lua_settop(L, 0);
    int base = 1; /* the state, then the metatables */
    lml_state *state = lua_newuserdata(L, sizeof *state);
    *state = (lml_state){.L = L};
    for (int type = 0; type < LML_TYPES; type++) lua_newtable(L);
    add_methods(L, base);
    int methods = lua_gettop(L);
    fill_metas(L, base, methods);
    lua_pushvalue(L, base + 1 + LML_STATE); /* its __gc must be there by now */
    lua_setmetatable(L, base);
    state->error = ml_error_new();
    load_face(L);
    lua_newtable(L); /* what the face gets */
    lua_newtable(L);
    add_functions(L, base, general);
    add_functions(L, base, lml_vector_calls);
    add_functions(L, base, lml_special_calls);
    add_functions(L, base, lml_calls);
    lua_setfield(L, -2, "raw");
    lua_pushvalue(L, methods);
    lua_setfield(L, -2, "methods");
    lua_newtable(L);
    for (int type = 0; type < LML_CALL; type++) {
        lua_pushvalue(L, base + 1 + type);
        lua_setfield(L, -2, lml_type_names[type]);
    }
    lua_setfield(L, -2, "metas");
    luaL_newmetatable(L, "libml.error");
    lua_setfield(L, -2, "error_meta");
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    lua_call(L, 1, 1);
    return 1;
}
