// Takes every source file; gives lint findings, the import arrows of the architecture among them.
import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const ABOVE_EDGE = ['cli', 'simulator', 'test'];
const FLEET = ['device', 'fleet', 'gateway', 'nats', 'registry', 'router', 'server', 'web'];

/** Folder -> folders it must not import from. Arrows: compiler <- backend-xtensa <- linker <- manifest <- edge <- cli; see docs/architecture.md. */
const FORBIDDEN = {
  compiler: ['backend-xtensa', 'linker', 'manifest', 'cli', 'simulator', 'edge', 'test'],
  'backend-xtensa': ['linker', 'manifest', 'cli', 'simulator', 'edge', 'test'],
  linker: ['manifest', 'cli', 'simulator', 'edge', 'test'],
  manifest: ['cli', 'simulator', 'edge', 'test'],
  // The simulator takes only the ISA table, the board data and the image reader.
  simulator: [
    'manifest',
    'cli',
    'edge',
    'test',
    'compiler/wasm',
    'compiler/ir',
    'compiler/passes',
    'compiler/translate',
    'backend-xtensa/lower',
    'backend-xtensa/regalloc',
    'backend-xtensa/emit',
    'backend-xtensa/elf',
  ],
  // The verifier trusts nothing that made the code it looks at.
  verifier: [
    'manifest',
    'cli',
    'edge',
    'test',
    'simulator',
    'compiler/ir',
    'compiler/passes',
    'compiler/translate',
    'compiler/wasm',
    'backend-xtensa/lower',
    'backend-xtensa/mach',
    'backend-xtensa/regalloc',
    'backend-xtensa/emit',
    'backend-xtensa/elf',
  ],
  cli: ['test'],
  edge: ABOVE_EDGE,
  // What runs a module knows neither network nor fleet; what is on the network knows no server.
  'edge/imc': [...ABOVE_EDGE, ...FLEET, 'host', 'worker', 'module', 'security'],
  'edge/module': [...ABOVE_EDGE, ...FLEET, 'host', 'worker', 'security'],
  'edge/worker': [...ABOVE_EDGE, ...FLEET, 'host', 'security'],
  'edge/host': [...ABOVE_EDGE, ...FLEET],
  'edge/security': [...ABOVE_EDGE, ...FLEET, 'host', 'worker', 'module'],
  'edge/router': [...ABOVE_EDGE, 'device', 'gateway', 'nats', 'server', 'web'],
  'edge/device': [...ABOVE_EDGE, 'nats', 'registry', 'server', 'web'],
  'edge/gateway': [...ABOVE_EDGE, 'device', 'nats', 'registry', 'server', 'web'],
  'edge/nats': [...ABOVE_EDGE, 'device', 'gateway', 'server', 'web'],
};

const arrows = Object.entries(FORBIDDEN).map(([folder, targets]) => ({
  files: [`${folder}/**/*.ts`],
  ignores: ['**/*.test.ts'],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: targets.map((t) => ({
          regex: `^(\\.\\./)+${t}/`,
          message: `${folder} must not import from ${t} (import arrows)`,
        })),
      },
    ],
  },
}));

export default tseslint.config(
  {
    ignores: [
      'dist/**',
      'build/**',
      'node_modules/**',
      'examples/**',
      'sdk/**',
      'test/conformance/programs/**',
      '.tmp/**',
    ],
  },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  {
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'no-constant-condition': ['error', { checkLoops: false }],
      eqeqeq: 'error',
    },
  },
  {
    files: ['**/*.mjs', '**/*.js'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        Buffer: 'readonly',
        URL: 'readonly',
        setTimeout: 'readonly',
        WebAssembly: 'readonly',
      },
    },
  },
  {
    // The page runs in a browser; tsc checks its names against the DOM (edge/web/page/tsconfig.json).
    files: ['edge/web/page/**/*.js'],
    rules: { 'no-undef': 'off' },
  },
  ...arrows,
);
