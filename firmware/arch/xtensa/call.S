/* thingspire.call for the ordinary case: the route is bound, both modules are compiled ones, payload and response lie in the
 * caller's own memory, the callee waits for calls, and the contract is of sizes or of records of plain scalars. Takes what
 * the import takes; does what ts_dispatch does, in a quarter of its instructions. Everything else goes to ts_call_slow,
 * before anything has changed. */
#include "kernel.h"
#include "function.h"
#include "lx6-insns.h"

/* On the caller's stack: first what ts_return_target restores when the invocation does not return by itself. */
#define CONTINUE 0
#define SAVED_A12 4
#define SAVED_A13 8
#define SAVED_A14 12
#define SAVED_A15 16
#define INDEX 20
#define PAYLOAD 24
#define RESPONSE 28
#define RESTORED 32
#define SAVED_A0 32
#define EPOCH 36
#define CAPACITY 40
#define CALLEE 44
#define FRAME 48

/* enum ts_payload_kind, ts_scalar_kind */
#define RECORD 4
#define I16 3
#define F32 6
#define BOOL 10
#define FIRST_HALF 2
#define FIRST_WORD 4
#define SUCCESS 2
#define CONTENT 0x45
#define ERROR_TEXT_BYTES 64
#define NAN_ABOVE 0xff000000 /* bits of infinity without the sign, shifted left by one */

/* Bits of a float as an integer that orders as the number does. */
    .macro float_order x
    bgez \x, .Lpositive\@
    slli \x, \x, 1
    srli \x, \x, 1
    neg \x, \x
.Lpositive\@:
    .endm

/* Goes to `fail` unless the record fits its type. */
    .macro check_record type, record, end, field, value, kind, least, fail
    l8ui \end, \type, TS_TYPE_FIELD_COUNT
    l32i.n \field, \type, TS_TYPE_FIELDS
    beqz \end, .Lfits\@
    addx2 \end, \end, \end
    addx4 \end, \end, \field
.Lfield\@:
    l16ui \value, \field, TS_FIELD_OFFSET
    l8ui \kind, \field, TS_FIELD_KIND
    add.n \value, \value, \record
    l32i.n \least, \field, TS_FIELD_MIN
    bgeui \kind, FIRST_WORD, .Lword\@
    bgeui \kind, FIRST_HALF, .Lhalf\@
    l8ui \value, \value, 0
    beqz \kind, .Lcompare\@
    sext \value, \value, 7
    j .Lcompare\@
.Lhalf\@:
    beqi \kind, I16, .Lsigned_half\@
    l16ui \value, \value, 0
    j .Lcompare\@
.Lsigned_half\@:
    l16si \value, \value, 0
    j .Lcompare\@
.Lbool\@:
    l8ui \value, \value, 0
    j .Lcompare\@
.Lfloat\@:
    l32i.n \value, \value, 0
    slli \kind, \value, 1
    movi \least, NAN_ABOVE
    bltu \least, \kind, \fail
    l32i.n \least, \field, TS_FIELD_MIN
    l32i.n \kind, \field, TS_FIELD_MAX
    float_order \value
    float_order \least
    float_order \kind
    blt \value, \least, \fail
    blt \kind, \value, \fail
    j .Lnext\@
.Lword\@:
    beqi \kind, F32, .Lfloat\@
    beqi \kind, BOOL, .Lbool\@
    l32i.n \value, \value, 0
.Lcompare\@:
    /* Both bounds at once, signed or not: how far above the least. */
    l32i.n \kind, \field, TS_FIELD_MAX
    sub \value, \value, \least
    sub \kind, \kind, \least
    bltu \kind, \value, \fail
.Lnext\@:
    addi.n \field, \field, TS_FIELD_SIZE
    bne \field, \end, .Lfield\@
.Lfits\@:
    .endm

/* A grant at the top of the calls'; `base` becomes the window's address. */
    .macro push_grant entry, base, length, who, zero, temp
    s32i.n \base, \entry, TS_GRANT_BASE
    s32i.n \length, \entry, TS_GRANT_LENGTH
    s32i.n \who, \entry, TS_GRANT_HOLDER
    s32i.n \zero, \entry, TS_GRANT_USED_BY
    s16i \zero, \entry, TS_GRANT_PARENT /* and child */
    l32i.n \temp, \entry, TS_GRANT_EXPIRES_HIGH /* the next key */
    s32i.n \temp, \entry, TS_GRANT_KEY
    slli \base, \temp, TS_WINDOW_OFFSET_BITS
    addi \temp, \temp, 1 << TS_WINDOW_INDEX_BITS
    extui \temp, \temp, 0, 13
    addmi \temp, \temp, 0x2000
    s32i.n \temp, \entry, TS_GRANT_EXPIRES_HIGH
    addi \entry, \entry, TS_GRANT_SIZE
    .endm

    function thingspire.call
    movi.n a7, TS_MAX_REQUIREMENTS
    bgeu a2, a7, .Lslow
    movi a8, ts_kernel
    l32i.n a9, a8, TS_KERNEL_MODULE
    add.n a7, a9, a2
    l8ui a7, a7, TS_MODULE_BINDINGS
    beqz a7, .Lslow
    addi a1, a1, -FRAME
    s32i.n a12, a1, SAVED_A12
    s32i.n a13, a1, SAVED_A13
    s32i.n a14, a1, SAVED_A14
    s32i.n a15, a1, SAVED_A15
    s32i.n a0, a1, SAVED_A0
    movi a0, .Lended
    s32i.n a0, a1, CONTINUE
    s32i.n a2, a1, INDEX
    s32i.n a3, a1, PAYLOAD
    s32i.n a5, a1, RESPONSE
    l32i.n a10, a8, TS_KERNEL_EPOCH
    s32i.n a10, a1, EPOCH
    movi a10, ts_routes - TS_ROUTE_SIZE
    slli a7, a7, 5 /* TS_ROUTE_SIZE */
    add.n a10, a10, a7
    l32i.n a12, a10, TS_ROUTE_SERVICE
    beqz a12, .Lback_out
    l32i.n a11, a10, TS_ROUTE_LEAST_CAPACITY
    bltu a6, a11, .Lback_out
    l32i.n a11, a9, TS_MODULE_INFO
    l32i a11, a11, TS_MODULE_INFO_MEMORY
    beqz a11, .Lback_out
    l32i.n a14, a11, WASM_MEMORY_BYTES
    l32i.n a13, a11, WASM_MEMORY_BASE
    bltu a14, a4, .Lback_out
    sub a15, a14, a4
    bltu a15, a3, .Lback_out
    bltu a14, a6, .Lback_out
    sub a15, a14, a6
    bltu a15, a5, .Lback_out
    add.n a11, a13, a3
    add.n a13, a13, a5
    l32i.n a14, a12, TS_SERVICE_CONTRACT
    l32i.n a15, a14, TS_CONTRACT_REQUEST
    beqz a15, .Lno_request
    l32i.n a7, a15, TS_TYPE_MAX_BYTES
    bltu a7, a4, .Lback_out
    l32i.n a7, a15, TS_TYPE_MIN_BYTES
    bltu a4, a7, .Lback_out
    l8ui a7, a15, TS_TYPE_KIND
    bnei a7, RECORD, .Lrequest_fits
    check_record a15, a11, a0, a2, a3, a5, a7, .Lback_out

/* a4 bytes, a6 capacity, a8 kernel, a9 calling module, a10 route, a11 payload, a12 service, a13 response, a14 contract. */
.Lrequest_fits:
    rsil a0, 3
    l32i.n a7, a8, TS_KERNEL_EPOCH
    l32i.n a0, a1, EPOCH
    bne a7, a0, .Lunmask_and_back_out
    l32i.n a15, a10, TS_ROUTE_CALLEE
    l16ui a7, a15, TS_MODULE_STATE_AND_DEPTH
    bnei a7, TS_MODULE_READY, .Lunmask_and_back_out
    l16ui a7, a10, TS_ROUTE_CALLERS
    l8ui a2, a9, TS_MODULE_INDEX
    bbc a7, a2, .Lunmask_and_back_out
    l32i.n a7, a8, TS_KERNEL_FRAME
    rsr a5, ccount
    l32i.n a0, a8, TS_KERNEL_CLOCK_OFFSET
    l32i.n a9, a14, TS_CONTRACT_DEADLINE_CYCLES
    sub a0, a5, a0
    l32i.n a3, a7, TS_FRAME_DEADLINE
    sub a3, a3, a0
    blt a3, a9, .Lunmask_and_back_out
    add.n a5, a5, a9
    add.n a0, a0, a9
    l32i.n a9, a8, TS_KERNEL_CALL_GRANTS
    movi a3, ts_grants + (TS_CALL_GRANTS - 2) * TS_GRANT_SIZE
    bltu a3, a9, .Lunmask_and_back_out
    l8ui a3, a7, TS_FRAME_DEPTH
    bgeui a3, TS_CALL_DEPTH, .Lunmask_and_back_out

/* From here on it happens. a0 deadline, a2 caller's index, a3 depth, a5 CCOMPARE, a7 caller's frame, a9 first grant, a15
 * callee. */
    wsr a5, ccompare0
    esync
    l32i.n a5, a15, TS_MODULE_SP
    addi.n a3, a3, 1
    addi a5, a5, -TS_FRAME_SIZE
    s32i.n a0, a5, TS_FRAME_DEADLINE
    s32i.n a7, a5, TS_FRAME_CALLER
    s32i.n a15, a5, TS_FRAME_MODULE
    s32i.n a12, a5, TS_FRAME_SERVICE
    s32i.n a9, a5, TS_FRAME_GRANTS
    s8i a3, a5, TS_FRAME_DEPTH
    s8i a2, a5, TS_FRAME_CALLER_INDEX
    movi.n a3, 0
    s8i a3, a5, TS_FRAME_DOOMED
    s32i.n a3, a5, TS_FRAME_URI
    l32i.n a0, a1, INDEX
    s32i.n a0, a5, TS_FRAME_URI_BYTES
    l8ui a0, a8, TS_KERNEL_CEILING
    s8i a0, a5, TS_FRAME_CEILING
    l8ui a7, a15, TS_MODULE_CEILING
    maxu a0, a0, a7
    s8i a0, a8, TS_KERNEL_CEILING
    l32i.n a0, a8, TS_KERNEL_SERIAL
    addi.n a0, a0, 1
    s32i.n a0, a8, TS_KERNEL_SERIAL
    s32i.n a0, a5, TS_FRAME_SERIAL
    movi a7, ts_current_module /* and ts_current_frame */
    s32i.n a0, a7, 4
    l8ui a0, a15, TS_MODULE_INDEX
    s32i.n a0, a7, 0
    l32i a0, a15, TS_MODULE_CALLS
    addi.n a0, a0, 1
    s32i a0, a15, TS_MODULE_CALLS
    s32i.n a15, a8, TS_KERNEL_MODULE
    s32i.n a5, a8, TS_KERNEL_FRAME
    movi.n a0, 1
    s8i a0, a15, TS_MODULE_DEPTH
    slli a2, a2, 8 /* grant's owner */
    beqz a4, .Lno_payload
    l32i.n a0, a10, TS_ROUTE_WHO_READ
    or a0, a0, a2
    push_grant a9, a11, a4, a0, a3, a7
.Lwith_payload:
    beqz a6, .Lno_response
    l32i.n a0, a10, TS_ROUTE_WHO_BOTH
    or a0, a0, a2
    mov.n a10, a13
    push_grant a9, a10, a6, a0, a3, a7
    j .Lwith_response
.Lno_response:
    mov.n a10, a3
.Lwith_response:
    s32i.n a9, a8, TS_KERNEL_CALL_GRANTS
    l32i.n a14, a14, TS_CONTRACT_RESPONSE
    s32i.n a6, a1, CAPACITY
    s32i.n a15, a1, CALLEE
    s32i.n a1, a5, TS_FRAME_SAVED_SP
    mov.n a15, a5
    l32i.n a7, a12, TS_SERVICE_HANDLER
    mov.n a12, a8
    mov.n a1, a15
    mov.n a2, a11
    mov.n a3, a4
    mov.n a4, a10
    mov.n a5, a6
    rsil a0, 0
    callx0 a7

/* a2 result, a12 kernel, a13 response, a14 its type, a15 frame. */
    rsil a3, 3
    l32i.n a1, a15, TS_FRAME_SAVED_SP
    l32i.n a3, a15, TS_FRAME_CALLER
    l8ui a4, a15, TS_FRAME_CEILING
    s8i a4, a12, TS_KERNEL_CEILING
    s32i.n a3, a12, TS_KERNEL_FRAME
    l32i.n a5, a3, TS_FRAME_SERIAL
    movi a6, ts_current_module
    s32i.n a5, a6, 4
    l32i.n a5, a3, TS_FRAME_MODULE
    s32i.n a5, a12, TS_KERNEL_MODULE
    l8ui a5, a5, TS_MODULE_INDEX
    s32i.n a5, a6, 0
    l32i.n a5, a1, CALLEE
    movi.n a6, 0
    s8i a6, a5, TS_MODULE_DEPTH
    l32i.n a7, a12, TS_KERNEL_CALL_GRANTS
    l32i.n a8, a15, TS_FRAME_GRANTS
    beq a7, a8, .Lgrants_ended
.Lend_grant:
    addi a7, a7, -TS_GRANT_SIZE
    l8ui a9, a7, TS_GRANT_CHILD
    bnez a9, .Lwith_children
    s32i.n a6, a7, TS_GRANT_KEY
    bne a7, a8, .Lend_grant
    s32i.n a7, a12, TS_KERNEL_CALL_GRANTS
.Lgrants_ended:
    rsr a5, ccount
    l32i.n a7, a12, TS_KERNEL_CLOCK_OFFSET
    l32i.n a8, a3, TS_FRAME_DEADLINE
    sub a7, a5, a7
    sub a8, a8, a7
    movi.n a7, TS_LEAST_CYCLES
    max a8, a8, a7
    add.n a5, a5, a8
    wsr a5, ccompare0
    esync
    l8ui a5, a3, TS_FRAME_DOOMED
    bnez a5, .Ldoomed
    l8ui a5, a12, TS_KERNEL_READY
    bltu a4, a5, .Lpreempt
.Lunmask:
    rsil a3, 0
    slli a4, a2, 32 - TS_RESULT_CODE_SHIFT
    srli a4, a4, 32 - TS_RESULT_CODE_SHIFT
    extui a5, a2, TS_RESULT_CODE_SHIFT + 5, 3
    bnei a5, SUCCESS, .Lno_success
    l32i.n a5, a1, CAPACITY
    bltu a5, a4, .Lbreach
    beqz a4, .Lempty
    beqz a14, .Lbreach
    l32i.n a5, a14, TS_TYPE_MAX_BYTES
    bltu a5, a4, .Lbreach
    l32i.n a5, a14, TS_TYPE_MIN_BYTES
    bltu a4, a5, .Lbreach
    l8ui a5, a14, TS_TYPE_KIND
    bnei a5, RECORD, .Lleave
    check_record a14, a13, a5, a6, a7, a8, a9, .Lbreach
.Lleave:
    l32i.n a12, a1, SAVED_A12
    l32i.n a13, a1, SAVED_A13
    l32i.n a14, a1, SAVED_A14
    l32i.n a15, a1, SAVED_A15
    l32i.n a0, a1, SAVED_A0
    addi a1, a1, FRAME
    ret.n

.Lempty:
    beqz a14, .Lleave
    l32i.n a5, a14, TS_TYPE_MIN_BYTES
    beqz a5, .Lleave
    extui a5, a2, TS_RESULT_CODE_SHIFT, 8
    movi a6, CONTENT
    bne a5, a6, .Lleave
.Lbreach:
    l32i.n a2, a1, CALLEE
    call0 ts_call_breach
    j .Lleave
.Lno_success:
    movi a5, 0x100
    bgeu a2, a5, .Lerror
    slli a2, a2, TS_RESULT_CODE_SHIFT /* a bare code */
    movi.n a4, 0
    extui a5, a2, TS_RESULT_CODE_SHIFT + 5, 3
    beqi a5, SUCCESS, .Lempty
.Lerror:
    extui a5, a2, TS_RESULT_CODE_SHIFT + 5, 3
    addi a5, a5, -4
    bgeui a5, 2, .Lbreach /* neither 4.xx nor 5.xx */
    l32i.n a5, a1, CAPACITY
    bltu a5, a4, .Lbreach
    movi.n a5, ERROR_TEXT_BYTES
    bltu a5, a4, .Lbreach
    j .Lleave
.Lwith_children:
    s32i.n a2, a1, INDEX
    mov.n a2, a8
    call0 ts_call_grants_end
    l32i.n a2, a1, INDEX
    l32i.n a3, a15, TS_FRAME_CALLER
    l8ui a4, a12, TS_KERNEL_CEILING
    j .Lgrants_ended
.Ldoomed:
    mov.n a2, a3
    call0 ts_back_to
.Lpreempt:
    movi a5, 1 << INTERRUPT_SOFTWARE
    wsr a5, intset
    rsync
    j .Lunmask

.Lno_payload:
    mov.n a11, a3
    j .Lwith_payload

/* Comes from ts_return_target, with the registers that it restores; a3 = stop reason. Masked. */
.Lended:
    mov.n a2, a3
    call0 ts_call_failed
    l32i.n a0, a1, SAVED_A0 - RESTORED
    addi a1, a1, FRAME - RESTORED
    ret.n

.Lno_request:
    beqz a4, .Lrequest_fits
    j .Lback_out
.Lunmask_and_back_out:
    rsil a0, 0
.Lback_out:
    l32i.n a2, a1, INDEX
    l32i.n a3, a1, PAYLOAD
    l32i.n a5, a1, RESPONSE
    l32i.n a12, a1, SAVED_A12
    l32i.n a13, a1, SAVED_A13
    l32i.n a14, a1, SAVED_A14
    l32i.n a15, a1, SAVED_A15
    l32i.n a0, a1, SAVED_A0
    addi a1, a1, FRAME
.Lslow:
    movi a7, ts_call_slow
    jx a7
    end_function thingspire.call
