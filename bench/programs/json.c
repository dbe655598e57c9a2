/* A JSON parser (RFC 8259: nesting, strings with escapes, numbers as scaled integers) that builds a tree in an arena, a
 * writer for the tree, and a path lookup. */
#include "bench.h"

enum kind { NUL, FALSE, TRUE, NUMBER, STRING, ARRAY, OBJECT };

struct value {
    enum kind kind;
    i32 number;             /* thousandths */
    const char *string;     /* bytes of a string */
    u32 length;             /* of the string */
    const char *key;        /* name within an object */
    u32 key_length;
    struct value *children; /* first child */
    struct value *next;     /* next sibling */
};

struct parser {
    const char *at, *end;
    char *strings; /* where the next unescaped string goes */
    u32 used;
    int failed;
};

static const char document[] =
    "{\"device\":{\"id\":\"esp32-7f3a\",\"fw\":\"1.4.2\",\"tags\":[\"attic\",\"north\\u0020side\",\"caf\\u00e9\"]},"
    "\"readings\":[{\"t\":1700100,\"temp\":21.53,\"hum\":48.125,\"ok\":true},{\"t\":1700160,\"temp\":21.498,"
    "\"hum\":47.9,\"ok\":true},{\"t\":1700220,\"temp\":-3.75,\"hum\":0.5,\"ok\":false},{\"t\":1700280,\"temp\":"
    "2.1e1,\"hum\":50E0,\"ok\":null}],\n  \"limits\": { \"low\" : -10, \"high\" : 40.0, \"text\": \"a \\\"quoted\\\" "
    "line\\nand\\ta tab \\\\ end\" },\n  \"empty\": [ ], \"nothing\": {}, \"nested\": [[[[1,2],[3]],[]],{\"a\":[{}]}]}";

static struct value arena[128];
static char strings[sizeof document];
static char written[1024];

static struct value *parse_value(struct parser *p);

static struct value *new_value(struct parser *p, enum kind kind)
{
    if (p->used == COUNT_OF(arena)) {
        p->failed = 1;
        p->used = 0;
    }
    struct value *v = &arena[p->used++];
    v->kind = kind;
    v->number = 0;
    v->string = v->key = NULL;
    v->length = v->key_length = 0;
    v->children = v->next = NULL;
    return v;
}

static void skip_space(struct parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r')) p->at++;
}

static int accept(struct parser *p, char c)
{
    skip_space(p);
    if (p->at >= p->end || *p->at != c) return 0;
    p->at++;
    return 1;
}

static int accept_word(struct parser *p, const char *word)
{
    const char *at = p->at;
    for (; *word != 0; word++, at++)
        if (at >= p->end || *at != *word) return 0;
    p->at = at;
    return 1;
}

static u32 hex_digit(struct parser *p, char c)
{
    if (c >= '0' && c <= '9') return (u32)(c - '0');
    c |= 0x20;
    if (c >= 'a' && c <= 'f') return (u32)(c - 'a' + 10);
    p->failed = 1;
    return 0;
}

static void put_utf8(struct parser *p, u32 c)
{
    if (c < 0x80) {
        *p->strings++ = (char)c;
    } else if (c < 0x800) {
        *p->strings++ = (char)(0xc0 | c >> 6);
        *p->strings++ = (char)(0x80 | (c & 63));
    } else {
        *p->strings++ = (char)(0xe0 | c >> 12);
        *p->strings++ = (char)(0x80 | ((c >> 6) & 63));
        *p->strings++ = (char)(0x80 | (c & 63));
    }
}

static u32 parse_string(struct parser *p, const char **out)
{
    char *start = p->strings;
    *out = start;
    while (p->at < p->end) {
        char c = *p->at++;
        if (c == '"') return (u32)(p->strings - start);
        if (c != '\\') {
            *p->strings++ = c;
            continue;
        }
        if (p->at >= p->end) break;
        c = *p->at++;
        switch (c) {
        case 'n': *p->strings++ = '\n'; break;
        case 't': *p->strings++ = '\t'; break;
        case 'r': *p->strings++ = '\r'; break;
        case 'b': *p->strings++ = '\b'; break;
        case 'f': *p->strings++ = '\f'; break;
        case '"':
        case '\\':
        case '/': *p->strings++ = c; break;
        case 'u': {
            u32 code = 0;
            for (int i = 0; i < 4 && p->at < p->end; i++) code = code << 4 | hex_digit(p, *p->at++);
            put_utf8(p, code);
            break;
        }
        default: p->failed = 1;
        }
    }
    p->failed = 1;
    return 0;
}

static struct value *parse_number(struct parser *p)
{
    struct value *v = new_value(p, NUMBER);
    int negative = 0, scale = 3, exponent = 0, digits = 0;
    i32 n = 0;
    if (*p->at == '-') negative = 1, p->at++;
    for (; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++, digits++) n = n * 10 + (*p->at - '0');
    if (p->at < p->end && *p->at == '.') {
        p->at++;
        for (; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++, digits++)
            if (scale > 0) n = n * 10 + (*p->at - '0'), scale--;
    }
    if (p->at < p->end && (*p->at | 0x20) == 'e') {
        p->at++;
        if (p->at < p->end && *p->at == '+') p->at++;
        for (; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++) exponent = exponent * 10 + (*p->at - '0');
    }
    if (digits == 0) p->failed = 1;
    for (scale += exponent; scale > 0; scale--) n = (i32)((u32)n * 10);
    v->number = negative ? -n : n;
    return v;
}

static struct value *parse_container(struct parser *p, enum kind kind, char close)
{
    struct value *v = new_value(p, kind), **link = &v->children;
    if (accept(p, close)) return v;
    do {
        const char *key = NULL;
        u32 key_length = 0;
        if (kind == OBJECT) {
            if (!accept(p, '"')) break;
            key_length = parse_string(p, &key);
            if (!accept(p, ':')) break;
        }
        struct value *child = parse_value(p);
        child->key = key;
        child->key_length = key_length;
        *link = child;
        link = &child->next;
    } while (!p->failed && accept(p, ','));
    if (!accept(p, close)) p->failed = 1;
    return v;
}

static struct value *parse_value(struct parser *p)
{
    skip_space(p);
    if (p->at < p->end) {
        switch (*p->at) {
        case '{': p->at++; return parse_container(p, OBJECT, '}');
        case '[': p->at++; return parse_container(p, ARRAY, ']');
        case '"': {
            struct value *v = new_value(p, STRING);
            p->at++;
            v->length = parse_string(p, &v->string);
            return v;
        }
        case 't':
            if (accept_word(p, "true")) return new_value(p, TRUE);
            break;
        case 'f':
            if (accept_word(p, "false")) return new_value(p, FALSE);
            break;
        case 'n':
            if (accept_word(p, "null")) return new_value(p, NUL);
            break;
        default: return parse_number(p);
        }
    }
    p->failed = 1;
    return new_value(p, NUL);
}

static char *write_text(char *out, const char *s, u32 n)
{
    while (n--) *out++ = *s++;
    return out;
}

static char *write_number(char *out, i32 number)
{
    char digits[12];
    u32 n = 0, rest = number < 0 ? 0u - (u32)number : (u32)number;
    if (number < 0) *out++ = '-';
    do {
        digits[n++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0 || n < 4);
    while (n > 0) {
        if (n == 3) *out++ = '.';
        *out++ = digits[--n];
    }
    return out;
}

static char *write_value(char *out, const struct value *v)
{
    switch (v->kind) {
    case NUL: return write_text(out, "null", 4);
    case FALSE: return write_text(out, "false", 5);
    case TRUE: return write_text(out, "true", 4);
    case NUMBER: return write_number(out, v->number);
    case STRING:
        *out++ = '"';
        out = write_text(out, v->string, v->length);
        *out++ = '"';
        return out;
    default:
        *out++ = v->kind == ARRAY ? '[' : '{';
        for (const struct value *c = v->children; c != NULL; c = c->next) {
            if (c->key != NULL) {
                *out++ = '"';
                out = write_text(out, c->key, c->key_length);
                *out++ = '"';
                *out++ = ':';
            }
            out = write_value(out, c);
            if (c->next != NULL) *out++ = ',';
        }
        *out++ = v->kind == ARRAY ? ']' : '}';
        return out;
    }
}

static const struct value *member(const struct value *object, const char *name)
{
    for (const struct value *c = object->children; c != NULL; c = c->next) {
        u32 i = 0;
        while (i < c->key_length && name[i] != 0 && name[i] == c->key[i]) i++;
        if (i == c->key_length && name[i] == 0) return c;
    }
    return NULL;
}

u32 run(u32 n)
{
    u32 sum = 0;
    for (u32 round = 0; round < n; round++) {
        /* every fourth document is cut short and must be refused */
        u32 length = sizeof document - 1 - (round % 4 == 3 ? 1 + round % 300 : 0);
        struct parser p = {document, document + length, strings, 0, 0};
        struct value *root = parse_value(&p);
        sum = mix(sum, (u32)p.failed + p.used);
        if (p.failed) continue;
        char *end = write_value(written, root);
        for (const char *s = written; s < end; s++) sum = (sum ^ (u8)*s) * 16777619u;
        for (const struct value *r = member(root, "readings")->children; r != NULL; r = r->next)
            sum = mix(sum, (u32)member(r, "temp")->number);
        sum = mix(sum, (u32)member(member(root, "limits"), "high")->number);
    }
    return sum;
}
