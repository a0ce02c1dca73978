/* SPDX-License-Identifier: MIT
 *
 * import_onnx_formula.c: operators of ONNX that are formulas of simpler ones.
 *
 * A formula is written backwards, as on some pocket calculators: a letter takes what it
 * needs from a stack, and leaves its result there. "xy+2/" is (x + y) / 2.
 */
#include "serialization/import_onnx_program.h"

#include <math.h>
#include <string.h>

#define DEPTH   6
#define SOFTMAX "xxH-e.S/"

/* By step, from MLI_STEP_COPY on; a space: not written. n: negative, |: magnitude, s:
 * sign, q: root, g: logistic, t: tanh, !: not, m and M: the lesser and the greater, ?:
 * where. */
static const char letters[] = " n|selqgt   !  +-*/^mM=<   ?";

mli_onnx_val mli_onnx_formula(mli_onnx_builder *b, const char *formula,
                              const mli_onnx_val *const v[3], const double *numbers,
                              int64_t axis)
{
    mli_onnx_val stack[DEPTH];
    int n = 0;
    for (; *formula && n < DEPTH - 1; formula++) {
        int c = *formula;
        const char *letter = strchr(letters, c);
        mli_onnx_val *top = stack + n;
        if (c >= 'x' && c <= 'z') {
            if (!v[c - 'x']) return mli_onnx_no(b, "lacks an input");
            *top = *v[c - 'x'];
            n++;
        } else if (c >= 'a' && c <= 'd') {
            *top = mli_onnx_constant(numbers[c - 'a']);
            n++;
        } else if (c >= '0' && c <= '9') {
            *top = mli_onnx_constant(c - '0');
            n++;
        } else if (c == '.') { /* again */
            *top = top[-1];
            n++;
        } else if (letter) {
            int32_t op = (int32_t)(letter - letters);
            n -= mli_step_operands(op) - 1;
            top = stack + n - 1;
            *top = mli_onnx_apply(b, op, top, top + 1, top + 2);
        } else { /* S: sum, H: the highest of an axis */
            top[-1] = mli_onnx_reduce(b, c == 'S' ? MLI_STEP_SUM : MLI_STEP_MOST,
                                      &top[-1], axis, 1);
        }
    }
    return stack[0];
}

mli_onnx_val mli_onnx_of(mli_onnx_builder *b, const char *formula, const mli_onnx_val *x,
                         int64_t axis)
{
    return mli_onnx_formula(b, formula, (const mli_onnx_val *[3]){x}, NULL, axis);
}

mli_onnx_val mli_onnx_softmax(mli_onnx_builder *b, const mli_onnx_val *x, int64_t axis)
{
    return mli_onnx_of(b, SOFTMAX, x, axis);
}

/* As onnxruntime has them: zeros stay zeros; x is between 0 and 1. */
mli_onnx_val mli_onnx_post(mli_onnx_builder *b, const char *post, const mli_onnx_val *x)
{
    static const double small[] = {1e-7},
                        probit[] = {4.3307467f, 0.5, 6.8027211f, 1.4142135f};
    if (strcmp(post, "NONE") == 0) return *x;
    if (strcmp(post, "LOGISTIC") == 0) return mli_onnx_of(b, "xg", x, 1);
    if (strcmp(post, "SOFTMAX") == 0) return mli_onnx_softmax(b, x, 1);
    if (strcmp(post, "SOFTMAX_ZERO") == 0) {
        mli_onnx_val e = mli_onnx_of(b, "xxH-e", x, 1),
                     rest = mli_onnx_of(b, "xxHne*", x, 1),
                     some = mli_onnx_formula(b, "ax|<", (const mli_onnx_val *[3]){x},
                                             small, 1);
        return mli_onnx_formula(b, "yxz?yx0?S/",
                                (const mli_onnx_val *[3]){&e, &some, &rest}, NULL, 1);
    }
    if (strcmp(post, "PROBIT") != 0) return mli_onnx_no(b, "with this post_transform");
    mli_onnx_val t = mli_onnx_of(b, "x2*1-", x, 1),
                 log = mli_onnx_of(b, "1x-1x+*l", &t, 1),
                 v = mli_onnx_formula(b, "xb*a+", (const mli_onnx_val *[3]){&log}, probit,
                                      1);
    return mli_onnx_formula(b, "zsyy*xc*-qy-q*d*",
                            (const mli_onnx_val *[3]){&log, &v, &t}, probit, 1);
}

/* Formulas of the inputs x, y and z, of two attributes a and b, for which `number` stands
 * where they are not given, and of c, the size of the axis. */
static const struct {
    const char *name, *formula, *a, *b;
    double number[2];
} formulas[] = {
    {"LeakyRelu", "0x<xxa*?", "alpha", "", {0.01f, 0}},
    {"Elu", "0x<xxe1-a*?", "alpha", "", {1, 0}},
    {"Selu", "0x<xxe1-a*?b*", "alpha", "gamma", {1.6732632f, 1.05070098f}},
    {"PRelu", "0x<xxy*?", "", "", {0, 0}},
    {"Softplus", "x0Mx|ne1+l+", "", "", {0, 0}},
    {"Softsign", "xx|1+/", "", "", {0, 0}},
    {"HardSigmoid", "xa*b+0M1m", "alpha", "beta", {0.2f, 0.5}},
    {"HardSwish", "xxa*b+0M1m*", "", "", {1 / 6.0, 0.5}},
    {"Relu", "x0M", "", "", {0, 0}},
    {"Reciprocal", "1x/", "", "", {0, 0}},
    {"Softmax", SOFTMAX, "", "", {0, 0}},
    {"LogSoftmax", "xxH-.eSl-", "", "", {0, 0}},
    {"LayerNormalization", "xxSc/-..*Sc/a+q/y*", "epsilon", "", {1e-5f, 0}},
    {"BatchNormalization", "xy-za+q/", "epsilon", "", {1e-5f, 0}},
};

int mli_onnx_operator_formula(mli_onnx_builder *b)
{
    for (size_t i = 0; i < sizeof formulas / sizeof *formulas; i++) {
        if (!mli_onnx_is(b->node->op, formulas[i].name)) continue;
        const mli_onnx_val *v[3] = {mli_onnx_in(b, 0), mli_onnx_in(b, 1),
                                    mli_onnx_in(b, 2)};
        int64_t axis = v[0] ? mli_onnx_axis(v[0], mli_onnx_number_of(b, "axis", -1)) : -1;
        double numbers[3] = {mli_onnx_number_of(b, formulas[i].a, formulas[i].number[0]),
                             mli_onnx_number_of(b, formulas[i].b, formulas[i].number[1]),
                             axis < 0 ? 1 : (double)v[0]->dim[axis]};
        int batch = formulas[i].name[0] == 'B';
        if (batch) {
            if (v[0] && v[0]->rank != 2) mli_onnx_no(b, "of more axes");
            v[1] = mli_onnx_in(b, 3);
            v[2] = mli_onnx_in(b, 4);
        }
        mli_onnx_val out = mli_onnx_formula(b, formulas[i].formula, v, numbers, axis);
        v[0] = &out;
        v[1] = mli_onnx_in(b, 1);
        v[2] = mli_onnx_in(b, 2);
        if (batch) out = mli_onnx_formula(b, "xy*z+", v, NULL, axis);
        if (!batch && v[2]) out = mli_onnx_formula(b, "xz+", v, NULL, axis);
        mli_onnx_put(b, 0, out);
        return 1;
    }
    return 0;
}
