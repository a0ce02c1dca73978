/* SPDX-License-Identifier: MIT
 *
 * tests/algorithms/csv_text.h: a table from CSV text.
 */
#ifndef ML_CSV_TEXT_H
#define ML_CSV_TEXT_H

#include "testing.h"

typedef struct csv_text_source {
    const char *at;
    size_t left;
} csv_text_source;

static inline int64_t csv_text_read(void *data, size_t size, void *user)
{
    csv_text_source *s = user;
    if (size > s->left) size = s->left;
    memcpy(data, s->at, size);
    s->at += size;
    s->left -= size;
    return (int64_t)size;
}

static inline ml_table *csv_text(ml_context *ctx, const char *text)
{
    csv_text_source s = {text, strlen(text)};
    ml_io io = ML_IO_INIT;
    ml_table *t = NULL;
    io.read = csv_text_read;
    io.user = &s;
    OK(ml_table_read_csv_io(ctx, &io, NULL, &t, ERR));
    return t;
}

#endif
