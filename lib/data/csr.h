/* SPDX-License-Identifier: MIT
 *
 * data/csr.h: rows of which only some values are stored, in the host's memory
 * (CSR): row i has the elements offsets[i] .. offsets[i + 1] - 1.
 */
#ifndef MLI_DATA_CSR_H
#define MLI_DATA_CSR_H

#include <stdint.h>

typedef struct mli_csr {
    const void *offsets, *columns; /* int64_t when `wide`, else int32_t */
    const void *values;            /* float when `floats`, else double */
    int32_t wide, floats;
    int64_t count;
    double absent; /* the value of features that a row does not list */
} mli_csr;

static inline int64_t mli_csr_index(const mli_csr *s, const void *list, int64_t i)
{
    return s->wide ? ((const int64_t *)list)[i] : ((const int32_t *)list)[i];
}

static inline int64_t mli_csr_offset(const mli_csr *s, int64_t row)
{
    return mli_csr_index(s, s->offsets, row);
}

static inline int64_t mli_csr_column(const mli_csr *s, int64_t at)
{
    return mli_csr_index(s, s->columns, at);
}

static inline double mli_csr_value(const mli_csr *s, int64_t at)
{
    return s->floats ? (double)((const float *)s->values)[at]
                     : ((const double *)s->values)[at];
}

#endif
