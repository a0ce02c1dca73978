/* SPDX-License-Identifier: MIT
 *
 * catalog.c: the list of everything that has a descriptor, the one place that sees every
 * folder. Adding an algorithm, an option set or a metric is one line here, in order of
 * the names (a test checks it).
 */
#include "algorithms/algorithm.h"

/* ALGORITHM(symbol): an mli_algorithm. OTHER(symbol): a plain mli_descriptor. */
#define ENTRIES(ALGORITHM, OTHER)

#define DECLARE_ALGORITHM(symbol) extern const mli_algorithm symbol;
#define DECLARE_OTHER(symbol) extern const mli_descriptor symbol;
ENTRIES(DECLARE_ALGORITHM, DECLARE_OTHER)

#define LIST_ALGORITHM(symbol) &symbol.head,
#define LIST_OTHER(symbol) &symbol,
const mli_descriptor *const mli_catalog[] = {ENTRIES(LIST_ALGORITHM, LIST_OTHER) NULL};
