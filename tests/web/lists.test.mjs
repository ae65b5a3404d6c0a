// Inputs and outputs that are lists of tensors, compiled: sequences of any length and optionals, in this thread and in a
// worker, on both backends; and what is no such list. What the models compute follows from ONNX's text.
//
//   WEBNNC=build/webnnc node --test tests/web/lists.test.mjs

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';
import { makeDevice } from './dawn.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url)), webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const work = mkdtempSync(join(tmpdir(), 'webnnc-lists-'));
after(() => rmSync(work, { recursive: true }));

/** @param {string} name @param {Parameters<typeof onnxModel>[0]} model @param {string[]} flags @returns {Promise<any>} the bundle's module */
async function compile(name, model, ...flags) {
  const path = join(work, `${name}.onnx`), folder = join(work, name);
  writeFileSync(path, onnxModel(model));
  execFileSync(webnnc, [path, '-o', folder, '--quiet', ...flags], { stdio: ['ignore', 'inherit', 'ignore'] });
  return import(pathToFileURL(join(folder, 'model.js')).href);
}

/** Puts a tensor before one of a sequence, and joins all. @type {any} */
const INSERTED = {
  inputs: { seq: { list: 'sequence', of: ['f32', ['rows', 2]] }, x: ['f32', ['n', 2]], at: ['i64', []] },
  outputs: { all: { list: 'sequence', of: ['f32', ['rows', 2]] }, rows: ['f32', ['total', 2]], picked: ['f32', ['picked', 2]] },
  nodes: [{ op: 'SequenceInsert', inputs: ['seq', 'x', 'at'], outputs: ['all'] },
    { op: 'ConcatFromSequence', inputs: ['all'], outputs: ['rows'], attributes: { axis: 0 } }, { op: 'SequenceAt', inputs: ['all', 'at'], outputs: ['picked'] }],
};
/** What is optional comes back as it is, and whether it is there. @type {any} */
const OPTIONAL = {
  inputs: { maybe: { list: 'optional', of: ['i32', ['n']] }, list: { list: 'optional sequence', of: ['f16'] }, w: ['f32', ['k']], shared: { list: 'sequence', of: ['f32', ['k']] } },
  outputs: { same: { list: 'optional', of: ['i32', ['n']] }, too: { list: 'optional sequence', of: ['f16'] }, has: ['bool', []], have: ['bool', []], product: ['f32', ['k']] },
  nodes: [{ op: 'Identity', inputs: ['maybe'], outputs: ['same'] }, { op: 'Identity', inputs: ['list'], outputs: ['too'] }, { op: 'OptionalHasElement', inputs: ['maybe'], outputs: ['has'] },
    { op: 'OptionalHasElement', inputs: ['list'], outputs: ['have'] }, { op: 'SequenceAt', inputs: ['shared', 'zero'], outputs: ['first'] }, { op: 'Mul', inputs: ['first', 'w'], outputs: ['product'] }],
  constants: { zero: { type: ['i64', []], bytes: new Uint8Array(8) } }, opset: 18,
};
const inserting = await compile('inserting', INSERTED), optional = await compile('optional', OPTIONAL);

/** @param {...number} values */
const rows = (...values) => ({ data: Float32Array.from(values), shape: [values.length / 2, 2] });
/** @param {any} tensor */
const plain = (tensor) => tensor && { data: [...tensor.data].map(Number), shape: tensor.shape };

/** @type {Record<string, () => Promise<object>>} */
const WAYS = {
  wasm: async () => ({ backend: 'wasm' }),
  webgpu: async () => ({ backend: 'webgpu', device: await makeDevice() }),
  'a worker': async () => ({ backend: 'wasm', worker: true }),
};
for (const [way, options] of Object.entries(WAYS)) {
  describe(way, () => {
    test('sequences of any length', async () => {
      const model = await inserting.load(await options());
      assert.deepEqual(model.inputs[0], { name: 'seq', dataType: 'float32', shape: ['rows', 2], list: 'sequence' });
      const parts = [rows(1, 2), rows(3, 4, 5, 6), { data: new Float32Array(0), shape: [0, 2] }, rows(7, 8)], x = rows(-1, -2, -3, -4);
      for (const count of [4, 0, 1, 2]) {
        for (const at of [0, count, -count]) {
          const seq = parts.slice(0, count), place = at < 0 ? count + at : at, wanted = [...seq.slice(0, place), x, ...seq.slice(place)];
          const { all, rows: joined, picked } = await model.run({ seq, x, at: BigInt(at) });
          assert.deepEqual(all.map(plain), wanted.map(plain));
          assert.deepEqual([...joined.data], wanted.flatMap(({ data }) => [...data]));
          // From the end, of one more.
          assert.deepEqual(plain(picked), plain(wanted.at(at)));
        }
      }
      const { all } = await model.run({ seq: [[[1, 2]], [3, 4, 5, 6]], x, at: 0n }, { outputs: ['all'] });
      assert.deepEqual(all.map((/** @type {any} */ { shape }) => shape), [[2, 2], [1, 2], [2, 2]]);
      // What a run gives is the caller's, and can be the next one's.
      const again = await model.run({ seq: all, x, at: 3n });
      assert.equal(again.all.length, 4);
      model.dispose();
    });

    test('a position that is none of the sequence', async () => {
      const model = await inserting.load(await options());
      for (const at of [2n, -2n]) await assert.rejects(model.run({ seq: [rows(1, 2)], x: rows(3, 4), at }), inserting.InputError);
      assert.equal((await model.run({ seq: [rows(1, 2)], x: rows(3, 4), at: 1n })).all.length, 2);
      model.dispose();
    });

    test('optionals, of any rank, and sizes that inputs share', async () => {
      const model = await optional.load(await options()), w = Float32Array.of(2, 3), shared = [[5, 7]];
      const halves = [{ data: Float32Array.of(1, 2, 3), shape: [3, 1] }, { data: Float32Array.of(4), shape: [] }];
      const one = await model.run({ maybe: [1, 2], list: halves, w, shared });
      assert.deepEqual([plain(one.same), one.too.map(plain).map((/** @type {any} */ { shape }) => shape)], [{ data: [1, 2], shape: [2] }, [[3, 1], []]]);
      assert.deepEqual([one.has.data[0], one.have.data[0], [...one.product.data]], [1, 1, [10, 21]]);
      const none = await model.run({ maybe: null, w, shared });
      assert.deepEqual([none.same, none.too, none.has.data[0], none.have.data[0]], [null, null, 0, 0]);
      assert.deepEqual((await model.run({ list: [], w, shared })).too, []);
      await assert.rejects(model.run({ w, shared: [[1, 2], [1, 2, 3]] }), { name: 'InputError', message: /^input "shared\[1\]" has shape \[3\]; the model takes float32\[k\] with k = 2$/ });
      model.dispose();
    });
  });
}

/** @type {[string, any, RegExp][]} what is given for `seq`, and what is said */
const WRONG = [
  ['nothing', undefined, /^input "seq" is missing: the model takes a sequence, an array of float32\[rows,2\] tensors$/],
  ['a tensor', rows(1, 2), /^input "seq" is not an array/],
  ['another element type', [rows(1, 2), { data: new Float64Array(2), shape: [1, 2] }], /^input "seq\[1\]" is a Float64Array; for float32 pass a Float32Array/],
  ['another rank', [{ data: new Float32Array(2), shape: [2] }], /^input "seq\[0\]" has shape \[2\]; the model takes float32\[rows,2\]$/],
  ['another size', [{ data: new Float32Array(3), shape: [1, 3] }], /^input "seq\[0\]" has shape \[1,3\]/],
  ['too few elements', [{ data: new Float32Array(2), shape: [2, 2] }], /^input "seq\[0\]" has 2 elements; float32\[2,2\] has 4$/],
  ['what is no tensor', ['text'], /^input "seq\[0\]" is a String/],
];
describe('what is refused', async () => {
  for (const [what, seq, message] of WRONG) {
    test(what, async () => {
      for (const worker of [false, true]) {
        const model = await inserting.load({ backend: 'wasm', worker });
        await assert.rejects(model.run({ seq, x: rows(1, 2), at: 0n }), { name: 'InputError', message });
        model.dispose();
      }
    });
  }

  test('a list on the GPU', async () => {
    const model = await inserting.load({ backend: 'webgpu', device: await makeDevice() });
    await assert.rejects(model.run({ seq: [], x: rows(1, 2), at: 0n }, { outputs: 'gpu' }), { name: 'UnsupportedError', message: /^output "all" is a list/ });
    model.dispose();
  });

  test('when compiled: an element of tensors whose rank nobody knows, unless it is said', async () => {
    /** @type {any} */
    const at = { inputs: { s: { list: 'sequence', of: ['f32'] } }, outputs: { y: null }, nodes: [{ op: 'SequenceAt', inputs: ['s', 'zero'], outputs: ['y'] }], constants: { zero: { type: ['i64', []], bytes: new Uint8Array(8) } } };
    writeFileSync(join(work, 'at.onnx'), onnxModel(at));
    const { stderr } = spawnSync(webnnc, [join(work, 'at.onnx'), '-o', join(work, 'at'), '--quiet'], { encoding: 'utf8' });
    assert.match(stderr, /its operand's tensors may have different ranks\n.*--input NAME:SHAPE/);
    const said = await compile('said', at, '--input', 's:n,2'), model = await said.load({ backend: 'wasm' });
    assert.deepEqual(plain((await model.run({ s: [rows(1, 2, 3, 4)] })).y), { data: [1, 2, 3, 4], shape: [2, 2] });
    model.dispose();
  });
});
