// Runs the shaders that run_cases has prepared, on Dawn, and compares what they compute with what the
// interpreter computed. Every shader must also be accepted by naga, which Firefox uses.
//
//   node run_wgsl.mjs FOLDER [NAME...]
//
// Dawn runs on SwiftShader if it is there, so the result does not depend on the machine. SwiftShader
// has no f16: such shaders are validated, and not run.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const modules = join(fileURLToPath(new URL('.', import.meta.url)), 'node_modules');
const NOT_INSTALLED = 77;
if (!existsSync(modules)) {
  console.log(`${modules} is missing; run "npm install" in tests/web`);
  process.exit(NOT_INSTALLED);
}
const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';
if (existsSync(SWIFTSHADER) && !process.env.WEBNNC_ANY_GPU) {
  process.env.VK_ICD_FILENAMES = SWIFTSHADER;
  process.env.VK_DRIVER_FILES = SWIFTSHADER;
}

const naga = await import('naga-wasm');
const { create, globals } = await import('webgpu');
Object.assign(globalThis, globals);

/**
 * @typedef {{name: string, type: 'i32'|'u32'|'f32'|'f16', bytes: number, before: number, after?: number}} Buffer
 * @typedef {{name: string, workgroups: [number, number, number], sizes: number[], features: string[],
 *   tolerance: number, buffers: Buffer[]}} Case
 */

const [folder, ...names] = process.argv.slice(2);
/** @type {Case[]} */
const cases = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8'))
  .filter((/** @type {Case} */ c) => !names.length || names.includes(c.name));

// ---- naga

/** @param {string} source @returns {string | null} what naga objects to */
function nagaObjects(source) {
  try {
    const module = naga.parseWgsl(source);
    try {
      naga.validate(module).free();
    } finally {
      module.free();
    }
    return null;
  } catch (error) {
    return error instanceof naga.NagaError ? error.formatted : String(error);
  }
}

// ---- Dawn

const gpu = create(['enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia']);
const adapter = await gpu.requestAdapter();
if (!adapter) throw new Error('no WebGPU adapter');
const features = /** @type {GPUFeatureName[]} */ (['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix'])
  .filter((name) => adapter.features.has(name));
const device = await adapter.requestDevice({ requiredFeatures: features });
console.log(`on ${adapter.info.vendor} ${adapter.info.device || adapter.info.description}`);

/** @param {string} code @returns {Promise<GPUComputePipeline>} */
async function compile(code) {
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code });
  const messages = (await module.getCompilationInfo()).messages;
  const errors = messages.filter((m) => m.type === 'error');
  if (errors.length) {
    await device.popErrorScope();
    throw new Error(errors.map((m) => `${m.lineNum}:${m.linePos} ${m.message}`).join('\n'));
  }
  const pipeline = await device.createComputePipelineAsync({
    layout: 'auto', compute: { module, entryPoint: 'main' },
  });
  const error = await device.popErrorScope();
  if (error) throw new Error(error.message);
  return pipeline;
}

const { STORAGE, UNIFORM, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
/** @param {number} bytes */
const padded = (bytes) => Math.max(4, Math.ceil(bytes / 4) * 4);

/** @param {Uint8Array} content @param {number} usage */
function upload(content, usage) {
  const buffer = device.createBuffer({ size: padded(content.length), usage: usage | COPY_DST });
  const whole = new Uint8Array(padded(content.length));
  whole.set(content);
  device.queue.writeBuffer(buffer, 0, whole);
  return buffer;
}

/** @param {Case} test @param {Uint8Array} data @param {string} code @returns {Promise<Uint8Array[]>} outputs */
async function run(test, data, code) {
  const pipeline = await compile(code);
  const buffers = test.buffers.map((b) =>
    upload(data.subarray(b.before, b.before + b.bytes), STORAGE | COPY_SRC));
  const sizes = new Int32Array(Math.ceil(test.sizes.length / 4) * 4);
  sizes.set(test.sizes);
  const all = sizes.length ? [...buffers, upload(new Uint8Array(sizes.buffer), UNIFORM)] : buffers;
  // A layout made from the shader leaves out what the shader does not use.
  const used = [...code.matchAll(/@binding\((\d+)\) var<[^>]*> (\w+)/g)]
    .filter(([, , name]) => code.split(new RegExp(`\\b${name}\\b`)).length > 2)
    .map(([, binding]) => Number(binding));
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: used.map((binding) => ({ binding, resource: { buffer: all[binding] } })),
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(...test.workgroups);
  pass.end();
  const outputs = test.buffers.flatMap((b, i) => {
    if (b.after === undefined) return [];
    const copy = device.createBuffer({ size: padded(b.bytes), usage: MAP_READ | COPY_DST });
    encoder.copyBufferToBuffer(buffers[i], 0, copy, 0, padded(b.bytes));
    return [{ copy, bytes: b.bytes }];
  });
  device.queue.submit([encoder.finish()]);
  return Promise.all(outputs.map(async ({ copy, bytes }) => {
    await copy.mapAsync(GPUMapMode.READ);
    const content = new Uint8Array(copy.getMappedRange().slice(0, bytes));
    copy.destroy();
    return content;
  }));
}

// ---- Comparing

/** @param {Uint8Array} bytes @param {string} type @returns {ArrayLike<number>} */
function numbers(bytes, type) {
  const buffer = bytes.slice().buffer;
  if (type === 'f32') return new Float32Array(buffer);
  if (type === 'i32') return new Int32Array(buffer);
  if (type === 'u32') return new Uint32Array(buffer);
  return Array.from(new Uint16Array(buffer), (h) => {
    const exponent = (h >> 10) & 31, fraction = h & 1023, sign = h >> 15 ? -1 : 1;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
  });
}

/** @param {Case} test @param {Uint8Array[]} outputs @param {Uint8Array} data @returns {string | null} */
function differs(test, outputs, data) {
  let worst = 0;
  const written = test.buffers.filter((b) => b.after !== undefined);
  for (const [o, b] of written.entries()) {
    const isFloat = b.type[0] === 'f';
    const want = numbers(data.subarray(b.after, Number(b.after) + b.bytes), b.type);
    const got = numbers(outputs[o], b.type);
    for (let i = 0; i < want.length; ++i) {
      if (Object.is(want[i], got[i]) || want[i] === got[i]) continue;
      const error = Math.abs(want[i] - got[i]) / (1 + Math.abs(want[i]));
      const allowed = isFloat ? test.tolerance + (b.type === 'f16' ? 2 ** -10 : 0) : 0;
      worst = Math.max(worst, error);
      if (!(error <= allowed)) return `%${b.name}[${i}] is ${got[i]}, not ${want[i]}`;
    }
  }
  if (process.env.VERBOSE) console.log(`${test.name}: largest error ${worst.toExponential(1)}`);
  return null;
}

let failed = 0, passed = 0, bytes = 0;
/** @type {string[]} */
const skipped = [];
for (const test of cases) {
  const code = readFileSync(join(folder, `${test.name}.wgsl`), 'utf8');
  const data = new Uint8Array(readFileSync(join(folder, `${test.name}.bin`)));
  bytes += code.length;
  // Which has neither subgroups nor what they do together.
  const isForNaga = test.features.every((name) => name === 'shader-f16');
  let problem = isForNaga ? nagaObjects(code) : null;
  if (problem) problem = `naga: ${problem}`;
  if (!problem && !test.features.every((name) => device.features.has(name))) {
    skipped.push(test.name);
    continue;
  }
  try {
    problem ??= differs(test, await run(test, data, code), data);
  } catch (error) {
    problem = `Dawn: ${error instanceof Error ? error.message : error}`;
  }
  if (problem) console.log(`${test.name}: FAILED: ${problem}`);
  problem ? ++failed : ++passed;
}
console.log(`${passed} passed, ${failed} failed, ${skipped.length} not run, ${bytes} bytes of WGSL`);
if (skipped.length) console.log(`not run, since the adapter lacks a feature: ${skipped.join(' ')}`);
device.destroy();
process.exit(failed ? 1 : 0);
