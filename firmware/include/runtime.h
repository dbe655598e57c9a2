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
/** Called by the vectors with PS.EXCM set: must not fault and must not use zero-overhead loops. */
void rt_exception(struct exception_frame *frame);
/** Prints the trap of `stop` and its backtrace. */
void rt_report(const struct wasm_stop *stop);

void rt_boot(void);
void rt_serve_mailbox(void);

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
/** Microseconds since the first call. */
uint64_t rt_clock_microseconds(void);
uint32_t rt_random(void);
/** Raises the deadline interrupt in `cycles` CPU cycles. */
void rt_timer_arm(uint32_t cycles);
void rt_timer_disarm(void);
uint32_t rt_cycle_count(void);

#endif
#endif
