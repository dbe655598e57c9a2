// Entry of the benchmark ELF: stack, no windows, main. QEMU's `sim` machine starts at the reset vector whatever the
// ELF's entry point says, so there is a jump.
  .section .reset, "ax"
  .align 4
  j 1f
  .align 4
.Lentry:
  .word _start
1:
  l32r a0, .Lentry
  jx a0

  .section .text.start, "ax"
  .align 4
.Lstack:
  .word 0x00200000
  .global _start
_start:
  movi a0, 0
  wsr a0, ps
  rsync
  l32r a1, .Lstack
  call0 main
