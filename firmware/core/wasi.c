/* WASI preview 1 for command-line programs: console on file descriptors 0 to 2, clocks, random numbers, arguments, exit.
 * Takes Wasm addresses of the calling module's memory 0 and checks each; gives WASI errno. What is not here is in
 * wasi-nosys.S. Stack use stays far below the reserve that compiled code leaves for C. */
#include "runtime.h"

/* 64-bit parameters are two words without even-register alignment; see compiler/abi/libcalls.ts. */
#define WASI(name) __asm__("wasi_snapshot_preview1." #name)

enum {
    SUCCESS = 0,
    BADF = 8,
    FAULT = 21,
    INVAL = 28,
    NOSYS = 52,
    SPIPE = 70,
};
enum { STDIN = 0, STDOUT = 1, STDERR = 2, DESCRIPTORS = 3 };
enum { CHARACTER_DEVICE = 2 };
enum { RIGHT_FD_READ = 1 << 1, RIGHT_FD_WRITE = 1 << 6, RIGHT_POLL = 1 << 27 };
/* Ctrl-D ends the input: a serial line has no other end of file. */
#define END_OF_INPUT 0x04

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);

/* The linker may replace these empty defaults by data of its own. */
__attribute__((weak)) const struct rt_strings rt_wasi_arguments = {0, 0, 0};
__attribute__((weak)) const struct rt_strings rt_wasi_environment = {0, 0, 0};

/** The module that called the current host function; its memory 0 is what pointers mean. */
#define CALLER() rt_find_module((uint32_t)__builtin_return_address(0))

#define READ TS_GRANT_RIGHT_READ
#define WRITE TS_GRANT_RIGHT_WRITE

/** Native address of [at, at + n) in the module's memory 0 or in a window granted to it with the rights, or null if that is
 * not all inside. */
static void *span(const struct wasm_module *module, uint32_t at, uint32_t n, uint32_t rights)
{
    if (at >= TS_WINDOW_BASE && &ts_boot_table != 0) return ts_boot_table.kernel->window(at, n, rights);
    if (module == 0 || module->memory_count == 0) return 0;
    const struct wasm_memory *memory = module->memories[0];
    if (n > memory->bytes || at > memory->bytes - n) return 0;
    return memory->base + at;
}

/** Stores may be unaligned: the pointer is the module's. */
static void store32(void *to, uint32_t value)
{
    uint8_t *p = to;
    for (uint32_t i = 0; i < 4; i++) p[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t load32(const void *from)
{
    const uint8_t *p = from;
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void store64(void *to, uint64_t value)
{
    store32(to, (uint32_t)value);
    store32((uint8_t *)to + 4, (uint32_t)(value >> 32));
}

uint32_t wasi_fd_write(uint32_t fd, uint32_t vectors, uint32_t count, uint32_t written) WASI(fd_write);
uint32_t wasi_fd_write(uint32_t fd, uint32_t vectors, uint32_t count, uint32_t written)
{
    const struct wasm_module *caller = CALLER();
    if (fd != STDOUT && fd != STDERR) return BADF;
    void *result = span(caller, written, 4, WRITE);
    const uint8_t *vector = count >> 29 != 0 ? 0 : span(caller, vectors, count * 8, READ);
    if (result == 0 || vector == 0) return FAULT;
    uint32_t total = 0;
    for (; count != 0; count--, vector += 8) {
        uint32_t n = load32(vector + 4);
        const void *bytes = span(caller, load32(vector), n, READ);
        if (bytes == 0) return FAULT;
        rt_console_write(bytes, n);
        total += n;
    }
    store32(result, total);
    return SUCCESS;
}

/** Set when the end of input was met behind other bytes. */
static uint8_t input_ended;

uint32_t wasi_fd_read(uint32_t fd, uint32_t vectors, uint32_t count, uint32_t read) WASI(fd_read);
uint32_t wasi_fd_read(uint32_t fd, uint32_t vectors, uint32_t count, uint32_t read)
{
    const struct wasm_module *caller = CALLER();
    if (fd != STDIN) return BADF;
    void *result = span(caller, read, 4, WRITE);
    const uint8_t *vector = count >> 29 != 0 ? 0 : span(caller, vectors, count * 8, READ);
    if (result == 0 || vector == 0) return FAULT;
    uint32_t total = 0;
    for (; count != 0 && !input_ended; count--, vector += 8) {
        uint32_t n = load32(vector + 4);
        uint8_t *bytes = span(caller, load32(vector), n, WRITE);
        if (bytes == 0) return FAULT;
        for (; n != 0; n--) {
            /* Wait for the first byte only. */
            if (total != 0 && rt_uart_available() == 0) goto done;
            uint32_t c = rt_uart_read();
            if (c == END_OF_INPUT) {
                input_ended = 1;
                goto done;
            }
            *bytes++ = (uint8_t)c;
            total++;
        }
    }
done:
    /* A read that meets only the end reports it once; a later one may go on (a terminal does the same). */
    if (total == 0) input_ended = 0;
    store32(result, total);
    return SUCCESS;
}

uint32_t wasi_fd_close(uint32_t fd) WASI(fd_close);
uint32_t wasi_fd_close(uint32_t fd) { return fd < DESCRIPTORS ? SUCCESS : BADF; }

uint32_t wasi_fd_seek(uint32_t fd, uint32_t low, uint32_t high, uint32_t whence, uint32_t result) WASI(fd_seek);
uint32_t wasi_fd_seek(uint32_t fd, uint32_t low, uint32_t high, uint32_t whence, uint32_t result)
{
    (void)low, (void)high, (void)whence, (void)result;
    return fd < DESCRIPTORS ? SPIPE : BADF;
}

uint32_t wasi_fd_tell(uint32_t fd, uint32_t result) WASI(fd_tell);
uint32_t wasi_fd_tell(uint32_t fd, uint32_t result)
{
    (void)result;
    return fd < DESCRIPTORS ? SPIPE : BADF;
}

uint32_t wasi_fd_fdstat_get(uint32_t fd, uint32_t result) WASI(fd_fdstat_get);
uint32_t wasi_fd_fdstat_get(uint32_t fd, uint32_t result)
{
    if (fd >= DESCRIPTORS) return BADF;
    uint8_t *stat = span(CALLER(), result, 24, WRITE);
    if (stat == 0) return FAULT;
    memset(stat, 0, 24);
    stat[0] = CHARACTER_DEVICE;
    store32(stat + 8, RIGHT_POLL | (fd == STDIN ? RIGHT_FD_READ : RIGHT_FD_WRITE));
    return SUCCESS;
}

uint32_t wasi_fd_filestat_get(uint32_t fd, uint32_t result) WASI(fd_filestat_get);
uint32_t wasi_fd_filestat_get(uint32_t fd, uint32_t result)
{
    if (fd >= DESCRIPTORS) return BADF;
    uint8_t *stat = span(CALLER(), result, 64, WRITE);
    if (stat == 0) return FAULT;
    memset(stat, 0, 64);
    stat[16] = CHARACTER_DEVICE;
    return SUCCESS;
}

/* No directory is open: every descriptor ends the enumeration that libc makes at start-up. */
uint32_t wasi_fd_prestat_get(uint32_t fd, uint32_t result) WASI(fd_prestat_get);
uint32_t wasi_fd_prestat_get(uint32_t fd, uint32_t result)
{
    (void)fd, (void)result;
    return BADF;
}

uint32_t wasi_fd_prestat_dir_name(uint32_t fd, uint32_t path, uint32_t n) WASI(fd_prestat_dir_name);
uint32_t wasi_fd_prestat_dir_name(uint32_t fd, uint32_t path, uint32_t n)
{
    (void)fd, (void)path, (void)n;
    return BADF;
}

static uint64_t nanoseconds(void) { return rt_clock_microseconds() * 1000; }

enum { CLOCK_REALTIME = 0, CLOCK_MONOTONIC = 1, CLOCKS = 4 };

uint32_t wasi_clock_res_get(uint32_t clock, uint32_t result) WASI(clock_res_get);
uint32_t wasi_clock_res_get(uint32_t clock, uint32_t result)
{
    if (clock >= CLOCKS) return INVAL;
    void *to = span(CALLER(), result, 8, WRITE);
    if (to == 0) return FAULT;
    store64(to, 1000);
    return SUCCESS;
}

/* Every clock counts from boot: the chip has no calendar until a network gives it one. */
uint32_t wasi_clock_time_get(uint32_t clock, uint32_t precision_low, uint32_t precision_high, uint32_t result)
    WASI(clock_time_get);
uint32_t wasi_clock_time_get(uint32_t clock, uint32_t precision_low, uint32_t precision_high, uint32_t result)
{
    (void)precision_low, (void)precision_high;
    if (clock >= CLOCKS) return INVAL;
    void *to = span(CALLER(), result, 8, WRITE);
    if (to == 0) return FAULT;
    store64(to, nanoseconds());
    return SUCCESS;
}

uint32_t wasi_random_get(uint32_t at, uint32_t n) WASI(random_get);
uint32_t wasi_random_get(uint32_t at, uint32_t n)
{
    uint8_t *bytes = span(CALLER(), at, n, WRITE);
    if (bytes == 0) return FAULT;
    uint32_t word = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (i % 4 == 0) word = rt_random();
        *bytes++ = (uint8_t)word;
        word >>= 8;
    }
    return SUCCESS;
}

void wasi_proc_exit(uint32_t code) WASI(proc_exit);
void wasi_proc_exit(uint32_t code)
{
    rt_mailbox.stop.exit_code = code;
    if (&ts_boot_table != 0) ts_boot_table.kernel->exit(code);
    rt_unwind(rt_current_invocation, STOP_EXITED);
}

uint32_t wasi_sched_yield(void) WASI(sched_yield);
uint32_t wasi_sched_yield(void) { return SUCCESS; }

/** A program's name is its first argument even if nobody gave it any. */
static struct rt_strings arguments(const struct wasm_module *caller)
{
    struct rt_strings strings = {rt_wasi_arguments.count, rt_wasi_arguments.bytes, rt_wasi_arguments.text};
    if (strings.count == 0 && caller != 0) {
        strings.count = 1;
        strings.text = caller->name;
        while (strings.text[strings.bytes++] != 0) {}
    }
    return strings;
}

static uint32_t get_sizes(const struct wasm_module *caller, struct rt_strings strings, uint32_t count, uint32_t bytes)
{
    void *count_to = span(caller, count, 4, WRITE), *bytes_to = span(caller, bytes, 4, WRITE);
    if (count_to == 0 || bytes_to == 0) return FAULT;
    store32(count_to, strings.count);
    store32(bytes_to, strings.bytes);
    return SUCCESS;
}

static uint32_t get_strings(const struct wasm_module *caller, struct rt_strings strings, uint32_t pointers, uint32_t text)
{
    uint8_t *pointers_to = span(caller, pointers, strings.count * 4, WRITE);
    char *text_to = span(caller, text, strings.bytes, WRITE);
    if (pointers_to == 0 || text_to == 0) return FAULT;
    for (uint32_t i = 0, at = 0; i < strings.count; i++, pointers_to += 4) {
        store32(pointers_to, text + at);
        while (strings.text[at++] != 0) {}
    }
    memcpy(text_to, strings.text, strings.bytes);
    return SUCCESS;
}

uint32_t wasi_args_sizes_get(uint32_t count, uint32_t bytes) WASI(args_sizes_get);
uint32_t wasi_args_sizes_get(uint32_t count, uint32_t bytes)
{
    const struct wasm_module *caller = CALLER();
    return get_sizes(caller, arguments(caller), count, bytes);
}

uint32_t wasi_args_get(uint32_t pointers, uint32_t text) WASI(args_get);
uint32_t wasi_args_get(uint32_t pointers, uint32_t text)
{
    const struct wasm_module *caller = CALLER();
    return get_strings(caller, arguments(caller), pointers, text);
}

uint32_t wasi_environ_sizes_get(uint32_t count, uint32_t bytes) WASI(environ_sizes_get);
uint32_t wasi_environ_sizes_get(uint32_t count, uint32_t bytes)
{
    return get_sizes(CALLER(), rt_wasi_environment, count, bytes);
}

uint32_t wasi_environ_get(uint32_t pointers, uint32_t text) WASI(environ_get);
uint32_t wasi_environ_get(uint32_t pointers, uint32_t text)
{
    return get_strings(CALLER(), rt_wasi_environment, pointers, text);
}

/* struct subscription: userdata 0, tag 8, clock: id 16, timeout 24, flags 40; fd: 16. struct event: userdata 0, error 8,
 * type 10, bytes 16. */
enum { SUBSCRIPTION_BYTES = 48, EVENT_BYTES = 32 };
enum { EVENT_CLOCK = 0, EVENT_FD_READ = 1, EVENT_FD_WRITE = 2 };
enum { CLOCK_ABSOLUTE = 1 };

/** 1 if the subscription's event is there (or in error); fills in error and bytes. */
static int ready(const uint8_t *subscription, uint64_t begin, uint64_t now, uint32_t *error, uint32_t *bytes)
{
    *error = SUCCESS;
    *bytes = 0;
    uint32_t type = subscription[8], id = load32(subscription + 16);
    switch (type) {
    case EVENT_CLOCK: {
        uint64_t timeout = load32(subscription + 24) | (uint64_t)load32(subscription + 28) << 32;
        if (id >= CLOCKS) *error = INVAL;
        else if ((subscription[40] & CLOCK_ABSOLUTE) != 0) return now >= timeout;
        else return now - begin >= timeout;
        return 1;
    }
    case EVENT_FD_READ:
        *bytes = rt_uart_available();
        if (id != STDIN) *error = BADF;
        return id != STDIN || *bytes != 0;
    case EVENT_FD_WRITE:
        *bytes = 1;
        if (id != STDOUT && id != STDERR) *error = BADF;
        return 1;
    default: *error = INVAL; return 1;
    }
}

uint32_t wasi_poll_oneoff(uint32_t in, uint32_t out, uint32_t count, uint32_t result) WASI(poll_oneoff);
uint32_t wasi_poll_oneoff(uint32_t in, uint32_t out, uint32_t count, uint32_t result)
{
    const struct wasm_module *caller = CALLER();
    if (count == 0) return INVAL;
    const uint8_t *subscriptions = count >> 26 != 0 ? 0 : span(caller, in, count * SUBSCRIPTION_BYTES, READ);
    uint8_t *events = count >> 26 != 0 ? 0 : span(caller, out, count * EVENT_BYTES, WRITE);
    void *result_to = span(caller, result, 4, WRITE);
    if (subscriptions == 0 || events == 0 || result_to == 0) return FAULT;
    uint64_t begin = nanoseconds();
    uint32_t happened = 0;
    while (happened == 0) {
        uint64_t now = nanoseconds();
        for (uint32_t i = 0; i < count; i++) {
            const uint8_t *subscription = subscriptions + i * SUBSCRIPTION_BYTES;
            uint32_t error, bytes;
            if (!ready(subscription, begin, now, &error, &bytes)) continue;
            uint8_t *event = events + happened++ * EVENT_BYTES;
            uint32_t low = load32(subscription), high = load32(subscription + 4), type = subscription[8];
            memset(event, 0, EVENT_BYTES);
            store32(event, low);
            store32(event + 4, high);
            event[8] = (uint8_t)error;
            event[10] = (uint8_t)type;
            store32(event + 16, bytes);
        }
    }
    store32(result_to, happened);
    return SUCCESS;
}
