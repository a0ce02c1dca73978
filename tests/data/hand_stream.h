/* SPDX-License-Identifier: MIT
 *
 * tests/data/hand_stream.h: Arrow streams built by hand from static arrays. It counts
 * what the reader has not released yet.
 *
 *     hand_column c = {.format = "l", .name = "n", .length = 3, .buffers = {NULL, data}};
 *     hand_stream h = {.n_columns = 1, .n_batches = 1, .columns = &c};
 *     struct ArrowArrayStream stream = hand_open(&h);
 */
#ifndef ML_HAND_STREAM_H
#define ML_HAND_STREAM_H

#include "testing.h"
#include <errno.h>

typedef struct hand_column {
    const char *format, *name;
    int64_t length, offset, null_count; /* null_count -1: the reader must count */
    int64_t n_buffers;                  /* 0: as the format wants */
    const void *buffers[6];
    int64_t flags;
    const struct hand_column *dictionary;
} hand_column;

typedef struct hand_stream {
    int64_t n_columns, n_batches;
    const hand_column *columns; /* [n_batches][n_columns] */
    const int64_t *lengths;     /* [n_batches], NULL: those of the first columns */
    int64_t offset;             /* of the batches */
    const char *format;         /* NULL: "+s" */
    int64_t fail_at;            /* with `error`: the batch that fails, -1 the schema */
    const char *error;
    int code;
    int64_t next, live; /* batches given; structs not released */
} hand_stream;

static inline void hand_schema_release(struct ArrowSchema *s)
{
    for (int64_t i = 0; i < s->n_children; i++) {
        if (s->children[i]->release) s->children[i]->release(s->children[i]);
        free(s->children[i]);
    }
    if (s->dictionary && s->dictionary->release) s->dictionary->release(s->dictionary);
    free(s->dictionary);
    free(s->children);
    ((hand_stream *)s->private_data)->live--;
    s->release = NULL;
}

static inline void hand_array_release(struct ArrowArray *a)
{
    for (int64_t i = 0; i < a->n_children; i++) {
        if (a->children[i]->release) a->children[i]->release(a->children[i]);
        free(a->children[i]);
    }
    if (a->dictionary && a->dictionary->release) a->dictionary->release(a->dictionary);
    free(a->dictionary);
    free(a->children);
    free(a->buffers);
    ((hand_stream *)a->private_data)->live--;
    a->release = NULL;
}

static inline void hand_schema(hand_stream *h, const hand_column *c,
                               struct ArrowSchema *s)
{
    *s = (struct ArrowSchema){.format = c->format,
                              .name = c->name,
                              .flags = c->flags,
                              .release = hand_schema_release,
                              .private_data = h};
    h->live++;
    if (!c->dictionary) return;
    s->dictionary = calloc(1, sizeof *s->dictionary);
    hand_schema(h, c->dictionary, s->dictionary);
}

static inline int64_t hand_buffers(const char *format)
{
    if (format[0] == 'n' || format[0] == '+') return 0;
    if (strcmp(format, "vu") == 0) return 4;
    return format[0] == 'u' || format[0] == 'U' || format[0] == 'z' ? 3 : 2;
}

static inline void hand_array(hand_stream *h, const hand_column *c, struct ArrowArray *a)
{
    *a = (struct ArrowArray){.length = c->length,
                             .offset = c->offset,
                             .null_count = c->null_count,
                             .n_buffers =
                                 c->n_buffers ? c->n_buffers : hand_buffers(c->format),
                             .release = hand_array_release,
                             .private_data = h};
    a->buffers = calloc(6, sizeof *a->buffers);
    memcpy(a->buffers, c->buffers, sizeof c->buffers);
    h->live++;
    if (!c->dictionary) return;
    a->dictionary = calloc(1, sizeof *a->dictionary);
    hand_array(h, c->dictionary, a->dictionary);
}

static inline int hand_get_schema(struct ArrowArrayStream *stream,
                                  struct ArrowSchema *out)
{
    hand_stream *h = stream->private_data;
    if (h->error && h->fail_at < 0) return h->code;
    hand_column root = {.format = h->format ? h->format : "+s", .name = ""};
    hand_schema(h, &root, out);
    out->n_children = h->n_columns;
    out->children = calloc((size_t)h->n_columns + 1, sizeof *out->children);
    for (int64_t i = 0; i < h->n_columns; i++) {
        out->children[i] = calloc(1, sizeof **out->children);
        hand_schema(h, &h->columns[i], out->children[i]);
    }
    return 0;
}

static inline int hand_get_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    hand_stream *h = stream->private_data;
    memset(out, 0, sizeof *out);
    if (h->error && h->fail_at == h->next) return h->code;
    if (h->next == h->n_batches) return 0;
    const hand_column *first = h->columns + h->next * h->n_columns;
    int64_t length = h->lengths ? h->lengths[h->next] : h->n_columns ? first->length : 0;
    hand_column root = {.format = "+s", .length = length, .n_buffers = 1};
    hand_array(h, &root, out);
    out->offset = h->offset;
    out->n_children = h->n_columns;
    out->children = calloc((size_t)h->n_columns + 1, sizeof *out->children);
    for (int64_t i = 0; i < h->n_columns; i++) {
        out->children[i] = calloc(1, sizeof **out->children);
        hand_array(h, &first[i], out->children[i]);
    }
    h->next++;
    return 0;
}

static inline const char *hand_error(struct ArrowArrayStream *stream)
{
    return ((hand_stream *)stream->private_data)->error;
}

static inline void hand_release(struct ArrowArrayStream *stream)
{
    ((hand_stream *)stream->private_data)->live--;
    stream->release = NULL;
}

static inline struct ArrowArrayStream hand_open(hand_stream *h)
{
    h->live++;
    h->next = 0;
    return (struct ArrowArrayStream){hand_get_schema, hand_get_next, hand_error,
                                     hand_release, h};
}

#endif
