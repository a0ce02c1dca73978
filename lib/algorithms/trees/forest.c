/* SPDX-License-Identifier: MIT
 *
 * trees/forest.c: the algorithms "decision_tree" (Breiman, Friedman, Olshen and Stone,
 * "Classification and regression trees", 1984), "random_forest" (Breiman 2001) and
 * "extra_trees" (Geurts, Ernst and Wehenkel 2006).
 *
 * Fitting: forest_fit.c, from codes (forest_codes.c), tree by tree (forest_grow.c), split
 * by split (forest_split.c, forest_sort.c). Predicting: forest_predict.c.
 */
#include "algorithms/trees/forest.h"

#define I64(name, aliases, dflt, range, tune, doc)                                       \
    {                                                                                    \
        name, aliases, ML_PARAM_I64, 0, dflt, range, tune, NULL, doc, "0.1"              \
    }
#define F64(name, aliases, dflt, range, active, doc)                                     \
    {                                                                                    \
        name, aliases, ML_PARAM_F64, 0, dflt, range, NULL, active, doc, "0.1"            \
    }

#define N_TREES                                                                          \
    I64("n_trees", "n_estimators,num_trees,ntree,trees", "100", "[1, 100000]", NULL,     \
        "The number of trees. More are never worse, only slower.")
#define MAX_FEATURES(dflt, tune)                                                         \
    {                                                                                    \
        "max_features", "mtry,feature_fraction_bynode,colsample_bynode", ML_PARAM_STR,   \
            0, dflt, NULL, tune, NULL,                                                   \
            "How many features, drawn at random, each split looks at: sqrt, log2, "      \
            "third, all, a share below 1, or a number. auto: for forests sqrt for "      \
            "classes and third for numbers; for a single tree all.",                     \
            "0.1"                                                                        \
    }
#define CRITERION                                                                        \
    {                                                                                    \
        "criterion", NULL, ML_PARAM_STR, MLI_FLAG_CLASSES, "gini", "{gini, entropy}",    \
            NULL, NULL,                                                                  \
            "The impurity of classes that splits lower most. For numbers it is the "     \
            "squared error in any case.",                                                \
            "0.1"                                                                        \
    }
#define SHAPE(leaf_tune)                                                                 \
    CRITERION,                                                                           \
        I64("max_depth", "depth", "0", "[-1, 100000]", NULL,                             \
            "The most splits on the way to a leaf; 0 or -1: no limit."),                 \
        I64("min_data_in_leaf", "min_samples_leaf,min_node_size,nodesize", "1",          \
            "[1, 1000000000]", leaf_tune, "The fewest rows of a leaf."),                 \
        I64("min_data_in_split", "min_samples_split", "2", "[2, 1000000000]", NULL,      \
            "The fewest rows of a node that is split."),                                 \
        I64("max_leaves", "max_leaf_nodes,num_leaves", "0", "[0, 1000000000]", NULL,     \
            "The most leaves of a tree; the split that helps most comes first. 0: no "   \
            "limit."),                                                                   \
        F64("min_weight_fraction_leaf", NULL, "0", "[0, 0.5]", NULL,                     \
            "The smallest weight of a leaf, as a share of the weight of all rows."),     \
        F64("min_impurity_decrease", NULL, "0", "[0, inf)", NULL,                        \
            "A split must lower the impurity, weighted by the node's share of the "      \
            "rows, by at least this.")
#define CCP                                                                              \
    F64("ccp_alpha", "cost_complexity", "0", "[0, inf)", NULL,                           \
        "Cost-complexity pruning: the price of a leaf, in units of impurity. 0: no "     \
        "pruning.")
#define QUANTILES                                                                        \
    {                                                                                    \
        "quantiles", NULL, ML_PARAM_F64S, MLI_FLAG_NULLABLE | MLI_FLAG_EXPERT, "", NULL, \
            NULL, NULL,                                                                  \
            "Quantiles of a numeric target that the kind quantiles predicts: the "       \
            "leaves "                                                                    \
            "then keep the targets of their rows.",                                      \
            "0.1"                                                                        \
    }
#define CLASS_WEIGHT                                                                     \
    {                                                                                    \
        "class_weight", "auto_class_weights", ML_PARAM_STR, MLI_FLAG_CLASSES, "none",    \
            "{none, balanced}", NULL, NULL,                                              \
            "balanced: every class gets the same total weight.", "0.1"                   \
    }
#define BOOTSTRAP(dflt)                                                                  \
    {"bootstrap",                                                                        \
     NULL,                                                                               \
     ML_PARAM_BOOL,                                                                      \
     0,                                                                                  \
     dflt,                                                                               \
     NULL,                                                                               \
     NULL,                                                                               \
     NULL,                                                                               \
     "Whether each tree gets rows drawn with replacement, or all rows.",                 \
     "0.1"},                                                                             \
        F64("max_samples", "sample_fraction", "1", "(0, 1]", "bootstrap == true",        \
            "How many rows are drawn, as a share of the rows there are."),               \
    {                                                                                    \
        "oob_score", "oob", ML_PARAM_BOOL, 0, "false", NULL, NULL, "bootstrap == true",  \
            "Whether each row is predicted by the trees that did not draw it: the "      \
            "attributes oob_score and oob_prediction.",                                  \
            "0.1"                                                                        \
    }

static const mli_param tree_params[] = {
    SHAPE("log [1, 100]"), CCP,       MAX_FEATURES("auto", NULL),
    CLASS_WEIGHT,          QUANTILES, MLI_PARAM_SEED,
    MLI_PARAM_END};
static const mli_param forest_params[] = {
    N_TREES,
    MAX_FEATURES("auto", "{sqrt, log2, third, 0.5, all}"),
    SHAPE("log [1, 50]"),
    CCP,
    BOOTSTRAP("true"),
    CLASS_WEIGHT,
    QUANTILES,
    MLI_PARAM_SEED,
    MLI_PARAM_END};
static const mli_param extra_params[] = {
    N_TREES,
    MAX_FEATURES("auto", "{sqrt, log2, third, 0.5, all}"),
    SHAPE("log [1, 50]"),
    CCP,
    BOOTSTRAP("false"),
    CLASS_WEIGHT,
    QUANTILES,
    MLI_PARAM_SEED,
    MLI_PARAM_END};

static const mli_kind kinds[] = {
    {"value", "rows, targets", "The predicted number, or one per target."},
    {"proba", "rows, classes", "The probability of each class."},
    {"quantiles", "rows, quantiles",
     "The quantiles of the target that the parameter quantiles names."},
    {"contributions", "rows, features + 1",
     "What each feature adds to the predicted number or to the probability of the second "
     "of two classes (exact path-dependent Shapley values), and last what is expected "
     "without any feature; together they are the prediction. With more than two classes "
     "one set per class."},
    {"interactions", "rows, features + 1, features + 1",
     "Contributions split into those of pairs of features (half of a pair each way) and "
     "of a feature by itself. One matrix per class with more than two."},
    {"leaf", "rows, trees", "The number of the leaf that a row reaches in each tree."},
    {NULL, NULL, NULL}};

#define NODES                                                                            \
    {"importance", "f64", "[features]",                                                  \
     "The share of each feature in the decrease of impurity, mean of the trees."},       \
        {"split_count", "f64", "[features]", "Number of the splits on a feature."},      \
        {"n_trees", "f64", "[]", "Number of trees."},                                    \
        {"tree_start", "i64", "[trees + 1]", "First node of each tree."},                \
        {"node_feature", "i32", "[nodes]",                                               \
         "Feature that a node splits on, -1 for leaves."},                               \
        {"node_left", "i32", "[nodes]",                                                  \
         "First of two children, counted from the tree's first node; 0 for leaves."},    \
        {"node_threshold", "f64", "[nodes]", "Values up to it go left."},                \
        {"node_flags", "u8", "[nodes]",                                                  \
         "1: missing values go left; 2: the split is on categories."},                   \
        {"node_value", "f64", "[nodes]",                                                 \
         "The mean, or the share of the second class, by the number of trees; with "     \
         "more than two classes the leaf's row of leaf_proba, with several targets of "  \
         "leaf_values."},                                                                \
        {"node_cover", "f64", "[nodes]", "The weight of a node's rows."},                \
        {"node_gain", "f64", "[nodes]", "Decrease of impurity times weight."},           \
        {"leaf_proba", "f64", "[rows, classes]",                                         \
         "Shares of the classes in leaves, which may share a row: of more than two."},   \
    {                                                                                    \
        "leaf_values", "f64", "[rows, targets]",                                         \
            "Means of the targets in the leaves, with several targets."                  \
    }

static const mli_attribute tree_attributes[] = {NODES, {NULL, NULL, NULL, NULL}};
static const mli_attribute forest_attributes[] = {
    NODES,
    {"oob_score", "f64", "[1]",
     "Accuracy, or R squared, of the rows that a tree did not draw; of several targets "
     "the "
     "mean over those that vary there. NaN when there is none."},
    {"oob_prediction", "f64", "[rows] or [rows, classes or targets]",
     "Their predictions; NaN for rows that every tree drew."},
    {NULL, NULL, NULL, NULL}};

#define HEAD(name_, aliases_, title_, doc_, params_, attributes_)                        \
    .head = {.name = name_,                                                              \
             .aliases = aliases_,                                                        \
             .title = title_,                                                            \
             .doc = doc_,                                                                \
             .family = "trees",                                                          \
             .since = "0.1",                                                             \
             .sort = MLI_SORT_ALGORITHM,                                                 \
             .tasks = MLI_TASK_REGRESSION | MLI_TASK_CLASSIFICATION,                     \
             .caps = MLI_CAN_MISSING | MLI_CAN_CATEGORIES | MLI_CAN_WEIGHTS,             \
             .params = params_,                                                          \
             .roles = mli_roles_several,                                                 \
             .kinds = kinds,                                                             \
             .attributes = attributes_},                                                 \
    .fit = mli_forest_fit, .plan = mli_forest_plan, .check = mli_forest_check,           \
    .attribute = mli_forest_attribute

extern const mli_algorithm mli_decision_tree, mli_random_forest, mli_extra_trees;
const mli_algorithm mli_decision_tree = {
    HEAD("decision_tree", "cart,tree", "decision tree",
         "One tree of splits on single features, for numbers or classes. Takes "
         "categories and missing values as they are. Easy to read, seldom the most "
         "accurate.",
         tree_params, tree_attributes)};
const mli_algorithm mli_random_forest = {
    HEAD("random_forest", "forest,ranger", "random forest",
         "The mean of many deep trees, each grown on rows drawn with replacement, with "
         "few features drawn for each split. Needs hardly any tuning; the rows that a "
         "tree did not draw tell how good it is.",
         forest_params, forest_attributes)};
const mli_algorithm mli_extra_trees = {
    HEAD("extra_trees", "extremely_randomized_trees", "extremely randomised trees",
         "As random forest, but with one random cut per feature instead of the best "
         "one, and by default with all rows for each tree: faster to fit, smoother.",
         extra_params, forest_attributes)};
