/* f32 division and square root by the FPU's step instructions, in the sequences that the Xtensa ISA gives for them: a
 * first approximation, Newton steps on operands scaled to exponents near 0, and a last step that rounds correctly and
 * puts the exponent back. Bits in a2, a3, result in a2; clobbers f0-f8 and b0. NaN results become the canonical one. */
#include "lx6-insns.h"

    .macro function name
    .section .text.\name, "ax", @progbits
    .literal_position
    .balign 4
    .global \name
    .type \name, @function
\name:
    .endm
    /* f0 -> a2 */
    .macro return_canonical name
    rfr a2, f0
    un.s b0, f0, f0
    bt b0, 1f
    ret.n
1:  movi a2, 0x7fc00000
    ret.n
    .size \name, . - \name
    .endm

    function rt_f32_div
    wfr f1, a2
    wfr f2, a3
    div0.s f3, f2
    nexp01.s f4, f2
    const.s f5, 1
    maddn.s f5, f4, f3
    mov.s f6, f3
    mov.s f7, f2
    nexp01.s f2, f1
    maddn.s f6, f5, f6
    const.s f5, 1
    const.s f0, 0
    neg.s f8, f2
    maddn.s f5, f4, f6
    maddn.s f0, f8, f3
    mkdadj.s f7, f1
    maddn.s f6, f5, f6
    maddn.s f8, f4, f0
    const.s f3, 1
    maddn.s f3, f4, f6
    maddn.s f0, f8, f6
    neg.s f2, f2
    maddn.s f6, f3, f6
    maddn.s f2, f4, f0
    addexpm.s f0, f7
    addexp.s f6, f7
    divn.s f0, f2, f6
    return_canonical rt_f32_div

    function rt_f32_sqrt
    wfr f1, a2
    sqrt0.s f2, f1
    const.s f3, 0
    maddn.s f3, f2, f2
    nexp01.s f4, f1
    const.s f0, 3
    addexp.s f4, f0
    maddn.s f0, f3, f4
    nexp01.s f3, f1
    neg.s f5, f3
    maddn.s f2, f0, f2
    const.s f0, 0
    const.s f6, 0
    const.s f7, 0
    maddn.s f0, f5, f2
    maddn.s f6, f2, f4
    const.s f4, 3
    maddn.s f7, f4, f2
    maddn.s f3, f0, f0
    maddn.s f4, f6, f2
    neg.s f2, f7
    maddn.s f0, f3, f2
    maddn.s f7, f4, f7
    mksadj.s f2, f1
    nexp01.s f1, f1
    maddn.s f1, f0, f0
    neg.s f3, f7
    addexpm.s f0, f2
    addexp.s f3, f2
    divn.s f0, f1, f3
    return_canonical rt_f32_sqrt
