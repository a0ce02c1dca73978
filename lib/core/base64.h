/* SPDX-License-Identifier: MIT
 *
 * core/base64.h: bytes as text (RFC 4648, section 4).
 */
#ifndef MLI_CORE_BASE64_H
#define MLI_CORE_BASE64_H

#include "core/text.h"

void mli_base64_write(mli_str *s, const void *data, size_t n);
/* Exactly n bytes; 0 when the text is not that. */
int mli_base64_read(const char *text, size_t size, void *out, size_t n);
/* How many bytes a text of that length stands for, padding looked at; -1: none. */
int64_t mli_base64_bytes(const char *text, size_t size);

#endif
