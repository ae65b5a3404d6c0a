// What steps take, and what they do in that time.

/** @import * as Api from './model.js' */
/** @import { Host } from './host.js' */

import * as abi from './abi.js';
import { WORK } from './work.js';

/** @typedef {{ms: number, operations: number, bytes: number}} Sums */
/** A step that runs: its kernel's name, and which of the program's it is. @typedef {{name: string, number?: number}} Timed */

const nothing = () => ({ ms: 0, operations: 0, bytes: 0 });

export class Tally {
  /** @type {Host} */ #host;
  /** @type {(typeof WORK)[0][0]} */ #work;
  /** @type {Timed[]} */ #steps;
  /** @type {Sums[]} */ #sums;

  /** @param {Host} host @param {number} program its index @param {(string | Timed)[]} steps or, where all of the program's are timed, their kernels' names */
  constructor(host, program, steps) {
    this.#host = host;
    this.#work = WORK[host.index][program];
    this.#steps = steps.map((step, number) => typeof step === 'string' ? { name: step, number } : step);
    this.#sums = steps.map(nothing);
  }

  /** A step has run, for the sizes that there are now. @param {number} step @param {number} ms */
  add(step, ms) {
    const { words, model } = this.#host, [operations, bytes] = this.#work[this.#steps[step].number ?? step](words.subarray(this.#host.word(model + abi.MODEL_DIMS) / 4));
    addTo(this.#sums[step], { ms, operations, bytes });
  }

  /**
   * The mean of the runs.
   *
   * @param {'gpu' | 'wall'} clock @param {number} runs @param {Api.Peak} [peak] @returns {Api.Profile}
   */
  summary(clock, runs, peak) {
    checkPeak(peak);
    const steps = this.#sums.map(({ ms, operations, bytes }, s) => ({
      kernel: this.#steps[s].name, ms: ms / runs, operations: operations / runs, bytes: bytes / runs,
    }));
    /** @type {Map<string, Sums & {kernel: string, calls: number}>} */
    const kernels = new Map();
    for (const step of steps) {
      const entry = kernels.get(step.kernel) ?? { kernel: step.kernel, ...nothing(), calls: 0 };
      addTo(entry, step);
      ++entry.calls;
      kernels.set(step.kernel, entry);
    }
    const list = [...kernels.values()].sort((a, b) => b.ms - a.ms), total = steps.reduce((sum, { ms }) => sum + ms, 0);
    return { clock, total, steps: withShares(steps, peak), kernels: withShares(list, peak) };
  }
}

/** @param {Sums} sums @param {Sums} more */
function addTo(sums, { ms, operations, bytes }) {
  sums.ms += ms;
  sums.operations += operations;
  sums.bytes += bytes;
}

/** @param {Api.Peak | undefined} peak */
function checkPeak(peak) {
  if (peak === undefined) return;
  const { flops, bytesPerSecond } = peak ?? {};
  if (flops > 0 && bytesPerSecond > 0) return;
  throw new TypeError(`profile: peak is ${JSON.stringify(peak)}, and must have flops and bytesPerSecond, both above 0`);
}

/**
 * Beside each what share of the machine it uses: the least time that it could take, by what the machine computes and
 * moves at most, in parts of the time that it took.
 *
 * @template {Sums} T @param {T[]} list @param {Api.Peak} [peak] @returns {(T & {share?: number})[]}
 */
function withShares(list, peak) {
  if (!peak) return list;
  const leastMs = (/** @type {Sums} */ { operations, bytes }) => 1000 * Math.max(operations / peak.flops, bytes / peak.bytesPerSecond);
  return list.map((each) => ({ ...each, share: each.ms > 0 ? leastMs(each) / each.ms : 0 }));
}
