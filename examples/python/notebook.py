# SPDX-License-Identifier: MIT
# %% [markdown]
# From a CSV file to a saved, explained and tuned model. Editors show the cells of this file
# as a notebook; `python examples/python/notebook.py` runs it as a script.

# %%
import sys
from pathlib import Path

import libml

DATA = Path(__file__).resolve().parent.parent / "data" / "adult" if "__file__" in globals() \
    else Path("examples/data/adult")
OUT = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
TREES, TRIALS = 60, 5

# %% Look at the data
data = libml.read_csv(DATA / "train.csv.gz")
data.profile()  # a notebook shows the table

# %%
train, valid = data.split(0.2, seed=1)
test = libml.read_csv(DATA / "test.csv.gz")
print(train)

# %% What has to be beaten, and a first model
baseline = libml.Baseline(target="income").fit(train)
model = libml.GBDT(target="income", n_trees=TREES).fit(train, valid=valid, progress=True)
for name, one in (("baseline", baseline), ("gbdt", model)):
    print(f"{name:10} accuracy {one.score(test, 'accuracy'):.4f} "
          f"roc_auc {one.score(test, 'roc_auc'):.4f}")

# %% What the model looks at
importance = sorted(zip(model.importance, model.inputs), reverse=True)
for gain, name in importance[:5]:
    print(f"{name:16} {gain / sum(g for g, _ in importance):.1%}")

# %% Tune it. Ctrl-C, or the stop button, ends early and keeps what was found.
study = libml.Study(libml.GBDT(target="income", n_trees=TREES), train, n_trials=TRIALS,
                    tune=["learning_rate", "max_leaves", "l2"], metric="roc_auc", seed=7)
study.run(progress=True, keep_best=True)
print(f"best {study.best_score:.4f}", study.best_params)

# %% Save it, load it, score one row as a server would
best = study.best_model()
best.save(OUT / "income.mlm")
predictor = libml.load(OUT / "income.mlm").predictor("proba")
person = test[0]
row = [predictor.code(n, person[n]) if isinstance(person[n], str) else person[n]
       for n in best.inputs]
row = [float("nan") if v is None else v for v in row]
print(dict(zip(predictor.outputs, predictor.row(row))))

# %% A page for those who ask
report = libml.Report("Income")
report.add_profile("Data", train).add_study("Tuning", study).add_model("Model", best, test)
report.save(OUT / "report.html")
report  # a notebook shows the page
