/* SPDX-License-Identifier: MIT
 *
 * compose/program_run.c: runs the steps of programs, one after another over the rows of a
 * block.
 */
#include "algorithms/compose/program.h"

#include <math.h>
#include <string.h>

int mli_step_operands(int32_t op)
{
    if (op == MLI_STEP_INPUT) return 0;
    if (op == MLI_STEP_WHERE || op == MLI_STEP_MAP) return 3;
    if (op >= MLI_STEP_ADD && op <= MLI_STEP_DOT) return 2;
    return 1;
}

double mli_step_number(int32_t op, double a, double b, double c)
{
    switch (op) {
    case MLI_STEP_NEG:
        return -a;
    case MLI_STEP_ABS:
        return fabs(a);
    case MLI_STEP_SIGN:
        return a > 0 ? 1 : a < 0 ? -1 : a;
    case MLI_STEP_EXP:
        return exp(a);
    case MLI_STEP_LOG:
        return log(a);
    case MLI_STEP_SQRT:
        return sqrt(a);
    case MLI_STEP_SIGMOID:
        return 1 / (1 + exp(-a));
    case MLI_STEP_TANH:
        return tanh(a);
    case MLI_STEP_FLOOR:
        return floor(a);
    case MLI_STEP_CEIL:
        return ceil(a);
    case MLI_STEP_TRUNC:
        return trunc(a);
    case MLI_STEP_NOT:
        return a == 0;
    case MLI_STEP_TRUTH:
        return a != 0;
    case MLI_STEP_ISNAN:
        return isnan(a);
    case MLI_STEP_ADD:
        return a + b;
    case MLI_STEP_SUB:
        return a - b;
    case MLI_STEP_MUL:
        return a * b;
    case MLI_STEP_DIV:
        return a / b;
    case MLI_STEP_POW:
        return pow(a, b);
    case MLI_STEP_MIN:
        return isnan(a) || a < b ? a : b;
    case MLI_STEP_MAX:
        return isnan(a) || a > b ? a : b;
    case MLI_STEP_EQ:
        return a == b;
    case MLI_STEP_LT:
        return a < b;
    case MLI_STEP_LE:
        return a <= b;
    case MLI_STEP_AND:
        return a != 0 && b != 0;
    case MLI_STEP_OR:
        return a != 0 || b != 0;
    case MLI_STEP_WHERE:
        return a != 0 ? b : c;
    default:
        return a;
    }
}

int64_t mli_step_spread(const mli_operand *o, int64_t n, int64_t j)
{
    return o->spread == MLI_SPREAD_NONE  ? j
           : o->spread == MLI_SPREAD_MOD ? j % o->n
                                         : j / (n / o->n);
}

static void run_elementwise(const mli_step *s, const double *const *v, double *out)
{
    int operands = mli_step_operands(s->op);
    for (int64_t j = 0; j < s->n; j++) {
        double x[3] = {0, 0, 0};
        for (int k = 0; k < operands; k++)
            x[k] = v[k][mli_step_spread(&s->of[k], s->n, j)];
        out[j] = mli_step_number(s->op, x[0], x[1], x[2]);
    }
}

static void run_map(const mli_step *s, const double *const *v, double *out)
{
    int64_t keys = s->of[1].n;
    for (int64_t j = 0; j < s->n; j++) {
        int64_t k = 0;
        double x = v[0][j];
        while (k < keys && !(v[1][k] == x || (isnan(x) && isnan(v[1][k])))) k++;
        out[j] = v[2][k];
    }
}

/* Squares are added as floats too, as runtimes do. */
static void add_distances(const mli_step *s, double x, const double *row, double *out)
{
    for (int64_t k = 0; s->p == 2 && s->round && k < s->n; k++) {
        float d = (float)x - (float)row[k];
        out[k] = (double)((float)out[k] + d * d);
    }
    if (s->p == 2 && s->round) return;
    for (int64_t k = 0; k < s->n; k++) {
        double d = fabs(x - row[k]);
        out[k] += s->p == 1 ? d : pow(d, s->p);
    }
}

/* Floats are added as runtimes of graphs do, so that trees behind it see the same. */
static void run_dot(const mli_step *s, const double *const *v, double *out)
{
    memset(out, 0, (size_t)s->n * sizeof *out);
    for (int64_t j = 0; j < s->of[0].n; j++) {
        const double *row = v[1] + j * s->n, x = v[0][j];
        if (s->p) add_distances(s, x, row, out);
        for (int64_t k = 0; !s->p && k < s->n; k++)
            out[k] = s->round ? (double)fmaf((float)x, (float)row[k], (float)out[k])
                              : out[k] + x * row[k];
    }
}

/* Does number i of a stand before number j? */
static int before(const double *a, int64_t i, int64_t j, int descending)
{
    if (a[i] == a[j]) return i < j;
    return descending ? a[i] > a[j] : a[i] < a[j];
}

/* The n first, each the first of those behind the one before it. */
static void run_top(const mli_step *s, const double *a, double *out)
{
    int64_t last = -1;
    for (int64_t k = 0; k < s->n; k++) {
        int64_t best = -1;
        for (int64_t j = 0; j < s->of[0].n; j++) {
            if (j == last || (last >= 0 && !before(a, last, j, s->p))) continue;
            if (best < 0 || before(a, j, best, s->p)) best = j;
        }
        if (best < 0) best = k; /* missing values have no order */
        out[k] = s->q ? (double)best : a[best];
        last = best;
    }
}

void mli_step_groups(const mli_step *s, const double *a, double *out)
{
    for (int64_t j = 0; j < s->n; j++) {
        const double *from = a + j / s->q * s->p * s->q + j % s->q;
        double best = from[0], sum = best;
        int64_t at = 0;
        for (int64_t k = 1; k < s->p; k++) {
            double x = from[k * s->q];
            sum = s->op == MLI_STEP_PROD ? sum * x : sum + x;
            if (s->round && s->op == MLI_STEP_PROD) sum = (double)(float)sum;
            if (s->op == MLI_STEP_LEAST || s->op == MLI_STEP_ARGMIN ? !(x < best)
                                                                    : !(x > best))
                continue;
            best = x;
            at = k;
        }
        out[j] = s->op <= MLI_STEP_PROD     ? sum
                 : s->op >= MLI_STEP_ARGMIN ? (double)at
                                            : best;
    }
}

static void run_fetch(const mli_step *s, const double *const *v, double *out)
{
    for (int64_t j = 0; j < s->n; j++) {
        double at = v[1][j];
        out[j] = at >= 0 && at < s->of[0].n   ? v[0][(int64_t)at]
                 : s->p && !mli_is_unseen(at) ? (double)s->p - 1
                                              : NAN;
    }
}

/* Everything but members, of one row. */
static void run_step(const mli_step *s, const double *row, const double *const *v,
                     double *out)
{
    switch (s->op) {
    case MLI_STEP_INPUT:
        memcpy(out, row + s->p, (size_t)s->n * sizeof *out);
        break;
    case MLI_STEP_PICK:
    case MLI_STEP_FETCH:
        run_fetch(s, v, out);
        break;
    case MLI_STEP_MAP:
        run_map(s, v, out);
        break;
    case MLI_STEP_DOT:
        run_dot(s, v, out);
        break;
    case MLI_STEP_CUMSUM:
        for (int64_t j = 0; j < s->n; j++) out[j] = v[0][j] + (j ? out[j - 1] : 0);
        break;
    case MLI_STEP_TOP:
        run_top(s, v[0], out);
        break;
    case MLI_STEP_PAIRS:
        (void)mli_step_pairs(s, v[0], out);
        break;
    default:
        if (s->op < MLI_STEP_ELEMENTWISE)
            run_elementwise(s, v, out);
        else
            mli_step_groups(s, v[0], out);
    }
    for (int64_t j = 0; s->round && j < s->n; j++) out[j] = (double)(float)out[j];
}

void mli_step_rows(const mli_step *s, const double *constants, const double *in,
                   int64_t n, int64_t stride, double *rows, int64_t columns, int64_t at)
{
    int operands = mli_step_operands(s->op);
    for (int64_t i = 0; i < n; i++, rows += columns, in += stride) {
        const double *v[3] = {NULL, NULL, NULL};
        for (int k = 0; k < operands; k++)
            v[k] = s->of[k].at < 0 ? constants + ~s->of[k].at : rows + s->of[k].at;
        run_step(s, in, v, rows + at);
    }
}
