/* What the runtime knows of linked modules: which one a code address belongs to, and their exports. Read-only. */
#include "runtime.h"

const struct wasm_module *rt_find_module(uint32_t pc)
{
    for (uint32_t i = 0; i < rt_mailbox.module_count; i++) {
        const struct wasm_module *module = rt_mailbox.modules[i];
        if (module->func_count != 0 && pc >= module->funcs[0].start && pc < module->code_end) return module;
    }
    return 0;
}

uint32_t rt_find_export(const struct wasm_module *module, const char *name)
{
    for (uint32_t i = 0; i < module->export_count; i++) {
        const char *a = module->exports[i].name, *b = name;
        while (*a != 0 && *a == *b) {
            a++;
            b++;
        }
        if (*a == *b) return module->exports[i].code;
    }
    return 0;
}
