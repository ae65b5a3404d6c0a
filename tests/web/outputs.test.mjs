// Outputs that a run is not asked for are computed and stay where they are: they are not copied, mapped or posted.
//
//   WEBNNC=build/webnnc node --test tests/web/outputs.test.mjs

/** @import { onnxModel } from '../onnx_model.mjs' */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { compile } from './compile.mjs';
import { watched } from './watched.mjs';

const N = 1000, x = Float32Array.from({ length: N }, (_, i) => i - 3);
const negative = x.map((value) => -value), tripled = Float32Array.from([...x, ...x, ...x]);
const sum = x.reduce((all, value) => all + value, 0);

/** 4 bytes, 12,000 and 4,000; integers are converted on the way. @type {Parameters<typeof onnxModel>[0]} */
const STRAIGHT = {
  inputs: { x: ['f32', [N]] }, outputs: { sum: ['f32', [1]], tripled: ['f32', [3 * N]], rounded: ['i64', [N]] },
  nodes: [{ op: 'ReduceSum', inputs: ['x'], outputs: ['sum'], attributes: { keepdims: 1 } },
    { op: 'Concat', inputs: ['x', 'x', 'x'], outputs: ['tripled'], attributes: { axis: 0 } }, { op: 'Cast', inputs: ['x'], outputs: ['rounded'], attributes: { to: 7 } }],
};
/** As many as depends on data; more than what is read before its size is known. @type {Parameters<typeof onnxModel>[0]} */
const SELECTING = {
  inputs: { x: ['f32', ['n']] }, outputs: { positive: ['f32', ['k']], minus: ['f32', ['n']], tripled: ['f32', ['m']] }, constants: { zero: [0] },
  nodes: [{ op: 'Greater', inputs: ['x', 'zero'], outputs: ['is'] }, { op: 'Compress', inputs: ['x', 'is'], outputs: ['positive'], attributes: { axis: 0 } },
    { op: 'Neg', inputs: ['x'], outputs: ['minus'] }, { op: 'Concat', inputs: ['x', 'x', 'x'], outputs: ['tripled'], attributes: { axis: 0 } }],
};
/** What grows is appended; what is replaced is copied. @type {Parameters<typeof onnxModel>[0]} */
const KEEPING = {
  inputs: { x: ['f32', [1, 's']], past: ['f32', [1, 'p']], h: ['f32', [8]] }, outputs: { last: ['f32', [1, 's']], present: ['f32', [1, 't']], hn: ['f32', [8]] }, constants: { one: [1] },
  nodes: [{ op: 'Concat', inputs: ['past', 'x'], outputs: ['present'], attributes: { axis: 1 } }, { op: 'Neg', inputs: ['x'], outputs: ['last'] },
    { op: 'Add', inputs: ['h', 'one'], outputs: ['hn'] }],
};
const straight = await compile(STRAIGHT), selecting = await compile(SELECTING), keeping = await compile(KEEPING);

/** What `work` brings back. @param {any} seen @param {() => Promise<any>} work */
async function bytesOf(seen, work) {
  const { copied, mapped, read } = seen, results = await work();
  return { results, copied: seen.copied - copied, mapped: seen.mapped - mapped, read: seen.read - read };
}

describe('webgpu', () => {
  test('one of several, run after run, and others in between', async () => {
    const { device, seen } = await watched(), model = await straight.load({ backend: 'webgpu', device });
    await model.run({ x });
    for (let i = 0; i < 4; ++i) {
      // From the second run on commands are encoded in advance, for the outputs of the run before.
      for (const [names, bytes] of /** @type {[string[], number][]} */ ([[['sum'], 4], [['sum'], 4], [['rounded', 'sum'], 4 + 4 * N], [['tripled'], 12 * N], [[], 0]])) {
        const { results, ...counted } = await bytesOf(seen, () => model.run({ x }, { outputs: names }));
        assert.deepEqual(Object.keys(results).sort(), [...names].sort());
        // A copy that was encoded in advance for other outputs is dropped.
        assert.deepEqual({ mapped: counted.mapped, read: counted.read }, { mapped: bytes, read: bytes }, names.join());
        if (results.sum) assert.equal(results.sum.data[0], sum);
        if (results.rounded) assert.deepEqual(results.rounded.data, BigInt64Array.from(x, BigInt));
        if (results.tripled) assert.deepEqual(results.tripled.data, tripled);
      }
      const all = await model.run({ x });
      assert.deepEqual([all.sum.data[0], all.tripled.data, all.rounded.data], [sum, tripled, BigInt64Array.from(x, BigInt)]);
    }
    await model.run({ x }, { outputs: ['sum'] });
    const { copied } = await bytesOf(seen, () => model.run({ x }, { outputs: ['sum'] }));
    assert.equal(copied, 4);
    model.dispose();
  });

  test('what is left on the GPU beside what is read', async () => {
    const { device, seen } = await watched(), model = await straight.load({ backend: 'webgpu', device });
    for (let i = 0; i < 3; ++i) {
      const { results: { tripled: kept, rounded }, copied, mapped } = await bytesOf(seen, () => model.run({ x }, { outputs: { tripled: 'gpu', rounded: 'data' } }));
      assert.deepEqual([copied >= 16 * N, mapped], [true, 4 * N]);
      assert.deepEqual([(await kept.read()).data, rounded.data], [tripled, BigInt64Array.from(x, BigInt)]);
      kept.buffer.destroy();
    }
    model.dispose();
  });

  test('where sizes depend on data', async () => {
    const { device, seen } = await watched(), model = await selecting.load({ backend: 'webgpu', device }), positive = x.filter((value) => value > 0);
    await model.run({ x });
    for (let i = 0; i < 3; ++i) {
      const whole = await bytesOf(seen, () => model.run({ x }));
      assert.deepEqual([whole.results.positive.data, whole.results.minus.data, whole.results.tripled.data], [positive, negative, tripled]);
      const { results, mapped, copied } = await bytesOf(seen, () => model.run({ x }, { outputs: ['positive'] }));
      assert.deepEqual([Object.keys(results), results.positive.data], [['positive'], positive]);
      // `minus` and `tripled` are what is missing.
      assert.deepEqual([whole.mapped - mapped, whole.copied - copied], [16 * N, 16 * N]);
    }
    model.dispose();
  });

  test('a state goes on where it is, and is read when it is asked for', async () => {
    const { device, seen } = await watched(), model = await keeping.load({ backend: 'webgpu', device }), given = { x: { data: x, shape: [1, N] } };
    for (let i = 0; i < 3; ++i) {
      const { results, mapped } = await bytesOf(seen, () => model.run(given, { outputs: ['last'] }));
      assert.deepEqual([Object.keys(results), results.last.data, mapped], [['last'], negative, 4 * N]);
    }
    const { results: { present, hn, last }, mapped } = await bytesOf(seen, () => model.run(given, { outputs: ['present', 'hn'] }));
    assert.deepEqual([present.data, [...hn.data], last, mapped], [Float32Array.from([...x, ...x, ...x, ...x]), new Array(8).fill(4), undefined, 16 * N + 32]);
    // Who gives all of a state and asks for one output is given that one.
    const past = { data: x, shape: [1, N] }, h = new Float32Array(8);
    const begun = await bytesOf(seen, () => model.run({ ...given, past, h }, { outputs: ['last'] }));
    assert.deepEqual([Object.keys(begun.results), begun.mapped], [['last'], 4 * N]);
    model.dispose();
  });
});

test('a state of many tensors that is given, read and saved waits as often as one of few', async () => {
  const waitsOf = async (/** @type {number} */ count) => {
    const all = Array.from({ length: count }, (_, i) => i), inputs = /** @type {any} */ ({}), outputs = /** @type {any} */ ({}), given = /** @type {any} */ ({});
    for (const i of all) {
      inputs[`past_${i}`] = ['f32', [1, 'p', 4]];
      outputs[`present_${i}`] = ['f32', [1, 't', 4]];
      given[`past_${i}`] = { data: x.slice(0, 8).map((value) => value + i), shape: [1, 2, 4] };
    }
    const { load } = await compile({ inputs: { x: ['f32', [1, 's', 4]], ...inputs }, outputs, nodes: all.map((i) => ({ op: 'Concat', inputs: [`past_${i}`, 'x'], outputs: [`present_${i}`], attributes: { axis: 1 } })) });
    const { device, seen } = await watched(), model = await load({ backend: 'webgpu', device }), added = { x: { data: x.slice(0, 4), shape: [1, 1, 4] } };
    const waits = [];
    for (let run = 0; run < 3; ++run) {
      seen.waits = 0;
      const given0 = await model.run({ ...added, ...given });
      waits.push(seen.waits);
      await model.run(added);
      seen.waits = 0;
      const saved = await model.state.save();
      waits.push(seen.waits);
      for (const i of all) {
        const before = x.slice(0, 8).map((value) => value + i), once = [...before, ...x.slice(0, 4)];
        assert.deepEqual([[...given0[`present_${i}`].data], [...saved[`past_${i}`].data]], [once, [...once, ...x.slice(0, 4)]]);
      }
      assert.deepEqual(Object.keys(saved), all.map((i) => `past_${i}`));
    }
    model.dispose();
    return waits;
  };
  assert.deepEqual(await waitsOf(12), await waitsOf(2));
});

for (const worker of [false, true]) {
  test(`wasm${worker ? ' in a worker' : ''}`, async () => {
    const open = (/** @type {any} */ { load }) => load({ backend: 'wasm', worker }), model = await open(straight), some = await open(selecting), states = await open(keeping);
    for (let i = 0; i < 2; ++i) {
      assert.deepEqual(await model.run({ x }, { outputs: ['rounded'] }), { rounded: { data: BigInt64Array.from(x, BigInt), shape: [N], dataType: 'int64' } });
      assert.deepEqual(await some.run({ x }, { outputs: ['minus'] }), { minus: { data: negative, shape: [N], dataType: 'float32' } });
      assert.deepEqual(Object.keys(await states.run({ x: { data: x, shape: [1, N] } }, { outputs: ['last'] })), ['last']);
    }
    const { present, hn, ...others } = await states.run({ x: { data: x, shape: [1, N] } }, { outputs: ['present', 'hn'] });
    assert.deepEqual([present.shape, [...hn.data], others], [[1, 3 * N], new Array(8).fill(3), {}]);
    for (const each of [model, some, states]) {
      await assert.rejects(each.run({}, { outputs: ['last', 'nothing'] }), (/** @type {any} */ error) => error.name === 'TypeError' && /is none of the model's: there are "/.test(error.message)
        && each.outputs.every((/** @type {any} */ { name }) => error.message.includes(`"${name}"`)));
      each.dispose();
    }
  });
}

test('a worker posts what it is asked for', async () => {
  const worker = new Worker(join(straight.out, 'model.worker.js'));
  try {
    const model = await straight.load({ backend: 'wasm', worker: true, files: { worker } });
    let posted = 0;
    worker.on('message', ({ value }) => {
      for (const { data } of Object.values(value?.result ?? {})) posted += data.buffer.byteLength;
    });
    await model.run({ x }, { outputs: ['sum', 'rounded'] });
    assert.equal(posted, 4 + 8 * N);
    await model.run({ x });
    assert.equal(posted, 2 * (4 + 8 * N) + 12 * N);
    model.dispose();
  } finally {
    await worker.terminate();
  }
});
