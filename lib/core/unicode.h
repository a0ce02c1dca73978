/* SPDX-License-Identifier: MIT
 *
 * core/unicode.h: code points: reading them, their classes, simple case folding, letters
 * without marks, and the words of a text.
 */
#ifndef MLI_CORE_UNICODE_H
#define MLI_CORE_UNICODE_H

#include <stddef.h>
#include <stdint.h>

/* Word_Break classes as far as words need them, and flags. */
enum {
    MLI_WB_OTHER,
    MLI_WB_LETTER, /* ALetter, Hebrew_Letter */
    MLI_WB_NUMBER, /* Numeric */
    MLI_WB_KATAKANA,
    MLI_WB_JOINER, /* ExtendNumLet: '_' and its like */
    MLI_WB_MID_LETTER,
    MLI_WB_MID_NUMBER,
    MLI_WB_MID_BOTH, /* MidNumLet, Single_Quote */
    MLI_WB_EXTEND,   /* Extend, Format, ZWJ */
    MLI_WB_ALONE,    /* a letter or number that is a word: ideographs, Hiragana */
    MLI_WB_RUN,      /* of scripts that need a dictionary (Thai, Lao, ...) */
    MLI_WB_MASK = 15
};
#define MLI_CHAR_WORD  16 /* a letter, a number or '_' */
#define MLI_CHAR_MARK  32 /* a nonspacing mark */
#define MLI_CHAR_SPACE 64

/* The code point at text[*at], which moves on; damaged bytes give U+FFFD each. *at must
 * be less than size. */
uint32_t mli_utf8_next(const char *text, size_t size, size_t *at);
int mli_utf8_put(uint32_t c, char out[4]); /* returns the number of bytes */
unsigned mli_char_class(uint32_t c);
uint32_t mli_char_fold(uint32_t c); /* simple case folding */
uint32_t mli_char_base(uint32_t c); /* a letter without its marks, or c */

/* The next word from *at on, by the word boundaries of Unicode (UAX #29, rules WB4 to
 * WB13 without the Hebrew double quote): letters and numbers with what joins them.
 * Ideographs and Hiragana are words of one character; runs of scripts that need a
 * dictionary are one word. 0 when there is none. */
int mli_word_next(const char *text, size_t size, size_t *at, size_t *begin, size_t *end);
/* The same for runs of letters, numbers and '_'. */
int mli_run_next(const char *text, size_t size, size_t *at, size_t *begin, size_t *end);

#endif
