/* SPDX-License-Identifier: MIT
 *
 * ml/context.h: the context holds everything that other libraries keep global:
 * allocator, threads, log, registry of algorithms. A program may have many.
 */
#ifndef ML_CONTEXT_H
#define ML_CONTEXT_H

#include <ml/base.h>

ML_BEGIN

/* Answers of a progress callback. */
#define ML_CONTINUE 0  /* go on */
#define ML_STOP_KEEP 1 /* stop early and keep the best result so far */
#define ML_CANCEL 2    /* give up: the call returns ML_E_CANCELLED */

/* Log levels. */
#define ML_LOG_ERROR 1
#define ML_LOG_WARNING 2
#define ML_LOG_INFO 3
#define ML_LOG_DEBUG 4

/** A report of progress. Read only as far as struct_size reaches. */
typedef struct ml_progress {
    uint32_t struct_size;
    int32_t trial;        /* number of the study's trial, -1 outside studies */
    double fraction;      /* done, 0 to 1, never falling within one call */
    double elapsed;       /* seconds since the call began */
    double remaining;     /* estimated seconds to go, NaN when unknown */
    double score;         /* the latest score, NaN when there is none */
    double best_score;    /* the best score so far, NaN when there is none */
    int64_t step, steps;  /* rounds done and planned, steps 0 when unknown */
    const char *stage;    /* what is being done, such as "boosting" */
} ml_progress;

/** Called only on the thread that called the API. Answers ML_CONTINUE and so on. */
typedef int32_t (*ml_progress_fn)(const ml_progress *progress, void *user);

/** A piece of a parallel loop: does items begin to end-1. */
typedef void (*ml_task_fn)(void *arg, int64_t begin, int64_t end);

/**
 * What a host can supply. Zero means the default. Append only.
 * Initialise with ML_HOST_INIT.
 */
typedef struct ml_host {
    uint32_t struct_size;
    /* Threads of the built-in pool: 0 or 1 serial, n that many, -1 as many as CPU
     * affinity and cgroup quota allow. Nothing starts before the first parallel call. */
    int32_t threads;
    /* Allocator: all three or none. Sizes and alignments (a power of two, at most 64)
     * given to `free` and `realloc` are those of the allocation. Memory of OpenBLAS and
     * libyaml is outside of it. */
    void *(*alloc)(size_t size, size_t alignment, void *user);
    void *(*realloc)(void *block, size_t old_size, size_t new_size, size_t alignment,
                     void *user);
    void (*free)(void *block, size_t size, size_t alignment, void *user);
    void *alloc_user;
    /* Executor: runs fn(arg, begin, end) over disjoint pieces that cover 0..n-1, each of
     * about `grain` items, and returns when all are done. Must permit nesting (inline is
     * fine). Replaces the pool. */
    void (*parallel_for)(int64_t n, int64_t grain, ml_task_fn fn, void *arg, void *user);
    void *executor_user;
    /* The most pieces the executor runs at once; needed with parallel_for. */
    int32_t executor_concurrency;
    /* Threads that OpenBLAS may use, process-wide; 0 leaves the host's setting alone. */
    int32_t blas_threads;
    /* Log: one call per record, no newline; records above log_level are not made. */
    void (*log)(int32_t level, const char *module, const char *message, void *user);
    void *log_user;
    int32_t log_level; /* 0 means ML_LOG_WARNING when `log` is set */
    int32_t cpu_level; /* 0 best available, 1 scalar, 2 up to AVX2, 3 up to AVX-512 */
} ml_host;

#define ML_HOST_INIT                                                                     \
    {                                                                                    \
        (uint32_t)sizeof(ml_host), 0, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL,    \
            NULL, 0, 0                                                                   \
    }

/**
 * A byte stream supplied by the host, where a path does not do.
 * Initialise with ML_IO_INIT.
 */
typedef struct ml_io {
    uint32_t struct_size;
    int32_t flags; /* none yet */
    /* Reads up to `size` bytes; returns the number read, 0 at the end, negative on error. */
    int64_t (*read)(void *buffer, size_t size, void *user);
    /* Writes `size` bytes; returns the number written, negative on error. */
    int64_t (*write)(const void *buffer, size_t size, void *user);
    void *user;
} ml_io;

#define ML_IO_INIT                                                                       \
    {                                                                                    \
        (uint32_t)sizeof(ml_io), 0, NULL, NULL, NULL                                     \
    }

/**
 * Makes a context. With NULL: serial, silent, the C library's allocator.
 *
 * @param host   [null] what the host supplies; copied
 * @param out    [out] [own] the context
 * @param error  [null] details of a failure
 * @returns ML_OK, ML_E_ARGUMENT for a malformed host, ML_E_UNSUPPORTED, ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_context_new(const ml_host *host, ml_context **out,
                                         ml_error *error);

/**
 * Drops the caller's reference. Objects made in the context keep it alive.
 *
 * @param context  [null] the context
 * @since 0.1
 */
ML_API void ml_context_free(ml_context *context);

/**
 * Changes the number of threads of the built-in pool: 0 or 1 serial, n that many, -1 as
 * many as CPU affinity and cgroup quota allow. Results never depend on it.
 *
 * @param context  the context
 * @param threads  the number
 * @param error    [null] details of a failure
 * @returns ML_OK, ML_E_RANGE, or ML_E_STATE while a parallel call runs
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_context_set_threads(ml_context *context, int32_t threads,
                                                 ml_error *error);

/**
 * What the context runs on, as a JSON object: how the library was built (compiler, target,
 * kernels), CPU features in use, BLAS flavour and version, the threads that parallel calls
 * use ("threads", at least 1) and the most that the system allows ("thread_limit"). Not to
 * be read while another thread changes their number.
 *
 * @param context  the context
 * @returns [borrow context] JSON text
 * @since 0.1
 */
ML_API const char *ml_context_info(const ml_context *context);

/**
 * A cancel token. It may be triggered from any thread and from a signal handler.
 *
 * @param out    [out] [own] the token
 * @param error  [null] details of a failure
 * @returns ML_OK or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_cancel_new(ml_cancel **out, ml_error *error);

/**
 * Drops the caller's reference to a token.
 *
 * @param cancel  [null] the token
 * @since 0.1
 */
ML_API void ml_cancel_free(ml_cancel *cancel);

/**
 * Triggers a token: calls that watch it stop within 100 ms. Async-signal-safe.
 *
 * @param cancel  the token
 * @param mode    ML_CANCEL to give up, ML_STOP_KEEP to stop and keep the best so far,
 *                ML_CONTINUE to reset the token
 * @since 0.1
 */
ML_API void ml_cancel_request(ml_cancel *cancel, int32_t mode);

/**
 * Makes a token trigger by itself after a time.
 *
 * @param cancel   the token
 * @param seconds  from now, on the monotonic clock; negative removes the deadline
 * @param mode     ML_CANCEL or ML_STOP_KEEP
 * @since 0.1
 */
ML_API void ml_cancel_set_deadline(ml_cancel *cancel, double seconds, int32_t mode);

/**
 * Whether a token has been triggered.
 *
 * @param cancel  [null] the token
 * @returns ML_CONTINUE, ML_STOP_KEEP or ML_CANCEL
 * @since 0.1
 */
ML_API int32_t ml_cancel_state(const ml_cancel *cancel);

ML_END
#endif
