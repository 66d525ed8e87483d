#include "lib/text/text_clean.h"

#include <string.h>
#include <utf8proc.h>

#include "lib/base/utf8.h"
#include "lib/text/text_fix.h"

enum text_class text_class(uint32_t c) {
    /* Unicode's White_Space, which does not include U+001C..1F */
    if (c == ' ' || (c >= 9 && c <= 13) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
        (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
        c == 0x205f || c == 0x3000)
        return TEXT_SPACE;
    if (c < 0x80)
        return (c | 32) >= 'a' && (c | 32) <= 'z' ? TEXT_LETTER
             : c >= '0' && c <= '9'               ? TEXT_NUMBER : TEXT_OTHER;
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LL: case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM: case UTF8PROC_CATEGORY_LO:
        return TEXT_LETTER;
    case UTF8PROC_CATEGORY_ND: case UTF8PROC_CATEGORY_NL: case UTF8PROC_CATEGORY_NO:
        return TEXT_NUMBER;
    default:
        return TEXT_OTHER;
    }
}

/* Python's str.strip and str.split take the separators U+001C..1F for space too. */
static bool is_space(uint32_t c) {
    return text_class(c) == TEXT_SPACE || (c >= 0x1c && c <= 0x1f);
}

/* ---- lower case ---- */

/* Unicode's Case_Ignorable.  Such characters are skipped in the search for the neighbours of a sigma. */
static bool case_ignorable(uint32_t c) {
    static const uint16_t punctuation[] = {
        '\'', '.', ':', '^', '`', 0xb7, 0x387, 0x55f, 0x5f4, 0x2018, 0x2019, 0x2024, 0x2027,
        0xfe13, 0xfe52, 0xfe55, 0xff07, 0xff0e, 0xff1a};

    for (size_t i = 0; i < sizeof punctuation / sizeof *punctuation; i++)
        if (c == punctuation[i])
            return true;
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_MN: case UTF8PROC_CATEGORY_ME: case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM: case UTF8PROC_CATEGORY_SK:
        return true;
    default:
        return false;
    }
}

/* Unicode's Cased, for characters that are not case-ignorable: letters with case, and the few other characters of
 * Other_Uppercase and Other_Lowercase. */
static bool cased(uint32_t c) {
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LL: case UTF8PROC_CATEGORY_LT:
        return true;
    default:
        return c == 0xaa || c == 0xba || (c >= 0x2160 && c <= 0x217f) ||
               (c >= 0x24b6 && c <= 0x24e9) || (c >= 0x1f130 && c <= 0x1f149) ||
               (c >= 0x1f150 && c <= 0x1f169) || (c >= 0x1f170 && c <= 0x1f189);
    }
}

/* Returns true if the capital sigma at s[i] is the last letter of a word. */
static bool sigma_is_final(const uint32_t *s, size_t n, size_t i, bool cased_before) {
    size_t j = i + 1;

    while (j < n && case_ignorable(s[j]))
        j++;
    return cased_before && (j == n || !cased(s[j]));
}

/* Write s in lower case as UTF-8 into out, which has room for cap bytes and a NUL.  Returns the length of the result,
 * or cap + 1 if the result does not fit. */
static size_t put_lower(const uint32_t *s, size_t n, bool words, char *out, size_t cap) {
    bool before = false;    /* true if the last character that was not case-ignorable was cased */
    unsigned char u[8];
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        uint32_t c = s[i], low;
        int k;
        if (c < 0x80)
            low = c >= 'A' && c <= 'Z' ? c + 32 : c;
        else if (c == 0x3a3)
            low = words && sigma_is_final(s, n, i, before) ? 0x3c2 : 0x3c3;
        else if (c == 0x130)
            low = 'i';
        else
            low = (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
        if (!case_ignorable(c))
            before = cased(c);
        k = utf8_put(low, u);
        if (c == 0x130)
            k += utf8_put(0x307, u + k);
        if ((size_t)k > cap - len)
            return cap + 1;
        memcpy(out + len, u, (size_t)k);
        len += (size_t)k;
    }
    out[len] = 0;
    return len;
}

/* ---- cleaning ---- */

static size_t collapse_space(uint32_t *s, size_t n) {
    size_t k = 0;
    bool gap = false;

    for (size_t i = 0; i < n; i++) {
        if (is_space(s[i])) {
            gap = k > 0;
            continue;
        }
        if (gap)
            s[k++] = ' ';
        gap = false;
        s[k++] = s[i];
    }
    return k;
}

/* Returns true if s can skip the steps of ftfy and HTML, because these steps would change at most its white space.
 * This holds for printable ASCII and white space without "&".  U+000B does not count as white space here, because ftfy
 * removes it. */
static bool is_plain(const unsigned char *s, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (s[i] == '&' || s[i] > 126 || (s[i] < 32 && (s[i] < 9 || s[i] > 13 || s[i] == 11)))
            return false;
    return true;
}

static char *clean_plain(const unsigned char *s, size_t n, size_t *len, struct arena *a) {
    char *out = arena_take(a, n + 1, 1);
    size_t k = 0;
    bool gap = false;

    if (!out)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        if (s[i] <= 32) {
            gap = k > 0;
            continue;
        }
        if (gap)
            out[k++] = ' ';
        gap = false;
        out[k++] = (char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] + 32 : s[i]);
    }
    out[k] = 0;
    *len = k;
    return out;
}

char *text_clean(const void *text, size_t n, size_t *len, struct arena *a, struct err *e) {
    const unsigned char *s = text;
    struct points p;
    char *out;

    if (n > SIZE_MAX / 32) {
        err_set(e, "text of %zu bytes is too long", n);
        return NULL;
    }
    if (is_plain(s, n)) {
        out = clean_plain(s, n, len, a);
    } else {
        out = arena_take(a, TEXT_GROWTH * n + 1, 1);
        if (out) {
            struct arena scratch = *a;
            if (text_fix(s, n, &p, &scratch, e) < 0)
                return NULL;
            html_unescape(&p);
            html_unescape(&p);
            p.n = collapse_space(p.v, p.n);
            *len = put_lower(p.v, p.n, true, out, TEXT_GROWTH * n);
            if (*len > TEXT_GROWTH * n) {
                err_set(e, "text grows to more than %d times its size", TEXT_GROWTH);
                return NULL;
            }
        }
    }
    if (!out)
        err_set(e, "no memory for a text of %zu bytes", n);
    return out;
}

char *text_lower(const void *text, size_t n, bool words, size_t *len, struct arena *a, struct err *e) {
    const unsigned char *s = text;
    char *out = n > SIZE_MAX / 32 ? NULL : arena_take(a, TEXT_GROWTH * n + 1, 1);
    struct arena scratch = *a;
    uint32_t *v = out ? arena_take(&scratch, n, sizeof *v) : NULL;
    size_t points = 0;

    if (!v) {
        err_set(e, "no memory for a text of %zu bytes", n);
        return NULL;
    }
    for (size_t i = 0; i < n;) {
        int k = utf8_get(s + i, n - i, &v[points++]);

        if (k < 0) {
            err_set(e, "not UTF-8 at byte %zu", i);
            return NULL;
        }
        i += (size_t)k;
    }
    *len = put_lower(v, points, words, out, TEXT_GROWTH * n);
    return out;
}
