/* GET /.well-known/core: all services of the device in link format (RFC 6690), with the filters href and rt. Runs unmasked,
 * as a handler of "sys". */
#include "imc.h"
#include "sys.h"

enum { FILTER_BYTES = 32 };

struct output {
    char *at, *end;
    uint32_t bytes; /* also of what does not fit */
    uint32_t skip; /* before the part that is wanted */
};

static void put(struct output *output, const char *text)
{
    for (; *text != 0; text++) {
        if (output->bytes++ >= output->skip && output->at != output->end) *output->at++ = *text;
    }
}

/** RFC 6690, 4.1: equal, or a prefix if the filter ends in "*". */
static int value_fits(const char *value, uint32_t bytes, const char *filter, uint32_t filter_bytes)
{
    int prefix = filter_bytes != 0 && filter[filter_bytes - 1] == '*';
    if (prefix) filter_bytes--;
    if (prefix ? bytes < filter_bytes : bytes != filter_bytes) return 0;
    for (uint32_t i = 0; i < filter_bytes; i++)
        if (value[i] != filter[i]) return 0;
    return 1;
}

/** Does one of the space-separated values of ;rt="..." fit? */
static int type_fits(const char *attributes, const char *filter, uint32_t filter_bytes)
{
    static const char NAME[] = ";rt=\"";
    for (const char *at = attributes; *at != 0; at++) {
        uint32_t i = 0;
        while (NAME[i] != 0 && at[i] == NAME[i]) i++;
        if (NAME[i] != 0) continue;
        for (at += i; *at != 0 && *at != '"';) {
            uint32_t n = 0;
            while (at[n] != 0 && at[n] != '"' && at[n] != ' ') n++;
            if (value_fits(at, n, filter, filter_bytes)) return 1;
            at += n;
            if (*at == ' ') at++;
        }
        return 0;
    }
    return 0;
}

/** A path has one link, however many methods: the first one makes it. */
static int is_first(const struct ts_module_info *info, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++)
        if (ts_name_is(info->services[i].path, info->services[index].path, ts_string_bytes(info->services[index].path))) return 0;
    return 1;
}

uint32_t ts_core_handler(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    (void)payload;
    (void)bytes;
    char href[FILTER_BYTES], type[FILTER_BYTES];
    int32_t href_bytes = ts_query_parameter("href", 4, href, sizeof href);
    int32_t type_bytes = ts_query_parameter("rt", 2, type, sizeof type);
    if (href_bytes > FILTER_BYTES || type_bytes > FILTER_BYTES) return ts_result(TS_BAD_REQUEST, 0);
    const char *path = href;
    if (href_bytes > 0 && *path == '/') {
        path++;
        href_bytes--;
    }
    struct ts_block *block = ts_block_of_request();
    struct output output = {(char *)response, (char *)response + capacity, 0, block == 0 ? 0 : block->offset2};
    for (uint32_t m = 0; m < TS_MAX_MODULES; m++) {
        const struct ts_module_info *info = ts_modules[m].state == TS_STATE_HELD ? 0 : ts_modules[m].info;
        for (uint32_t s = 0; info != 0 && s < info->service_count; s++) {
            const struct ts_service *service = &info->services[s];
            if (href_bytes >= 0 && !value_fits(service->path, ts_string_bytes(service->path), path, (uint32_t)href_bytes)) continue;
            if (type_bytes >= 0 && !type_fits(service->attributes, type, (uint32_t)type_bytes)) continue;
            if (!is_first(info, s)) continue;
            put(&output, output.bytes == 0 ? "</" : ",</");
            put(&output, service->path);
            put(&output, ">");
            put(&output, service->attributes);
        }
    }
    if (block != 0) return ts_block_result(block, output.bytes, capacity);
    /* Half a list would be a wrong one. */
    if (output.bytes > capacity) return ts_result(TS_REQUEST_ENTITY_TOO_LARGE, 0);
    return ts_result(TS_CONTENT, output.bytes);
}

const struct ts_type ts_link_format = {.kind = TS_PAYLOAD_BYTES, .max_bytes = 1 << TS_WINDOW_OFFSET_BITS};
const struct ts_contract ts_core_contract = {.response = &ts_link_format, .deadline_cycles = TS_MILLISECONDS(20)};
