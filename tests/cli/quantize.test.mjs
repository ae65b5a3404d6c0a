// --quantize: how many bytes weights have then, and what is said of the results.
//
//   WEBNNC=build/webnnc node --test tests/cli/quantize.test.mjs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { onnxModel } from '../onnx_model.mjs';

const webnnc = process.env.WEBNNC ?? 'build/webnnc';
/** @type {string} */
let folder;
before(() => { folder = mkdtempSync(join(tmpdir(), 'webnnc-quantize-')); });
after(() => rmSync(folder, { recursive: true }));

/** @param {string[]} flags */
function run(...flags) {
  const { status, stdout, stderr } = spawnSync(webnnc, flags, { encoding: 'utf8', timeout: 60000, cwd: folder });
  return { status, stdout, stderr };
}
/** The bytes of the weights file. @param {string[]} flags */
function weightsOf(...flags) {
  const { status, stderr } = run(...flags, '-o', 'out', '--quiet', '--no-report');
  assert.equal(status, 0, stderr);
  return statSync(join(folder, 'out/model.weights.bin')).size;
}

/** Numbers that are the same each time, evenly between -1 and 1. @param {(number | string)[]} shape */
function madeUp(shape) {
  const values = new Float32Array(shape.reduce((count, size) => count * Number(size), 1));
  let state = 7;
  for (let i = 0; i < values.length; ++i) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = state / 2 ** 31 - 1;
  }
  return { type: /** @type {['f32', number[]]} */ (['f32', shape]), bytes: new Uint8Array(values.buffer) };
}

describe('the weights file', () => {
  before(() => writeFileSync(join(folder, 'product.onnx'), onnxModel({
    inputs: { x: ['f32', ['n', 256]] }, outputs: { y: ['f32', ['n', 512]] },
    nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['m'] }, { op: 'Add', inputs: ['m', 'b'], outputs: ['y'] }],
    constants: { w: madeUp([256, 512]), b: madeUp([512]) },
  })));

  const elements = 256 * 512, bias = 512 * 4;
  for (const [format, bytes] of /** @type {[string, number][]} */ ([
    ['f16', 2 * elements], ['int8', elements + 512 * 4], ['int4', elements / 2 + elements / 32 * 2], ['int4:64', elements / 2 + elements / 64 * 2],
  ])) {
    test(`has as many bytes as ${format} takes, with scales and what stays`, () => {
      for (const target of ['wasm', 'webgpu', 'webgpu,wasm']) {
        // Each weight begins at a multiple of 256.
        const size = weightsOf('product.onnx', '--quantize', format, '--target', target);
        assert.ok(size >= bytes + bias && size < bytes + bias + 3 * 256, `${size} on ${target}, not ${bytes + bias}`);
      }
    });
  }

  test('has a table once that a product is by, too', () => {
    // A language model's ends.
    writeFileSync(join(folder, 'tied.onnx'), onnxModel({
      inputs: { ids: ['i64', ['n']] }, outputs: { y: ['f32', ['n', 512]] },
      nodes: [
        { op: 'Gather', inputs: ['table', 'ids'], outputs: ['x'] },
        { op: 'Transpose', inputs: ['table'], outputs: ['columns'], attributes: { perm: [1, 0] } },
        { op: 'MatMul', inputs: ['x', 'columns'], outputs: ['y'] },
      ],
      constants: { table: madeUp([512, 128]) },
    }));
    const bytes = 512 * 128;
    // Scales of rows are those of columns, too, in another shape.
    for (const [flags, expected] of /** @type {[string[], number][]} */ ([
      [[], 4 * bytes], [['--quantize', 'f16'], 2 * bytes], [['--quantize', 'int8'], bytes + 2 * 512 * 4], [['--quantize', 'int4'], bytes / 2 + bytes / 32 * 2],
    ])) {
      const size = weightsOf('tied.onnx', ...flags);
      assert.ok(size >= expected && size < expected + 3 * 256, `${flags.join(' ')}: ${size}, not ${expected}`);
    }
  });

  test('has small weights as they are', () => {
    writeFileSync(join(folder, 'small.onnx'), onnxModel({
      inputs: { x: ['f32', ['n', 32]] }, outputs: { y: ['f32', ['n', 128]] },
      nodes: [{ op: 'MatMul', inputs: ['x', 'small'], outputs: ['h'] }, { op: 'MatMul', inputs: ['h', 'w'], outputs: ['y'] }],
      constants: { small: madeUp([32, 32]), w: madeUp([32, 128]) },
    }));
    const size = weightsOf('small.onnx', '--quantize', 'int8'), expected = 32 * 32 * 4 + 32 * 128 + 128 * 4;
    assert.ok(size >= expected && size < expected + 3 * 256, `${size}, not ${expected}`);
  });
});

describe('a flag that says nothing', () => {
  for (const text of ['int5', 'int4:0', 'int4:33', 'int4:', 'int8:32', 'f16:32', 'int4:2048']) {
    test(`is refused: ${text}`, () => {
      const { status, stderr } = run('product.onnx', '-o', 'refused', '--quantize', text);
      assert.equal(status, 2);
      assert.match(stderr, /--quantize: .* is not of the form/);
    });
  }
});

// ---- What it costs

/**
 * A file as numpy.save writes it, into the folder.
 *
 * @param {string} name @param {number[]} shape @param {ArrayBufferView} data @param {{descr?: string, order?: string, version?: number}} [how]
 */
function writeNpy(name, shape, data, { descr = '<f4', order = 'False', version = 1 } = {}) {
  const header = `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': (${shape.map((size) => `${size}, `).join('')}), }\n`;
  const length = version === 1 ? Uint8Array.of(header.length & 255, header.length >> 8) : new Uint8Array(Uint32Array.of(header.length).buffer);
  writeFileSync(join(folder, name), Buffer.concat([Buffer.from([0x93, ...Buffer.from('NUMPY'), version, 0]), length, Buffer.from(header),
    Buffer.from(data.buffer, data.byteOffset, data.byteLength)]));
}

/** Two inputs and two outputs, one of which is an integer for each row. */
const scores = () => onnxModel({
  inputs: { x: ['f32', ['n', 96]], y: ['f32', ['n', 96]] }, outputs: { scores: ['f32', ['n', 128]], best: ['i64', ['n', 1]] },
  nodes: [
    { op: 'Mul', inputs: ['x', 'y'], outputs: ['z'] },
    { op: 'MatMul', inputs: ['z', 'w'], outputs: ['scores'] },
    { op: 'ArgMax', inputs: ['scores'], outputs: ['best'], attributes: { axis: 1 } },
  ],
  constants: { w: madeUp([96, 128]) },
});
/** @param {number} rows @param {number} step */
const values = (rows, step) => Float32Array.from({ length: rows * 96 }, (_, i) => Math.sin(i * step));

/** @param {string} out @param {{x: Float32Array, y: Float32Array}[]} samples */
async function runBundle(out, samples) {
  const { load } = await import(pathToFileURL(join(folder, out, 'model.js')).href), model = await load({ backend: 'wasm' });
  const results = [];
  for (const { x, y } of samples) results.push(await model.run({ x: { data: x, shape: [x.length / 96, 96] }, y: { data: y, shape: [y.length / 96, 96] } }));
  model.dispose();
  return results;
}

describe('what it costs', () => {
  const samples = [[400, 0.37], [300, 0.011]].map(([rows, step]) => ({ x: values(rows, step), y: values(rows, 1) }));
  const calibrate = ['x=x0.npy', 'x=x1.npy', 'y=y0.npy', 'y=y1.npy'].flatMap((file) => ['--calibrate', file]);
  before(() => {
    writeFileSync(join(folder, 'scores.onnx'), scores());
    samples.forEach(({ x, y }, i) => {
      writeNpy(`x${i}.npy`, [x.length / 96, 96], x);
      // What Python makes by itself has 64 bits.
      writeNpy(`y${i}.npy`, [y.length / 96, 96], Float64Array.from(y), { descr: '<f8', version: 1 + i });
    });
    assert.equal(run('scores.onnx', '-o', 'float', '--target', 'wasm', '--quiet').status, 0);
  });

  for (const format of ['f16', 'int8', 'int4', 'int4:96']) {
    test(`as ${format} is what the results of the bundle differ by`, async () => {
      const out = `as-${format.replace(':', '-')}`;
      const { status, stdout, stderr } = run('scores.onnx', '-o', out, '--target', 'wasm', '--json', '--quantize', format, ...calibrate);
      assert.equal(status, 0, stderr);
      const { quantization } = JSON.parse(stdout);
      assert.deepEqual([quantization.inputs, quantization.madeUp], [2, false]);
      const told = Object.fromEntries(quantization.errors.map((/** @type {any} */ { output, error }) => [output, error]));
      const [before, after] = [await runBundle('float', samples), await runBundle(out, samples)];
      const expected = { scores: 0, best: 0 };
      before.forEach((sample, i) => {
        let differences = 0, squares = 0, others = 0;
        sample.scores.data.forEach((/** @type {number} */ value, /** @type {number} */ at) => {
          differences += (after[i].scores.data[at] - value) ** 2;
          squares += value ** 2;
        });
        sample.best.data.forEach((/** @type {bigint} */ value, /** @type {number} */ at) => others += Number(after[i].best.data[at] !== value));
        expected.scores = Math.max(expected.scores, Math.sqrt(differences / squares));
        expected.best = Math.max(expected.best, others / sample.best.data.length);
      });
      // Three digits are told; and sums in another order are off by some 2^-24 of their terms.
      assert.ok(Math.abs(told.scores - expected.scores) < 0.006 * expected.scores + 1e-6, `${told.scores} is told, and it is ${expected.scores}`);
      assert.ok(Math.abs(told.best - expected.best) <= 1 / 300, `${told.best} is told, and it is ${expected.best}`);
    });
  }

  test('may not exceed a budget', () => {
    const flags = ['scores.onnx', '-o', 'budget/here', '--target', 'wasm', '--quantize', 'int4', ...calibrate];
    const { status, stderr } = run(...flags, '--max-error', '1%');
    assert.equal(status, 1);
    assert.match(stderr, /output "(scores|best)" differs by 0\.\d+ of its size from float32's, and --max-error allows 0.01\n {2}note: types of more bits/);
    assert.ok(!existsSync(join(folder, 'budget')));
    assert.equal(run(...flags, '--max-error', '0.9', '--quiet').status, 0);
  });

  test('is told on a made-up input where there are none, and that it was made up', () => {
    const { stdout, stderr } = run('scores.onnx', '-o', 'made-up', '--target', 'wasm', '--quantize', 'int8');
    assert.match(stdout, /weights \d+.* kB, results differ by [\d.]+ % on made-up inputs/, stderr);
    assert.match(run('scores.onnx', '-o', 'made-up', '--target', 'wasm', '--quantize', 'int8', '--max-error', '1e-6').stderr, /note: the inputs were made up: --calibrate tells on yours/);
  });

  test('needs inputs that the model takes', () => {
    writeNpy('short.npy', [4, 95], new Float32Array(4 * 95));
    writeNpy('integers.npy', [1, 96], new Int32Array(96), { descr: '<i4' });
    writeNpy('fortran.npy', [4, 96], new Float32Array(4 * 96), { order: 'True' });
    writeNpy('big.npy', [4, 96], new Float32Array(4 * 96), { descr: '>f4' });
    writeNpy('cut.npy', [5, 96], new Float32Array(4 * 96));
    writeNpy('nan.npy', [1, 96], new Float32Array(96).fill(NaN));
    writeFileSync(join(folder, 'text.npy'), 'this is no tensor');
    const refused = (/** @type {string[]} */ ...files) => {
      const { status, stderr } = run('scores.onnx', '-o', 'refused', '--target', 'wasm', '--quantize', 'int8', ...files.flatMap((file) => ['--calibrate', file]));
      assert.equal(status, 1);
      assert.ok(!existsSync(join(folder, 'refused')));
      return stderr;
    };
    assert.match(refused('x=short.npy', 'y=y0.npy'), /--calibrate short.npy for input "x": it is f32\[4,95\], but the model takes f32\[n,96\]/);
    assert.match(refused('x=integers.npy', 'y=y0.npy'), /--calibrate integers.npy for input "x": it is i32\[1,96\], but the model takes f32/);
    assert.match(refused('x=fortran.npy', 'y=y0.npy'), /fortran.npy is in Fortran order\n {2}note: save numpy.ascontiguousarray\(x\)/);
    assert.match(refused('x=big.npy', 'y=y0.npy'), /big.npy holds elements of type '>f4'/);
    assert.match(refused('x=cut.npy', 'y=y0.npy'), /cut.npy holds 1536 bytes, but f32\[5,96\] has 1920/);
    assert.match(refused('x=nan.npy', 'y=y0.npy'), /nan.npy for input "x": element 0 is nan, which is not finite/);
    assert.match(refused('x=text.npy', 'y=y0.npy'), /text.npy is not a .npy file\n {2}note: numpy.save makes one/);
    assert.match(refused('x=none.npy', 'y=y0.npy'), /none.npy/);
    assert.match(refused('x0.npy'), /--calibrate x0.npy does not say which input it is for\n {2}note: write NAME=FILE, where NAME is one of "x", "y"/);
    assert.match(refused('x=x0.npy'), /--calibrate gives 0 files for input "y", and 1 for another\n {2}note: each input needs as many, or one/);
    assert.match(refused('x=x0.npy', 'y=y1.npy'), /for these inputs|input "y" is f32\[300,96\], but the model takes/);
  });

  test('takes all files behind it, and says so where the model is among them', () => {
    const { status, stderr } = run('--quantize', 'int8', '--calibrate', 'x=x0.npy', 'scores.onnx', '-o', 'refused');
    assert.equal(status, 2);
    assert.match(stderr, /error: MODEL is required\n {2}note: what follows --calibrate are its files: write MODEL before it\n/);
  });

  test('is about --quantize, and about weights', () => {
    for (const flags of [['--calibrate', 'x=x0.npy'], ['--max-error', '0.1']]) {
      const { status, stderr } = run('scores.onnx', '-o', 'refused', ...flags);
      assert.equal(status, 2);
      assert.match(stderr, /is about what --quantize and --precision make of results, and neither is given/);
    }
    assert.equal(run('scores.onnx', '-o', 'refused', '--quantize', 'int8', '--max-error', 'little').status, 2);
    writeFileSync(join(folder, 'sum.onnx'), onnxModel({ inputs: { x: ['f32', [4]] }, outputs: { y: ['f32', [4]] }, nodes: [{ op: 'Add', inputs: ['x', 'x'], outputs: ['y'] }] }));
    const { status, stderr } = run('sum.onnx', '-o', 'refused', '--quantize', 'int8');
    assert.equal(status, 1);
    assert.match(stderr, /--quantize int8: there is no weight that would become smaller by it/);
  });
});
