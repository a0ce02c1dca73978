# SPDX-License-Identifier: MIT
"""The parameters of the C functions as kinds, for the generators of bindings: what is a handle,
an index, a list of texts, a callback.
"""

import re

TYPES = ["context", "cancel", "schema", "params", "tensor", "table", "estimator", "model",
         "predictor", "study", "report"]
# Parameters that are indices: 1 is the first in Lua. The others of these types are numbers.
INDICES = {"index", "row", "column", "i", "j", "input"}
OPTIONAL = {"j"}


class Unknown(Exception):
    pass


def handle_type(text):
    match = re.match(r"(?:const )?ml_(\w+) \*$", text)
    return match.group(1) if match and match.group(1) in TYPES else None


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
