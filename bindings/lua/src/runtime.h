/* SPDX-License-Identifier: MIT
 *
 * runtime.h: what the generated functions of the Lua module (calls.c) and the written
 * ones (special.c, vector.c) share: handles, errors, arguments, callbacks.
 *
 * Errors. Misuse (a wrong type, a freed handle) raises a Lua error, as the standard
 * library does. What can fail in good use returns nil and an error object. A Lua error
 * jumps over C frames, so none may be raised while a function of libml is running, and
 * nothing may be held that only C knows: results are put into userdata made before the
 * call, temporary values live in userdata too.
 */
#ifndef LML_RUNTIME_H
#define LML_RUNTIME_H

#include <lauxlib.h>
#include <lua.h>
#include <ml/ml.h>

/* The types of handles. */
enum {
    LML_CONTEXT,
    LML_CANCEL,
    LML_SCHEMA,
    LML_PARAMS,
    LML_TENSOR,
    LML_TABLE,
    LML_ESTIMATOR,
    LML_MODEL,
    LML_PREDICTOR,
    LML_STUDY,
    LML_REPORT,
    LML_VECTOR, /* no handle of libml: numbers of Lua's own, see vector.c */
    LML_CALL,   /* a running call back */
    LML_STATE,
    LML_TYPES
};

/* A handle as Lua holds it: a full userdata. */
typedef struct lml_handle {
    void *ptr;    /* NULL once freed */
    int temp;     /* made of a table for one call: freed right after it */
    int borrowed; /* the object belongs to the state */
    int busy;     /* calls with callbacks that run with it: it must not be freed */
    /* Predictors: their model, the number of inputs and outputs, a letter per input for
     * its kind, whether a record may lack an input, and whether a category that training
     * did not have is an error. */
    int lenient, strict;
    char *kinds;
    ml_model *model;
    int64_t inputs, outputs;
} lml_handle;

/* What one Lua state has of its own: the first upvalue of every function. */
typedef struct lml_state {
    lua_State *L;        /* the coroutine that called last; valid within a call */
    ml_context *context; /* the default context, made when first needed */
    ml_error *error;
    size_t unpaid;             /* bytes of objects made since the last full collection */
    struct lml_rounds *rounds; /* of the innermost running fit or study */
    int closed;                /* the Lua state is being closed */
} lml_state;

typedef struct lml_vector {
    int64_t count;
    double values[]; /* [count] */
} lml_vector;

/* A running call that may call back: a userdata, with what lies beside it on the stack.
 */
typedef struct lml_call {
    lua_State *L;
    lml_state *state;
    ml_error *error; /* its own: a callback may use libml, and with it the state's */
    int self;        /* index of this userdata */
    int function;    /* index of the Lua function, 0: none */
    int trampoline;  /* index of the C function that calls it in protected mode */
    int problem;     /* index of the slot for the error that it raised */
    int failed;
    int arguments;    /* indices up to this one may be handles: busy */
    const void *data; /* what the trampoline needs: the progress, the bytes */
    void *buffer;
    size_t size;
} lml_call;

/* A function of a fit that gets the scores of every round, and what it got last. */
typedef struct lml_round {
    lml_call *call;
    int function, trampoline;
    int64_t rows, outputs;
    const double *labels, *weights, *scores;
    double *gradients, *hessians, *value;
} lml_round;

/* The functions of one fit or study: a loss and a metric, each with function 0 if there
 * is none. The hooks of an estimator, and those that a study got from it, find them by
 * the state. */
typedef struct lml_rounds {
    lml_call *call;
    lml_round objective, metric;
    struct lml_rounds *outer;
} lml_rounds;

extern const char *const lml_type_names[LML_TYPES];

/* ---- runtime.c ---- */

/* The state of this Lua state; notes the coroutine that calls. */
lml_state *lml_enter(lua_State *L);
/* The default context: ML_OK, or a failure told to `error`. */
ml_status lml_default(lml_state *state, ml_context **out);

/* A new, empty userdata of that type on the stack. */
lml_handle *lml_new(lua_State *L, int type);
/* Gives it its object. May collect garbage. */
void lml_made(lua_State *L, lml_handle *handle, int type, void *object);
void lml_release(lml_handle *handle, int type);
/* The handle or vector at an index, or NULL when it is something else. */
void *lml_test(lua_State *L, int index, int type);
/* Raises "table expected, got model". */
int lml_wrong_type(lua_State *L, int arg, const char *expected);
/* The object at an argument; raises when it is something else or freed. */
void *lml_check(lua_State *L, int arg, int type);
void *lml_opt(lua_State *L, int arg, int type); /* nil gives NULL */

const char *lml_text(lua_State *L, int arg);
const char *lml_opt_text(lua_State *L, int arg);
/* 1 and the value when the number at the index is whole. */
int lml_whole(lua_State *L, int index, int64_t *out);
int64_t lml_integer(lua_State *L, int arg);
int32_t lml_integer32(lua_State *L, int arg);
/* An index that starts at 1, as one that starts at 0. */
int64_t lml_index(lua_State *L, int arg);
int64_t lml_opt_index(lua_State *L, int arg);
void *lml_pointer(lua_State *L, int arg); /* a light userdata, not NULL */
const char **lml_texts(lua_State *L, int arg, int64_t *count);
int64_t *lml_indices(lua_State *L, int arg, int64_t *count);
/* Options: nil, a params handle, or a table, which a temporary handle replaces. */
ml_params *lml_options(lua_State *L, int arg);
void lml_end_options(lua_State *L, int arg);
/* Sets one value, at the top of the stack; raises when it has no form as a value. */
ml_status lml_put(lua_State *L, ml_params *params, const char *name, ml_error *error);

void lml_push_text(lua_State *L, const char *text); /* NULL gives nil */
void lml_push_integer(lua_State *L, int64_t value);
/* nil and the error object; the number of results. */
int lml_fail(lua_State *L, const ml_error *error);

/* ---- callbacks.c ---- */

/* Prepares a call back to the function at an index, 0 for none. Pushes. */
lml_call *lml_call_begin(lua_State *L, int function, lua_CFunction trampoline);
/* Ends it. 0: it went well. Otherwise nil and an error are pushed, and it is their
 * number. */
int lml_call_end(lml_call *call, ml_status status);
/* Calls the trampoline with the call and the function; 0 when one of them raised. */
int lml_call_back(lml_call *call);
lml_call *lml_progress_begin(lua_State *L, int arg);
/* Lets the call call the functions at two indices, or nil, with the rounds of a fit too:
 * an objective and a metric. Pushes. Ended by lml_call_end. */
void lml_rounds_begin(lml_call *call, lml_rounds *rounds, int objective, int metric);
/* user: the state. */
int32_t lml_on_objective(int64_t rows, int64_t outputs, const double *labels,
                         const double *weights, const double *scores, double *gradients,
                         double *hessians, void *user);
int32_t lml_on_metric(int64_t rows, int64_t outputs, const double *labels,
                      const double *weights, const double *scores, double *value,
                      void *user);
int32_t lml_on_progress(const ml_progress *progress, void *user); /* user: the call */
int64_t lml_on_write(const void *buffer, size_t size, void *user);
int64_t lml_on_read(void *buffer, size_t size, void *user);
lml_call *lml_write_begin(lua_State *L, int arg, ml_io *io);
lml_call *lml_read_begin(lua_State *L, int arg, ml_io *io);

/* ---- vector.c, special.c, calls.c ---- */

lml_vector *lml_new_vector(lua_State *L, int64_t count);
extern const luaL_Reg lml_vector_calls[], lml_vector_meta[];
extern const luaL_Reg lml_special_calls[];
extern const luaL_Reg lml_calls[];

/* ---- Lua versions ---- */

#if LUA_VERSION_NUM < 502
#define lml_rawlen(L, i) ((int64_t)lua_objlen(L, i))
#else
#define lml_rawlen(L, i) ((int64_t)lua_rawlen(L, i))
#endif

#if defined(__GNUC__)
#define LML_EXPORT __attribute__((visibility("default")))
#else
#define LML_EXPORT
#endif

#endif
