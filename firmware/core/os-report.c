/* Faults of modules on the console, for people and for `wasm-aot explain`. Takes the notes that the kernel keeps; runs as
 * an invocation of "sys", so that no module waits for the serial line. */
#include "chain.h"
#include "lifecycle.h"
#include "rt.h"

void ts_post_report(void) { ts_post(&ts_modules[TS_SYS], TS_EVENT_REPORT); }

const char *ts_fault_reason(const struct ts_fault *fault)
{
    switch (fault->reason) {
    case STOP_TRAPPED: return "trap";
    case STOP_DEADLINE_EXPIRED: return "deadline expired";
    case STOP_CONTRACT_BROKEN: return "contract broken";
    case STOP_EXITED: return "exited";
    default: return "killed";
    }
}

const struct wasm_stop *ts_fault_frames(struct ts_module *module)
{
    const struct ts_fault *fault = &module->fault;
    ts_note_frames(module);
    struct wasm_stop *stop = &rt_mailbox.stop;
    stop->backtrace_count = 0;
    stop->backtrace_cut = 0;
    for (uint32_t i = 0; i < fault->count; i++) {
        struct rt_walk walk = {.pc = fault->frames[i], .inner = i != 0};
        if (!rt_note_frames(stop, &walk)) break;
    }
    return stop;
}

static void print_reason(const struct ts_fault *fault)
{
    rt_print(ts_fault_reason(fault));
    if (fault->reason == STOP_TRAPPED) {
        rt_print(": ");
        rt_print(rt_trap_message(fault->trap_code));
    }
    if (fault->trap_code == TRAP_MACHINE_EXCEPTION) {
        rt_print(" ");
        rt_print_decimal(fault->cause);
        rt_print(" pc 0x");
        rt_print_hex(fault->frames[0], 8);
        rt_print(" vaddr 0x");
        rt_print_hex(fault->vaddr, 8);
    }
    rt_print("\n");
}

static void print_time(const struct ts_module *module)
{
    uint64_t now = (uint64_t)module->fault.time_high << 32 | module->fault.time_low;
    uint32_t second = (uint32_t)rt_i64_div_u(now, 1000000), fraction = (uint32_t)now - second * 1000000;
    rt_print("  time ");
    rt_print_decimal(second);
    rt_print(".");
    for (uint32_t digit = 100000; digit > fraction && digit > 1; digit = div32(digit, 10)) rt_print("0");
    rt_print_decimal(fraction);
    rt_print(" s, fault ");
    rt_print_decimal(module->fault_count);
    if (module->restart_ms == 0) rt_print(", no restart\n");
    else {
        rt_print(", restart in ");
        rt_print_decimal(module->restart_ms);
        rt_print(" ms\n");
    }
}

static void report(struct ts_module *module)
{
    const struct ts_fault *fault = &module->fault;
    rt_print("fault: module ");
    rt_print(module->info->name);
    rt_print(" ");
    rt_print(module->info->version);
    rt_print(": ");
    print_reason(fault);
    print_time(module);
    rt_report_frames(ts_fault_frames(module));
}

void ts_report_faults(void)
{
    for (uint32_t i = 0; i < TS_MAX_MODULES; i++) {
        struct ts_module *module = &ts_modules[i];
        if (module->info == 0 || !module->fault.pending) continue;
        module->fault.pending = 0;
        report(module);
    }
}
