/* SPDX-License-Identifier: MIT
 *
 * app.c: context, signals, progress and errors of the command.
 */
#include "app.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Of the one running command; set before the handler is installed. */
static ml_cancel *interrupt_token;
static volatile sig_atomic_t interrupts;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupts++;
    ml_cancel_request(interrupt_token, interrupts > 1 ? ML_CANCEL : ML_STOP_KEEP);
}

double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int flag(const app *a, int id)
{
    return a->value[id] != NULL;
}

static void on_log(int32_t level, const char *module, const char *message, void *user)
{
    (void)level;
    app *a = user;
    end_bar(a);
    if (!flag(a, OPT_QUIET)) fprintf(stderr, "libml: %s: %s\n", module, message);
}

static int parse_number(app *a, int id, long long low, long long *out)
{
    char *end;
    errno = 0;
    *out = strtoll(a->value[id], &end, 10);
    if (*end || end == a->value[id] || errno || *out < low)
        return app_usage(a, "--%s needs a whole number of at least %lld, not \"%s\"",
                         option_of(id)->name, low, a->value[id]);
    return 0;
}

int app_open(app *a)
{
    long long threads = 0, seed, tree;
    ml_host host = ML_HOST_INIT;
    if (flag(a, OPT_THREADS) && parse_number(a, OPT_THREADS, 0, &threads))
        return EXIT_USAGE;
    if (flag(a, OPT_SEED) && parse_number(a, OPT_SEED, 0, &seed)) return EXIT_USAGE;
    if (flag(a, OPT_TREE) && parse_number(a, OPT_TREE, 0, &tree)) return EXIT_USAGE;
    host.threads = threads == 0 ? -1 : threads > 4096 ? 4096 : (int32_t)threads;
    host.log = on_log;
    host.log_user = a;
    a->err = ml_error_new();
    if (ml_context_new(&host, &a->ctx, a->err) < 0) return app_fail(a);
    if (ml_cancel_new(&a->cancel, a->err) < 0) return app_fail(a);
    interrupt_token = a->cancel;
    struct sigaction action = {0};
    action.sa_handler = on_interrupt;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return 0;
}

void app_close(app *a)
{
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    ml_cancel_free(a->cancel);
    ml_context_free(a->ctx);
    ml_error_free(a->err);
}

static int not_writable(app *a, const char *path, const char *why)
{
    char text[4096 + 200];
    snprintf(text, sizeof text, "\"%s\": cannot write: %s", path, why);
    ml_error_set(a->err, ML_E_IO, text);
    return app_fail(a);
}

/* Can a file be made in the folder of `path`, which is renamed into place? */
static int check_folder(app *a, const char *path)
{
    struct stat s;
    char folder[4096];
    const char *slash = strrchr(path, '/');
    int n = slash ? (int)(slash - path) : 0;
    if (n >= (int)sizeof folder) return 0;
    snprintf(folder, sizeof folder, "%.*s", n, path);
    if (!n) snprintf(folder, sizeof folder, slash ? "/" : ".");
    if (stat(folder, &s) != 0 && errno == ENOENT)
        return not_writable(a, path, "there is no such folder; make it first");
    if (stat(folder, &s) == 0 && !S_ISDIR(s.st_mode))
        return not_writable(a, path, "what should be its folder is a file");
    if (access(folder, W_OK | X_OK) == 0) return 0;
    return not_writable(a, path, "no permission in its folder; write to another place");
}

static int same_file(const char *path, const struct stat *s)
{
    struct stat other;
    return path && stat(path, &other) == 0 && other.st_dev == s->st_dev &&
           other.st_ino == s->st_ino;
}

/* Does the command read that file? */
static int is_read(const app *a, const struct stat *s)
{
    int read = same_file(a->spec_file, s) || same_file(a->value[OPT_TEST], s) ||
               same_file(a->value[OPT_VALID], s);
    for (int i = 0; i < MAX_OPERANDS && a->operand[i] && !read; i++)
        read = same_file(a->operand[i], s);
    return read;
}

/* Can the files that options name be written? Asked before long work, not after it. A
 * journal that is there is written in place, the others anew. None is lost that is read.
 */
int check_places(app *a)
{
    static const int options[] = {OPT_OUTPUT, OPT_REPORT, OPT_SVG, OPT_JOURNAL};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        const char *path = a->value[options[i]];
        struct stat s;
        if (!path || strcmp(path, "-") == 0) continue;
        int there = stat(path, &s) == 0, code = 0;
        if (there && S_ISDIR(s.st_mode))
            return not_writable(a, path,
                                "it is a folder, not a file; give the path of a file");
        if (there && S_ISREG(s.st_mode) && is_read(a, &s))
            return not_writable(a, path, "it is read here; write to another place");
        if (there && (options[i] == OPT_JOURNAL || !S_ISREG(s.st_mode))) {
            if (access(path, W_OK) != 0)
                code = not_writable(a, path, "no permission; write to another place");
        } else {
            code = check_folder(a, path);
        }
        if (code) return code;
    }
    return 0;
}

int app_fail(app *a)
{
    end_bar(a);
    fputs("libml: ", stderr);
    print_spec_place(a, stderr);
    fprintf(stderr, "%s\n", ml_error_message(a->err));
    return ml_error_code(a->err) == ML_E_CANCELLED ? EXIT_INTERRUPTED : EXIT_FAILED;
}

void tell_interrupted(app *a)
{
    end_bar(a);
    if (interrupts && !flag(a, OPT_QUIET))
        fputs("libml: interrupted; going on with the best so far\n", stderr);
    interrupts = 0;
    ml_cancel_request(a->cancel, ML_CONTINUE);
}

void end_bar(app *a)
{
    if (!a->bar) return;
    fputs("\r\033[K", stderr);
    a->bar = 0;
}

/* While automl runs, each candidate that is the best so far gets a line. */
static void tell_best(app *a, const ml_progress *p)
{
    if (strcmp(a->command->name, "automl") != 0 || isnan(p->best_score)) return;
    if (p->best_score == a->told || p->score != p->best_score) return;
    end_bar(a);
    a->told = p->best_score;
    fprintf(stderr, "%8.1f s  %-22s %.6g\n", p->elapsed, p->stage ? p->stage : "",
            p->score);
}

int on_progress(const ml_progress *p, void *user)
{
    enum { WIDTH = 28 };
    app *a = user;
    char bar[WIDTH + 1], best[48] = "", left[32] = "";
    if (flag(a, OPT_QUIET) || flag(a, OPT_JSON) || !isatty(STDERR_FILENO))
        return ML_CONTINUE;
    double now = seconds_now();
    tell_best(a, p);
    if (a->bar && now - a->bar_time < 0.1 && p->fraction < 1) return ML_CONTINUE;
    a->bar_time = now;
    for (int i = 0; i < WIDTH; i++) bar[i] = i < (int)(p->fraction * WIDTH) ? '#' : '.';
    bar[WIDTH] = 0;
    if (!isnan(p->best_score)) snprintf(best, sizeof best, "  best %.5g", p->best_score);
    if (!isnan(p->remaining) && p->remaining < 1e7)
        snprintf(left, sizeof left, "  %d:%02d left", (int)p->remaining / 60,
                 (int)p->remaining % 60);
    fprintf(stderr, "\r\033[K[%s] %3d %%  %s%s%s", bar, (int)(100 * p->fraction),
            p->stage ? p->stage : "", best, left);
    fflush(stderr);
    a->bar = 1;
    return ML_CONTINUE;
}

ml_status add_pairs(app *a, ml_params *p, const char *const *pairs, int n)
{
    for (int i = 0; i < n; i++) {
        char key[256];
        const char *equal = strchr(pairs[i], '=');
        snprintf(key, sizeof key, "%.*s", (int)(equal - pairs[i]), pairs[i]);
        ml_status st = ml_params_set_str(p, key, equal + 1, a->err);
        if (st < 0) return st;
    }
    return ML_OK;
}

ml_status read_table(app *a, const char *path, ml_table **out)
{
    ml_params *p = NULL;
    ml_status st = ml_params_new(a->ctx, &p, a->err);
    if (st == ML_OK) st = add_pairs(a, p, a->csv, a->n_csv);
    if (st == ML_OK && flag(a, OPT_SPILL))
        st = ml_params_set_str(p, "spill", a->value[OPT_SPILL], a->err);
    if (st == ML_OK) st = ml_table_read_csv(a->ctx, path, p, out, a->err);
    ml_params_free(p);
    return st;
}

ml_status make_estimator(app *a, ml_estimator **out)
{
    const char *name = a->value[OPT_ALGORITHM] ? a->value[OPT_ALGORITHM] : "gbdt";
    ml_estimator *e = NULL;
    ml_params *p = NULL;
    ml_schema *schema = NULL;
    ml_status st = ml_estimator_new(a->ctx, name, &e, a->err);
    if (st == ML_OK) st = ml_params_new(a->ctx, &p, a->err);
    if (st == ML_OK) st = ml_schema_new(a->ctx, name, &schema, a->err);
    if (st == ML_OK && flag(a, OPT_SEED) &&
        ml_schema_find(schema, ML_SCHEMA_PARAM, "seed") >= 0)
        st = ml_params_set_str(p, "seed", a->value[OPT_SEED], a->err);
    if (st == ML_OK && a->spec) st = ml_estimator_set_params(e, a->spec, a->err);
    if (st == ML_OK) st = add_pairs(a, p, a->set, a->n_set);
    if (st == ML_OK && flag(a, OPT_TARGET))
        st = ml_params_set_str(p, "target", a->value[OPT_TARGET], a->err);
    if (st == ML_OK) st = ml_estimator_set_params(e, p, a->err);
    ml_schema_free(schema);
    ml_params_free(p);
    if (st < 0) {
        ml_estimator_free(e);
        return st;
    }
    ml_estimator_set_progress(e, on_progress, a);
    ml_estimator_set_cancel(e, a->cancel);
    *out = e;
    return ML_OK;
}

static int no_command(app *a, const char *name)
{
    const char *best = NULL;
    int nearest;
    for (const command *c = commands; c->name; c++)
        suggest(name, c->name, &best, &nearest);
    if (best)
        return app_usage(a, "there is no command \"%s\"; did you mean \"%s\"?", name,
                         best);
    return app_usage(a, "there is no command \"%s\"", name);
}

int main(int argc, char **argv)
{
    app a = {.told = NAN};
    if (argc < 2) {
        print_help(stderr, NULL);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        const command *c = argc > 2 ? command_find(argv[2]) : NULL;
        print_help(stdout, c);
        return EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) argv[1] = "version";
    a.command = command_find(argv[1]);
    if (!a.command) return no_command(&a, argv[1]);
    int code = options_parse(&a, argc, argv);
    if (code == 0 && flag(&a, OPT_HELP)) {
        print_help(stdout, a.command);
        return EXIT_OK;
    }
    if (code == 0) code = app_open(&a);
    if (code == 0) code = check_places(&a);
    if (code == 0) code = a.command->run(&a);
    app_close(&a);
    if (fflush(stdout) != 0 && code == 0) {
        fprintf(stderr, "libml: cannot write the output: %s\n", strerror(errno));
        code = EXIT_FAILED;
    }
    return code;
}
