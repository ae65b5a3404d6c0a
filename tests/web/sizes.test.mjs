// Sizes that depend on data and are known to be at most something stay on the GPU: nothing waits for them but callers.
//
//   WEBNNC=build/webnnc node --test tests/web/sizes.test.mjs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { onnxModel } from '../onnx_model.mjs';
import { watched } from './watched.mjs';

const webnnc = process.env.WEBNNC ?? 'build/webnnc', folder = mkdtempSync(join(tmpdir(), 'webnnc-sizes-'));
after(() => rmSync(folder, { recursive: true }));

/** @param {Parameters<typeof onnxModel>[0]} model @param {string[]} flags @returns {Promise<{load: any, said: string}>} */
async function compile(model, ...flags) {
  const out = mkdtempSync(join(folder, 'out-')), file = join(folder, 'model.onnx');
  writeFileSync(file, onnxModel(model));
  const { status, stdout, stderr } = spawnSync(webnnc, [file, '-o', out, '--no-report', '--explain', ...flags], { encoding: 'utf8', timeout: 120000 });
  assert.equal(status, 0, stderr);
  return { load: (await import(pathToFileURL(join(out, 'model.js')).href)).load, said: stdout + stderr };
}

/** @param {any} load */
async function open(load) {
  const { device, seen } = await watched();
  const model = await load({ backend: 'webgpu', device });
  return { model, seen };
}

/** Rows whose first element is positive, twice; and of these again those whose sum is. @type {Parameters<typeof onnxModel>[0]} */
const KEEPING = {
  inputs: { x: ['f32', ['n', 4]] }, outputs: { y: ['f32', ['k', 4]], where: ['i64', [1, 'k']], best: ['f32', ['j', 4]], count: ['i64', [1]] },
  constants: { zero: [0], two: [2], axis: [1n], column: [0n], flat: [-1n] },
  nodes: [
    { op: 'Gather', inputs: ['x', 'column'], outputs: ['c'], attributes: { axis: 1 } }, { op: 'Reshape', inputs: ['c', 'flat'], outputs: ['first'] },
    { op: 'Greater', inputs: ['first', 'zero'], outputs: ['m'] }, { op: 'NonZero', inputs: ['m'], outputs: ['where'] },
    { op: 'Reshape', inputs: ['where', 'flat'], outputs: ['rows'] }, { op: 'Gather', inputs: ['x', 'rows'], outputs: ['g'] }, { op: 'Mul', inputs: ['g', 'two'], outputs: ['y'] },
    { op: 'ReduceSum', inputs: ['y', 'axis'], outputs: ['s'], attributes: { keepdims: 0 } },
    { op: 'Greater', inputs: ['s', 'zero'], outputs: ['m2'] }, { op: 'Compress', inputs: ['y', 'm2'], outputs: ['best'], attributes: { axis: 0 } },
    { op: 'Cast', inputs: ['m2'], outputs: ['ones'], attributes: { to: 7 } }, { op: 'ReduceSum', inputs: ['ones', 'column'], outputs: ['count'], attributes: { keepdims: 1 } },
  ],
};

/** @param {number[]} x */
function kept(x) {
  const rows = Array.from({ length: x.length / 4 }, (_, i) => x.slice(4 * i, 4 * i + 4));
  const where = rows.flatMap((row, i) => row[0] > 0 ? [i] : []), y = where.map((i) => rows[i].map((value) => 2 * value));
  const best = y.filter((row) => row.reduce((sum, value) => sum + value, 0) > 0);
  return { y: y.flat(), where, best: best.flat(), count: [best.length] };
}

/** Small integers, so that sums are exact. @param {number} count @param {number} from */
const numbers = (count, from) => Array.from({ length: count }, (_, i) => (i * 7 + from) % 23 - 11);

describe('what is kept of rows', () => {
  const compiled = compile(KEEPING);
  /** @param {any} results @param {number[]} x */
  const check = (results, x) => {
    const wanted = kept(x), k = wanted.where.length;
    for (const [name, values] of Object.entries(wanted)) assert.deepEqual([...results[name].data].map(Number), values, name);
    assert.deepEqual([results.y.shape, results.where.shape, results.best.shape[1]], [[k, 4], [1, k], 4]);
  };

  test('any number of them, also none, run after run', async () => {
    const { model } = await open((await compiled).load);
    for (const n of [10, 1, 300, 0, 7, 300]) {
      for (const x of [numbers(4 * n, n), new Array(4 * n).fill(3), new Array(4 * n).fill(-1)]) check(await model.run({ x: { data: Float32Array.from(x), shape: [n, 4] } }), x);
    }
    model.dispose();
  });

  test('no pass begins when something was read', async () => {
    const { model, seen } = await open((await compiled).load), x = numbers(400, 3);
    for (let run = 0; run < 4; ++run) {
      seen.maps = seen.late = 0;
      check(await model.run({ x: { data: Float32Array.from(x), shape: [100, 4] } }), x);
      // The sizes, and with them what there may be of the outputs.
      assert.deepEqual([seen.maps, seen.late, seen.indirect], [2, 0, 0]);
    }
    model.dispose();
  });

  test('of what may be large only what there is is read', async () => {
    const { model } = await open((await compiled).load), x = numbers(4 * 30000, 1);
    check(await model.run({ x: { data: Float32Array.from(x), shape: [30000, 4] } }), x);
    const few = new Array(4 * 30000).fill(-1).fill(5, 400, 404);
    check(await model.run({ x: { data: Float32Array.from(few), shape: [30000, 4] } }), few);
    model.dispose();
  });

  test('outputs that stay on the GPU have their sizes', async () => {
    const { model } = await open((await compiled).load), x = numbers(400, 9);
    const { best, y } = await model.run({ x: { data: Float32Array.from(x), shape: [100, 4] } }, { outputs: { best: 'gpu', y: 'data' } });
    const wanted = kept(x);
    assert.deepEqual(best.shape, [wanted.best.length / 4, 4]);
    assert.deepEqual([...(await best.read()).data], wanted.best);
    assert.deepEqual([...y.data], wanted.y);
    model.dispose();
  });

  test('positions of what was found are within it, which nothing checks in a run', () => {
    const file = join(folder, 'kept.onnx');
    writeFileSync(file, onnxModel(KEEPING));
    const { status, stdout } = spawnSync(webnnc, [file, '--emit', 'import'], { encoding: 'utf8' });
    assert.equal(status, 0);
    assert.match(stdout, /gather/);
    assert.doesNotMatch(stdout, /webnnc\.indices/);
  });

  test('--explain says that callers alone wait', async () => {
    const waits = (await compiled).said.split('\n').filter((line) => line.includes('waits for'));
    assert.equal(waits.length, 1, waits.join('\n'));
    assert.match(waits[0], /at the end of the run: it is the size of an output/);
  });
});

test('in a loop, where each iteration has a size of its own', async () => {
  // Drops what is not larger than the iteration's number, and remembers how many are left.
  const { load, said } = await compile({
    inputs: { x: ['f32', ['n']], trips: ['i64', []] }, outputs: { sums: ['f32', ['m']] },
    nodes: [{
      op: 'Loop', inputs: ['trips', '', 'x'], outputs: ['rest', 'sums'],
      attributes: { body: { graph: {
        inputs: { i: ['i64', []], c: ['bool', []], v: ['f32', ['n']] }, outputs: { c2: ['bool', []], v2: ['f32', ['n']], sum: ['f32', []] },
        nodes: [
          { op: 'Identity', inputs: ['c'], outputs: ['c2'] }, { op: 'Identity', inputs: ['v'], outputs: ['v2'] },
          { op: 'Cast', inputs: ['i'], outputs: ['level'], attributes: { to: 1 } }, { op: 'Greater', inputs: ['v', 'level'], outputs: ['m'] },
          { op: 'Compress', inputs: ['v', 'm'], outputs: ['kept'], attributes: { axis: 0 } },
          { op: 'ReduceSum', inputs: ['kept'], outputs: ['sum'], attributes: { keepdims: 0 } },
        ],
      } } },
    }],
  });
  assert.doesNotMatch(said, /waits for/);
  const { model, seen } = await open(load);
  for (const n of [40, 3, 40]) {
    const x = numbers(n, 5);
    seen.maps = seen.late = 0;
    const { sums } = await model.run({ x: Float32Array.from(x), trips: BigInt64Array.of(12n) });
    assert.deepEqual([...sums.data], Array.from({ length: 12 }, (_, i) => x.filter((value) => value > i).reduce((sum, value) => sum + value, 0)));
    assert.deepEqual([seen.maps, seen.late, seen.indirect], [1, 0, 0]);
  }
  model.dispose();
});

test('what must hold of sizes is checked of what they are', async () => {
  // Sums of pairs, of which there must be as many on either side.
  const { load } = await compile({
    inputs: { x: ['f32', ['n']], y: ['f32', ['m']] }, outputs: { z: ['f32', ['k']] }, constants: { zero: [0] },
    nodes: [
      { op: 'Greater', inputs: ['x', 'zero'], outputs: ['is'] }, { op: 'Compress', inputs: ['x', 'is'], outputs: ['c'] },
      { op: 'Concat', inputs: ['c', 'c'], outputs: ['cc'], attributes: { axis: 0 } }, { op: 'Concat', inputs: ['y', 'y'], outputs: ['yy'], attributes: { axis: 0 } },
      { op: 'Add', inputs: ['cc', 'yy'], outputs: ['z'] },
    ],
  });
  const { model } = await open(load), x = Float32Array.of(1, -1, 2, -3);
  for (let run = 0; run < 2; ++run) {
    assert.deepEqual([...(await model.run({ x, y: Float32Array.of(10, 20) })).z.data], [11, 22, 11, 22]);
    for (const many of [3, 4]) await assert.rejects(model.run({ x, y: new Float32Array(many) }), { name: 'InputError' });
  }
  model.dispose();
});

test('a promise of data is no bound', async () => {
  // As many of the largest as a result says, which may be more than there are.
  const { load } = await compile({
    inputs: { x: ['f32', [70, 70]] }, outputs: { best: ['f32', ['k']] }, constants: { flat: [-1n] },
    nodes: [
      { op: 'Reshape', inputs: ['x', 'flat'], outputs: ['all'] }, { op: 'ReduceMax', inputs: ['all'], outputs: ['most'], attributes: { keepdims: 1 } },
      { op: 'Cast', inputs: ['most'], outputs: ['k'], attributes: { to: 7 } }, { op: 'TopK', inputs: ['all', 'k'], outputs: ['best', 'where'] },
    ],
  });
  const { model } = await open(load), x = { data: new Float32Array(4900).fill(3, 5, 6), shape: [70, 70] };
  assert.deepEqual([...(await model.run({ x })).best.data], [3, 0, 0]);
  for (const count of [4901, 1e6]) await assert.rejects(model.run({ x: { data: new Float32Array(4900).fill(count, 5, 6), shape: [70, 70] } }), { name: 'InputError' });
  assert.deepEqual([...(await model.run({ x })).best.data], [3, 0, 0]);
  model.dispose();
});

test('where there may be very many, as many are launched as there are', async () => {
  const { load } = await compile({
    inputs: { x: ['f32', ['n']] }, outputs: { y: ['f32', ['k']] }, constants: { first: [0n], three: [3] },
    // Of the length that an input of the graph's own computes, at most what there is.
    nodes: [
      { op: 'ReduceMax', inputs: ['x'], outputs: ['most'], attributes: { keepdims: 1 } }, { op: 'Cast', inputs: ['most'], outputs: ['end'], attributes: { to: 7 } },
      { op: 'Slice', inputs: ['x', 'first', 'end'], outputs: ['part'] }, { op: 'Mul', inputs: ['part', 'three'], outputs: ['y'] },
    ],
  });
  const { model, seen } = await open(load), n = 1100000;
  for (const end of [5, 0, 1000000]) {
    const x = new Float32Array(n).map((_, i) => -(i % 7)).fill(end, 2, 3);
    seen.maps = seen.late = seen.indirect = 0;
    const { y } = await model.run({ x });
    assert.deepEqual([y.data.length, y.data.reduce((/** @type {number} */ sum, /** @type {number} */ value) => sum + value, 0)], [end, 3 * x.subarray(0, end).reduce((sum, value) => sum + value, 0)]);
    assert.equal(seen.late, 0);
    assert.ok(seen.indirect > 0);
  }
  model.dispose();
});
