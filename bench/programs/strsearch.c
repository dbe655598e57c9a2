/* String search: naive, Boyer-Moore-Horspool and Knuth-Morris-Pratt over log text, and a matcher with ? and *. */
#include "bench.h"

#define TEXT 2048

static char text[TEXT + 1];
static const char fragments[] = "connect to broker failed; retry in 30 s. temperature=21.50C humidity=48% node=esp32-7f "
                                "wifi rssi -71 dBm heap 182344 uptime 93211 ";
static const char *const patterns[] = {"temperature=", "node=esp32-7f wifi", "heap 182345", "uptime", "retry in 30 s. t",
                                       "zz"};

static u32 length_of(const char *s)
{
    u32 n = 0;
    while (s[n] != 0) n++;
    return n;
}

static i32 search_naive(const char *s, u32 n, const char *pattern, u32 m)
{
    for (u32 i = 0; i + m <= n; i++) {
        u32 j = 0;
        while (j < m && s[i + j] == pattern[j]) j++;
        if (j == m) return (i32)i;
    }
    return -1;
}

static i32 search_horspool(const char *s, u32 n, const char *pattern, u32 m)
{
    u8 skip[256];
    for (u32 i = 0; i < 256; i++) skip[i] = (u8)m;
    for (u32 i = 0; i + 1 < m; i++) skip[(u8)pattern[i]] = (u8)(m - 1 - i);
    for (u32 at = 0; at + m <= n; at += skip[(u8)s[at + m - 1]]) {
        u32 j = m;
        while (j > 0 && s[at + j - 1] == pattern[j - 1]) j--;
        if (j == 0) return (i32)at;
    }
    return -1;
}

static u32 count_kmp(const char *s, u32 n, const char *pattern, u32 m)
{
    u8 failure[64];
    failure[0] = 0;
    for (u32 i = 1, k = 0; i < m; i++) {
        while (k > 0 && pattern[i] != pattern[k]) k = failure[k - 1];
        if (pattern[i] == pattern[k]) k++;
        failure[i] = (u8)k;
    }
    u32 found = 0;
    for (u32 i = 0, k = 0; i < n; i++) {
        while (k > 0 && s[i] != pattern[k]) k = failure[k - 1];
        if (s[i] == pattern[k]) k++;
        if (k == m) {
            found++;
            k = failure[k - 1];
        }
    }
    return found;
}

static int matches(const char *s, const char *glob)
{
    const char *star = NULL, *resume = s;
    while (*s != 0) {
        if (*glob == '*') {
            star = glob++;
            resume = s;
        } else if (*glob == '?' || *glob == *s) {
            glob++;
            s++;
        } else if (star != NULL) {
            glob = star + 1;
            s = ++resume;
        } else {
            return 0;
        }
    }
    while (*glob == '*') glob++;
    return *glob == 0;
}

u32 run(u32 n)
{
    u32 seed = 3, sum = 0;
    for (u32 round = 0; round < n; round++) {
        u32 from = next_random(&seed);
        for (u32 i = 0; i < TEXT; i++) {
            text[i] = fragments[(from + i) % (sizeof fragments - 1)];
            if (i % 97 == 96) from += next_random(&seed) & 63;
        }
        for (u32 p = 0; p < COUNT_OF(patterns); p++) {
            u32 m = length_of(patterns[p]);
            sum = mix(sum, (u32)search_naive(text, TEXT, patterns[p], m));
            sum = mix(sum, (u32)search_horspool(text, TEXT, patterns[p], m));
            sum = mix(sum, count_kmp(text, TEXT, patterns[p], m));
        }
        sum = mix(sum, (u32)matches(text, "*failed;*node=*-7f*up?ime*s. tem*"));
    }
    return sum;
}
