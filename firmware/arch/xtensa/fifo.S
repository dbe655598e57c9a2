/* The inner loops of the serial line: bytes between memory and the FIFO, up to one that is special. Take and give native
 * pointers; know no frame. Plain loops: in an interrupt the hardware's do not loop. */
#include "function.h"

/* uint8_t *ts_fifo_receive(to, n, fifo, uint32_t *special): at most n > 0 bytes, none of them 0xc0 or 0xdb; such a one is
 * taken as well and given as `special`, otherwise 0. Gives the end of what was stored. */
    function ts_fifo_receive
    add.n a3, a3, a2
    movi a7, 0xc0
    movi a8, 0xdb
.Lreceive:
    l32i.n a6, a4, 0
    beq a6, a7, .Lspecial
    beq a6, a8, .Lspecial
    s8i a6, a2, 0
    addi.n a2, a2, 1
    bne a2, a3, .Lreceive
    movi.n a6, 0
.Lspecial:
    s32i.n a6, a5, 0
    ret.n
    end_function ts_fifo_receive

/* const uint8_t *ts_fifo_send(from, end, fifo, special_0, special_1): up to `end` > from or behind the first special byte,
 * which is not sent. */
    function ts_fifo_send
.Lsend:
    l8ui a7, a2, 0
    addi.n a2, a2, 1
    beq a7, a5, .Lsent
    beq a7, a6, .Lsent
    s32i.n a7, a4, 0
    bne a2, a3, .Lsend
.Lsent:
    ret.n
    end_function ts_fifo_send

/* uint32_t ts_fifo_send_checked(from, n, fifo, fcs): all of n > 0 bytes with their escapes, into a FIFO that has room. Gives
 * the check sequence with them. */
    function ts_fifo_send_checked
    add.n a3, a3, a2
    movi a6, ts_fcs_table
    movi a7, 0xc0
    movi a8, 0xdb
.Lchecked:
    l8ui a9, a2, 0
    addi.n a2, a2, 1
    xor a10, a5, a9
    extui a10, a10, 0, 8
    addx2 a10, a10, a6
    l16ui a10, a10, 0
    srli a5, a5, 8
    xor a5, a5, a10
    beq a9, a7, .Lescape
    beq a9, a8, .Lescape
.Lput:
    s32i.n a9, a4, 0
    bne a2, a3, .Lchecked
    mov.n a2, a5
    ret.n
.Lescape:
    s32i.n a8, a4, 0
    addi a9, a9, 2 /* 0xdb -> 0xdd */
    addi a10, a7, 2
    bne a9, a10, .Lput
    movi a9, 0xdc
    j .Lput
    end_function ts_fifo_send_checked
