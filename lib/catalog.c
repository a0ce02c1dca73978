/* SPDX-License-Identifier: MIT
 *
 * catalog.c: the list of everything that has a descriptor, the one place that sees every
 * folder. Adding an algorithm, an option set or a metric is one line here, in order of
 * the names (a test checks it).
 */
#include "algorithms/algorithm.h"
#include "tuning/metrics.h"

/* A: an mli_algorithm. M: an mli_metric. O: a plain mli_descriptor. */
#define ENTRIES(A, M, O)                                                                 \
    A(mli_automl_algorithm)                                                              \
    A(mli_baseline)                                                                      \
    A(mli_binary_encoder)                                                                \
    A(mli_boruta)                                                                        \
    A(mli_calibrated)                                                                    \
    A(mli_class_balancer)                                                                \
    A(mli_clipper)                                                                       \
    A(mli_columns_algorithm)                                                             \
    A(mli_count_vectorizer)                                                              \
    A(mli_date_parts)                                                                    \
    A(mli_decision_tree)                                                                 \
    A(mli_derive)                                                                        \
    A(mli_discretizer)                                                                   \
    A(mli_ensemble)                                                                      \
    A(mli_extra_trees)                                                                   \
    A(mli_feature_selector)                                                              \
    A(mli_frequency_encoder)                                                             \
    A(mli_gbdt)                                                                          \
    A(mli_hashing_encoder)                                                               \
    A(mli_hashing_vectorizer)                                                            \
    A(mli_imputer)                                                                       \
    A(mli_iterative_imputer)                                                             \
    A(mli_knn_imputer)                                                                   \
    A(mli_linear_regression)                                                             \
    A(mli_log_transformer)                                                               \
    A(mli_logistic_regression)                                                           \
    A(mli_max_abs_scaler)                                                                \
    M(mli_metric_accuracy)                                                               \
    M(mli_metric_balanced_accuracy)                                                      \
    M(mli_metric_brier)                                                                  \
    M(mli_metric_calibration_error)                                                      \
    M(mli_metric_concordance)                                                            \
    M(mli_metric_explained_variance)                                                     \
    M(mli_metric_f1)                                                                     \
    M(mli_metric_f1_macro)                                                               \
    M(mli_metric_f1_weighted)                                                            \
    M(mli_metric_gamma_deviance)                                                         \
    M(mli_metric_kappa)                                                                  \
    M(mli_metric_ks)                                                                     \
    M(mli_metric_log_loss)                                                               \
    M(mli_metric_mae)                                                                    \
    M(mli_metric_map)                                                                    \
    M(mli_metric_mape)                                                                   \
    M(mli_metric_max_error)                                                              \
    M(mli_metric_mcc)                                                                    \
    M(mli_metric_median_absolute_error)                                                  \
    M(mli_metric_mse)                                                                    \
    M(mli_metric_ndcg)                                                                   \
    M(mli_metric_pinball)                                                                \
    M(mli_metric_poisson_deviance)                                                       \
    M(mli_metric_pr_auc)                                                                 \
    M(mli_metric_precision)                                                              \
    M(mli_metric_precision_macro)                                                        \
    M(mli_metric_r2)                                                                     \
    M(mli_metric_recall)                                                                 \
    M(mli_metric_recall_macro)                                                           \
    M(mli_metric_rmse)                                                                   \
    M(mli_metric_rmsle)                                                                  \
    M(mli_metric_roc_auc)                                                                \
    M(mli_metric_smape)                                                                  \
    M(mli_metric_specificity)                                                            \
    M(mli_metric_tweedie_deviance)                                                       \
    M(mli_metric_wape)                                                                   \
    A(mli_min_max_scaler)                                                                \
    A(mli_normalizer)                                                                    \
    A(mli_one_hot_encoder)                                                               \
    O(mli_options_aggregate)                                                             \
    O(mli_options_arrow)                                                                 \
    O(mli_options_check)                                                                 \
    O(mli_options_csv)                                                                   \
    O(mli_options_csv_write)                                                             \
    O(mli_options_explain)                                                               \
    O(mli_options_join)                                                                  \
    O(mli_options_load)                                                                  \
    O(mli_options_metric)                                                                \
    O(mli_options_predict)                                                               \
    O(mli_options_profile)                                                               \
    O(mli_options_save)                                                                  \
    O(mli_options_split)                                                                 \
    O(mli_options_study)                                                                 \
    A(mli_ordinal_encoder)                                                               \
    A(mli_outlier_filter)                                                                \
    A(mli_permutation_selector)                                                          \
    A(mli_pipeline)                                                                      \
    A(mli_polynomial_features)                                                           \
    A(mli_power_transformer)                                                             \
    A(mli_quantile_transformer)                                                          \
    A(mli_random_forest)                                                                 \
    A(mli_robust_scaler)                                                                 \
    A(mli_row_filter)                                                                    \
    A(mli_select_columns)                                                                \
    A(mli_smote)                                                                         \
    A(mli_spline_features)                                                               \
    A(mli_stacking)                                                                      \
    A(mli_standard_scaler)                                                               \
    A(mli_target_encoder)                                                                \
    A(mli_tfidf)                                                                         \
    A(mli_threshold)                                                                     \
    A(mli_to_category)                                                                   \
    A(mli_winsorizer)

#define DECLARE_A(symbol) extern const mli_algorithm symbol;
#define DECLARE_M(symbol) extern const mli_metric symbol;
#define DECLARE_O(symbol) extern const mli_descriptor symbol;
ENTRIES(DECLARE_A, DECLARE_M, DECLARE_O)

#define LIST_HEAD(symbol)  &symbol.head,
#define LIST_PLAIN(symbol) &symbol,
const mli_descriptor *const mli_catalog[] = {ENTRIES(LIST_HEAD, LIST_HEAD, LIST_PLAIN)
                                                 NULL};
