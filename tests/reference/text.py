#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/algorithms/text_expected.txt: what scikit-learn's vectorisers make of the
SMS spam collection. Run with scikit-learn 1.9.1 and the path of the shared data folder.

A case is a line `case ALGORITHM PARAMS`, then `size COLUMNS SUM SQUARES` of all values,
then a line `column INDEX MEAN NAME` for some of the columns, and `end`."""

import gzip
import sys
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import (
    CountVectorizer, HashingVectorizer, TfidfVectorizer)

DATA = Path(sys.argv[1]) / "sms_spam" / "sms_spam.tsv.gz"
OUT = Path(__file__).resolve().parent.parent / "algorithms" / "text_expected.txt"
SHOWN = 12

CASES = [
    ("tfidf", "words=simple;min_df=10;max_features=100000", TfidfVectorizer(min_df=10)),
    ("tfidf", "words=simple;min_df=12;max_df=0.1;max_features=100000;ngram_range=[1,2];"
     "sublinear_tf=true;norm=l1;smooth_idf=false",
     TfidfVectorizer(min_df=12, max_df=0.1, ngram_range=(1, 2), sublinear_tf=True,
                     norm="l1", smooth_idf=False)),
    ("tfidf", "analyzer=char_wb;ngram_range=[2,4];min_df=0.02;use_idf=false",
     TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), min_df=0.02, use_idf=False)),
    ("count_vectorizer", "analyzer=char;ngram_range=[3,3];min_df=100",
     CountVectorizer(analyzer="char", ngram_range=(3, 3), min_df=100)),
    ("count_vectorizer", "words=simple;min_word_length=1;binary=true;strip_accents=true;min_df=10;"
     "max_features=100000;stop_words=[to,You,the]",
     CountVectorizer(token_pattern=r"(?u)\b\w+\b", binary=True, min_df=10,
                     strip_accents="unicode",
                     stop_words=["to", "you", "the"])),
    ("hashing_vectorizer", "words=simple;n_features=256", HashingVectorizer(n_features=256)),
    ("hashing_vectorizer", "analyzer=char_wb;ngram_range=[3,5];n_features=500;norm=l1;"
     "alternate_sign=false;lowercase=false",
     HashingVectorizer(n_features=500, analyzer="char_wb", ngram_range=(3, 5), norm="l1",
                       alternate_sign=False, lowercase=False)),
]


def main():
    text = gzip.open(DATA).read().decode()
    messages = [line.split("\t", 1)[1] for line in text.split("\n") if line]
    lines = []
    for algorithm, params, vectorizer in CASES:
        x = vectorizer.fit_transform(messages)
        names = getattr(vectorizer, "get_feature_names_out", None)
        names = names() if names else None
        lines.append(f"case {algorithm} {params}")
        lines.append(f"size {x.shape[1]} {float(x.sum())!r} {float(x.multiply(x).sum())!r}")
        means = np.asarray(x.mean(axis=0)).ravel()
        for k in np.linspace(0, x.shape[1] - 1, SHOWN).astype(int):
            name = names[k] if names is not None else "-"
            lines.append(f"column {k} {float(means[k])!r} {name}")
        lines.append("end")
    OUT.write_text("\n".join(lines) + "\n")


main()
