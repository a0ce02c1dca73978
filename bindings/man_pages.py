#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes manual pages from api.json and schema.json: ml_table_select(3) and the like, a page per
function, libml-gbdt(7) and the like, a page per algorithm, libml-options(7) and
libml-metrics(7); and libml(1), which the command prints. `meson install` runs it; nothing of
it is kept in the source tree.

Usage: man_pages.py FOLDER [COMMAND]
In FOLDER stand man1, man3 and man7 afterwards. As a script of meson FOLDER is below its
destination.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # the source tree stays as it is
from gen_reference import mark_text, prototype

BINDINGS = Path(__file__).resolve().parent


def plain(text):
    """Text that roff leaves as it is."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line
                     for line in text.split("\n"))


def prose(text):
    """Neutral markup of headers and descriptors: `code` and {param:code} become bold."""
    text = re.sub(r"\{(?:param|call):([^}]+)\}", r"`\1`", text)
    parts = plain(re.sub(r"\s+", " ", text).strip()).split("`")
    if len(parts) % 2 == 0:  # an odd backquote is a character
        return "\\(ga".join(parts)
    return "".join(f"\\fB{p}\\fR" if i % 2 else p for i, p in enumerate(parts))


def head(name, section, summary, version):
    title = plain(name)
    return [f'.TH "{title.upper()}" {section} "" "libml {version}" "libml"', ".SH NAME",
            f"{title} \\- {prose(summary.rstrip('.'))}"]


def items(pairs):
    out = []
    for term, text in pairs:
        out += [".TP", f"\\fB{plain(term)}\\fR", prose(text) or "\\&"]
    return out


def function_page(f, api):
    own = [g["name"] for g in api["functions"] if g["header"] == f["header"]]
    near = [n for n in own if n != f["name"]][:60]
    out = head(f["name"], 3, f["summary"], api["version"])
    out += [".SH SYNOPSIS", ".nf", f"#include <ml/{f['header']}.h>", "",
            plain(prototype(f)), ".fi", "Link with \\fB\\-lml\\fR.", ".SH DESCRIPTION",
            prose(f["summary"])]
    for paragraph in f["body"]:
        out += [".PP", prose(paragraph)]
    if f["params"]:
        out += [".SH PARAMETERS"]
        out += items((p["name"], p["doc"] + mark_text(p["marks"]).replace("*", ""))
                     for p in f["params"])
    if f["returns_doc"]:
        marks = mark_text(f["returns_marks"]).replace("*", "")
        out += [".SH RETURN VALUE", prose(f["returns_doc"] + marks) + "."]
    out += [".SH HISTORY", f"Since libml {plain(f['since'])}."]
    if near:
        out += [".SH SEE ALSO", ", ".join(f"\\fB{plain(n)}\\fR(3)" for n in near)]
    return out


def param_text(p):
    text = p["doc"]
    if p.get("values"):
        text += f" One of: {', '.join(p['values'])}."
    elif p.get("range"):
        text += f" Range: {p['range']}."
    if p.get("default"):
        text += f" Default: {p['default']}."
    if p.get("active_if"):
        text += f" Used when {p['active_if']}."
    if p.get("aliases"):
        text += f" Also: {', '.join(p['aliases'])}."
    return text


def schema_body(s):
    out = [prose(s["title"][:1].upper() + s["title"][1:] + ". " + s["doc"])]
    if s.get("aliases"):
        out += [".PP", prose("Other names: " + ", ".join(s["aliases"]) + ".")]
    if s.get("tasks"):
        out += [".PP", prose("Tasks: " + ", ".join(s["tasks"]) + ".")]
    return out


def algorithm_page(s, version):
    out = head("libml-" + s["name"], 7, s["title"], version)
    out += [".SH DESCRIPTION", *schema_body(s)]
    for title, key in (("PARAMETERS", "params"), ("ROLES OF COLUMNS", "roles")):
        if s.get(key):
            out += [f".SH {title}", *items((p["name"], param_text(p)) for p in s[key])]
    if s.get("kinds"):
        out += [".SH PREDICTION KINDS", *items((k["name"], k["doc"]) for k in s["kinds"])]
    if s.get("attributes"):
        out += [".SH ATTRIBUTES OF A MODEL"]
        out += items((f"{a['name']} {a['dtype']} {a['shape']}", a["doc"])
                     for a in s["attributes"])
    return out + [".SH SEE ALSO", "\\fBlibml\\fR(1), \\fBlibml\\-options\\fR(7)"]


def list_page(name, title, listed, version):
    """Several schemas on one page."""
    out = head(name, 7, title, version)
    for s in listed:
        out += [f'.SH "{plain(s["name"]).upper()}"', *schema_body(s)]
        out += items((p["name"], param_text(p)) for p in s.get("params", []))
    return out


def pages():
    api = json.loads((BINDINGS / "api.json").read_text(encoding="utf-8"))
    schemas = json.loads((BINDINGS / "schema.json").read_text(encoding="utf-8"))["schemas"]
    version = api["version"]
    out = {f"man3/{f['name']}.3": function_page(f, api) for f in api["functions"]}
    for s in schemas:
        if "." not in s["name"]:
            out[f"man7/libml-{s['name']}.7"] = algorithm_page(s, version)
    for sort, title in (("options", "options of the functions of libml"),
                        ("metrics", "metrics of libml")):
        prefix = sort.rstrip("s") + ("s." if sort == "options" else ".")
        listed = [s for s in schemas if s["name"].startswith(prefix)]
        out[f"man7/libml-{sort}.7"] = list_page(f"libml-{sort}", title, listed, version)
    return out


def place(folder):
    """Where meson wants it: an absolute folder goes below DESTDIR, another below the prefix."""
    staged = os.environ.get("DESTDIR")
    if os.path.isabs(folder):
        return Path(staged + folder if staged else folder)
    return Path(os.environ.get("MESON_INSTALL_DESTDIR_PREFIX", ""), folder)


def command_page(command):
    """libml(1), or nothing where the command does not run, as when it is for another system."""
    try:
        done = subprocess.run([command, "manual"], stdout=subprocess.PIPE, text=True)
    except OSError:
        return {}
    return {} if done.returncode else {"man1/libml.1": done.stdout.splitlines()}


def main():
    folder, made = place(sys.argv[1]), pages()
    for command in sys.argv[2:]:
        made.update(command_page(command))
    for name, lines in made.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
