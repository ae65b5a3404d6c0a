// Indices that a table has no rows for are refused: by sizes, at the input, or where they are computed.
// What may be asked of a table of n rows is ONNX's rule: from -n to n - 1.
//
//   WEBNNC=build/webnnc node --test tests/cli/indices.test.mjs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';
import { writeNpy } from '../onnx/npy.mjs';
import { makeDevice } from '../web/dawn.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..'), webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const folder = mkdtempSync(join(tmpdir(), 'webnnc-indices-'));
after(() => rmSync(folder, { recursive: true }));
const device = await makeDevice();
after(() => device.destroy());

/** @param {string} name @param {Parameters<typeof onnxModel>[0]} model */
function compile(name, model) {
  writeFileSync(join(folder, `${name}.onnx`), onnxModel(model));
  return spawnSync(webnnc, [join(folder, `${name}.onnx`), '-o', join(folder, name), '--no-report'], { encoding: 'utf8' });
}

/** @param {string} name @param {Parameters<typeof onnxModel>[0]} model */
async function open(name, model) {
  const { status, stderr } = compile(name, model);
  assert.equal(status, 0, stderr);
  const { load } = await import(pathToFileURL(join(folder, name, 'model.js')).href);
  return { load, warnings: stderr };
}

const TABLE = { table: [10, 20, 30, 40] };
const gather = { inputs: { ids: ['i64', ['n']] }, outputs: { y: ['f32', ['n']] }, constants: TABLE };
const big = (/** @type {number[]} */ ...values) => BigInt64Array.from(values, BigInt);

describe('an input', async () => {
  const direct = await open('direct', { ...gather, nodes: [{ op: 'Gather', name: 'embed', inputs: ['table', 'ids'], outputs: ['y'] }] });
  const shifted = await open('shifted', {
    ...gather, constants: { ...TABLE, two: [2n] },
    nodes: [
      { op: 'Add', inputs: ['ids', 'two'], outputs: ['moved'] }, { op: 'Unsqueeze', inputs: ['moved', 'axis'], outputs: ['column'] },
      { op: 'Gather', name: 'embed', inputs: ['table', 'column'], outputs: ['y'] },
    ].map((node) => node),
    ...{ outputs: { y: ['f32', ['n', 1]] }, constants: { ...TABLE, two: [2n], axis: [1n] } },
  });
  for (const backend of /** @type {const} */ (['wasm', 'webgpu'])) {
    const options = { backend, device: backend === 'webgpu' ? device : undefined };

    test(`is refused by its range on ${backend}`, async () => {
      const model = await direct.load(options);
      assert.deepEqual([model.inputs[0].range.low, model.inputs[0].range.high], [-4, 3]);
      assert.deepEqual([...(await model.run({ ids: big(0, 3, -1, -4) })).y.data], [10, 40, 40, 10]);
      for (const [ids, message] of /** @type {[any, RegExp][]} */ ([
        [big(1, 4), /input "ids" has 4 as element 1; the model takes -4 to 3 \(node "embed"\)/], [big(-5), /has -5 as element 0/],
        [big(0, 2 ** 32), /has 4294967296 as element 1/], [big(-(2 ** 32)), /has -4294967296 as element 0/], [[0, 0, 99], /has 99 as element 2/],
      ])) await assert.rejects(model.run({ ids }), { name: 'InputError', message });
      assert.deepEqual([...(await model.run({ ids: big(2) })).y.data], [30]);
      // Whoever does not want it gets the nearest row.
      const careless = await direct.load({ ...options, validate: false });
      assert.deepEqual([...(await careless.run({ ids: big(9, -9) })).y.data], [40, 10]);
    });

    test(`is refused also if it is moved and shifted on ${backend}`, async () => {
      const model = await shifted.load(options);
      assert.deepEqual([...(await model.run({ ids: big(-2, 1, -6) })).y.data], [10, 40, 10]);
      await assert.rejects(model.run({ ids: big(0, 2) }), /has 2 as element 1; the model takes -6 to 1/);
      await assert.rejects(model.run({ ids: big(-7) }), /has -7 as element 0/);
    });
  }

  test('on the GPU is read back for it', async () => {
    const model = await direct.load({ backend: 'webgpu', device });
    const buffer = device.createBuffer({ size: 16, usage: 4 | 8 });
    for (const [ids, fine] of /** @type {[number[], boolean][]} */ ([[[0, 3, -4, 1], true], [[0, 3, 7, 1], false]])) {
      device.queue.writeBuffer(buffer, 0, Int32Array.from(ids));
      const running = model.run({ ids: { data: buffer, shape: [4] } });
      if (fine) assert.deepEqual([...(await running).y.data], [10, 40, 10, 20]);
      else await assert.rejects(running, { name: 'InputError', message: /has 7 as element 2/ });
    }
  });

  test('of the command is refused too', () => {
    const out = join(folder, 'direct'), x = join(folder, 'ids.npy');
    const run = (/** @type {number[]} */ ...ids) => {
      writeNpy(x, { data: big(...ids), shape: [ids.length], dataType: 'int64' });
      return spawnSync(join(root, 'tools/run_wasi'), [join(out, 'model.wasm'), '--weights', join(out, 'model.weights.bin'), '--input', `ids=${x}`, '--output', `y=${join(folder, 'y.npy')}`], { encoding: 'utf8' });
    };
    assert.equal(run(0, 3, -4).status, 0);
    assert.match(run(0, 4).stderr, /error: input ids has or makes the index 4; the model takes -4 to 3/);
    assert.match(run(-5).stderr, /index -5;/);
    assert.match(run(2 ** 40).stderr, /index of more than 32 bits;/);
  });

  test('that two tables are indexed by takes what both have', async () => {
    const { load } = await open('two', {
      ...gather, outputs: { y: ['f32', ['n']], z: ['f32', ['n']] }, constants: { ...TABLE, short: [1, 2] },
      nodes: [{ op: 'Gather', inputs: ['table', 'ids'], outputs: ['y'] }, { op: 'Gather', name: 'second', inputs: ['short', 'ids'], outputs: ['z'] }],
    });
    const model = await load({ backend: 'wasm' });
    await assert.rejects(model.run({ ids: big(2) }), /has 2 as element 0; the model takes -2 to 1 \(node "second"\)/);
  });
});

describe('indices that are computed', async () => {
  const sum = await open('sum', {
    ...gather, inputs: { ids: ['i64', ['n']], more: ['i64', ['n']] },
    nodes: [{ op: 'Add', inputs: ['ids', 'more'], outputs: ['both'] }, { op: 'Gather', name: 'embed', inputs: ['table', 'both'], outputs: ['y'] }],
  });
  for (const backend of /** @type {const} */ (['wasm', 'webgpu'])) {
    const options = { backend, device: backend === 'webgpu' ? device : undefined };

    test(`are refused on ${backend}`, async () => {
      const model = await sum.load(options);
      assert.deepEqual(model.outputs.map(({ name }) => name), ['y']);
      for (let i = 0; i < 3; ++i) {
        assert.deepEqual(await model.run({ ids: big(1, 2), more: big(2, -6) }), { y: { data: Float32Array.of(40, 10), shape: [2], dataType: 'float32' } });
        await assert.rejects(model.run({ ids: big(1, 2), more: big(2, 2) }), {
          name: 'InputError', message: /input "ids" and "more": an index that is computed from it is 4; the model takes -4 to 3 \(node "embed"\)/,
        });
        await assert.rejects(model.run({ ids: big(1, 2), more: big(-6, 0) }), /is -5/);
      }
      assert.deepEqual([...(await model.run({ ids: [], more: [] })).y.data], []);
      const careless = await sum.load({ ...options, validate: false });
      assert.deepEqual([...(await careless.run({ ids: big(9), more: big(9) })).y.data], [40]);
    });
  }

  test('are refused also where 32 bits do not hold them', async () => {
    const model = await sum.load({ backend: 'wasm' }), careless = await sum.load({ backend: 'wasm', validate: false });
    await assert.rejects(model.run({ ids: big(2 ** 33), more: big(1) }), { name: 'InputError', message: /is 2147483647 or more; the model takes -4 to 3/ });
    await assert.rejects(model.run({ ids: big(-(2 ** 33)), more: big(-1) }), /is -2147483648 or less/);
    // Whoever does not want to know gets the nearest row, not the one that the lower half names.
    assert.deepEqual([...(await careless.run({ ids: big(2 ** 33, -(2 ** 33)), more: big(1, 3) })).y.data], [40, 10]);
    const onGpu = await sum.load({ backend: 'webgpu', device });
    await assert.rejects(onGpu.run({ ids: big(2 ** 33), more: big(1) }), { name: 'InputError', message: /"ids" has 8589934592 as element 0: on WebGPU/ });
  });

  test('are refused where the result stays on the GPU', async () => {
    const model = await sum.load({ backend: 'webgpu', device });
    const { y } = await model.run({ ids: big(1), more: big(1) }, { outputs: 'gpu' });
    assert.deepEqual([...(await y.read()).data], [30]);
    await assert.rejects(model.run({ ids: big(3), more: big(1) }, { outputs: 'gpu' }), { name: 'InputError', message: /is 4/ });
  });

  test('that cannot be outside are not looked at', async () => {
    await open('largest', {
      inputs: { x: ['f32', ['n', 4]] }, outputs: { y: ['f32', ['n', 1]] }, constants: TABLE,
      nodes: [{ op: 'ArgMax', inputs: ['x'], outputs: ['most'], attributes: { axis: 1 } }, { op: 'Gather', inputs: ['table', 'most'], outputs: ['y'] }],
    });
    // Of what is found in a tensor of the same sizes.
    await open('found', {
      inputs: { x: ['f32', [6, 4]], c: ['bool', [6]] }, outputs: { y: ['f32', ['k', 4]] }, constants: { rows: [0n] },
      nodes: [{ op: 'NonZero', inputs: ['c'], outputs: ['at'] }, { op: 'Squeeze', inputs: ['at', 'rows'], outputs: ['found'] }, { op: 'Gather', inputs: ['x', 'found'], outputs: ['y'] }],
    });
    for (const name of ['largest', 'found']) {
      const [section] = WebAssembly.Module.customSections(await WebAssembly.compile(readFileSync(join(folder, name, 'model.wasm'))), 'webnnc.manifest');
      const { outputs, indices } = JSON.parse(new TextDecoder().decode(section));
      assert.deepEqual([outputs.length, indices], [1, undefined]);
    }
  });

  for (const [op, inputs, ids] of /** @type {[string, any, any][]} */ ([
    ['GatherElements', { x: ['f32', [3, 2]], ids: ['i64', [1, 2]] }, [[2, -3]]], ['GatherND', { x: ['f32', [3, 2]], ids: ['i64', [1, 2]] }, [[2, -2]]],
  ])) {
    test(`are refused by ${op}`, async () => {
      const { load } = await open(op, { inputs, outputs: { y: ['f32', op === 'GatherND' ? [1] : [1, 2]] }, nodes: [{ op, inputs: ['x', 'ids'], outputs: ['y'] }] });
      const model = await load({ backend: 'wasm' }), x = [[1, 2], [3, 4], [5, 6]];
      assert.deepEqual([...(await model.run({ x, ids })).y.data], op === 'GatherND' ? [5] : [5, 2]);
      await assert.rejects(model.run({ x, ids: [[3, 0]] }), /3/);
      if (op === 'GatherND') await assert.rejects(model.run({ x, ids: [[0, 2]] }), /is 2; the model takes -2 to 1/);
    });
  }
});

describe('indices in bodies', async () => {
  const i64 = (/** @type {string} */ ...shape) => /** @type {any} */ (['i64', shape]), f32 = (/** @type {string} */ ...shape) => /** @type {any} */ (['f32', shape]);
  /** A row of the table in each iteration i: of i (step - i), which comes back. */
  const steps = {
    op: 'Loop', name: 'steps', inputs: ['trips', '', 'start'], outputs: ['last', 'y'],
    attributes: { body: { graph: {
      inputs: { i: i64(), go: /** @type {any} */ (['bool', []]), before: f32() }, outputs: { goes: /** @type {any} */ (['bool', []]), row: f32(), each: f32() },
      nodes: [{ op: 'Identity', name: 'goes', inputs: ['go'], outputs: ['goes'] }, { op: 'Sub', inputs: ['step', 'i'], outputs: ['left'] }, { op: 'Mul', inputs: ['i', 'left'], outputs: ['at'] },
        { op: 'Gather', name: 'pick', inputs: ['table', 'at'], outputs: ['row'] }, { op: 'Add', inputs: ['row', 'before'], outputs: ['each'] }],
    } } },
  };
  const start = { type: f32(), bytes: new Uint8Array(4) };
  const looped = await open('looped', { inputs: { trips: i64(), step: i64() }, outputs: { y: f32('n') }, constants: { ...TABLE, start }, nodes: [steps] });
  const branched = await open('branched', {
    inputs: { c: /** @type {any} */ (['bool', []]), ids: i64('n'), trips: i64(), step: i64() }, outputs: { y: f32('m') }, constants: { ...TABLE, start, short: [1, 2] },
    nodes: [{ op: 'If', inputs: ['c'], outputs: ['y'], attributes: {
      then_branch: { graph: { inputs: {}, outputs: { a: f32('k') }, nodes: [{ ...steps, outputs: ['last', 'a'] }] } },
      else_branch: { graph: { inputs: {}, outputs: { b: f32('k') }, nodes: [{ op: 'Gather', name: 'short', inputs: ['short', 'ids'], outputs: ['b'] }] } },
    } }],
  });
  for (const backend of /** @type {const} */ (['wasm', 'webgpu'])) {
    const options = { backend, device: backend === 'webgpu' ? device : undefined };

    test(`of a loop are refused, whichever iteration it was, on ${backend}`, async () => {
      const model = await looped.load(options), run = (/** @type {number} */ trips, /** @type {number} */ step) => model.run({ trips: big(trips), step: big(step) });
      for (let i = 0; i < 2; ++i) {
        assert.deepEqual([...(await run(4, 3)).y.data], [10, 40, 60, 40]);
        // That of the third iteration; the fourth has 3 again.
        await assert.rejects(run(4, 4), { name: 'InputError', message: /input "trips" and "step": an index that is computed from it is 4; the model takes -4 to 3 \(node "pick"\)/ });
        assert.deepEqual([...(await run(3, 1)).y.data], [10, 20, 40]);
        await assert.rejects(run(3, -1), /is -6/);
      }
      assert.deepEqual([...(await run(0, 99)).y.data], []);
      const careless = await looped.load({ ...options, validate: false });
      assert.deepEqual([...(await careless.run({ trips: big(2), step: big(99) })).y.data], [10, 50]);
    });

    test(`of a branch that is taken are refused on ${backend}`, async () => {
      const model = await branched.load(options);
      const run = (/** @type {number} */ c, /** @type {number[]} */ ids, /** @type {number} */ trips, /** @type {number} */ step) => model.run({ c: [c], ids: big(...ids), trips: big(trips), step: big(step) });
      assert.deepEqual([...(await run(0, [1, -2, 0], 9, 9)).y.data], [2, 1, 1]);
      assert.deepEqual([...(await run(1, [5, 5], 2, 4)).y.data], [10, 50]);
      await assert.rejects(run(0, [1, 2], 1, 0), { name: 'InputError', message: /is 2; the model takes -2 to 1 \(node "short"\)/ });
      await assert.rejects(run(1, [0], 3, 4), { name: 'InputError', message: /is 4; the model takes -4 to 3 \(node "pick"\)/ });
    });
  }

  test('that are iterations of a loop over all rows are not looked at', async () => {
    await open('rows', { inputs: { x: f32('n', '3') }, outputs: { y: f32('n', '3') }, nodes: [
      { op: 'Scan', inputs: ['x'], outputs: ['y'], attributes: { num_scan_inputs: 1, body: { graph: { inputs: { row: f32('3') }, outputs: { twice: f32('3') }, nodes: [{ op: 'Add', inputs: ['row', 'row'], outputs: ['twice'] }] } } } }] });
    const [section] = WebAssembly.Module.customSections(await WebAssembly.compile(readFileSync(join(folder, 'rows/model.wasm'))), 'webnnc.manifest');
    assert.equal(JSON.parse(new TextDecoder().decode(section)).indices, undefined);
  });
});

test('columns of indices that were put together are each bounded by their own dimension', async () => {
  const scalar = (/** @type {bigint} */ value) => ({ type: /** @type {any} */ (['i64', []]), bytes: new Uint8Array(BigInt64Array.of(value).buffer) });
  const { load, warnings } = await open('columns', {
    inputs: { x: ['f32', ['rows', 'columns']] }, outputs: { y: ['f32', ['rows', 'columns']] },
    constants: { zero: scalar(0n), one: scalar(1n), last: [-1n] },
    nodes: [
      { op: 'Shape', inputs: ['x'], outputs: ['shape'] },
      { op: 'Gather', inputs: ['shape', 'zero'], outputs: ['rows'] }, { op: 'Gather', inputs: ['shape', 'one'], outputs: ['columns'] },
      { op: 'Range', inputs: ['zero', 'rows', 'one'], outputs: ['r'] }, { op: 'Range', inputs: ['zero', 'columns', 'one'], outputs: ['c'] },
      { op: 'Unsqueeze', inputs: ['r', 'last'], outputs: ['r1'] }, { op: 'Expand', inputs: ['r1', 'shape'], outputs: ['r2'] },
      { op: 'Expand', inputs: ['c', 'shape'], outputs: ['c2'] },
      { op: 'Unsqueeze', inputs: ['r2', 'last'], outputs: ['r3'] }, { op: 'Unsqueeze', inputs: ['c2', 'last'], outputs: ['c3'] },
      { op: 'Concat', inputs: ['r3', 'c3'], outputs: ['at'], attributes: { axis: 2 } }, { op: 'GatherND', inputs: ['x', 'at'], outputs: ['y'] },
    ],
  });
  assert.doesNotMatch(warnings, /will be refused/);
  const model = await load({ backend: 'wasm' });
  for (const shape of [[1, 5], [5, 1], [2, 3]]) {
    const data = Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => i);
    assert.deepEqual([...(await model.run({ x: { data, shape } })).y.data], [...data]);
  }
});

describe('an empty table', async () => {
  /** @type {[string, any, any][]} of an operator, the shapes of its table and of its indices */
  const operators = [['Gather', ['n', 2], ['k']], ['GatherElements', ['n', 2], ['k', 2]], ['GatherND', ['n', 2], ['k', 1]]];
  for (const [op, table, indices] of operators) {
    const model = (/** @type {any} */ sizes) => ({
      inputs: { x: ['f32', table.map((/** @type {any} */ size) => sizes[size] ?? size)], ids: ['i64', indices.map((/** @type {any} */ size) => sizes[size] ?? size)] },
      outputs: { y: ['f32', ['k', 2]] }, nodes: [{ op, name: 'pick', inputs: ['x', 'ids'], outputs: ['y'] }],
    });
    const { load } = await open(`empty_${op}`, /** @type {any} */ (model({})));
    const known = await open(`empty_known_${op}`, /** @type {any} */ (model({ n: 0 })));
    const ids = (/** @type {number} */ k) => ({ data: new BigInt64Array(k * (indices[1] ?? 1)), shape: indices.map((/** @type {any} */ size) => size === 'k' ? k : size) });
    for (const backend of /** @type {const} */ (['wasm', 'webgpu'])) {
      test(`takes no index of ${op} on ${backend}`, async () => {
        const options = { backend, device: backend === 'webgpu' ? device : undefined }, runs = await load(options), empty = { data: [], shape: [0, 2] };
        await assert.rejects(runs.run({ x: empty, ids: ids(2) }), { name: 'InputError', message: /the model takes none, since the table is empty \(node "pick"\)/ });
        assert.deepEqual((await runs.run({ x: empty, ids: ids(0) })).y.shape, [0, 2]);
        assert.deepEqual([...(await runs.run({ x: [[5, 6]], ids: ids(1) })).y.data], op === 'GatherElements' ? [5, 6] : [5, 6]);
        const never = await known.load(options);
        await assert.rejects(never.run({ x: [], ids: ids(1) }), { name: 'InputError', message: /the table is empty/ });
        assert.deepEqual((await never.run({ x: empty, ids: ids(0) })).y.shape, [0, 2]);
      });
    }

    test(`is refused with indices of ${op} when the model is compiled`, () => {
      const { status, stderr } = compile(`empty_fixed_${op}`, /** @type {any} */ (model({ n: 0, k: 3 })));
      assert.equal(status, 1);
      assert.match(stderr, /node "pick".*: the table is empty/);
    });
  }

  test('is refused as a command, too', () => {
    const out = join(folder, 'empty_known_Gather'), x = join(folder, 'x.npy'), ids = join(folder, 'ids.npy');
    writeNpy(x, { data: new Float32Array(0), shape: [0, 2], dataType: 'float32' });
    writeNpy(ids, { data: big(0), shape: [1], dataType: 'int64' });
    const { stderr } = spawnSync(join(root, 'tools/run_wasi'), [join(out, 'model.wasm'), '--input', `x=${x}`, '--input', `ids=${ids}`, '--output', `y=${join(folder, 'y.npy')}`], { encoding: 'utf8' });
    assert.match(stderr, /index 0;/);
  });
});

test('positions beyond their table are refused by the size that makes them', async () => {
  const { load, warnings } = await open('positions', {
    inputs: { x: ['f32', ['sequence']] }, outputs: { y: ['f32', ['sequence']] }, constants: { ...TABLE, zero: [0n], one: [1n], none: [0n] },
    nodes: [
      { op: 'Shape', inputs: ['x'], outputs: ['shape'] }, { op: 'Gather', inputs: ['shape', 'none'], outputs: ['length'] },
      { op: 'Squeeze', inputs: ['length'], outputs: ['limit'] }, { op: 'Squeeze', inputs: ['zero'], outputs: ['start'] }, { op: 'Squeeze', inputs: ['one'], outputs: ['step'] },
      { op: 'Range', inputs: ['start', 'limit', 'step'], outputs: ['at'] }, { op: 'Gather', name: 'positions', inputs: ['table', 'at'], outputs: ['rows'] },
      { op: 'Add', inputs: ['x', 'rows'], outputs: ['y'] },
    ],
  });
  assert.match(warnings, /a run will be refused unless sequence <= 4 \(node "positions"\)/);
  const model = await load({ backend: 'wasm' });
  assert.deepEqual([...(await model.run({ x: [1, 2, 3, 4] })).y.data], [11, 22, 33, 44]);
  await assert.rejects(model.run({ x: [1, 2, 3, 4, 5] }), { name: 'InputError', message: /sequence = 5 \(of "x"\): it was compiled for sequence <= 4 \(node "positions"\)/ });
});

test('constants that are outside are refused when the model is compiled', () => {
  for (const value of [4, -5, 7]) {
    const { status, stderr } = compile('constant', {
      inputs: { x: ['f32', [4]] }, outputs: { y: ['f32', [1]] }, constants: { at: [BigInt(value)] },
      nodes: [{ op: 'Gather', name: 'pick', inputs: ['x', 'at'], outputs: ['y'] }],
    });
    assert.equal(status, 1);
    assert.match(stderr, new RegExp(`node "pick".*: index ${value} is outside dimension 0 of f32\\[4\\]`));
  }
});
