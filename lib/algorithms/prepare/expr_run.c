/* SPDX-License-Identifier: MIT
 *
 * prepare/expr_run.c: running the program of an expression for a row.
 */
#include "algorithms/prepare/expr_code.h"

#include <math.h>
#include <string.h>

static double both(double a, double b)
{
    if (a == 0 || b == 0) return 0;
    return isnan(a) || isnan(b) ? NAN : 1;
}

static double either(double a, double b)
{
    if ((a != 0 && !isnan(a)) || (b != 0 && !isnan(b))) return 1;
    return isnan(a) || isnan(b) ? NAN : 0;
}

static double of_two(int32_t code, double a, double b)
{
    if (code == AND) return both(a, b);
    if (code == OR) return either(a, b);
    if (code == COALESCE) return isnan(a) ? b : a;
    if (isnan(a) || isnan(b)) return NAN;
    switch (code) {
    case ADD:
        return a + b;
    case SUB:
        return a - b;
    case MUL:
        return a * b;
    case DIV:
        return b == 0 ? NAN : a / b;
    case MOD: { /* exact, with the sign of the divisor */
        double rest = fmod(a, b);
        return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    }
    case POW:
        return pow(a, b);
    case AHEAD:
        return a * DAY - b;
    case EQ:
        return a == b;
    case NE:
        return a != b;
    case LT:
        return a < b;
    case LE:
        return a <= b;
    case GT:
        return a > b;
    case GE:
        return a >= b;
    case MIN:
        return a < b ? a : b;
    default:
        return a > b ? a : b;
    }
}

static double of_one(int32_t code, double a)
{
    switch (code) {
    case MISSING:
        return isnan(a);
    case NOT:
        return isnan(a) ? NAN : a == 0;
    case NEG:
        return -a;
    case ABS:
        return fabs(a);
    case SQRT:
        return a < 0 ? NAN : sqrt(a);
    case EXP:
        return exp(a);
    case LOG:
        return a > 0 ? log(a) : NAN;
    case LOG1P:
        return a > -1 ? log1p(a) : NAN;
    case LOG2:
        return a > 0 ? log2(a) : NAN;
    case LOG10:
        return a > 0 ? log10(a) : NAN;
    case FLOOR:
        return floor(a);
    case CEIL:
        return ceil(a);
    case ROUND:
        return nearbyint(a);
    default:
        return isnan(a) ? a : (a > 0) - (a < 0);
    }
}

static double of_text(const mli_expr *e, const op *o, const mli_text *cell)
{
    if (!cell) return NAN;
    if (o->code == SOME) return 1;
    return cell->size == o->size &&
           memcmp(cell->data, e->text + o->begin, (size_t)o->size) == 0;
}

double mli_expr_run(const mli_expr *e, const double *row)
{
    double s[MLI_EXPR_STACK + 1];
    int64_t top = 0;
    for (int64_t i = 0; i < e->n; i++) {
        const op *o = &e->ops[i];
        if (o->code == PUSH) {
            s[top++] = o->value;
        } else if (o->code == LOAD) {
            s[top++] = row[o->arg];
        } else if (o->code == LEVEL) { /* a code that is no level is missing */
            double x = row[o->arg];
            s[top++] = x >= 0 && x < o->value ? floor(x) : NAN;
        } else if (o->code == SAME || o->code == SOME) {
            s[top++] = of_text(e, o, mli_text_of(row[o->arg]));
        } else if (o->code == IF) {
            top -= 2;
            double c = s[top - 1];
            s[top - 1] = isnan(c) ? NAN : c != 0 ? s[top] : s[top + 1];
        } else if (takes_two(o->code)) {
            top--;
            s[top - 1] = of_two(o->code, s[top - 1], s[top]);
        } else {
            s[top - 1] = of_one(o->code, s[top - 1]);
        }
    }
    return s[0];
}
