/* SPDX-License-Identifier: MIT
 *
 * core/spill.h: memory that lives in a file. A spill is a temporary file without a name;
 * a room is a growing block of bytes in such a file, or in memory. The system may drop
 * the pages of a file whenever it needs room, so that what is larger than memory can be
 * made and read. Space is taken from the disk before it is mapped: a full disk is an
 * error of growing, not of writing.
 */
#ifndef MLI_CORE_SPILL_H
#define MLI_CORE_SPILL_H

#include "core/context.h"

typedef struct mli_spill mli_spill;

/* A new file in the folder. Nothing of it is left when the last mapping is gone, nor when
 * the process is killed. */
ml_status mli_spill_open(ml_context *ctx, const char *folder, mli_spill **out,
                         ml_error *err);
/* Another file in the same folder. NULL gives NULL. */
ml_status mli_spill_again(const mli_spill *s, mli_spill **out, ml_error *err);
mli_spill *mli_spill_ref(mli_spill *s); /* NULL is fine */
void mli_spill_free(mli_spill *s);
/* No room will grow any more: closes the file, which lives on in its mappings. */
void mli_spill_seal(mli_spill *s);
/* Why a room could not grow: the file's first failure, else a lack of memory. */
ml_status mli_spill_error(mli_spill *s, ml_error *err);

typedef struct mli_room {
    ml_context *ctx;
    mli_spill *spill; /* NULL: always memory. Not counted. */
    void *data;
    size_t size;              /* bytes that may be used */
    struct mli_extents *file; /* NULL: in memory */
    int loose;                /* 16-byte alignment will do in memory: cheap to grow */
} mli_room;

void mli_room_init(mli_room *r, ml_context *ctx, mli_spill *spill);
void mli_room_free(mli_room *r);
/* Makes room for `need` bytes at least, 64-byte aligned; the first `used` ones stay. New
 * bytes hold anything. Blocks below 64 KiB stay in memory. Rooms of one spill may grow in
 * several threads. 1 on success; else all is as it was. */
int mli_room_grow(mli_room *r, size_t used, size_t need);
/* Hands the first `size` bytes over as a counted buffer, read-only when they are in a
 * file; the rest is given back. NULL when out of memory: the room stays. */
mli_buffer *mli_room_buffer(mli_room *r, size_t size);

/* A zeroed buffer as mli_buffer_new makes, in the spill unless that is NULL or the buffer
 * small. It can be written until sealed. */
mli_buffer *mli_spill_buffer(ml_context *ctx, mli_spill *s, size_t size,
                             void *data /* void ** */);
void mli_spill_buffer_seal(mli_buffer *b); /* any buffer, NULL too */

#endif
