/* SPDX-License-Identifier: MIT
 *
 * suggest.c: the name that was meant. Distance: letters that are left out, added,
 * replaced, or exchanged with the next.
 */
#include "app.h"

#include <string.h>

#define LONGEST 32

static int least(int a, int b)
{
    return a < b ? a : b;
}

static int distance(const char *x, const char *y)
{
    int d[3][LONGEST + 1], n = (int)strlen(x), m = (int)strlen(y);
    if (n > LONGEST || m > LONGEST) return LONGEST;
    for (int j = 0; j <= m; j++) d[0][j] = j;
    for (int i = 1; i <= n; i++) {
        int *now = d[i % 3], *last = d[(i + 2) % 3], *before = d[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= m; j++) {
            now[j] = least(last[j] + 1, now[j - 1] + 1);
            now[j] = least(now[j], last[j - 1] + (x[i - 1] != y[j - 1]));
            if (i > 1 && j > 1 && x[i - 1] == y[j - 2] && x[i - 2] == y[j - 1])
                now[j] = least(now[j], before[j - 2] + 1);
        }
    }
    return d[n % 3][m];
}

void suggest(const char *given, const char *name, const char **best, int *nearest)
{
    int d = distance(given, name), most = (int)strlen(given) / 3 + 1;
    if (d > most || d >= (int)strlen(name) || (*best && d >= *nearest)) return;
    *best = name;
    *nearest = d;
}
