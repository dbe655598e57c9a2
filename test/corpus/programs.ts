// The corpus: modules that npm packages ship, and drivers that use them as the packages' own JavaScript does. Takes
// sessions; knows no engine.
import type { CorpusProgram, Session } from './session.js';

/** Reproducible bytes with some redundancy, so that compressors have work: a linear congruential generator. */
function sample(length: number, seed: number): Uint8Array {
  const out = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    out[i] = i % 7 < 4 ? (state >>> 24) & 0x0f : 0x41 + (i % 13);
  }
  return out;
}

function wordsAt(session: Session, address: number, count: number): number[] {
  const bytes = session.read(address, count * 4);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: count }, (_, i) => view.getUint32(i * 4, true));
}

/** An `env.abort` for AssemblyScript modules. */
const ABORT = {
  importName: 'env',
  wat: '(module (func (export "abort") (param i32 i32 i32 i32) unreachable))',
};

/** wasm-bindgen's result convention: (pointer, length) behind a return pointer on the shadow stack. */
function bindgenBytes(session: Session, name: string, input: Uint8Array, extra: number[] = []): Uint8Array {
  const result = Number(session.call('__wbindgen_add_to_stack_pointer', -16));
  const pointer = Number(session.call('__wbindgen_malloc', input.length)) >>> 0;
  session.write(pointer, input);
  session.call(name, result, pointer, input.length, ...extra);
  const [at, length] = wordsAt(session, result, 2) as [number, number];
  const output = session.read(at, length);
  session.call('__wbindgen_free', at, length);
  session.call('__wbindgen_add_to_stack_pointer', 16);
  return output;
}

const xxhash: CorpusProgram = {
  name: 'xxhash',
  file: 'xxhash-wasm/workerd/xxhash.wasm',
  support: [],
  run(s) {
    for (const length of [0, 1, 3, 16, 33, 1000]) {
      s.write(0, sample(length, length + 1));
      s.call('xxh32', 0, length, 0x9747b28c);
      s.write(0, sample(length, length + 1));
      s.call('xxh64', 0, length, 0x1234567890abcdefn);
    }
    s.write(0, new Uint8Array(88));
    s.call('init64', 0, 42n);
    s.write(512, sample(700, 9));
    s.call('update64', 0, 512, 700);
    s.call('update64', 0, 512, 33);
    s.call('digest64', 0);
  },
};

const sha256: CorpusProgram = {
  name: 'as-sha256',
  file: '@chainsafe/as-sha256/build/optimized.wasm',
  support: [ABORT],
  run(s) {
    const input = Number(s.global('input'));
    const output = Number(s.global('output'));
    for (const length of [0, 3, 55, 64, 200, 512]) {
      s.write(input, sample(length, 77));
      s.call('digest', length);
      s.read(output, 32);
    }
    s.call('init');
    for (let i = 0; i < 5; i++) {
      s.write(input, sample(100 + i, i));
      s.call('update', input, 100 + i);
    }
    s.call('final', output);
    s.read(output, 32);
  },
};

const chacha: CorpusProgram = {
  name: 'as-chacha20poly1305',
  file: '@chainsafe/as-chacha20poly1305/build/optimized.wasm',
  support: [ABORT],
  run(s) {
    s.write(Number(s.global('chacha20Key')), sample(32, 1));
    s.write(Number(s.global('chacha20Counter')), sample(16, 2));
    const input = Number(s.global('chacha20Input'));
    for (const length of [64, 200, 1000]) {
      s.write(input, sample(length, length));
      s.call('chacha20StreamXORUpdate', length);
      s.read(Number(s.global('chacha20Output')), length);
    }
    s.write(Number(s.global('poly1305Key')), sample(32, 3));
    s.call('poly1305Init');
    s.write(Number(s.global('poly1305Input')), sample(333, 4));
    s.call('poly1305Update', 333);
    s.call('poly1305Digest');
    s.read(Number(s.global('poly1305Output')), 16);
  },
};

const farmhash: CorpusProgram = {
  name: 'farmhash',
  file: 'farmhash-modern/bin/nodejs/farmhash_modern_bg.wasm',
  support: [
    {
      importName: '__wbindgen_placeholder__',
      wat: `(module
        (func (export "__wbg_new_abda76e883ba8a5f") (result i32) unreachable)
        (func (export "__wbg_stack_658279fe44541cf6") (param i32 i32) unreachable)
        (func (export "__wbg_error_f851667af71bcfc6") (param i32 i32) unreachable)
        (func (export "__wbindgen_object_drop_ref") (param i32)))`,
    },
  ],
  run(s) {
    for (const length of [1, 4, 12, 24, 60, 300]) {
      for (const name of ['fingerprint32', 'hash32', 'fingerprint64', 'hash64', 'bigquery_fingerprint']) {
        // The hash functions take ownership of the buffer.
        const pointer = Number(s.call('__wbindgen_malloc', length, 1)) >>> 0;
        s.write(pointer, sample(length, length * 3));
        s.call(name, pointer, length);
      }
    }
  },
};

const lz4: CorpusProgram = {
  name: 'lz4-rust',
  file: 'lz4-wasm/lz4_wasm_bg.wasm',
  support: [
    {
      importName: './lz4_wasm_bg.js',
      wat: '(module (func (export "__wbindgen_string_new") (param i32 i32) (result i32) unreachable))',
    },
  ],
  run(s) {
    const packed = bindgenBytes(s, 'compress', sample(2000, 5));
    bindgenBytes(s, 'decompress', packed);
  },
};

const snappy: CorpusProgram = {
  name: 'snappy-rust',
  file: 'snappy-wasm/es/snappy_bg.wasm',
  support: [
    {
      importName: 'wbg',
      wat: '(module (func (export "__wbindgen_error_new") (param i32 i32) (result i32) unreachable))',
    },
  ],
  run(s) {
    const raw = bindgenBytes(s, 'compress_raw', sample(3000, 6));
    bindgenBytes(s, 'decompress_raw', raw);
  },
};

/** A complete LZ4 frame with an uncompressed and a compressed block (repeat of 8 bytes), without checksums. */
function lz4Frame(): Uint8Array {
  const literal = sample(40, 8);
  const compressed = [0x8f, ...sample(8, 11), 8, 0, 0xff, 120, 0x50, 1, 2, 3, 4, 5];
  return Uint8Array.from([
    ...[0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82],
    ...[40, 0, 0, 0x80, ...literal],
    ...[compressed.length, 0, 0, 0, ...compressed],
    ...[0, 0, 0, 0],
  ]);
}

const lz4c: CorpusProgram = {
  name: 'lz4-c',
  file: '@foxglove/wasm-lz4/dist/wasm-lz4.wasm',
  support: [
    {
      importName: 'a',
      // Neither is reached by inputs below 512 bytes; a heap that would have to grow says no.
      wat: `(module
        (func (export "a") (param i32) (result i32) (i32.const 0))
        (func (export "b") (param i32 i32 i32) unreachable))`,
    },
  ],
  run(s) {
    s.call('d');
    const frame = lz4Frame();
    const source = Number(s.call('e', frame.length)) >>> 0;
    const target = Number(s.call('e', 500)) >>> 0;
    s.write(source, frame);
    const context = Number(s.call('i'));
    const length = Number(s.call('h', context, target, 500, source, frame.length));
    if (length > 0) s.read(target, length);
    s.call('f', source);
    s.call('f', target);
  },
};

const sourceMap: CorpusProgram = {
  name: 'source-map',
  file: 'source-map/lib/mappings.wasm',
  support: [
    {
      importName: 'env',
      // Appends its ten arguments to a log that the driver reads.
      wat: `(module
        (memory (export "memory") 1)
        (global $at (mut i32) (i32.const 0))
        (func (export "used") (result i32) (global.get $at))
        (func $put (param i32)
          (i32.store (global.get $at) (local.get 0))
          (global.set $at (i32.add (global.get $at) (i32.const 4))))
        (func (export "mapping_callback") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)
          (call $put (local.get 0)) (call $put (local.get 1)) (call $put (local.get 2)) (call $put (local.get 3))
          (call $put (local.get 4)) (call $put (local.get 5)) (call $put (local.get 6)) (call $put (local.get 7))
          (call $put (local.get 8)) (call $put (local.get 9))))`,
    },
  ],
  run(s, support) {
    const text = new TextEncoder().encode(
      'CAAC,IAAI,IAAM,SAAUA,GAClB,OAAOC,IAAID;CCDb,IAAI,IAAM,SAAUE,GAClB,OAAOA;AAAA,GAAGC,CAAH',
    );
    const buffer = Number(s.call('allocate_mappings', text.length)) >>> 0;
    s.write(buffer, text);
    const mappings = Number(s.call('parse_mappings', buffer));
    s.call('get_last_error');
    s.call('compute_column_spans', mappings);
    s.call('by_generated_location', mappings);
    s.call('by_original_location', mappings);
    s.call('original_location_for', mappings, 0, 10, 1);
    s.call('original_location_for', mappings, 1, 7, 2);
    s.call('generated_location_for', mappings, 0, 1, 5, 1);
    s.call('free_mappings', mappings);
    const log = support('env');
    log.read(0, Number(log.call('used')));
  },
};

/** Every program of the corpus. */
export const CORPUS: readonly CorpusProgram[] = [xxhash, sha256, chacha, farmhash, lz4, snappy, lz4c, sourceMap];
