/* SPDX-License-Identifier: MIT
 *
 * svg.c: plots. Points outside the frame are drawn at its edge.
 */
#include "report/svg.h"

#include "data/table.h"
#include "report/html.h"

#include <math.h>
#include <string.h>

#define BELOW     38  /* pixels below the frame: ticks and the name of the axis */
#define MOST_NAME 110 /* for the name of an item of a set */

int mli_ticks(double low, double high, double out[8])
{
    if (!(high > low)) return 0;
    double raw = (high - low) / 5, power = pow(10, floor(log10(raw)));
    double unit = raw / power, step = unit < 1.5   ? 1
                                      : unit < 3.5 ? 2
                                      : unit < 7.5 ? 5
                                                   : 10;
    step *= power;
    int n = 0;
    for (double v = ceil(low / step) * step; v <= high + step * 1e-9 && n < 8; v += step)
        out[n++] = fabs(v) < step * 1e-9 ? 0 : v;
    return n;
}

static double clamp01(double v)
{
    return !(v > 0) ? 0 : v > 1 ? 1 : v;
}

static double to_x(const mli_plot *p, double x)
{
    double a = p->x0, b = p->x1;
    if (p->log_x) {
        a = log(a);
        b = log(b);
        x = log(x);
    }
    return p->left + p->w * clamp01((x - a) / (b - a));
}

static double to_y(const mli_plot *p, double y)
{
    if (p->log_y)
        return p->top +
               p->h * (1 - clamp01((log(y) - log(p->y0)) / (log(p->y1) - log(p->y0))));
    return p->top + p->h * (1 - clamp01((y - p->y0) / (p->y1 - p->y0)));
}

static void attribute(mli_str *s, const char *name, double v)
{
    mli_str_printf(s, " %s=\"", name);
    mli_str_short(s, floor(v * 100 + 0.5) / 100, 7);
    mli_str_char(s, '"');
}

static void line(mli_str *s, double x1, double y1, double x2, double y2,
                 const char *style)
{
    mli_str_printf(s, "<line class=\"%s\"", style);
    attribute(s, "x1", x1);
    attribute(s, "y1", y1);
    attribute(s, "x2", x2);
    attribute(s, "y2", y2);
    mli_str_add(s, "/>");
}

static void text_at(mli_str *s, double x, double y, const char *anchor)
{
    mli_str_printf(s, "<text text-anchor=\"%s\"", anchor);
    attribute(s, "x", x);
    attribute(s, "y", y);
    mli_str_char(s, '>');
}

#define FEW_DAYS 3

static int is_long(const mli_plot *p)
{
    return p->x1 - p->x0 >= FEW_DAYS * p->day;
}

/* The date, or the time of day where the axis is a few days. */
static void say_time(mli_plot *p, double v)
{
    double days = floor(v / p->day);
    int minutes = (int)floor((v / p->day - days) * 1440);
    if (is_long(p))
        mli_print_date(p->s, (int64_t)days);
    else
        mli_str_printf(p->s, "%02d:%02d", minutes / 60, minutes % 60);
}

#define LETTER 6.5 /* pixels, about */
#define EDGE   24  /* a tick so near to the edge stands before it */

/* A number, or the name of the item at v, cut to the pixels that there are. */
static void say(mli_str *s, const mli_range *set, double v, double room)
{
    char item[64];
    double letters = room / LETTER;
    if (!set) {
        mli_html_number(s, v, 4);
        return;
    }
    mli_range_item(set, (int64_t)v, item, sizeof item);
    mli_html_short(s, item, strlen(item), letters > 3 ? (size_t)letters : 3);
}

/* The longest of what is said, in bytes. */
static size_t longest(const mli_plot *p, const mli_range *set, const double *ticks, int n)
{
    size_t most = 0;
    for (int i = 0; i < n; i++) {
        mli_str text;
        mli_str_init(&text, p->s->ctx);
        say(&text, set, ticks[i], MOST_NAME);
        if (text.size > most) most = text.size;
        mli_str_free(&text);
    }
    return most;
}

static void x_tick(mli_plot *p, double v, double room)
{
    if (!p->under) line(p->s, to_x(p, v), p->top, to_x(p, v), p->top + p->h, "grid");
    text_at(p->s, to_x(p, v), p->top + p->h + 15,
            p->width - to_x(p, v) < EDGE ? "end" : "middle");
    if (p->day > 0)
        say_time(p, v);
    else
        say(p->s, p->x_set, v, room);
    mli_str_add(p->s, "</text>");
}

#define MOST_TICKS 24

/* Powers of ten within the range, as many as there is room for; twice and five times them
 * too where there are few. */
static int log_ticks(double low, double high, double room, double out[MOST_TICKS])
{
    static const double steps[] = {1, 2, 5};
    double decades = log10(high / low), every = ceil(decades / room);
    int fine = decades <= room / 3, n = 0;
    for (double e = floor(log10(low)); e <= log10(high) + 1e-9; e += fine ? 1 : every)
        for (int k = 0; k < (fine ? 3 : 1); k++) {
            double v = steps[k] * pow(10, e);
            if (v >= low * (1 - 1e-9) && v <= high * (1 + 1e-9) && n < MOST_TICKS)
                out[n++] = v;
        }
    return n;
}

/* The ticks of an axis of numbers or of a set, with room for about so many. */
static int axis_ticks(const mli_range *set, int log, double low, double high, double room,
                      double out[MOST_TICKS])
{
    int n = 0;
    if (!set) return log ? log_ticks(low, high, room, out) : mli_ticks(low, high, out);
    int64_t most = room < MOST_TICKS / 2 ? (int64_t)(2 * room) : MOST_TICKS;
    int64_t every = (set->count + most - 1) / most;
    for (int64_t k = 0; k < set->count; k += every) out[n++] = (double)k + 0.5;
    return n;
}

static void x_ticks(mli_plot *p)
{
    double ticks[MOST_TICKS];
    for (int i = 1; i < 6 && p->day > 0; i += 2) { /* there is room for three dates */
        double v = p->x0 + (p->x1 - p->x0) * i / 6;
        x_tick(p, is_long(p) ? floor(v / p->day) * p->day : v, 0);
    }
    int n =
        p->day > 0 ? 0 : axis_ticks(p->x_set, p->log_x, p->x0, p->x1, p->w / 50, ticks);
    int every = 1; /* long numbers stand side by side */
    double step = n > 1 ? to_x(p, ticks[1]) - to_x(p, ticks[0]) : p->w;
    if (n > 1 && !p->x_set)
        every = (int)ceil(LETTER * (double)(longest(p, NULL, ticks, n) + 1) / step);
    for (int i = 0; i < n; i += every) x_tick(p, ticks[i], step);
}

static int y_values(const mli_plot *p, double ticks[MOST_TICKS])
{
    double room = (p->height - BELOW) / 28.0;
    return axis_ticks(p->y_set, p->log_y, p->y0, p->y1, room, ticks);
}

/* Room for the name of the axis and the longest number. */
static int left_margin(const mli_plot *p)
{
    enum { NAME = 18, DIGIT = 7, LEAST = 56 };
    double ticks[MOST_TICKS];
    size_t most = longest(p, p->y_set, ticks, y_values(p, ticks));
    int need = NAME + 6 + DIGIT * (int)most;
    return need > LEAST ? need : LEAST;
}

static void y_ticks(mli_plot *p)
{
    double ticks[MOST_TICKS];
    int n = y_values(p, ticks);
    for (int i = 0; i < n; i++) {
        if (!p->under)
            line(p->s, p->left, to_y(p, ticks[i]), p->left + p->w, to_y(p, ticks[i]),
                 "grid");
        text_at(p->s, p->left - 6, to_y(p, ticks[i]) + 4, "end");
        say(p->s, p->y_set, ticks[i], MOST_NAME);
        mli_str_add(p->s, "</text>");
    }
}

static void labels(mli_plot *p, const char *x_label, const char *y_label)
{
    text_at(p->s, p->left + p->w / 2, p->height - 3, "middle");
    mli_html_text(p->s, x_label);
    mli_str_add(p->s, "</text>");
    mli_str_add(p->s, "<text text-anchor=\"middle\" transform=\"rotate(-90)\"");
    attribute(p->s, "x", -(p->top + p->h / 2));
    attribute(p->s, "y", 12);
    mli_str_char(p->s, '>');
    mli_html_text(p->s, y_label);
    mli_str_add(p->s, "</text>");
}

void mli_plot_begin(mli_plot *p, mli_str *s, const char *title, const char *x_label,
                    const char *y_label)
{
    p->s = s;
    if (!p->width) p->width = 306;
    if (!p->height) p->height = 250;
    p->left = left_margin(p);
    p->top = 8;
    p->w = p->width - p->left - 12;
    p->h = p->height - p->top - BELOW;
    mli_str_add(s, "<figure><figcaption>");
    mli_html_text(s, title);
    mli_str_printf(s,
                   "</figcaption><svg width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
                   "role=\"img\">",
                   p->width, p->height, p->width, p->height);
    x_ticks(p);
    y_ticks(p);
    line(s, p->left, p->top, p->left, p->top + p->h, "axis");
    line(s, p->left, p->top + p->h, p->left + p->w, p->top + p->h, "axis");
    labels(p, x_label, y_label);
}

void mli_plot_end(mli_plot *p)
{
    mli_str_add(p->s, "</svg></figure>\n");
}

static void pair(mli_str *s, double x, double y)
{
    mli_str_short(s, floor(x * 10 + 0.5) / 10, 6);
    mli_str_char(s, ',');
    mli_str_short(s, floor(y * 10 + 0.5) / 10, 6);
    mli_str_char(s, ' ');
}

void mli_plot_line(mli_plot *p, const double *x, const double *y, int64_t n,
                   const char *class_name)
{
    mli_str_printf(p->s, "<polyline class=\"%s\" points=\"", class_name);
    for (int64_t i = 0; i < n; i++) pair(p->s, to_x(p, x[i]), to_y(p, y[i]));
    mli_str_add(p->s, "\"/>");
}

void mli_plot_area(mli_plot *p, const double *x, const double *y, int64_t n)
{
    if (n == 0) return;
    mli_str_add(p->s, "<polygon class=\"area\" points=\"");
    pair(p->s, to_x(p, x[0]), p->top + p->h);
    for (int64_t i = 0; i < n; i++) pair(p->s, to_x(p, x[i]), to_y(p, y[i]));
    pair(p->s, to_x(p, x[n - 1]), p->top + p->h);
    mli_str_add(p->s, "\"/>");
}

void mli_plot_points(mli_plot *p, const double *x, const double *y, int64_t n,
                     double radius, const char *class_name)
{
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(x[i]) || !isfinite(y[i])) continue;
        mli_str_printf(p->s, "<circle class=\"%s\"", class_name);
        attribute(p->s, "cx", to_x(p, x[i]));
        attribute(p->s, "cy", to_y(p, y[i]));
        attribute(p->s, "r", radius);
        mli_str_add(p->s, "/>");
    }
}

void mli_plot_bars(mli_plot *p, const double *heights, int64_t n)
{
    double width = p->w / (double)n;
    for (int64_t i = 0; i < n; i++) {
        double top = to_y(p, heights[i]);
        mli_str_add(p->s, "<rect class=\"ba\"");
        attribute(p->s, "x", p->left + width * (double)i + 0.5);
        attribute(p->s, "y", top);
        attribute(p->s, "width", width > 1.5 ? width - 1 : width);
        attribute(p->s, "height", p->top + p->h - top);
        mli_str_add(p->s, "/>");
    }
}
