// Which candidates to measure next, of all kernels, with few measurements: those that a cost model thinks best, which learns
// from all that was measured on the device, in the kernels where most time is to be won.

/** @import { Kernel } from './job.js' */
/** @import { Predictor } from './learn.js' */

import { fit } from './learn.js';

/** Candidates that are measured beside the best one so far; some of them by chance, so that what the model thinks can be refuted. */
const BATCH = 7, BY_CHANCE = 1;
/** What is won at least by looking at a kernel for the first time, as a part of its time. */
const CURIOSITY = 0.2;

/** @typedef {{kernel: number, candidates: number[]}} Batch the first is the best so far, if there is one */

export class Search {
  #kernels;
  #budget;
  /** Seconds by kernel and candidate. @type {Map<number, number>[]} */ #times;
  #batches;
  #random = 1;

  /** @param {Kernel[]} kernels @param {number} budget how many are measured in all */
  constructor(kernels, budget) {
    this.#kernels = kernels;
    this.#budget = budget;
    this.#times = kernels.map(() => new Map());
    this.#batches = kernels.map(() => 0);
  }

  /** What was measured. @param {number} kernel @param {number} candidate @param {number} seconds Infinity if it does not run */
  add(kernel, candidate, seconds) {
    const times = this.#times[kernel];
    times.set(candidate, Math.min(times.get(candidate) ?? Infinity, seconds));
  }

  get measured() {
    return this.#times.reduce((sum, times) => sum + times.size, 0);
  }

  /** @param {number} kernel @returns {number | undefined} undefined if there is none */
  bestOf(kernel) {
    const finite = [...this.#times[kernel]].filter(([, seconds]) => seconds < Infinity);
    return finite.length ? finite.reduce((a, b) => b[1] < a[1] ? b : a)[0] : undefined;
  }

  /** @param {number} kernel @param {number | undefined} candidate */
  secondsOf(kernel, candidate) {
    return this.#times[kernel].get(/** @type {number} */ (candidate));
  }

  /** @param {number} kernel how many were measured */
  countOf(kernel) {
    return this.#times[kernel].size;
  }

  /** Undefined at the end. @returns {Batch | undefined} */
  next() {
    const left = this.#budget - this.measured;
    if (left <= 0) return undefined;
    // The compiler's own choices first: they tell what the others are compared with.
    const unknown = this.#kernels.findIndex((_, k) => !this.#times[k].has(0));
    if (unknown >= 0) return { kernel: unknown, candidates: [0] };
    const predict = this.#learn();
    let chosen, most = -1;
    for (let k = 0; k < this.#kernels.length; ++k) {
      const { candidates, launches } = this.#kernels[k], times = this.#times[k], best = this.bestOf(k);
      const open = candidates.flatMap(({ traits }, c) => times.has(c) ? [] : [{ c, guess: predict(this.#row(k, traits)) }]);
      if (!open.length || best === undefined) continue;
      open.sort((a, b) => a.guess - b.guess);
      const seconds = /** @type {number} */ (times.get(best)), own = /** @type {number} */ (times.get(0)) * 2 ** open[0].guess;
      const hope = launches * (Math.max(0, seconds - own) + CURIOSITY * seconds / (1 + this.#batches[k]));
      if (hope > most) [most, chosen] = [hope, { kernel: k, best, open }];
    }
    if (!chosen) return undefined;
    const { kernel, best, open } = chosen;
    ++this.#batches[kernel];
    const picks = open.splice(0, Math.min(left, BATCH - BY_CHANCE)).map(({ c }) => c);
    while (picks.length < Math.min(left, BATCH) && open.length) picks.push(open.splice(this.#draw(open.length), 1)[0].c);
    return { kernel, candidates: [best, ...picks] };
  }

  /** The time of a candidate by that of the compiler's choice, as a power of two. @returns {Predictor} */
  #learn() {
    const rows = [], targets = [];
    for (let k = 0; k < this.#kernels.length; ++k) {
      const own = /** @type {number} */ (this.#times[k].get(0));
      for (const [c, seconds] of this.#times[k]) {
        if (c === 0 || !(seconds < Infinity) || !(own < Infinity)) continue;
        rows.push(this.#row(k, this.#kernels[k].candidates[c].traits));
        targets.push(Math.log2(seconds / own));
      }
    }
    return fit(rows, targets);
  }

  /** What is learnt from: how a candidate differs from the compiler's choice, and what it is. @param {number} k @param {number[]} traits */
  #row(k, traits) {
    const own = this.#kernels[k].candidates[0].traits;
    // Where the compiler has no guess of one of the two, the guess is that they take the same.
    const guess = traits[0] && own[0] ? traits[0] - own[0] : 0;
    return [guess, ...traits.slice(1).map((trait, i) => trait - own[i + 1]), ...traits.slice(1)];
  }

  /** A number below `count`: the same ones in each search. @param {number} count */
  #draw(count) {
    this.#random = Math.imul(this.#random, 1664525) + 1013904223 >>> 0;
    return Math.floor(this.#random / 2 ** 32 * count);
  }
}
