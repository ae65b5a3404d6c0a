// Measures candidates of a kernel beside each other, on buffers of the size that they have in the model.

/** @import { Clock, Work } from './clock.js' */
/** @import { Candidate, Kernel } from './job.js' */

import { COPY_DST, COPY_SRC, STORAGE, UNIFORM, roundUp } from '../gpu_device.js';
import { makeLayout } from '../gpu_pipelines.js';
import { clockOf } from './clock.js';
import { MOST_REPEATS, compare, estimate } from './rounds.js';

/** A GPU that did nothing for so many ms may have lowered its clock; it takes work without a pause, of so many seconds at a time, until it is back. */
const ASLEEP = 20, HEAT = 0.1, MOST_HEATS = 6, CALM = 0.97;
/** Weights come from memory in a run, since other kernels' have been in the caches since: so they lie there several times, up to so much. */
const MOST_COPIES = 16, ROTATED_BYTES = 128 << 20;
const PATTERN_BYTES = 1 << 20;

/** @typedef {{buffer: GPUBuffer, size: number, copies: number}} Operand */
/** What is measured of a kernel, and of a candidate. @typedef {Pick<Kernel, 'buffers'>} Measured @typedef {Pick<Candidate, 'bindings' | 'workgroups' | 'sizes'> & {wgsl: string, pipeline?: GPUComputePipeline}} Shader */

export class Bench {
  /** @type {GPUDevice} */ #device;
  /** @type {Promise<Clock> | undefined} */ #clock;
  /** @type {{kernel: Measured, operands: Operand[]} | undefined} */ #held;
  #weightBytes;
  /** When the last one was measured. */
  #last = -Infinity;

  /** @param {GPUDevice} device @param {number} weightBytes of all kernels of the model */
  constructor(device, weightBytes) {
    this.#device = device;
    this.#weightBytes = weightBytes;
  }

  /**
   * Seconds of each candidate. Infinity where the GPU refuses it.
   *
   * @param {Measured} kernel @param {Shader[]} candidates @param {() => void} [check] called between rounds; it may throw
   */
  async measure(kernel, candidates, check = () => {}) {
    const operands = await this.#operandsOf(kernel);
    const works = await Promise.all(candidates.map((candidate) => this.#prepare(candidate, operands))), first = works.find(Boolean);
    if (!first) return candidates.map(() => Infinity);
    const clock = await (this.#clock ??= clockOf(this.#device, first));
    if (performance.now() - this.#last > ASLEEP) await heat(clock, first, check);
    const best = await compare(clock, works, check);
    this.#last = performance.now();
    return best;
  }

  /** Nothing where the GPU refuses it. @param {Shader} candidate @param {Operand[]} operands @returns {Promise<Work | undefined>} */
  async #prepare(candidate, operands) {
    const device = this.#device, { sizes, workgroups: [x, y, z] } = candidate;
    try {
      const pipeline = candidate.pipeline ?? await compilePipeline(device, candidate);
      const told = sizes.length ? [this.#tell(sizes)] : [];
      device.pushErrorScope('validation');
      const groups = Array.from({ length: Math.max(...operands.map(({ copies }) => copies)) }, (_, copy) => {
        const resources = [...operands.map(({ buffer, size, copies }) => ({ buffer, size, offset: copy % copies * roundUp(size, 256) })), ...told];
        return device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: resources.map((resource, binding) => ({ binding, resource })) });
      });
      const work = (/** @type {GPUComputePassEncoder} */ pass, /** @type {number} */ repeats) => {
        pass.setPipeline(pipeline);
        for (let i = 0; i < repeats; ++i) {
          pass.setBindGroup(0, groups[i % groups.length]);
          pass.dispatchWorkgroups(x, y, z);
        }
      };
      const encoder = device.createCommandEncoder(), pass = encoder.beginComputePass();
      work(pass, 1);
      pass.end();
      device.queue.submit([encoder.finish()]);
      return await device.popErrorScope() ? undefined : work;
    } catch {
      return undefined;
    }
  }

  /** @param {number[]} sizes @returns {GPUBufferBinding} */
  #tell(sizes) {
    const buffer = this.#device.createBuffer({ size: 4 * roundUp(sizes.length, 4), usage: UNIFORM | COPY_DST });
    this.#device.queue.writeBuffer(buffer, 0, Int32Array.from(sizes));
    return { buffer };
  }

  /** Frees the memory that is kept. */
  release() {
    for (const { buffer } of this.#held?.operands ?? []) buffer.destroy();
    this.#held = undefined;
  }

  /** Those of the last kernel are kept, of which most likely more is measured. @param {Measured} kernel */
  async #operandsOf(kernel) {
    if (this.#held?.kernel === kernel) return this.#held.operands;
    this.release();
    const device = this.#device;
    device.pushErrorScope('out-of-memory');
    const operands = kernel.buffers.map(({ type, bytes, isWeight }) => {
      const size = Math.max(16, roundUp(bytes, 16)), room = Math.min(ROTATED_BYTES, device.limits.maxBufferSize, this.#weightBytes);
      const copies = isWeight ? Math.max(1, Math.min(MOST_COPIES, Math.floor(room / size))) : 1;
      const buffer = device.createBuffer({ size: copies * roundUp(size, 256), usage: STORAGE | COPY_SRC | COPY_DST });
      fill(device, buffer, type);
      return { buffer, size, copies };
    });
    if (await device.popErrorScope()) throw new Error('the GPU has too little memory for the tensors of this kernel');
    this.#held = { kernel, operands };
    return operands;
  }
}

/** Works until times no longer fall. @param {Clock} clock @param {Work} work @param {() => void} check */
async function heat(clock, work, check) {
  let last = await estimate(clock, work);
  for (let i = 0; i < MOST_HEATS; ++i) {
    check();
    const repeats = Math.min(16 * MOST_REPEATS, Math.ceil(HEAT / last)), [seconds] = await clock.time([{ work, repeats }]);
    if (i > 0 && seconds > CALM * last) return;
    last = seconds;
  }
}

/** @param {GPUDevice} device @param {Shader} shader */
export function compilePipeline(device, { wgsl, bindings, sizes }) {
  const layout = makeLayout(device, { bindings, uniformBytes: 4 * roundUp(sizes.length, 4) });
  return device.createComputePipelineAsync({ layout, compute: { module: device.createShaderModule({ code: wgsl }), entryPoint: 'main' } });
}

/** Numbers without a pattern; integers, which may be indices, are 0 as in a new buffer. @param {GPUDevice} device @param {GPUBuffer} buffer @param {string} type */
function fill(device, buffer, type) {
  if (!type.startsWith('f')) return;
  const bytes = Math.min(PATTERN_BYTES, buffer.size);
  // In f16, halves from 1 to 2 or their negatives; in f32 the same.
  const words = Uint32Array.from({ length: bytes / 4 }, (_, i) => {
    const bits = Math.imul(i + 1, 0x9e3779b1) >>> 0;
    return type === 'f16' ? 0x3c003c00 | bits & 0x83ff83ff : 0x3f800000 | bits & 0x807fffff;
  });
  const pattern = device.createBuffer({ size: bytes, usage: COPY_SRC | COPY_DST });
  device.queue.writeBuffer(pattern, 0, words);
  const encoder = device.createCommandEncoder();
  for (let at = 0; at < buffer.size; at += bytes) encoder.copyBufferToBuffer(pattern, 0, buffer, at, Math.min(bytes, buffer.size - at));
  device.queue.submit([encoder.finish()]);
  pattern.destroy();
}
