/* A module's life as chains and events see it: starting, silencing, reporting. Masked unless said otherwise. */
#ifndef LIFECYCLE_H
#define LIFECYCLE_H

#include "kernel.h"

/** The timer of a module that starts it again after a fault. */
enum { TS_RESTART_TIMER = TS_MODULE_TIMERS };

/* chain.c */
/** Runs code as an invocation of a module, in a chain that has none yet; stop reason. */
uint32_t ts_run_event(struct ts_module *module, uint32_t entry, uint32_t a, uint32_t b, uint32_t budget);

/* scheduler.c */
/** After the last invocation of a chain: the next one, or the one that was preempted. */
_Noreturn void ts_next_chain(void);
/** Finds the highest level that has something to do. */
void ts_find_ready(void);
void ts_exception(struct exception_frame *frame);

/* lifecycle.c */
/** Restores the module's RAM and runs its start functions, each an invocation. */
void ts_start_now(struct ts_module *module);
/** Its RAM as the build made it. Runs as an invocation of the module, or while nobody can run it. */
void ts_module_restore(const struct ts_module_info *info);
/** Its events and timers are off, nothing of it starts any more. */
void ts_module_silence(struct ts_module *module);
/** No invocation of it is left: it is stopped, or starts again. */
void ts_stopped(struct ts_module *module);
/** A module has started, faulted or come to its stop: who wants to know is told. */
void ts_state_settled(void);
/** Ceilings of all modules, after one has come or gone. */
void ts_ceilings(void);

/* snapshot.c: timers and subscriptions of a module that nobody runs, as bytes at the bottom of its stack. Unmasked. */
void ts_events_stage(struct ts_module *module);
/** 0, or why they cannot be restored: TS_BAD_REQUEST, TS_SERVICE_UNAVAILABLE. */
uint32_t ts_events_check(const struct ts_module *module);
void ts_events_restore(struct ts_module *module);

/* observe.c */
/** Index + 1 of a subscription of this module that has something to say, now taken; 0: none. */
uint32_t ts_next_notification(struct ts_module *module);

/* os-report.c */
/** Has "sys" print the faults that are pending. */
void ts_post_report(void);
/** Prints them; runs as an invocation of "sys". */
void ts_report_faults(void);
/** In words. */
const char *ts_fault_reason(const struct ts_fault *fault);
/** Its functions, until the next call; for "sys". */
const struct wasm_stop *ts_fault_frames(struct ts_module *module);

#endif
