/* SPDX-License-Identifier: MIT */
#include "core/context.h"

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)
#define VERSION                                                                          \
    TEXT(ML_VERSION_MAJOR) "." TEXT(ML_VERSION_MINOR) "." TEXT(ML_VERSION_PATCH)

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER "gcc " __VERSION__
#else
#define COMPILER "unknown"
#endif
#if defined(__x86_64__)
#define TARGET  "x86_64"
#define KERNELS "[\"scalar\", \"avx2\", \"avx512\"]"
#elif defined(__aarch64__)
#define TARGET  "aarch64"
#define KERNELS "[\"scalar\", \"neon\"]"
#else
#define TARGET  "other"
#define KERNELS "[\"scalar\"]"
#endif

const char *ml_version(void)
{
    return VERSION;
}

const char *mli_build_info(void)
{
    return "{\"compiler\": \"" COMPILER
           "\", \"target\": \"" TARGET "\", \"kernels\": " KERNELS "}";
}

const char *ml_status_name(ml_status status)
{
    static const char *const names[] = {
        "ML_OK",         "ML_E_ARGUMENT",    "ML_E_RANGE",   "ML_E_NAME",
        "ML_E_TYPE",     "ML_E_SHAPE",       "ML_E_DATA",    "ML_E_PARSE",
        "ML_E_FORMAT",   "ML_E_IO",          "ML_E_MEMORY",  "ML_E_CANCELLED",
        "ML_E_STATE",    "ML_E_UNSUPPORTED", "ML_E_NUMERIC", "ML_E_CALLBACK",
        "ML_E_INTERNAL",
    };
    int64_t i = -(int64_t)status;
    if (i < 0 || i >= (int64_t)(sizeof names / sizeof names[0])) return "ML_E_UNKNOWN";
    return names[i];
}
