/* The kernel's boot, its hooks in the runtime, and the mailbox's requests: the base chain. Takes the boot table; when it
 * is done, the modules of the image have started, one after the other, and the processor waits for events. */
#include "chain.h"
#include "imc.h"
#include "lifecycle.h"
#include "remote.h"

__attribute__((weak)) void ts_manager_boot(void) {}

static void take_in(const struct ts_module_info *info)
{
    if (ts_module_add(info, TS_STATE_STOPPED) >= 0) return;
    rt_print("module refused: ");
    rt_print(info->name);
    rt_print("\n");
}

static void start(struct ts_module *module)
{
    if (module->info == 0) return;
    module->state = TS_STATE_STARTING;
    ts_start_now(module);
}

static void boot(void)
{
    const struct ts_boot_table *table = &ts_boot_table;
    ts_lock();
    ts_grants_init();
    ts_no_frame();
    ts_timers_init();
    take_in(table->sys);
    if (&ts_dev_info != 0) take_in(&ts_dev_info);
    for (uint32_t i = 0; i < TS_WORKERS; i++) take_in(&ts_worker_infos[i]);
    for (uint32_t i = 0; i < table->count; i++) take_in(table->modules[i]);
    uint32_t enabled = 1u << INTERRUPT_CCOMPARE0 | 1u << INTERRUPT_SOFTWARE | 1u << INTERRUPT_ALARM;
    __asm__ volatile("wsr %0, intenable\n\trsync" : : "a"(enabled));
    rt_mailbox.state = MAILBOX_RUNNING;
    /* In order, and with no event in between: a module may rely on those before it. */
    ts_kernel.ceiling = TS_TOP_LEVEL;
    for (uint32_t i = 0; i < TS_MAX_MODULES; i++) start(&ts_modules[i]);
    ts_kernel.ceiling = TS_BASE_LEVEL;
    ts_let_preempt();
    ts_unlock(0);
    ts_manager_boot();
    rt_mailbox.state = MAILBOX_IDLE;
}

/** A host calls a function of the kernel: at `entry`, with up to six words, one result. */
static void serve_mailbox(void)
{
    const uint32_t *a = rt_mailbox.args;
    rt_mailbox.state = MAILBOX_RUNNING;
    uint32_t (*function)(uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t) = (void *)rt_mailbox.entry;
    rt_mailbox.results[0] = function(a[0], a[1], a[2], a[3], a[4], a[5]);
    rt_mailbox.state = MAILBOX_IDLE;
    /* Chains that wait go on when nobody else runs: now. */
    if (ts_kernel.waiting != 0) __asm__ volatile("wsr %0, intset\n\trsync" : : "a"(1u << INTERRUPT_SOFTWARE));
}

uint32_t ts_host_request(uint32_t method, const char *uri, uint32_t uri_bytes, const void *payload, uint32_t bytes, void *response);
uint32_t ts_host_request(uint32_t method, const char *uri, uint32_t uri_bytes, const void *payload, uint32_t bytes, void *response)
{
    return ts_native_request(method, uri, uri_bytes, payload, bytes, response, rt_mailbox.args[6]);
}

static _Noreturn void leave(uint32_t code)
{
    (void)code;
    ts_abandon(STOP_EXITED);
}

const struct ts_kernel_hooks ts_kernel_hooks = {
    .boot = boot,
    .exception = ts_exception,
    .serve_mailbox = serve_mailbox,
    .exit = leave,
    .window = rt_window_translate,
    .host_request = ts_host_request,
};
