/* SPDX-License-Identifier: MIT
 *
 * commands_explain.c: explain, and drawings of single trees for inspect --tree: as text,
 * or as an SVG file.
 */
#include "app.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- explain ---- */

static ml_status explain_options(app *a, ml_params **out)
{
    const char *method = a->value[OPT_METHOD], *kind = a->value[OPT_KIND];
    ml_status st = ml_params_new(a->ctx, out, a->err);
    if (st == ML_OK && !method) method = a->n_operand > 1 ? "permutation" : "importance";
    if (st == ML_OK) st = ml_params_set_str(*out, "method", method, a->err);
    if (st == ML_OK && kind) st = ml_params_set_str(*out, "kind", kind, a->err);
    if (st == ML_OK && a->value[OPT_METRICS])
        st = ml_params_set_str(*out, "metric", a->value[OPT_METRICS], a->err);
    if (st == ML_OK && a->value[OPT_SEED])
        st = ml_params_set_str(*out, "seed", a->value[OPT_SEED], a->err);
    if (st == ML_OK) st = add_pairs(a, *out, a->set, a->n_set);
    return st;
}

int cmd_explain(app *a)
{
    ml_model *m = NULL;
    ml_params *p = NULL;
    ml_table *data = NULL, *out = NULL;
    int code = 0;
    ml_status st = load_model(a, &m);
    if (st == ML_OK) st = explain_options(a, &p);
    if (st == ML_OK && a->n_operand > 1) st = read_table(a, a->operand[1], &data);
    if (st == ML_OK) st = ml_model_explain(m, data, p, &out, a->err);
    if (st == ML_OK && flag(a, OPT_OUTPUT))
        st = ml_table_write_csv(out, a->value[OPT_OUTPUT], NULL, a->err);
    if (st < 0) {
        code = app_fail(a);
    } else if (flag(a, OPT_JSON)) {
        print_table_json(stdout, out);
        fputc('\n', stdout);
    } else if (!flag(a, OPT_QUIET) && !flag(a, OPT_OUTPUT)) {
        print_table(stdout, out);
    }
    ml_table_free(out);
    ml_table_free(data);
    ml_params_free(p);
    ml_model_free(m);
    return code;
}

/* ---- trees ---- */

typedef struct tree {
    const ml_table *nodes; /* as ml_model_explain gives them */
    double *x;             /* [nodes] place of a node, in leaves */
    int64_t *depth;
    int64_t *stack;
    double leaves;
    int64_t levels;
    FILE *to;
} tree;

static double number_at(const tree *t, int64_t node, const char *column)
{
    return ml_table_get_f64(t->nodes, node, ml_table_find(t->nodes, column));
}

static const char *text_at(const tree *t, int64_t node, const char *column, char *buffer,
                           size_t size)
{
    if (ml_table_get_str(t->nodes, node, ml_table_find(t->nodes, column), buffer, size) <
        0)
        buffer[0] = 0;
    return buffer;
}

/* "age <= 27.5", "color in {blue, red}", or "leaf 0.3". */
static void label(const tree *t, int64_t node, size_t limit, char *out, size_t size)
{
    char name[128], list[512];
    if (number_at(t, node, "left") < 0) {
        snprintf(out, size, "leaf %.5g", number_at(t, node, "value"));
        return;
    }
    text_at(t, node, "feature", name, sizeof name);
    double threshold = number_at(t, node, "threshold");
    if (threshold == threshold) {
        snprintf(out, size, "%s <= %.6g", name, threshold);
        return;
    }
    text_at(t, node, "categories", list, sizeof list);
    if (strlen(list) > limit) strcpy(list + limit, "...");
    snprintf(out, size, "%s in {%s}", name, list);
}

static void print_node(const tree *t, int64_t node, const char *branch)
{
    char text[768], missing[16];
    label(t, node, 400, text, sizeof text);
    for (int64_t d = 1; d < t->depth[node]; d++) fputs("|  ", t->to);
    fprintf(t->to, "%s%s", branch, text);
    if (number_at(t, node, "left") >= 0)
        fprintf(t->to, "  (missing %s, gain %.5g)",
                text_at(t, node, "missing", missing, sizeof missing),
                number_at(t, node, "gain"));
    fprintf(t->to, "  cover %.6g\n", number_at(t, node, "cover"));
}

/* Visits nodes from the root, left first; `print` writes them, else places are found.
 * Children come after their parents. */
static void visit(tree *t, int print)
{
    int64_t n = 0, column[2] = {ml_table_find(t->nodes, "left"),
                                ml_table_find(t->nodes, "right")};
    t->stack[n++] = 0;
    /* A file may give two nodes the same children: each node is visited once at most. */
    for (int64_t visits = 0; n > 0 && visits < ml_table_rows(t->nodes); visits++) {
        int64_t node = t->stack[--n];
        int right = node < 0;
        if (right) node = -node;
        if (print)
            print_node(t, node,
                       t->depth[node] == 0 ? ""
                       : right             ? "+- no: "
                                           : "+- yes: ");
        if (number_at(t, node, "left") < 0) {
            t->x[node] = t->leaves++;
            continue;
        }
        for (int side = 1; side >= 0; side--) {
            int64_t child = (int64_t)ml_table_get_f64(t->nodes, node, column[side]);
            t->depth[child] = t->depth[node] + 1;
            if (t->depth[child] > t->levels) t->levels = t->depth[child];
            t->stack[n++] = side ? -child : child;
        }
    }
}

static void place_inner(tree *t)
{
    for (int64_t i = ml_table_rows(t->nodes) - 1; i >= 0; i--) {
        double left = number_at(t, i, "left");
        if (left >= 0) t->x[i] = (t->x[(int64_t)left] + t->x[(int64_t)left + 1]) / 2;
    }
}

/* ---- SVG ---- */

#define CELL_X 150
#define CELL_Y 78

static double place_x(const tree *t, int64_t i)
{
    return 90 + CELL_X * t->x[i];
}

static double place_y(const tree *t, int64_t i)
{
    return 36 + CELL_Y * (double)t->depth[i];
}

static void xml(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '<')
            fputs("&lt;", to);
        else if (*text == '&')
            fputs("&amp;", to);
        else if ((unsigned char)*text >= ' ')
            fputc(*text, to);
    }
}

static void svg_edges(const tree *t, int64_t i)
{
    int64_t left = (int64_t)number_at(t, i, "left");
    for (int64_t c = left; c <= left + 1; c++) {
        double x = (place_x(t, i) + place_x(t, c)) / 2, y = place_y(t, c) - 26;
        fprintf(t->to, "<path d=\"M%.1f %.1fL%.1f %.1f\"/>", place_x(t, i),
                place_y(t, i) + 17, place_x(t, c), place_y(t, c) - 17);
        fprintf(t->to, "<text class=\"s\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
                x + (c == left ? -14 : 14), y - 6, c == left ? "yes" : "no");
    }
}

static void svg_node(const tree *t, int64_t i)
{
    char text[768];
    int leaf = number_at(t, i, "left") < 0;
    label(t, i, 18, text, sizeof text);
    fprintf(t->to,
            "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"140\" height=\"34\" "
            "rx=\"6\"/><text x=\"%.1f\" y=\"%.1f\">",
            leaf ? "l" : "i", place_x(t, i) - 70, place_y(t, i) - 17, place_x(t, i),
            place_y(t, i) - 2);
    xml(t->to, text);
    fprintf(t->to, "</text><text class=\"s\" x=\"%.1f\" y=\"%.1f\">cover %.5g</text>\n",
            place_x(t, i), place_y(t, i) + 12, number_at(t, i, "cover"));
}

static void write_svg(const tree *t)
{
    double width = 60 + CELL_X * t->leaves, height = 80 + CELL_Y * (double)t->levels;
    fprintf(t->to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
            "width=\"%.0f\" height=\"%.0f\">\n"
            "<style>text{font:12px sans-serif;text-anchor:middle;fill:#222}"
            ".s{font-size:10px;fill:#666}rect{stroke:#888}.i{fill:#eef3fa}"
            ".l{fill:#eef7ee}path{stroke:#999;fill:none}</style>\n",
            width, height, width, height);
    for (int64_t i = 0; i < ml_table_rows(t->nodes); i++)
        if (number_at(t, i, "left") >= 0) svg_edges(t, i);
    for (int64_t i = 0; i < ml_table_rows(t->nodes); i++) svg_node(t, i);
    fputs("</svg>\n", t->to);
}

static ml_status svg_file(app *a, tree *t)
{
    const char *path = a->value[OPT_SVG];
    t->to = fopen(path, "wb");
    if (t->to) write_svg(t);
    int failed = !t->to || ferror(t->to);
    if (t->to && fclose(t->to) != 0) failed = 1;
    if (!failed) return ML_OK;
    char text[512];
    snprintf(text, sizeof text, "cannot write %s: %s", path, strerror(errno));
    ml_error_set(a->err, ML_E_IO, text);
    return ML_E_IO;
}

static ml_status draw(app *a, tree *t)
{
    size_t n = (size_t)ml_table_rows(t->nodes) + 1;
    t->x = calloc(n, sizeof *t->x);
    t->depth = calloc(n, sizeof *t->depth);
    t->stack = calloc(2 * n, sizeof *t->stack);
    ml_status st = ML_OK;
    if (!t->x || !t->depth || !t->stack) {
        ml_error_set(a->err, ML_E_MEMORY, "out of memory");
        st = ML_E_MEMORY;
    } else {
        t->to = stdout;
        visit(t, !flag(a, OPT_SVG) && !flag(a, OPT_QUIET));
        place_inner(t);
        if (flag(a, OPT_SVG)) st = svg_file(a, t);
    }
    free(t->x);
    free(t->depth);
    free(t->stack);
    return st;
}

ml_status draw_tree(app *a, const ml_model *m)
{
    ml_params *p = NULL;
    ml_table *nodes = NULL;
    const char *number = flag(a, OPT_TREE) ? a->value[OPT_TREE] : "0";
    ml_status st = ml_params_new(a->ctx, &p, a->err);
    if (st == ML_OK) st = ml_params_set_str(p, "method", "trees", a->err);
    if (st == ML_OK) st = ml_params_set_str(p, "tree", number, a->err);
    if (st == ML_OK) st = ml_model_explain(m, NULL, p, &nodes, a->err);
    if (st == ML_OK && flag(a, OPT_JSON)) {
        print_table_json(stdout, nodes);
        fputc('\n', stdout);
    } else if (st == ML_OK) {
        tree t = {.nodes = nodes};
        st = draw(a, &t);
    }
    ml_table_free(nodes);
    ml_params_free(p);
    return st;
}
