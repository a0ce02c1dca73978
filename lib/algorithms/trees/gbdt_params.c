/* SPDX-License-Identifier: MIT
 *
 * trees/gbdt_params.c: the parameters of "gbdt". Their meaning: gbdt_options.c.
 */
#include "algorithms/trees/gbdt.h"
#define F64(name, aliases, dflt, range, tune, doc)                                       \
    {                                                                                    \
        name, aliases, ML_PARAM_F64, 0, dflt, range, tune, NULL, doc, "0.1"              \
    }
#define I64(name, aliases, dflt, range, tune, doc)                                       \
    {                                                                                    \
        name, aliases, ML_PARAM_I64, 0, dflt, range, tune, NULL, doc, "0.1"              \
    }
#define FLAGGED(name, aliases, flag, dflt, range, tune, doc)                             \
    {                                                                                    \
        name, aliases, ML_PARAM_I64, flag, dflt, range, tune, NULL, doc, "0.1"           \
    }
#define EXPERT_F64(name, aliases, dflt, range, active, doc)                              \
    {                                                                                    \
        name, aliases, ML_PARAM_F64, MLI_FLAG_EXPERT, dflt, range, NULL, active, doc,    \
            "0.1"                                                                        \
    }
#define EXPERT_I64(name, aliases, dflt, range, doc)                                      \
    {                                                                                    \
        name, aliases, ML_PARAM_I64, MLI_FLAG_EXPERT, dflt, range, NULL, NULL, doc,      \
            "0.1"                                                                        \
    }
#define CHOICE(name, aliases, dflt, range, doc)                                          \
    {                                                                                    \
        name, aliases, ML_PARAM_STR, 0, dflt, range, NULL, NULL, doc, "0.1"              \
    }
#define LIST(name, aliases, type, doc)                                                   \
    {                                                                                    \
        name, aliases, type, MLI_FLAG_NULLABLE | MLI_FLAG_EXPERT, "", NULL, NULL, NULL,  \
            doc, "0.1"                                                                   \
    }

const mli_param mli_gbdt_params[] = {
    CHOICE(
        "objective", "loss,loss_function,application", "auto",
        "{auto, squared, absolute, huber, quantile, poisson, gamma, tweedie, "
        "logistic, softmax, cross_entropy, lambdarank, rank_map, rank_pairwise, cox, "
        "aft, custom}",
        "What is minimised. auto: squared for a number, logistic for two classes, "
        "softmax for more, lambdarank for rankings, cox for survival. cross_entropy is "
        "logistic for a number from 0 to 1. lambdarank improves NDCG, rank_map the "
        "mean average precision, rank_pairwise the number of pairs in order. custom: "
        "see ml_estimator_set_objective."),
    FLAGGED("n_trees",
            "n_estimators,num_boost_round,num_iterations,iterations,max_iter,num_round,"
            "n_iter,num_trees",
            MLI_FLAG_ROUNDS, "200", "[1, 100000]", "log [50, 600]",
            "The number of rounds: trees, or trees per class with more than two classes. "
            "With early stopping the most that are tried."),
    F64("learning_rate", "eta,shrinkage_rate,shrinkage", "0.1", "(0, 1]",
        "log [0.02, 0.3]",
        "The share of a tree's step that is taken. Smaller needs more trees and often "
        "generalises better."),
    I64("max_leaves", "num_leaves,max_leaf_nodes,n_leaves", "31", "[2, 65535]",
        "log [8, 128]", "The most leaves of a tree."),
    I64("max_depth", "depth", "0", "[-1, 60]", NULL,
        "The most splits on the way to a leaf; 0 or -1: no limit."),
    CHOICE("growth", "grow_policy,growing_policy", "leafwise",
           "{leafwise, depthwise, symmetric}",
           "Which leaf is split next while there may be more: the one with the largest "
           "gain (leafwise), or one of the least depth (depthwise). symmetric: all "
           "leaves of a depth are split alike; {param:max_depth} is then 6 when it is 0, "
           "at most 12, and {param:max_leaves} does not count."),
    I64("min_data_in_leaf",
        "min_samples_leaf,min_child_samples,min_data_per_leaf,min_data", "20",
        "[1, 1000000000]", "log [5, 100]", "The fewest rows of a leaf."),
    F64("min_child_weight",
        "min_sum_hessian_in_leaf,min_sum_hessian,min_sum_hessian_per_leaf,min_hessian",
        "0.001", "[0, inf)", NULL,
        "The smallest sum of hessians in a leaf: of the weights for squared loss, of "
        "p (1 - p) for classes."),
    F64("l2", "reg_lambda,lambda,lambda_l2,l2_regularization,l2_leaf_reg", "1",
        "[0, inf)", "log [0.01, 30]", "Penalty on squared leaf values."),
    F64("l1", "reg_alpha,lambda_l1,l1_regularization", "0", "[0, inf)", NULL,
        "Penalty on absolute leaf values."),
    F64("min_split_gain", "gamma,min_split_loss,min_gain_to_split", "0", "[0, inf)", NULL,
        "The smallest gain for which a leaf is split."),
    {"min_gain_ratio", NULL, ML_PARAM_F64, MLI_FLAG_EXPERT | MLI_FLAG_GUARD, "-1",
     "[-1, inf)", NULL, NULL,
     "The smallest gain for which a leaf is split, as a multiple of what a cut at random "
     "gains on average from noise. Below 0: 1, which ends the learning where the rows "
     "tell no more; with early stopping 0, for validation rows tell that better. Does "
     "not act for {param:growth} symmetric.",
     "0.1"},
    F64("max_delta_step", "max_leaf_output", "0", "[0, inf)", NULL,
        "The largest absolute leaf value before the learning rate; 0: no limit."),
    CHOICE(
        "score_function", NULL, "cosine", "{cosine, l2, newton_cosine, newton_l2}",
        "What splits of {param:growth} symmetric are compared by, as in CatBoost: the "
        "cosine between gradients and leaf values, or the gain (l2), both by the weights "
        "of the rows, or by their hessians (newton). With bounds on leaf values the "
        "gain; "
        "where leaf values cannot be renewed (see {param:leaf_iterations}) the "
        "hessians."),
    EXPERT_F64(
        "random_strength", NULL, "1", "[0, inf)", NULL,
        "The size of the noise that is added when splits are compared, so that "
        "features which the rows can hardly tell apart take turns: in standard "
        "errors of a split, for {param:growth} symmetric in gradients of a typical "
        "row, fading while the model grows. It matters for few rows; 0: none."),
    {"extra_trees", "extra_tree", ML_PARAM_BOOL, MLI_FLAG_EXPERT, "false", NULL, NULL,
     NULL,
     "Whether of each feature one cut, drawn at random, is looked at when a leaf is "
     "split, in place of all. Trees then differ more and fit the rows less closely: "
     "often better where there is noise. Of categories one level, or one length of "
     "their order, is drawn.",
     "0.1"},
    EXPERT_I64(
        "leaf_iterations", "leaf_estimation_iterations", "1", "[1, 100]",
        "Steps of Newton's method for the value of a leaf, each from the scores that "
        "the one before led to: more learn faster, like a larger learning rate. Acts "
        "for two classes, cross_entropy, poisson, gamma, tweedie and aft without "
        "{param:l1} and linear leaves."),
    F64("subsample", "bagging_fraction,sub_row,bagging,row_sample", "1", "(0, 1]",
        "[0.6, 1]", "The share of the rows drawn for a tree."),
    CHOICE("sampling", "data_sample_strategy,sampling_method,bootstrap_type", "uniform",
           "{uniform, stratified, goss, mvs, bayesian}",
           "How the rows of a tree are drawn: each with the probability "
           "{param:subsample} (uniform), that share of every class (stratified), with "
           "probabilities that grow with the gradient (mvs), all rows with large "
           "gradients and "
           "a share of the others (goss), or all with factors from the exponential "
           "distribution (bayesian)."),
    EXPERT_F64(
        "goss_top", "top_rate", "0.2", "[0, 1]", "sampling == goss",
        "The share of the rows with the largest gradients, all of which are kept."),
    EXPERT_F64("goss_other", "other_rate", "0.1", "[0, 1]", "sampling == goss",
               "The share of the rows that is drawn from the others."),
    EXPERT_F64("bagging_temperature", NULL, "1", "[0, inf)", "sampling == bayesian",
               "The power of these factors; 0: none."),
    I64("subsample_freq", "bagging_freq,subsample_every", "1", "[1, 100000]", NULL,
        "Rows are drawn anew after so many rounds."),
    F64("colsample_bytree", "feature_fraction,sub_feature,colsample_bytree_fraction,rsm",
        "1", "(0, 1]", "[0.4, 1]", "The share of the features drawn for a tree."),
    F64("colsample_bylevel", "feature_fraction_bylevel", "1", "(0, 1]", NULL,
        "The share of these that is drawn for each depth."),
    F64("colsample_bynode", "feature_fraction_bynode,max_features", "1", "(0, 1]", NULL,
        "The share of these that is drawn for each split."),
    I64("max_bin", "max_bins,border_count", "255", "[2, 255]", NULL,
        "Numeric features are cut into at most so many bins; categories beyond so many "
        "are treated as one."),
    {"bundle", "enable_bundle", ML_PARAM_BOOL, MLI_FLAG_EXPERT, "true", NULL, NULL, NULL,
     "Sparse features of which at most one is away from its usual value in a row, such "
     "as "
     "one-hot columns, are summed together.",
     "0.1"},
    EXPERT_I64("min_data_in_bin", NULL, "3", "[1, 1000000000]",
               "The fewest sampled rows of a bin."),
    {"early_stopping_rounds",
     "early_stopping_round,n_iter_no_change,od_wait,early_stopping", ML_PARAM_I64,
     MLI_FLAG_STOPPING, "-1", "[-1, 100000]", NULL, "boosting == gbdt",
     "Training stops when the validation metric has not improved for so many rounds, "
     "and the best round is kept; -1: 50, or three tenths of the best round where that is "
     "more; 0: all rounds. It acts when there are validation rows.",
     "0.1"},
    F64("validation_fraction", "validation_share", "0", "[0, 1)", NULL,
        "The share of the training rows held out for early stopping when no validation "
        "table is given."),
    CHOICE(
        "eval_metric", "metric,custom_metric", "loss", NULL,
        "What early stopping watches: loss (the objective's own; for rankings NDCG or "
        "average precision), auc, error, rmse, mae, ndcg, map, concordance, custom (see "
        "ml_estimator_set_metric), or any metric of the schemas metric.*, such as "
        "pr_auc."),
    EXPERT_I64("metric_at", "eval_at,ndcg_eval_at", "10", "[0, 1000000]",
               "The positions that count for the metrics ndcg and map; 0: all."),
    {"scale_pos_weight", NULL, ML_PARAM_F64, MLI_FLAG_CLASSES, "1", "(0, inf)", NULL,
     NULL, "Weight of the rows of the positive of two classes.", "0.1"},
    {"class_weight", "auto_class_weights", ML_PARAM_STR, MLI_FLAG_CLASSES, "none",
     "{none, balanced}", NULL, NULL, "balanced: every class gets the same total weight.",
     "0.1"},
    EXPERT_F64("quantile", "alpha,quantile_alpha", "0.5", "(0, 1)",
               "objective == quantile", "The quantile that objective quantile predicts."),
    LIST("quantiles", NULL, ML_PARAM_F64S,
         "Several quantiles for objective quantile, each with trees of its own. The kind "
         "score gives all, value the one nearest to 0.5."),
    EXPERT_F64("huber_delta", "huber_slope", "1", "(0, inf)", "objective == huber",
               "Where the Huber loss turns from squared to absolute."),
    EXPERT_F64("tweedie_power", "tweedie_variance_power", "1.5", "(1, 2)",
               "objective == tweedie",
               "The power of the mean to which the variance is proportional."),
    EXPERT_F64("poisson_max_delta_step", NULL, "0.7", "[0, inf)", "objective == poisson",
               "Makes the steps of the Poisson objective more careful."),
    EXPERT_I64("rank_truncation",
               "lambdarank_truncation_level,lambdarank_num_pair_per_sample", "30",
               "[1, 1000000]",
               "Of the pairs of a ranking those are looked at that have a row among so "
               "many first ones."),
    CHOICE("aft_distribution", "aft_loss_distribution", "normal",
           "{normal, logistic, extreme}",
           "The distribution of the logarithm of the time, for objective aft."),
    EXPERT_F64("aft_scale", "aft_loss_distribution_scale", "1", "(0, inf)",
               "objective == aft", "The scale of that distribution."),
    CHOICE("boosting", "boosting_type,booster", "gbdt", "{gbdt, dart}",
           "dart leaves some of the earlier trees out while a new one is fitted; early "
           "stopping does not act then."),
    EXPERT_F64("drop_rate", "rate_drop", "0.1", "[0, 1]", "boosting == dart",
               "The probability that an earlier round is left out."),
    EXPERT_F64("skip_drop", NULL, "0.5", "[0, 1]", "boosting == dart",
               "The probability that a round leaves none out."),
    EXPERT_I64("max_drop", NULL, "50", "[0, 100000]",
               "The most rounds left out for boosting dart; 0: no limit."),
    {"linear_tree", "linear_leaves", ML_PARAM_BOOL, MLI_FLAG_EXPERT, "false", NULL, NULL,
     NULL,
     "Whether leaves hold linear functions of the numeric features on their path instead "
     "of "
     "constants. Rows that lack one of these get the constant. For smooth targets. Not "
     "with {param:l1}, {param:max_delta_step}, monotone constraints or dart; {param:l2} "
     "acts on the growth of the trees and on the constants.",
     "0.1"},
    EXPERT_F64("linear_lambda", NULL, "0", "[0, inf)", "linear_tree == true",
               "Penalty on the squared coefficients of linear leaves."),
    LIST("increasing", "monotone_increasing", ML_PARAM_STRS,
         "Numeric features with which the prediction must not fall."),
    LIST("decreasing", "monotone_decreasing", ML_PARAM_STRS,
         "Numeric features with which the prediction must not rise."),
    LIST("monotone_constraints", "monotonic_cst,monotone_constraint", ML_PARAM_I64S,
         "The same by position: 1, -1 or 0 for each feature."),
    LIST("interaction_constraints", "interactions,interaction_cst", ML_PARAM_STRS,
         "Groups of features, each a text of names joined by \"&\", such as "
         "\"age & income\". Features may meet on the way to a leaf when one group has "
         "them "
         "all; a feature of no group meets none. At most 64 groups."),
    CHOICE(
        "categories", "categorical_method", "auto", "{auto, grouped, ordered}",
        "How categories are split. grouped: levels in the order of their gradients, any "
        "group of them. ordered: by the mean target of the rows of the level that come "
        "before in a random order. auto: grouped, and ordered for more than 100 levels. "
        "With more than two classes or several targets always grouped."),
    EXPERT_I64("one_hot_max_size", "max_cat_to_onehot", "4", "[0, 255]",
               "Categories with at most so many levels are split one against the rest."),
    EXPERT_I64("max_cat_threshold", NULL, "32", "[1, 255]",
               "The most levels on the smaller side of a split of a category."),
    EXPERT_F64("cat_smooth", NULL, "10", "[0, inf)", NULL,
               "Added to the hessian of a level when levels are ordered; levels with "
               "fewer rows are left out of the order."),
    EXPERT_F64("cat_l2", NULL, "10", "[0, inf)", NULL,
               "More l2 for splits of categories by order."),
    EXPERT_I64("min_data_per_group", NULL, "100", "[1, 1000000000]",
               "The fewest rows that a cut of the order of levels moves."),
    MLI_PARAM_SEED,
    MLI_PARAM_END};
