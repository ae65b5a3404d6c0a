// The machine's GPU in Node, by Dawn, and what it can do at most.

import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { create, globals } = require('webgpu');
Object.assign(globalThis, globals);
/** Kept, since devices die with it. */
const gpu = create([
  'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia',
  'disable-dawn-features=timestamp_quantization',
]);
// Models look there for what the engine's WGSL has. PLAIN_WGSL=1 hides it, to compare with programs that need nothing of it.
if (!process.env.PLAIN_WGSL) {
  globalThis.navigator ??= /** @type {any} */ ({});
  Object.defineProperty(globalThis.navigator, 'gpu', { configurable: true, value: gpu });
}

export const findAdapter = () => gpu.requestAdapter({ powerPreference: 'high-performance' });

/** A device with all that models may make use of. */
export async function makeDevice() {
  const adapter = await findAdapter();
  const { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize } = adapter.limits;
  return adapter.requestDevice({
    requiredFeatures: ['timestamp-query', 'shader-f16'].filter((feature) => adapter.features.has(feature)),
    requiredLimits: { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize },
  });
}

const GROUP = 256, VECTOR_BYTES = 16;

/** Copies more than caches hold. */
const COPY = { bytes: 192 << 20, code: `
@group(0) @binding(0) var<storage, read_write> before: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> after: array<vec4<f32>>;
@compute @workgroup_size(${GROUP}) fn main(@builtin(global_invocation_id) id: vec3<u32>) { after[id.x] = before[id.x]; }` };

/** Sums in registers, each of which waits for itself alone. */
const CHAINS = 4;
const chains = (/** @type {(i: number) => string} */ line) => Array.from({ length: CHAINS }, (_, i) => line(i)).join(' ');
const MULTIPLY_ADD = { bytes: 16 << 20, code: `
@group(0) @binding(0) var<storage, read_write> before: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> after: array<vec4<f32>>;
override turns: u32;
@compute @workgroup_size(${GROUP}) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let x = before[id.x];
  ${chains((i) => `var s${i} = x * ${i}.5;`)}
  for (var t = 0u; t < turns; t++) { ${chains((i) => `s${i} = fma(s${i}, x, x);`)} }
  after[id.x] = ${Array.from({ length: CHAINS }, (_, i) => `s${i}`).join(' + ')};
}` };
/** From which on what is around the loop does not count, and where every machine can begin. */
const LONG_SECONDS = 0.002, FEW_TURNS = 16;

/**
 * Operations and bytes in a second, of two small shaders: the best of some runs, after the clock has risen.
 *
 * @returns {Promise<import('../../../runtime-js/model.js').Peak>}
 */
export async function measurePeak() {
  const device = await makeDevice();
  try {
    const copySeconds = await bestTime(device, COPY);
    let turns = FEW_TURNS, sumSeconds = await bestTime(device, MULTIPLY_ADD, { turns });
    while (sumSeconds < LONG_SECONDS) sumSeconds = await bestTime(device, MULTIPLY_ADD, { turns: turns *= 2 });
    const threads = MULTIPLY_ADD.bytes / VECTOR_BYTES, operations = threads * turns * CHAINS * 4 * 2;
    return { flops: operations / sumSeconds, bytesPerSecond: 2 * COPY.bytes / copySeconds };
  } finally {
    device.destroy();
  }
}

/** Seconds. @param {GPUDevice} device @param {{bytes: number, code: string}} shader @param {Record<string, number>} [constants] */
async function bestTime(device, { bytes, code }, constants) {
  device.pushErrorScope('validation');
  const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module: device.createShaderModule({ code }), constants } });
  const buffers = [0, 1].map(() => device.createBuffer({ size: bytes, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST }));
  device.queue.writeBuffer(buffers[0], 0, new Float32Array(bytes / 4).fill(0.5));
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })) });
  const run = (/** @type {GPUComputePassDescriptor} */ descriptor) => (/** @type {GPUCommandEncoder} */ encoder) => {
    const pass = encoder.beginComputePass(descriptor);
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(bytes / VECTOR_BYTES / GROUP);
    pass.end();
  };
  let best = await timed(device, run);
  const error = await device.popErrorScope();
  if (error) throw new Error(error.message);
  for (const end = performance.now() + 300; performance.now() < end; ) best = Math.min(best, await timed(device, run));
  for (const buffer of buffers) buffer.destroy();
  return best;
}

/**
 * Seconds of a pass: by the GPU's clock, or, where it has none that runs, the time that passed here.
 *
 * @param {GPUDevice} device @param {(descriptor: GPUComputePassDescriptor) => (encoder: GPUCommandEncoder) => void} work
 */
async function timed(device, work) {
  const seconds = device.features.has('timestamp-query') ? await timedOnGpu(device, work) : 0;
  if (seconds > 0) return seconds;
  const encoder = device.createCommandEncoder(), start = performance.now();
  work({})(encoder);
  device.queue.submit([encoder.finish()]);
  await device.queue.onSubmittedWorkDone();
  return (performance.now() - start) / 1000;
}

/** @type {typeof timed} */
async function timedOnGpu(device, work) {
  const encoder = device.createCommandEncoder();
  const querySet = device.createQuerySet({ type: 'timestamp', count: 2 });
  const resolved = device.createBuffer({ size: 16, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
  const staging = device.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  work({ timestampWrites: { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 } })(encoder);
  encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
  encoder.copyBufferToBuffer(resolved, 0, staging, 0, 16);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const [begin, end] = new BigUint64Array(staging.getMappedRange());
  staging.destroy();
  resolved.destroy();
  querySet.destroy();
  return Number(end - begin) / 1e9;
}
