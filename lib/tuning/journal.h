/* SPDX-License-Identifier: MIT
 *
 * tuning/journal.h: an append-only file of records. A record is one line
 *
 *     J1 <16 hexadecimal digits> <bytes> <JSON>
 *
 * where the digits are the first of the SHA-256 of the JSON. A record that is damaged, or
 * was only written in part, is skipped; all whole ones are found, wherever they are.
 */
#ifndef MLI_TUNING_JOURNAL_H
#define MLI_TUNING_JOURNAL_H

#include "core/context.h"
#include "core/sha256.h"
#include "data/design.h"

typedef struct mli_journal mli_journal;

/* Opens for appending, creates the file when it is not there. Before it is read: what
 * others write in between is then found out. hold: at once. */
ml_status mli_journal_open(ml_context *ctx, const char *path, int hold, mli_journal **out,
                           ml_error *err);
void mli_journal_close(mli_journal *j); /* NULL is fine */
/* Holds the file until it is closed, or the process ends: ML_E_IO when another does, or
 * has written to it since it was opened. Where files cannot be held it does nothing. */
ml_status mli_journal_hold(mli_journal *j, ml_error *err);
/* Appends a record in one write, holding the file from the first one on, and waits for
 * the disk when `sync` is set. */
ml_status mli_journal_append(mli_journal *j, const char *json, size_t size, int sync,
                             ml_error *err);

typedef ml_status (*mli_journal_fn)(void *arg, const char *json, size_t size,
                                    ml_error *err);
/* Calls `fn` with each whole record. *records receives their number. A file that has no
 * bytes gives 0; one that is no journal ML_E_FORMAT. */
ml_status mli_journal_read(ml_context *ctx, const char *path, mli_journal_fn fn,
                           void *arg, int64_t *records, ml_error *err);
/* Adds the values, targets and weights of rows: what a journal was written for. */
ml_status mli_journal_hash(const mli_design *d, mli_sha256 *h, ml_error *err);

#endif
