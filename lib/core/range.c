/* SPDX-License-Identifier: MIT
 *
 * range.c: ranges of parameters as text: "[1, 64]", "(0, inf)", "log [1e-3, 0.3]",
 * "[10, 200] step 10", "{gini, entropy}".
 */
#include "core/params.h"

#include <math.h>
#include <string.h>

static const char *skip(const char *p)
{
    while (*p == ' ') p++;
    return p;
}

/* Takes a number that ends at one of `stops`. Returns what follows, NULL if malformed. */
static const char *take_number(const char *p, const char *stops, double *real,
                               int64_t *whole, int up)
{
    p = skip(p);
    size_t n = strcspn(p, stops);
    while (n > 0 && p[n - 1] == ' ') n--;
    if (!mli_parse_f64(p, p + n, real) || isnan(*real)) return NULL;
    if (!mli_parse_i64(p, p + n, whole)) {
        double v = up ? ceil(*real) : floor(*real);
        *whole = v >= 0x1p63 ? INT64_MAX : v < -0x1p63 ? INT64_MIN : (int64_t)v;
    }
    return p + strcspn(p, stops);
}

static int parse_set(const char *p, mli_range *out)
{
    const char *end = strchr(p, '}');
    if (!end || *skip(end + 1)) return 0;
    out->is_set = 1;
    out->set = p;
    out->count = 1;
    for (; p < end; p++) out->count += *p == ',';
    for (int64_t i = 0; i < out->count; i++) {
        char item[4];
        mli_range_item(out, i, item, sizeof item);
        if (!*item) return 0;
    }
    return 1;
}

/* An open bound of integers is the next integer. */
static void close_integers(mli_range *r)
{
    if (r->open_low && r->low == (double)r->ilow && r->ilow < INT64_MAX) r->ilow++;
    if (r->open_high && r->high == (double)r->ihigh && r->ihigh > INT64_MIN) r->ihigh--;
}

int mli_range_parse(const char *text, mli_range *out)
{
    mli_range r = {0};
    if (!text) return 0;
    const char *p = skip(text);
    if (*p == '{') {
        if (!parse_set(p + 1, &r)) return 0;
        *out = r;
        return 1;
    }
    if (strncmp(p, "log ", 4) == 0) {
        r.log = 1;
        p = skip(p + 4);
    }
    if (*p != '[' && *p != '(') return 0;
    r.open_low = *p == '(';
    p = take_number(p + 1, ",", &r.low, &r.ilow, 1);
    if (!p || *p != ',') return 0;
    p = take_number(p + 1, "])", &r.high, &r.ihigh, 0);
    if (!p || !*p) return 0;
    r.open_high = *p == ')';
    p = skip(p + 1);
    if (strncmp(p, "step ", 5) == 0) {
        int64_t whole;
        p = take_number(p + 5, " ", &r.step, &whole, 0);
        if (!p || !(r.step > 0)) return 0;
        p = skip(p);
    }
    if (*p || !(r.low <= r.high) || (r.log && !(r.low > 0))) return 0;
    close_integers(&r);
    *out = r;
    return 1;
}

void mli_range_item(const mli_range *r, int64_t i, char *buffer, size_t size)
{
    const char *p = r->set;
    for (; i > 0; i--) p += strcspn(p, ",}") + 1;
    p = skip(p);
    size_t n = strcspn(p, ",}");
    while (n > 0 && p[n - 1] == ' ') n--;
    if (n >= size) n = size - 1;
    memcpy(buffer, p, n);
    buffer[n] = 0;
}
