// What the command line does when all is well.
//
//   WEBNNC=build/webnnc node --test tests/cli/output.test.mjs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { onnxModel } from '../onnx_model.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const digits = join(root, 'models/digits/digits.onnx');
const FILES = ['index.html', 'model.d.ts', 'model.js', 'model.profile.js', 'model.relaxed.wasm', 'model.shaders.json', 'model.wasm', 'model.weights.bin', 'model.worker.js',
  'package.json', 'page.css', 'page.js', 'page.worker.js', 'report.css', 'report.html', 'report.js'];
/** @type {string} */
let folder;

before(() => { folder = mkdtempSync(join(tmpdir(), 'webnnc-output-')); });
after(() => rmSync(folder, { recursive: true }));

/** @param {string[]} flags */
function run(...flags) {
  const { status, stdout, stderr } = spawnSync(webnnc, flags, { encoding: 'utf8', maxBuffer: 1 << 28 });
  assert.equal(status, 0, stderr);
  return stdout;
}

/** @param {string} module */
async function manifestOf(module) {
  const [section] = WebAssembly.Module.customSections(await WebAssembly.compile(readFileSync(module)), 'webnnc.manifest');
  return JSON.parse(new TextDecoder().decode(section));
}

/** The steps that --help-steps lists. */
const steps = [...run('--help-steps').matchAll(/^ {2}(\S+) /gm)].map((match) => match[1]);

test('the folder has all files and the same bytes each time', () => {
  const first = join(folder, 'first'), second = join(folder, 'second');
  assert.match(run(digits, '-o', first), /kernels on wasm, model\.wasm .* kB, weights [\d.]+ kB, [\d.]+ s\n$/);
  assert.equal(run(digits, '-o', second, '--quiet'), '');
  assert.deepEqual(readdirSync(first).sort(), FILES);
  for (const file of FILES) assert.deepEqual(readFileSync(join(first, file)), readFileSync(join(second, file)), file);
});

// What is done on several cores is put together in an order of its own.
test('one core makes the same bytes as many', () => {
  const core = /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  const compile = (/** @type {string[]} */ ...before) => {
    const out = join(folder, 'cores'), [program, ...args] = [...before, webnnc, digits, '-o', out, '--quiet'];
    const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    const files = new Map(readdirSync(out).map((name) => [name, readFileSync(join(out, name))]));
    rmSync(out, { recursive: true });
    return files;
  };
  assert.deepEqual(compile('taskset', '-c', core), compile());
});

test('an earlier result is replaced as a whole', () => {
  const out = join(folder, 'replaced');
  mkdirSync(out);
  run(digits, '-o', out, '--quiet');
  run(digits, '-o', `${out}/`, '--quiet');
  assert.deepEqual(readdirSync(out).sort(), FILES);
  assert.deepEqual(readdirSync(folder).filter((name) => name.startsWith('.')), []);
});

test("a project's own package.json is not replaced", () => {
  const out = join(folder, 'project');
  mkdirSync(out);
  writeFileSync(join(out, 'package.json'), '{ "name": "mine" }');
  const { status, stderr } = spawnSync(webnnc, [digits, '-o', out], { encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /it holds package.json, which webnnc did not write/);
  assert.equal(readFileSync(join(out, 'package.json'), 'utf8'), '{ "name": "mine" }');
});

test('every module describes itself', async () => {
  const out = join(folder, 'described');
  run(digits, '-o', out, '--quiet');
  const manifest = await manifestOf(join(out, 'model.wasm'));
  assert.equal(manifest.name, 'digits');
  assert.deepEqual(manifest.inputs, [{ name: 'image', dataType: 'float32', shape: [1, 1, 28, 28],
    image: { layout: 'nchw', channels: 1, height: 28, width: 28 } }]);
  assert.deepEqual(manifest.outputs, [{ name: 'digit_probabilities', dataType: 'float32', shape: [1, 10] }]);
  assert.match(manifest.build, /^[0-9a-f]{16}$/);
  assert.ok(manifest.programs.some((program) => program.kind === 'wasm' && program.steps.length > 0));
});

test('sizes can be opened by --input and fixed by --dim', async () => {
  const out = join(folder, 'sizes');
  run(digits, '-o', out, '--quiet', '--input', 'image:batch,1,28,28');
  assert.deepEqual((await manifestOf(join(out, 'model.wasm'))).outputs[0].shape, ['batch', 10]);
  run(digits, '-o', out, '--quiet', '--input', 'image:batch,1,28,28', '--dim', 'batch=4');
  assert.deepEqual((await manifestOf(join(out, 'model.wasm'))).inputs[0].shape, [4, 1, 28, 28]);
});

test('every step can be printed, and is what --dump writes', () => {
  const dump = join(folder, 'dump');
  run(digits, '-o', join(folder, 'dumped'), '--dump', dump, '--quiet');
  const files = readdirSync(dump);
  assert.ok(steps.includes('import') && steps.includes('spirv') && steps.includes('wasm'));
  for (const file of files) assert.ok(steps.includes(file.replace(/^\d+-(.*)\..*$/, '$1')), file);
  // One of each kind: graphs, programs, text.
  for (const step of ['import', 'transposes', 'program', 'schedule', 'memory', 'llvm']) {
    const file = files.find((name) => name.includes(`-${step}.`));
    assert.ok(file, step);
    assert.equal(run(digits, '--emit', step), readFileSync(join(dump, file), 'utf8'), step);
  }
});

test('what is split for a GPU is seen', () => {
  const names = Array.from({ length: 12 }, (_, i) => `x${i}`), path = join(folder, 'concat.onnx');
  writeFileSync(path, onnxModel({
    inputs: Object.fromEntries(names.map((name) => [name, ['f32', [2]]])), outputs: { y: ['f32', [24]] },
    nodes: [{ op: 'Concat', inputs: names, outputs: ['y'], attributes: { axis: 0 } }],
  }));
  const operands = (/** @type {string[]} */ ...flags) => [...run(path, '--emit', 'split-concats', ...flags).matchAll(/= concat\(([^)]*)\)/g)]
    .map(([, list]) => list.split('%').length - 1);
  assert.deepEqual(operands('--target', 'wasm'), [12]);
  // WebGPU binds 8 buffers, one of which is the result.
  const split = operands();
  assert.ok(split.length > 1 && Math.max(...split) <= 7, `${split}`);
});

test('--emit lowering ends with the kernels that code is made of', () => {
  // The schedule and the flat kernel of each, with what is between passes taken out.
  const lowered = run(digits, '--emit', 'lowering').split(/^; ---- /m).slice(1).map((part) => {
    const passes = part.split(/^; /m);
    assert.deepEqual(passes.slice(1).map((pass) => /^[\w-]+/.exec(pass)?.[0]), / on wasm\n/.test(part)
      ? ['schedule', 'flatten', 'vectorize', 'unroll', 'unpack-words', 'promote-half', 'simplify', 'guard-sums']
      : ['schedule', 'give-thread', 'flatten', 'vectorize', 'unroll', 'share-memory', 'simplify', 'guard-stores', 'legalize']);
    const last = passes.findLast((pass) => pass.includes('\nkernel @'));
    return last?.slice(last.indexOf('kernel @')).trim();
  });
  const flat = run(digits, '--emit', 'schedule').split('; flat\n').slice(1).map((part) => part.slice(0, part.search(/\n\}\n/) + 2));
  assert.ok(lowered.length > 4);
  assert.deepEqual(lowered, flat);
});

test('--explain says which nodes a kernel computes, and how', () => {
  const text = run(digits, '-o', join(folder, 'explained'), '--explain');
  assert.match(text, /program for wasm: \d+ dispatches of \d+ kernels for \d+ nodes/);
  assert.match(text, /kernel @\S+: contraction, computes 2 nodes\n {4}node "\/conv1\/Conv"/);
  assert.match(text, /memory: [\d.]+ kB for activations/);
  assert.match(text, /times\n {2}import/);
});

test('--version', () => assert.match(run('--version'), /^webnnc \d+\.\d+\.\d+\n$/));
