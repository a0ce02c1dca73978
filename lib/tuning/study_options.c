/* SPDX-License-Identifier: MIT
 *
 * study_options.c: the options of studies.
 */
#include "tuning/study.h"

static const mli_param study_params[] = {
    {"sampler", "strategy,search", ML_PARAM_STR, 0, "gp",
     "{gp, tpe, cmaes, evolution, nsga2, random, sobol, grid, bayesian}", NULL, NULL,
     "How parameters are proposed. gp (or bayesian): expected improvement under a "
     "Gaussian "
     "process; the best with few trials. tpe: tree-structured Parzen estimator. cmaes: "
     "covariance matrix adaptation, for numbers and many trials. evolution (or nsga2): a "
     "genetic algorithm. random: uniform within the tuning ranges (their logarithm where "
     "a "
     "range says so). sobol: a scrambled Sobol sequence, more even than random. grid: "
     "all "
     "combinations. gp, tpe, evolution take several objectives.",
     "0.1"},
    {"startup", "n_startup_trials,n_initial_points", ML_PARAM_I64, 0, "0", "[0, 1000000]",
     NULL, "sampler in {gp, bayesian, tpe, evolution, nsga2}",
     "Trials of a Sobol sequence before a sampler that learns begins to; 0 leaves the "
     "number to the sampler.",
     "0.1"},
    {"n_trials", "trials,n_iter,max_evals,max_number_of_training_jobs", ML_PARAM_I64, 0,
     "50", "[1, 1000000]", NULL, NULL,
     "Number of trials; a grid stops when it is used up. Of trials that the host scores "
     "any "
     "number may be asked for unless it is given.",
     "0.1"},
    {"time", "timeout,time_budget,max_time,max_runtime_in_seconds", ML_PARAM_F64, 0, "0",
     "[0, inf)", NULL, NULL,
     "Seconds after which no trial begins and the running one is cut short; 0 is no "
     "limit.",
     "0.1"},
    {"metric", "scoring,eval_metric,objective_metric", ML_PARAM_STR, MLI_FLAG_NULLABLE,
     "", NULL, NULL, NULL,
     "What to optimise. By default roc_auc for two classes, log_loss for more, the "
     "metric "
     "of the objective for regression: rmse, mae, pinball or a deviance.",
     "0.1"},
    {"tune", "search_space,params", ML_PARAM_STRS, MLI_FLAG_NULLABLE, "", NULL, NULL,
     NULL,
     "The parameters to tune. By default all that have a tuning range and are not set.",
     "0.1"},
    {"space", "ranges", ML_PARAM_STR, MLI_FLAG_NULLABLE, "", NULL, NULL, NULL,
     "The search space as text, a line per parameter (or parts between ';'): a name, ':' "
     "and a range such as [1, 9], log [1e-4, 1], [0, 1] step 0.25 or {a, b}. With "
     "training rows it replaces {param:tune} and the tuning ranges. Without, the names "
     "are the host's own, and \"if other == value\" behind a range makes a parameter "
     "conditional.",
     "0.1"},
    {"direction", NULL, ML_PARAM_STR, 0, "auto", "{auto, minimize, maximize}", NULL, NULL,
     "Whether lower or higher scores are better. auto: as the metric says; minimize when "
     "the host tells the scores and names no metric.",
     "0.1"},
    {"objectives", NULL, ML_PARAM_STRS, MLI_FLAG_NULLABLE, "", NULL, NULL, NULL,
     "Further objectives beside the score: metrics, seconds (of fitting), bytes (of the "
     "model), or names that the host reports; \"maximize\" or \"minimize\" may stand "
     "before. The trials that no other dominates are marked in the results.",
     "0.1"},
    {"constraints", NULL, ML_PARAM_STRS, MLI_FLAG_NULLABLE, "", NULL, NULL, NULL,
     "What good trials must keep to, such as \"seconds <= 2\" or \"recall >= 0.8\"; "
     "names "
     "as for {param:objectives}.",
     "0.1"},
    {"journal", "storage,journal_file", ML_PARAM_STR, MLI_FLAG_NULLABLE, "", NULL, NULL,
     NULL,
     "A file to which every event is appended. A study that finds its own journal goes "
     "on "
     "where it stopped: also after a crash nothing is lost.",
     "0.1"},
    {"journal_sync", NULL, ML_PARAM_STR, MLI_FLAG_EXPERT, "trial", "{trial, none}", NULL,
     NULL,
     "trial: the end of a trial waits for the disk, so that it outlives the machine's "
     "crash. none: it outlives the program's only.",
     "0.1"},
    {"warm_start", "parents", ML_PARAM_STRS, MLI_FLAG_NULLABLE, "", NULL, NULL, NULL,
     "Journals of earlier studies of the same algorithm and goals, to learn from.",
     "0.1"},
    {"warm_start_type", NULL, ML_PARAM_STR, 0, "identical", "{identical, transfer}", NULL,
     NULL,
     "identical: the data are the same, and earlier scores count. transfer: they are "
     "others, and the five best parameters are tried first.",
     "0.1"},
    {"pruner", "training_job_early_stopping_type", ML_PARAM_STR, 0, "none",
     "{none, median, percentile, asha, successive_halving, hyperband}", NULL, NULL,
     "Gives up trials that look bad on their way: by the rounds of the first fold, by "
     "folds where the algorithm has no rounds, or by what the host reports. median: "
     "worse "
     "than half of the earlier ones. asha: not among the best 1 / "
     "{param:reduction_factor} at a rung. successive_halving: the same within groups. "
     "hyperband: within brackets of different first rungs.",
     "0.1"},
    {"pruner_startup", NULL, ML_PARAM_I64, 0, "5", "[0, 1000000]", NULL,
     "pruner in {median, percentile}",
     "Trials that must have ended before one is pruned.", "0.1"},
    {"pruner_warmup", NULL, ML_PARAM_I64, 0, "0", "[0, 1000000000]", NULL,
     "pruner in {median, percentile}", "Steps after which pruning begins.", "0.1"},
    {"pruner_percentile", NULL, ML_PARAM_F64, 0, "75", "[0, 100]", NULL,
     "pruner == percentile",
     "A trial worse than this share of the earlier ones is given up.", "0.1"},
    {"min_resource", "min_resources,grace_period", ML_PARAM_I64, 0, "0",
     "[0, 1000000000]", NULL, "pruner in {asha, successive_halving, hyperband}",
     "The step of the first rung; 0: four rungs below the most steps.", "0.1"},
    {"reduction_factor", "factor,eta", ML_PARAM_F64, 0, "3", "[1.5, 100]", NULL,
     "pruner in {asha, successive_halving, hyperband}",
     "One of so many trials passes a rung; rungs are this factor apart.", "0.1"},
    {"first_default", NULL, ML_PARAM_BOOL, 0, "true", NULL, NULL, "sampler != grid",
     "Let the first trial use the estimator's parameters as they are; in a {param:space} "
     "that is given, what is nearest to them.",
     "0.1"},
    {"grid_points", NULL, ML_PARAM_I64, 0, "3", "[1, 1000]", NULL, "sampler == grid",
     "Points per numeric parameter of a grid.", "0.1"},
    {"parallel", "n_jobs,max_parallel_training_jobs", ML_PARAM_I64, MLI_FLAG_NO_EFFECT,
     "0", "[0, 4096]", NULL, NULL,
     "Trials at once; 0: one with samplers that learn, else by the size of the table. "
     "Results of random, sobol and grid do not depend on it, unless time cuts the study; "
     "samplers that learn know less of trials that run side by side. Of one trial at a "
     "time folds of a small table are fitted side by side. One with a loss or "
     "metric of the host.",
     "0.1"},
    {"patience",
     "early_stop,n_iter_no_change,"
     "max_number_of_training_jobs_not_improving",
     ML_PARAM_I64, 0, "0", "[0, 1000000]", NULL, NULL,
     "Stop after so many trials without a better score; 0 is never.", "0.1"},
    {"plateau", NULL, ML_PARAM_F64, 0, "0", "[0, inf)", NULL, "patience > 0",
     "A score counts as better for {param:patience} only by this much, as a share of the "
     "best.",
     "0.1"},
    {"target_score", "target_objective_metric_value,target", ML_PARAM_F64,
     MLI_FLAG_NULLABLE, NULL, NULL, NULL, NULL,
     "Stop when the best score is at least this good.", "0.1"},
    {"max_rounds", NULL, ML_PARAM_I64, 0, "1000", "[0, 1000000]", NULL, NULL,
     "The most rounds of algorithms that stop early, which find their number themselves; "
     "0 "
     "leaves it to the estimator, as does an estimator that sets the number.",
     "0.1"},
    {"refit", NULL, ML_PARAM_BOOL, 0, "true", NULL, NULL, NULL,
     "Fit the best parameters on all training rows. Without it the best model is that of "
     "the first fold.",
     "0.1"},
    {"method", "splitter", ML_PARAM_STR, 0, "auto",
     "{auto, holdout, kfold, stratified, group, time}", NULL, NULL,
     "How trials are scored when there are no validation rows. auto: by {param:group} or "
     "{param:time} when given; else {param:folds} folds below 5,000 rows, one holdout "
     "above; by class for classifiers.",
     "0.1"},
    {"fraction", "test_size,holdout", ML_PARAM_F64, 0, "0.2", "(0, 1)", NULL, NULL,
     "Share of rows held out.", "0.1"},
    {"folds", "n_splits,cv,n_folds,k", ML_PARAM_I64, 0, "5", "[2, 1000]", NULL, NULL,
     "Number of folds.", "0.1"},
    {"group", "groups", ML_PARAM_STR, MLI_FLAG_NULLABLE | MLI_FLAG_ROLE, "", NULL, NULL,
     NULL, "A column: rows of equal value stay in one part.", "0.1"},
    {"time_column", NULL, ML_PARAM_STR, MLI_FLAG_NULLABLE | MLI_FLAG_ROLE, "", NULL, NULL,
     NULL, "A column that orders rows: tests come after their training rows.", "0.1"},
    MLI_PARAM_SEED,
    MLI_PARAM_END};

const mli_descriptor mli_options_study = {
    .name = "options.study",
    .title = "options of studies",
    .doc = "Options of ml_study_new.",
    .family = "options",
    .since = "0.1",
    .sort = MLI_SORT_OPTIONS,
    .params = study_params,
};
