/* SPDX-License-Identifier: MIT
 *
 * commands_tables.c: join, aggregate.
 */
#include "app.h"

#include <string.h>

typedef ml_status (*work)(app *a, const ml_table *first, const ml_table *second,
                          const ml_params *options, ml_table **out);

static ml_status join(app *a, const ml_table *left, const ml_table *right,
                      const ml_params *options, ml_table **out)
{
    return ml_table_join(left, right, options, out, a->err);
}

static ml_status aggregate(app *a, const ml_table *data, const ml_table *left,
                           const ml_params *options, ml_table **out)
{
    return ml_table_aggregate(data, left, options, out, a->err);
}

/* Reads one table or two, and writes what `fn` makes of them. */
static int make(app *a, work fn)
{
    ml_table *first = NULL, *second = NULL, *made = NULL;
    ml_params *options = NULL;
    ml_status st = read_table(a, a->operand[0], &first);
    if (st == ML_OK && a->n_operand > 1) st = read_table(a, a->operand[1], &second);
    if (st == ML_OK) st = ml_params_new(a->ctx, &options, a->err);
    if (st == ML_OK) st = add_pairs(a, options, a->set, a->n_set);
    if (st == ML_OK) st = fn(a, first, second, options, &made);
    if (st == ML_OK && flag(a, OPT_JSON) && !flag(a, OPT_OUTPUT))
        print_table_json(stdout, made);
    else if (st == ML_OK)
        st = write_table(a, made, a->value[OPT_OUTPUT]);
    ml_params_free(options);
    ml_table_free(first);
    ml_table_free(second);
    ml_table_free(made);
    return st < 0 ? app_fail(a) : 0;
}

int cmd_join(app *a)
{
    return make(a, join);
}

int cmd_aggregate(app *a)
{
    return make(a, aggregate);
}
