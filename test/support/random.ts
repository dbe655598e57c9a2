// A repeatable source of numbers for tests (xorshift32). Takes a state that is not 0; gives numbers below a limit.
export function xorshift32(state: number): (below: number) => number {
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
