/* SPDX-License-Identifier: MIT
 *
 * prepare/roles.c: the roles of transformers that may look at a target, and need none.
 */
#include "algorithms/prepare/prepare.h"

#define NAMES(name, aliases, doc)                                                        \
    {                                                                                    \
        name, aliases, ML_PARAM_STRS, MLI_FLAG_ROLE | MLI_FLAG_NULLABLE, "", NULL, NULL, \
            NULL, doc, "0.1"                                                             \
    }
#define NAME(name, aliases, doc)                                                         \
    {                                                                                    \
        name, aliases, ML_PARAM_STR, MLI_FLAG_ROLE | MLI_FLAG_NULLABLE, "", NULL, NULL,  \
            NULL, doc, "0.1"                                                             \
    }

const mli_param mli_roles_prepare[] = {
    NAME("target", "label,y,label_column,target_column",
         "The column to predict, where a part needs one."),
    NAMES("features", "feature_columns",
          "The columns to work on. Not set: all columns without another role."),
    NAMES("ignore", "ignore_column,ignored_features", "Columns that are not to be used."),
    NAMES("categorical", "categorical_feature,cat_features,categorical_features",
          "Columns whose values are names, although they look like numbers."),
    NAMES("text", "text_columns,text_features",
          "Columns whose values are texts to be read word by word. Not set: text columns "
          "that read like sentences, where a step takes text."),
    NAME("weight", "sample_weight,weight_column",
         "The column of row weights: numbers, 0 or larger."),
    {"task", NULL, ML_PARAM_STR, 0, "auto", "{auto, regression, classification}", NULL,
     NULL, "What the target is: numbers or classes. auto: by its type and values.",
     "0.1"},
    {"positive", "pos_label,positive_class", ML_PARAM_STR, MLI_FLAG_NULLABLE, "", NULL,
     NULL, NULL, "Of two classes the one that counts as positive.", "0.1"},
    {"unseen", "handle_unknown", ML_PARAM_STR, 0, "missing", "{missing, error}", NULL,
     NULL,
     "What a category means in prediction that training did not have: a missing value, "
     "or "
     "an error.",
     "0.1"},
    NAME("group", "group_column,group_id,query_id,qid",
         "The column that says which rows belong together."),
    NAME("time", "time_column,timestamp_column",
         "The column of dates, times or numbers that orders the rows."),
    MLI_PARAM_END};
