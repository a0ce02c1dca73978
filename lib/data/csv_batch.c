/* SPDX-License-Identifier: MIT
 *
 * csv_batch.c: the bytes of a file or stream in batches: the byte order mark taken off,
 * other encodings recoded, and streams, which cannot be read twice, remembered.
 *
 * A batch is a fixed number of bytes: small at first, so that small files need little
 * memory, then larger. It is laid out with room in front for the unfinished record of the
 * batch before.
 */
#include "data/csv.h"

#include <string.h>
#include <sys/stat.h>

#define FRONT ((size_t)64 << 10)

/* Can the path be opened again and give the same? */
static int is_regular_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static ml_status open_source(mli_csv_input *in, ml_error *err)
{
    in->first = 1;
    in->ended = 0;
    in->step = in->sizes.first;
    if (in->path) return mli_source_open(in->ctx, in->path, &in->source, err);
    return mli_source_open_io(in->ctx, in->io, &in->source, err);
}

ml_status mli_csv_input_open(ml_context *ctx, const char *path, const ml_io *io,
                             int latin1, mli_csv_sizes sizes, mli_spill *spill,
                             mli_csv_input *in, ml_error *err)
{
    *in = (mli_csv_input){.ctx = ctx,
                          .path = path,
                          .io = io,
                          .latin1 = latin1,
                          .sizes = sizes,
                          .spill = spill};
    in->name = path ? path : "the stream";
    in->again = path && is_regular_file(path);
    size_t raw = sizes.first > sizes.step ? sizes.first : sizes.step;
    ml_status st = open_source(in, err);
    if (st == ML_OK && latin1 && !(in->raw = mli_alloc(ctx, raw))) st = mli_nomem(err);
    if (st != ML_OK) mli_csv_input_close(in);
    return st;
}

ml_status mli_csv_input_rewind(mli_csv_input *in, ml_error *err)
{
    in->kept_at = 0;
    if (!in->again) return ML_OK;
    mli_source_close(in->source);
    in->source = NULL;
    return open_source(in, err);
}

void mli_csv_input_close(mli_csv_input *in)
{
    if (in->source) mli_source_close(in->source);
    for (int64_t i = 0; i < in->n_kept; i++) mli_room_free(&in->kept[i].bytes);
    mli_free(in->ctx, in->kept);
    mli_free(in->ctx, in->raw);
    *in = (mli_csv_input){.ctx = in->ctx};
}

void mli_csv_batch_free(ml_context *ctx, mli_csv_batch *b)
{
    mli_free(ctx, b->memory);
    *b = (mli_csv_batch){0};
}

/* Room for `front` bytes in front of `room` others. What was in the batch is lost. */
static ml_status make_room(ml_context *ctx, mli_csv_batch *b, size_t room, ml_error *err)
{
    if (b->room < room) {
        mli_csv_batch_free(ctx, b);
        b->memory = mli_alloc(ctx, FRONT + room + MLI_CSV_PAD);
        if (!b->memory) return mli_nomem(err);
        b->room = room;
        memset(b->memory, 0, FRONT);
    }
    b->text = b->memory + FRONT;
    b->size = 0;
    return ML_OK;
}

/* Reads until the buffer is full or the source ends. */
static ml_status fill(mli_csv_input *in, char *to, size_t size, size_t *got,
                      ml_error *err)
{
    *got = 0;
    while (*got < size && !in->ended) {
        size_t n = 0;
        ml_status st = mli_source_read(in->source, to + *got, size - *got, &n, err);
        if (st != ML_OK) return st;
        if (n == 0) in->ended = 1;
        *got += n;
    }
    return ML_OK;
}

/* The characters of Windows-1252 at 0x80 to 0x9f; 0 where there is none. */
static const uint16_t windows[32] = {
    0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
    0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0,      0x017d, 0,
    0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
    0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178};

/* Writes at most three times as many bytes. */
static size_t recode(const char *from, size_t size, char *to)
{
    char *out = to;
    for (size_t i = 0; i < size; i++) {
        uint8_t c = (uint8_t)from[i];
        if (c < 0x80) {
            *out++ = (char)c;
            continue;
        }
        unsigned u = c < 0xa0 && windows[c - 0x80] ? windows[c - 0x80] : c;
        if (u >= 0x800) {
            *out++ = (char)(0xe0 | u >> 12);
            *out++ = (char)(0x80 | (u >> 6 & 0x3f));
        } else {
            *out++ = (char)(0xc0 | u >> 6);
        }
        *out++ = (char)(0x80 | (u & 0x3f));
    }
    return (size_t)(out - to);
}

static ml_status wrong_kind(const mli_csv_input *in, const char *what, const char *hint,
                            ml_error *err)
{
    mli_fail(err, ML_E_PARSE, "this is %s, not delimited text", what);
    mli_error_at(err, ML_E_PARSE, "%s", in->name);
    return mli_error_hint(err, ML_E_PARSE, "%s", hint);
}

static int is_printable(const char *text)
{
    for (; *text; text++) {
        if ((uint8_t)*text < ' ' || (uint8_t)*text > '~') return 0;
    }
    return 1;
}

/* Eight bytes of a length and a header in JSON: libml's own models, and others. */
static int is_safetensors(const char *p, size_t size)
{
    return size > 9 && memcmp(p + 5, "\0\0", 3) == 0 && p[8] == '{' && p[9] == '"';
}

/* Files that are often taken for CSV, by their first bytes. */
static ml_status check_kind(const mli_csv_input *in, const char *p, size_t size,
                            ml_error *err)
{
    static const struct {
        const char *magic;
        size_t size;
        const char *what, *hint;
    } kinds[] = {
        {"PK\3\4", 4, "a ZIP archive or a workbook", "save it as CSV first"},
        {"\xd0\xcf\x11\xe0", 4, "an old workbook", "save it as CSV first"},
        {"PAR1", 4, "a Parquet file", "convert it to CSV, or read it through Arrow"},
        {"ARROW1", 6, "an Arrow file", "read it through Arrow"},
        {"\xff\xfe", 2, "UTF-16 text", "convert it to UTF-8"},
        {"\xfe\xff", 2, "UTF-16 text", "convert it to UTF-8"},
        {"\x28\xb5\x2f\xfd", 4, "data compressed with zstd", "decompress it first"},
        {"BZh", 3, "data compressed with bzip2", "decompress it first"},
        {"\xfd"
         "7zXZ",
         5, "data compressed with xz", "decompress it first"},
        {"\x89PNG", 4, "a picture", "give a CSV file"},
        {"%PDF", 4, "a PDF document", "give a CSV file"},
        {"\x7f"
         "ELF",
         4, "a program", "give a CSV file"},
        {"SQLite format 3", 15, "a database", "export the table as CSV first"},
    };
    if (is_safetensors(p, size))
        return wrong_kind(in, "a model file", "give a CSV file where the data belong",
                          err);
    /* What looks like the name of a column must be followed by a zero byte. */
    int binary = memchr(p, 0, size < 4096 ? size : 4096) != NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (size >= kinds[i].size && memcmp(p, kinds[i].magic, kinds[i].size) == 0 &&
            (binary || !is_printable(kinds[i].magic)))
            return wrong_kind(in, kinds[i].what, kinds[i].hint, err);
    }
    return ML_OK;
}

/* Remembers what a stream gave. */
static ml_status keep(mli_csv_input *in, const mli_csv_batch *b, ml_error *err)
{
    if (in->n_kept % 64 == 0) {
        mli_csv_kept *kept =
            mli_realloc(in->ctx, in->kept, (size_t)(in->n_kept + 64) * sizeof *kept);
        if (!kept) return mli_nomem(err);
        in->kept = kept;
    }
    mli_csv_kept copy = {.size = b->size, .last = b->last};
    mli_room_init(&copy.bytes, in->ctx, in->spill);
    if (!mli_room_grow(&copy.bytes, 0, b->size + 1))
        return mli_spill_error(in->spill, err);
    if (b->size) memcpy(copy.bytes.data, b->text, b->size);
    in->kept[in->n_kept++] = copy;
    in->kept_at = in->n_kept;
    return ML_OK;
}

static ml_status repeat(mli_csv_input *in, mli_csv_batch *b, ml_error *err)
{
    const mli_csv_kept *kept = &in->kept[in->kept_at++];
    ml_status st = make_room(in->ctx, b, kept->size, err);
    if (st != ML_OK) return st;
    if (kept->size) memcpy(b->text, kept->bytes.data, kept->size);
    b->size = kept->size;
    b->last = kept->last;
    return ML_OK;
}

ml_status mli_csv_input_next(mli_csv_input *in, mli_csv_batch *b, ml_error *err)
{
    if (in->kept_at < in->n_kept) return repeat(in, b, err);
    size_t got, step = in->step;
    ml_status st = make_room(in->ctx, b, in->latin1 ? step * 3 : step, err);
    if (st != ML_OK) return st;
    st = fill(in, in->latin1 ? in->raw : b->text, step, &got, err);
    if (st != ML_OK) return st;
    in->step = in->sizes.step;
    b->size = in->latin1 ? recode(in->raw, got, b->text) : got;
    b->last = in->ended;
    if (in->first) {
        in->first = 0;
        st = check_kind(in, in->latin1 ? in->raw : b->text, got, err);
        if (st == ML_OK && b->size >= 3 && memcmp(b->text, "\xef\xbb\xbf", 3) == 0) {
            b->text += 3;
            b->size -= 3;
        }
    }
    if (st == ML_OK && !in->again) st = keep(in, b, err);
    return st;
}

ml_status mli_csv_batch_carry(mli_csv_input *in, mli_csv_batch *b, const char *tail,
                              size_t size, ml_error *err)
{
    size_t front = (size_t)(b->text - b->memory);
    if (size > front - MLI_CSV_PAD) {
        size_t room = b->size + size;
        mli_csv_batch larger = {0};
        ml_status st = make_room(in->ctx, &larger, room, err);
        if (st != ML_OK) return st;
        if (b->size) memcpy(larger.text + size, b->text, b->size);
        memcpy(larger.text, tail, size);
        larger.size = room;
        larger.last = b->last;
        mli_csv_batch_free(in->ctx, b);
        *b = larger;
    } else if (size) {
        memcpy(b->text - size, tail, size);
        b->text -= size;
        b->size += size;
    }
    memset(b->text + b->size, 0, MLI_CSV_PAD);
    return ML_OK;
}
