/* The trap report for people: message and Wasm backtrace, innermost frame first. */
#include "runtime.h"

static const char *const MESSAGES[] = {WASM_TRAP_MESSAGES};

static const char *name_of(const struct wasm_frame *frame)
{
    const struct wasm_module *module = frame->module;
    if (module->func_names == 0) return 0;
    for (uint32_t i = 0; i < module->func_count; i++)
        if (module->funcs[i].func_index == frame->func_index) return module->func_names[i];
    /* All that is left of it may be its copies. */
    for (uint32_t i = 0; i < module->inlined_count; i++)
        if (module->inlined[i].func_index == frame->func_index) return module->inlined[i].name;
    return 0;
}

const char *rt_trap_message(uint32_t trap_code) { return MESSAGES[trap_code]; }

void rt_report_frames(const struct wasm_stop *stop)
{
    for (uint32_t i = 0; i < stop->backtrace_count; i++) {
        const struct wasm_frame *frame = &stop->backtrace[i];
        const char *name = name_of(frame);
        rt_print("  #");
        rt_print_decimal(i);
        rt_print(" func ");
        rt_print_decimal(frame->func_index);
        if (name != 0) {
            rt_print(" ");
            rt_print(name);
        }
        rt_print(" @0x");
        uint32_t digits = 1;
        while (digits < 8 && frame->wasm_offset >> (4 * digits) != 0) digits++;
        rt_print_hex(frame->wasm_offset, digits);
        rt_print("\n");
    }
    if (stop->backtrace_count != 0 && stop->backtrace_cut) rt_print("  ...\n");
}

void rt_report(const struct wasm_stop *stop)
{
    if (stop->reason == STOP_TRAPPED) {
        rt_print("trap: ");
        rt_print(rt_trap_message(stop->trap_code));
    } else rt_print("deadline expired");
    rt_print("\n");
    rt_report_frames(stop);
}
