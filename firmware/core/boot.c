/* After start-up: maps flash, instantiates the linked modules in order, runs `_start` if one has it. Gives the result in
 * the mailbox and, for faults, on the console. */
#include "runtime.h"

extern const struct wasm_module *const __wasm_modules_start[];
extern const struct wasm_module *const __wasm_modules_end[];

void *memset(void *to, int value, size_t n);

/** Runs a function without arguments; false if it did not return, after a report of what happened. */
static int run(uint32_t entry)
{
    static const uint32_t no_arguments[6];
    if (entry == 0) return 1;
    uint32_t reason = rt_invoke(entry, no_arguments, 0, 0, 0, 0);
    if (reason == STOP_RETURNED) return 1;
    if (reason != STOP_EXITED) rt_report(&rt_mailbox.stop);
    return 0;
}

static void clear_memories(const struct wasm_module *module)
{
    for (uint32_t i = 0; i < module->memory_count; i++)
        memset(module->memories[i]->base, 0, module->memories[i]->bytes);
}

static int instantiate(const struct wasm_module *module)
{
    if (module->abi_version != WASM_ABI_VERSION) {
        rt_print("module of another ABI version: ");
        rt_print(module->name);
        rt_print("\n");
        rt_mailbox.stop.reason = STOP_CONTRACT_BROKEN;
        return 0;
    }
    return run(module->init) && run(rt_find_export(module, "_initialize"));
}

void rt_boot(void)
{
    const struct wasm_module *const *modules = __wasm_modules_start;
    uint32_t count = (uint32_t)(__wasm_modules_end - __wasm_modules_start);
    rt_flash_map();
    if (&ts_boot_table != 0) {
        ts_boot_table.kernel->boot();
        return;
    }
    rt_mailbox.modules = modules;
    rt_mailbox.module_count = count;
    rt_mailbox.state = MAILBOX_RUNNING;
    /* All memories first: an importer must not clear what its exporter has initialised. */
    for (uint32_t i = 0; i < count; i++) clear_memories(modules[i]);
    int fine = 1;
    for (uint32_t i = 0; fine && i < count; i++) fine = instantiate(modules[i]);
    for (uint32_t i = 0; fine && i < count; i++) fine = run(rt_find_export(modules[i], "_start"));
    rt_uart_flush();
    rt_mailbox.state = MAILBOX_IDLE;
}
