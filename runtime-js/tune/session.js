// Tunes the kernels of a model on a device: measures, and tells what came of it after each batch.

/** @import { Job, Kernel, Time } from './job.js' */

import { Bench } from './bench.js';
import { deviceOf, kernelsFor, labelOf } from './job.js';
import { Search } from './search.js';

/**
 * How far it is. `before` and `after` are the milliseconds of a run's kernels that are tuned: as the compiler chose, and now.
 *
 * @typedef {{measured: number, total: number, before: number, after: number, current?: number,
 *   kernels: {title: string, launches: number, measured: number, before?: number, after?: number}[]}} State
 */

/**
 * Where a session gets its data from, and what it gives.
 *
 * @typedef {{job: Job, measuredOn: (device: string) => Promise<Time[]>, wgsl: (kernel: number, candidate: number) => Promise<string>,
 *   report: (device: string, times: Time[]) => Promise<void>, onState: (state: State) => void, signal: AbortSignal}} Desk
 */

/** @param {GPU} gpu @param {GPUAdapter} adapter @param {Desk} desk */
export async function tune(gpu, adapter, { job, measuredOn, wgsl, report, onState, signal }) {
  const label = labelOf(adapter.info);
  // Some features are the shading language's.
  const chosen = kernelsFor(job, (name) => adapter.features.has(name) || gpu.wgslLanguageFeatures.has(name), job.most);
  const kernels = chosen.map(({ kernel }) => kernel), search = new Search(kernels, job.measurements);
  for (const { kernel, candidate, seconds } of await measuredOn(label)) {
    const at = chosen.findIndex(({ index }) => index === kernel);
    if (at >= 0) search.add(at, candidate, seconds);
  }
  const device = await deviceOf(adapter, job);
  try {
    const bench = new Bench(device, weightBytesOf(kernels)), lost = device.lost.then(({ message }) => {
      throw new Error(`the GPU was lost: ${message || 'it does not say why'}`);
    });
    lost.catch(() => {});
    const total = Math.min(job.measurements, kernels.reduce((sum, { candidates }) => sum + candidates.length, 0));
    for (let batch; !signal.aborted && (batch = search.next()); ) {
      const { kernel, candidates } = batch;
      onState(stateOf(kernels, search, total, kernel));
      const codes = await Promise.all(candidates.map(async (c) => ({ ...kernels[kernel].candidates[c], wgsl: await wgsl(chosen[kernel].index, c) })));
      const seconds = await Promise.race([bench.measure(kernels[kernel], codes, () => signal.throwIfAborted()), lost]);
      // By the one that was known before: the device may be warmer now, or slower.
      const known = search.secondsOf(kernel, candidates[0]), drift = known && seconds[0] < Infinity ? known / seconds[0] : 1;
      const times = candidates.map((c, i) => ({ kernel: chosen[kernel].index, candidate: c, seconds: seconds[i] * drift })).slice(known === undefined ? 0 : 1);
      for (const { candidate, seconds } of times) search.add(kernel, candidate, seconds);
      await report(label, times);
    }
    onState(stateOf(kernels, search, total));
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    device.destroy();
  }
}

/** @param {Kernel[]} kernels */
const weightBytesOf = (kernels) => kernels.reduce((sum, { launches, buffers }) =>
  sum + launches * buffers.reduce((own, { bytes, isWeight }) => own + (isWeight ? bytes : 0), 0), 0);

/** @param {Kernel[]} kernels @param {Search} search @param {number} total @param {number} [current] @returns {State} */
function stateOf(kernels, search, total, current) {
  const rows = kernels.map(({ title, launches }, k) => {
    const own = search.secondsOf(k, 0), best = search.secondsOf(k, search.bestOf(k));
    return { title, launches, measured: search.countOf(k), before: own && own * 1e3, after: best && best * 1e3 };
  });
  const sum = (/** @type {'before' | 'after'} */ key) => rows.reduce((all, row) => all + (row.before === undefined ? 0 : row.launches * (row[key] ?? 0)), 0);
  return { measured: Math.min(total, search.measured), total, before: sum('before'), after: sum('after'), current, kernels: rows };
}
