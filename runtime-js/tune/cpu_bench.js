// Measures candidates of a kernel of the CPU beside each other: functions of one module, on memory of the sizes that the kernel's
// tensors have in the model. On one thread.

/** @import { Kernel } from './job.js' */
/** @import { Clock } from './rounds.js' */

import { roundUp } from '../gpu_device.js';
import { compare, estimate } from './rounds.js';

/** Engines compile anew what has run for some time, on a thread of their own: all take turns of so many seconds until times no longer fall, and for so long at least. */
const TURN = 0.01, SHORTEST_WARM = 0.4, LONGEST_WARM = 4, CALM = 0.97;
/** Seconds that a time must be long, and how many ticks of the clock: pages that are not isolated see 0.1 ms or more. */
const SHORTEST = 0.004, TICKS = 50;
/** More rounds than a GPU's: other processes disturb. @type {[number, number]} */
const ROUNDS = [4, 16];
/** Weights come from memory in a run, if all of the model's do not fit into caches: so they lie there several times, up to so much. */
const MOST_COPIES = 16, ROTATED_BYTES = 128 << 20;
const PAGE = 65536, ALIGNMENT = 64;

/** @typedef {(repeats: number) => void} Work */
/** What is measured of a kernel, and of a candidate. @typedef {Pick<Kernel, 'buffers'>} Measured @typedef {{index: number, sizes: number[]}} Callee its number in the module */
/** The last kernel: its functions, and where operands are, by turns. @typedef {{kernel: Measured, exports: Record<string, any>, operands: number[][]}} Held */

export class CpuBench {
  #weightBytes;
  #pause;
  #now;
  /** @type {Held | undefined} */ #held;

  /**
   * @param {number} weightBytes of all kernels of the model @param {() => Promise<void>} [pause] lets others run, between turns
   * @param {() => number} [now] in ms
   */
  constructor(weightBytes, pause = async () => {}, now = () => performance.now()) {
    this.#weightBytes = weightBytes;
    this.#pause = pause;
    this.#now = now;
  }

  /**
   * Seconds of each candidate. `load` gives the kernel's module, and is called where it is not the last one's.
   *
   * @param {Measured} kernel @param {() => Promise<BufferSource>} load @param {Callee[]} candidates
   * @param {() => void} [check] called between rounds; it may throw
   */
  async measure(kernel, load, candidates, check = () => {}) {
    if (this.#held?.kernel !== kernel) await this.#hold(kernel, load);
    const { exports, operands } = /** @type {Held} */ (this.#held), clock = this.#clock();
    const works = candidates.map(({ index, sizes }) => {
      const run = exports[index], calls = operands.map((places) => [...places, ...sizes]);
      return (/** @type {number} */ repeats) => {
        for (let i = 0; i < repeats; ++i) run(...calls[i % calls.length]);
      };
    });
    await this.#warm(clock, works, check);
    return compare(clock, works, check);
  }

  /** @param {Measured} kernel @param {() => Promise<BufferSource>} load */
  async #hold(kernel, load) {
    // What was held goes first: memory may be short.
    this.#held = undefined;
    const { instance } = await WebAssembly.instantiate(await load()), exports = /** @type {Record<string, any>} */ (instance.exports);
    const memory = /** @type {WebAssembly.Memory} */ (exports.memory);
    let end = roundUp(exports.__heap_base.value, ALIGNMENT);
    const places = kernel.buffers.map(({ type, bytes, isWeight }) => {
      // What is read past the end is not used.
      const size = roundUp(bytes + ALIGNMENT, ALIGNMENT), room = Math.min(ROTATED_BYTES, this.#weightBytes);
      const copies = isWeight ? Math.max(1, Math.min(MOST_COPIES, Math.floor(room / size))) : 1, first = end;
      end += copies * size;
      return { type, size, copies, first };
    });
    try {
      memory.grow(Math.max(0, Math.ceil(end / PAGE) - memory.buffer.byteLength / PAGE));
    } catch {
      throw new Error('there is too little memory for the tensors of this kernel');
    }
    for (const { type, size, copies, first } of places) if (type === 'f32') fill(new Uint32Array(memory.buffer, first, copies * size / 4));
    const turns = Math.max(1, ...places.map(({ copies }) => copies));
    this.#held = { kernel, exports, operands: Array.from({ length: turns }, (_, turn) => places.map(({ first, size, copies }) => first + turn % copies * size)) };
  }

  /** @returns {Clock<Work>} */
  #clock() {
    const now = this.#now, start = now();
    let tick = now();
    while (tick === start) tick = now();
    const time = async (/** @type {{work: Work, repeats: number}[]} */ all) => {
      const seconds = [];
      for (const { work, repeats } of all) {
        const begin = now();
        work(repeats);
        seconds.push((now() - begin) / 1e3 / repeats);
        await this.#pause();
      }
      return seconds;
    };
    return { shortest: Math.max(SHORTEST, TICKS * (tick - start) / 1e3), rounds: ROUNDS, time };
  }

  /** @param {Clock<Work>} clock @param {Work[]} works @param {() => void} check */
  async #warm(clock, works, check) {
    const start = this.#now(), elapsed = () => (this.#now() - start) / 1e3;
    let last = works.map(() => Infinity);
    for (let isCalm = false; !(isCalm && elapsed() > SHORTEST_WARM) && elapsed() < LONGEST_WARM;) {
      check();
      const seconds = [];
      for (const [i, work] of works.entries()) {
        const one = last[i] < Infinity ? last[i] : await estimate(clock, work);
        seconds.push(...await clock.time([{ work, repeats: Math.max(1, Math.ceil(TURN / Math.max(one, 1e-9))) }]));
      }
      isCalm = seconds.every((time, i) => time > CALM * last[i]);
      last = seconds;
    }
  }
}

/** Numbers from 1 to 2 or their negatives, without a pattern; integers, which may be indices, are 0 as in new memory. @param {Uint32Array} words */
function fill(words) {
  for (let i = 0; i < words.length; ++i) words[i] = 0x3f800000 | Math.imul(i + 1, 0x9e3779b1) & 0x807fffff;
}
