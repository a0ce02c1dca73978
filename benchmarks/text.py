#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tfidf and logistic_regression of ten newsgroups once, in a fresh process: prints one JSON
object with the processor seconds of fit and predict, the accuracy on the rows left out (every
fourth) and the largest memory of the process in bytes.

Usage: text.py ENGINE [TERMS]
       ENGINE: libml, sklearn; 2000 terms when not given
Runs in the benchmarks' virtual environment (benchmarks/compare makes it), with libml found by
LIBML_LIBRARY; reads the newsgroups of ../shared/data (ML_SHARED_DATA).
The table of docs/design/text.md: both engines with 2000 and with 20000.
"""

import gzip
import json
import os
import resource
import sys
import time
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bindings" / "python"))


def documents():
    data = Path(os.environ.get("ML_SHARED_DATA", ROOT.parent / "shared" / "data"))
    with gzip.open(data / "newsgroups" / "newsgroups.jsonl.gz", "rt", encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    sides = [[], []]
    for i, row in enumerate(rows):
        sides[i % 4 == 3].append((row["body"], row["group"]))
    return [tuple(zip(*side)) for side in sides]


def libml_model(terms):
    import libml
    libml.set_threads(1)
    model = libml.estimator("pipeline", steps=["tfidf", "logistic_regression"], target="group",
                            text=["body"], **{"tfidf.max_features": terms})

    def table(texts, groups):
        return libml.Table({"body": list(texts), "group": list(groups)})

    def predict(fitted, x, y):
        return [fitted.classes[int(k)] for k in fitted.predict(table(x, y), kind="class")]

    return lambda x, y: model.fit(table(x, y)), predict


def sklearn_model(terms):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    model = make_pipeline(TfidfVectorizer(max_features=terms), LogisticRegression())
    return model.fit, lambda fitted, x, y: fitted.predict(x)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    terms = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    fit, predict = {"libml": libml_model, "sklearn": sklearn_model}[sys.argv[1]](terms)
    (x, y), (x_test, y_test) = documents()
    start = time.process_time()
    fitted = fit(x, y)
    middle = time.process_time()
    guessed = predict(fitted, x_test, y_test)
    end = time.process_time()
    right = sum(a == b for a, b in zip(guessed, y_test)) / len(y_test)
    memory = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"fit": round(middle - start, 3), "predict": round(end - middle, 3),
                      "accuracy": round(right, 4), "memory": memory}))


if __name__ == "__main__":
    main()
