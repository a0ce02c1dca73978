/* SPDX-License-Identifier: MIT
 *
 * compose/compose.h: models made of models. The parts of a model are models themselves:
 * their parameters stand in the whole's under the path "<part>.", their tensors under the
 * names "<part>.<tensor>". A part's inputs are not stored: they are what the part before
 * it makes.
 */
#ifndef MLI_COMPOSE_H
#define MLI_COMPOSE_H

#include "algorithms/model.h"

/* The parts that a parameter of lists names. */
typedef struct mli_parts {
    ml_context *ctx;
    int64_t n;
    mli_param_part *part;
    ml_model **model; /* counted; NULL where not (yet) made */
    int scores;       /* those of the last part are those of the whole */
} mli_parts;

static inline const mli_algorithm *mli_part_algorithm(const mli_param_part *p)
{
    return (const mli_algorithm *)p->d; /* its first member */
}

ml_status mli_parts_new(ml_context *ctx, const mli_param *list, const ml_params *params,
                        mli_parts *out, ml_error *err);
void mli_parts_free(mli_parts *p);

/* Does it make columns of columns? */
int mli_is_transformer(const mli_descriptor *d);
/* Does it give values or probabilities? A pipeline may, and may transform too. */
int mli_is_predictor(const mli_descriptor *d);

/* The algorithm that a part predicts by: of a pipeline its last step, at any depth. */
const mli_descriptor *mli_part_last(const mli_param_part *part, const ml_params *whole);
/* Refuses a part of a list that makes columns and does not predict. */
ml_status mli_part_predicts(const mli_param *list, const mli_param_part *part,
                            const ml_params *whole, ml_error *err);

/* Adds the tensors of the whole that are named "<part>.<tensor>". */
ml_status mli_part_tensors(const ml_model *whole, const char *part, ml_model *m,
                           ml_error *err);
/* The part i of a whole's model, from its parameters and tensors. */
ml_status mli_part_load(const ml_model *whole, mli_parts *p, int64_t i,
                        mli_inputs *inputs, ml_error *err);
/* The part of that name, counted; ML_E_NAME when there is none. */
ml_status mli_parts_find(const mli_parts *p, const char *name, ml_model **out);
/* The same of a whole whose parts, those of the first parameter that lists parts, all get
 * the inputs of the whole: `part` of its mli_algorithm. */
ml_status mli_member_part(const ml_model *whole, const char *name, ml_model **out,
                          ml_error *err);
/* Checks the tensors of a part of a model from a file. */
ml_status mli_part_check(ml_model *part, ml_error *err);
/* What the next part gets of a model: its outputs, with the roles of the whole. */
ml_status mli_part_outputs(const ml_model *model, const mli_inputs *whole,
                           mli_inputs **out, ml_error *err);

/* Fits part i to designs, within a share of the whole's progress, and adds its tensors to
 * the whole's model. */
ml_status mli_part_fit(mli_fit *whole, mli_parts *p, int64_t i, const mli_design *train,
                       const mli_design *valid, double from, double to, ml_error *err);
/* "params.columns" of a part is "params.scale.columns" of the whole: the place of an
 * error.
 */
ml_status mli_part_place(const char *part, ml_status status, ml_error *err);
/* Takes a model that was fitted before as part i. */
ml_status mli_part_adopt(mli_fit *whole, mli_parts *p, int64_t i, ml_model *fitted,
                         ml_error *err);
/* The design that the next part gets: the columns that a model makes of one. `fitted`: it
 * is the one the model was fitted to, with these parameters of the whole. */
ml_status mli_part_transform(mli_fit *whole, const ml_model *model,
                             const mli_design *design, int fitted, mli_design **out,
                             ml_error *err);

/* Runs a plan by blocks of at most `rows` rows; frees the plans of members, of which some
 * may be NULL. */
typedef void mli_block_run(const mli_plan *plan, const double *rows, int64_t n,
                           int64_t stride, double *out, char *scratch);
void mli_run_blocks(const mli_plan *plan, mli_block_run *run, int64_t rows,
                    const double *in, int64_t n, int64_t stride, double *out,
                    void *scratch);
void mli_plans_free(ml_context *ctx, mli_plan **plans, int64_t n);

/* A plan that hands those features on that are chosen[j]. */
ml_status mli_gather_plan(ml_context *ctx, int64_t n_features, const uint8_t *chosen,
                          mli_plan **out, ml_error *err);
/* The features that the parameter `columns` of a pipeline names: chosen[n_features], and
 * *all when it names none. */
ml_status mli_pipeline_columns(const mli_inputs *in, const ml_params *params,
                               uint8_t *chosen, int *all, ml_error *err);
/* The last of the steps that parameters of a pipeline name; 0 when there is none. */
int mli_pipeline_last(const ml_params *params, mli_param_part *out);
extern const mli_algorithm mli_pipeline;
/* MLI_CAN_TEXT when a part of the list takes text, parts of parts included. */
uint32_t mli_parts_text(const mli_param *list, const ml_params *params);

/* A plan that runs plans one after another; takes them and the models over, also on
 * failure. */
ml_status mli_chain_plan(ml_context *ctx, mli_plan **plans, int64_t n, mli_parts *models,
                         mli_plan **out, ml_error *err);

/* For models whose tensors are those of members, listed by the parameter `list`, and
 * "weights" [members]: the plan of the weighted mean, and the check of the tensors. */
ml_status mli_ensemble_plan(const ml_model *m, const mli_param *list, const char *kind,
                            mli_plan **out, ml_error *err);
ml_status mli_ensemble_check(const ml_model *m, const mli_param *list, ml_error *err);

#endif
