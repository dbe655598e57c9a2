/* rt_window: what a bounds check of compiled code calls when the address is not in the module's own memory. Looks it up in
 * the grant table (compiler/abi/window.ts). Knows no memory and no policy: what the table says of the module that runs,
 * holds. */
#include "lx6-insns.h"
#include "function.h"
#include "wasm_abi.h"

#define FRAME 32

/* Not C's calling rules. In: a0 = return address, 4-aligned, where 3 bytes of descriptor lie; MISC1 = Wasm address; MISC0 =
 * the caller's a0. Out: MISC1 = native pointer, 0 if there is no such window; returns to a0 + 3. Preserves all other
 * registers but a0, SAR included; uses FRAME bytes below SP.
 *
 * Whoever takes a window away ends the invocation noted in its entry. This one notes itself before it looks at the key, so
 * that wherever an interrupt comes in between, either the key is gone or the note is there. */
    function rt_window
    addi a1, a1, -FRAME
    s32i.n a2, a1, 0
    s32i.n a3, a1, 4
    s32i.n a4, a1, 8
    s32i.n a5, a1, 12
    s32i.n a6, a1, 16
    l32i.n a3, a0, 0                    /* rights << 22 | extent - 1 << 4 | 1, below a byte of something else */
    rsr.misc1 a2
    bgez a2, .Lrefuse
    extui a4, a2, TS_WINDOW_OFFSET_BITS, TS_WINDOW_INDEX_BITS
    movi a5, ts_grants
    slli a4, a4, 5
    add.n a4, a4, a5
    movi a5, ts_current_module
    l32i.n a5, a5, 0
    l8ui a6, a4, TS_GRANT_HOLDER
    bne a5, a6, .Lrefuse
    movi a5, ts_current_frame
    l32i.n a5, a5, 0
    s32i.n a5, a4, TS_GRANT_USED_BY
    l32i.n a5, a4, TS_GRANT_KEY
    extui a6, a2, TS_WINDOW_OFFSET_BITS, 32 - TS_WINDOW_OFFSET_BITS
    bne a5, a6, .Lrefuse
    l8ui a5, a4, TS_GRANT_RIGHTS
    extui a6, a3, 22, 2
    bnall a5, a6, .Lrefuse
    slli a2, a2, 32 - TS_WINDOW_OFFSET_BITS
    srli a2, a2, 32 - TS_WINDOW_OFFSET_BITS
    slli a3, a3, 10
    srli a3, a3, 32 - TS_WINDOW_OFFSET_BITS
    add.n a3, a3, a2                    /* offset of the last byte */
    l32i.n a5, a4, TS_GRANT_LENGTH
    bgeu a3, a5, .Lrefuse
    l32i.n a5, a4, TS_GRANT_BASE
    add.n a2, a2, a5
.Lleave:
    wsr.misc1 a2
    l32i.n a2, a1, 0
    l32i.n a3, a1, 4
    l32i.n a4, a1, 8
    l32i.n a5, a1, 12
    l32i.n a6, a1, 16
    addi a1, a1, FRAME
    addi.n a0, a0, 3
    ret.n
.Lrefuse:
    movi.n a2, 0
    j .Lleave
    end_function rt_window
