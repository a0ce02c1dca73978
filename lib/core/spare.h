/* SPDX-License-Identifier: MIT
 *
 * core/spare.h: large blocks that were freed a moment ago, kept for the next one that
 * asks for as much. Fresh pages are cleared by the system when they are first written,
 * which costs as much as the arithmetic of most transformers; kept ones are not.
 *
 * Only blocks of the C library's allocator are kept: a host that gave its own gets each
 * block back at once. All calls may come from any thread.
 */
#ifndef MLI_CORE_SPARE_H
#define MLI_CORE_SPARE_H

#include <stdatomic.h>
#include <stddef.h>

#define MLI_SPARE_LEAST ((size_t)2 << 20)   /* bytes of a block worth keeping */
#define MLI_SPARE_MOST  ((size_t)256 << 20) /* bytes kept in all */
#define MLI_SPARE_COUNT 48                  /* blocks kept */
#define MLI_SPARE_AGE   10.0                /* seconds that an unused one stays */

typedef struct mli_spare_block {
    void *base;
    size_t total;
    double since;
} mli_spare_block;

/* Zeroed memory is an empty one. */
typedef struct mli_spares {
    atomic_flag busy;
    int n;               /* oldest first */
    atomic_size_t bytes; /* of all of them */
    mli_spare_block block[MLI_SPARE_COUNT];
} mli_spares;

/* A kept block of *total bytes or up to an eighth more, which *total becomes; or NULL. */
void *mli_spare_take(mli_spares *s, size_t *total);
/* Keeps a block of at least MLI_SPARE_LEAST bytes, from posix_memalign: 0 when it does
 * not, and the block remains the caller's. May free older ones for it. */
int mli_spare_give(mli_spares *s, void *base, size_t total);
/* Frees all. */
void mli_spare_drop(mli_spares *s);

#endif
