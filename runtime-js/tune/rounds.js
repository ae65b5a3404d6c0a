// Measures works beside each other, in rounds that are interleaved: what disturbs one disturbs all.

/** Rounds before the first that counts. */
const WARM = 2;
/** What is so much slower than the best after a warm-up, or after rounds that count, is not measured further. */
const HOPELESS = 2, BEHIND = 1.15;
export const MOST_REPEATS = 4096;

/**
 * Runs works, each repeated so often, and gives the seconds of one repeat. `shortest` is how long a time has to be, in seconds, to be told
 * from others; at least and at most so many rounds count.
 *
 * @template Work @typedef {{shortest: number, rounds: [number, number], time: (all: {work: Work, repeats: number}[]) => Promise<number[]>}} Clock
 */

/**
 * Seconds of each work; Infinity where there is none.
 *
 * @template Work @param {Clock<Work>} clock @param {(Work | undefined)[]} works @param {() => void} check called between rounds; it may throw
 */
export async function compare(clock, works, check) {
  const best = works.map(() => Infinity);
  let alive = works.map((_, i) => i).filter((i) => works[i] !== undefined);
  if (!alive.length) return best;
  const workOf = (/** @type {number} */ i) => /** @type {Work} */ (works[i]), leader = () => Math.min(...alive.map((i) => best[i]));
  const few = Math.ceil(clock.shortest / 4 / await estimate(clock, workOf(alive[0]))), repeats = works.map(() => Math.min(MOST_REPEATS, few));
  const round = async (/** @type {boolean} */ counts) => {
    check();
    // Another one first in each round: that one may find the device asleep.
    alive.push(.../** @type {number[]} */ (alive.splice(0, 1)));
    const seconds = await clock.time(alive.map((i) => ({ work: workOf(i), repeats: repeats[i] })));
    alive.forEach((i, n) => {
      best[i] = counts ? Math.min(best[i], seconds[n]) : seconds[n];
      if (!counts) repeats[i] = Math.min(MOST_REPEATS, Math.max(1, Math.ceil(clock.shortest / Math.max(seconds[n], 1e-9))));
    });
  };
  for (let i = 0; i < WARM; ++i) await round(false);
  alive = alive.filter((i) => best[i] <= HOPELESS * leader());
  // From here on the least counts, of times that are all long enough.
  for (const i of alive) best[i] = Infinity;
  for (let i = 1; i <= clock.rounds[1]; ++i) {
    await round(true);
    if (i < clock.rounds[0]) continue;
    alive = alive.filter((i) => best[i] <= BEHIND * leader());
    if (alive.length === 1) break;
  }
  return best;
}

/** How long one takes, roughly: as few repeats as the clock can tell. @template Work @param {Clock<Work>} clock @param {Work} work */
export async function estimate(clock, work) {
  for (let repeats = 1; ; repeats *= 4) {
    const [seconds] = await clock.time([{ work, repeats }]);
    if (repeats * seconds >= clock.shortest / 8 || repeats >= MOST_REPEATS) return Math.max(seconds, 1e-9);
  }
}
