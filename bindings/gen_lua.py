#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the generated part of the Lua module from api.json and schema.json:

  lua/src/calls.c     a function of Lua per function of libml, for the C module
  lua/src/face.h      face.lua as C text, so that the module is one file
  lua/libml_ffi.lua   the module for LuaJIT by its FFI: ffi.lua, the same functions, face.lua
  lua/libml.d.lua     LuaCATS annotations for editors

Both modules have the same plain functions ("table_select"), and face.lua arranges them into
what programs see. A function of the header is generated when its parameters are of known
kinds; the others are written by hand (HAND) or have no meaning in Lua (LEFT_OUT). One that is
in no list stops the generator.

Usage: gen_lua.py [--check]
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BINDINGS = ROOT / "bindings"
LUA = BINDINGS / "lua"

TYPES = ["context", "cancel", "schema", "params", "tensor", "table", "estimator", "model",
         "predictor", "study", "report"]

# Written by hand in special.c and ffi.lua.
HAND = {
    "ml_context_new", "ml_params_set_i64", "ml_params_set_f64", "ml_params_set_str",
    "ml_params_get_i64", "ml_params_get_f64", "ml_params_get_str", "ml_params_write_yaml",
    "ml_tensor_new", "ml_tensor_shape", "ml_table_get_str", "ml_table_with_tensor",
    "ml_table_with_strs", "ml_estimator_set_str", "ml_estimator_set_i64",
    "ml_estimator_set_f64", "ml_estimator_set_params", "ml_estimator_params",
    "ml_estimator_set_progress", "ml_estimator_fit", "ml_model_load_memory",
    "ml_model_params", "ml_predictor_new", "ml_predictor_rows"}
# What a Lua program has no use for.
LEFT_OUT = {
    "ml_error_*": "errors become tables",
    "ml_*_free": "a method of every handle",
    "ml_*_ref": "the collector counts",
    "ml_tensor_wrap": "Lua has no memory that stays unchanged; tensors copy",
    "ml_tensor_strides": "see ml_tensor_shape",
    "ml_tensor_data": "a tensor becomes a vector"}
# Parameters that are indices: 1 is the first in Lua. The others of these types are numbers.
INDICES = {"index", "row", "column", "i", "j", "input"}
OPTIONAL = {"j"}


class Unknown(Exception):
    pass


def handle_type(text):
    match = re.match(r"(?:const )?ml_(\w+) \*$", text)
    return match.group(1) if match and match.group(1) in TYPES else None


def left_out(name):
    return any(re.fullmatch(pattern.replace("*", r"\w+"), name) for pattern in LEFT_OUT)


def short(function):
    """ "ml_table_select" is "table_select"; what a context makes is "context_..."."""
    name = function["name"][3:]
    first = function["params"][0]["type"] if function["params"] else ""
    if handle_type(first) == "context" and not name.startswith("context_"):
        return "context_" + name
    return name


def classify(function):
    """The parameters as kinds: (kind, name, more). Several of C make one of Lua."""
    params, kinds, i = function["params"], [], 0
    while i < len(params):
        p = params[i]
        name, text, marks = p["name"], p["type"], p["marks"]
        following = params[i + 1]["name"] if i + 1 < len(params) else ""
        if text == "ml_error *":
            kinds.append(("error", name, None))
        elif "out" in marks and text.endswith("**") and handle_type(text[:-1]):
            kinds.append(("made", name, handle_type(text[:-1])))
        elif "out" in marks and text in ("double *", "int64_t *"):
            kinds.append(("number_out" if text == "double *" else "integer_out", name, None))
        elif "out" in marks and text == "void **":
            kinds.append(("pointer_out", name, None))
        elif text == "const ml_params *" and "null" in marks:
            kinds.append(("options", name, None))
        elif handle_type(text):
            kind = handle_type(text)
            own = i == 0 and function["name"].startswith(f"ml_{kind}_")
            kinds.append(("handle", name, (kind, "null" in marks and not own)))
        elif text == "ml_progress_fn":
            kinds.append(("progress", name, None))
            i += 1
        elif text == "const ml_io *":
            kinds.append(("io", name, "read" if "read" in function["name"] else "write"))
        elif text == "const char *const *":
            kinds.append(("texts", name, following == "count"))
            i += following == "count"
        elif text == "const int64_t *" and following == "count":
            kinds.append(("indices", name, None))
            i += 1
        elif text == "const char *" and marks.get("len") == "size":
            kinds.append(("bytes", name, None))
            i += 1
        elif text == "const char *":
            kinds.append(("text", name, "null" in marks))
        elif text in ("int64_t", "int32_t", "ml_status") and (
                name in INDICES or (name == "begin" and following == "end")):
            kinds.append(("index", name, name in OPTIONAL))
        elif text == "int64_t":
            trial = name == "trial"
            kinds.append(("index" if trial else "integer", name, False))
        elif text in ("int32_t", "ml_status"):
            kinds.append(("integer32", name, None))
        elif text == "double":
            kinds.append(("number", name, None))
        elif text in ("void *", "struct ArrowArrayStream *"):
            kinds.append(("pointer", name, text))
        else:
            raise Unknown(f"{function['name']}: a parameter {name} of type {text}")
        i += 1
    return kinds


def result_of(function):
    text = function["returns"]
    known = {"void": "none", "ml_status": "status", "const char *": "text",
             "double": "number", "int32_t": "integer", "int64_t": "integer"}
    if text not in known:
        raise Unknown(f"{function['name']}: returns {text}")
    if text == "int64_t" and function["name"].endswith("_find"):
        return "index"
    return known[text]


def plan(api):
    """The functions to generate: (function, kinds, result)."""
    out, problems = [], []
    for function in api["functions"]:
        if function["name"] in HAND or left_out(function["name"]):
            continue
        try:
            out.append((function, classify(function), result_of(function)))
        except Unknown as problem:
            problems.append(str(problem))
    names = {f["name"] for f in api["functions"]}
    problems += [f"{name} is not in the header" for name in sorted(HAND - names)]
    if problems:
        sys.exit("gen_lua: " + "; ".join(problems) + "\n(put it into HAND and write it in "
                 "special.c and ffi.lua, or into LEFT_OUT)")
    return out


# ---- the C module ----

C_HEAD = """/* SPDX-License-Identifier: MIT
 *
 * calls.c: generated by bindings/gen_lua.py: a function of Lua per function of libml.
 */
#include "runtime.h"
"""


def c_argument(kind, name, more, n):
    """(declarations, what is passed) of one argument."""
    if kind == "handle":
        check = "lml_opt" if more[1] else "lml_check"
        return [f"ml_{more[0]} *{name} = {check}(L, {n}, LML_{more[0].upper()});"], name
    if kind == "options":
        return [f"const ml_params *{name} = lml_options(L, {n});"], name
    if kind == "text":
        return [f"const char *{name} = {'lml_opt_text' if more else 'lml_text'}(L, {n});"], name
    if kind == "bytes":
        return [f"size_t {name}_size = 0;",
                f"const char *{name} = luaL_checklstring(L, {n}, &{name}_size);"], \
            f"{name}, {name}_size"
    if kind == "texts":
        return [f"int64_t {name}_count = 0;",
                f"const char **{name} = lml_texts(L, {n}, &{name}_count);"], \
            f"{name}, {name}_count" if more else name
    if kind == "indices":
        return [f"int64_t {name}_count = 0;",
                f"int64_t *{name} = lml_indices(L, {n}, &{name}_count);"], \
            f"{name}, {name}_count"
    if kind == "index":
        return [f"int64_t {name} = {'lml_opt_index' if more else 'lml_index'}(L, {n});"], name
    if kind == "integer":
        return [f"int64_t {name} = lml_integer(L, {n});"], name
    if kind == "integer32":
        return [f"int32_t {name} = lml_integer32(L, {n});"], name
    if kind == "number":
        return [f"double {name} = luaL_checknumber(L, {n});"], name
    if kind == "pointer":
        return [f"{more}{name} = lml_pointer(L, {n});"], name
    if kind == "progress":
        return [f"lml_call *call = lml_progress_begin(L, {n});"], \
            "call->function ? lml_on_progress : NULL, call"
    if kind == "io":
        return ["ml_io stream = ML_IO_INIT;",
                f"lml_call *call = lml_{more}_begin(L, {n}, &stream);"], "&stream"
    raise AssertionError(kind)


OUT_C = {"number_out": ("double {0} = 0;", "lua_pushnumber(L, {0});"),
         "integer_out": ("int64_t {0} = 0;", "lml_push_integer(L, {0});"),
         "pointer_out": ("void *{0} = NULL;", "lua_pushlightuserdata(L, {0});")}


def is_trial(function, name):
    return function["name"] == "ml_study_ask" and name == "trial"


def c_function(function, kinds, result):
    before, late, passed, after, returned, n = [], [], [], [], [], 0
    hold, made = [], []  # results are held at once; what can raise comes after
    calls_back = any(kind in ("progress", "io") for kind, _, _ in kinds)
    error = "call->error" if calls_back else "state->error"
    arguments = sum(kind not in ("error", "made") and kind not in OUT_C for kind, _, _ in kinds)
    for kind, name, more in kinds:
        if kind == "error":
            passed.append(error)
        elif kind == "made":
            before.append(f"lml_handle *{name}_handle = lml_new(L, LML_{more.upper()});")
            before.append(f"int {name}_at = lua_gettop(L);")
            before.append(f"ml_{more} *{name} = NULL;")
            passed.append(f"&{name}")
            hold.append(f"{name}_handle->ptr = {name};")
            made.append(f"lml_made(L, {name}_handle, LML_{more.upper()}, {name});")
            returned.append(f"lua_pushvalue(L, {name}_at);")
        elif kind in OUT_C:
            before.append(OUT_C[kind][0].format(name))
            passed.append(f"&{name}")
            value = name + " + 1" if is_trial(function, name) else name
            returned.append(OUT_C[kind][1].format(value))
        else:
            n += 1
            lines, what = c_argument(kind, name, more, n)
            (late if kind in ("progress", "io") else before).extend(lines)
            passed.append(what)
            if kind == "options":
                after.append(f"lml_end_options(L, {n});")
    call = f"{function['name']}({', '.join(passed)})"
    body = (["lml_state *state = lml_enter(L);"] if "state->error" in call or True else [])
    body += [f"lua_settop(L, {arguments});"] + before + late
    if result == "status":
        body += [f"ml_status status = {call};"] + hold + after
        if calls_back:
            body += ["int failed = lml_call_end(call, status);", "if (failed) return failed;"]
        else:
            body.append("if (status < 0) return lml_fail(L, state->error);")
        if not returned:
            returned = ["lua_pushvalue(L, 1);"]
        body += made + returned + [f"return {len(returned)};"]
    elif result == "none":
        body += [f"{call};"] + after + ["lua_settop(L, 1);", "return 1;"]
    elif result == "index":
        body += [f"int64_t found = {call};", "if (found < 0) return 0;",
                 "lml_push_integer(L, found + 1);", "return 1;"]
    else:
        push = {"text": "lml_push_text", "number": "lua_pushnumber",
                "integer": "lml_push_integer"}[result]
        body += [f"{push}(L, {call});"] + after + ["return 1;"]
    if "state->" not in "".join(body):
        body[0] = "lml_enter(L);"
    text = "\n".join("    " + line for line in body)
    return f"static int {short(function)}(lua_State *L)\n{{\n{text}\n}}\n"


def wrap_c(text, width=90):
    """Breaks long lines at commas, in the manner of clang-format's continuation."""
    out = []
    for line in text.split("\n"):
        while len(line) > width:
            indent = line.index("(") + 1
            match = re.search(r"\w+\(", line[:60])
            indent = match.end() if match else 8
            cut = line.rfind(", ", 0, width)
            if cut < indent:
                cut = line.rfind(" ", 0, width)
                out.append(line[:cut])
            else:
                out.append(line[:cut + 1])
            line = " " * indent + line[cut + 1:].strip() if cut >= 0 else line
        out.append(line)
    return "\n".join(out)


def calls_c(planned):
    out = [C_HEAD]
    out += [wrap_c(c_function(*entry)) for entry in planned]
    out.append("const luaL_Reg lml_calls[] = {")
    for name in sorted(short(f) for f, _, _ in planned):
        out.append(f'    {{"{name}", {name}}},')
    out.append("    {NULL, NULL}};\n")
    return "\n".join(out)


def embed(text):
    """A text of Lua as an array of C strings, one per line. Comments are left out."""
    out = ["/* Generated by bindings/gen_lua.py from face.lua. */",
           "static const char *const lml_face[] = {"]
    for line in text.split("\n"):
        if re.match(r"\s*--", line):
            line = ""
        escaped = line.replace("\\", "\\\\").replace('"', '\\"')
        out.append(f'    "{escaped}\\n",')
    return "\n".join(out + ["    NULL};", ""])


# ---- all ----

def main():
    api = json.loads((BINDINGS / "api.json").read_text(encoding="utf-8"))
    planned = plan(api)
    face = (LUA / "src" / "face.lua").read_text(encoding="utf-8")
    wanted = {"src/calls.c": calls_c(planned), "src/face.h": embed(face)}
    stale = []
    for name, text in wanted.items():
        path = LUA / name
        text = text.rstrip() + "\n"
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv[1:]:
            path.write_text(text, encoding="utf-8")
    if stale and "--check" in sys.argv[1:]:
        sys.exit(f"bindings/lua is stale ({', '.join(stale)}): run bindings/gen_lua.py")


if __name__ == "__main__":
    main()
