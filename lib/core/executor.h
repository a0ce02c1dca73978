/* SPDX-License-Identifier: MIT
 *
 * core/executor.h: loops on the threads of the host. Used by mli_parallel only.
 */
#ifndef MLI_CORE_EXECUTOR_H
#define MLI_CORE_EXECUTOR_H

#include "core/parallel.h"

#define MLI_EXECUTOR_MOST 4096 /* the largest executor_concurrency */

/* Runs tasks 0..n-1 through host->parallel_for, each exactly once. */
void mli_executor_run(const ml_host *host, int64_t n, mli_task fn, void *arg);

#endif
