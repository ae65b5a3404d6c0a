// One engine on one model, in a page of its own. Sets window.result, or window.failure.
//
//   page.html?engine=webnnc|ort|litert|tfjs&backend=wasm|webgpu&threads=1&inputs=JSON&runs=20[&parts=1]
//
// The first result counts from when the page is ready, has loaded nothing of the engine, and its browser is at rest. With `parts` it is measured what
// that of webnnc is made of.

import { ENGINES } from './engines.mjs';
import { watch } from './first_result.mjs';

const query = Object.fromEntries(new URLSearchParams(location.search));
/** @type {{name: string, dataType: string, shape: number[]}[]} */
const inputs = JSON.parse(query.inputs);
const WARM_UP = 3;
/** A browser that has just started is busy with itself, on other cores too, for so long, in ms. */
const SETTLING = 2000;
/** Pages see time in steps of 0.1 ms, so that short runs are timed several at once, in ms. */
const MEASURED = 5;

/** The same made-up values in every engine, in [-1, 1). @param {number} count @param {number} seed */
function madeUp(count, seed) {
  const data = new Float32Array(count);
  for (let i = 0, state = seed; i < count; ++i) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = (state >>> 8) / 8388608 - 1;
  }
  return data;
}

/** @param {number[]} shape */
const product = (shape) => shape.reduce((a, b) => a * b, 1);

/** Integers are small, since they may be indices. @param {string} dataType @param {Float32Array} values */
function asType(dataType, values) {
  const small = (/** @type {number} */ value) => Math.floor(Math.abs(value) * 4);
  switch (dataType) {
    case 'float32': return values;
    case 'int64': return BigInt64Array.from(values, (value) => BigInt(small(value)));
    case 'int32': return Int32Array.from(values, small);
    case 'uint8': return Uint8Array.from(values, small);
    case 'bool': return Uint8Array.from(values, (value) => Number(value > 0));
    default: throw new Error(`inputs of ${dataType} are not made up here`);
  }
}

const settled = () => new Promise((done) => setTimeout(done, SETTLING));

async function measure() {
  const setting = {
    backend: query.backend, threads: Number(query.threads),
    inputs: inputs.map((input, i) => ({ ...input, data: asType(input.dataType, madeUp(product(input.shape), i + 1)) })),
  };
  await settled();
  const parts = query.parts ? watch() : undefined, start = performance.now();
  const run = await ENGINES[query.engine](setting), loaded = performance.now();
  const output = Array.from(await run(), Number), end = performance.now();
  const timed = async (/** @type {number} */ count) => {
    const before = performance.now();
    for (let i = 0; i < count; ++i) await run();
    return performance.now() - before;
  };
  const second = await timed(1), told = await parts?.({ start, loaded, end, second });
  await settled();
  for (let i = 1; i < WARM_UP; ++i) await run();
  let together = 1;
  while (await timed(together) < MEASURED) together *= 2;
  /** @type {number[]} */
  const times = [];
  for (let i = 0; i < Number(query.runs); ++i) times.push(await timed(together) / together);
  return { first: end - start, times, output, parts: told };
}

measure().then(
  (result) => { window.result = result; },
  (error) => { window.failure = String(error?.stack ?? error); },
);
