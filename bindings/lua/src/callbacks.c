/* SPDX-License-Identifier: MIT
 *
 * callbacks.c: calls from libml back to Lua.
 *
 * An error in the Lua function must not jump over the frames of libml. The function is
 * called in protected mode by a trampoline; all that could raise happens inside of it.
 * What it raised is kept in a slot of the stack, libml is told to give up, and when its
 * call has returned the error goes to the caller as the cause of a failure.
 */
#include "runtime.h"

#include <string.h>

/* Handles of a running call must stay: a callback could free them. */
static void keep_arguments(lml_call *call, int by)
{
    for (int i = 1; i <= call->arguments; i++) {
        for (int type = 0; type < LML_VECTOR; type++) {
            lml_handle *handle = lml_test(call->L, i, type);
            if (handle) handle->busy += by;
        }
    }
}

lml_call *lml_call_begin(lua_State *L, int function, lua_CFunction trampoline)
{
    lml_state *state = lua_touserdata(L, lua_upvalueindex(1));
    luaL_checkstack(L, LUA_MINSTACK, "a callback");
    lml_call *call = lua_newuserdata(L, sizeof *call);
    *call = (lml_call){.L = L, .state = state, .function = function};
    call->arguments = lua_gettop(L) - 1;
    lua_pushvalue(L, lua_upvalueindex(2 + LML_CALL));
    lua_setmetatable(L, -2); /* its __gc frees the error object */
    call->self = lua_gettop(L);
    lua_pushcfunction(L, trampoline);
    call->trampoline = lua_gettop(L);
    lua_pushnil(L);
    call->problem = lua_gettop(L);
    call->error = ml_error_new();
    keep_arguments(call, 1);
    return call;
}

/* A failure whose cause is the value that a callback raised. */
static int callback_error(lml_call *call)
{
    lua_State *L = call->L;
    const char *text = lua_tostring(L, call->problem);
    ml_error *error = call->error;
    if (!text && luaL_callmeta(L, call->problem, "__tostring"))
        text = lua_tostring(L, -1);
    lua_pushfstring(L, "the callback raised an error: %s",
                    text ? text : luaL_typename(L, call->problem));
    ml_error_set(error, ML_E_CALLBACK, lua_tostring(L, -1));
    int n = lml_fail(L, error);
    lua_pushvalue(L, call->problem);
    lua_setfield(L, -2, "cause");
    return n;
}

int lml_call_end(lml_call *call, ml_status status)
{
    int n = 0;
    lml_rounds *rounds = call->state->rounds;
    if (rounds && rounds->call == call) call->state->rounds = rounds->outer;
    keep_arguments(call, -1);
    if (call->failed) {
        n = callback_error(call);
    } else if (status < 0) {
        n = lml_fail(call->L, call->error);
    }
    ml_error_free(call->error);
    call->error = NULL;
    return n;
}

int lml_call_back(lml_call *call)
{
    lua_State *L = call->L;
    if (call->failed) return 0;
    lua_pushvalue(L, call->trampoline);
    lua_pushvalue(L, call->self);
    lua_pushvalue(L, call->function);
    int status = lua_pcall(L, 2, 1, 0);
    call->state->L = L;
    if (status == 0) return 1;
    call->failed = 1;
    lua_replace(L, call->problem);
    return 0;
}

/* ---- progress ---- */

static void number_field(lua_State *L, const char *name, double value)
{
    if (value != value) return; /* unknown: nil */
    lua_pushnumber(L, value);
    lua_setfield(L, -2, name);
}

static void integer_field(lua_State *L, const char *name, int64_t value)
{
    lml_push_integer(L, value);
    lua_setfield(L, -2, name);
}

/* What the function answers, as one of ML_CONTINUE and so on. */
static int32_t answer(lua_State *L)
{
    if (lua_isnil(L, -1)) return ML_CONTINUE;
    if (lua_isboolean(L, -1)) return lua_toboolean(L, -1) ? ML_CONTINUE : ML_STOP_KEEP;
    const char *text = lua_tostring(L, -1);
    if (text && !strcmp(text, "continue")) return ML_CONTINUE;
    if (text && !strcmp(text, "stop")) return ML_STOP_KEEP;
    if (text && !strcmp(text, "cancel")) return ML_CANCEL;
    return luaL_error(L,
                      "a progress function answers \"continue\", \"stop\" or "
                      "\"cancel\", not %s",
                      text ? text : luaL_typename(L, -1));
}

/* Arguments: the call, the function. */
static int progress_trampoline(lua_State *L)
{
    const lml_call *call = lua_touserdata(L, 1);
    const ml_progress *p = call->data;
    lua_createtable(L, 0, 9);
    if (p->trial >= 0) integer_field(L, "trial", p->trial + 1);
    number_field(L, "fraction", p->fraction);
    number_field(L, "elapsed", p->elapsed);
    number_field(L, "remaining", p->remaining);
    number_field(L, "score", p->score);
    number_field(L, "best_score", p->best_score);
    integer_field(L, "step", p->step);
    if (p->steps) integer_field(L, "steps", p->steps);
    lua_pushstring(L, p->stage ? p->stage : "");
    lua_setfield(L, -2, "stage");
    lua_call(L, 1, 1);
    lua_pushinteger(L, answer(L));
    return 1;
}

int32_t lml_on_progress(const ml_progress *progress, void *user)
{
    lml_call *call = user;
    call->data = progress;
    if (!lml_call_back(call)) return ML_CANCEL;
    int32_t answered = (int32_t)lua_tointeger(call->L, -1);
    lua_pop(call->L, 1);
    return answered;
}

lml_call *lml_progress_begin(lua_State *L, int arg)
{
    if (!lua_isnoneornil(L, arg)) luaL_checktype(L, arg, LUA_TFUNCTION);
    return lml_call_begin(L, lua_isnoneornil(L, arg) ? 0 : arg, progress_trampoline);
}

/* ---- rounds of a fit ---- */

static void vector_field(lua_State *L, const char *name, const double *values,
                         int64_t count)
{
    lml_vector *vector = lml_new_vector(L, count);
    if (values) memcpy(vector->values, values, (size_t)count * sizeof *values);
    lua_setfield(L, -2, name);
}

/* The table that the functions get. */
static void push_round(lua_State *L, const lml_round *r)
{
    int64_t n = r->rows * r->outputs;
    lua_createtable(L, 0, 7);
    integer_field(L, "rows", r->rows);
    integer_field(L, "outputs", r->outputs);
    vector_field(L, "labels", r->labels, r->rows);
    if (r->weights) vector_field(L, "weights", r->weights, r->rows);
    vector_field(L, "scores", r->scores, n);
    if (!r->gradients) return;
    /* They hold NaN: what the function leaves out is found. */
    vector_field(L, "gradients", r->gradients, n);
    vector_field(L, "hessians", r->hessians, n);
}

/* What the function left in a field of the table at 1: the vector, or another one. */
static void take_field(lua_State *L, const char *name, double *out, int64_t count)
{
    lua_getfield(L, 1, name);
    const lml_vector *vector = lml_test(L, -1, LML_VECTOR);
    if (!vector || vector->count != count)
        luaL_error(L, "%s is no vector of %d numbers", name, (int)count);
    memcpy(out, vector->values, (size_t)count * sizeof *out);
    lua_pop(L, 1);
}

/* Arguments: the call, the function. */
static int objective_trampoline(lua_State *L)
{
    const lml_call *call = lua_touserdata(L, 1);
    const lml_round *r = call->data;
    push_round(L, r);
    lua_pushvalue(L, -1);
    lua_insert(L, 1);
    lua_call(L, 1, 0);
    take_field(L, "gradients", r->gradients, r->rows * r->outputs);
    take_field(L, "hessians", r->hessians, r->rows * r->outputs);
    lua_pushnil(L);
    return 1;
}

static int metric_trampoline(lua_State *L)
{
    const lml_call *call = lua_touserdata(L, 1);
    const lml_round *r = call->data;
    push_round(L, r);
    lua_call(L, 1, 1);
    if (lua_type(L, -1) != LUA_TNUMBER)
        luaL_error(L, "a metric gives a number, not a %s", luaL_typename(L, -1));
    *r->value = lua_tonumber(L, -1);
    return 1;
}

static void round_begin(lml_call *call, lml_round *round, int function,
                        lua_CFunction trampoline)
{
    lua_State *L = call->L;
    *round = (lml_round){.call = call};
    if (!lua_isfunction(L, function)) return;
    for (int i = 1; i <= LML_TYPES + 1; i++) lua_pushvalue(L, lua_upvalueindex(i));
    lua_pushcclosure(L, trampoline, LML_TYPES + 1);
    round->function = function;
    round->trampoline = lua_gettop(L);
}

void lml_rounds_begin(lml_call *call, lml_rounds *rounds, int objective, int metric)
{
    luaL_checkstack(call->L, 3 * LUA_MINSTACK, "a callback");
    round_begin(call, &rounds->objective, objective, objective_trampoline);
    round_begin(call, &rounds->metric, metric, metric_trampoline);
    rounds->call = call;
    rounds->outer = call->state->rounds;
    call->state->rounds = rounds;
}

/* Calls the function of the round instead of the progress function. */
static int32_t call_round(lml_round *round)
{
    lml_call *call = round->call;
    int function = call->function, trampoline = call->trampoline;
    call->data = round;
    call->function = round->function;
    call->trampoline = round->trampoline;
    int done = lml_call_back(call);
    if (done) lua_pop(call->L, 1);
    call->function = function;
    call->trampoline = trampoline;
    return done ? 0 : -1;
}

int32_t lml_on_objective(int64_t rows, int64_t outputs, const double *labels,
                         const double *weights, const double *scores, double *gradients,
                         double *hessians, void *user)
{
    const lml_state *state = user;
    if (!state->rounds || !state->rounds->objective.function) return -1;
    lml_round *round = &state->rounds->objective;
    round->rows = rows;
    round->outputs = outputs;
    round->labels = labels;
    round->weights = weights;
    round->scores = scores;
    round->gradients = gradients;
    round->hessians = hessians;
    return call_round(round);
}

int32_t lml_on_metric(int64_t rows, int64_t outputs, const double *labels,
                      const double *weights, const double *scores, double *value,
                      void *user)
{
    const lml_state *state = user;
    if (!state->rounds || !state->rounds->metric.function) return -1;
    lml_round *round = &state->rounds->metric;
    round->rows = rows;
    round->outputs = outputs;
    round->labels = labels;
    round->weights = weights;
    round->scores = scores;
    round->value = value;
    return call_round(round);
}

/* ---- streams ---- */

static int write_trampoline(lua_State *L)
{
    const lml_call *call = lua_touserdata(L, 1);
    lua_pushlstring(L, call->data, call->size);
    lua_call(L, 1, 1);
    if (lua_isboolean(L, -1) && !lua_toboolean(L, -1))
        luaL_error(L, "the writing function answered false");
    lua_pushnil(L);
    return 1;
}

int64_t lml_on_write(const void *buffer, size_t size, void *user)
{
    lml_call *call = user;
    call->data = buffer;
    call->size = size;
    if (!lml_call_back(call)) return -1;
    lua_pop(call->L, 1);
    return (int64_t)size;
}

lml_call *lml_write_begin(lua_State *L, int arg, ml_io *io)
{
    luaL_checktype(L, arg, LUA_TFUNCTION);
    lml_call *call = lml_call_begin(L, arg, write_trampoline);
    io->write = lml_on_write;
    io->user = call;
    return call;
}

/* The function gives texts of any length: what is not asked for yet is kept, with the
 * place reached in it, in the slot of the problem. */
static int read_trampoline(lua_State *L)
{
    lua_call(L, 0, 1);
    if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "a reading function gives texts, and nil at the end, not a %s",
                   luaL_typename(L, -1));
    return 1;
}

int64_t lml_on_read(void *buffer, size_t size, void *user)
{
    lml_call *call = user;
    lua_State *L = call->L;
    size_t length = 0;
    while (lua_isnil(L, call->problem)) {
        if (!lml_call_back(call)) return -1;
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            return 0;
        }
        lua_replace(L, call->problem);
        call->size = 0;
        if (lml_rawlen(L, call->problem) == 0) {
            lua_pushnil(L);
            lua_replace(L, call->problem);
        }
    }
    const char *text = lua_tolstring(L, call->problem, &length);
    size_t n = length - call->size < size ? length - call->size : size;
    memcpy(buffer, text + call->size, n);
    call->size += n;
    if (call->size == length) {
        lua_pushnil(L);
        lua_replace(L, call->problem);
    }
    return (int64_t)n;
}

lml_call *lml_read_begin(lua_State *L, int arg, ml_io *io)
{
    luaL_checktype(L, arg, LUA_TFUNCTION);
    lml_call *call = lml_call_begin(L, arg, read_trampoline);
    io->read = lml_on_read;
    io->user = call;
    return call;
}
