#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reads the public headers and writes api.json, the truth about functions for every binding.

The headers keep to a small subset of C, and this scanner refuses what is outside it:
opaque handles, plain structs, integer constants, function-pointer types, and functions
with a comment that documents each parameter.

Usage: scan.py [--check] [--out FILE]     (run anywhere; paths are relative to this file)
"""

import argparse
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADERS = ROOT / "include" / "ml"
ORDER = ["base", "error", "context", "schema", "params", "tensor", "table", "estimator",
         "model", "predictor", "study", "report"]
VERBS = {"new", "free", "ref", "clone", "get", "set", "read", "write", "load", "save", "run",
         "fit", "add", "find", "select", "slice", "take", "split", "join", "aggregate",
         "wrap", "with", "ask", "tell", "export", "evaluate", "explain", "check",
         "profile",
         "request", "rows", "register"}
NOUN_GETTERS = {"version", "build", "status", "threads", "info", "state", "name",
                "count", "json", "type", "dtype", "ndim", "shape", "strides", "data",
                "columns", "column", "algorithm", "params", "inputs", "input", "classes",
                "class", "attributes", "attribute", "outputs", "output", "code", "message",
                "location", "hint", "cause", "results", "best", "score"}
BANNED = [(r"\.\.\.", "varargs"), (r"\blong\b", "long"), (r"\bbool\b", "bool"),
          (r"\bFILE\b", "FILE *"), (r"\btime_t\b", "time_t"), (r"\bva_list\b", "va_list")]


class ScanError(Exception):
    pass


def fail(where, message):
    raise ScanError(f"{where}: {message}")


def squeeze(text):
    return re.sub(r"\s+", " ", text).strip()


def parse_comment(raw, where):
    """A /** ... */ block: summary, body, parameters, returns, since."""
    lines = [re.sub(r"^\s*\* ?", "", line) for line in raw.strip().splitlines()]
    text, tags, current = [], [], None
    for line in lines:
        match = re.match(r"@(\w+)\s*(.*)", line)
        if match:
            current = [match.group(1), match.group(2)]
            tags.append(current)
        elif current is not None:
            current[1] += " " + line
        else:
            text.append(line)
    paragraphs = [squeeze(p) for p in "\n".join(text).split("\n\n") if p.strip()]
    if not paragraphs:
        fail(where, "the comment has no summary")
    doc = {"summary": paragraphs[0], "body": paragraphs[1:], "params": {}, "returns": None,
           "since": None}
    for tag, value in tags:
        value = squeeze(value)
        if tag == "param":
            name, _, rest = value.partition(" ")
            marks, rest = take_marks(rest.strip())
            doc["params"][name] = {"marks": marks, "doc": rest}
        elif tag == "returns":
            marks, rest = take_marks(value)
            doc["returns"] = {"marks": marks, "doc": rest}
        elif tag == "since":
            doc["since"] = value
        else:
            fail(where, f"unknown tag @{tag}")
    return doc


def take_marks(text):
    marks = {}
    while True:
        match = re.match(r"\[(\w+)(?: ([^\]]+))?\]\s*", text)
        if not match:
            return marks, text
        marks[match.group(1)] = match.group(2) or True
        text = text[match.end():]


def parse_type(text):
    return squeeze(re.sub(r"\s*\*\s*", " *", text)).replace("* *", "**")


def split_params(text):
    return [squeeze(p) for p in text.split(",")] if squeeze(text) not in ("", "void") else []


def parse_param(text, where):
    match = re.match(r"(.+?)(\w+)$", text)
    if not match:
        fail(where, f"cannot read the parameter {text!r}")
    return {"name": match.group(2), "type": parse_type(match.group(1))}


def parse_function(decl, comment, where):
    decl = squeeze(decl)
    match = re.match(r"(ML_CHECK )?(.+?)(ml_\w+)\((.*)\)$", decl)
    if not match:
        fail(where, f"cannot read the declaration {decl!r}")
    for pattern, name in BANNED:
        if re.search(pattern, decl):
            fail(where, f"{match.group(3)}: {name} is banned in public headers")
    function = {"name": match.group(3), "returns": parse_type(match.group(2)),
                "must_check": bool(match.group(1)), "params": []}
    doc = parse_comment(comment, where)
    for text in split_params(match.group(4)):
        param = parse_param(text, where)
        documented = doc["params"].pop(param["name"], None)
        if documented is None:
            fail(where, f"{function['name']}: parameter {param['name']} is not documented")
        param["marks"], param["doc"] = documented["marks"], documented["doc"]
        function["params"].append(param)
    if doc["params"]:
        fail(where, f"{function['name']}: documents unknown parameters "
                    f"{', '.join(doc['params'])}")
    if function["returns"] != "void" and not doc["returns"]:
        fail(where, f"{function['name']}: @returns is missing")
    if not doc["since"]:
        fail(where, f"{function['name']}: @since is missing")
    function["returns_marks"] = doc["returns"]["marks"] if doc["returns"] else {}
    function["returns_doc"] = doc["returns"]["doc"] if doc["returns"] else ""
    function["summary"], function["body"] = doc["summary"], doc["body"]
    function["since"] = doc["since"]
    check_function(function, where)
    return function


def check_function(f, where):
    """The conventions of the API that a machine can check."""
    name = f["name"]
    words = name.split("_")[1:]
    if not any(w in VERBS or w in NOUN_GETTERS for w in words[1:] or words):
        fail(where, f"{name}: no verb or noun of the closed lists in its name")
    if f["returns"] == "ml_status" and name != "ml_error_code":
        if not f["params"] or f["params"][-1]["type"] != "ml_error *":
            fail(where, f"{name}: returns ml_status but has no final ml_error *")
        if not f["must_check"]:
            fail(where, f"{name}: ML_CHECK is missing")
    for i, p in enumerate(f["params"]):
        out = p["type"].count("*") >= 1 and not p["type"].startswith("const")
        if "out" in p["marks"] and not out:
            fail(where, f"{name}: {p['name']} is marked [out] but is no pointer")
        if p["type"].endswith("_fn") and f["params"][i + 1]["name"] != "user":
            fail(where, f"{name}: the callback {p['name']} has no user pointer beside it")


def parse_constants(text):
    out = []
    for match in re.finditer(r"^#define (ML_[A-Z0-9_]+) \(?(-?\d+)\)?\s*(/\*(.*?)\*/)?",
                             text, re.M | re.S):
        doc = match.group(4) if match.group(3) and "\n\n" not in match.group(3) else ""
        out.append({"name": match.group(1), "value": int(match.group(2)),
                    "doc": squeeze(re.sub(r"\n\s*", " ", doc or ""))})
    return out


def parse_structs(text, where):
    out = []
    for match in re.finditer(r"/\*\*((?:(?!\*/).)*)\*/\s*typedef struct (ml_\w+) \{(.*?)\n\} \2;",
                             text, re.S):
        fields, body = [], re.sub(r"/\*.*?\*/", "", match.group(3), flags=re.S)
        for part in body.split(";"):
            part = squeeze(part)
            if not part:
                continue
            pointer = re.match(r"(.+?)\(\*(\w+)\)\((.*)\)$", part)
            if pointer:
                fields.append({"name": pointer.group(2), "callback": {
                    "returns": parse_type(pointer.group(1)),
                    "params": [parse_param(p, where) for p in split_params(pointer.group(3))]}})
                continue
            names = part.split(",")
            first = parse_param(names[0], where)
            fields.append(first)
            fields += [{"name": squeeze(n), "type": first["type"]} for n in names[1:]]
        if fields[0]["name"] != "struct_size":
            fail(where, f"{match.group(2)}: the first member must be struct_size")
        doc = squeeze(re.sub(r"^\s*\* ?", "", match.group(1), flags=re.M))
        out.append({"name": match.group(2), "doc": doc, "fields": fields})
    return out


def parse_callbacks(text, where):
    out = []
    for match in re.finditer(
            r"/\*\*((?:(?!\*/).)*)\*/\s*typedef ([\w ]+?\*?)\s*\(\*(ml_\w+_fn)\)\((.*?)\);",
            text, re.S):
        out.append({"name": match.group(3), "returns": parse_type(match.group(2)),
                    "params": [parse_param(squeeze(p), where)
                               for p in split_params(match.group(4))],
                    "doc": squeeze(re.sub(r"^\s*\* ?", "", match.group(1), flags=re.M))})
    return out


def scan_header(stem, api):
    path = HEADERS / f"{stem}.h"
    text = path.read_text(encoding="utf-8")
    where = f"include/ml/{stem}.h"
    head = re.match(r"/\* SPDX[^\n]*\n \*\n(.*?)\*/", text, re.S)
    if not head:
        fail(where, "the file has no head comment")
    api["headers"].append({"name": stem, "doc": squeeze(
        re.sub(r"^\s*\* ?", "", head.group(1), flags=re.M))})
    api["opaque"] += re.findall(r"^typedef struct (ml_\w+) \1;", text, re.M)
    api["constants"] += parse_constants(text)
    api["structs"] += parse_structs(text, where)
    api["callbacks"] += parse_callbacks(text, where)
    declared = len(re.findall(r"^ML_API ", text, re.M))
    found = 0
    for match in re.finditer(r"/\*\*((?:(?!\*/).)*)\*/\s*ML_API ([^;]*);", text, re.S):
        function = parse_function(match.group(2), match.group(1), where)
        function["header"] = stem
        api["functions"].append(function)
        found += 1
    if found != declared:
        fail(where, f"{declared} functions declared, {found} documented")


def scan():
    api = {"headers": [], "opaque": [], "constants": [], "structs": [], "callbacks": [],
           "functions": []}
    present = {p.stem for p in HEADERS.glob("*.h")} - {"ml", "arrow"}
    if present != set(ORDER):
        fail("include/ml", f"headers and scan order differ: {present ^ set(ORDER)}")
    for stem in ORDER:
        scan_header(stem, api)
    api["version"] = ".".join(str(c["value"]) for c in api["constants"]
                              if c["name"] in ("ML_VERSION_MAJOR", "ML_VERSION_MINOR",
                                               "ML_VERSION_PATCH"))
    return api


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare with the file")
    parser.add_argument("--out", default=str(ROOT / "bindings" / "api.json"))
    args = parser.parse_args()
    try:
        text = json.dumps(scan(), indent=1, ensure_ascii=False) + "\n"
    except ScanError as error:
        sys.exit(f"scan: {error}")
    path = Path(args.out)
    if args.check:
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            sys.exit("bindings/api.json is stale: run bindings/scan.py")
        return
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
