/* SPDX-License-Identifier: MIT
 *
 * prepare/tokens.c: texts to terms. The last units (words or characters) of the text lie
 * one after another in a buffer, so that every run of n of them is a piece of it. Cost:
 * one pass over the text, and a call per term.
 */
#include "algorithms/prepare/tokens.h"
#include "core/unicode.h"

#include <string.h>

#define BUFFER ((MLI_NGRAM_MOST + 1) * (MLI_TOKEN_MOST + 1))

/* ---- parameters ---- */

static ml_status read_range(const ml_params *p, mli_tokens *t, ml_error *err)
{
    const int64_t *range;
    int64_t n = mli_get_i64s(p, "ngram_range", &range);
    if (n == 2 && range[0] >= 1 && range[0] <= range[1] && range[1] <= MLI_NGRAM_MOST) {
        t->least = range[0];
        t->most = range[1];
        return ML_OK;
    }
    mli_fail(err, ML_E_RANGE,
             "ngram_range must be two numbers, 1 or more, the second not "
             "smaller and at most %d",
             MLI_NGRAM_MOST);
    mli_error_at(err, ML_E_RANGE, "params.ngram_range");
    return mli_error_hint(err, ML_E_RANGE, "\"1, 2\" counts words and pairs of words");
}

/* A word as terms have it: folded, without accents, cut. Returns its characters. */
static int64_t spell(const mli_tokens *t, const char *text, size_t size, char *out,
                     size_t *length)
{
    int64_t n = 0;
    size_t at = 0, to = 0;
    char bytes[4];
    while (at < size) {
        unsigned char byte = (unsigned char)text[at];
        if (byte < 0x80 && to < MLI_TOKEN_MOST) {
            int capital = t->fold && byte >= 'A' && byte <= 'Z';
            out[to++] = (char)(capital ? byte + 32 : byte);
            at++;
            n++;
            continue;
        }
        uint32_t c = mli_utf8_next(text, size, &at);
        if (t->strip && c >= 0x80) {
            if (mli_char_class(c) & MLI_CHAR_MARK) continue;
            c = mli_char_base(c);
        }
        if (t->fold) c = mli_char_fold(c);
        int k = mli_utf8_put(c, bytes);
        if (to + (size_t)k > MLI_TOKEN_MOST) break;
        memcpy(out + to, bytes, (size_t)k);
        to += (size_t)k;
        n++;
    }
    *length = to;
    return n;
}

static ml_status read_stop_words(const ml_params *p, mli_tokens *t, ml_error *err)
{
    const char *const *words;
    char word[MLI_TOKEN_MOST];
    size_t length;
    int64_t n = mli_get_strs(p, "stop_words", &words);
    for (int64_t i = 0; i < n; i++) {
        spell(t, words[i], strlen(words[i]), word, &length);
        if (mli_map_add(&t->stop, word, length) < 0) return mli_nomem(err);
    }
    return ML_OK;
}

ml_status mli_tokens_new(ml_context *ctx, const ml_params *p, mli_tokens *out,
                         ml_error *err)
{
    mli_tokens t = {0};
    t.analyzer = mli_get_enum(p, "analyzer", "word,char,char_wb");
    t.runs = mli_get_enum(p, "words", "unicode,simple");
    t.fold = mli_get_bool(p, "lowercase");
    t.strip = mli_get_bool(p, "strip_accents");
    t.shortest = mli_get_i64(p, "min_word_length");
    mli_map_init(&t.stop, ctx);
    ml_status status = read_range(p, &t, err);
    if (!status) status = read_stop_words(p, &t, err);
    if (status)
        mli_map_free(&t.stop);
    else
        *out = t;
    return status;
}

void mli_tokens_free(mli_tokens *t)
{
    mli_map_free(&t->stop);
}

/* ---- the last units ---- */

typedef struct {
    const mli_tokens *t;
    mli_term_fn fn;
    void *arg;
    int64_t n;                    /* units that are there, at most t->most */
    size_t start[MLI_NGRAM_MOST]; /* of each, the oldest first */
    size_t end;
    char bytes[BUFFER];
} window;

/* Room for one more unit, behind the others; the oldest goes when there are enough. */
static void make_room(window *w, size_t size)
{
    if (w->n == w->t->most) {
        memmove(w->start, w->start + 1, (size_t)(w->n - 1) * sizeof *w->start);
        w->n--;
    }
    if (w->end + size + 1 <= BUFFER) return;
    size_t from = w->n ? w->start[0] : w->end;
    memmove(w->bytes, w->bytes + from, w->end - from);
    for (int64_t i = 0; i < w->n; i++) w->start[i] -= from;
    w->end -= from;
}

static void put_unit(window *w, const char *unit, size_t size, int spaced)
{
    make_room(w, size);
    if (spaced && w->n) w->bytes[w->end++] = ' ';
    if (w->n == 0) w->end = 0;
    w->start[w->n++] = w->end;
    memcpy(w->bytes + w->end, unit, size);
    w->end += size;
}

/* All terms that end with the last unit. */
static void give_terms(const window *w)
{
    for (int64_t k = w->t->least; k <= w->n; k++) {
        size_t begin = w->start[w->n - k];
        w->fn(w->arg, w->bytes + begin, w->end - begin);
    }
}

/* ---- words ---- */

static int is_alone(const char *text, size_t size)
{
    size_t at = 0;
    return (mli_char_class(mli_utf8_next(text, size, &at)) & MLI_WB_MASK) == MLI_WB_ALONE;
}

static void words(window *w, const char *text, size_t size)
{
    const mli_tokens *t = w->t;
    char word[MLI_TOKEN_MOST];
    size_t at = 0, begin, end, length;
    while (t->runs ? mli_run_next(text, size, &at, &begin, &end)
                   : mli_word_next(text, size, &at, &begin, &end)) {
        int64_t n = spell(t, text + begin, end - begin, word, &length);
        if (n < t->shortest && (t->runs || !n || !is_alone(text + begin, end - begin)))
            continue;
        if (t->stop.count && mli_map_find(&t->stop, word, length) >= 0) continue;
        put_unit(w, word, length, 1);
        give_terms(w);
    }
}

/* ---- characters ---- */

typedef struct {
    const char *text;
    size_t size, at;
} source;

/* The next character as terms have it; 0 at the end. */
static int next_char(const mli_tokens *t, source *s, uint32_t *out, int *space)
{
    while (s->at < s->size) {
        uint32_t c = mli_utf8_next(s->text, s->size, &s->at);
        unsigned class = mli_char_class(c);
        if (t->strip && c >= 0x80) {
            if (class & MLI_CHAR_MARK) continue;
            c = mli_char_base(c);
        }
        if (c == 0) c = 0xFFFD; /* names of columns end at a zero */
        *space = (class & MLI_CHAR_SPACE) != 0;
        *out = t->fold ? mli_char_fold(c) : c;
        return 1;
    }
    return 0;
}

static void put_char(window *w, uint32_t c)
{
    char bytes[4];
    put_unit(w, bytes, (size_t)mli_utf8_put(c, bytes), 0);
}

/* Several white spaces in a row count as one ' '. */
static void chars(window *w, const char *text, size_t size)
{
    source s = {text, size, 0};
    uint32_t c, before = 0;
    int space, spaces = 0;
    for (;;) {
        int more = next_char(w->t, &s, &c, &space);
        if (more && space) {
            before = spaces++ ? ' ' : c;
            continue;
        }
        if (spaces) {
            put_char(w, before);
            give_terms(w);
        }
        if (!more) return;
        spaces = 0;
        put_char(w, c);
        give_terms(w);
    }
}

/* The characters of a word with a space at both ends; a word shorter than all terms is a
 * term itself. */
static void chars_of_words(window *w, const char *text, size_t size)
{
    source s = {text, size, 0};
    uint32_t c = 0;
    int more = 1, space = 0;
    while (more) {
        int64_t length = 1;
        while ((more = next_char(w->t, &s, &c, &space)) && space) continue;
        if (!more) return;
        w->n = 0;
        w->end = 0;
        put_char(w, ' ');
        give_terms(w);
        do {
            put_char(w, c);
            give_terms(w);
            length++;
        } while ((more = next_char(w->t, &s, &c, &space)) && !space);
        put_char(w, ' ');
        give_terms(w);
        if (++length < w->t->least) w->fn(w->arg, w->bytes, w->end);
    }
}

void mli_tokens_each(const mli_tokens *t, const char *text, size_t size, mli_term_fn fn,
                     void *arg)
{
    window w;
    w.t = t;
    w.fn = fn;
    w.arg = arg;
    w.n = 0;
    w.end = 0;
    if (t->analyzer == MLI_BY_WORD)
        words(&w, text, size);
    else if (t->analyzer == MLI_BY_CHAR)
        chars(&w, text, size);
    else
        chars_of_words(&w, text, size);
}
