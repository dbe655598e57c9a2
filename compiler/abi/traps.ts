// Trap codes and stop reasons shared by compiler, C runtime and host (D12, D14; generated into wasm_abi.h). Pure data.

/** Why compiled code stopped. The numbers are ABI; 0 is "no trap". Messages are those of the Wasm spec suite. */
export const TrapCode = {
  None: 0,
  Unreachable: 1,
  IntegerDivideByZero: 2,
  IntegerOverflow: 3,
  InvalidConversion: 4,
  MemoryOutOfBounds: 5,
  TableOutOfBounds: 6,
  UndefinedElement: 7,
  UninitializedElement: 8,
  IndirectCallTypeMismatch: 9,
  StackOverflow: 10,
  /** Return address changed (`--cfi full`). */
  ReturnAddressCorrupted: 11,
  /** A machine exception with no entry in the side table: our bug or broken hardware, never the module's fault. */
  MachineException: 12,
} as const;

export type TrapCodeValue = (typeof TrapCode)[keyof typeof TrapCode];

export const TRAP_MESSAGES: readonly string[] = [
  'none',
  'unreachable',
  'integer divide by zero',
  'integer overflow',
  'invalid conversion to integer',
  'out of bounds memory access',
  'out of bounds table access',
  'undefined element',
  'uninitialized element',
  'indirect call type mismatch',
  'call stack exhausted',
  'return address corrupted',
  'machine exception',
];

/** Code of a call site in the site table (not a trap): marks return addresses for backtraces. */
export const SITE_CALL = 31;

/** The closed set of ways an invocation ends (D12). Numbers are ABI. */
export const StopReason = {
  Returned: 0,
  Trapped: 1,
  DeadlineExpired: 2,
  ContractBroken: 3,
  Killed: 4,
  /** proc_exit: the module ended itself with an exit code. */
  Exited: 5,
} as const;
