#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/algorithms/prepare_expected.txt: what scikit-learn's transformers make of
real data. Run with scikit-learn 1.9.1 and the path of the shared data folder.

A case is a line `case DATA ALGORITHM PARAMS FEATURES TARGET`, then `rows N` lines of the
first outputs, and `mean`: the mean of each output column over all rows."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn import feature_selection as fs
from sklearn import impute, linear_model, preprocessing as pp

DATA = Path(sys.argv[1])
OUT = Path(__file__).resolve().parent.parent / "algorithms" / "prepare_expected.txt"
SHOWN = 6
FILES = {"housing": "california_housing/housing.csv.gz", "titanic": "titanic/titanic.csv.gz"}
HOUSE = ["total_rooms", "total_bedrooms", "median_income"]
FULL = ["total_rooms", "population", "median_income"]
TRIP = ["age", "fare"]
CASES = []


def case(data, algorithm, features, transform, params="", target="-"):
    CASES.append((data, algorithm, features, transform, params, target))


def fitted(t):
    return lambda x, y: t.fit(x, y).transform(x) if y is not None else t.fit_transform(x)


def dense(t):
    return lambda x, y: t.fit_transform(x).toarray()


case("housing", "standard_scaler", HOUSE, fitted(pp.StandardScaler()))
case("housing", "standard_scaler", HOUSE, fitted(pp.StandardScaler(with_mean=False)),
     "with_mean=false")
case("housing", "min_max_scaler", HOUSE, fitted(pp.MinMaxScaler((-1, 2))), "range=[-1,2]")
case("housing", "max_abs_scaler", HOUSE + ["longitude"], fitted(pp.MaxAbsScaler()))
case("housing", "robust_scaler", HOUSE, fitted(pp.RobustScaler()))
case("housing", "robust_scaler", HOUSE,
     fitted(pp.RobustScaler(quantile_range=(10, 80), unit_variance=True)),
     "quantile_range=[10,80];unit_variance=true")
for strategy in ("mean", "median"):
    case("housing", "imputer", HOUSE, fitted(impute.SimpleImputer(strategy=strategy)),
         f"strategy={strategy}")
case("titanic", "imputer", TRIP, fitted(impute.SimpleImputer(strategy="most_frequent")),
     "strategy=mode")
case("titanic", "imputer", TRIP,
     lambda x, y: impute.SimpleImputer(strategy="constant", fill_value=-1,
                                       add_indicator=True).fit_transform(x)[:, [0, 2, 1, 3]],
     "strategy=constant;fill_value=-1;indicators=true")
BLOCK = ["longitude", "latitude", "total_rooms", "total_bedrooms", "households", "median_income"]
case("housing", "knn_imputer", BLOCK, fitted(impute.KNNImputer()))
case("housing", "knn_imputer", BLOCK,
     lambda x, y: impute.KNNImputer(n_neighbors=3, weights="distance", add_indicator=True
                                    ).fit_transform(x)[:, [0, 1, 2, 3, 6, 4, 5]],
     "n_neighbors=3;weights=distance;indicators=true")
SHIP = ["age", "fare", "sibsp", "parch", "pclass", "body"]
for options, given in (({}, ""),
                       ({"max_iter": 3, "imputation_order": "descending", "min_value": 0,
                         "initial_strategy": "median", "skip_complete": True},
                        "max_iter=3;order=descending;min_value=0;initial_strategy=median;"
                        "skip_complete=true"),
                       ({"estimator": linear_model.Ridge(alpha=0.5), "max_iter": 4,
                         "imputation_order": "roman"},
                        "estimator=ridge;alpha=0.5;max_iter=4;order=left_to_right")):
    case("titanic", "iterative_imputer", SHIP, fitted(impute.IterativeImputer(**options)), given)
    case("housing", "iterative_imputer", BLOCK, fitted(impute.IterativeImputer(**options)), given)
KINDS = ["embarked", "sex"]
MANY = ["embarked", "home.dest"]
case("titanic", "ordinal_encoder", KINDS, fitted(pp.OrdinalEncoder()))
case("titanic", "one_hot_encoder", KINDS, dense(pp.OneHotEncoder()))
case("titanic", "one_hot_encoder", KINDS, dense(pp.OneHotEncoder(drop="if_binary")),
     "drop=if_binary")
case("titanic", "one_hot_encoder", ["sex"], dense(pp.OneHotEncoder(drop="first")), "drop=first")


case("titanic", "one_hot_encoder", ["pclass", "sex"],
     dense(pp.OneHotEncoder(min_frequency=400)), "min_frequency=400;categorical=pclass")
case("titanic", "frequency_encoder", ["embarked", "home.dest"],
     lambda x, y: np.stack([x[c].map(x[c].value_counts(normalize=False)).fillna(
         x[c].isna().sum()) / len(x) for c in x], axis=1))
case("titanic", "target_encoder", MANY,
     fitted(pp.TargetEncoder(target_type="binary", smooth=10.0)), "smooth=10", "survived")
case("titanic", "target_encoder", MANY,
     fitted(pp.TargetEncoder(target_type="binary")), "", "survived")
case("titanic", "target_encoder", MANY,
     fitted(pp.TargetEncoder(target_type="multiclass", smooth=3.0)),
     "smooth=3;task=classification", "pclass")
case("titanic", "target_encoder", MANY, fitted(pp.TargetEncoder()), "task=regression", "fare")
case("housing", "quantile_transformer", HOUSE,
     fitted(pp.QuantileTransformer(subsample=None)))
case("housing", "quantile_transformer", HOUSE,
     fitted(pp.QuantileTransformer(n_quantiles=50, output_distribution="normal", subsample=None)),
     "n_quantiles=50;distribution=normal")
case("housing", "power_transformer", FULL + ["housing_median_age"], fitted(pp.PowerTransformer()))
case("housing", "power_transformer", FULL,
     fitted(pp.PowerTransformer("box-cox", standardize=False)),
     "method=box_cox;standardize=false")
for norm in ("l1", "l2", "max"):
    case("housing", "normalizer", FULL, fitted(pp.Normalizer(norm)), f"norm={norm}")
case("housing", "log_transformer", HOUSE, lambda x, y: np.log1p(x))
case("housing", "clipper", HOUSE, lambda x, y: np.clip(x, 5, 1000), "low=5;high=1000")
case("housing", "winsorizer", HOUSE,
     lambda x, y: np.clip(x, np.nanquantile(x, 0.02, axis=0), np.nanquantile(x, 0.9, axis=0)),
     "low=0.02;high=0.9")
for strategy in ("quantile", "uniform"):
    bins = pp.KBinsDiscretizer(7, encode="ordinal", strategy=strategy,
                               quantile_method="linear", subsample=None)
    case("housing", "discretizer", FULL + ["housing_median_age"], fitted(bins),
         f"bins=7;strategy={strategy}")
case("housing", "polynomial_features", FULL,
     fitted(pp.PolynomialFeatures(3, include_bias=False)), "degree=3")
case("housing", "polynomial_features", FULL + ["longitude"],
     fitted(pp.PolynomialFeatures(2, interaction_only=True, include_bias=False)),
     "interaction_only=true")
for knots in ("uniform", "quantile"):
    for beyond in ("constant", "linear", "continue", "periodic"):
        for degree in (3, 1):
            # scikit-learn counts its degree up from column to column here: one column only.
            alone = degree == 1 and beyond == "linear"
            case("housing", "spline_features",
                 ["median_income"] if alone else ["total_rooms", "median_income", "longitude"],
                 fitted(pp.SplineTransformer(6, degree=degree, knots=knots, extrapolation=beyond,
                                             include_bias=degree > 1)),
                 f"n_knots=6;degree={degree};knots={knots};extrapolation={beyond};"
                 f"include_bias={str(degree > 1).lower()}")
ALL = FULL + ["households", "housing_median_age", "latitude"]
case("housing", "feature_selector", ALL, fitted(fs.VarianceThreshold(1000)), "threshold=1000")
case("housing", "feature_selector", ALL, fitted(fs.SelectKBest(fs.f_regression, k=3)),
     "method=f_test;k=3", "median_house_value")
case("housing", "feature_selector", ALL, fitted(fs.SelectKBest(fs.f_classif, k=2)),
     "method=f_test;k=2", "ocean_proximity")
case("housing", "feature_selector", ALL, lambda x, y: x[:, [0, 2, 4, 5]],
     "method=correlation;threshold=0.8")
# (more cases are added above this line)


def number(v):
    return "nan" if np.isnan(v) else repr(float(v))


def main():
    frames = {k: pd.read_csv(DATA / v) for k, v in FILES.items()}
    lines = []
    for data, algorithm, features, transform, params, target in CASES:
        frame = frames[data]
        y = None if target == "-" else frame[target]
        x = frame[features]
        if y is not None:
            x, y = x[y.notna()], y[y.notna()]
            frame = frame.loc[y.index]
        if all(pd.api.types.is_numeric_dtype(t) for t in x.dtypes):
            x = x.to_numpy(float)
        out = np.asarray(transform(x, y), float)
        lines.append(f"case {FILES[data]} {algorithm} {params or '-'} "
                     f"{','.join(features)} {target}")
        lines.append(f"size {out.shape[0]} {out.shape[1]} {SHOWN}")
        lines += [" ".join(number(v) for v in row) for row in out[:SHOWN]]
        lines.append(" ".join(number(v) for v in np.nanmean(out, axis=0)))
    OUT.write_text("\n".join(lines) + "\n")


main()
