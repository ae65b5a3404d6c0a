// How profiles are told.

/** @import * as Api from './model.js' */

/**
 * @param {'gpu' | 'wall'} clock @param {string[]} names of the steps' kernels
 * @param {Float64Array} total milliseconds of each step in all runs @param {number} runs
 * @returns {Api.Profile}
 */
export function summarize(clock, names, total, runs) {
  const steps = names.map((kernel, i) => ({ kernel, ms: total[i] / runs }));
  /** @type {Map<string, {kernel: string, ms: number, calls: number}>} */
  const kernels = new Map();
  for (const { kernel, ms } of steps) {
    const entry = kernels.get(kernel) ?? { kernel, ms: 0, calls: 0 };
    kernels.set(kernel, { kernel, ms: entry.ms + ms, calls: entry.calls + 1 });
  }
  const sum = steps.reduce((all, step) => all + step.ms, 0);
  return { clock, total: sum, steps, kernels: [...kernels.values()].sort((a, b) => b.ms - a.ms) };
}
