/* The runtime's own interfaces: invocation, faults, console, clock. Includes the generated ABI; knows no register
 * address (esp32.h) and no WASI. */
#ifndef RUNTIME_H
#define RUNTIME_H

/* Offsets for the assembler; asserted below. */
#define INVOCATION_SAVED_SP 0
#define INVOCATION_OUTER 4

#include "wasm_abi.h"

#ifndef __ASSEMBLER__

/** One running invocation; lives in the frame of rt_invoke. */
struct rt_invocation {
    uint32_t saved_sp; /* SP inside rt_enter: where traps, deadlines and proc_exit unwind to */
    struct rt_invocation *outer;
    uint64_t remaining; /* CPU cycles left beyond the armed timer slice; 0 and not armed: no deadline */
    int has_deadline;
};
_Static_assert(offsetof(struct rt_invocation, saved_sp) == INVOCATION_SAVED_SP, "saved_sp");
_Static_assert(offsetof(struct rt_invocation, outer) == INVOCATION_OUTER, "outer");

extern struct rt_mailbox rt_mailbox;
/** The innermost running invocation or null. Written by rt_enter only. */
extern struct rt_invocation *rt_current_invocation;

/** Runs compiled code at `entry`. `args` points to at least 6 readable words, `results` to room for `result_count`.
 * `budget` is in CPU cycles, 0 for no deadline. Gives the StopReason; rt_mailbox.stop says the rest. */
uint32_t rt_invoke(uint32_t entry, const uint32_t *args, uint32_t arg_count, uint32_t *results, uint32_t result_count,
                   uint64_t budget);

/* arch/xtensa/invoke.S */
uint32_t rt_enter(struct rt_invocation *invocation, uint32_t entry, const uint32_t *args, uint32_t arg_count,
                  uint32_t *results, uint32_t result_count);
/** Ends the invocation with a stop reason, from C code that it called. */
_Noreturn void rt_unwind(struct rt_invocation *invocation, uint32_t reason);
/** Where rt_unwind arrives: a1 = saved_sp, a2 = reason. A fault handler returns here. */
extern const char rt_unwind_target[];
_Noreturn void rt_idle(void);

/** Module whose code contains `pc`, or null. */
const struct wasm_module *rt_find_module(uint32_t pc);
/** Code address of an exported function, or 0. */
uint32_t rt_find_export(const struct wasm_module *module, const char *name);
/** Called by the vectors with PS.EXCM set: must not fault and must not use zero-overhead loops. */
void rt_exception(struct exception_frame *frame);
/** Trap code that the side tables have for this exception, or TRAP_MACHINE_EXCEPTION. */
uint32_t rt_classify(const struct exception_frame *frame);
void rt_print_registers(const struct exception_frame *frame);
/** A place in the frames of compiled code, innermost first. */
struct rt_walk {
    uint32_t pc, sp, return_address;
    uint32_t inner; /* 1: pc is a return address, maybe the first byte after its function */
    uint32_t saved; /* the function has saved its return address: not yet where a stack overflow is found */
    uint32_t stack_bottom, stack_top;
};
/** Adds the functions at a place to the backtrace of `stop`; 0 if it is no compiled code or there is no more room. */
int rt_note_frames(struct wasm_stop *stop, const struct rt_walk *walk);
/** Goes on to the caller; 0 if the frames end or are not intact. */
int rt_step_out(struct rt_walk *walk);
/** Prints the trap of `stop` and its backtrace. */
void rt_report(const struct wasm_stop *stop);
void rt_report_frames(const struct wasm_stop *stop);
const char *rt_trap_message(uint32_t trap_code);

void rt_boot(void);
void rt_serve_mailbox(void);

/** What the kernel of the device OS does instead of the runtime, in images that have a boot table. */
struct ts_kernel_hooks {
    void (*boot)(void);
    void (*exception)(struct exception_frame *frame);
    void (*serve_mailbox)(void);
    void (*exit)(uint32_t code) __attribute__((noreturn));
    /* rt_window_translate, by a pointer so that images without the kernel have no grant table. */
    void *(*window)(uint32_t address, uint32_t length, uint32_t rights);
    /* For hosts, through the mailbox: a request as "sys", with native pointers; mailbox word 6 is the capacity. */
    uint32_t (*host_request)(uint32_t method, const char *uri, uint32_t uri_bytes, const void *payload, uint32_t bytes, void *response);
};
extern const struct ts_boot_table ts_boot_table __attribute__((weak));

/** rt-stubs: 64-bit division. */
uint64_t rt_i64_div_u(uint64_t a, uint64_t b);
/** rt-stubs: native address of bytes in a window of the module that runs, null if it has none with these rights. */
void *rt_window_translate(uint32_t address, uint32_t length, uint32_t rights);

/* Console */
void rt_console_write(const void *text, uint32_t n);
void rt_print(const char *text);
void rt_print_hex(uint32_t value, uint32_t digits);
void rt_print_decimal(uint32_t value);

/* Platform */
void rt_flash_map(void);
void rt_uart_write(const uint8_t *bytes, uint32_t n);
/** Waits until the last byte has left the transmitter. */
void rt_uart_flush(void);
/** Blocks until there is a byte. */
uint32_t rt_uart_read(void);
/** Bytes waiting in the receive FIFO. */
uint32_t rt_uart_available(void);
/** Who has taken over the line, with the same functions; null: nobody. */
struct rt_uart_user {
    void (*write)(const uint8_t *bytes, uint32_t n);
    void (*flush)(void);
    uint32_t (*available)(void);
    uint32_t (*read)(void);
};
extern const struct rt_uart_user *rt_uart_user;
/** Microseconds since the first call. */
uint64_t rt_clock_microseconds(void);
uint32_t rt_random(void);
/** Raises the deadline interrupt in `cycles` CPU cycles. */
void rt_timer_arm(uint32_t cycles);
void rt_timer_disarm(void);
uint32_t rt_cycle_count(void);

#endif
#endif
