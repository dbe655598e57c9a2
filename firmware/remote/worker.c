/* The workers: native modules of the lowest priority that take received messages, see what each of them is, and have it
 * handled. Two, so that while the handler of a request waits for the edge there is another one. */
#pragma GCC optimize("O2")
#include "chain.h"
#include "exchange.h"
#include "sys.h"

enum { CHECK_BYTES = 2 };

static struct worker {
    const char *caller;
    uint16_t caller_bytes;
    uint8_t module; /* 0: not started yet */
} workers[TS_WORKERS];
static uint8_t stacks[TS_WORKERS][1280] __attribute__((aligned(16)));
static uint8_t jobs;  /* bits of TS_JOB_... */
static uint8_t heard; /* the edge */

uint32_t ts_this_worker(void) { return ts_current_module == workers[0].module ? 0 : 1; }

int ts_is_worker(uint32_t module) { return module != 0 && (module == workers[0].module || module == workers[1].module); }

void ts_worker_serves(const char *caller, uint32_t bytes)
{
    struct worker *worker = &workers[ts_this_worker()];
    worker->caller = caller;
    worker->caller_bytes = (uint16_t)bytes;
}

const char *ts_remote_caller(uint32_t *bytes)
{
    const struct worker *worker = &workers[ts_caller_module() == workers[0].module ? 0 : 1];
    *bytes = worker->caller_bytes;
    return worker->caller;
}

int ts_link_up(void) { return heard; }

static void handle_request(struct ts_message *message)
{
    struct ts_exchange *exchange = ts_exchange_begin(message);
    if (exchange == 0) return;
    ts_worker_serves(message->caller, message->caller_bytes);
    if (message->known == 0 && message->observe == 1) ts_observer_remove(message);
    struct ts_answer answer;
    answer.bytes = 0;
    answer.format = TS_NO_FORMAT;
    answer.options = 0;
    answer.observe = 0;
    ts_serve(exchange, message, &answer);
    if ((answer.options & ANSWER_OBSERVE) != 0 && !ts_observer_add(message)) answer.options &= ~(uint32_t)ANSWER_OBSERVE;
    ts_exchange_answer(exchange, &answer);
}

static void acknowledged(uint32_t mid, int reset)
{
    uint32_t ps = ts_lock();
    if (!ts_client_acknowledged(mid, reset) && !ts_follow_acknowledged(mid, reset)) ts_exchange_acknowledged(mid, reset);
    ts_unlock(ps);
}

static __attribute__((noinline)) void hear(void)
{
    uint32_t ps = ts_lock();
    heard = 1;
    ts_remote_job(TS_JOB_FOLLOW);
    ts_unlock(ps);
}

/** What is no request that can be read. True if the frame is kept. */
static __attribute__((noinline)) int handle_other(struct ts_rx *frame, struct ts_message *message, int readable)
{
    uint32_t kind = message->code >> 5, type = message->type;
    int handled = FOLLOW_NOT_MINE;
    if (readable && message->code == 0 && type >= COAP_ACK) {
        acknowledged(message->mid, type == COAP_RST);
        return 0;
    }
    if (readable && kind >= 2 && type != COAP_RST && ts_message_read(message, ts_rx_ring + frame->start, frame->bytes - CHECK_BYTES))
        handled = ts_follow_response(frame, message);
    if ((message->first >> 6 & 3) != 1) return 0;
    /* Reset: a ping, a response that nobody waits for, a request that cannot be read. */
    uint32_t ps = ts_lock();
    if (handled != FOLLOW_NOT_MINE && type == COAP_CON) ts_send_empty(COAP_ACK, message->mid);
    else if (handled == FOLLOW_NOT_MINE && (type == COAP_CON || (type == COAP_NON && kind >= 2)))
        ts_send_empty(COAP_RST, message->mid);
    ts_unlock(ps);
    return handled == FOLLOW_KEPT;
}

/** True if the frame is kept. */
static int handle(struct ts_rx *frame)
{
    uint8_t *bytes = ts_rx_ring + frame->start;
    uint32_t n = frame->bytes - CHECK_BYTES;
    if (ts_fcs(TS_FCS_START, bytes, frame->bytes) != TS_FCS_GOOD) return 0;
    struct ts_message message;
    int readable = ts_message_begin(&message, bytes, n);
    uint32_t kind = message.code >> 5, type = message.type;
    if (!heard) hear();
    if (readable && kind == 0 && message.code != 0 && type <= COAP_NON && ts_request_read(&message, bytes, n)) {
        handle_request(&message);
        return 0;
    }
    return handle_other(frame, &message, readable);
}

static void work(void);

void ts_remote_work(void)
{
    for (uint32_t i = 0; i < TS_WORKERS; i++) {
        uint32_t index = workers[i].module;
        struct ts_module *worker = &ts_modules[index];
        if ((ts_kernel.busy >> index & 1) != 0 || worker->state != TS_STATE_RUNNING || index == 0) continue;
        worker->job = work;
        ts_post(worker, TS_EVENT_JOB);
        return;
    }
}

void ts_remote_job(uint32_t job)
{
    jobs |= (uint8_t)job;
    ts_remote_work();
}

/** One message, or what else there is to do. */
static void work(void)
{
    uint32_t ps = ts_lock(), job = jobs;
    jobs = 0;
    struct ts_rx *frame = ts_rx_take();
    /* The handler may wait: the other worker takes what there is. */
    if (ts_rx_queued != 0) ts_remote_work();
    ts_unlock(ps);
    if (job != 0) {
        if ((job & TS_JOB_SETTLE) != 0) ts_subscriptions_settle();
        ts_follow_work();
    }
    if (frame == 0) return;
    if (!handle(frame)) frame->state = RX_FREE;
    /* What came while both of them were busy. */
    if ((jobs | ts_rx_queued) == 0) return;
    ps = ts_lock();
    ts_remote_work();
    ts_unlock(ps);
}

uint64_t ts_remote_tick(uint64_t now)
{
    uint64_t next = ts_client_tick(now), other = ts_follow_tick(now);
    if (other < next) next = other;
    other = ts_exchange_tick(now);
    if (other < next) next = other;
    ts_observers_again();
    return next;
}

uint32_t ts_edge_hello(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    (void)response, (void)capacity;
    static uint32_t known;
    uint32_t name = ts_crc32((const void *)payload, bytes), ps = ts_lock();
    if (name != known) {
        known = name;
        ts_observers_forget();
        ts_follow_again();
    }
    ts_unlock(ps);
    return TS_CHANGED;
}

/** A worker starts, or starts again after it was ended in the middle of something. */
static void start(void)
{
    uint32_t self = (uint32_t)(ts_modules[ts_current_module].info - ts_worker_infos), ps = ts_lock();
    int first = workers[self].module == 0;
    workers[self].module = (uint8_t)ts_current_module;
    ts_exchange_abandon(ts_current_module);
    ts_serve_abandon(self);
    ts_observers_check();
    if (first && self == TS_WORKERS - 1) ts_link_start();
    jobs |= TS_JOB_SETTLE;
    ts_remote_work();
    ts_unlock(ps);
}

#define WORKER(number, called)                                                                                            \
    {.os_abi_version = TS_OS_ABI_VERSION, .name = called, .version = "1.0.0", .restart = TS_RESTART_ALWAYS,               \
     .backoff_ms = 1, .stack_bottom = (uint32_t)stacks[number], .stack_top = (uint32_t)(stacks[number] + sizeof stacks[number]), \
     .start_deadline_cycles = TS_MILLISECONDS(20), .event_deadline_cycles = TS_MILLISECONDS(8000),                         \
     .on_start = (uint32_t)start, .on_notify = (uint32_t)ts_remote_notify}

const struct ts_module_info ts_worker_infos[TS_WORKERS] = {WORKER(0, "edge0"), WORKER(1, "edge1")};
