/* SPDX-License-Identifier: MIT
 *
 * data/design_roles.c: the role parameters that algorithms share: which columns are what.
 */
#include "data/design.h"

#define COLUMN (MLI_FLAG_ROLE | MLI_FLAG_NULLABLE)

#define TARGET                                                                           \
    {                                                                                    \
        "target", "label,y,label_column,target_column", ML_PARAM_STR,                    \
            MLI_FLAG_ROLE | MLI_FLAG_REQUIRED, NULL, NULL, NULL, NULL,                   \
            "The column to predict. Rows in which it is missing are not used.", "0.1"    \
    }
#define MAY_TARGET                                                                       \
    {                                                                                    \
        "target", "label,y,label_column,target_column", ML_PARAM_STR, COLUMN, "", NULL,  \
            NULL, NULL, "The column to predict, where a step needs one.", "0.1"          \
    }
#define TARGETS                                                                          \
    {                                                                                    \
        "targets", "labels,target_columns", ML_PARAM_STRS, COLUMN, "", NULL, NULL, NULL, \
            "Several columns of numbers to predict at once, instead of {param:target}. " \
            "Of columns of 0 and 1 the predicted number is the probability of 1. Rows "  \
            "that lack one of them are not used.",                                       \
            "0.1"                                                                        \
    }
#define WEIGHT                                                                           \
    {                                                                                    \
        "weight", "sample_weight,weight_column", ML_PARAM_STR, COLUMN, "", NULL, NULL,   \
            NULL,                                                                        \
            "The column of row weights: numbers, 0 or larger. Not set: all rows count "  \
            "the same.",                                                                 \
            "0.1"                                                                        \
    }
#define FEATURES                                                                         \
    {                                                                                    \
        "features", "feature_columns", ML_PARAM_STRS, COLUMN, "", NULL, NULL, NULL,      \
            "The columns to predict from. Not set: all columns without another role, "   \
            "but for text that identifies rows and columns without any value.",          \
            "0.1"                                                                        \
    }
#define IGNORE                                                                           \
    {                                                                                    \
        "ignore", "ignore_column,ignored_features", ML_PARAM_STRS, COLUMN, "", NULL,     \
            NULL, NULL, "Columns that are not to be used.", "0.1"                        \
    }
#define CATEGORICAL                                                                      \
    {                                                                                    \
        "categorical", "categorical_feature,cat_features,categorical_features",          \
            ML_PARAM_STRS, COLUMN, "", NULL, NULL, NULL,                                 \
            "Columns whose values are names, although they look like numbers, such as "  \
            "postal codes, or like sentences.",                                          \
            "0.1"                                                                        \
    }
#define TEXT                                                                             \
    {                                                                                    \
        "text", "text_columns,text_features", ML_PARAM_STRS, COLUMN, "", NULL, NULL,     \
            NULL,                                                                        \
            "Columns whose values are texts to be read word by word. Not set: text "     \
            "columns that read like sentences, where an algorithm takes text.",          \
            "0.1"                                                                        \
    }
#define POSITIVE                                                                         \
    {                                                                                    \
        "positive", "pos_label,positive_class", ML_PARAM_STR, MLI_FLAG_NULLABLE, "",     \
            NULL, NULL, NULL,                                                            \
            "Of two classes the one that counts as positive. Not set: the second in "    \
            "sorted order.",                                                             \
            "0.1"                                                                        \
    }
#define UNSEEN                                                                           \
    {                                                                                    \
        "unseen", "handle_unknown", ML_PARAM_STR, 0, "missing", "{missing, error}",      \
            NULL, NULL,                                                                  \
            "What a category means in prediction that training did not have: a missing " \
            "value, or an error.",                                                       \
            "0.1"                                                                        \
    }
#define TASK                                                                             \
    {                                                                                    \
        "task", NULL, ML_PARAM_STR, 0, "auto", "{auto, regression, classification}",     \
            NULL, NULL,                                                                  \
            "What is predicted. auto: classes when the target is text, a category, a "   \
            "boolean or holds just two whole numbers; a number otherwise.",              \
            "0.1"                                                                        \
    }
#define ANY_TASK                                                                         \
    {                                                                                    \
        "task", NULL, ML_PARAM_STR, 0, "auto",                                           \
            "{auto, regression, classification, ranking, survival}", NULL, NULL,         \
            "What is predicted. auto: what the objective is for; without one, classes "  \
            "when the target is text, a category, a boolean or holds only 0 and 1, and " \
            "a number otherwise. Rankings need {param:group}.",                          \
            "0.1"                                                                        \
    }
#define OFFSET                                                                           \
    {                                                                                    \
        "offset", "base_margin,init_score,baseline,margin", ML_PARAM_STR, COLUMN, "",    \
            NULL, NULL, NULL,                                                            \
            "The column of numbers that are added to the score in training, such as "    \
            "the "                                                                       \
            "logarithm of an exposure. Predictions are without it.",                     \
            "0.1"                                                                        \
    }
#define EVENT                                                                            \
    {                                                                                    \
        "event", "event_column,status", ML_PARAM_STR, COLUMN, "", NULL, NULL, NULL,      \
            "Survival: the column that is 0 where the event had not happened until the " \
            "time in the target (censored to the right). Not set: all happened.",        \
            "0.1"                                                                        \
    }
#define UPPER                                                                            \
    {                                                                                    \
        "upper", "label_upper_bound,upper_bound", ML_PARAM_STR, COLUMN, "", NULL, NULL,  \
            NULL,                                                                        \
            "Survival: the column of the latest times at which the event can have "      \
            "happened; the target is the earliest. Missing: any later time.",            \
            "0.1"                                                                        \
    }
#define GROUP                                                                            \
    {                                                                                    \
        "group", "group_column,group_id,query_id,qid", ML_PARAM_STR, COLUMN, "", NULL,   \
            NULL, NULL,                                                                  \
            "The column that says which rows belong together, such as the query of a "   \
            "ranking. Splits keep groups whole.",                                        \
            "0.1"                                                                        \
    }
#define TIME                                                                             \
    {                                                                                    \
        "time", "time_column,timestamp_column", ML_PARAM_STR, COLUMN, "", NULL, NULL,    \
            NULL, "The column of dates, times or numbers that orders the rows.", "0.1"   \
    }
#define END                                                                              \
    {                                                                                    \
        NULL, NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL                             \
    }

const mli_param mli_roles_supervised[] = {TARGET, FEATURES, IGNORE, CATEGORICAL,
                                          TEXT,   WEIGHT,   TASK,   POSITIVE,
                                          UNSEEN, GROUP,    TIME,   END};

const mli_param mli_roles_several[] = {TARGET, TARGETS, FEATURES, IGNORE,   CATEGORICAL,
                                       TEXT,   WEIGHT,  TASK,     POSITIVE, UNSEEN,
                                       GROUP,  TIME,    END};

const mli_param mli_roles_boosting[] = {
    TARGET,   TARGETS, FEATURES, IGNORE, CATEGORICAL, TEXT,  WEIGHT, ANY_TASK,
    POSITIVE, UNSEEN,  GROUP,    TIME,   OFFSET,      EVENT, UPPER,  END};

const mli_param mli_roles_steps[] = {
    MAY_TARGET, TARGETS, FEATURES, IGNORE, CATEGORICAL, TEXT,  WEIGHT, ANY_TASK,
    POSITIVE,   UNSEEN,  GROUP,    TIME,   OFFSET,      EVENT, UPPER,  END};

const mli_param mli_roles_regression[] = {TARGET, FEATURES, IGNORE, CATEGORICAL, TEXT,
                                          WEIGHT, UNSEEN,   GROUP,  TIME,        END};

const mli_param mli_roles_classification[] = {TARGET, FEATURES, IGNORE,   CATEGORICAL,
                                              TEXT,   WEIGHT,   POSITIVE, UNSEEN,
                                              GROUP,  TIME,     END};

const mli_param mli_roles_unsupervised[] = {FEATURES, IGNORE, CATEGORICAL, TEXT, WEIGHT,
                                            UNSEEN,   GROUP,  TIME,        END};
