/* SPDX-License-Identifier: MIT
 *
 * import_flat.c: the layout of FlatBuffers. References are distances forward; a table
 * begins with the distance back to the list of its fields: the bytes of the list, those
 * of the table, and for each field its distance from the table or 0.
 */
#include "serialization/import_flat.h"

#define READS 4 /* how often each byte may be read, on the average, */
#define MORE  65536

void mli_flat_open(mli_flat *f, const void *data, size_t size)
{
    *f = (mli_flat){.data = data, .size = size};
    f->left = size > (SIZE_MAX - MORE) / READS ? SIZE_MAX : READS * size + MORE;
}

/* n bytes at a place, or NULL. */
static const unsigned char *bytes(mli_flat *f, size_t at, size_t n)
{
    if (f->bad || at > f->size || n > f->size - at || n > f->left) {
        f->bad = 1;
        return NULL;
    }
    f->left -= n;
    return f->data + at;
}

/* What the reference at a place leads to; 0: nothing. */
static size_t follow(mli_flat *f, size_t at)
{
    const unsigned char *p = bytes(f, at, 4);
    return p ? at + mli_pb_u32(p) : 0;
}

static mli_flat_table table(mli_flat *f, size_t at)
{
    mli_flat_table t = {.f = f};
    const unsigned char *p = at ? bytes(f, at, 4) : NULL;
    if (!p) return t;
    int64_t fields = (int64_t)at - (int32_t)mli_pb_u32(p);
    p = fields < 0 ? NULL : bytes(f, (size_t)fields, 4);
    int64_t size = p ? p[0] | p[1] << 8 : 0;
    if (size < 4) {
        f->bad = 1;
        return t;
    }
    t.at = at;
    t.fields = (size_t)fields + 4;
    t.n = (size - 4) / 2;
    return t;
}

mli_flat_table mli_flat_root(mli_flat *f)
{
    return table(f, follow(f, 0));
}

/* Where a field is; 0: it is absent. */
static size_t place(const mli_flat_table *t, int64_t field)
{
    if (!t->at || field >= t->n) return 0;
    const unsigned char *p = bytes(t->f, t->fields + 2 * (size_t)field, 2);
    size_t distance = p ? (size_t)(p[0] | p[1] << 8) : 0;
    return distance ? t->at + distance : 0;
}

static const unsigned char *field_bytes(const mli_flat_table *t, int64_t field, size_t n)
{
    size_t at = place(t, field);
    return at ? bytes(t->f, at, n) : NULL;
}

int64_t mli_flat_i32(const mli_flat_table *t, int64_t field, int64_t dflt)
{
    const unsigned char *p = field_bytes(t, field, 4);
    return p ? (int32_t)mli_pb_u32(p) : dflt;
}

int64_t mli_flat_u8(const mli_flat_table *t, int64_t field, int64_t dflt)
{
    const unsigned char *p = field_bytes(t, field, 1);
    return p ? p[0] : dflt;
}

double mli_flat_f32(const mli_flat_table *t, int64_t field, double dflt)
{
    const unsigned char *p = field_bytes(t, field, 4);
    return p ? (double)mli_pb_f32(mli_pb_u32(p)) : dflt;
}

double mli_flat_f64(const mli_flat_table *t, int64_t field, double dflt)
{
    const unsigned char *p = field_bytes(t, field, 8);
    return p ? mli_pb_f64(mli_pb_u64(p)) : dflt;
}

mli_flat_table mli_flat_child(const mli_flat_table *t, int64_t field)
{
    size_t at = place(t, field);
    return table(t->f, at ? follow(t->f, at) : 0);
}

/* A vector: the number of its elements, and these. */
static mli_flat_vector vector(mli_flat *f, size_t at, size_t width)
{
    mli_flat_vector v = {0};
    const unsigned char *p = at ? bytes(f, at, 4) : NULL;
    uint64_t n = p ? mli_pb_u32(p) : 0;
    if (n == 0) return v;
    if (n > SIZE_MAX / width) {
        f->bad = 1;
        return v;
    }
    v.data = bytes(f, at + 4, (size_t)n * width);
    v.n = v.data ? (int64_t)n : 0;
    return v;
}

mli_flat_vector mli_flat_list(const mli_flat_table *t, int64_t field, size_t width)
{
    size_t at = place(t, field);
    return vector(t->f, at ? follow(t->f, at) : 0, width);
}

mli_flat_table mli_flat_item(mli_flat *f, mli_flat_vector v, int64_t i)
{
    return table(f, follow(f, (size_t)(v.data - f->data) + 4 * (size_t)i));
}
