/* SPDX-License-Identifier: MIT
 *
 * report/svg.h: small plots as inline SVG.
 */
#ifndef MLI_REPORT_SVG_H
#define MLI_REPORT_SVG_H

#include "core/params.h"
#include "core/text.h"

/* A frame with axes; data coordinates x0..x1, y0..y1. */
typedef struct mli_plot {
    mli_str *s;
    double x0, x1, y0, y1;
    int log_x, log_y;
    double day; /* x are times, this many to a day from 1970 on; 0: x are numbers */
    int under;  /* no grid lines: something is drawn over the whole frame */
    /* Sets: item k is at k + 0.5 and has its name as the tick; NULL: numbers. */
    const mli_range *x_set, *y_set;
    int width, height;
    double left, top, w, h; /* of the inner rectangle, in pixels */
} mli_plot;

/* Set the ranges, logs, sets and day before; the frame is drawn at once. */
void mli_plot_begin(mli_plot *p, mli_str *s, const char *title, const char *x_label,
                    const char *y_label);
void mli_plot_end(mli_plot *p);
/* Classes: la, lb, lc (lines); pa, pb (points); area (filled down to y0). */
void mli_plot_line(mli_plot *p, const double *x, const double *y, int64_t n,
                   const char *class_name);
void mli_plot_area(mli_plot *p, const double *x, const double *y, int64_t n);
void mli_plot_points(mli_plot *p, const double *x, const double *y, int64_t n,
                     double radius, const char *class_name);
/* Bars of counts over equal stretches of x0..x1. */
void mli_plot_bars(mli_plot *p, const double *heights, int64_t n);
/* Evenly spaced round numbers within a range; returns how many (at most 8). */
int mli_ticks(double low, double high, double out[8]);

#endif
