/* SPDX-License-Identifier: MIT
 *
 * Reading third-party conformance files and real data.
 */
#include "core/json.h"
#include "csv_testing.h"
#include <unistd.h>

static char *load(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    char *data = malloc(1 << 20);
    *size = fread(data, 1, (1 << 20) - 1, f);
    data[*size] = 0;
    fclose(f);
    return data;
}

/* ---- csv_spectrum: every file has its answer in JSON ---- */

/* Values that the answers of the collection give wrongly: its own text says otherwise. */
static int is_known_error(const char *name, const char *answer)
{
    return strcmp(name, "location_coordinates") == 0 && strcmp(answer, "1234567890") == 0;
}

/* Copies of the collection may have lost the returns of "\r\n": then the answer has too
 * many. */
static const char *without_returns(const char *answer, int lost, char *buffer,
                                   size_t size)
{
    size_t n = 0;
    for (const char *p = answer; *p && n + 1 < size; p++) {
        if (!lost || *p != '\r') buffer[n++] = *p;
    }
    buffer[n] = 0;
    return buffer;
}

static void check_cell(const char *name, const ml_table *t, int64_t row, int64_t column,
                       const char *answer)
{
    char cell[1024];
    int64_t n = ml_table_get_str(t, row, column, cell, sizeof cell);
    if (n < 0) cell[0] = 0;
    if (is_known_error(name, answer)) return;
    ck_assert_msg(strcmp(cell, answer) == 0,
                  "%s: row %lld, column %lld: \"%s\", not \"%s\"", name, (long long)row,
                  (long long)column, cell, answer);
}

/* Walks over an array of objects (or one object) and compares all values. */
static void check_answers(const char *name, const ml_table *t, const char *text,
                          size_t size, int lost_returns)
{
    char answer[1024];
    mli_json j;
    mli_json_open(&j, text, size);
    int64_t row = -1, cells = 0;
    mli_str key, value;
    mli_str_init(&key, NULL);
    mli_str_init(&value, NULL);
    for (mli_json_token k; (k = mli_json_next(&j)) != MLI_JSON_END;) {
        ck_assert_int_ne(k, MLI_JSON_ERROR);
        if (k == MLI_JSON_OBJECT) row++;
        if (k == MLI_JSON_KEY) {
            mli_str_clear(&key);
            ck_assert(mli_json_unescape(&j, &key));
        }
        if (k != MLI_JSON_STRING) continue;
        mli_str_clear(&value);
        ck_assert(mli_json_unescape(&j, &value));
        int64_t column = ml_table_find(t, key.data);
        ck_assert_msg(column >= 0, "%s lacks \"%s\"", name, key.data);
        check_cell(name, t, row, column,
                   without_returns(value.data, lost_returns, answer, sizeof answer));
        cells++;
    }
    ck_assert_int_eq(row + 1, ml_table_rows(t));
    ck_assert_int_eq(cells, ml_table_rows(t) * ml_table_columns(t));
    mli_str_free(&key);
    mli_str_free(&value);
}

START_TEST(spectrum)
{
    static const char *const names[] = {"comma_in_quotes",
                                        "empty",
                                        "empty_crlf",
                                        "escaped_quotes",
                                        "json",
                                        "newlines",
                                        "newlines_crlf",
                                        "quotes_and_newlines",
                                        "simple",
                                        "utf8",
                                        "simple_crlf",
                                        "location_coordinates"};
    ml_context *ctx = test_context(1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[256];
        snprintf(path, sizeof path, "csv_spectrum/json/%s.json", names[i]);
        const char *json = shared_path(path);
        if (!json) SKIP("csv_spectrum is not there");
        size_t size = 0, csv_size = 0;
        char *answers = load(json, &size);
        ml_table *t = NULL;
        ml_params *p = NULL;
        OK(ml_params_new(ctx, &p, ERR));
        /* The answers are texts: no value is to be read as another type. */
        OK(ml_params_set_str(p, "null_words", "[\"NA\"]", ERR));
        snprintf(path, sizeof path, "csv_spectrum/csvs/%s.csv", names[i]);
        char *csv = load(shared_path(path), &csv_size);
        OK(ml_table_read_csv(ctx, shared_path(path), p, &t, ERR));
        check_answers(names[i], t, answers, size, !memchr(csv, '\r', csv_size));
        free(csv);
        ml_table_free(t);
        ml_params_free(p);
        free(answers);
    }
    ml_context_free(ctx);
}
END_TEST

/* ---- csv_torture: sizes where the right answer is known, clear errors elsewhere ---- */

static int unpack_torture(char *folder, size_t size)
{
    const char *archive = shared_path("csv_torture/csv_files.tar.gz");
    if (!archive) return 0;
    char command[8192];
    snprintf(folder, size, "%s/torture", test_folder());
    snprintf(command, sizeof command, "mkdir -p '%s' && tar xzf '%s' -C '%s'", folder,
             archive, folder);
    return system(command) == 0;
}

/* A clear error is one line with a place and a hint. */
static void check_error(const char *file)
{
    ck_assert_msg(ml_error_hint(ERR)[0], "%s: no hint in \"%s\"", file,
                  ml_error_message(ERR));
    ck_assert_msg(strstr(ml_error_location(ERR), file) != NULL, "%s: no place in \"%s\"",
                  file, ml_error_message(ERR));
    ck_assert_ptr_null(strchr(ml_error_message(ERR), '\n'));
}

static void check_torture(ml_context *ctx, const char *folder, const char *line)
{
    char file[512], rows[32], columns[32], status[32], path[1024];
    ml_table *t = NULL;
    ck_assert_int_eq(
        sscanf(line, "%511[^\t]\t%31[^\t]\t%31[^\t]\t%31s", file, rows, columns, status),
        4);
    snprintf(path, sizeof path, "%s/%s", folder, file);
    ml_status st = ml_table_read_csv(ctx, path, NULL, &t, ERR);
    ck_assert_msg(strcmp(ml_status_name(st), status) == 0, "%s: %s, not %s (%s)", file,
                  ml_status_name(st), status, ml_error_message(ERR));
    if (st != ML_OK) {
        check_error(file);
        return;
    }
    ck_assert_msg(ml_table_rows(t) == atoll(rows) &&
                      ml_table_columns(t) == atoll(columns),
                  "%s: %lld x %lld, not %s x %s", file, (long long)ml_table_rows(t),
                  (long long)ml_table_columns(t), rows, columns);
    ml_table_free(t);
}

/* Other options must not crash either. */
static void shake(ml_context *ctx, const char *folder, const char *line)
{
    static const char *const options[][2] = {
        {"on_ragged", "fill"},   {"on_ragged", "skip"},  {"quote", "none"},
        {"escape", "backslash"}, {"comment", "#"},       {"delimiter", "space"},
        {"delimiter", ","},      {"encoding", "latin1"}, {"header", "no"},
        {"thousands", ","},      {"max_rows", "2"},      {"skip_rows", "1"}};
    char path[1024];
    size_t n = strcspn(line, "\t");
    snprintf(path, sizeof path, "%s/%.*s", folder, (int)n, line);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        ml_table *t = NULL;
        ml_params *p = NULL;
        OK(ml_params_new(ctx, &p, ERR));
        OK(ml_params_set_str(p, options[i][0], options[i][1], ERR));
        ml_status st = ml_table_read_csv(ctx, path, p, &t, ERR);
        ck_assert(st == ML_OK || st == ML_E_PARSE || st == ML_E_DATA);
        if (st == ML_OK) ck_assert(ml_table_columns(t) > 0);
        ml_table_free(t);
        ml_params_free(p);
    }
}

START_TEST(torture)
{
    char folder[512];
    if (!unpack_torture(folder, sizeof folder)) SKIP("csv_torture is not there");
    FILE *list = fopen(source_path("tests/data/csv_torture.tsv"), "r");
    ck_assert_ptr_nonnull(list);
    ml_context *ctx = test_context(1);
    char line[1024];
    int files = -1;
    while (fgets(line, sizeof line, list)) {
        if (files++ < 0) continue; /* names of the columns */
        check_torture(ctx, folder, line);
        shake(ctx, folder, line);
    }
    fclose(list);
    ck_assert_int_eq(files, 396);
    ml_context_free(ctx);
}
END_TEST

/* ---- real data ---- */

/* Reads a file and checks rows, columns, and the types of some columns. */
static int check_real(const char *file, int64_t rows, int64_t columns, const char *types)
{
    const char *path = shared_path(file);
    if (!path) return 0;
    ml_context *ctx = test_context(2);
    ml_table *t = NULL;
    OK(ml_table_read_csv(ctx, path, NULL, &t, ERR));
    ck_assert_msg(ml_table_rows(t) == rows && ml_table_columns(t) == columns,
                  "%s: %lld x %lld", file, (long long)ml_table_rows(t),
                  (long long)ml_table_columns(t));
    char copy[1024];
    snprintf(copy, sizeof copy, "%s", types);
    for (char *p = strtok(copy, ","); p; p = strtok(NULL, ",")) {
        char *colon = strchr(p, ':');
        *colon = 0;
        int64_t c = ml_table_find(t, p);
        ck_assert_msg(c >= 0, "%s lacks %s", file, p);
        ck_assert_msg(strcmp(type_of(t, c), colon + 1) == 0, "%s: %s is %s, not %s", file,
                      p, type_of(t, c), colon + 1);
    }
    ml_table_free(t);
    ml_context_free(ctx);
    return 1;
}

START_TEST(real_data)
{
    int done =
        check_real("adult/train.csv.gz", 32561, 15,
                   "age:i64,workclass:category,fnlwgt:i64,income:category") +
        check_real("titanic/titanic.csv.gz", 1309, 14,
                   "survived:i64,name:text,sex:category,age:f64,fare:f64,body:i64") +
        check_real("ames_housing/ames.csv.gz", 2930, 74,
                   "Lot_Area:i64,Street:category,Sale_Price:i64,Latitude:f64");
    if (done < 3) SKIP("some real data are not there");
}
END_TEST

TEST_MAIN("data/csv_files", spectrum, torture, real_data)
