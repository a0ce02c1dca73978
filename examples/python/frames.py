# SPDX-License-Identifier: MIT
"""One model, rows from pandas, polars and DuckDB: all are read without pyarrow and, where the
layout permits, without copying. Predictions go back into the frames.

Usage: frames.py
"""

from pathlib import Path

import duckdb
import pandas as pd
import polars as pl

import libml

PATH = Path(__file__).resolve().parent.parent / "data" / "adult" / "train.csv.gz"
SMALL = {"target": "income", "n_trees": 20}

# The same rows, held by three packages.
polars_frame = pl.read_csv(PATH, infer_schema_length=None)
pandas_frame = pd.read_csv(PATH, keep_default_na=False, na_values=[""])
relation = duckdb.sql(f"select * from read_csv('{PATH}')")

models = {name: libml.GBDT(**SMALL).fit(frame) for name, frame in
          (("polars", polars_frame), ("pandas", pandas_frame), ("DuckDB", relation))}
for name, model in models.items():
    print(f"{name:8} {model.score(polars_frame, 'roc_auc'):.6f}")
assert len({model.to_bytes() for model in models.values()}) == 1, "one model, to the byte"
model = models["polars"]

# Predictions as a column: of polars, ...
scored = polars_frame.with_columns(
    pl.Series("rich", model.predict(polars_frame, "proba")[:, 1]))
print(scored.group_by("education").agg(pl.col("rich").mean()).sort("rich")[-3:])

# ... of pandas, ...
pandas_frame["rich"] = model.predict(pandas_frame, "proba")[:, 1]
print(pandas_frame.groupby("sex")["rich"].mean())

# ... and a query over a table that libml made.
predictions = model.predictor("proba").run_table(relation).to_polars()
print(duckdb.sql("select round(avg(#2), 4) as share from predictions"))
