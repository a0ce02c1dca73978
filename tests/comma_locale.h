/* SPDX-License-Identifier: MIT
 *
 * tests/comma_locale.h: a locale whose decimal point is a comma, made on the spot with
 * localedef, so that no locale needs to be installed.
 */
#ifndef ML_COMMA_LOCALE_H
#define ML_COMMA_LOCALE_H

#include "testing.h"
#include <locale.h>

static inline int comma_write(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    FILE *f = fopen(path, "w");
    return f && fputs(text, f) >= 0 && fclose(f) == 0;
}

/* 1 when numbers of the C library have a comma from now on. */
static inline int comma_locale(void)
{
    char command[512], text[32];
    if (!comma_write("comma.src", "comment_char %\nescape_char /\nLC_NUMERIC\n"
                                  "decimal_point \",\"\nthousands_sep \".\"\n"
                                  "grouping 3;3\nEND LC_NUMERIC\n") ||
        !comma_write("ascii.map",
                     "<code_set_name> ASCII\n<comment_char> %\n"
                     "<escape_char> /\nCHARMAP\n<U0020> /x20 SPACE\n"
                     "<U002C> /x2c COMMA\n<U002E> /x2e DOT\nEND CHARMAP\n")) {
        return 0;
    }
    snprintf(command, sizeof command,
             "cd '%s' && localedef -c -i comma.src -f ./ascii.map %s/xx_XX 2>/dev/null",
             test_folder(), test_folder());
    if (system(command) < 0 || setenv("LOCPATH", test_folder(), 1) != 0) return 0;
    if (!setlocale(LC_NUMERIC, "xx_XX")) return 0;
    snprintf(text, sizeof text, "%.1f", 0.5);
    return strcmp(text, "0,5") == 0;
}

#endif
