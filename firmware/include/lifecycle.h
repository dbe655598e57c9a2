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
/** Its events and timers are off, nothing of it starts any more. */
void ts_module_silence(struct ts_module *module);
/** No invocation of it is left: it is stopped, or starts again. */
void ts_stopped(struct ts_module *module);
/** A module has started, faulted or come to its stop: who wants to know is told. */
void ts_state_settled(void);
/** Ceilings of all modules, after one has come or gone. */
void ts_ceilings(void);

/* observe.c */
/** Index + 1 of a subscription of this module that has something to say, now taken; 0: none. */
uint32_t ts_next_notification(struct ts_module *module);

/* os-report.c */
/** Has "sys" print the faults that are pending. */
void ts_post_report(void);
/** Prints them; runs as an invocation of "sys". */
void ts_report_faults(void);

#endif
