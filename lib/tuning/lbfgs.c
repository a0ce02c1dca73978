/* SPDX-License-Identifier: MIT
 *
 * lbfgs.c: limited-memory BFGS (Nocedal, Wright, "Numerical optimization", 2006, chapter
 * 7) on the coordinates that are free: those at a bound whose gradient points outwards
 * stand still (a projected step). Steps are halved until they gain enough. Serial, with
 * sums in order: the same result everywhere.
 */
#include "tuning/lbfgs.h"

#include <math.h>
#include <string.h>

#define M MLI_LBFGS_MEMORY

typedef struct state {
    const mli_lbfgs *p;
    int64_t n;
    double *s, *y;       /* [M][n] steps and changes of gradient, newest at `last` */
    double *rho, *alpha; /* [M] */
    double *g, *g_new, *x_new, *direction, *held;
    int kept, last;
} state;

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static int stuck(const state *t, const double *x, int64_t i)
{
    return (x[i] <= t->p->low[i] && t->g[i] > 0) ||
           (x[i] >= t->p->high[i] && t->g[i] < 0);
}

/* direction = -H g, by the two loops. */
static void set_direction(state *t, const double *x)
{
    int64_t n = t->n;
    double *d = t->direction;
    for (int64_t i = 0; i < n; i++) d[i] = stuck(t, x, i) ? 0 : -t->g[i];
    for (int k = 0; k < t->kept; k++) {
        int64_t m = (t->last - k + M) % M;
        t->alpha[m] = t->rho[m] * dot(t->s + m * n, d, n);
        for (int64_t i = 0; i < n; i++) d[i] -= t->alpha[m] * t->y[m * n + i];
    }
    if (t->kept > 0) {
        const double *y = t->y + t->last * n;
        double scale = 1 / (t->rho[t->last] * dot(y, y, n));
        for (int64_t i = 0; i < n; i++) d[i] *= scale;
    }
    for (int k = t->kept - 1; k >= 0; k--) {
        int64_t m = (t->last - k + M) % M;
        double beta = t->rho[m] * dot(t->y + m * n, d, n);
        for (int64_t i = 0; i < n; i++) d[i] += (t->alpha[m] - beta) * t->s[m * n + i];
    }
    for (int64_t i = 0; i < n; i++)
        if (stuck(t, x, i)) d[i] = 0;
    if (dot(d, t->g, n) < 0) return;
    t->kept = 0;
    for (int64_t i = 0; i < n; i++) d[i] = stuck(t, x, i) ? 0 : -t->g[i];
}

static void remember(state *t, const double *x)
{
    int64_t n = t->n, m = (t->last + 1) % M;
    double *s = t->s + m * n, *y = t->y + m * n;
    for (int64_t i = 0; i < n; i++) {
        s[i] = t->x_new[i] - x[i];
        y[i] = t->g_new[i] - t->g[i];
    }
    double sy = dot(s, y, n);
    if (!(sy > 1e-10 * dot(y, y, n))) return;
    t->rho[m] = 1 / sy;
    t->last = (int)m;
    if (t->kept < M) t->kept++;
}

/* Looks for a point that gains along the direction; returns its value or `value`. */
static double search(state *t, const double *x, double value)
{
    const mli_lbfgs *p = t->p;
    double size = sqrt(dot(t->direction, t->direction, t->n)), step = 1;
    if (t->kept == 0 && size > 0.3) step = 0.3 / size; /* nothing is known of the scale */
    for (int tries = 0; tries < 12; tries++, step *= tries < 3 ? 0.4 : 0.15) {
        double slope = 0;
        for (int64_t i = 0; i < t->n; i++) {
            double v = x[i] + step * t->direction[i];
            t->x_new[i] = v < p->low[i] ? p->low[i] : v > p->high[i] ? p->high[i] : v;
            slope += t->g[i] * (t->x_new[i] - x[i]);
        }
        double found = p->fn(p->arg, t->x_new, t->g_new);
        if (isfinite(found) && found <= value + 1e-4 * slope && slope < 0) return found;
    }
    return value;
}

double mli_lbfgs_run(const mli_lbfgs *p, double *x, double *work)
{
    int64_t n = p->n;
    state t = {.p = p, .n = n, .s = work, .y = work + M * n, .last = 0};
    t.g = work + 2 * M * n;
    t.g_new = t.g + n;
    t.x_new = t.g_new + n;
    t.direction = t.x_new + n;
    t.held = t.direction + n;
    t.rho = t.held + n;
    t.alpha = t.rho + M;
    double value = p->fn(p->arg, x, t.g);
    for (int step = 0; step < p->steps && isfinite(value); step++) {
        set_direction(&t, x);
        double found = search(&t, x, value);
        if (!(found < value)) {
            if (t.kept == 0) break;
            t.kept = 0; /* once more along the gradient */
            continue;
        }
        double gain = value - found;
        remember(&t, x);
        memcpy(x, t.x_new, (size_t)n * sizeof *x);
        memcpy(t.g, t.g_new, (size_t)n * sizeof *x);
        value = found;
        if (gain < p->tolerance * (fabs(value) + 1)) break;
    }
    return value;
}
