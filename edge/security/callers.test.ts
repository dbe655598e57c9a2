// Names of callers: whom contracts let in, and that no name can be made to look like another.
import { describe, expect, it } from 'vitest';
import { callerAt, callerFromDevice, mayCall } from './callers.js';

describe('callers', () => {
  it('are let in by name, users also all at once', () => {
    expect([mayCall(null, 'x'), mayCall([], 'x'), mayCall(['x'], 'x'), mayCall(['x'], 'x@y')]).toEqual([
      true,
      false,
      true,
      false,
    ]);
    const users = ['user:*'];
    expect(
      ['user:anna', 'user:*', 'user:', 'user:anna@porch', 'user', 'http'].map((name) => mayCall(users, name)),
    ).toEqual([true, true, false, false, false, false]);
  });

  it('lose the name of their own thing, and nothing else', () => {
    expect(['lamp@porch', 'lamp@house', 'lamp', 'user:anna', 'http'].map((name) => callerAt(name, 'porch'))).toEqual([
      'lamp',
      'lamp@house',
      'lamp',
      'user:anna',
      'http',
    ]);
    for (const name of ['user:anna@porch', 'lamp@house@porch', '@porch', 'A@porch'])
      expect(callerAt(name, 'porch')).toBe(name);
  });

  it('on a device are modules of its thing', () => {
    expect(['lamp', 'lamp@porch'].map((name) => callerFromDevice(name, 'porch'))).toEqual(['lamp@porch', 'lamp@porch']);
    for (const name of [null, '', 'user:anna', 'lamp@house', 'lamp@porch@porch', 'a b', 'lamp\n', 'x'.repeat(64)])
      expect(callerFromDevice(name, 'porch')).toBeNull();
  });
});
