/* For assembly files: opens and closes a global function in a section of its own, which the linker drops when nothing
 * calls it. */
    .macro function name
    .section .text.\name, "ax", @progbits
    .literal_position
    .balign 4
    .global \name
    .type \name, @function
\name:
    .endm
    .macro end_function name
    .size \name, . - \name
    .endm
