// Bundles of small models, made without the compiler: tables and kernels in C++, linked with the
// real runtime, and shaders by hand. What they compute is in fixtures/*.cpp.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { ABI_VERSION } from '../../runtime-js/abi.js';
import { xxh32 } from '../../runtime-js/xxh32.js';

/** @typedef {typeof import('../../runtime-js/model.js')} ModelModule */

const here = fileURLToPath(new URL('.', import.meta.url));
const root = join(here, '../..');
/** xxHash is one header; beside it lie headers that are not for wasm. */
const xxhash = mkdtempSync(join(tmpdir(), 'webnnc-xxhash-'));
cpSync('/usr/include/xxhash.h', join(xxhash, 'xxhash.h'));
process.on('exit', () => rmSync(xxhash, { recursive: true }));

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
const DOUBLE = /* wgsl */ `
@group(0) @binding(0) var<storage, read_write> c: array<f32>;
@group(0) @binding(1) var<storage, read_write> r: array<f32>;
@group(0) @binding(2) var<storage, read_write> more: array<u32>;
@group(0) @binding(3) var<uniform> sizes: vec4i;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (i32(id.x) < sizes.x) { r[id.x] = 2 * c[id.x] + 1; }
  if (id.x == 0) { more[0] = select(0u, 1u, 2 * c[0] + 1 < 100); }
}`;
const FIRSTS = /* wgsl */ `
@group(0) @binding(0) var<storage, read_write> s: array<f32>;
@group(0) @binding(1) var<storage, read_write> t: array<f32>;
@group(0) @binding(2) var<uniform> sizes: vec4i;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (i32(id.x) < sizes.y) { t[id.x] = s[i32(id.x) * sizes.x] + 0.5; }
}`;
/** By model. */
export const SHADERS = { scale: [SCALE, TWICE] };
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

const gpu = { kind: 'webgpu', half: false };
/** Programs as model.js knows them: a part of the weights file each. */
const needsNothing = { features: [], limits: {}, first: 0, end: 0 };
const onGpu = { ...needsNothing, kind: 'webgpu', shaders: 'shaders' };
const MODELS = {
  scale: {
    weights: scaleWeights(),
    shaders: SHADERS.scale,
    manifest: {
      inputs: [{ name: 'x', dataType: 'float32', shape: ['n', 4] }, { name: 'k', dataType: 'int64', shape: ['n'] }],
      outputs: [{ name: 'y', dataType: 'float32', shape: ['n', 4] }, { name: 'twice', dataType: 'int64', shape: ['n'] }],
      programs: [
        {
          ...gpu,
          kernels: [{ name: 'scale', shader: 0, bindings: 'wrrwwu', uniformBytes: 16 }, { name: 'twice', shader: 1, bindings: 'wwu', uniformBytes: 16 }],
        },
        { kind: 'wasm', steps: ['scale', 'twice'] },
      ],
    },
    // Pieces end at the header's end, 512, 768 and 4368.
    programs: [
      { ...onGpu, first: 512, end: 4368 }, { ...needsNothing, kind: 'wasm', first: 0, end: 768 },
    ],
    cuts: [256, 512, 768, 4368],
  },
  loop: {
    weights: new Uint8Array(0),
    shaders: [DOUBLE, FIRSTS],
    manifest: {
      inputs: [{ name: 'x', dataType: 'float32', shape: ['n'] }, { name: 'trips', dataType: 'int64', shape: [] }],
      outputs: [
        { name: 'y', dataType: 'float32', shape: ['n'] }, { name: 's', dataType: 'float32', shape: ['k', 'n'] },
        { name: 't', dataType: 'float32', shape: ['k'] }, { name: 'i', dataType: 'int64', shape: [] },
      ],
      programs: [
        {
          ...gpu, steps: [0, 1],
          kernels: [{ name: 'double', shader: 0, bindings: 'wwwu', uniformBytes: 16 }, { name: 'firsts', shader: 1, bindings: 'wwu', uniformBytes: 16 }],
        },
        { kind: 'wasm', steps: ['double', 'firsts'] },
      ],
    },
    programs: [onGpu, { ...needsNothing, kind: 'wasm' }],
    cuts: [],
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
        { ...gpu, half: true, kernels: [{ name: 'types_half', shader: 0, bindings: 'wwwwwwww' }] },
        { ...gpu, kernels: [{ name: 'types', shader: 1, bindings: 'wwwwwwww' }] },
        { kind: 'wasm', steps: ['types'] },
      ],
    },
    programs: [
      { ...onGpu, features: ['timestamp-query'] }, onGpu,
      { ...needsNothing, kind: 'wasm' },
    ],
    cuts: [],
  },
};

function scaleWeights() {
  const floats = new Float32Array(4368 / 4);
  floats.set(W, 256 / 4);
  floats.set(B, 512 / 4);
  floats.set(W, 4352 / 4);
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
      '--target=wasm32-wasi', '-O1', '-std=c++20', '-nostdlib', '-fno-exceptions', '-fno-rtti', '-mbulk-memory',
      `-I${root}/include`, `-I${root}/src`, `-I${xxhash}`, '-Wl,--no-entry', '-Wl,--max-memory=33554432', '-o', out,
      join(here, `fixtures/${name}.cpp`), ...['model', 'hash', ...name === 'loop' ? ['commands'] : []].map((file) => `${root}/src/runtime/${file}.cpp`),
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
 * XXH64 by the runtime's own function, which a test compares with values of the algorithm's author.
 *
 * @param {Uint8Array} code of a model @returns {Promise<(bytes: Uint8Array) => string>} in 16 digits
 */
export async function hasherOf(code) {
  const instance = await WebAssembly.instantiate(await WebAssembly.compile(/** @type {any} */ (code)), { wasi_snapshot_preview1: new Proxy({}, { get: () => () => 0 }) });
  const { memory, webnnc_staging: staging, webnnc_hash: hash } = /** @type {any} */ (instance.exports);
  return (bytes) => {
    const address = staging(bytes.length) >>> 0;
    new Uint8Array(memory.buffer).set(bytes, address);
    return BigInt.asUintN(64, hash(address, bytes.length)).toString(16).padStart(16, '0');
  };
}

let builds = 0;

/**
 * Writes a bundle into a new folder.
 *
 * @param {keyof typeof MODELS} name
 * @param {{edit?: (manifest: any, record: any) => void, shaders?: string[]}} [changes] what differs from the model
 */
export async function makeBundle(name, { edit = () => {}, shaders } = {}) {
  const model = MODELS[name], folder = mkdtempSync(join(tmpdir(), `webnnc-${name}-`)), code = compile(name);
  const hash = await hasherOf(code), weights = Buffer.from(model.weights), id = hash(weights.subarray(256));
  const manifest = structuredClone({ abi: ABI_VERSION, name, build: `build${++builds}`, ...model.manifest });
  if (weights.length) {
    weights.write('webnnc weights\n');
    weights.writeBigUInt64LE(BigInt(`0x${id}`), 16);
  }
  const record = structuredClone({ programs: model.programs, weights: { id, bytes: weights.length, pieces: model.cuts.map(pieceOf) } });
  edit(manifest, record);
  const wasm = Buffer.concat([code, customSection('webnnc.manifest', JSON.stringify(manifest))]);
  const texts = Buffer.from(JSON.stringify({ build: manifest.build, shaders: shaders ?? model.shaders }));
  const recordOf = (/** @type {Buffer} */ file) => ({ bytes: file.length, hash: xxh32(file) });
  writeFileSync(join(folder, 'model.wasm'), wasm);
  writeFileSync(join(folder, 'model.relaxed.wasm'), wasm);
  writeFileSync(join(folder, 'model.shaders.json'), texts);
  writeFileSync(join(folder, 'model.weights.bin'), weights);
  cpSync(join(root, 'runtime-js'), folder, { recursive: true });
  const build = { id: manifest.build, webnnc: 'test', wasm: recordOf(wasm), relaxed: recordOf(wasm), shaders: recordOf(texts), ...record };
  writeFileSync(join(folder, 'build.js'), `export const BUILD = ${JSON.stringify(build)};`);
  const work = manifest.programs.map((/** @type {any} */ { steps, kernels }) => (steps ?? kernels).map(() => [0, 0]));
  writeFileSync(join(folder, 'work.js'), `export const WORK = [${JSON.stringify(work)}.map((steps) => steps.map((work) => () => work))];`);
  return {
    folder,
    /** @returns {Promise<ModelModule>} */
    import: () => import(pathToFileURL(join(folder, 'model.js')).href),
    remove: () => rmSync(folder, { recursive: true }),
  };

  /** @param {number} end @param {number} i */
  function pieceOf(end, i) {
    return [end, hash(weights.subarray(i ? model.cuts[i - 1] : 0, end))];
  }
}
