// The search finds with 200 measurements nearly the best that all candidates have, of kernels that its constants were not chosen by.
// h200.json has the times of all candidates on an H200, as tests/tune/sweep.mjs measured them: a measurement is looked up there.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';

import { fit } from '../../runtime-js/tune/learn.js';
import { Search } from '../../runtime-js/tune/search.js';

const MEASUREMENTS = 200;
/** Networks that constants of the search were chosen by. */
const SEEN = ['bert_base', 'convnext_pico'];

/** @typedef {{network: string, title: string, launches: number, traits: number[][], ns: (number | null)[]}} Swept */
/** @type {{device: string, kernels: Swept[]}} */
const { kernels: swept } = JSON.parse(gunzipSync(readFileSync(new URL('h200.json.gz', import.meta.url))).toString());
const timesOf = (/** @type {Swept} */ { ns }) => ns.map((time) => time ?? Infinity);
const leastOf = (/** @type {Swept} */ kernel) => Math.min(...timesOf(kernel));

/** The search over kernels, as if they were one network's. @param {Swept[]} kernels @param {number} budget */
function searchIn(kernels, budget) {
  const search = new Search(/** @type {any} */ (kernels.map(({ launches, traits }) => ({ launches, candidates: traits.map((each) => ({ traits: each })) }))), budget);
  for (let batch; batch = search.next(); ) for (const c of batch.candidates) search.add(batch.kernel, c, timesOf(kernels[batch.kernel])[c]);
  return { measured: search.measured, found: kernels.map((kernel, k) => timesOf(kernel)[search.bestOf(k) ?? 0]) };
}

test('on an H200, with 200 measurements at least 95 % of the best of all candidates', () => {
  const kernels = swept.filter(({ network }) => !SEEN.includes(network)), { measured, found } = searchIn(kernels, MEASUREMENTS);
  const all = kernels.reduce((sum, { ns }) => sum + ns.length, 0), parts = kernels.map((kernel, k) => leastOf(kernel) / found[k]);
  const sum = (/** @type {(kernel: Swept, k: number) => number} */ of) => kernels.reduce((total, kernel, k) => total + kernel.launches * of(kernel, k), 0);
  const best = sum(leastOf) / sum((_, k) => found[k]), own = sum(leastOf) / sum(({ ns }) => Number(ns[0])), mean = parts.reduce((a, b) => a + b) / parts.length;
  console.log(`${kernels.length} kernels, ${measured} of ${all} candidates: ${(100 * best).toFixed(1)} % of the best by time, ${(100 * mean).toFixed(1)} % as the mean of kernels, ` +
    `${(100 * Math.min(...parts)).toFixed(1)} % at least; the compiler's choice: ${(100 * own).toFixed(1)} %`);
  assert.ok(measured <= MEASUREMENTS && all > 4 * MEASUREMENTS);
  assert.ok(best >= 0.95 && mean >= 0.95, `${best} ${mean}`);
});

test('measures nothing twice, and all if there is time', () => {
  const kernels = swept.slice(0, 2), { measured, found } = searchIn(kernels, 1000);
  assert.equal(measured, kernels[0].ns.length + kernels[1].ns.length);
  assert.deepEqual(found, kernels.map(leastOf));
});

describe('the cost model', () => {
  test('without data it is the guess', () => {
    assert.equal(fit([], [])([0.5, 3, 4]), 0.5);
  });

  test('learns that the guess is too steep', () => {
    const rows = Array.from({ length: 40 }, (_, i) => [i / 10, 1]), predict = fit(rows, rows.map(([guess]) => guess / 4));
    assert.ok(Math.abs(predict([2, 1]) - 0.5) < 0.15);
  });

  test('learns what the guess knows nothing of', () => {
    const rows = Array.from({ length: 60 }, (_, i) => [0, i % 3, i % 7]), predict = fit(rows, rows.map(([, a]) => a === 2 ? 1 : 0));
    assert.ok(predict([0, 2, 3]) > 0.9 && predict([0, 0, 3]) < 0.1);
  });
});
