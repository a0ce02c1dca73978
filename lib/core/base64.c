/* SPDX-License-Identifier: MIT
 *
 * core/base64.c: bytes as text.
 */
#include "core/base64.h"

#include <string.h>

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void mli_base64_write(mli_str *s, const void *data, size_t n)
{
    const unsigned char *bytes = data;
    char four[4];
    for (size_t i = 0; i < n; i += 3) {
        unsigned b = (unsigned)bytes[i] << 16;
        if (i + 1 < n) b |= (unsigned)bytes[i + 1] << 8;
        if (i + 2 < n) b |= bytes[i + 2];
        for (int k = 0; k < 4; k++) four[k] = digits[b >> (18 - 6 * k) & 63];
        if (i + 1 >= n) four[2] = '=';
        if (i + 2 >= n) four[3] = '=';
        mli_str_add_n(s, four, 4);
    }
}

int64_t mli_base64_bytes(const char *text, size_t size)
{
    if (size % 4) return -1;
    if (size == 0) return 0;
    int64_t padding = text[size - 1] == '=';
    padding += padding && text[size - 2] == '=';
    return (int64_t)(size / 4 * 3) - padding;
}

int mli_base64_read(const char *text, size_t size, void *out, size_t n)
{
    unsigned char *bytes = out;
    if (mli_base64_bytes(text, size) != (int64_t)n) return 0;
    for (size_t i = 0; i < n; i += 3, text += 4) {
        unsigned b = 0;
        for (size_t k = 0; k < 4; k++) {
            int past = i + k > n; /* a digit of padding */
            const char *at = past ? digits : memchr(digits, text[k], 64);
            if (!at) return 0;
            b = b << 6 | (unsigned)(at - digits);
        }
        for (size_t k = 0; k < 3 && i + k < n; k++)
            bytes[i + k] = (unsigned char)(b >> (16 - 8 * k));
    }
    return 1;
}
