/* The inner loops of the serial line: bytes between memory and the FIFO, up to one that is special. Take and give native
 * pointers; know no frame. Plain loops: in an interrupt the hardware's do not loop. */
#include "function.h"

/* uint8_t *ts_fifo_receive(to, n, fifo, uint32_t *special): at most n > 0 bytes, none of them 0xc0 or 0xdb; such a one is
 * taken as well and given as `special`, otherwise 0. Gives the end of what was stored. */
    .macro receive_one at
    l32i.n a6, a4, 0
    beq a6, a7, .Lspecial\at
    beq a6, a8, .Lspecial\at
    s8i a6, a2, \at
    .endm
    function ts_fifo_receive
    movi a7, 0xc0
    movi a8, 0xdb
    add.n a3, a3, a2
    addi a9, a3, -4
    j .Lreceive_next
.Lreceive_four:
    receive_one 0
    receive_one 1
    receive_one 2
    receive_one 3
    addi.n a2, a2, 4
.Lreceive_next:
    bgeu a9, a2, .Lreceive_four
    j .Lreceive_rest
.Lreceive_one:
    l32i.n a6, a4, 0
    beq a6, a7, .Lspecial0
    beq a6, a8, .Lspecial0
    s8i a6, a2, 0
    addi.n a2, a2, 1
.Lreceive_rest:
    bne a2, a3, .Lreceive_one
    movi.n a6, 0
    j .Lspecial0
.Lspecial3:
    addi.n a2, a2, 1
.Lspecial2:
    addi.n a2, a2, 1
.Lspecial1:
    addi.n a2, a2, 1
.Lspecial0:
    s32i.n a6, a5, 0
    ret.n
    end_function ts_fifo_receive

/* const uint8_t *ts_fifo_send(from, end, fifo, special_0, special_1): up to `end` > from or behind the first special byte,
 * which is not sent. */
    .macro send_one at
    l8ui a7, a2, \at
    beq a7, a5, .Lsent\at
    beq a7, a6, .Lsent\at
    s32i.n a7, a4, 0
    .endm
    function ts_fifo_send
    addi a8, a3, -4
    j .Lsend_next
.Lsend_four:
    send_one 0
    send_one 1
    send_one 2
    send_one 3
    addi.n a2, a2, 4
.Lsend_next:
    bgeu a8, a2, .Lsend_four
    beq a2, a3, .Lsent
.Lsend_one:
    l8ui a7, a2, 0
    beq a7, a5, .Lsent0
    beq a7, a6, .Lsent0
    s32i.n a7, a4, 0
    addi.n a2, a2, 1
    bne a2, a3, .Lsend_one
.Lsent:
    ret.n
.Lsent3:
    addi.n a2, a2, 1
.Lsent2:
    addi.n a2, a2, 1
.Lsent1:
    addi.n a2, a2, 1
.Lsent0:
    addi.n a2, a2, 1
    ret.n
    end_function ts_fifo_send

/* uint32_t ts_fifo_send_checked(from, n, fifo, fcs): all of n > 0 bytes with their escapes, into a FIFO that has room. Gives
 * the check sequence with them. Two bytes at once by the second table, one by the first. */
    .macro put_escaped byte, label
    beq \byte, a7, .Lend\label
    beq \byte, a8, .Lescape\label
.Lput\label:
    s32i.n \byte, a4, 0
    .endm
    .macro escape byte, label
.Lend\label:
    s32i.n a8, a4, 0
    movi \byte, 0xdc
    j .Lput\label
.Lescape\label:
    s32i.n a8, a4, 0
    movi \byte, 0xdd
    j .Lput\label
    .endm
    function ts_fifo_send_checked
    movi a6, ts_fcs_table
    movi a7, 0xc0
    movi a8, 0xdb
    add.n a3, a3, a2
    sub a9, a3, a2
    bbci a9, 0, .Lchecked_two
    l8ui a9, a2, 0
    addi.n a2, a2, 1
    xor a10, a5, a9
    extui a10, a10, 0, 8
    addx2 a10, a10, a6
    l16ui a10, a10, 0
    srli a5, a5, 8
    xor a5, a5, a10
    put_escaped a9, 1
    beq a2, a3, .Lchecked
.Lchecked_two:
    addmi a11, a6, 512
.Lchecked_next:
    l8ui a9, a2, 0
    l8ui a10, a2, 1
    addi.n a2, a2, 2
    xor a5, a5, a9
    put_escaped a9, 2
    srli a9, a5, 8
    extui a5, a5, 0, 8
    xor a9, a9, a10
    addx2 a5, a5, a11
    addx2 a9, a9, a6
    l16ui a5, a5, 0
    l16ui a9, a9, 0
    xor a5, a5, a9
    put_escaped a10, 3
    bne a2, a3, .Lchecked_next
.Lchecked:
    mov.n a2, a5
    ret.n
    escape a9, 1
    escape a9, 2
    escape a10, 3
    end_function ts_fifo_send_checked
