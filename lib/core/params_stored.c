/* SPDX-License-Identifier: MIT
 *
 * params_stored.c: the parameters of a model file, the quick way. Such a set has every
 * parameter that its descriptor has, in that order, those of a part somewhere behind the
 * list that names the part, and most are at their defaults. So each value is looked for
 * at one place only, and names and texts stand in one block. A set that is anything else,
 * or has anything wrong, is left to mli_params_from_json_checked, which says what.
 */
#include "core/json.h"
#include "core/value.h"

#include <math.h>
#include <string.h>

/* A descriptor that is being read: the whole, or a part. */
typedef struct frame {
    const mli_param *next;  /* the parameter that comes; its name NULL: none is left */
    const mli_param *roles; /* read behind the parameters; NULL for parts */
    const mli_param *owed;  /* of a part: one that was passed over and must come yet */
    const char *prefix;     /* "scale." */
    size_t prefix_size;
} frame;

typedef struct reader {
    ml_params *p;
    mli_json j;
    char *to, *end; /* room for texts in p->texts */
    int64_t count, capacity;
    frame *frames;
    int64_t at; /* the frame of the last key */
} reader;

/* What a step gives: an error code (ML_E_MEMORY), or one of these. */
enum { GIVE_UP = 1, GO_ON = 0 };

/* ---- texts ---- */

static char *keep_text(reader *r, const char *text, size_t size)
{
    if ((size_t)(r->end - r->to) <= size) return NULL;
    char *at = r->to;
    memcpy(at, text, size);
    at[size] = 0;
    r->to += size + 1;
    return at;
}

/* The last string of the JSON. NULL when it has no room, or a NUL. */
static char *keep_string(reader *r)
{
    char *at = r->to;
    if ((size_t)(r->end - at) <= r->j.size) return NULL;
    size_t size = mli_json_unescape_to(&r->j, at);
    if (r->j.escaped && memchr(at, 0, size)) return NULL;
    at[size] = 0;
    r->to += size + 1;
    return at;
}

static const char *name_of(reader *r, const mli_param *q, const char *path, size_t size)
{
    return r->at ? keep_text(r, path, size) : q->name;
}

/* ---- which parameter ---- */

/* The parameter that comes in a frame; NULL at its end. */
static const mli_param *peek(frame *f)
{
    if (f->next && f->next->name) return f->next;
    f->next = f->roles;
    f->roles = NULL;
    return f->next && f->next->name ? f->next : NULL;
}

/* Looks for the frame whose prefix is all of the path up to its last dot. */
static int find_frame(reader *r, size_t prefix_size)
{
    const char *path = r->j.text;
    for (int64_t i = 0; i < r->count; i++) {
        const frame *f = &r->frames[i];
        if (f->prefix_size != prefix_size) continue;
        if (prefix_size && memcmp(f->prefix, path, prefix_size) != 0) continue;
        r->at = i;
        return 1;
    }
    return 0;
}

static int in_frame(const reader *r, size_t prefix_size)
{
    const frame *f = &r->frames[r->at];
    return f->prefix_size == prefix_size &&
           (!prefix_size || memcmp(f->prefix, r->j.text, prefix_size) == 0);
}

static size_t prefix_of(const char *path, size_t size)
{
    while (size && path[size - 1] != '.') size--;
    return size;
}

/* Passes the parameter that comes. Those without effect on the model are not stored, and
 * those without a default are absent until set; of a part, what is required stands behind
 * the defaults. */
static int pass(frame *f, const mli_param *q)
{
    int required = q->flags & MLI_FLAG_REQUIRED;
    if (required && (f->owed || !f->prefix_size)) return 0;
    if (required) f->owed = q;
    f->next++;
    return required || !q->dflt || (q->flags & MLI_FLAG_NO_EFFECT);
}

static int is_named(const mli_param *q, const char *name, size_t size)
{
    return strlen(q->name) == size && memcmp(q->name, name, size) == 0;
}

/* The parameter of the last key; NULL when it is not one that comes. */
static const mli_param *find(reader *r)
{
    size_t n = prefix_of(r->j.text, r->j.size), size = r->j.size - n;
    if (r->j.escaped || (!in_frame(r, n) && !find_frame(r, n))) return NULL;
    frame *f = &r->frames[r->at];
    const mli_param *q = f->owed;
    if (q && is_named(q, r->j.text + n, size)) {
        f->owed = NULL;
        return q;
    }
    while ((q = peek(f)) != NULL && !is_named(q, r->j.text + n, size))
        if (!pass(f, q)) return NULL;
    if (q) f->next++;
    return q && !(q->flags & MLI_FLAG_NO_EFFECT) ? q : NULL;
}

static int complete(reader *r)
{
    for (int64_t i = 0; i < r->count; i++) {
        frame *f = &r->frames[i];
        for (const mli_param *q; (q = peek(f)) != NULL;)
            if (!pass(f, q)) return 0;
        if (f->owed) return 0;
    }
    return 1;
}

static int push(reader *r, const char *prefix, size_t size, const mli_descriptor *d)
{
    if (!mli_reserve(r->p->ctx, &r->frames, &r->capacity, r->count + 1,
                     sizeof *r->frames))
        return ML_E_MEMORY;
    r->frames[r->count++] =
        (frame){d->params, size ? NULL : d->roles, NULL, prefix, size};
    return GO_ON;
}

/* The parameters of a part of a list in the frame `above`. */
static int enter_part(reader *r, int64_t above, const mli_param_part *part)
{
    const frame *f = &r->frames[above];
    size_t n = strlen(part->name), size = f->prefix_size + n + 1;
    if (size >= MLI_PATH_SIZE || (size_t)(r->end - r->to) < size) return GIVE_UP;
    char *prefix = r->to;
    if (f->prefix_size) memcpy(prefix, f->prefix, f->prefix_size);
    memcpy(prefix + f->prefix_size, part->name, n);
    prefix[size - 1] = '.';
    r->to += size;
    return push(r, prefix, size, part->d);
}

static int enter_parts(reader *r, const mli_param *list, const mli_value *v)
{
    mli_param_part part;
    int64_t above = r->at;
    int code = GO_ON;
    for (int64_t i = 0; i < v->count && code == GO_ON; i++) {
        code = mli_part_read(list, v->strs[i], &part, NULL) ? GIVE_UP : GO_ON;
        if (code == GO_ON) code = enter_part(r, above, &part);
    }
    return code;
}

/* ---- values ---- */

static int is_default(const mli_param *q, const char *text)
{
    return q->dflt && strcmp(q->dflt, text) == 0;
}

/* A default is legal: the others are checked. */
static int finish(reader *r, const mli_param *q, mli_value *v, const char *text,
                  size_t size)
{
    if (is_default(q, text))
        v->text = (char *)(uintptr_t)q->dflt;
    else
        v->text = keep_text(r, text, size);
    if (!v->text) return 0;
    return v->text == q->dflt || mli_param_legal(q, v, NULL) == ML_OK;
}

static int read_real(reader *r, const mli_param *q, mli_value *v)
{
    char text[MLI_NUM_SIZE];
    if (!mli_json_f64(&r->j, &v->f64)) return 0;
    return finish(r, q, v, text, (size_t)mli_format_f64(v->f64, text));
}

static int read_integer(reader *r, const mli_param *q, mli_value *v)
{
    char text[24];
    size_t n = r->j.size;
    if (n >= sizeof text || !mli_json_i64(&r->j, &v->i64)) return 0;
    memcpy(text, r->j.text, n);
    text[n] = 0;
    v->f64 = (double)v->i64;
    return memcmp(text, "-0", 2) != 0 && finish(r, q, v, text, n);
}

static int read_bool(const mli_param *q, mli_value *v, int on)
{
    v->i64 = on;
    v->f64 = on;
    v->text = (char *)(uintptr_t)(on ? "true" : "false");
    return mli_param_legal(q, v, NULL) == ML_OK;
}

static int read_text(reader *r, const mli_param *q, mli_value *v)
{
    v->text = keep_string(r);
    v->f64 = NAN;
    if (!v->text) return 0;
    if (!*v->text && (q->flags & MLI_FLAG_NULLABLE)) return q->dflt != NULL;
    if (q->type != ML_PARAM_STR) return 0;
    double number;
    if (mli_read_f64(v->text, &number)) v->f64 = number;
    return is_default(q, v->text) || mli_param_legal(q, v, NULL) == ML_OK;
}

/* A scalar of the parameter's own type, or a value that is not set. */
static int read_scalar(reader *r, const mli_param *q, mli_json_token t, mli_value *v)
{
    *v = (mli_value){.type = q->type, .given = 1, .borrowed = MLI_BORROWED_TEXT};
    if (t == MLI_JSON_STRING) return read_text(r, q, v);
    if (q->type == ML_PARAM_F64 && t == MLI_JSON_NUMBER) return read_real(r, q, v);
    if (q->type == ML_PARAM_I64 && t == MLI_JSON_NUMBER) return read_integer(r, q, v);
    if (q->type == ML_PARAM_BOOL && (t == MLI_JSON_TRUE || t == MLI_JSON_FALSE))
        return read_bool(q, v, t == MLI_JSON_TRUE);
    return 0;
}

/* Lists, and scalars written otherwise. `before`: the reader in front of the value. */
static int read_other(reader *r, const mli_param *q, const mli_json *before, mli_value *v)
{
    mli_value raw = {0};
    r->j = *before;
    ml_status status = mli_value_json(r->p->ctx, &r->j, &raw, NULL);
    if (!status && !*raw.text && !q->dflt) status = ML_E_FORMAT; /* would be absent */
    if (!status) status = mli_param_convert(r->p->ctx, q, &raw, v, NULL);
    mli_value_free(r->p->ctx, &raw);
    if (status) return status == ML_E_MEMORY ? status : GIVE_UP;
    return GO_ON;
}

static int read_value(reader *r, const mli_param *q, const char *path, size_t size)
{
    ml_params *p = r->p;
    mli_json before = r->j;
    mli_value v;
    const char *name = name_of(r, q, path, size);
    if (!name) return GIVE_UP;
    if (!read_scalar(r, q, mli_json_next(&r->j), &v)) {
        int code = read_other(r, q, &before, &v);
        if (code != GO_ON) return code;
    }
    v.name = (char *)(uintptr_t)name;
    v.borrowed |= MLI_BORROWED_NAME;
    if (!mli_reserve(p->ctx, &p->values, &p->capacity, p->count + 1, sizeof v)) {
        mli_value_free(p->ctx, &v);
        return ML_E_MEMORY;
    }
    mli_value *stored = &p->values[p->count++];
    *stored = v;
    return q->flags & MLI_FLAG_PARTS ? enter_parts(r, q, stored) : GO_ON;
}

static int read_all(reader *r)
{
    mli_json_token t = mli_json_next(&r->j);
    if (t != MLI_JSON_OBJECT) return GIVE_UP;
    while ((t = mli_json_next(&r->j)) == MLI_JSON_KEY) {
        const char *path = r->j.text;
        size_t size = r->j.size;
        const mli_param *q = find(r);
        if (!q) return GIVE_UP;
        int code = read_value(r, q, path, size);
        if (code != GO_ON) return code;
    }
    if (t != MLI_JSON_OBJECT_END || mli_json_next(&r->j) != MLI_JSON_END) return GIVE_UP;
    return complete(r) ? GO_ON : GIVE_UP;
}

static int64_t count_of(const mli_param *list)
{
    int64_t n = 0;
    while (list && list[n].name) n++;
    return n;
}

/* An empty set again. */
static void undo(ml_params *p)
{
    for (int64_t i = 0; i < p->count; i++) mli_value_free(p->ctx, &p->values[i]);
    mli_free(p->ctx, p->texts);
    p->texts = NULL;
    p->count = 0;
}

ml_status mli_params_from_json_stored(ml_params *p, const mli_descriptor *d,
                                      const char *text, size_t size, int *done,
                                      ml_error *err)
{
    reader r = {.p = p};
    size_t room = 2 * size + 64;
    int64_t n = count_of(d->params) + count_of(d->roles);
    *done = 0;
    if (size > MLI_PARAMS_READ_MAX * (size_t)64) return ML_OK;
    p->texts = mli_alloc(p->ctx, room);
    if (!p->texts || !mli_reserve(p->ctx, &p->values, &p->capacity, n, sizeof *p->values))
        return mli_nomem(err);
    r.to = p->texts;
    r.end = p->texts + room;
    mli_json_open(&r.j, text, size);
    int code = push(&r, "", 0, d);
    if (code == GO_ON) code = read_all(&r);
    *done = code == GO_ON;
    if (!*done) undo(p);
    mli_free(p->ctx, r.frames);
    return code < 0 ? mli_nomem(err) : ML_OK;
}
