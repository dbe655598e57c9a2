// Writes firmware/include/wasm_abi.h from compiler/abi/. Takes no arguments.
import { writeFileSync } from 'node:fs';
import { emitAbiHeader } from '../compiler/abi/emit-header.js';

writeFileSync(new URL('../firmware/include/wasm_abi.h', import.meta.url), emitAbiHeader());
