#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes include/ml/ml.hpp, the classes for C++17: cpp/core.hpp, with a class per type of
handle and a method per function of api.json in the places that it marks.

A function belongs to the class of its first parameter; what a context makes are methods of
the context. Functions in HAND are written in core.hpp.

Usage: gen_cpp.py [--check]
"""

import json
import re
import sys
import textwrap
from pathlib import Path

from kinds import TYPES, Unknown, classify, handle_type

ROOT = Path(__file__).resolve().parent.parent
BINDINGS = ROOT / "bindings"
OUT = ROOT / "include" / "ml" / "ml.hpp"

SHARED = ("tensor", "table", "model")
HAND = {
    "ml_context_new", "ml_cancel_new", "ml_params_set_i64", "ml_params_set_f64",
    "ml_params_set_str", "ml_params_get_i64", "ml_params_get_f64", "ml_params_get_str",
    "ml_params_write_yaml", "ml_tensor_new", "ml_tensor_wrap", "ml_tensor_shape",
    "ml_tensor_strides", "ml_tensor_data", "ml_table_get_str", "ml_table_with_strs",
    "ml_estimator_set_str", "ml_estimator_set_i64", "ml_estimator_set_f64",
    "ml_estimator_set_params", "ml_estimator_params", "ml_estimator_set_progress",
    "ml_estimator_set_objective", "ml_estimator_set_metric",
    "ml_estimator_fit", "ml_model_load_memory", "ml_model_params", "ml_predictor_rows",
    "ml_predictor_sparse_rows"}
# Left out: exceptions and the classes do it.
LEFT_OUT = ("ml_error_", "_free", "_ref")
RENAMED = {"model_load_file": "load", "schema_get": "field"}
OUTS = {"number_out": "double", "integer_out": "int64_t", "pointer_out": "void *"}


def method_name(name, owner):
    plain = name[3:]
    if plain in RENAMED:
        return RENAMED[plain]
    if owner and plain.startswith(owner + "_"):
        plain = plain[len(owner) + 1:]
        return {"save_file": "save"}.get(plain, plain)
    if owner == "context":
        plain = re.sub(r"^(table|tensor|model|metric)_", "", plain)
    return re.sub(r"_new$", "", plain)


def argument(kind, name, more):
    """(type and name, default or None, what is passed, lines before the call)."""
    if kind == "handle":
        if more[1]:
            return f"const ml::{more[0]} *{name}", "nullptr", \
                f"{name} ? {name}->get() : nullptr", []
        return f"const ml::{more[0]} &{name}", None, f"{name}.get()", []
    if kind == "options":
        return f"const ml::options &{name}", "{}", f"{name}_set.get()", \
            [f"detail::set_of {name}_set({name});"]
    if kind == "text":
        return f"text {name}", "nullptr" if more else None, f"{name}.chars", []
    if kind == "bytes":
        return f"std::string_view {name}", None, f"{name}.data(), {name}.size()", []
    if kind == "texts":
        passed = f"{name}_chars.data()" + (f", {name}_chars.size()" if more else "")
        return f"const std::vector<std::string> &{name}", None if more else "{}", passed, \
            [f"detail::chars_of {name}_chars({name});"]
    if kind == "indices":
        return f"const std::vector<int64_t> &{name}", None, \
            f"{name}.data(), static_cast<int64_t>({name}.size())", []
    if kind == "index":
        return f"int64_t {name}", "0" if more else None, name, []
    plain = {"integer": "int64_t", "integer32": "int32_t", "number": "double"}
    if kind in plain:
        return f"{plain[kind]} {name}", None, name, []
    if kind == "pointer":
        return f"{more}{name}", None, name, []
    if kind == "progress":
        return f"const progress_fn &{name}", "nullptr", \
            f"{name} ? detail::on_progress : nullptr, &state", \
            ["detail::call state;", f"state.function = &{name};"]
    if kind == "io":
        return f"const {'reader' if more == 'read' else 'writer'} &{name}", None, "&stream", \
            ["detail::call state;", f"ml_io stream = detail::io_of(state, {name});"]
    raise AssertionError(kind)


def comment(text, indent):
    lines = textwrap.wrap(text.rstrip(".").replace("*/", "* /") + ".@*/", 88 - len(indent),
                          initial_indent=indent + "/** ", subsequent_indent=indent + " * ",
                          break_on_hyphens=False)
    return [line.replace("@*/", " */") for line in lines]


def wrap(head, items, tail, indent, width=90):
    """head(item, item)tail, broken after commas and aligned with the parenthesis."""
    lines, line = [], indent + head + "("
    column = len(line)
    for i, item in enumerate(items):
        item += ", " if i + 1 < len(items) else ")" + tail
        if len(line) + len(item.rstrip()) > width and line.strip() and len(line) > column:
            lines.append(line.rstrip())
            line = " " * column
        line += item
    if not items:
        line += ")" + tail
    return "\n".join(lines + [line])


class Method:
    def __init__(self, function):
        self.function = function
        self.kinds = classify(function)
        first = self.kinds[0] if self.kinds else ("", "", None)
        self.owner = first[2][0] if first[0] == "handle" else None
        self.const = bool(function["params"]) and function["params"][0]["type"].startswith(
            "const") or self.owner == "context"
        self.name = method_name(function["name"], self.owner)
        self.arguments, self.passed, self.before, self.results = [], [], [], []
        for n, (kind, name, more) in enumerate(self.kinds):
            if n == 0 and self.owner:
                self.passed.append("get()")
            elif kind == "error":
                self.passed.append("detail::last()")
            elif kind == "made":
                self.results.append((f"ml::{more}", name, f"ml::{more}({name})"))
                self.before.append(f"ml_{more} *{name} = nullptr;")
                self.passed.append(f"&{name}")
            elif kind in OUTS:
                kind = OUTS[kind]
                self.results.append((kind.strip(), name, name))
                init = "nullptr" if "*" in kind else "0"
                space = "" if kind.endswith("*") else " "
                self.before.append(f"{kind}{space}{name} = {init};")
                self.passed.append(f"&{name}")
            else:
                text, default, passed, before = argument(kind, name, more)
                self.arguments.append((text, default))
                self.before = self.before + before
                self.passed.append(passed)
        self.returns = self.type()

    def type(self):
        text = self.function["returns"]
        if text == "ml_status":
            kinds = [r[0] for r in self.results]
            return "void" if not kinds else kinds[0] if len(kinds) == 1 else \
                f"std::tuple<{', '.join(kinds)}>"
        if text == "const char *":
            null = "null" in self.function["returns_marks"]
            return "const char *" if null else "std::string_view"
        return text

    def declaration(self):
        out, ends = [], True
        for text, default in reversed(self.arguments):
            ends = ends and default is not None
            out.append(f"{text} = {default}" if ends else text)
        space = "" if self.returns.endswith("*") else " "
        tail = " const;" if self.const and self.owner else ";"
        static = "" if self.owner else "inline "
        indent = "    " if self.owner else ""
        lines = comment(self.function["summary"], indent)
        return "\n".join(lines + [wrap(static + self.returns + space + self.name,
                                       out[::-1], tail, indent)])

    def definition(self):
        tail = " const" if self.const and self.owner else ""
        returns = re.sub(r"\bml::", "", self.returns)
        space = "" if returns.endswith("*") else " "
        head = f"inline {returns}{space}{self.owner + '::' if self.owner else ''}{self.name}"
        out = [wrap(head, [a for a, _ in self.arguments], tail, ""), "{"]
        out += ["    " + line for line in self.before]
        call = self.function["name"]
        checked = "state.check" if "detail::call state;" in self.before else "detail::check"
        if self.function["returns"] == "ml_status":
            made = [r for r in self.results if r[0].startswith("ml::")]
            if checked == "state.check" and made:
                out.append(wrap(f"ml_status status = {call}", self.passed, ";", "    "))
                out += [f"    {r[0]} {r[1]}_owned({r[1]});" for r in made]
                out.append(f"    {checked}(status);")
                out.append(f"    return {made[0][1]}_owned;")
                assert len(self.results) == 1
            else:
                out.append(wrap(f"{checked}({call}", self.passed, ");", "    "))
                values = [r[2] for r in self.results]
                if len(values) == 1:
                    out.append(f"    return {values[0]};")
                elif values:
                    out.append(f"    return {{{', '.join(values)}}};")
        else:
            head = "" if self.returns == "void" else "return "
            out.append(wrap(head + call, self.passed, ";", "    "))
        return "\n".join(out + ["}", ""])


def methods(api):
    out, problems = [], []
    for function in api["functions"]:
        name = function["name"]
        if name in HAND or name.startswith(LEFT_OUT[0]) or name.endswith(LEFT_OUT[1:]):
            continue
        try:
            out.append(Method(function))
        except Unknown as problem:
            problems.append(str(problem))
    if problems:
        sys.exit("gen_cpp: " + "; ".join(problems) +
                 "\n(put it into HAND and write it in cpp/core.hpp)")
    return out


def class_text(kind, made, public, private, doc):
    base = f"detail::sharer<ml_{kind}, ml_{kind}_ref, ml_{kind}_free>" if kind in SHARED \
        else f"detail::owner<ml_{kind}, ml_{kind}_free>"
    out = comment(doc, "") + [f"class {kind} : public {base} {{", "public:"]
    default = kind not in ("context", "cancel")
    if default:
        out.append(f"    {kind}() = default;")
    out += ["    /** Takes a handle of C over. */",
            f"    explicit {kind}(ml_{kind} *owned) noexcept"]
    short = base.split("<")[0].replace("detail::", "")
    out[-1] += f" : {short}(owned) {{}}"
    out += public + [m.declaration() for m in made]
    if private:
        out += ["", "private:"] + private
    return "\n".join(out + ["};", ""])


DOCS = {"context": "What others keep global: memory, threads, the registry of algorithms.",
        "cancel": "A token that stops calls; may be triggered from any thread.",
        "schema": "What an algorithm, a metric or a set of options has as parameters.",
        "params": "A set of named values.", "tensor": "Numbers in up to 8 dimensions.",
        "table": "Named columns.", "estimator": "An algorithm with its parameters.",
        "model": "What a fit gives.", "predictor": "A model, ready to predict in one thread.",
        "study": "A search for the best parameters.", "report": "A page of HTML."}


def assemble(api):
    core = (BINDINGS / "cpp" / "core.hpp").read_text(encoding="utf-8")
    hand = {}
    for match in re.finditer(r"^//@class (\w+)\n(.*?)^//@end\n\n?", core, re.M | re.S):
        public, _, private = match.group(2).partition("//@private\n")
        hand[match.group(1)] = (public.splitlines(), private.splitlines())
    core = re.sub(r"^//@class \w+\n.*?^//@end\n\n?", "", core, flags=re.M | re.S)
    made = methods(api)
    classes = [class_text(kind, [m for m in made if m.owner == kind],
                          *hand.get(kind, ([], [])), DOCS[kind]) for kind in TYPES]
    free = [m for m in made if not m.owner]
    classes += [m.declaration().replace("inline ", "", 1) + "\n" for m in free]
    definitions = [m.definition() for m in made]
    return core.replace("//@forward", "\n".join(f"class {t};" for t in TYPES)) \
        .replace("//@classes", "\n".join(classes).rstrip()) \
        .replace("//@definitions", "\n".join(definitions).rstrip())


def main():
    api = json.loads((BINDINGS / "api.json").read_text(encoding="utf-8"))
    text = assemble(api)
    if OUT.exists() and OUT.read_text(encoding="utf-8") == text:
        return
    if "--check" in sys.argv[1:]:
        sys.exit("include/ml/ml.hpp is stale: run bindings/gen_cpp.py")
    OUT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
