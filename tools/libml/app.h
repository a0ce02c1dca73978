/* SPDX-License-Identifier: MIT
 *
 * app.h: what the commands of the libml program share. The program is a user of the
 * public API only.
 */
#ifndef LIBML_APP_H
#define LIBML_APP_H

#include <ml/ml.h>
#include <stdio.h>

/* Exit codes; the manual page documents them. */
#define EXIT_OK          0
#define EXIT_FAILED      1 /* the data, a file or a parameter */
#define EXIT_USAGE       2 /* the command line */
#define EXIT_INTERRUPTED 3 /* stopped by a signal before there was a result */

/* An option of the command line. `id` indexes app.value. */
typedef struct option {
    int id;
    char letter;          /* 0: none */
    const char *name;     /* without dashes */
    const char *argument; /* NULL: a switch */
    const char *help;
} option;

enum {
    OPT_HELP,
    OPT_THREADS,
    OPT_SEED,
    OPT_JSON,
    OPT_QUIET, /* of every command */
    OPT_TARGET,
    OPT_ALGORITHM,
    OPT_SET,
    OPT_TEST,
    OPT_HOLDOUT,
    OPT_VALID,
    OPT_OUTPUT,
    OPT_REPORT,
    OPT_METRICS,
    OPT_KIND,
    OPT_TRIALS,
    OPT_TIME,
    OPT_STUDY,
    OPT_CSV,
    OPT_SPILL,
    OPT_ID,
    OPT_VERIFY,
    OPT_JSON_SCHEMA,
    OPT_TO,
    OPT_NAME,
    OPT_METHOD,
    OPT_PART,
    OPT_TREE,
    OPT_SVG,
    OPT_JOURNAL,
    OPT_CV,
    OPT_CURVE,
    OPT_SLICES,
    OPT_COMPARE,
    OPT_NESTED,
    OPT_CALIBRATION,
    OPT_COUNT
};
#define LIST_MAX 256 /* values of an option that may be given many times */

#define MAX_OPERANDS 256

typedef struct app {
    const struct command *command;
    const char *value[OPT_COUNT]; /* the last value given, "" for switches, or NULL */
    const char *set[LIST_MAX], *study[LIST_MAX], *csv[LIST_MAX];
    int n_set, n_study, n_csv;
    const char *operand[MAX_OPERANDS];
    int n_operand;
    /* Of `libml run`: the parameters of the estimator, the file and its text. */
    ml_params *spec;
    const char *spec_file;
    char *spec_text;
    ml_context *ctx;
    ml_error *err;
    ml_cancel *cancel;
    int bar; /* a progress bar is on the screen */
    double bar_time;
    double told;       /* the best score that has a line */
    double limit, end; /* of automl --time, in seconds, and when it is over; or 0 */
    double per_row;    /* seconds to predict a row; 0: not measured */
} app;

typedef struct command {
    const char *name, *operands, *summary, *text;
    const int *options; /* ids, ends with -1 */
    int least, most;    /* operands */
    int (*run)(app *a);
} command;
extern const command commands[]; /* ends with a NULL name */
extern const option all_options[];
const command *command_find(const char *name);

/* options.c: 0, or EXIT_USAGE after saying what is wrong. */
int options_parse(app *a, int argc, char **argv);
const option *option_of(int id);
void print_help(FILE *to, const command *c); /* NULL: of the program */
void print_manual(FILE *to);
void print_completion(FILE *to);

/* suggest.c: *best: the nearest of the names so far; start with NULL. */
void suggest(const char *given, const char *name, const char **best, int *nearest);

/* app.c */
int app_open(app *a);
void app_close(app *a);
int check_places(app *a); /* 0, or the exit code after the error is printed */
int app_fail(app *a);     /* prints the error; returns the exit code */
/* spec_place.c: "FILE: ", or "FILE, line N: ", where an error is about what SPEC says. */
void print_spec_place(const app *a, FILE *to);
/* The line of the text where a path leads, or what the message quotes from there on; 0:
 * it cannot be told. `sure`: the path alone will do. */
int spec_line(const char *text, const char *path, const char *message, int sure);
int app_usage(app *a, const char *format, ...);
int flag(const app *a, int id);
ml_status read_table(app *a, const char *path, ml_table **out);
/* key=value pairs into params */
ml_status add_pairs(app *a, ml_params *p, const char *const *pairs, int n);
ml_status make_estimator(app *a, ml_estimator **out);
ml_status load_model(app *a, ml_model **out); /* the first operand */
/* To a file, or with NULL and "-" to the terminal. */
ml_status write_table(app *a, const ml_table *t, const char *path);
int on_progress(const ml_progress *p, void *user);
void end_bar(app *a);
double seconds_now(void);
/* After a run: was it cut short by Ctrl-C? Says so once. */
void tell_interrupted(app *a);

/* commands_explain.c: the tree that --tree names, as text or into the file of --svg */
ml_status draw_tree(app *a, const ml_model *m);

/* output.c */
const char *plural(int64_t n); /* "s", unless there is one */
void print_table(FILE *to, const ml_table *t);
void print_table_json(FILE *to, const ml_table *t); /* an array of objects */
void print_json_string(FILE *to, const char *text);
/* A description without its marks: {param:name} is the name. */
const char *plain_doc(const char *doc, char *out, size_t size);
void print_wrapped(FILE *to, const char *text, int indent, int width);
void print_params_json(FILE *to, const ml_params *p);

/* commands_automl.c: limits of automl where the command line has some; its candidates as
 * a table, best first, NULL for models of other algorithms. */
ml_status set_limits(app *a, ml_estimator *e);
ml_status read_leaderboard(app *a, const ml_model *model, ml_table **out);
void print_leaderboard(const ml_table *table);

/* clock.c: the time limit of automl. Seconds left: infinite without one. */
void clock_start(app *a);
/* --time: 0 without one, which is no limit as well. */
double clock_given(const app *a);
double clock_left(const app *a);
/* How much longer all takes, so far, than it would alone on the machine. */
double clock_slowness(const app *a);
/* The fit gets what is left, but for what comes after it. */
ml_status clock_fit(app *a, ml_estimator *e, int64_t test_rows);
/* Scores of as many rows as there is time for: *rows. */
ml_status clock_evaluate(app *a, const ml_model *model, const ml_table *test,
                         int64_t *rows, ml_table **out);
/* Rows there is time for, at so many seconds each; so many at least. */
int64_t rows_in_time(double seconds, double per_row, int64_t least);
/* The table, or as many rows of it, one of each of as many equal stretches. */
ml_status some_rows(app *a, const ml_table *t, int64_t most, ml_table **out);

/* commands_report.c. The scores that --metrics asks for, where it does: a report of a
 * model has the usual ones. */
ml_status report_scores(app *a, ml_report *r, const ml_table *scores);
/* test, study, leaderboard, scores: may be NULL */
ml_status write_fit_report(app *a, const ml_table *train, const ml_table *test,
                           const ml_model *model, const ml_study *study,
                           const ml_table *leaderboard, const ml_table *scores);

int cmd_automl(app *a);
int cmd_train(app *a);
int cmd_run(app *a);
int cmd_tune(app *a);
int cmd_predict(app *a);
int cmd_evaluate(app *a);
int cmd_explain(app *a);
int cmd_inspect(app *a);
int cmd_convert(app *a);
int cmd_profile(app *a);
int cmd_join(app *a);
int cmd_aggregate(app *a);
int cmd_algorithms(app *a);
int cmd_version(app *a);
int cmd_completion(app *a);
int cmd_manual(app *a);
int cmd_schema(app *a);
int cmd_json_schema(app *a);

#endif
