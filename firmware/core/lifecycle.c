/* Modules coming, starting, stopping and going. Takes descriptors that the build or the module manager gives; gives
 * states. What runs long here runs unmasked, as an invocation of the module itself. */
#include "chain.h"
#include "imc.h"
#include "lifecycle.h"

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);

void (*ts_state_observer)(void);

void ts_state_settled(void)
{
    ts_changed(TS_SYS, "sys/modules", 11);
    if (ts_state_observer != 0) ts_state_observer();
}

/** What the fault handler knows of: the modules that are there, without gaps. */
static const struct wasm_module *known[TS_MAX_MODULES];

static void publish(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < TS_MAX_MODULES; i++)
        if (ts_modules[i].info != 0 && ts_modules[i].info->wasm != 0) known[count++] = ts_modules[i].info->wasm;
    rt_mailbox.modules = known;
    rt_mailbox.module_count = count;
}

/** Can a path fit both a service's pattern and an entry of `requires`? */
static int overlap(const char *pattern, const char *required)
{
    for (;;) {
        if (required[0] == '*' && required[1] == 0) return 1;
        if (*pattern == '{') {
            if (*required == 0 || *required == '/') return 0;
            while (*required != 0 && *required != '/') required++;
            while (*pattern != 0 && *pattern != '/') pattern++;
        }
        if (*pattern != *required) return 0;
        if (*pattern == 0) return 1;
        pattern++;
        required++;
    }
}

static int reaches(const struct ts_module_info *caller, const struct ts_module_info *provider)
{
    for (uint32_t r = 0; r < caller->requirement_count; r++)
        for (uint32_t s = 0; s < provider->service_count; s++)
            if (overlap(provider->services[s].path, caller->requirements[r].path)) return 1;
    return 0;
}

void ts_ceilings(void)
{
    uint8_t ceiling[TS_MAX_MODULES];
    for (uint32_t i = 0; i < TS_MAX_MODULES; i++) ceiling[i] = ts_modules[i].level;
    for (int changed = 1; changed;) {
        changed = 0;
        for (uint32_t c = 0; c < TS_MAX_MODULES; c++)
            for (uint32_t p = 0; p < TS_MAX_MODULES; p++) {
                const struct ts_module_info *caller = ts_modules[c].info, *provider = ts_modules[p].info;
                if (caller == 0 || provider == 0 || ceiling[p] >= ceiling[c] || !reaches(caller, provider)) continue;
                ceiling[p] = ceiling[c];
                changed = 1;
            }
    }
    uint32_t ps = ts_lock();
    for (uint32_t i = 0; i < TS_MAX_MODULES; i++) ts_modules[i].ceiling = ceiling[i];
    ts_unlock(ps);
}

int32_t ts_module_find(const char *name, uint32_t bytes)
{
    for (uint32_t i = 0; i < TS_MAX_MODULES; i++)
        if (ts_modules[i].info != 0 && ts_name_is(ts_modules[i].info->name, name, bytes)) return (int32_t)i;
    return -1;
}

/** Puts a module at an index of the table. */
static void place(uint32_t index, const struct ts_module_info *info, uint32_t state)
{
    struct ts_module *module = &ts_modules[index];
    uint32_t ps = ts_lock();
    memset(module, 0, sizeof *module);
    module->index = (uint8_t)index;
    module->state = (uint8_t)state;
    module->level = (uint8_t)(info->priority + 1);
    module->ceiling = module->level;
    module->sp = info->stack_top;
    module->info = info;
    publish();
    ts_routes_forget();
    ts_unlock(ps);
}

int32_t ts_module_add(const struct ts_module_info *info, uint32_t state)
{
    if (info->os_abi_version != TS_OS_ABI_VERSION || info->priority > TS_MAX_PRIORITY) return -1;
    if (info->wasm != 0 && info->wasm->abi_version != WASM_ABI_VERSION) return -1;
    if (info->requirement_count > TS_MAX_REQUIREMENTS) return -1;
    if (ts_module_find(info->name, ts_string_bytes(info->name)) >= 0) return -1;
    /* The first one is "sys". */
    uint32_t index = ts_modules[TS_SYS].info == 0 ? TS_SYS : info == &ts_dev_info ? TS_DEV : TS_DEV + 1;
    while (index < TS_MAX_MODULES && ts_modules[index].info != 0) index++;
    if (index == TS_MAX_MODULES) return -1;
    place(index, info, state);
    ts_ceilings();
    return (int32_t)index;
}

uint32_t ts_module_start(uint32_t index)
{
    if (index >= TS_MAX_MODULES || ts_modules[index].info == 0) return TS_NOT_FOUND;
    uint32_t code = 0, ps = ts_lock();
    struct ts_module *module = &ts_modules[index];
    uint32_t state = module->state;
    if (state == TS_STATE_STOPPED || state == TS_STATE_FAILED || state == TS_STATE_BACKING_OFF || state == TS_STATE_HELD) {
        if (state == TS_STATE_HELD) ts_routes_forget();
        module->state = TS_STATE_STARTING;
        module->backoff = 0;
        module->restarts = 0;
        ts_timer_set(module, TS_RESTART_TIMER, 0, 0);
        ts_post(module, TS_EVENT_START);
    } else code = TS_CONFLICT;
    ts_unlock(ps);
    return code;
}

void ts_module_silence(struct ts_module *module)
{
    module->events &= TS_EVENT_REPORT;
    module->timers_on = 0;
    module->timers_due = 0;
}

void ts_stopped(struct ts_module *module)
{
    module->state = TS_STATE_STOPPED;
    if (!module->restart_wanted) return;
    module->restart_wanted = 0;
    module->state = TS_STATE_STARTING;
    ts_post(module, TS_EVENT_START);
}

/** Everything but the grants at once: whoever asks for it may itself be ended at any instruction. */
static uint32_t stop(uint32_t index, int restart)
{
    if (index >= TS_MAX_MODULES || ts_modules[index].info == 0) return TS_NOT_FOUND;
    if (ts_modules[index].info->wasm == 0) return TS_FORBIDDEN;
    struct ts_module *module = &ts_modules[index];
    uint32_t ps = ts_lock();
    if (module->state == TS_STATE_HELD) ts_routes_forget();
    module->restart_wanted = (uint8_t)restart;
    module->state = TS_STATE_STOPPING;
    module->staged = 0;
    ts_module_silence(module);
    if (module->depth != 0) module->intact = 0;
    if (module->depth == 0) ts_stopped(module);
    ts_doom(module);
    ts_provider_changed(index);
    ts_subscriptions_drop(index);
    while (ts_grants_drop_one(index)) {
        ts_unlock(ps);
        ps = ts_lock();
    }
    ts_unlock(ps);
    return 0;
}

uint32_t ts_module_stop(uint32_t index) { return stop(index, 0); }
uint32_t ts_module_restart(uint32_t index) { return stop(index, 1); }

uint32_t ts_module_resume(uint32_t index)
{
    if (index >= TS_MAX_MODULES || ts_modules[index].info == 0) return TS_NOT_FOUND;
    struct ts_module *module = &ts_modules[index];
    uint32_t code = ts_module_resumable(index);
    if (code != 0) return code;
    /* Its events are taken up while it cannot run yet. */
    if (module->staged) ts_events_restore(module);
    uint32_t ps = ts_lock();
    if (module->state == TS_STATE_HELD) ts_routes_forget();
    module->staged = 0;
    module->state = TS_STATE_RUNNING;
    if (module->timers_due != 0) ts_post(module, TS_EVENT_TIMER);
    ts_provider_changed(index);
    ts_state_settled();
    ts_unlock(ps);
    return 0;
}

uint32_t ts_module_resumable(uint32_t index)
{
    const struct ts_module *module = &ts_modules[index];
    int at_rest = module->state == TS_STATE_STOPPED || module->state == TS_STATE_HELD;
    if (!at_rest || !module->intact || module->depth != 0) return TS_CONFLICT;
    return module->staged ? ts_events_check(module) : 0;
}

int ts_module_may_hold(uint32_t index)
{
    const struct ts_module *module = &ts_modules[index];
    return module->depth == 0 && module->state != TS_STATE_STARTING && module->state != TS_STATE_STOPPING;
}

void ts_module_hold(uint32_t index)
{
    struct ts_module *module = &ts_modules[index];
    /* Of a stopped one nothing is left, or what was written. */
    if (module->state == TS_STATE_RUNNING) ts_events_stage(module);
    uint32_t ps = ts_lock();
    module->state = TS_STATE_HELD;
    ts_module_silence(module);
    ts_subscriptions_drop(index);
    while (ts_grants_drop_one(index)) {
        ts_unlock(ps);
        ps = ts_lock();
    }
    ts_routes_forget();
    ts_state_settled();
    ts_unlock(ps);
}

uint32_t ts_module_remove(uint32_t index)
{
    if (index >= TS_MAX_MODULES || ts_modules[index].info == 0) return TS_NOT_FOUND;
    uint32_t ps = ts_lock();
    struct ts_module *module = &ts_modules[index];
    int stopped = module->depth == 0 && (module->state == TS_STATE_STOPPED || module->state == TS_STATE_FAILED);
    while (stopped && ts_grants_drop_one(index)) {
        ts_unlock(ps);
        ps = ts_lock();
    }
    if (stopped) {
        ts_kernel.pending[module->level] &= (uint16_t)~(1u << index);
        module->events = 0;
        module->info = 0;
        module->state = TS_STATE_EMPTY;
        publish();
        ts_routes_forget();
    }
    ts_unlock(ps);
    if (!stopped) return TS_CONFLICT;
    ts_ceilings();
    return 0;
}

void ts_module_restore(const struct ts_module_info *info)
{
    memcpy((void *)info->data_start, (const void *)info->data_load, info->data_bytes);
    memset((void *)info->bss_start, 0, info->bss_bytes);
    for (uint32_t i = 0; i < info->wasm->memory_count; i++)
        memset(info->wasm->memories[i]->base, 0, info->wasm->memories[i]->bytes);
}

static uint32_t restore_budget(const struct ts_module_info *info)
{
    enum { CYCLES_PER_BYTE = 4 };
    uint32_t bytes = info->data_bytes + info->bss_bytes + (info->memory == 0 ? 0 : info->memory->capacity_bytes);
    return info->start_deadline_cycles + CYCLES_PER_BYTE * bytes;
}

void ts_start_now(struct ts_module *module)
{
    const struct ts_module_info *info = module->info;
    uint32_t budget = info->start_deadline_cycles;
    module->state = TS_STATE_STARTING;
    module->intact = 0;
    module->staged = 0;
    module->fault.noted = 1;
    ts_module_silence(module);
    ts_subscriptions_drop(module->index);
    while (ts_grants_drop_one(module->index)) {
        ts_unlock(0);
        ts_lock();
    }
    if (module->state != TS_STATE_STARTING) return; /* stopped meanwhile */
    const struct wasm_module *wasm = info->wasm;
    if (wasm != 0) {
        if (ts_run_event(module, (uint32_t)ts_module_restore, (uint32_t)info, 0, restore_budget(info)) != STOP_RETURNED) return;
        if (wasm->init != 0 && ts_run_event(module, wasm->init, 0, 0, budget) != STOP_RETURNED) return;
        uint32_t initialize = rt_find_export(wasm, "_initialize");
        if (initialize != 0 && ts_run_event(module, initialize, 0, 0, budget) != STOP_RETURNED) return;
    }
    if (info->on_start != 0 && ts_run_event(module, info->on_start, 0, 0, budget) != STOP_RETURNED) return;
    module->state = TS_STATE_RUNNING;
    module->intact = 1;
    ts_provider_changed(module->index);
    ts_state_settled();
}

void ts_post_job(uint32_t index, void (*job)(void))
{
    uint32_t ps = ts_lock();
    ts_modules[index].job = job;
    ts_post(&ts_modules[index], TS_EVENT_JOB);
    ts_unlock(ps);
}
