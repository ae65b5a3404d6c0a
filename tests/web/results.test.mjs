// What a model's page makes of outputs: guesses, boxes and files in Node, and what is drawn in Chromium. WEBNNC names
// the compiler; without it, build/webnnc.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { formsOf, likelyReading, overlapOf, partsOf, readBoxes, suppress } from '../../runtime-js/page/boxes.js';
import { likelyKind, possibleKinds } from '../../runtime-js/page/kinds.js';
import { jsonOf, npyOf } from '../../runtime-js/page/save.js';
import { largest, largestDifference, numbersIn, percentiles, summarize } from '../../runtime-js/page/values.js';
import { onnxModel, readTensor } from '../onnx_model.mjs';
import { STRICT_CSP, hasBrowser, launch, serve } from './harness.mjs';

/** @typedef {import('../../runtime-js/page/kinds.js').Result} Result */

const root = fileURLToPath(new URL('../..', import.meta.url)), ONNX = '/usr/share/libonnx-testdata/data/node';

// ---- In Node

/** @param {string} name @param {number[]} shape @param {any} data @param {any} [more] of the port @returns {Promise<Result>} */
async function result(name, shape, data, more = {}) {
  const tensor = /** @type {any} */ ({ dataType: 'float32', shape, ...more, data: Array.isArray(data) ? Float32Array.from(data) : data }), numbers = await numbersIn(tensor);
  return { port: { name, dataType: tensor.dataType, shape, ...more }, tensor, numbers, summary: await summarize(numbers) };
}

/** @param {Result[]} results @param {{width: number, height: number}} [picture] */
const runOf = (results, picture) => /** @type {any} */ ({
  results, picture, image: picture && { layout: 'nchw', channels: 3 },
  forms: formsOf(results.map(({ port: { name }, tensor: { shape, dataType } }) => ({ name, shape, dataType })), picture),
});

describe('boxes', () => {
  test('those that overlap are suppressed as ONNX defines it', { skip: existsSync(ONNX) ? false : 'there is no libonnx-testdata' }, async () => {
    const cases = ['center_point_box_format', 'flipped_coordinates', 'identical_boxes', 'single_box', 'suppress_by_IOU', 'suppress_by_IOU_and_scores', 'two_batches', 'two_classes', 'limit_output_size'];
    for (const name of cases) {
      const read = (/** @type {string} */ file) => readTensor(readFileSync(`${ONNX}/test_nonmaxsuppression_${name}/test_data_set_0/${file}.pb`));
      const [boxes, scores, most, overlap, threshold] = [0, 1, 2, 3, 4].map((i) => read(`input_${i}`)), wanted = read('output_0');
      const [batches, count] = boxes.shape, classes = scores.shape[1], corners = name === 'center_point_box_format' ? 'cxcywh' : 'yxyx';
      /** @type {number[][]} */
      const found = [];
      for (let batch = 0; batch < batches; ++batch) {
        for (let c = 0; c < classes; ++c) {
          // One class at a time: ONNX judges a box for each of its classes.
          const rows = (/** @type {number[]} */ values, /** @type {number} */ first, /** @type {number} */ step) => ({ numbers: values, first, boxStep: step, step: 1 });
          /** @type {import('../../runtime-js/page/boxes.js').Form} */
          const form = { name: 'pair', of: ['boxes', 'scores'], count, classes: 1, isLikely: true };
          const parts = { box: rows(boxes.values, batch * count * 4, 4), score: rows(scores.values, (batch * classes + c) * count, 1) };
          const all = await readBoxes(form, parts, { corners, units: 'pixels', scores: 'given', background: 'none' }, { width: 1, height: 1 }, -1);
          const kept = suppress(all.filter(({ score }) => score > threshold.values[0]), overlap.values[0]).slice(0, most.values[0]);
          const used = new Set();
          for (const { score } of kept) {
            const i = Array.from({ length: count }, (_, i) => i).find((i) => !used.has(i) && parts.score.numbers[parts.score.first + i] === score);
            used.add(i);
            found.push([batch, c, Number(i)]);
          }
        }
      }
      assert.deepEqual(found.flat(), wanted.values, name);
    }
  });

  test('an overlap is what is shared of what is covered', () => {
    const box = (/** @type {number} */ left, /** @type {number} */ right) => ({ left, right, top: 0, bottom: 1 });
    // 1 shared of 3, touching, apart, the same.
    assert.deepEqual([overlapOf(box(0, 2), box(1, 3)), overlapOf(box(0, 1), box(1, 2)), overlapOf(box(0, 1), box(5, 6)), overlapOf(box(0, 2), box(0, 2))], [1 / 3, 0, 0, 1]);
  });

  const picture = { width: 64, height: 32 };
  /** The box from (16, 8) to (48, 24) with score 0.75 and class 2, in each form. @type {Record<string, () => Promise<Result[]>>} */
  const forms = {
    'objects in pixels': async () => [await result('y', [1, 126, 8], rows(126, 8, [32, 16, 32, 16, 1, 0, 0, 0.75]))],
    // 8 x 4 cells of 8 pixels, 4 x 2 of 16, 2 x 1 of 32. The box is in cell (4, 2) of the first: exp(ln 4) * 8 = 32 wide.
    'objects in cells of a grid': async () => [await result('y', [1, 42, 8], rows(42, 8, [0, 0, Math.log(4), Math.log(2), 1, 0, 0, 0.75], 2 * 8 + 4, [0, 0, -1, -1, 0, 0, 0, 0]))],
    'columns': async () => [await result('y', [1, 7, 160], transposed(rows(160, 7, [32, 16, 32, 16, 0, 0, 0.75]), 160, 7))],
    'pair, parts of the picture, background first': async () => [
      await result('scores', [1, 20, 4], rows(20, 4, [0.15, 0.05, 0.05, 0.75], 5, [1, 0, 0, 0])), await result('boxes', [1, 20, 4], rows(20, 4, [0.25, 0.25, 0.75, 0.75], 5, [0.1, 0.1, 0.2, 0.2]))],
    'pair of logits, background last': async () => [
      await result('logits', [1, 20, 4], rows(20, 4, [-9, -9, Math.log(3), 0], 5, [-9, -9, -9, 9])), await result('pred_boxes', [1, 20, 4], rows(20, 4, [0.5, 0.5, 0.5, 0.5], 5, [0.1, 0.1, 0.2, 0.05]))],
    'pair of logits, a sigmoid each': async () => [
      await result('logits', [1, 20, 3], rows(20, 3, [-9, -9, Math.log(3)], 5, [-7, -7, -7])), await result('pred_boxes', [1, 20, 4], rows(20, 4, [0.5, 0.5, 0.5, 0.5], 5, [0.1, 0.1, 0.2, 0.05]))],
    'chosen': async () => [
      await result('boxes', [9, 4], rows(9, 4, [16, 8, 48, 24])), await result('labels', [9], BigInt64Array.from(rows(9, 1, [2]), BigInt), { dataType: 'int64' }), await result('scores', [9], rows(9, 1, [0.75]))],
    'rows': async () => [await result('y', [1, 30, 6], rows(30, 6, [16, 8, 48, 24, 0.75, 2]))],
    'marked': async () => [await result('y', [1, 1, 30, 7], rows(30, 7, [0, 2, 0.75, 0.25, 0.25, 0.75, 0.75], 5, [-1, 0, 0, 0, 0, 0, 0]))],
    'batched': async () => [await result('y', [30, 7], rows(30, 7, [0, 16, 8, 48, 24, 2, 0.75], 5, [1, 0, 0, 0, 0, 0, 0]))],
  };
  /** One row of interest among others. @param {number} count @param {number} width @param {number[]} row @param {number} [at] @param {number[]} [other] */
  function rows(count, width, row, at = 5, other = Array(width).fill(0)) {
    return Array.from({ length: count }, (_, r) => r === at ? row : other).flat();
  }
  /** @param {number[]} values @param {number} count @param {number} width */
  const transposed = (values, count, width) => Array.from({ length: count * width }, (_, i) => values[i % count * width + Math.floor(i / count)]);

  for (const [name, make] of Object.entries(forms)) {
    test(`form: ${name}`, async () => {
      const results = await make(), run = runOf(results, picture), [form] = run.forms, byName = new Map(results.map((one) => [one.port.name, one]));
      assert.ok(form.isLikely && name.startsWith(form.name), JSON.stringify(run.forms));
      const carrier = /** @type {Result} */ (byName.get(form.of[0]));
      assert.equal(likelyKind(carrier, run), 'boxes');
      const parts = partsOf(form, byName), [box, ...more] = await readBoxes(form, parts, likelyReading(form, parts, picture), picture, 0.3);
      assert.equal(more.length, 0);
      const expected = { left: 16, top: 8, right: 48, bottom: 24, score: 0.75, class: 2 - (name.includes('first') ? -1 : 0) };
      for (const [key, value] of Object.entries(expected)) assert.ok(Math.abs(/** @type {any} */ (box)[key] - value) < 1e-3, `${key}: ${JSON.stringify(box)}`);
    });
  }
});

describe('an output is taken for', () => {
  const picture = { width: 64, height: 64 }, zeros = (/** @type {number} */ n) => new Float32Array(n);
  const chances = Float32Array.from({ length: 10 }, () => 0.1), unit = Float32Array.from({ length: 128 }, (_, i) => i % 2 ? 1 / 128 ** 0.5 : -1 / 128 ** 0.5);
  /** @type {[string, Promise<Result>, { width: number, height: number } | undefined, string][]} */
  const cases = [
    ['scores of classes: chances', result('y', [1, 10], chances), undefined, 'classes'],
    ['scores of classes: the one output of a model that takes pictures', result('y', [1, 1000], zeros(1000)), picture, 'classes'],
    ['scores of classes: logits of a sequence', result('logits', [1, 8, 512], zeros(4096)), undefined, 'classes'],
    ['a vector by its name', result('embedding', [1, 256], zeros(256)), undefined, 'vector'],
    ['a vector by its length of 1', result('y', [1, 128], unit), picture, 'vector'],
    ['a vector, of an open length', result('y', [1, 8], zeros(8)).then((one) => ({ ...one, port: { ...one.port, shape: ['batch', 'sequence'] } })), undefined, 'vector'],
    ['a curve', result('audio', [1, 1, 4000], zeros(4000)), undefined, 'line'],
    ['a table', result('last_hidden_state', [1, 8, 32], zeros(256)), undefined, 'table'],
    ['a table: integers', result('ids', [1, 12], new BigInt64Array(12), { dataType: 'int64' }), undefined, 'table'],
    ['a number', result('y', [1, 1], zeros(1)), undefined, 'scalar'],
    ['a picture', result('y', [1, 3, 64, 64], zeros(3 * 4096), { image: { layout: 'nchw', channels: 3 } }), picture, 'picture'],
    ['areas: classes', result('y', [1, 64, 64], new BigInt64Array(4096), { dataType: 'int64' }), picture, 'segments'],
    ['areas: scores', result('y', [1, 21, 16, 16], zeros(21 * 256)), picture, 'segments'],
    ['areas: three scores, with names', result('y', [1, 3, 64, 64], zeros(3 * 4096), { image: { layout: 'nchw', channels: 3 }, classes: ['a', 'b', 'c'] }), picture, 'segments'],
    ['areas: three scores, by the name', result('mask', [1, 3, 64, 64], zeros(3 * 4096), { image: { layout: 'nchw', channels: 3 } }), picture, 'segments'],
    ['a heat map: one channel of a colour picture', result('y', [1, 1, 64, 64], zeros(4096), { image: { layout: 'nchw', channels: 1 } }), picture, 'heat'],
    ['a heat map: no channel', result('depth', [1, 32, 32], zeros(1024)), picture, 'heat'],
    ['heat maps by their name', result('heatmaps', [1, 17, 32, 32], zeros(17 * 1024)), picture, 'heat'],
    ['a table: tokens of a picture', result('last_hidden_state', [1, 197, 192], zeros(197 * 192)), { width: 224, height: 112 }, 'table'],
  ];
  for (const [name, made, seen, kind] of cases) {
    test(name, async () => {
      const one = await made, run = runOf([one], seen);
      assert.equal(likelyKind(one, run), kind);
      assert.ok(possibleKinds(one, run).includes(/** @type {any} */ (kind)));
    });
  }
});

describe('values', () => {
  test('integers of 64 bits become numbers', async () => {
    for (const [dataType, data] of /** @type {const} */ ([['int64', BigInt64Array.of(0n, -1n, 2n ** 40n + 3n, -(2n ** 50n))], ['uint64', BigUint64Array.of(7n, 2n ** 63n)]])) {
      assert.deepEqual(Array.from(await numbersIn(/** @type {any} */ ({ data, dataType }))), Array.from(/** @type {any} */ (data), Number));
    }
  });

  test('a summary leaves out what is no number, and counts it', async () => {
    assert.deepEqual(await summarize([1, NaN, -3, Infinity, 2]), { count: 5, odd: 2, least: -3, most: 2, sum: 0, squares: 14 });
    assert.deepEqual(percentiles([NaN, 5, 1, 3, 2, 4], [0, 0.5, 1]), [1, 3, 5]);
  });

  test('the largest are found, the first of equal ones first', () => {
    assert.deepEqual(largest([9, 1, NaN, 3, 3, -2, 8], 1, 6, 3), [5, 2, 3]);
    assert.deepEqual(largest([1, 2], 0, 2, 5), [1, 0]);
  });

  test('the largest difference, also to NaN', async () => {
    assert.deepEqual(await largestDifference([1, 2, NaN], [1, 2.5, NaN]), { most: 0.5, at: 1 });
    assert.deepEqual(await largestDifference([1, 2, NaN], [1, 2.5, 0]), { most: Infinity, at: 2 });
    assert.deepEqual(await largestDifference([Infinity, 0], [Infinity, -0]), { most: 0, at: 0 });
    assert.deepEqual(await largestDifference([0, Infinity], [0, -Infinity]), { most: Infinity, at: 1 });
  });
});

describe('files', () => {
  // What NumPy 1.24.2 saves.
  /** @type {[any, string][]} */
  const saved = [
    [{ dataType: 'float32', shape: [1, 3], data: Float32Array.of(1.5, -2, NaN) }, 'k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDEsIDMpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAMA/AAAAwAAAwH8='],
    [{ dataType: 'float16', shape: [2], data: Uint16Array.of(0x3800, 0x7bff) }, 'k05VTVBZAQB2AHsnZGVzY3InOiAnPGYyJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAOP97'],
    [{ dataType: 'int64', shape: [], data: BigInt64Array.of(2n ** 40n + 3n) }, 'k05VTVBZAQB2AHsnZGVzY3InOiAnPGk4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoDAAAAAAEAAA=='],
    [{ dataType: 'bool', shape: [2], data: Uint8Array.of(1, 0) }, 'k05VTVBZAQB2AHsnZGVzY3InOiAnfGIxJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoBAA=='],
    [{ dataType: 'uint64', shape: [1, 1, 1], data: BigUint64Array.of(2n ** 64n - 1n) }, 'k05VTVBZAQB2AHsnZGVzY3InOiAnPHU4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDEsIDEsIDEpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAr//////////w=='],
    [{ dataType: 'float64', shape: [0, 3], data: new Float64Array(0) }, 'k05VTVBZAQB2AHsnZGVzY3InOiAnPGY4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDAsIDMpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAo='],
    [{ dataType: 'int8', shape: [1, 1], data: Int8Array.of(-1) }, 'k05VTVBZAQB2AHsnZGVzY3InOiAnfGkxJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDEsIDEpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAr/'],
  ];
  for (const [tensor, bytes] of saved) {
    test(`.npy of ${tensor.dataType}[${tensor.shape}] is NumPy's`, async () => {
      assert.equal(Buffer.from(await npyOf(tensor).arrayBuffer()).toString('base64'), bytes);
    });
  }

  test('JSON keeps what is no number, and integers of 64 bits to the last digit', async () => {
    const read = async (/** @type {any} */ tensor) => (await jsonOf(tensor)).text();
    assert.deepEqual(JSON.parse(await read({ dataType: 'float32', shape: [4], data: Float32Array.of(0.5, NaN, Infinity, -Infinity) })),
      { shape: [4], dataType: 'float32', data: [0.5, 'NaN', 'Infinity', '-Infinity'] });
    assert.equal(await read({ dataType: 'int64', shape: [1], data: BigInt64Array.of(-(2n ** 63n)) }), '{"shape":[1],"dataType":"int64","data":[-9223372036854775808]}\n');
    const many = Float32Array.from({ length: 40_000 }, (_, i) => i);
    assert.deepEqual(JSON.parse(await read({ dataType: 'float32', shape: [40_000], data: many })).data, [...many]);
  });
});

// ---- In Chromium

const work = mkdtempSync(join(tmpdir(), 'webnnc-results-'));
after(() => rmSync(work, { recursive: true }));

/** Compiles a model that takes pictures and gives tensors that are known. @param {string} name @param {Record<string, [number[], number[], string?]>} outputs shapes, values, and the operator that makes the last step */
function compile(name, outputs, flags = /** @type {string[]} */ ([])) {
  const file = join(work, `${name}.onnx`), out = join(work, name);
  const entries = Object.entries(outputs), known = entries.map(([key, [shape, values]]) => [`known_${key}`, { type: /** @type {const} */ (['f32', shape]), bytes: new Uint8Array(Float32Array.from(values).buffer) }]);
  writeFileSync(file, onnxModel({
    inputs: { image: ['f32', [1, 3, 64, 64]] }, outputs: Object.fromEntries(entries.map(([key, [shape]]) => [key, ['f32', shape]])),
    nodes: [
      // Nothing, of the picture.
      { op: 'ReduceMean', inputs: ['image'], outputs: ['mean'] }, { op: 'Reshape', inputs: ['mean', 'one'], outputs: ['scalar'] },
      { op: 'Mul', inputs: ['scalar', 'zero'], outputs: ['nothing'] },
      ...entries.flatMap(([key, [, , op = 'Identity']]) => [
        { op: 'Add', inputs: [`known_${key}`, 'nothing'], outputs: [`sum_${key}`] }, { op, inputs: [`sum_${key}`], outputs: [key] }]),
    ],
    constants: { one: [1n], zero: [0], ...Object.fromEntries(known) },
  }));
  execFileSync(process.env.WEBNNC ?? join(root, 'build/webnnc'), [file, '-o', out, '--quiet', ...flags]);
  return out;
}

describe('the page shows', { skip: hasBrowser('chromium') ? false : 'there is no Chromium' }, () => {
  /** @type {Awaited<ReturnType<typeof launch>>} */ let browser;
  /** @type {Awaited<ReturnType<typeof serve>>} */ let server;
  const table = Array.from({ length: 40 * 30 }, (_, i) => i / 2), ramp = Array.from({ length: 16 * 16 }, (_, i) => i - 128);
  before(async () => {
    browser = await launch('chromium', { gpu: false });
    const mixed = compile('mixed', {
      // The second covers 9/11 of the first and itself together, the fourth is too weak.
      boxes: [[1, 12, 4], [0, 0, 0.5, 0.5, 0.05, 0, 0.55, 0.5, 0.6, 0.6, 0.9, 0.9, 0.1, 0.1, 0.2, 0.2, ...Array(32).fill(0)]],
      scores: [[1, 12, 2], [0.9, 0, 0.8, 0, 0, 0.7, 0.2, 0, ...Array(16).fill(0)]],
      logits: [[1, 3], [0, Math.log(3), 0]], embedding: [[1, 100], Array(100).fill(0.5)], numbers: [[40, 30], table], holes: [[1, 4], [1, -1, 0, 4], 'Log'],
      picture: [[1, 1, 16, 16], ramp],
    });
    writeFileSync(join(work, 'faces.txt'), 'face\n');
    writeFileSync(join(work, 'areas.txt'), 'sky\nsea\nland\n');
    const named = compile('named', {
      // A column a box: box, score.
      scores: [[1, 5, 84], [...Array(5 * 84)].map((_, i) => i % 84 ? 0 : [32, 32, 16, 16, 0.7][i / 84])],
      areas: [[1, 3, 64, 64], [...Array(3 * 4096)].map((_, i) => i < 4096 ? 0 : i < 8192 ? 1 : i % 64 < 16 ? 2 : 0)],
      // Six numbers: by shape, a box, its score and its class.
      six: [[1, 12, 6], [0, 0, 32, 32, 0.1, 0.9, 3, 0, 35, 32, 0.1, 0.8, 40, 40, 60, 60, 0.7, 0.2, ...Array(54).fill(0)]],
    }, ['--boxes', 'six:form=classes corners=xyxy units=pixels score=0.75 overlap=0.9', '--labels', `scores:${join(work, 'faces.txt')}`, '--labels', `areas:${join(work, 'areas.txt')}`]);
    const file = join(work, 'tokens.onnx'), tokens = join(work, 'tokens'), shape = ['batch', 'sequence'];
    writeFileSync(file, onnxModel({
      inputs: { 'input-ids': ['i64', shape], attention_mask: ['i64', shape], 'half step': ['f16', shape], flags: ['bool', [2]] },
      outputs: { 'the sum': ['i64', shape], halves: ['f16', shape], same: ['bool', [2]] },
      nodes: [
        { op: 'Add', inputs: ['input-ids', 'attention_mask'], outputs: ['the sum'] }, { op: 'Neg', inputs: ['half step'], outputs: ['halves'] },
        { op: 'Identity', inputs: ['flags'], outputs: ['same'] }],
    }));
    execFileSync(process.env.WEBNNC ?? join(root, 'build/webnnc'), [file, '-o', tokens, '--quiet']);
    mkdirSync(join(work, 'large'));
    writeFileSync(join(work, 'large/page.html'), '<!doctype html>');
    server = await serve({ '/large': join(work, 'large'), '/source': join(root, 'runtime-js'), '/mixed': mixed, '/named': named, '/prepared': compile('prepared', { logits: [[1, 3], [0, 3, 0]] }, ['--image', 'imagenet']), '/tokens': tokens }, { csp: STRICT_CSP });
  });
  after(async () => {
    await browser.close();
    await server.close();
  });

  const hasRun = () => document.querySelector('main')?.dataset.state === 'ready' && !document.getElementById('times')?.hidden;
  /** What a card says. @param {string} name */
  const cardOf = (name) => {
    const card = /** @type {HTMLElement} */ (document.querySelector(`[data-output="${name}"]`));
    return { kind: card.dataset.kind, text: card.innerText, bars: [...card.querySelectorAll('.bar')].map((bar) => bar.textContent), cells: [...card.querySelectorAll('td')].map((cell) => cell.textContent), marked: card.querySelector('.marked')?.textContent };
  };
  /** Sets a control of a card, by the label's text. @param {string} name @param {string} label @param {string} value */
  const set = (name, label, value) => {
    const card = /** @type {HTMLElement} */ (document.querySelector(`[data-output="${name}"]`));
    const control = [...card.querySelectorAll('label')].find((one) => one.textContent?.startsWith(label))?.querySelector('input, select');
    if (!(control instanceof HTMLInputElement || control instanceof HTMLSelectElement)) throw new Error(`no ${label}`);
    control.value = value;
    for (const event of ['input', 'change']) control.dispatchEvent(new Event(event));
  };
  /** @param {string} name @param {string} text */
  const press = (name, text) => /** @type {HTMLElement | undefined} */ ([...document.querySelectorAll(`[data-output="${name}"] button`)].find((button) => button.textContent === text))?.click();
  /** @param {import('./harness.mjs').Page} page @param {string} name @param {string} label @param {string} value */
  async function setAndRead(page, name, label, value) {
    await page.evaluate(set, name, label, value);
    await new Promise((done) => setTimeout(done, 100));
    return page.evaluate(cardOf, name);
  }

  test('each output as what it is, and otherwise when asked', async () => {
    const page = await browser.open(`${server.url}/mixed/index.html?backend=wasm`);
    await page.until(hasRun);
    const kinds = await page.evaluate(() => Object.fromEntries([...document.querySelectorAll('[data-output]')].map((card) => [/** @type {HTMLElement} */ (card).dataset.output, /** @type {HTMLElement} */ (card).dataset.kind])));
    assert.deepEqual(kinds, { boxes: 'boxes', scores: 'table', logits: 'classes', embedding: 'vector', numbers: 'table', holes: 'classes', picture: 'heat' });

    // Boxes: of three above the score, two overlap by 0.82.
    assert.deepEqual((await page.evaluate(cardOf, 'boxes')).bars, ['class 090.0 %', 'class 170.0 %']);
    assert.deepEqual((await setAndRead(page, 'boxes', 'Overlap', '0.85')).bars, ['class 090.0 %', 'class 080.0 %', 'class 170.0 %']);
    assert.deepEqual((await setAndRead(page, 'boxes', 'Score', '0.85')).bars, ['class 090.0 %']);
    assert.match((await setAndRead(page, 'boxes', 'Background', 'first')).text, /No boxes; 0 of 12/);
    await setAndRead(page, 'boxes', 'Background', 'none');
    const { bytes } = await page.download(press, 'boxes', 'Boxes as JSON');
    assert.deepEqual(JSON.parse(String(bytes)).map((/** @type {any} */ box) => [box.left, box.top, box.right, box.bottom, box.label]), [[0, 0, 32, 32, 'class 0']]);

    // A softmax of 0, ln 3, 0 is 0.2, 0.6, 0.2.
    assert.deepEqual((await page.evaluate(cardOf, 'logits')).bars, ['class 160.0 %', 'class 020.0 %', 'class 220.0 %']);
    assert.deepEqual((await setAndRead(page, 'logits', 'Values', 'given')).bars, ['class 11.099', 'class 00', 'class 20']);
    assert.equal((await setAndRead(page, 'logits', 'as', 'table')).cells.join(), '0,1.099,0');

    assert.match((await page.evaluate(cardOf, 'embedding')).text, /100 values from 0.5 to 0.5, mean 0.5, length 5\./);
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test('large tables a page at a time, and any element by its index', async () => {
    const page = await browser.open(`${server.url}/mixed/index.html?backend=wasm`);
    await page.until(hasRun);
    // Of many outputs, tables are folded.
    assert.equal((await page.evaluate(cardOf, 'numbers')).cells.length, 0);
    await page.evaluate(press, 'numbers', 'Show');
    await page.until(() => document.querySelectorAll('[data-output=numbers] td').length === 16 * 8);
    const found = await setAndRead(page, 'numbers', 'Go', '39, 29');
    assert.deepEqual([found.marked, found.cells.length], ['599.5', 8 * 6]);
    assert.equal((await setAndRead(page, 'numbers', 'Go', '31')).marked, '15.5');
    assert.match((await setAndRead(page, 'numbers', 'Go', '40, 0')).text, /no element 40, 0 in \[40, 30\]/);
    await page.evaluate(press, 'numbers', '▼');
    assert.equal((await page.evaluate(cardOf, 'numbers')).cells[0], '240');
    await page.close();
  });

  test('what is no number, and saves it', async () => {
    const page = await browser.open(`${server.url}/mixed/index.html?backend=wasm`);
    await page.until(hasRun);
    assert.match((await page.evaluate(cardOf, 'holes')).text, /2 of 4 values are no numbers/);
    const json = await page.download(press, 'holes', 'JSON'), { data } = JSON.parse(String(json.bytes));
    assert.equal(json.name, 'holes.json');
    assert.deepEqual(data.slice(0, 3), [0, 'NaN', '-Infinity']);
    await page.evaluate(press, 'numbers', 'Show');
    const npy = await page.download(press, 'numbers', '.npy');
    assert.equal(npy.name, 'numbers.npy');
    assert.match(String(npy.bytes.subarray(0, 128)), /NUMPY.*'<f4'.*\(40, 30\)/s);
    assert.deepEqual([...new Float32Array(Uint8Array.from(npy.bytes.subarray(128)).buffer)], table);
    const png = await page.download(press, 'picture', 'PNG');
    assert.deepEqual([png.name, png.bytes.toString('latin1', 1, 4), png.bytes.readUInt32BE(16)], ['picture.png', 'PNG', 512]);
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test('a picture in the range that is chosen', async () => {
    const page = await browser.open(`${server.url}/mixed/index.html?backend=wasm`);
    await page.until(hasRun);
    await setAndRead(page, 'picture', 'as', 'picture');
    const reds = () => {
      const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector('[data-output=picture] canvas')), copy = /** @type {OffscreenCanvasRenderingContext2D} */ (new OffscreenCanvas(16, 16).getContext('2d'));
      copy.drawImage(canvas, 0, 0);
      return [...copy.getImageData(0, 0, 16, 16).data].filter((_, i) => i % 4 === 0);
    };
    // Values are -128 to 127.
    assert.deepEqual(await page.evaluate(reds), ramp.map((value) => Math.max(0, value)));
    await setAndRead(page, 'picture', 'Values', 'signed');
    assert.deepEqual(await page.evaluate(reds), ramp.map((value) => value < 0 ? 0 : value > 0 ? 255 : 128));
    await setAndRead(page, 'picture', 'Values', 'spread');
    const spread = await page.evaluate(reds);
    // 1 % and 99 % of the values are -125 and 124.
    assert.ok(spread.every((/** @type {number} */ red, /** @type {number} */ i) => Math.abs(red - Math.min(255, Math.max(0, (ramp[i] + 125) * 255 / 249))) <= 1), String(spread));
    await page.close();
  });

  test('what --boxes cannot mean is refused', () => {
    /** @type {[string, RegExp][]} */
    const cases = [
      ['six:shape=rows', /--boxes: there is no key "shape"[^]*the keys are background, corners, form, scores, units, score, overlap/], ['six:form=yolo', /form cannot be "yolo"[^]*"objects", "columns"/],
      ['six:score=2', /score cannot be "2"[^]*from 0 to 1/], ['six:form=pair', /the output "six" is f32\[1,12,6\], and holds no boxes of the form "pair"/],
      ['seven:form=rows', /--boxes names "seven", which is not an output[^]*"scores", "areas", "six"/], ['corners=xyxy', /several of what it may mean/],
    ];
    for (const [boxes, message] of cases) {
      const { status, stderr } = spawnSync(process.env.WEBNNC ?? join(root, 'build/webnnc'), [join(work, 'named.onnx'), '-o', join(work, 'refused'), '--boxes', boxes], { encoding: 'utf8' });
      assert.equal(status, 1);
      assert.match(stderr, message);
    }
  });

  test('names of classes on boxes and areas, and boxes as a flag says', async () => {
    const page = await browser.open(`${server.url}/named/index.html?backend=wasm`);
    await page.until(hasRun);
    assert.deepEqual((await page.evaluate(cardOf, 'scores')).bars, ['face70.0 %']);
    assert.deepEqual((await page.evaluate(cardOf, 'areas')).bars, ['sea75.0 %', 'land25.0 %']);
    // As --boxes says: two that overlap by 0.83, and the third is too weak.
    assert.deepEqual((await page.evaluate(cardOf, 'six')).bars, ['class 190.0 %', 'class 180.0 %']);
    await page.close();
  });

  test('large outputs without a task over 100 ms', async () => {
    const page = await browser.open(`${server.url}/large/page.html`);
    /** @type {[string, number[]][]} */
    const cases = [['areas', [1, 21, 513, 513]], ['boxes', [1, 25200, 85]], ['vector', [1, 4_000_000]]];
    for (const [name, shape] of cases) {
      await page.evaluate((shape) => {
        const count = shape.reduce((/** @type {number} */ n, /** @type {number} */ size) => n * size);
        Reflect.set(globalThis, 'large', { shape, dataType: 'float32', data: Float32Array.from({ length: count }, (_, i) => Math.sin(i * 12.9)) });
      }, shape);
      const longest = async () => Math.max(...await page.tasks(() => page.evaluate(async (name) => {
        const { Outputs } = await import(/** @type {any} */ ('/source/page/outputs.js')), { jsonOf } = await import(/** @type {any} */ ('/source/page/save.js'));
        const tensor = Reflect.get(globalThis, 'large'), { shape } = tensor;
        const picture = Object.assign(document.createElement('canvas'), { width: name === 'boxes' ? 640 : 513, height: name === 'boxes' ? 640 : 513 });
        const outputs = new Outputs(document.body);
        await outputs.show({ inputs: [{ image: { layout: 'nchw', channels: 3 } }], outputs: [{ name, shape, dataType: 'float32' }] }, { [name]: tensor }, name === 'vector' ? undefined : picture);
        await jsonOf(tensor);
      }, name)));
      // Counted is the thread's own time, whatever else the machine does. The engine may collect garbage in one of them.
      let best = await longest();
      for (let i = 0; i < 2 && best > 100; ++i) best = Math.min(best, await longest());
      assert.ok(best <= 100, `${name}: ${best} ms`);
    }
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  /** Puts a script into a page beside the model, and gives what it logs. @param {string} name @param {string} script */
  async function paste(name, script) {
    const folder = join(work, name);
    writeFileSync(join(folder, 'script.js'), script);
    writeFileSync(join(folder, 'record.js'), 'globalThis.logged = []; console.log = (...values) => logged.push(...values.map((value) => ArrayBuffer.isView(value) ? Array.from(value, Number) : value));');
    writeFileSync(join(folder, 'page.html'), '<!doctype html><script src="record.js"></script><script type="module" src="script.js"></script>');
    const page = await browser.open(`${server.url}/${name}/page.html`), count = (script.match(/console.log/g) ?? []).length;
    await page.until((count) => /** @type {any} */ (globalThis).logged.length === count, count);
    const logged = await page.evaluate(() => /** @type {any} */ (globalThis).logged);
    // There is no GPU, which Chromium says.
    assert.deepEqual(page.problems.filter((problem) => problem !== 'No available adapters.'), []);
    await page.close();
    return logged;
  }

  const third = { score: Math.log(3), index: 1, label: '1' };
  /** @type {[string, string, RegExp[], (logged: any[]) => void][]} */
  const pasted = [
    ['mixed', 'scaling=imagenet&fit=contain', [/imageTensor\(picture, { width: 64, height: 64, resize: 'contain', range: '0..1', mean: \[0.485, 0.456, 0.406\], std: \[0.229, 0.224, 0.225\] }\)/],
      (logged) => {
        assert.ok(Math.abs(logged[2][0].score - third.score) < 1e-6 && logged[2][0].index === 1, JSON.stringify(logged[2]));
        assert.deepEqual(logged[4], table);
      }],
    ['prepared', '', [/image: picture,/], ([classes]) => assert.deepEqual(classes[0], { index: 1, label: '1', score: 3 })],
    ['tokens', '', [/"input-ids": { data: new BigInt64Array\(8\), shape: \[1, 8\] }/, /attention_mask: .*\.fill\(1n\)/],
      (logged) => assert.deepEqual(logged, [Array(8).fill(1), Array(8).fill(-0), [0, 0]])],
  ];
  for (const [name, query, patterns, check] of pasted) {
    test(`a script for ${name} that runs as it is`, async () => {
      const page = await browser.open(`${server.url}/${name}/index.html?backend=wasm&${query}`);
      await page.until(hasRun);
      const read = () => document.getElementById('snippet')?.textContent;
      const script = await page.evaluate(read);
      for (const pattern of patterns) assert.match(script, pattern);
      check(await paste(name, script));
      await page.evaluate(() => document.getElementById('tab-ts')?.click());
      const typed = await page.evaluate(read);
      assert.match(typed, /: Model = await/);
      writeFileSync(join(work, name, 'script.ts'), typed);
      assert.deepEqual(page.problems, []);
      await page.close();
    });
  }

  test('scripts in TypeScript that are right in its strictest eyes', () => {
    const options = ['--strict', '--noEmit', '--noUnusedLocals', '--target', 'es2022', '--module', 'esnext', '--moduleResolution', 'bundler', '--lib', 'es2022,dom'];
    execFileSync(process.execPath, [join(root, 'tests/web/node_modules/typescript/bin/tsc'), ...options, ...pasted.map(([name]) => join(work, name, 'script.ts'))], { encoding: 'utf8' });
  });
});
