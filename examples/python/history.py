# SPDX-License-Identifier: MIT
"""What users thought of films before: ratings joined with films, and for each rating the
history of its user and its film up to that moment, never later. Then a model predicts the
rating.

Usage: history.py FOLDER       with ratings.csv.gz and movies.csv.gz of MovieLens
"""

import sys
from pathlib import Path

import libml

folder = Path(sys.argv[1])
ratings = libml.read_csv(folder / "ratings.csv.gz")
films = libml.read_csv(folder / "movies.csv.gz")

# Titles and genres beside each rating.
rows = ratings.join(films, on="movieId", how="left", validate="one")
print(rows.shape, rows.columns)

# What the user and the film got before, of all times and of the last 30 days.
seconds = 30 * 86400
rows = ratings.aggregate(["user_n = count()", "user_mean = mean(rating)",
                          f"user_lately = mean(rating) over {seconds}",
                          "user_last = last(rating)"],
                         by="userId", left=rows, time="timestamp")
rows = ratings.aggregate(["film_n = count()", "film_mean = mean(rating)",
                          "film_sd = std(rating)"],
                         by="movieId", left=rows, time="timestamp")
print(rows.head(3).to_dict())

# Learn from the past, judge on what came later.
ids = ["userId", "movieId", "title"]
train, test = rows.split(0.2, method="time", time="timestamp")
past = [c for c in rows.columns if c[:5] in ("user_", "film_")]
for name, ignore in (("without history", past), ("with history", [])):
    model = libml.GBDT(target="rating", task="regression", n_trees=100,
                       ignore=ids + ["timestamp"] + ignore).fit(train)
    print(f"{name:16} {model.score(test, 'rmse'):.4f}")

# The last rating of each film before a moment: as of.
asked = libml.Table({"movieId": [1, 2, 1], "timestamp": [1000000000, 1000000000, 900000000]})
print(asked.join(ratings, on="movieId", time="timestamp", how="left").to_dict())
