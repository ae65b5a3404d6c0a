// Bundles of small models, made without the compiler: tables and kernels in C++, linked with the
// real runtime, and shaders by hand. What they compute is in fixtures/*.cpp.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** @typedef {typeof import('../../runtime-js/model.js')} ModelModule */

const here = fileURLToPath(new URL('.', import.meta.url));
const root = join(here, '../..');

// ---- What is in the sections

/** Weights of the model `scale`. */
export const W = [1, 2, 3, 4], B = [0.5, 0, -0.5, 1];

const SCALE = /* wgsl */ `
@group(0) @binding(0) var<storage, read_write> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> w: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> k: array<i32>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(5) var<uniform> sizes: vec4i;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (i32(id.x) < sizes.x) { y[id.x] = x[id.x] * w[0] + b[0] + f32(k[id.x]); }
}`;
const TWICE = /* wgsl */ `
@group(0) @binding(0) var<storage, read_write> k: array<i32>;
@group(0) @binding(1) var<storage, read_write> twice: array<i32>;
@group(0) @binding(2) var<uniform> sizes: vec4i;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (i32(id.x) < sizes.x) { twice[id.x] = 2 * k[id.x]; }
}`;
const types = (/** @type {string} */ half, /** @type {string} */ minus) => /* wgsl */ `
@group(0) @binding(0) var<storage, read_write> flags: array<u32>;
@group(0) @binding(1) var<storage, read_write> halves: array<${half}>;
@group(0) @binding(2) var<storage, read_write> bytes: array<u32>;
@group(0) @binding(3) var<storage, read_write> small: array<i32>;
@group(0) @binding(4) var<storage, read_write> nots: array<u32>;
@group(0) @binding(5) var<storage, read_write> minus: array<${half}>;
@group(0) @binding(6) var<storage, read_write> next: array<u32>;
@group(0) @binding(7) var<storage, read_write> down: array<i32>;
@compute @workgroup_size(3) fn main(@builtin(local_invocation_index) i: u32) {
  nots[i] = 1 - flags[i];
  ${minus}
  next[i] = (bytes[i] + 1) & 255;
  down[i] = small[i] - 1;
}`;

const gpu = { kind: 'webgpu', features: [], limits: {}, half: false };
const MODELS = {
  scale: {
    weights: scaleWeights(),
    shaders: [SCALE, TWICE],
    manifest: {
      inputs: [{ name: 'x', dataType: 'float32', shape: ['n', 4] }, { name: 'k', dataType: 'int64', shape: ['n'] }],
      outputs: [{ name: 'y', dataType: 'float32', shape: ['n', 4] }, { name: 'twice', dataType: 'int64', shape: ['n'] }],
      programs: [
        {
          ...gpu,
          kernels: [{ name: 'scale', shader: 0, bindings: 'srrssu' }, { name: 'twice', shader: 1, bindings: 'ssu' }],
        },
        { kind: 'wasm', steps: ['scale', 'twice'] },
      ],
    },
  },
  types: {
    weights: new Uint8Array(0),
    // Two halves in a word, so that this runs where shader-f16 does not.
    shaders: [
      types('u32', 'if (i < 2) { minus[i] = halves[i] ^ 0x80008000u; }'), types('f32', 'minus[i] = -halves[i];'),
    ],
    manifest: {
      inputs: typesPorts('flags', 'halves', 'bytes', 'small'),
      outputs: typesPorts('not', 'minus', 'next', 'down'),
      programs: [
        { ...gpu, half: true, features: ['timestamp-query'], kernels: [{ name: 'types_half', shader: 0, bindings: 'ssssssss' }] },
        { ...gpu, kernels: [{ name: 'types', shader: 1, bindings: 'ssssssss' }] },
        { kind: 'wasm', steps: ['types'] },
      ],
    },
  },
};

function scaleWeights() {
  const floats = new Float32Array(4112 / 4);
  floats.set(W, 0);
  floats.set(B, 256 / 4);
  floats.set(W, 4096 / 4);
  return new Uint8Array(floats.buffer);
}

/** @param {string[]} names */
function typesPorts(...names) {
  return ['bool', 'float16', 'uint8', 'int8'].map((dataType, i) => ({ name: names[i], dataType, shape: [3] }));
}

// ---- Bundles

/** @type {Map<string, Uint8Array>} */
const compiled = new Map();

/** @param {string} name */
function compile(name) {
  const known = compiled.get(name);
  if (known) return known;
  const folder = mkdtempSync(join(tmpdir(), 'webnnc-fixture-')), out = join(folder, 'model.wasm');
  try {
    execFileSync('clang-19', [
      '--target=wasm32-unknown-unknown', '-O1', '-std=c++20', '-nostdlib', '-fno-exceptions', '-fno-rtti', '-mbulk-memory',
      `-I${root}/include`, `-I${root}/src`, '-Wl,--no-entry', '-Wl,--max-memory=33554432', '-o', out,
      join(here, `fixtures/${name}.cpp`), `${root}/src/runtime/model.cpp`,
    ]);
    const code = readFileSync(out);
    compiled.set(name, code);
    return code;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @param {number} n @returns {number[]} as LEB128 */
const leb = (n) => n < 128 ? [n] : [n & 127 | 128, ...leb(n >>> 7)];

/** @param {string} name @param {string} content */
function customSection(name, content) {
  const title = Buffer.from(name), body = Buffer.concat([Buffer.from(leb(title.length)), title, Buffer.from(content)]);
  return Buffer.concat([Buffer.from([0, ...leb(body.length)]), body]);
}

/**
 * Writes a bundle into a new folder.
 *
 * @param {keyof typeof MODELS} name
 * @param {{edit?: (manifest: any) => void, shaders?: string[]}} [changes] what differs from the model
 */
export function makeBundle(name, { edit = () => {}, shaders } = {}) {
  const model = MODELS[name], folder = mkdtempSync(join(tmpdir(), `webnnc-${name}-`));
  const manifest = structuredClone({ abi: 1, name, weights: { bytes: model.weights.length }, ...model.manifest });
  edit(manifest);
  const wasm = Buffer.concat([
    compile(name), customSection('webnnc.manifest', JSON.stringify(manifest)),
    customSection('webnnc.shaders', (shaders ?? model.shaders).join('\0')),
  ]);
  writeFileSync(join(folder, 'model.wasm'), wasm);
  writeFileSync(join(folder, 'model.relaxed.wasm'), wasm);
  writeFileSync(join(folder, 'model.weights.bin'), model.weights);
  cpSync(join(root, 'runtime-js'), folder, { recursive: true });
  return {
    folder,
    /** @returns {Promise<ModelModule>} */
    import: () => import(pathToFileURL(join(folder, 'model.js')).href),
    remove: () => rmSync(folder, { recursive: true }),
  };
}
