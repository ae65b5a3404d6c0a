// Arrays of the caller's that outputs go into (`outputs: { y: array }`), on both backends, in a worker and in Chromium.
//
//   WEBNNC=build/webnnc node --test tests/web/arrays.test.mjs

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { compile } from './compile.mjs';
import { makeDevice } from './dawn.mjs';
import { launch, serve } from './harness.mjs';

/** One output of each kind of conversion. */
const straight = await compile({
  inputs: { x: ['f32', ['n']] }, outputs: { minus: ['f32', ['n']], whole: ['i64', ['n']], half: ['f16', ['n']], is: ['bool', ['n']] }, constants: { zero: [0] },
  nodes: [{ op: 'Neg', inputs: ['x'], outputs: ['minus'] }, { op: 'Cast', inputs: ['x'], outputs: ['whole'], attributes: { to: 7 } },
    { op: 'Cast', inputs: ['x'], outputs: ['half'], attributes: { to: 10 } }, { op: 'Greater', inputs: ['x', 'zero'], outputs: ['is'] }],
});
/** As many as depends on data. */
const selecting = await compile({
  inputs: { x: ['f32', ['n']] }, outputs: { positive: ['f32', ['k']] }, constants: { zero: [0] },
  nodes: [{ op: 'Greater', inputs: ['x', 'zero'], outputs: ['is'] }, { op: 'Compress', inputs: ['x', 'is'], outputs: ['positive'], attributes: { axis: 0 } }],
});
/** What grows is appended; what is replaced is copied. */
const keeping = await compile({
  inputs: { x: ['f32', [1, 's']], past: ['f32', [1, 'p']], h: ['f32', [2]] }, outputs: { last: ['f32', [1, 's']], present: ['f32', [1, 't']], hn: ['f32', [2]] }, constants: { one: [1] },
  nodes: [{ op: 'Concat', inputs: ['past', 'x'], outputs: ['present'], attributes: { axis: 1 } }, { op: 'Neg', inputs: ['x'], outputs: ['last'] },
    { op: 'Add', inputs: ['h', 'one'], outputs: ['hn'] }],
});

const x = Float32Array.of(1, -2, 3, -4, 5, 6), halves = [0x3c00, 0xc000, 0x4200, 0xc400, 0x4500, 0x4600];
/** @param {string} name @param {RegExp} message */
const error = (name, message) => (/** @type {any} */ caught) => caught.name === name && message.test(caught.message);

for (const backend of ['webgpu', 'wasm']) {
  describe(backend, () => {
    const open = async (/** @type {any} */ { load }) => load({ backend, ...backend === 'webgpu' && { device: await makeDevice() } });

    test('run after run', async () => {
      const model = await open(straight), outputs = { minus: new Float32Array(6), whole: new BigInt64Array(6), half: new Uint16Array(6), is: new Uint8Array(6) };
      for (let i = 0; i < 4; ++i) {
        for (const array of Object.values(outputs)) array.fill(/** @type {never} */ (array instanceof BigInt64Array ? 9n : 9));
        const results = await model.run({ x }, { outputs });
        for (const [name, array] of Object.entries(outputs)) assert.equal(results[name].data, array);
        assert.deepEqual([[...outputs.minus], [...outputs.whole], [...outputs.half], [...outputs.is]], [[...x].map((value) => -value), [...x].map(BigInt), halves, [1, 0, 1, 0, 1, 1]]);
      }
      // Those that are not named are not given; some may come as always.
      const { minus, whole, ...none } = await model.run({ x }, { outputs: { minus: outputs.minus, whole: 'data' } });
      assert.deepEqual([minus.data === outputs.minus, whole.data !== outputs.whole, whole.data, none], [true, true, outputs.whole, {}]);
      model.dispose();
    });

    test('a part of one, and several in one piece of memory', async () => {
      const model = await open(straight), memory = new ArrayBuffer(128), long = new Float32Array(memory, 4, 10), whole = new BigInt64Array(memory, 64, 6);
      new Uint8Array(memory).fill(7);
      const before = new Float32Array(memory)[0], results = await model.run({ x: x.subarray(0, 4) }, { outputs: { minus: long, whole } });
      assert.deepEqual([[...results.minus.data], results.minus.data.buffer === memory, results.minus.data.byteOffset, results.minus.shape], [[-1, 2, -3, 4], true, 4, [4]]);
      assert.deepEqual([[...whole.subarray(0, 4)], [...results.whole.data]], [[1n, -2n, 3n, -4n], [1n, -2n, 3n, -4n]]);
      // What is around it stays.
      assert.deepEqual([new Float32Array(memory)[0], long[4], whole[4]], [before, before, 0x0707070707070707n]);
      const shared = new Float32Array(new SharedArrayBuffer(24));
      assert.equal((await model.run({ x }, { outputs: { minus: shared } })).minus.data, shared);
      assert.deepEqual([...shared], [...x].map((value) => -value));
      model.dispose();
    });

    test('where sizes depend on data', async () => {
      const model = await open(selecting), positive = new Float32Array(5).fill(9);
      for (let i = 0; i < 3; ++i) {
        const { positive: { data, shape } } = await model.run({ x }, { outputs: { positive } });
        assert.deepEqual([[...data], data.buffer === positive.buffer, shape, positive[4]], [[1, 3, 5, 6], true, [4], 9]);
      }
      await assert.rejects(model.run({ x: x.map(Math.abs) }, { outputs: { positive } }), error('InputError', /^outputs\.positive is an array of 5 elements; float32\[6\] has 6$/));
      assert.equal((await model.run({ x }, { outputs: { positive } })).positive.data.length, 4);
      model.dispose();
    });

    test('a state, which is read into them and is not in them', async () => {
      const model = await open(keeping), present = new Float32Array(18), hn = new Float32Array(2), last = new Float32Array(6), given = { x: { data: x, shape: [1, 6] } };
      for (let i = 1; i <= 3; ++i) {
        const results = await model.run(given, { outputs: { present, hn, last } });
        assert.deepEqual([[...results.present.data], [...results.hn.data], [...last]], [Array(i).fill([...x]).flat(), [i, i], [...x].map((value) => -value)]);
        assert.deepEqual([results.present.data.buffer === present.buffer, results.hn.data === hn, results.last.data === last], [true, true, true]);
        hn.fill(100);
        present.fill(100);
      }
      // A run that has no room leaves the state as it was.
      await assert.rejects(model.run(given, { outputs: { present, hn } }), error('InputError', /^outputs\.present is an array of 18 elements; float32\[1,24\] has 24$/));
      const { present: { data }, hn: { data: h } } = await model.run(given, { outputs: ['present', 'hn'] });
      assert.deepEqual([[...data], [...h]], [Array(4).fill([...x]).flat(), [4, 4]]);
      model.dispose();
    });

    test('what is refused', async () => {
      const model = await open(straight), minus = new Float32Array(6), run = (/** @type {any} */ outputs) => model.run({ x }, { outputs });
      await assert.rejects(run({ minus: new Float64Array(6) }), error('TypeError', /^run: outputs\.minus is a Float64Array; float32 goes into a Float32Array$/));
      await assert.rejects(run({ whole: new Int32Array(6) }), error('TypeError', /outputs\.whole is a Int32Array; int64 goes into a BigInt64Array$/));
      await assert.rejects(run({ minus: new DataView(new ArrayBuffer(24)) }), error('TypeError', /is a DataView; float32 goes into a Float32Array$/));
      await assert.rejects(run({ minus: [1, 2] }), error('TypeError', /outputs\.minus is a Array, and must be "data", "gpu" or a typed array$/));
      await assert.rejects(run({ nothing: minus }), error('TypeError', /names "nothing", which is none of the model's/));
      await assert.rejects(run({ minus: minus.subarray(1) }), error('InputError', /^outputs\.minus is an array of 5 elements; float32\[6\] has 6$/));
      await assert.rejects(run({ minus, is: new Uint8Array(minus.buffer, 8, 6) }), error('TypeError', /outputs\.is is in memory that another output goes into$/));
      const gone = new Float32Array(6);
      structuredClone(gone, { transfer: [gone.buffer] });
      await assert.rejects(run({ minus: gone }), error('TypeError', /outputs\.minus is an array whose memory was transferred to somebody else/));
      assert.deepEqual([...minus], [0, 0, 0, 0, 0, 0]);
      // Of two runs in flight each has its own.
      const first = run({ minus }), second = run({ minus }), other = new Float32Array(6), third = run({ minus: other });
      await assert.rejects(second, error('TypeError', /outputs\.minus is the array of a run that has not ended: give each its own$/));
      await Promise.all([first, third]);
      assert.deepEqual([...minus, ...other], [...x, ...x].map((value) => -value));
      assert.equal((await run({ minus })).minus.data, minus);
      model.dispose();
    });

    test('an aborted run fills no array any more', async () => {
      const model = await open(straight), minus = new Float32Array(6), reason = new Error('enough');
      await model.run({ x });
      for (let i = 0; i < 10; ++i) {
        const controller = new AbortController(), run = model.run({ x }, { outputs: { minus }, signal: controller.signal });
        controller.abort(reason);
        await assert.rejects(run, reason);
        minus.fill(9);
        await model.run({ x });
        assert.deepEqual([...minus], [9, 9, 9, 9, 9, 9]);
      }
      await model.run({ x }, { outputs: { minus } });
      assert.deepEqual([...minus], [...x].map((value) => -value));
      model.dispose();
    });
  });
}

/** In a worker, of Node and of Chromium, as the text of a function: what went wrong. */
const REMOTE = async (/** @type {string} */ url, /** @type {string} */ backend) => {
  const { load } = await import(url), model = await load({ backend, worker: true }), x = Float32Array.of(1, -2, 3), wrong = /** @type {string[]} */ ([]);
  const expect = (/** @type {string} */ what, /** @type {unknown} */ got, /** @type {unknown} */ wanted) => JSON.stringify(got) !== JSON.stringify(wanted) && wrong.push(`${what}: ${JSON.stringify(got)}`);
  let minus = new Float32Array(3), is = new Uint8Array(8);
  for (let i = 0; i < 3; ++i) {
    const given = minus, results = await model.run({ x }, { outputs: { minus, is } });
    minus = results.minus.data;
    expect('values', [[...minus], [...results.is.data]], [[-1, 2, -3], [1, 0, 1]]);
    expect('given', [given.length, results.is.data.buffer.byteLength, is.length], [0, 8, 0]);
    is = new Uint8Array(results.is.data.buffer);
    const problem = await model.run({ x }, { outputs: { minus: given } }).catch((/** @type {any} */ error) => `${error.name}: ${error.message}`);
    expect('moved', /^TypeError: run: outputs.minus is an array whose memory was transferred to somebody else: take the data of the last result$/.test(problem), true);
  }
  if (globalThis.SharedArrayBuffer) {
    const shared = new Float32Array(new SharedArrayBuffer(12)), results = await model.run({ x }, { outputs: { minus: shared } });
    expect('shared', [results.minus.data === shared, [...shared]], [true, [-1, 2, -3]]);
  }
  const problem = await model.run({ x }, { outputs: { minus: new Float64Array(3) } }).catch((/** @type {any} */ error) => error.name);
  expect('type', problem, 'TypeError');
  const short = await model.run({ x }, { outputs: { minus: new Float32Array(2) } }).catch((/** @type {any} */ error) => `${error.name}: ${error.message}`);
  expect('length', short, 'InputError: outputs.minus is an array of 2 elements; float32[3] has 3');
  model.dispose();
  return wrong;
};

test('in a worker their memory goes there and comes back', async () => assert.deepEqual(await REMOTE(pathToFileURL(join(straight.out, 'model.js')).href, 'wasm'), []));

test('in Chromium', { timeout: 120_000 }, async () => {
  const server = await serve({ '/out': straight.out, '/': new URL('pages', import.meta.url).pathname }, { isolate: true });
  const browser = await launch('chromium');
  try {
    const page = await browser.open(`${server.url}/blank.html`);
    const filled = await page.evaluate(async () => {
      const { load } = await import(/** @type {any} */ ('/out/model.js')), minus = new Float32Array(3), rows = [];
      for (const backend of ['webgpu', 'wasm']) {
        const model = await load({ backend });
        for (let i = 1; i <= 3; ++i) {
          // WebGPU does not take memory that may grow.
          const x = new Float32Array(new ArrayBuffer(12, { maxByteLength: 24 }));
          x.set([1, i, 3]);
          const results = await model.run({ x: { data: x, shape: [3] } }, { outputs: { minus } });
          rows.push([results.minus.data === minus, ...minus]);
        }
        model.dispose();
      }
      return rows;
    });
    assert.deepEqual(filled, [1, 2, 3, 1, 2, 3].map((i) => [true, -1, -i, -3]));
    for (const backend of ['webgpu', 'wasm']) assert.deepEqual(await page.evaluate(REMOTE, '/out/model.js', backend), []);
  } finally {
    await browser.close();
    await server.close();
  }
});
