/* The kernel's state and the functions its parts give each other: modules, chains of invocations, services, grants,
 * events. For firmware/core and firmware/drivers; includes the generated ABI, knows no register address.
 *
 * A module is a monitor with a stack of its own. A chain is an event and the calls made from it; chains preempt each
 * other by priority under the stack resource policy, so that a preempting chain never meets a busy module. All state
 * here is changed with interrupts masked (ts_lock) unless said otherwise; code that runs unmasked may end at any
 * instruction. See docs/kernel.md. */
#ifndef KERNEL_H
#define KERNEL_H

#include "runtime.h"

/* Offsets for the assembler; asserted below. */
#define TS_FRAME_SAVED_SP 0
#define TS_FRAME_CALLER 4
#define TS_FRAME_MODULE 8
#define TS_FRAME_SERIAL 12
#define TS_FRAME_DEADLINE 16
#define TS_FRAME_SERVICE 20
#define TS_FRAME_URI 24
#define TS_FRAME_URI_BYTES 28
#define TS_FRAME_DEPTH 32
#define TS_FRAME_CEILING 33
#define TS_FRAME_DOOMED 34
#define TS_FRAME_CALLER_INDEX 35
#define TS_FRAME_GRANTS 36
#define TS_FRAME_SIZE 48
#define TS_MODULE_INFO 0
#define TS_MODULE_SP 4
#define TS_MODULE_STATE_AND_DEPTH 8
#define TS_MODULE_DEPTH 9
#define TS_MODULE_INDEX 10
#define TS_MODULE_CEILING 12
#define TS_MODULE_BINDINGS 152
#define TS_MODULE_CALLS 188
/* Running and not called. */
#define TS_MODULE_READY 3
#define TS_KERNEL_FRAME 0
#define TS_KERNEL_CLOCK_OFFSET 4
#define TS_KERNEL_SERIAL 8
#define TS_KERNEL_CEILING 12
#define TS_KERNEL_READY 14
#define TS_KERNEL_EPOCH 16
#define TS_KERNEL_MODULE 20
#define TS_KERNEL_CALL_GRANTS 24
#define TS_ROUTE_SERVICE 0
#define TS_ROUTE_CALLEE 4
#define TS_ROUTE_WHO_READ 8
#define TS_ROUTE_WHO_BOTH 12
#define TS_ROUTE_CALLERS 16
#define TS_ROUTE_LEAST_CAPACITY 20
#define TS_ROUTE_SIZE 32
/* CPU interrupts of level 1. */
#define INTERRUPT_SOFTWARE 7
#define INTERRUPT_ALARM 9
#define INTERRUPT_UART 13
/* Deadlines that are over or nearly so are given this many cycles: a CCOMPARE in the past would never match. */
#define TS_LEAST_CYCLES 64
/* Entries of ts_grants for the payloads and buffers of calls; the others are for grants that last. */
#define TS_CALL_GRANTS 32

#ifndef __ASSEMBLER__

/* Native modules: both have index, services, stack and deadlines as others have; their handlers take native pointers. */
enum { TS_SYS = 0, TS_DEV = 1 };

/* Levels of the scheduler: priority + 1; level 0 is the base chain (idle, boot, the mailbox). */
enum { TS_LEVELS = TS_MAX_PRIORITY + 2, TS_BASE_LEVEL = 0, TS_TOP_LEVEL = TS_MAX_PRIORITY + 1 };

/** Below a module's stack limit, for C functions that it calls. */
#define TS_STACK_RESERVE 512

typedef uint32_t (*ts_handler)(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity);

/** A running invocation; at the top of what it uses of its module's stack. */
struct ts_frame {
    uint32_t saved_sp; /* in ts_enter, on the caller's stack: where every invocation ends */
    struct ts_frame *caller; /* in the same chain; null: the chain's first */
    struct ts_module *module;
    uint32_t serial; /* never 0; ts_current_frame while it is the innermost running one */
    uint32_t deadline; /* on the chain's CPU clock */
    const struct ts_service *service; /* null for events, starts and requests of the host */
    const char *uri; /* of the request, without leading slash; path parameters and query are read from here */
    uint32_t uri_bytes; /* of the URI; if that is null: the number of the caller's requirement that has it */
    uint8_t depth; /* 1: the chain's first */
    uint8_t ceiling; /* to restore when it ends */
    uint8_t doomed; /* ends as soon as control would come back to it: 1 killed */
    uint8_t caller_index; /* module that called; TS_SYS for events */
    struct ts_grant *grants; /* its own are from here to ts_kernel.call_grants */
    uint32_t response; /* native address, if the response has contents to check */
    uint32_t reserved;
};
_Static_assert(sizeof(struct ts_frame) == TS_FRAME_SIZE, "ts_frame keeps stacks 16-aligned");
_Static_assert(offsetof(struct ts_frame, saved_sp) == TS_FRAME_SAVED_SP, "saved_sp");
_Static_assert(offsetof(struct ts_frame, caller) == TS_FRAME_CALLER, "caller");
_Static_assert(offsetof(struct ts_frame, module) == TS_FRAME_MODULE, "module");
_Static_assert(offsetof(struct ts_frame, serial) == TS_FRAME_SERIAL, "serial");
_Static_assert(offsetof(struct ts_frame, deadline) == TS_FRAME_DEADLINE, "deadline");
_Static_assert(offsetof(struct ts_frame, service) == TS_FRAME_SERVICE, "service");
_Static_assert(offsetof(struct ts_frame, uri) == TS_FRAME_URI, "uri");
_Static_assert(offsetof(struct ts_frame, uri_bytes) == TS_FRAME_URI_BYTES, "uri_bytes");
_Static_assert(offsetof(struct ts_frame, depth) == TS_FRAME_DEPTH, "depth");
_Static_assert(offsetof(struct ts_frame, ceiling) == TS_FRAME_CEILING, "ceiling");
_Static_assert(offsetof(struct ts_frame, doomed) == TS_FRAME_DOOMED, "doomed");
_Static_assert(offsetof(struct ts_frame, caller_index) == TS_FRAME_CALLER_INDEX, "caller_index");
_Static_assert(offsetof(struct ts_frame, grants) == TS_FRAME_GRANTS, "grants");

/* Why a module has something to do; bits of ts_module.events. */
enum {
    TS_EVENT_START = 1, /* restore the RAM image, $init, _initialize, on_start */
    TS_EVENT_TIMER = 2,
    TS_EVENT_NOTIFY = 4,
    TS_EVENT_JOB = 8, /* native modules: ts_module.job */
    TS_EVENT_REPORT = 16, /* "sys": faults to be printed */
};

struct ts_timer {
    uint32_t due_low, due_high; /* microseconds since the start; both 0: off */
    uint32_t period_ms;
};

enum { TS_FAULT_FRAMES = 6 };

/** What is kept of a module's last fault for the report. */
struct ts_fault {
    uint8_t reason; /* StopReason */
    uint8_t trap_code;
    uint8_t cause;
    uint8_t pending; /* not yet printed */
    uint8_t count; /* of frames */
    uint8_t noted; /* no more frames are to come */
    uint8_t reserved[2];
    uint32_t sp, return_address, vaddr;
    uint32_t time_low, time_high; /* microseconds since the start */
    uint32_t frames[TS_FAULT_FRAMES]; /* pc, then return addresses */
};

struct ts_module {
    const struct ts_module_info *info; /* null: no module */
    uint32_t sp; /* where its next invocation begins: stack top, or below what it has on the stack while it calls */
    uint8_t state; /* ModuleState */
    uint8_t depth; /* its live invocations, all in one chain */
    uint8_t index;
    uint8_t level;
    uint8_t ceiling; /* highest level that can reach it, at least its own */
    uint8_t events;
    uint8_t timers_on, timers_due; /* bit per timer */
    uint8_t backoff; /* doublings */
    uint8_t restart_wanted; /* starts again as soon as it has stopped */
    uint16_t restarts; /* since first_restart */
    uint16_t fault_count;
    uint32_t restart_ms; /* after the last fault; 0: none */
    uint32_t last_fault_s, first_restart_s; /* seconds since the start */
    void (*job)(void); /* of a native module; runs for TS_EVENT_JOB */
    struct ts_timer timers[TS_MODULE_TIMERS + 1]; /* the last one starts the module again */
    struct ts_fault fault;
    uint8_t bindings[TS_MAX_REQUIREMENTS] __attribute__((aligned(4))); /* index + 1 in ts_routes of each requirement, 0: not yet bound */
    uint8_t intact; /* its RAM is a state that it can go on from */
    uint8_t staged; /* and its timers and subscriptions lie at the bottom of its stack (snapshot.c) */
    uint32_t calls; /* of a compiled module; events are none */
};
_Static_assert(sizeof(struct ts_module) <= 512, "kernel RAM of a module");
_Static_assert(offsetof(struct ts_module, state) == TS_MODULE_STATE_AND_DEPTH, "state");
_Static_assert(TS_STATE_RUNNING == TS_MODULE_READY, "state in the lower byte, depth in the upper");
_Static_assert(offsetof(struct ts_module, info) == TS_MODULE_INFO, "info");
_Static_assert(offsetof(struct ts_module, sp) == TS_MODULE_SP, "sp");
_Static_assert(offsetof(struct ts_module, depth) == TS_MODULE_DEPTH, "depth");
_Static_assert(offsetof(struct ts_module, index) == TS_MODULE_INDEX, "index");
_Static_assert(offsetof(struct ts_module, ceiling) == TS_MODULE_CEILING, "ceiling");
_Static_assert(offsetof(struct ts_module, bindings) == TS_MODULE_BINDINGS, "bindings");
_Static_assert(offsetof(struct ts_module, calls) == TS_MODULE_CALLS, "calls");

/** A service that has been called. */
struct ts_route {
    const struct ts_service *service; /* null: free */
    struct ts_module *callee;
    uint32_t who_read, who_both; /* ts_grant_who of the callee, with the rights for payload and for response buffer */
    uint16_t callers; /* bit per module index that the contract allows */
    uint8_t provider;
    uint8_t reserved;
    /* Response buffer that call.S takes: the least that an answer needs. TS_NO_CAPACITY_SUFFICES where the service has a rate, a
     * native provider, or contents that call.S does not check: for ts_dispatch alone. */
    uint32_t least_capacity;
    uint32_t rate_low, rate_high; /* 1/256 microseconds since the start: when its bucket is full again */
};
enum { TS_MAX_ROUTES = 40 };
#define TS_NO_CAPACITY_SUFFICES 0xffffffffu
_Static_assert(offsetof(struct ts_route, service) == TS_ROUTE_SERVICE, "service");
_Static_assert(offsetof(struct ts_route, callee) == TS_ROUTE_CALLEE, "callee");
_Static_assert(offsetof(struct ts_route, who_read) == TS_ROUTE_WHO_READ, "who_read");
_Static_assert(offsetof(struct ts_route, who_both) == TS_ROUTE_WHO_BOTH, "who_both");
_Static_assert(offsetof(struct ts_route, callers) == TS_ROUTE_CALLERS, "callers");
_Static_assert(offsetof(struct ts_route, least_capacity) == TS_ROUTE_LEAST_CAPACITY, "least_capacity");
_Static_assert(sizeof(struct ts_route) == TS_ROUTE_SIZE, "ts_route");

struct ts_subscription {
    uint32_t buffer; /* address in the subscriber's memory */
    uint32_t epoch; /* of the routes by which `provider` was found */
    uint16_t capacity;
    uint8_t uri_bytes; /* 0: free */
    uint8_t subscriber;
    uint8_t provider; /* module, or TS_ELSEWHERE */
    uint8_t id; /* as the subscriber knows it */
    uint8_t pending;
    uint8_t gone; /* code: nobody provides it any more; the next notification says so and is the last */
    char uri[TS_MAX_OBSERVED_URI];
};
/** Provider of what is not on this device: the edge knows where. */
#define TS_ELSEWHERE 0xfe

/** Full state of a preempted chain. */
struct ts_context {
    struct exception_frame registers;
    uint32_t extra[24]; /* f0-f15, FCR, FSR, BR, MISC0, MISC1, SCOMPARE1, ACCLO, ACCHI */
    uint32_t arguments[TS_ARGUMENT_WORDS]; /* of __wasm_argbuf, which all modules share */
    struct ts_frame *frame;
    uint32_t clock; /* its CPU clock when it was preempted */
    uint8_t ceiling, level;
};

/** A chain that has left the processor until an answer comes (wait.c). */
struct ts_waiter {
    uint32_t sp; /* where ts_switch_out has saved its registers */
    struct ts_frame *frame;
    const volatile uint8_t *done; /* it waits until this is not 0 */
    uint32_t clock; /* its CPU clock: waiting takes none */
    uint8_t ceiling, level;
    uint8_t light; /* holds no grants of calls: goes on whenever its level is above the ceiling */
    uint8_t reserved;
};
enum { TS_MAX_WAITERS = 4 };

struct ts_kernel {
    struct ts_frame *frame; /* innermost running invocation, null: none */
    uint32_t clock_offset; /* CCOUNT minus the running chain's CPU clock */
    uint32_t serial; /* of the last invocation */
    uint8_t ceiling; /* only events above this level start now */
    uint8_t level; /* of the running chain */
    uint8_t ready; /* highest level with pending events or chains that go on, 0: none */
    uint8_t preempted; /* contexts in use */
    uint32_t epoch; /* counts changes of modules and services */
    struct ts_module *module; /* that runs; "sys" if no invocation does */
    struct ts_grant *call_grants; /* first one free for calls: they end in the opposite order, in whatever chains */
    uint16_t pending[TS_LEVELS]; /* modules with events, by level */
    uint8_t last[TS_LEVELS]; /* module that had its turn last */
    uint8_t grant_head, grant_tail; /* free entries of the others: index + 1 */
    uint32_t held; /* serial of an invocation that is not to be ended now (ts_hold), 0: none; its deadline waits */
    uint16_t busy; /* modules of chains that wait: their events do, too */
    uint8_t waiting; /* of ts_waiters */
};

_Static_assert(offsetof(struct ts_kernel, frame) == TS_KERNEL_FRAME, "frame");
_Static_assert(offsetof(struct ts_kernel, clock_offset) == TS_KERNEL_CLOCK_OFFSET, "clock_offset");
_Static_assert(offsetof(struct ts_kernel, serial) == TS_KERNEL_SERIAL, "serial");
_Static_assert(offsetof(struct ts_kernel, ceiling) == TS_KERNEL_CEILING, "ceiling");
_Static_assert(offsetof(struct ts_kernel, ready) == TS_KERNEL_READY, "ready");
_Static_assert(offsetof(struct ts_kernel, epoch) == TS_KERNEL_EPOCH, "epoch");
_Static_assert(offsetof(struct ts_kernel, module) == TS_KERNEL_MODULE, "module");
_Static_assert(offsetof(struct ts_kernel, call_grants) == TS_KERNEL_CALL_GRANTS, "call_grants");

extern struct ts_kernel ts_kernel;
extern struct ts_module ts_modules[TS_MAX_MODULES];
extern struct ts_route ts_routes[TS_MAX_ROUTES];
extern struct ts_subscription ts_subscriptions[TS_MAX_SUBSCRIPTIONS];
extern struct ts_context ts_contexts[TS_LEVELS - 1];
extern struct ts_waiter ts_waiters[TS_MAX_WAITERS];
extern struct ts_grant ts_grants[TS_MAX_GRANTS];
extern uint32_t ts_current_module; /* index */
extern uint32_t ts_current_frame; /* serial */

/** Bit per module that lies in flash while the flash is busy: nothing of it can be read, its descriptors neither. */
extern uint32_t ts_out_of_reach;

/* Masking. Short: the longest masked section is the longest delay of every deadline and event. */
static inline uint32_t ts_lock(void)
{
    uint32_t ps;
    __asm__ volatile("rsil %0, 3" : "=a"(ps) : : "memory");
    return ps;
}
static inline void ts_unlock(uint32_t ps) { __asm__ volatile("wsr %0, ps\n\trsync" : : "a"(ps) : "memory"); }

static inline uint32_t ts_result(uint32_t code, uint32_t length) { return code << TS_RESULT_CODE_SHIFT | length; }

/* Native modules. "sys" is ts_boot_table.sys: with or without the services of the slots.
 * "dev" is there when somebody defines it. Path patterns, contracts and attributes as in things.json. */
extern const struct ts_module_info ts_sys_info;
extern const struct ts_module_info ts_dev_info __attribute__((weak));
/** Handler of GET /.well-known/core. */
uint32_t ts_core_handler(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity);

/** Flag of ts_service.reserved: the handler looks at ts_block_of_request. */
#define TS_SERVICE_BLOCKWISE 1
/** The part of a payload that a remote request is about (RFC 7959). */
struct ts_block {
    uint32_t offset1; /* of the request's payload in the whole; all ones: it is the whole */
    uint32_t offset2; /* of the response that is wanted */
    uint32_t total; /* to be set by the handler: bytes of the whole representation */
};

/* For handlers of native modules: of the request being handled. Run unmasked. */
/** Null if the request is a local one: then payload and response are the whole. */
struct ts_block *ts_block_of_request(void);
/** Content: the part of a representation of `total` bytes that is wanted and has been written. */
static inline uint32_t ts_block_result(struct ts_block *block, uint32_t total, uint32_t capacity)
{
    block->total = total;
    uint32_t left = total > block->offset2 ? total - block->offset2 : 0;
    if (left == 0 && block->offset2 != 0) return TS_BAD_REQUEST;
    return ts_result(TS_CONTENT, left < capacity ? left : capacity);
}
/** Text of the index-th brace of the path; its length, or -1. Cut at `capacity`. */
int32_t ts_path_parameter(uint32_t index, char *buffer, uint32_t capacity);
/** Value of a query parameter; its length, or -1. Cut at `capacity`. */
int32_t ts_query_parameter(const char *key, uint32_t key_bytes, char *buffer, uint32_t capacity);
/** Index of the module that called. */
uint32_t ts_caller_module(void);
/** A request from native code, with native pointers; method is a Method, uri without leading slash. */
uint32_t ts_native_request(uint32_t method, const char *uri, uint32_t uri_bytes, const void *payload, uint32_t bytes,
                           void *response, uint32_t capacity);
/** Microseconds of CPU time until the deadline of the running invocation. */
uint32_t ts_time_left(void);
/** A service of module `provider` has changed: gives the number of its observers. Callable from interrupts. */
uint32_t ts_changed(uint32_t provider, const char *path, uint32_t path_bytes);
/** Has `job` of a native module run as an event at its level, with its event deadline. Callable from interrupts. */
void ts_post_job(uint32_t module, void (*job)(void));
/** A device interrupt of level 1 that is no timer: mask of the CPU interrupts pending and enabled. Weak and empty. */
void ts_device_interrupt(uint32_t pending);
/** The interrupt of UART0 (remote/link.c). */
void ts_uart_interrupt(void);
/** Ends the running invocation as if it had trapped: a driver that finds itself in an impossible state. */
_Noreturn void ts_abandon(uint32_t reason);

/* Modules; unmasked unless said otherwise. Removing is for jobs of the lowest level and the base chain only: no other
 * chain may be in the middle of a look-up. All give 0 or an error code (CoAP). */
/** Takes a module in as Stopped or Held; its index, or -1 if its ABI is another, its name is taken or there is no room. */
int32_t ts_module_add(const struct ts_module_info *info, uint32_t state);
/** Starts it: an event at its own level; its state says how that went. */
uint32_t ts_module_start(uint32_t index);
/** Ends its running invocations, drops its timers, subscriptions and grants. TS_STATE_STOPPING until control has come
 * back from its outer invocations, then TS_STATE_STOPPED. */
uint32_t ts_module_stop(uint32_t index);
/** Can it go on from the state that it has, without a start? 0, TS_CONFLICT if that is none, or what is wrong with its events. */
uint32_t ts_module_resumable(uint32_t index);
/** Has a stopped or held module that is resumable do so; else the same codes. */
uint32_t ts_module_resume(uint32_t index);
/** Is it between invocations? */
int ts_module_may_hold(uint32_t index);
/** Takes it out of service as it is: no routes, no events. Within ts_hold, if it may be held. */
void ts_module_hold(uint32_t index);
/** Stops it, and starts it as soon as that is done. */
uint32_t ts_module_restart(uint32_t index);
/** Forgets a stopped module: its routes are gone for everybody. TS_CONFLICT if it is not stopped. */
uint32_t ts_module_remove(uint32_t index);
/** At the end of the boot, when all modules of the image have started: the module manager starts those in slots. Weak
 * and empty. Runs on the base chain. */
void ts_manager_boot(void);
/** Called, masked, whenever a module has started, faulted or come to its stop; null: nobody wants to know. */
extern void (*ts_state_observer)(void);
/** Index of the module of that name, or -1. */
int32_t ts_module_find(const char *name, uint32_t bytes);

/* Parts of the kernel. */
/* chain.c */
_Noreturn void ts_chain_begin(struct ts_module *module);
/* arch/xtensa/chain.S */
/** As the import of that name, for what call.S leaves. */
uint32_t ts_call_slow(uint32_t index, uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity);
/** After a call that call.S has made: its invocation ended otherwise than by returning (masked), or gave what it may not
 * (unmasked); the caller's result. */
uint32_t ts_call_failed(uint32_t reason);
uint32_t ts_call_breach(struct ts_module *callee);
/** Control comes back to an invocation, null: the base chain; does not return if that is doomed. Masked. */
void ts_back_to(struct ts_frame *caller);
uint64_t ts_enter(struct ts_frame *frame, uint32_t handler, uint32_t a, uint32_t b, uint32_t c, uint32_t d);
extern const char ts_return_target[];
/** Ends the running invocation: `saved_sp` is its frame's. Masked. */
_Noreturn void ts_leave(uint32_t saved_sp, uint32_t reason);
_Noreturn void ts_chain_switch(struct ts_module *module, uint32_t sp);
void ts_save_extra(uint32_t *extra);
_Noreturn void ts_resume(struct ts_context *context);
/** Puts the registers of a chain that leaves aside; comes back by ts_switch_in. */
void ts_switch_out(uint32_t *sp);
_Noreturn void ts_switch_in(uint32_t sp);
/** rt_idle on that stack. */
_Noreturn void ts_idle_at(uint32_t sp);
/* scheduler.c */
/** Masked. */
void ts_post(struct ts_module *module, uint32_t event);

/* wait.c; masked */
/** Innermost invocation of the next chain that is not running, from `*next` 0 on; false at the end. */
int ts_other_chain(uint32_t *next, struct ts_frame **frame);
#endif
#endif
