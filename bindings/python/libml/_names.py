# SPDX-License-Identifier: MIT
"""Names of classes from names of algorithms; the generator uses this file too."""

import keyword

CAPITALS = {"gbdt": "GBDT", "knn": "KNN", "svm": "SVM", "pca": "PCA", "ica": "ICA",
            "glm": "GLM", "gam": "GAM", "lda": "LDA", "qda": "QDA", "nmf": "NMF",
            "svd": "SVD", "mlp": "MLP", "dbscan": "DBSCAN", "hdbscan": "HDBSCAN",
            "tsne": "TSNE", "umap": "UMAP", "arima": "ARIMA", "ets": "ETS", "als": "ALS",
            "lof": "LOF", "tfidf": "TfIdf", "kmeans": "KMeans", "xgboost": "XGBoost",
            "lightgbm": "LightGBM", "sgd": "SGD", "ftrl": "FTRL", "rcf": "RCF",
            "automl": "AutoML"}


def class_name(algorithm):
    """The class of an algorithm: "logistic_regression" is LogisticRegression."""
    words = algorithm.replace(".", "_").replace("-", "_").split("_")
    return "".join(CAPITALS.get(w, w[:1].upper() + w[1:]) for w in words)


def python_name(name):
    """A parameter's name in Python: keywords get an underscore."""
    return name + "_" if keyword.iskeyword(name) else name


def c_name(name):
    """The other way round."""
    bare = name[:-1] if name.endswith("_") else name
    return bare if keyword.iskeyword(bare) else name
