/* A module as the compiler would emit it, written by hand, so that the firmware can be tested without the compiler:
 * functions in every frame shape, sites, exports, a memory. Knows the layouts of wasm_abi.h. */
#include "wasm_abi.h"
#include "lx6-insns.h"

    .macro site label code offset
    .section .rodata.sites, "a", @progbits
    .word \label, \code << WASM_SITE_CODE_SHIFT | \offset
    .previous
    .endm
    .macro function_info name index words start
    .section .rodata.funcs, "a", @progbits
    .word test.\name, \index
    .short \words, \start
    .previous
    .endm

    .section .rodata.sites, "a", @progbits
    .balign 4
sites:
    .section .rodata.funcs, "a", @progbits
    .balign 4
funcs:

/* All code in one section, so that funcs and sites are sorted as they stand here. */
    .section .text.test, "ax", @progbits
    .literal_position
    .macro function name index words start
    .balign 4
    .global test.\name
    .type test.\name, @function
test.\name :
    function_info \name, \index, \words, \start
    .endm

    function add, 0, 0, -1
    add a2, a2, a3
    ret

    function divide, 1, 0, -1
1:  quos a2, a2, a3
    site 1b, TRAP_INTEGER_DIVIDE_BY_ZERO, 0x4f
    ret

    function call_divide, 2, 4, 0
    addi a1, a1, -16
    s32i a0, a1, 0
    call0 test.divide
1:  site 1b, WASM_SITE_CALL, 0x60
    l32i a0, a1, 0
    addi a1, a1, 16
    ret

    function unreachable, 3, 8, 1
    addi a1, a1, -32
    s32i a0, a1, 4
1:  ill
    site 1b, TRAP_UNREACHABLE, 0x70

    function recurse, 4, 4, 0
    movi a9, stack_limit
    addi a1, a1, -16
    bltu a1, a9, 1f
    s32i a0, a1, 0
    call0 test.recurse
2:  l32i a0, a1, 0
    addi a1, a1, 16
    ret
1:  ill
    site 2b, WASM_SITE_CALL, 0x81
    site 1b, TRAP_STACK_OVERFLOW, 0x80

    function forever, 5, 0, -1
1:  j 1b

/* a loop register left over by an abandoned invocation must not disturb the next one */
    function loop_forever, 6, 0, -1
    movi a2, -1
2:  loop a2, 1f
    nop
1:  j 2b

    function null_reference, 7, 0, -1
    movi a2, 0
1:  l32i a2, a2, 0
    site 1b, TRAP_UNINITIALIZED_ELEMENT, 0x90
    ret

/* a load that no side table explains */
    function wild, 8, 0, -1
    movi a2, 0x10000000
    l32i a2, a2, 0
    ret

/* (8 words) -> 6 words: reverses the first six, adds the last two to the last one */
    function shuffle, 9, 0, -1
    movi a8, __wasm_argbuf
    l32i a9, a8, 0
    l32i a10, a8, 4
    add a9, a9, a10
    s32i a3, a8, 0
    add a9, a9, a2
    s32i a9, a8, 4
    mov a2, a7
    mov a3, a6
    mov a11, a4
    mov a4, a5
    mov a5, a11
    ret

    function hello, 10, 4, 0
    addi a1, a1, -16
    s32i a0, a1, 0
    movi a2, 1
    movi a3, 16
    movi a4, 2
    movi a5, 8
    call0 wasi_snapshot_preview1.fd_write
1:  site 1b, WASM_SITE_CALL, 0xa0
    l32i a0, a1, 0
    addi a1, a1, 16
    ret

    function write_outside, 11, 0, -1
    movi a2, 1
    movi a3, 65536 - 12
    movi a4, 2
    movi a5, 8
    j wasi_snapshot_preview1.fd_write

    function exit, 12, 4, 0
    addi a1, a1, -16
    s32i a0, a1, 0
    call0 wasi_snapshot_preview1.proc_exit
    ill

    function read, 13, 4, 0
    addi a1, a1, -16
    s32i a0, a1, 0
    movi a2, 0
    movi a3, 32
    movi a4, 1
    movi a5, 8
    call0 wasi_snapshot_preview1.fd_read
1:  movi a3, test.memory
    l32i a3, a3, 0
    l32i a4, a3, 64
    l32i a3, a3, 8
    l32i a0, a1, 0
    addi a1, a1, 16
    ret

    function clock, 14, 4, 0
    addi a1, a1, -16
    s32i a0, a1, 0
    movi a2, 1
    movi a3, 0
    movi a4, 0
    movi a5, 128
    call0 wasi_snapshot_preview1.clock_time_get
1:  movi a3, test.memory
    l32i a4, a3, 0
    l32i a3, a4, 128
    l32i a4, a4, 132
    l32i a0, a1, 0
    addi a1, a1, 16
    ret

    function open, 15, 0, -1
    j wasi_snapshot_preview1.path_open

    function init, 16, 4, 0
    addi a1, a1, -16
    s32i a0, a1, 0
    movi a2, test.memory
    l32i a2, a2, 0
    movi a3, initial
    movi a4, 61
    call0 memcpy
1:  l32i a0, a1, 0
    addi a1, a1, 16
    ret
code_end:

    .section .rodata.sites, "a", @progbits
sites_end:
    .section .rodata.funcs, "a", @progbits
funcs_end:

    .section .rodata.test, "a", @progbits
    .balign 4
module:
    .word WASM_ABI_VERSION, module_name, test.init
    .word exports, (exports_end - exports) / 12
    .word funcs, (funcs_end - funcs) / 12, code_end
    .word sites, (sites_end - sites) / 8
    .word names, stack_limit
    .word memories, 1
    .word 0, 0
memories:
    .word test.memory
exports:
#ifdef START
    .word start_name, signature, test.START
#endif
exports_end:
names:
    .word name_add, 0, name_call_divide, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
/* memory contents: 8 (result), two vectors at 16, one at 32, text at 48 */
initial:
    .word 0, 0, 0, 0
    .word 48, 7, 55, 6
    .word 64, 4, 0, 0
    .ascii "Hello, world\n"
module_name: .asciz "test"
start_name: .asciz "_start"
signature: .asciz ":"
name_add: .asciz "add"
name_call_divide: .asciz "call_divide"

    .section .data.memory, "aw", @progbits
    .balign 4
    .global test.memory
test.memory:
    .word memory_bytes, 65536, 1, 1, 65536, 16

    .section .wasm_memory.0, "aw", @nobits
    .balign 16
memory_bytes:
    .space 65536

    .section .wasm_modules, "a", @progbits
    .word module
    .equ stack_limit, __wasm_stack_bottom + 512
