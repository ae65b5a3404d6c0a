// Random numbers from a seed: the same everywhere and always.

export class Chance {
  #state;

  /** @param {number} seed */
  constructor(seed) {
    this.#state = Math.imul(seed + 1, 0x9e3779b9) >>> 0;
    for (let i = 0; i < 4; ++i) this.#next();
  }

  /** Of 32 bits: "mulberry32" by Tommy Ettinger, which is in the public domain. */
  #next() {
    this.#state = this.#state + 0x6d2b79f5 >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ t >>> 15, t | 1);
    t ^= t + Math.imul(t ^ t >>> 7, t | 61);
    return (t ^ t >>> 14) >>> 0;
  }

  /** In [0, 1). */
  fraction() {
    return this.#next() / 2 ** 32;
  }

  /** From low to high, both included. @param {number} low @param {number} high */
  int(low, high) {
    return low + Math.floor(this.fraction() * (high - low + 1));
  }

  /** @param {number} low @param {number} high */
  real(low, high) {
    return low + this.fraction() * (high - low);
  }

  /** Whether something happens that does so in this part of all cases. @param {number} [part] */
  is(part = 0.5) {
    return this.fraction() < part;
  }

  /** @template T @param {readonly T[]} list @returns {T} */
  of(list) {
    return list[this.int(0, list.length - 1)];
  }

  /** @template T @param {readonly T[]} list @returns {T[]} */
  shuffled(list) {
    const rest = [...list];
    for (let i = rest.length - 1; i > 0; --i) {
      const j = this.int(0, i);
      [rest[i], rest[j]] = [rest[j], rest[i]];
    }
    return rest;
  }

  /** Some of a list, in its order. @template T @param {readonly T[]} list @param {number} count @returns {T[]} */
  some(list, count) {
    const taken = new Set(this.shuffled(list.map((_, i) => i)).slice(0, count));
    return list.filter((_, i) => taken.has(i));
  }
}
