/* SPDX-License-Identifier: MIT
 *
 * churn.cpp: the life of a model in C++: read, split, tune, fit, save, load, score a row.
 * Usage: churn CSV TARGET
 */
#include <iostream>
#include <ml/ml.hpp>

static int run(const char *csv, const char *target)
{
    ml::context ctx(-1); /* as many threads as are allowed */
    ml::table all = ctx.read_csv(csv);
    auto [train, test] = all.split({{"fraction", 0.25}});
    std::cout << train.rows() << " rows to train, " << test.rows() << " to test\n";

    ml::estimator gbdt = ctx.estimator("gbdt", {{"target", target}, {"n_trees", 50}});
    ml::study study = gbdt.study(
        &train, nullptr, {{"tune", {"learning_rate", "max_leaves"}}, {"n_trials", 4}});
    study.run([](const ml_progress &p) {
        std::cout << static_cast<int>(100 * p.fraction) << " %\r" << std::flush;
        return ML_CONTINUE;
    });
    auto [score, best] = study.best_params();
    std::cout << "best score " << score << " with learning_rate "
              << best.real("learning_rate") << ", max_leaves "
              << best.integer("max_leaves") << "\n";

    ml::model model = study.best_model();
    model.save("model.mlm");

    ml::model loaded = ctx.load("model.mlm");
    ml::table quality = loaded.evaluate(test);
    for (int64_t i = 0; i < quality.rows(); i++)
        std::cout << *quality.str(i, 0) << " " << quality.get_f64(i, 1) << "\n";
    std::cout << "first prediction: " << *loaded.predict(test).str(0, 0) << "\n";
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        std::cerr << "usage: churn CSV TARGET\n";
        return 2;
    }
    try {
        return run(argv[1], argv[2]);
    } catch (const ml::error &e) {
        std::cerr << e.what() << "\n"; /* one line that names the place and the remedy */
        return 1;
    }
}
