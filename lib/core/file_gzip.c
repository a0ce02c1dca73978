/* SPDX-License-Identifier: MIT
 *
 * file_gzip.c: gzip by libz.so.1, which is loaded at first need: programs that never meet
 * a compressed file need no zlib. The layout of zlib's stream and its numbers are part
 * of that library's stable binary interface and are repeated here.
 */
#include "core/file_gzip.h"

#include <dlfcn.h>
#include <limits.h>
#include <string.h>

typedef struct zlib_stream {
    const unsigned char *next_in;
    unsigned int avail_in;
    unsigned long total_in;
    unsigned char *next_out;
    unsigned int avail_out;
    unsigned long total_out;
    const char *msg;
    void *state;
    void *(*zalloc)(void *opaque, unsigned int items, unsigned int size);
    void (*zfree)(void *opaque, void *block);
    void *opaque;
    int data_type;
    unsigned long adler, reserved;
} zlib_stream;

#define Z_FINISH     4
#define Z_STREAM_END 1
#define Z_OK         0
#define Z_MEM_ERROR  (-4)
#define Z_BUF_ERROR  (-5)
#define Z_DEFLATED   8
#define WINDOW_GZIP  (15 + 16) /* the largest window, with gzip's head and tail */
#define LEVEL        6
#define MEMORY_LEVEL 8
#define VERSION      "1.2.11" /* only the first number is compared */

struct mli_gzip {
    ml_context *ctx;
    void *library;
    int deflate, open;
    zlib_stream stream;
    int (*step)(zlib_stream *stream, int flush);
    int (*end)(zlib_stream *stream);
    int (*reset)(zlib_stream *stream);
};

static void *zlib_alloc(void *ctx, unsigned int items, unsigned int size)
{
    return mli_calloc(ctx, items, size);
}

static void zlib_free(void *ctx, void *block)
{
    mli_free(ctx, block);
}

/* Converts what dlsym gives into a function. */
static int look_up(void *library, const char *name, void *function)
{
    void *address = dlsym(library, name);
    memcpy(function, &address, sizeof address);
    return address != NULL;
}

static int start_inflate(mli_gzip *g)
{
    int (*init)(zlib_stream *, int, const char *, int) = NULL;
    if (!look_up(g->library, "inflateInit2_", &init) ||
        !look_up(g->library, "inflate", &g->step) ||
        !look_up(g->library, "inflateEnd", &g->end) ||
        !look_up(g->library, "inflateReset", &g->reset)) {
        return Z_BUF_ERROR;
    }
    return init(&g->stream, WINDOW_GZIP, VERSION, (int)sizeof g->stream);
}

static int start_deflate(mli_gzip *g)
{
    int (*init)(zlib_stream *, int, int, int, int, int, const char *, int) = NULL;
    if (!look_up(g->library, "deflateInit2_", &init) ||
        !look_up(g->library, "deflate", &g->step) ||
        !look_up(g->library, "deflateEnd", &g->end)) {
        return Z_BUF_ERROR;
    }
    return init(&g->stream, LEVEL, Z_DEFLATED, WINDOW_GZIP, MEMORY_LEVEL, 0, VERSION,
                (int)sizeof g->stream);
}

static ml_status no_zlib(ml_error *err)
{
    mli_fail(err, ML_E_UNSUPPORTED,
             "gzip needs the library libz.so.1, which is not there");
    return mli_error_hint(err, ML_E_UNSUPPORTED,
                          "install zlib (package zlib1g or zlib), or use a file that is "
                          "not compressed");
}

ml_status mli_gzip_open(ml_context *ctx, int deflate, mli_gzip **out, ml_error *err)
{
    mli_gzip *g = mli_calloc(ctx, 1, sizeof *g);
    if (!g) return mli_nomem(err);
    g->ctx = ctx;
    g->deflate = deflate;
    g->stream.zalloc = zlib_alloc;
    g->stream.zfree = zlib_free;
    g->stream.opaque = ctx;
    g->library = dlopen("libz.so.1", RTLD_NOW | RTLD_LOCAL);
    int code = !g->library ? Z_BUF_ERROR : deflate ? start_deflate(g) : start_inflate(g);
    if (code != Z_OK) {
        mli_gzip_close(g);
        return code == Z_MEM_ERROR ? mli_nomem(err) : no_zlib(err);
    }
    g->open = 1;
    *out = g;
    return ML_OK;
}

int mli_gzip_again(mli_gzip *g)
{
    return g->reset(&g->stream) == Z_OK ? MLI_GZIP_MORE : MLI_GZIP_CORRUPT;
}

int mli_gzip_step(mli_gzip *g, const char **in, size_t *in_left, char **out,
                  size_t *out_left, int finish)
{
    unsigned int give = *in_left < UINT_MAX ? (unsigned int)*in_left : UINT_MAX;
    unsigned int take = *out_left < UINT_MAX ? (unsigned int)*out_left : UINT_MAX;
    g->stream.next_in = (const unsigned char *)*in;
    g->stream.avail_in = give;
    g->stream.next_out = (unsigned char *)*out;
    g->stream.avail_out = take;
    int code = g->step(&g->stream, finish && give == *in_left ? Z_FINISH : 0);
    *in += give - g->stream.avail_in;
    *in_left -= give - g->stream.avail_in;
    *out += take - g->stream.avail_out;
    *out_left -= take - g->stream.avail_out;
    if (code == Z_STREAM_END) return MLI_GZIP_END;
    if (code == Z_OK || code == Z_BUF_ERROR) return MLI_GZIP_MORE;
    return code == Z_MEM_ERROR ? MLI_GZIP_NO_MEMORY : MLI_GZIP_CORRUPT;
}

void mli_gzip_close(mli_gzip *g)
{
    if (!g) return;
    if (g->open) g->end(&g->stream);
    if (g->library) dlclose(g->library);
    mli_free(g->ctx, g);
}
