/* SPDX-License-Identifier: MIT
 *
 * vector.c: vectors of doubles, so that a row of numbers costs no table of Lua.
 */
#include "runtime.h"

#include <math.h>
#include <string.h>

lml_vector *lml_new_vector(lua_State *L, int64_t count)
{
    if (count < 0 || (uint64_t)count > (SIZE_MAX / 2 - sizeof(lml_vector)) / 8)
        luaL_error(L, "a vector of that length cannot be");
    size_t bytes = sizeof(lml_vector) + (size_t)count * sizeof(double);
    lml_vector *vector = lua_newuserdata(L, bytes);
    vector->count = count;
    memset(vector->values, 0, (size_t)count * sizeof(double));
    lua_pushvalue(L, lua_upvalueindex(2 + LML_VECTOR));
    lua_setmetatable(L, -2);
    return vector;
}

/* Is the value at an index nil or a null pointer, as ml.null? */
static int missing(lua_State *L, int index)
{
    return lua_isnoneornil(L, index) ||
           (lua_islightuserdata(L, index) && !lua_touserdata(L, index));
}

/* The number at the top of the stack; nil is a missing value. */
static double number(lua_State *L, int64_t i)
{
    if (missing(L, -1)) return (double)NAN;
    if (lua_isboolean(L, -1)) return lua_toboolean(L, -1);
    if (lua_type(L, -1) != LUA_TNUMBER)
        luaL_error(L, "item %d is a %s, not a number", (int)(i + 1),
                   luaL_typename(L, -1));
    return lua_tonumber(L, -1);
}

/* vector_new(n) or vector_new(array [, n]) */
static int vector_new(lua_State *L)
{
    lml_enter(L);
    if (lua_type(L, 1) == LUA_TNUMBER) {
        lml_new_vector(L, lml_integer(L, 1));
        return 1;
    }
    lml_vector *from = lml_test(L, 1, LML_VECTOR);
    if (!from) luaL_checktype(L, 1, LUA_TTABLE);
    int64_t n = from                    ? from->count
                : lua_isnoneornil(L, 2) ? lml_rawlen(L, 1)
                                        : lml_integer(L, 2);
    lml_vector *vector = lml_new_vector(L, n);
    if (from) memcpy(vector->values, from->values, (size_t)n * sizeof(double));
    for (int64_t i = 0; !from && i < n; i++) {
        lua_rawgeti(L, 1, (int)(i + 1));
        vector->values[i] = number(L, i);
        lua_pop(L, 1);
    }
    return 1;
}

static int vector_fill(lua_State *L)
{
    lml_vector *vector = lml_check(L, 1, LML_VECTOR);
    double value = luaL_checknumber(L, 2);
    for (int64_t i = 0; i < vector->count; i++) vector->values[i] = value;
    lua_settop(L, 1);
    return 1;
}

/* vector_set(vector, array): its first items; the others stay. */
static int vector_set(lua_State *L)
{
    lml_vector *vector = lml_check(L, 1, LML_VECTOR);
    luaL_checktype(L, 2, LUA_TTABLE);
    int64_t n = lml_rawlen(L, 2);
    if (n > vector->count)
        return luaL_error(L, "%d numbers do not fit a vector of %d", (int)n,
                          (int)vector->count);
    for (int64_t i = 0; i < n; i++) {
        lua_rawgeti(L, 2, (int)(i + 1));
        vector->values[i] = number(L, i);
        lua_pop(L, 1);
    }
    lua_settop(L, 1);
    return 1;
}

static int vector_table(lua_State *L)
{
    const lml_vector *vector = lml_check(L, 1, LML_VECTOR);
    lua_createtable(L, (int)vector->count, 0);
    for (int64_t i = 0; i < vector->count; i++) {
        lua_pushnumber(L, vector->values[i]);
        lua_rawseti(L, -2, (int)(i + 1));
    }
    return 1;
}

/* ---- the metatable; the upvalue after the metatables of all types holds the methods
 * ---- */

static int vector_index(lua_State *L)
{
    const lml_vector *vector = lml_check(L, 1, LML_VECTOR);
    if (lua_type(L, 2) == LUA_TNUMBER) {
        double i = lua_tonumber(L, 2);
        if (i >= 1 && i <= (double)vector->count && i == floor(i)) {
            lua_pushnumber(L, vector->values[(int64_t)i - 1]);
        } else {
            lua_pushnil(L);
        }
        return 1;
    }
    lua_settop(L, 2);
    lua_rawget(L, lua_upvalueindex(2 + LML_TYPES));
    return 1;
}

static int vector_newindex(lua_State *L)
{
    lml_vector *vector = lml_check(L, 1, LML_VECTOR);
    double i = luaL_checknumber(L, 2);
    if (!(i >= 1 && i <= (double)vector->count && i == floor(i)))
        return luaL_error(L, "index %f is outside of a vector of %d", i,
                          (int)vector->count);
    vector->values[(int64_t)i - 1] = missing(L, 3) ? (double)NAN : luaL_checknumber(L, 3);
    return 0;
}

static int vector_tostring(lua_State *L)
{
    const lml_vector *vector = lml_check(L, 1, LML_VECTOR);
    lua_pushfstring(L, "libml.vector of %d", (int)vector->count);
    return 1;
}

static int vector_len(lua_State *L)
{
    const lml_vector *vector = lml_check(L, 1, LML_VECTOR);
    lml_push_integer(L, vector->count);
    return 1;
}

const luaL_Reg lml_vector_calls[] = {{"vector_new", vector_new},
                                     {"vector_fill", vector_fill},
                                     {"vector_set", vector_set},
                                     {"vector_table", vector_table},
                                     {NULL, NULL}};
const luaL_Reg lml_vector_meta[] = {{"__index", vector_index},
                                    {"__newindex", vector_newindex},
                                    {"__len", vector_len},
                                    {"__tostring", vector_tostring},
                                    {NULL, NULL}};
