// Tunes the kernels of a model on a device: measures, and tells what came of it after each batch.

/** @import { Job, Kernel, Time } from './job.js' */

import { kernelsFor } from './job.js';
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
 * @typedef {{job: Job, measuredOn: (device: string) => Promise<Time[]>,
 *   report: (device: string, times: Time[]) => Promise<void>, onState: (state: State) => void, signal: AbortSignal}} Desk
 */

/**
 * What candidates are measured on: what its kind is called, whether it has a feature, and what measures. That gives the seconds of candidates
 * of a kernel, which has this number in the job; Infinity of those that do not run. On a steady machine what disturbs only makes slower.
 *
 * @typedef {{label: string, isSteady?: boolean, has: (feature: string) => boolean, open: (kernels: Kernel[]) => Promise<{
 *   measure: (kernel: Kernel, index: number, candidates: number[], signal: AbortSignal) => Promise<number[]>, close: () => void}>}} Machine
 */

/** @param {Machine} machine @param {Desk} desk */
export async function tune({ label, isSteady = false, has, open }, { job, measuredOn, report, onState, signal }) {
  const chosen = kernelsFor(job, has, job.most);
  const kernels = chosen.map(({ kernel }) => kernel), search = new Search(kernels, job.measurements);
  for (const { kernel, candidate, seconds } of await measuredOn(label)) {
    const at = chosen.findIndex(({ index }) => index === kernel);
    if (at >= 0) search.add(at, candidate, seconds);
  }
  const bench = await open(kernels);
  try {
    const total = Math.min(job.measurements, kernels.reduce((sum, { candidates }) => sum + candidates.length, 0));
    for (let batch; !signal.aborted && (batch = search.next()); ) {
      const { kernel, candidates } = batch;
      onState(stateOf(kernels, search, total, kernel));
      const seconds = await bench.measure(kernels[kernel], chosen[kernel].index, candidates, signal);
      // By the one that was known before: the device may be warmer now, or slower. Where that one was merely disturbed, others would seem faster
      // than they are.
      const known = search.secondsOf(kernel, candidates[0]), drift = !isSteady && known && seconds[0] < Infinity ? known / seconds[0] : 1;
      const isNews = known === undefined || isSteady && seconds[0] < known;
      const times = candidates.map((c, i) => ({ kernel: chosen[kernel].index, candidate: c, seconds: seconds[i] * drift })).slice(isNews ? 0 : 1);
      for (const { candidate, seconds } of times) search.add(kernel, candidate, seconds);
      await report(label, times);
    }
    onState(stateOf(kernels, search, total));
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    bench.close();
  }
}

/** @param {Kernel[]} kernels @param {Search} search @param {number} total @param {number} [current] @returns {State} */
function stateOf(kernels, search, total, current) {
  const rows = kernels.map(({ title, launches }, k) => {
    const own = search.secondsOf(k, 0), best = search.secondsOf(k, search.bestOf(k));
    return { title, launches, measured: search.countOf(k), before: own && own * 1e3, after: best && best * 1e3 };
  });
  const sum = (/** @type {'before' | 'after'} */ key) => rows.reduce((all, row) => all + (row.before === undefined ? 0 : row.launches * (row[key] ?? 0)), 0);
  return { measured: Math.min(total, search.measured), total, before: sum('before'), after: sum('after'), current, kernels: rows };
}
