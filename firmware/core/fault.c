/* Exceptions: turns one in compiled code into the trap its side table names, with a Wasm backtrace, and ends the
 * invocation; anything else is a machine exception and is printed with its registers. Runs on the exception stack with
 * PS.EXCM set, so nothing here may fault or use zero-overhead loops (no memcpy, no memset). */
#include "runtime.h"

enum { CAUSE_ILLEGAL = 0, CAUSE_INTERRUPT = 4, CAUSE_DIVIDE_BY_ZERO = 6, CAUSE_LOAD_PROHIBITED = 28 };
#define PS_INTLEVEL 0xf
/* Null references are loaded from address 0 minus the signature word. */
#define NULL_PAGE 16

int rt_deadline_interrupt(void);
extern const char __wasm_stack_bottom[], __wasm_stack_top[];

/** Last function that starts at or before `pc`. The caller knows that pc is in the module. */
static const struct wasm_func_info *find_function(const struct wasm_module *module, uint32_t pc)
{
    uint32_t low = 0, high = module->func_count;
    while (high - low > 1) {
        uint32_t middle = (low + high) >> 1;
        if (module->funcs[middle].start <= pc) low = middle;
        else high = middle;
    }
    return &module->funcs[low];
}

static const struct wasm_site *find_site(const struct wasm_module *module, uint32_t pc)
{
    uint32_t low = 0, high = module->site_count;
    while (low < high) {
        uint32_t middle = (low + high) >> 1;
        if (module->sites[middle].pc < pc) low = middle + 1;
        else high = middle;
    }
    return low < module->site_count && module->sites[low].pc == pc ? &module->sites[low] : 0;
}

/** First entry for `pc`, or the end of the table; the entries of one pc stand together. */
static const struct wasm_inlined *find_inlined(const struct wasm_module *module, uint32_t pc)
{
    uint32_t low = 0, high = module->inlined_count;
    while (low < high) {
        uint32_t middle = (low + high) >> 1;
        if (module->inlined[middle].pc < pc) low = middle + 1;
        else high = middle;
    }
    return &module->inlined[low];
}

/** False if there is no room for another frame. */
static int add_frame(struct wasm_stop *stop, const struct wasm_module *module, uint32_t pc, uint32_t func_index,
                     uint32_t wasm_offset)
{
    if (stop->backtrace_count == WASM_BACKTRACE_FRAMES) {
        stop->backtrace_cut = 1;
        return 0;
    }
    struct wasm_frame *frame = &stop->backtrace[stop->backtrace_count++];
    frame->pc = pc;
    frame->func_index = func_index;
    frame->wasm_offset = wasm_offset;
    frame->module = module;
    return 1;
}

int rt_note_frames(struct wasm_stop *stop, const struct rt_walk *walk)
{
    const struct wasm_module *module = rt_find_module(walk->pc - walk->inner);
    if (module == 0) return 0;
    const struct wasm_site *site = find_site(module, walk->pc);
    uint32_t offset = site != 0 ? site->code_and_offset & WASM_SITE_OFFSET_MASK : 0;
    /* Functions copied into this one have no frame of their own on the stack, but one in the report. */
    const struct wasm_inlined *copy = find_inlined(module, walk->pc), *end = module->inlined + module->inlined_count;
    for (; copy < end && copy->pc == walk->pc; copy++) {
        if (!add_frame(stop, module, walk->pc, copy->func_index, offset)) return 0;
        offset = copy->call_offset;
    }
    return add_frame(stop, module, walk->pc, find_function(module, walk->pc - walk->inner)->func_index, offset);
}

int rt_step_out(struct rt_walk *walk)
{
    const struct wasm_module *module = rt_find_module(walk->pc - walk->inner);
    if (module == 0) return 0;
    const struct wasm_func_info *function = find_function(module, walk->pc - walk->inner);
    int is_leaf = function->frame_start == WASM_FRAME_START_LEAF;
    int has_frame = is_leaf || walk->pc - walk->inner - function->start >= function->frame_start;
    if (walk->saved && has_frame && !is_leaf) {
        if ((walk->sp & 3) != 0 || walk->sp < walk->stack_bottom || walk->sp >= walk->stack_top) return 0;
        walk->return_address = *(const uint32_t *)walk->sp;
    } else if (walk->inner != 0) return 0; /* a function that made a call must have saved its return address */
    if (has_frame) walk->sp += 4 * (uint32_t)function->frame_words;
    walk->pc = walk->return_address;
    walk->inner = 1;
    walk->saved = 1;
    return 1;
}

static void unwind_to(struct exception_frame *frame, struct rt_invocation *invocation, uint32_t reason)
{
    frame->pc = (uint32_t)rt_unwind_target;
    frame->a[1] = invocation->saved_sp;
    frame->a[2] = reason;
    frame->lcount = 0;
    frame->ps &= ~(uint32_t)PS_INTLEVEL;
}

uint32_t rt_classify(const struct exception_frame *frame)
{
    const struct wasm_module *module = rt_find_module(frame->pc);
    const struct wasm_site *site = module != 0 ? find_site(module, frame->pc) : 0;
    uint32_t code = site != 0 ? site->code_and_offset >> WASM_SITE_CODE_SHIFT : WASM_SITE_CALL;
    if (code == WASM_SITE_CALL) return TRAP_MACHINE_EXCEPTION;
    switch (frame->cause) {
    case CAUSE_ILLEGAL: return code;
    case CAUSE_DIVIDE_BY_ZERO: return code == TRAP_INTEGER_DIVIDE_BY_ZERO ? code : TRAP_MACHINE_EXCEPTION;
    case CAUSE_LOAD_PROHIBITED:
        if (code == TRAP_UNINITIALIZED_ELEMENT && frame->vaddr + NULL_PAGE < 2 * NULL_PAGE) return code;
        return TRAP_MACHINE_EXCEPTION;
    default: return TRAP_MACHINE_EXCEPTION;
    }
}

void rt_print_registers(const struct exception_frame *frame)
{
    rt_print("machine exception ");
    rt_print_decimal(frame->cause);
    rt_print(" pc 0x");
    rt_print_hex(frame->pc, 8);
    rt_print(" vaddr 0x");
    rt_print_hex(frame->vaddr, 8);
    rt_print(" ps 0x");
    rt_print_hex(frame->ps, 8);
    for (uint32_t i = 0; i < 16; i++) {
        rt_print(i % 4 == 0 ? "\n  a" : "  a");
        rt_print_decimal(i);
        rt_print(" 0x");
        rt_print_hex(frame->a[i], 8);
    }
    rt_print("\n");
}

/** Notes the frames of compiled code from the exception outwards, as far as they are intact. */
static void backtrace(struct wasm_stop *stop, const struct exception_frame *frame, uint32_t saved)
{
    struct rt_walk walk = {.pc = frame->pc, .sp = frame->a[1], .return_address = frame->a[0], .saved = saved};
    walk.stack_bottom = (uint32_t)__wasm_stack_bottom;
    walk.stack_top = (uint32_t)__wasm_stack_top;
    stop->backtrace_count = 0;
    stop->backtrace_cut = 0;
    while (rt_note_frames(stop, &walk) && rt_step_out(&walk)) {}
}

void rt_exception(struct exception_frame *frame)
{
    if (&ts_boot_table != 0) {
        ts_boot_table.kernel->exception(frame);
        return;
    }
    struct rt_invocation *invocation = rt_current_invocation;
    struct wasm_stop *stop = &rt_mailbox.stop;
    if (frame->cause == CAUSE_INTERRUPT) {
        if (!rt_deadline_interrupt()) return;
        stop->pc = frame->pc;
        backtrace(stop, frame, 1);
        unwind_to(frame, invocation, STOP_DEADLINE_EXPIRED);
        return;
    }
    uint32_t code = rt_classify(frame);
    stop->reason = STOP_TRAPPED;
    stop->trap_code = code;
    stop->pc = frame->pc;
    stop->cause = frame->cause;
    stop->vaddr = frame->vaddr;
    backtrace(stop, frame, code != TRAP_STACK_OVERFLOW);
    if (code == TRAP_MACHINE_EXCEPTION) rt_print_registers(frame);
    if (invocation != 0) unwind_to(frame, invocation, STOP_TRAPPED);
    else {
        rt_mailbox.state = MAILBOX_IDLE;
        frame->pc = (uint32_t)rt_idle;
    }
}

/** An interrupt or exception that nothing here causes: vector number (0 = double exception) and pc. Never returns. */
_Noreturn void rt_panic(uint32_t vector, uint32_t pc)
{
    static uint32_t again;
    struct wasm_stop *stop = &rt_mailbox.stop;
    stop->reason = STOP_TRAPPED;
    stop->trap_code = TRAP_MACHINE_EXCEPTION;
    stop->pc = pc;
    rt_mailbox.state = MAILBOX_IDLE;
    if (again++ == 0) {
        rt_print(vector == 0 ? "double exception" : "unexpected interrupt, level ");
        if (vector != 0) rt_print_decimal(vector);
        rt_print(" pc 0x");
        rt_print_hex(pc, 8);
        rt_print("\n");
    }
    rt_idle();
}
