/* SPDX-License-Identifier: MIT
 *
 * options.c: the command line, its help, the manual page and shell completion, all from
 * the same two tables.
 */
#include "app.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const option all_options[] = {
    {OPT_HELP, 'h', "help", NULL, "show this help"},
    {OPT_THREADS, 't', "threads", "N",
     "threads to use; 0 all that are allowed (default)"},
    {OPT_SEED, 0, "seed", "N", "seed of all random choices (default 0)"},
    {OPT_JSON, 0, "json", NULL, "print one JSON object instead of tables"},
    {OPT_QUIET, 'q', "quiet", NULL, "print nothing but errors and what --json gives"},
    {OPT_TARGET, 0, "target", "COL", "the column to predict"},
    {OPT_ALGORITHM, 'a', "algorithm", "NAME", "see `libml algorithms` (default gbdt)"},
    {OPT_SET, 's', "set", "KEY=VALUE", "set a parameter; may be repeated"},
    {OPT_TEST, 0, "test", "FILE", "rows to score the model on"},
    {OPT_HOLDOUT, 0, "holdout", "FRACTION",
     "hold out a share of the rows and score on it"},
    {OPT_VALID, 0, "valid", "FILE", "rows for early stopping, or to score trials on"},
    {OPT_OUTPUT, 'o', "output", "FILE", "where to write the result"},
    {OPT_REPORT, 0, "report", "FILE", "write an HTML report"},
    {OPT_METRICS, 'm', "metrics", "LIST", "metrics, separated by commas"},
    {OPT_KIND, 'k', "kind", "KIND", "what to predict: value, class, proba, score, ..."},
    {OPT_TRIALS, 'n', "trials", "N",
     "number of trials (tune: default 50; automl: 25, or what the time allows)"},
    {OPT_TIME, 0, "time", "SECONDS", "finish within this time; 0 is no limit"},
    {OPT_STUDY, 0, "study", "KEY=VALUE", "set an option of the study; may be repeated"},
    {OPT_CSV, 0, "csv", "KEY=VALUE", "set an option of the CSV reader; may be repeated"},
    {OPT_SPILL, 0, "spill", "FOLDER",
     "for data larger than memory: keep tables in a temporary file there"},
    {OPT_ID, 0, "id", "COL", "copy this column of the data into the result"},
    {OPT_JSON_SCHEMA, 0, "json-schema", NULL,
     "print a JSON Schema of the files of `libml run`, for editors"},
    {OPT_VERIFY, 0, "verify", NULL, "check the checksum of the model file"},
    {OPT_TO, 0, "to", "FORMAT", "libml, c, xgboost, onnx or lightgbm"},
    {OPT_NAME, 0, "name", "NAME", "what names in C source begin with (default model)"},
    {OPT_METHOD, 0, "method", "METHOD",
     "importance, permutation, partial_dependence, ice or trees"},
    {OPT_PART, 0, "part", "PART",
     "what to print: columns (default), correlations or summary"},
    {OPT_TREE, 0, "tree", "N", "draw the tree of this number, from 0"},
    {OPT_JOURNAL, 0, "journal", "FILE",
     "write candidates down as they end; the same FILE goes on where it was ended"},
    {OPT_CV, 0, "cv", "FOLDS", "cross-validate what the model was fitted with"},
    {OPT_NESTED, 0, "nested", "TRIALS", "the same, tuned inside of each fold"},
    {OPT_CURVE, 0, "learning-curve", NULL, "scores by the number of training rows"},
    {OPT_CALIBRATION, 0, "calibration", NULL, "predicted against observed shares"},
    {OPT_SLICES, 0, "slices", NULL, "values of columns for which the model does worst"},
    {OPT_COMPARE, 0, "compare", "MODEL2", "test a second model on the same rows"},
    {OPT_SVG, 0, "svg", "FILE", "draw the tree (default 0) as an SVG file"},
    {-1, 0, NULL, NULL, NULL}};

#define COMMON                                                                           \
    OPT_CSV, OPT_SPILL, OPT_THREADS, OPT_SEED, OPT_JSON, OPT_QUIET, OPT_HELP, -1
static const int train_options[] = {OPT_TARGET,  OPT_ALGORITHM, OPT_SET,     OPT_TEST,
                                    OPT_HOLDOUT, OPT_VALID,     OPT_METRICS, OPT_OUTPUT,
                                    OPT_REPORT,  COMMON};
static const int run_options[] = {OPT_TARGET,  OPT_SET,    OPT_TEST,
                                  OPT_HOLDOUT, OPT_VALID,  OPT_METRICS,
                                  OPT_OUTPUT,  OPT_REPORT, COMMON};
static const int tune_options[] = {
    OPT_TARGET, OPT_ALGORITHM, OPT_SET,   OPT_TRIALS,  OPT_TIME,   OPT_JOURNAL, OPT_STUDY,
    OPT_TEST,   OPT_HOLDOUT,   OPT_VALID, OPT_METRICS, OPT_OUTPUT, OPT_REPORT,  COMMON};
static const int automl_options[] = {OPT_TARGET,  OPT_TIME,   OPT_TRIALS,  OPT_JOURNAL,
                                     OPT_SET,     OPT_TEST,   OPT_HOLDOUT, OPT_VALID,
                                     OPT_METRICS, OPT_OUTPUT, OPT_REPORT,  COMMON};
static const int predict_options[] = {OPT_KIND,   OPT_ID,     OPT_SET,
                                      OPT_OUTPUT, OPT_VERIFY, COMMON};
static const int evaluate_options[] = {
    OPT_METRICS, OPT_CV,  OPT_NESTED, OPT_CURVE,  OPT_CALIBRATION, OPT_SLICES,
    OPT_COMPARE, OPT_SET, OPT_REPORT, OPT_VERIFY, COMMON};
static const int explain_options[] = {OPT_METHOD, OPT_SET,    OPT_KIND, OPT_METRICS,
                                      OPT_OUTPUT, OPT_VERIFY, COMMON};
static const int inspect_options[] = {OPT_TREE,  OPT_SVG,  OPT_VERIFY, OPT_JSON,
                                      OPT_QUIET, OPT_HELP, -1};
static const int convert_options[] = {OPT_TO,    OPT_NAME, OPT_TARGET, OPT_VERIFY,
                                      OPT_QUIET, OPT_HELP, -1};
static const int profile_options[] = {OPT_TARGET, OPT_PART, OPT_REPORT, OPT_OUTPUT,
                                      COMMON};
static const int table_options[] = {OPT_SET, OPT_OUTPUT, COMMON};
static const int plain_options[] = {OPT_JSON, OPT_HELP, -1};
static const int help_option[] = {OPT_HELP, -1};
static const int schema_options[] = {OPT_JSON_SCHEMA, OPT_HELP, -1};

const command commands[] = {
    {"train", "DATA", "fit a model to a CSV file",
     "Reads DATA, fits the algorithm to the column named by --target, scores the model "
     "on "
     "--test rows or a --holdout share, and saves it. Without --output nothing is saved.",
     train_options, 1, 1, cmd_train},
    {"run", "SPEC [DATA]", "fit the pipeline that a YAML file describes",
     "SPEC holds the parameters of an estimator, by default of a pipeline (`algorithm` "
     "names "
     "another), and below `run` the options of `libml train`: data, test, holdout, "
     "valid, "
     "metrics, output, report, csv. With the block `study` there it does what `libml "
     "tune` does, with those options. Options of the command line count more. Files are "
     "relative to the folder of SPEC.",
     run_options, 1, 2, cmd_run},
    {"tune", "DATA", "find good parameters, then fit",
     "Tries parameters within the algorithm's tuning ranges, scores each by folds or a "
     "holdout, and fits the best to all rows. Ctrl-C ends the search and keeps the best "
     "so far; a second one gives up.",
     tune_options, 1, 1, cmd_tune},
    {"automl", "DATA", "find the best model by itself",
     "Judges algorithms and parameters on held-out rows, averages the best, and fits "
     "them "
     "to all rows, within --time seconds or --trials candidates. Ctrl-C ends the search "
     "and keeps the best so far.",
     automl_options, 1, 1, cmd_automl},
    {"predict", "MODEL DATA", "predict the rows of a CSV file",
     "Writes a CSV file with the predictions, one row for each row of DATA, to --output "
     "or to the terminal. `libml algorithms options.predict` lists what --set sets.",
     predict_options, 2, 2, cmd_predict},
    {"evaluate", "MODEL DATA", "score a model on rows with the target",
     "Prints metrics with 95 % bootstrap intervals, or the checks that options ask for. "
     "--cv, --nested and --learning-curve fit the model's algorithm with its parameters "
     "anew to parts of DATA; --compare tests the difference of two models. `libml "
     "algorithms options.check` lists what --set sets.",
     evaluate_options, 2, 2, cmd_evaluate},
    {"explain", "MODEL [DATA]", "tell what a model makes of its columns",
     "Without DATA the importance that the model states. With DATA by default how much "
     "worse it gets when a column is shuffled. `libml algorithms options.explain` lists "
     "what --set sets. What each column adds to a prediction: libml predict --kind "
     "contributions.",
     explain_options, 1, 2, cmd_explain},
    {"inspect", "MODEL", "show what a model file holds",
     "Prints the algorithm, parameters, inputs, classes and stored tensors, or draws a "
     "tree.",
     inspect_options, 1, 1, cmd_inspect},
    {"convert", "MODEL FILE", "turn a model into that of another system",
     "Reads a model of libml, XGBoost, LightGBM, CatBoost or ONNX, and writes it as a "
     "libml model, C source, or a model of another system. Without --to the end of FILE "
     "says the format: .c, .json (XGBoost), .onnx, .txt (LightGBM); any other is "
     "libml's own. --target names the target of a model that comes from elsewhere.",
     convert_options, 2, 2, cmd_convert},
    {"profile", "DATA...", "describe the columns of CSV files",
     "Prints type, missing values, distinct values, distribution, a role to give it and "
     "warnings of each column; with --target also how well each predicts that column. "
     "--part correlations prints pairs of columns instead. Several files are looked at "
     "as "
     "one, their rows below each other. --part sketch makes a table that stands for the "
     "data; --part merge puts such tables together. --output writes the same as CSV.",
     profile_options, 1, MAX_OPERANDS, cmd_profile},
    {"join", "LEFT RIGHT", "put the rows of two CSV files side by side",
     "Joins the files by key columns, or each row of LEFT to the last row of RIGHT at "
     "its "
     "time: --set on=id --set how=left, --set time=day --set tolerance=7d. `libml "
     "algorithms options.join` lists what --set sets.",
     table_options, 2, 2, cmd_join},
    {"aggregate", "DATA [LEFT]", "count, sum and average groups of rows",
     "A row per group: --set by=shop --set 'aggregates=sum(amount), count()'. With LEFT "
     "a "
     "row for each of its rows, with the aggregates of the rows of DATA before its time: "
     "--set time=day --set window=30d. `libml algorithms options.aggregate` lists what "
     "--set sets.",
     table_options, 1, 2, cmd_aggregate},
    {"algorithms", "[NAME]", "list algorithms, or the parameters of one",
     "NAME may also be an option set such as options.csv or a metric such as "
     "metric.roc_auc.",
     plain_options, 0, 1, cmd_algorithms},
    {"version", "", "show the version and what it runs on", "", plain_options, 0, 0,
     cmd_version},
    {"completion", "", "print completion for bash",
     "Use it with: source <(libml completion)", help_option, 0, 0, cmd_completion},
    {"manual", "", "print the manual page", "Read it with: libml manual | man -l -",
     help_option, 0, 0, cmd_manual},
    {"schema", "", "print all schemas as JSON",
     "The schemas of all algorithms, option sets and metrics: the input of generators.",
     schema_options, 0, 0, cmd_schema},
    {NULL, NULL, NULL, NULL, NULL, 0, 0, NULL}};

const command *command_find(const char *name)
{
    for (const command *c = commands; c->name; c++)
        if (strcmp(c->name, name) == 0) return c;
    return NULL;
}

const option *option_of(int id)
{
    for (const option *o = all_options; o->name; o++)
        if (o->id == id) return o;
    return NULL;
}

int app_usage(app *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("libml: ", stderr);
    vfprintf(stderr, format, args);
    va_end(args);
    if (a->command)
        fprintf(stderr, "; see `libml %s --help`\n", a->command->name);
    else
        fputs("; see `libml --help`\n", stderr);
    return EXIT_USAGE;
}

static int allowed(const command *c, int id)
{
    for (const int *o = c->options; *o >= 0; o++)
        if (*o == id) return 1;
    return 0;
}

static const option *find_name(const char *name, size_t size)
{
    for (const option *o = all_options; o->name; o++)
        if (strlen(o->name) == size && memcmp(o->name, name, size) == 0) return o;
    return NULL;
}

static const option *find_letter(char letter)
{
    for (const option *o = all_options; o->name; o++)
        if (o->letter && o->letter == letter) return o;
    return NULL;
}

static int store(app *a, const option *o, const char *value)
{
    const char **list = o->id == OPT_SET     ? a->set
                        : o->id == OPT_STUDY ? a->study
                                             : a->csv;
    int *n = o->id == OPT_SET ? &a->n_set : o->id == OPT_STUDY ? &a->n_study : &a->n_csv;
    a->value[o->id] = value;
    if (o->id != OPT_SET && o->id != OPT_STUDY && o->id != OPT_CSV) return 0;
    if (!strchr(value, '='))
        return app_usage(a, "--%s needs KEY=VALUE, not \"%s\"", o->name, value);
    if (*n == LIST_MAX) return app_usage(a, "too many --%s", o->name);
    list[(*n)++] = value;
    return 0;
}

static int no_option(app *a, const char *arg)
{
    char name[64];
    const char *best = NULL;
    int nearest;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(arg, "="), arg);
    for (const int *o = a->command->options; *o >= 0 && arg[1] == '-'; o++)
        suggest(name + 2, option_of(*o)->name, &best, &nearest);
    if (best)
        return app_usage(a, "`libml %s` has no option %s; did you mean --%s?",
                         a->command->name, name, best);
    return app_usage(a, "`libml %s` has no option %s", a->command->name, name);
}

/* One argument that starts with a dash. *used: it took the next argument as well. */
static int parse_option(app *a, const char *arg, const char *next, int *used)
{
    const option *o;
    const char *value = NULL;
    *used = 0;
    if (arg[1] == '-') {
        size_t size = strcspn(arg + 2, "=");
        o = find_name(arg + 2, size);
        if (arg[2 + size] == '=') value = arg + 3 + size;
    } else {
        o = find_letter(arg[1]);
        if (arg[1] && arg[2]) value = arg + 2;
    }
    if (!o || !allowed(a->command, o->id)) return no_option(a, arg);
    if (!o->argument) {
        if (value) return app_usage(a, "--%s takes no value", o->name);
        return store(a, o, "");
    }
    if (!value) {
        if (!next) return app_usage(a, "--%s needs a value: %s", o->name, o->argument);
        value = next;
        *used = 1;
    }
    return store(a, o, value);
}

int options_parse(app *a, int argc, char **argv)
{
    int only_operands = 0;
    for (int i = 2; i < argc; i++) {
        const char *arg = argv[i];
        if (!only_operands && strcmp(arg, "--") == 0) {
            only_operands = 1;
        } else if (!only_operands && arg[0] == '-' && arg[1]) {
            int used,
                code = parse_option(a, arg, i + 1 < argc ? argv[i + 1] : NULL, &used);
            if (code) return code;
            i += used;
        } else {
            if (a->n_operand == a->command->most)
                return app_usage(a, "unexpected argument \"%s\"", arg);
            a->operand[a->n_operand++] = arg;
        }
    }
    if (a->n_operand < a->command->least && !a->value[OPT_HELP])
        return app_usage(a, "`libml %s` needs %s", a->command->name,
                         a->command->operands);
    return 0;
}

static void print_options(FILE *to, const command *c)
{
    for (const int *id = c->options; *id >= 0; id++) {
        const option *o = option_of(*id);
        char left[64];
        snprintf(left, sizeof left, "%c%c%s--%s%s%s", o->letter ? '-' : ' ',
                 o->letter ? o->letter : ' ', o->letter ? ", " : "  ", o->name,
                 o->argument ? " " : "", o->argument ? o->argument : "");
        fprintf(to, "  %-24s %s\n", left, o->help);
    }
}

void print_help(FILE *to, const command *c)
{
    if (c) {
        fprintf(to, "usage: libml %s%s%s [options]\n\n", c->name, *c->operands ? " " : "",
                c->operands);
        print_wrapped(to, *c->text ? c->text : c->summary, 0, 80);
        fputs("\noptions:\n", to);
        print_options(to, c);
        return;
    }
    fputs("usage: libml COMMAND [arguments]\n\ncommands:\n", to);
    for (c = commands; c->name; c++) fprintf(to, "  %-12s %s\n", c->name, c->summary);
    fputs("\n`libml COMMAND --help` tells more.\n"
          "exit codes: 0 done, 1 failed, 2 wrong usage, 3 interrupted without a result\n",
          to);
}

static void print_roff(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '-')
            fputs("\\-", to);
        else if (*text == '\\')
            fputs("\\e", to);
        else
            fputc(*text, to);
    }
}

static void manual_command(FILE *to, const command *c)
{
    fprintf(to, ".SS ");
    fprintf(to, "libml %s %s\n", c->name, c->operands);
    print_roff(to, *c->text ? c->text : c->summary);
    fputc('\n', to);
    for (const int *id = c->options; *id >= 0; id++) {
        const option *o = option_of(*id);
        fputs(".TP\n.B ", to);
        if (o->letter) fprintf(to, "\\-%c, ", o->letter);
        fprintf(to, "\\-\\-%s %s\n", o->name, o->argument ? o->argument : "");
        print_roff(to, o->help);
        fputc('\n', to);
    }
}

void print_manual(FILE *to)
{
    fprintf(to, ".TH LIBML 1 \"\" \"libml %s\" \"User Commands\"\n", ml_version());
    fputs(".SH NAME\nlibml \\- machine learning from the command line\n"
          ".SH SYNOPSIS\n.B libml\n.I COMMAND\n[arguments]\n.SH COMMANDS\n",
          to);
    for (const command *c = commands; c->name; c++) manual_command(to, c);
    fputs(".SH EXIT STATUS\n"
          ".TP\n.B 0\ndone\n.TP\n.B 1\nthe data, a file or a parameter did not do\n"
          ".TP\n.B 2\nthe command line is wrong\n"
          ".TP\n.B 3\ninterrupted before there was a result\n",
          to);
}

void print_completion(FILE *to)
{
    fputs("_libml() {\n"
          "    local current=${COMP_WORDS[COMP_CWORD]} words\n"
          "    if [ \"$COMP_CWORD\" = 1 ]; then words='",
          to);
    for (const command *c = commands; c->name; c++) fprintf(to, "%s ", c->name);
    fputs("'; else case ${COMP_WORDS[1]} in\n", to);
    for (const command *c = commands; c->name; c++) {
        fprintf(to, "    %s) words='", c->name);
        for (const int *id = c->options; *id >= 0; id++)
            fprintf(to, "--%s ", option_of(*id)->name);
        fputs("';;\n", to);
    }
    fputs("    esac; fi\n"
          "    case ${COMP_WORDS[COMP_CWORD-1]} in\n"
          "    -a|--algorithm) words=$(libml algorithms --json 2>/dev/null | tr -d '\" "
          ",' | "
          "sed -n 's/^name://p');;\n"
          "    esac\n"
          "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
          "    [ \"${current#-}\" != \"$current\" ] || "
          "COMPREPLY+=($(compgen -f -- \"$current\"))\n"
          "}\n"
          "complete -o filenames -F _libml libml\n",
          to);
}
