// Which shaders a model's kernels run with on this GPU: measured when a page loads the model for the first time, and remembered by
// the browser.

/** @import { Alternatives, OfSymbols } from './alternatives.js' */

import { BUILD } from '../build.js';
import { COPY_DST, UNIFORM, roundUp } from '../gpu_device.js';
import { ALTERNATIVES } from './alternatives.js';
import { Bench, compilePipeline } from './bench.js';
import { labelOf } from './job.js';

/** How long it may take, in ms, and how much faster another shader must be. */
const MOST_TIME = 2000, WORTH = 0.98;
const CACHE = 'webnnc-tune';

/**
 * A shader that is faster: how many workgroups of it run, what it binds where the one in use binds this, and what it is told when sizes change.
 *
 * @typedef {{pipeline: GPUComputePipeline, grid: OfSymbols, bind: (bindings: GPUBufferBinding[]) => GPUBufferBinding[],
 *   tell: (symbols: readonly number[]) => void}} Faster
 */

/** For engines without a Cache, as long as they run. @type {Map<string, number[]>} */
const known = new Map();

/**
 * By kernel, those that do better than what the compiler chose.
 *
 * @param {GPUDevice} device @param {number} model @param {number} program @returns {Promise<Map<number, Faster>>}
 */
export async function choose(device, model, program) {
  const all = ALTERNATIVES[model][program];
  if (ALTERNATIVES.every((programs) => programs.every((kernels) => !kernels.length))) throw new TypeError('load: tune is true, and the model has no other shaders to choose from: compile it with --tunable');
  const key = [labelOf(device.adapterInfo ?? {}), BUILD.id, model, program].join('/');
  let chosen = await recall(key);
  if (!chosen) await remember(key, chosen = await measure(device, all));
  const faster = all.flatMap(({ kernel, candidates }, i) => chosen[i] > 0 ? [{ kernel, ...candidates[chosen[i]] }] : []);
  const pipelines = await Promise.all(faster.map((shader) => compilePipeline(device, shader)));
  return new Map(faster.map((shader, i) => [shader.kernel, { pipeline: pipelines[i], grid: shader.grid, ...binder(device, shader) }]));
}

/** Sizes that it is told are in a buffer of its own, since each shader is told others. @param {GPUDevice} device @param {Alternatives['candidates'][0]} shader @returns {Pick<Faster, 'bind' | 'tell'>} */
function binder(device, { bindings, sizes, tell }) {
  if (!sizes.length) return { bind: (all) => all.slice(0, bindings.length), tell: () => {} };
  const size = 4 * roundUp(sizes.length, 4), buffer = device.createBuffer({ size, usage: UNIFORM | COPY_DST });
  return {
    bind: (all) => [...all.slice(0, bindings.length - 1), { buffer, size }],
    tell: (symbols) => device.queue.writeBuffer(buffer, 0, Int32Array.from(tell(symbols))),
  };
}

/** The fastest shader of each kernel, by its number; those that there was no time for keep the first. @param {GPUDevice} device @param {typeof ALTERNATIVES[0][0]} all */
async function measure(device, all) {
  const end = performance.now() + MOST_TIME, chosen = all.map(() => 0);
  const weightBytes = all.reduce((sum, { buffers }) => sum + buffers.reduce((own, { bytes, isWeight }) => own + (isWeight ? bytes : 0), 0), 0);
  const bench = new Bench(device, weightBytes);
  // All at once, while the first are measured, so that the GPU has few pauses.
  const compiled = all.map(({ candidates }) => Promise.all(candidates.map(async (candidate) => ({ ...candidate, pipeline: await compilePipeline(device, candidate).catch(() => undefined) }))));
  for (let i = 0; i < all.length && performance.now() < end; ++i) {
    const seconds = await bench.measure(all[i], await compiled[i]).catch(() => [0]), least = Math.min(...seconds);
    if (least < WORTH * seconds[0]) chosen[i] = seconds.indexOf(least);
  }
  bench.release();
  return chosen;
}

const addressOf = (/** @type {string} */ key) => `https://webnnc.invalid/${encodeURIComponent(key)}`;

/** @param {string} key @returns {Promise<number[] | undefined>} */
async function recall(key) {
  try {
    return known.get(key) ?? await (await (await caches.open(CACHE)).match(addressOf(key)))?.json();
  } catch {
    return undefined;
  }
}

/** @param {string} key @param {number[]} chosen */
async function remember(key, chosen) {
  known.set(key, chosen);
  // Where there is no Cache, or none may be had, the next page measures again.
  await globalThis.caches?.open(CACHE).then((cache) => cache.put(addressOf(key), Response.json(chosen))).catch(() => {});
}
