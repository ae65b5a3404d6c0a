// Models and folders that were made to do harm: extreme integers, links, names, missing memory.
//
//   WEBNNC=build/webnnc node --test tests/cli/hostile.test.mjs
//
// Expected results are NumPy's.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { onnxModel } from '../onnx_model.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const digits = join(root, 'models/digits/digits.onnx');
const LOWEST = -(2n ** 63n), HIGHEST = 2n ** 63n - 1n;
/** @type {string} */
let folder;

before(() => { folder = mkdtempSync(join(tmpdir(), 'webnnc-hostile-')); });
after(() => rmSync(folder, { recursive: true }));

/** @param {string} name @param {Buffer} bytes */
function write(name, bytes) {
  const file = join(folder, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, bytes);
  return file;
}

/** @param {string} file @param {string[]} flags */
function compile(file, ...flags) {
  const out = mkdtempSync(join(folder, 'out-'));
  const { status, stderr, signal } = spawnSync(webnnc, [file, '-o', out, '--target', 'wasm', ...flags],
    { encoding: 'utf8', timeout: 60000 });
  assert.equal(signal, null, stderr);
  return { status, stderr, out };
}

/** Refused, with all of these texts, and nothing left. @param {string} file @param {RegExp[]} texts @param {string[]} flags */
function refuses(file, texts, ...flags) {
  const { status, stderr, out } = compile(file, ...flags);
  assert.notEqual(status, 0, `${file} compiles`);
  for (const text of texts) assert.match(stderr, text);
  assert.deepEqual(readdirSync(out), []);
  return stderr;
}

/** @param {Buffer} bytes @param {Record<string, any>} inputs */
async function run(bytes, inputs) {
  const { status, stderr, out } = compile(write('model.onnx', bytes), '--quiet');
  assert.equal(status, 0, stderr);
  const { load } = await import(pathToFileURL(join(out, 'model.js')).href);
  const model = await load({ backend: 'wasm' });
  const outputs = await model.run(inputs);
  model.dispose();
  return [...outputs.y.data];
}

const ten = Float32Array.from({ length: 10 }, (_, i) => i);

test('slices by the longest steps take the first element', async () => {
  const slice = (/** @type {bigint} */ start, /** @type {bigint} */ end, /** @type {bigint} */ step) => onnxModel({
    inputs: { x: ['f32', [10]] }, outputs: { y: ['f32', ['k']] },
    nodes: [{ op: 'Slice', inputs: ['x', 'starts', 'ends', 'axes', 'steps'], outputs: ['y'] }],
    constants: { starts: [start], ends: [end], axes: [0n], steps: [step] },
  });
  // np.arange(10)[-1:-11:-2**63] and its neighbours
  assert.deepEqual(await run(slice(-1n, -11n, LOWEST), { x: ten }), [9]);
  assert.deepEqual(await run(slice(9n, LOWEST, LOWEST + 1n), { x: ten }), [9]);
  assert.deepEqual(await run(slice(0n, HIGHEST, HIGHEST), { x: ten }), [0]);
  assert.deepEqual(await run(slice(HIGHEST, LOWEST, -3n), { x: ten }), [9, 6, 3, 0]);
  assert.deepEqual(await run(slice(LOWEST, HIGHEST, 4n), { x: ten }), [0, 4, 8]);
});

/** x[0:count] where `count` is computed by these nodes. @param {any[]} nodes @param {Record<string, bigint[]>} constants */
const counted = (nodes, constants) => onnxModel({
  inputs: { x: ['f32', [10]] }, outputs: { y: ['f32', ['k']] },
  nodes: [...nodes, { op: 'Slice', inputs: ['x', 'zero', 'count'], outputs: ['y'] }],
  constants: { ...constants, zero: [0n] },
});

test('arithmetic of sizes wraps as ONNX Runtime\'s does', async () => {
  for (const [op, other, tail] of /** @type {[string, bigint, number][]} */ ([['Div', -1n, 0], ['Mod', -1n, 0], ['Sub', 1n, 10]])) {
    const model = counted([{ op, inputs: ['lowest', 'other'], outputs: ['count'] }], { lowest: [LOWEST], other: [other] });
    assert.equal((await run(model, { x: ten })).length, tail, op);
  }
  const sum = counted([{ op: 'Add', inputs: ['a', 'b'], outputs: ['over'] }, { op: 'Add', inputs: ['over', 'c'], outputs: ['count'] }],
    { a: [HIGHEST], b: [4n], c: [LOWEST + 1n] });
  // HIGHEST + 4 wraps to LOWEST + 3, and that + LOWEST + 1 to 4.
  assert.equal((await run(sum, { x: ten })).length, 4);
});

test('a run that divides the lowest integer is refused where that is no size', async () => {
  const model = onnxModel({
    inputs: { x: ['f32', ['n']] }, outputs: { y: ['f32', ['k']] },
    nodes: [{ op: 'Shape', inputs: ['x'], outputs: ['s'] }, { op: 'Mul', inputs: ['s', 'lowest'], outputs: ['m'] },
      { op: 'Div', inputs: ['m', 'minus'], outputs: ['d'] }, { op: 'Reshape', inputs: ['x', 'd'], outputs: ['y'] }],
    constants: { lowest: [LOWEST], minus: [-1n] },
  });
  // Ten times that wraps to 0, by which Reshape means the size that x has; of nine it is no size.
  assert.deepEqual(await run(model, { x: ten }), [...ten]);
  await assert.rejects(run(model, { x: ten.slice(1) }), { name: 'InputError' });
});

test('ranges at the ends of 64 bits', async () => {
  const range = (/** @type {bigint[]} */ ends) => onnxModel({
    inputs: { x: ['f32', [1]] }, outputs: { y: ['i64', ['k']] },
    nodes: [...['a', 'b', 'c'].map((name) => ({ op: 'Squeeze', name, inputs: [`v${name}`], outputs: [name] })),
      { op: 'Range', inputs: ['a', 'b', 'c'], outputs: ['y'] }],
    constants: { va: [ends[0]], vb: [ends[1]], vc: [ends[2]] },
  });
  const x = new Float32Array(1);
  assert.deepEqual(await run(range([0n, -10n, LOWEST]), { x }), [0n]);
  assert.deepEqual(await run(range([LOWEST, LOWEST + 5n, 2n]), { x }), [LOWEST, LOWEST + 2n, LOWEST + 4n]);
  refuses(write('range.onnx', range([HIGHEST, LOWEST, LOWEST])), [/Range/, /absurd|too large/]);
  refuses(write('range.onnx', range([LOWEST, HIGHEST, 1n])), [/Range/, /absurd|too large/]);
});

test('antialiasing takes no more than the result needs, and nothing has nothing to resize', async () => {
  const resize = (/** @type {number} */ from, /** @type {bigint} */ to, antialias = 1) => onnxModel({
    inputs: { x: ['f32', [1, 1, 1, from]] }, outputs: { y: ['f32', [1, 1, 1, 'k']] }, opset: 18,
    nodes: [{ op: 'Resize', inputs: ['x', '', '', 'sizes'], outputs: ['y'], attributes: { mode: 'linear', antialias } }],
    constants: { sizes: [1n, 1n, 1n, to] },
  });
  const { status, stderr } = compile(write('matrix.onnx', resize(30000, 2000000n)));
  assert.equal(status, 0, stderr);
  assert.equal(compile(write('matrix.onnx', resize(20000, 19999n))).status, 0);
  for (const antialias of [0, 1]) refuses(write('nothing.onnx', resize(0, 4n, antialias)), [/Resize/, /no elements/]);
  // Pillow: Image.fromarray(ramp).resize((4, 1), BILINEAR), of 0..7, in the middle.
  const y = await run(resize(8, 4n), { x: ten.subarray(0, 8) });
  assert.ok(Math.abs(y[1] - 2.5) < 1e-5 && Math.abs(y[2] - 4.5) < 1e-5, String(y));
});

/** A model with weights in a file. @param {string} location */
function externalModel(location) {
  const model = onnxModel({
    inputs: { x: ['f32', [4]] }, outputs: { y: ['f32', [4]] },
    nodes: [{ op: 'Add', inputs: ['x', 'w'], outputs: ['y'] }],
  });
  const field = (/** @type {number} */ number, /** @type {Buffer} */ content) => {
    assert.ok(content.length < 128);
    return Buffer.concat([Buffer.from([number << 3 | 2, content.length]), content]);
  };
  const entry = Buffer.concat([field(1, Buffer.from('location')), field(2, Buffer.from(location))]);
  const tensor = Buffer.concat([Buffer.from([8, 4, 16, 1]), field(8, Buffer.from('w')), field(13, entry), Buffer.from([112, 1])]);
  // Graphs that follow each other in a message are one graph.
  return Buffer.concat([model, field(7, field(5, tensor))]);
}

test('weights are read from the model\'s folder alone, links followed', () => {
  const weights = Buffer.from(Float32Array.of(1, 2, 3, 4).buffer);
  const outside = write('elsewhere/secret.bin', weights);
  const model = write('given/model.onnx', externalModel('link.bin'));
  symlinkSync('../elsewhere/secret.bin', join(folder, 'given/link.bin'));
  refuses(model, [/"link\.bin" is a link to ".*secret\.bin"/, /--allow-external/]);
  assert.equal(compile(model, '--allow-external', dirname(outside)).status, 0);
  assert.equal(compile(model, '--allow-external', outside).status, 0);
  refuses(model, [/--allow-external: .*nowhere/], '--allow-external', join(folder, 'nowhere'));

  symlinkSync('..', join(folder, 'given/up'));
  refuses(write('given/folder.onnx', externalModel('up/elsewhere/secret.bin')), [/is a link to/]);
  const parent = write('given/parent.onnx', externalModel('../elsewhere/secret.bin'));
  refuses(parent, [/not a path inside/]);
  assert.equal(compile(parent, '--allow-external', dirname(outside)).status, 0);
  refuses(write('given/nul.onnx', externalModel('link.bin\0.txt')), [/link\.bin\\x00\.txt.*not a path/]);
});

test('a cache of links into one folder works as it is', () => {
  write('cache/blobs/a1', externalModel('model.onnx_data'));
  write('cache/blobs/b2', Buffer.from(Float32Array.of(1, 2, 3, 4).buffer));
  mkdirSync(join(folder, 'cache/snapshots/main/onnx'), { recursive: true });
  for (const [name, blob] of [['model.onnx', 'a1'], ['model.onnx_data', 'b2']])
    symlinkSync(`../../../blobs/${blob}`, join(folder, 'cache/snapshots/main/onnx', name));
  const { status, stderr } = compile(join(folder, 'cache/snapshots/main/onnx/model.onnx'));
  assert.equal(status, 0, stderr);
});

test('nobody waits for a pipe', () => {
  const pipe = join(folder, 'pipe');
  assert.equal(spawnSync('mkfifo', [pipe]).status, 0);
  refuses(pipe, [/not a regular file/]);
  refuses(write('piped.onnx', externalModel('pipe')), [/not a regular file/]);
  for (const flag of ['--labels', '--schedules', '--profile']) refuses(digits, [/not a regular file/], flag, pipe);
});

test('no message commands a terminal or is endless', () => {
  const model = (/** @type {string} */ op) => onnxModel({
    inputs: { x: ['f32', [4]] }, outputs: { y: ['f32', [4]] }, nodes: [{ op, inputs: ['x'], outputs: ['y'] }],
  });
  for (const name of ['\x1b[31mred\x1b[2J', 'a\x07\rb', '\x7f\u009b31m', '\u202egnp.exe', 'long'.repeat(100000)]) {
    const stderr = refuses(write('named.onnx', model(name)), [/not supported/]);
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(stderr, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
    assert.ok(stderr.length < 4000, String(stderr.length));
  }
});

test('names that no page could use, and names given twice', () => {
  const named = (/** @type {any} */ change) => onnxModel({
    inputs: { x: ['f32', [4]] }, outputs: { y: ['f32', [4]] }, nodes: [{ op: 'Relu', inputs: ['x'], outputs: ['y'] }], ...change,
  });
  refuses(write('size.onnx', named({ inputs: { x: ['f32', ['n\0m']] } })), [/size.*NUL.*n\\x00m/]);
  refuses(write('input.onnx', named({ inputs: { 'x\0': ['f32', [4]] }, nodes: [{ op: 'Relu', inputs: ['x\0'], outputs: ['y'] }] })), [/input.*NUL/]);
  refuses(write('output.onnx', named({ outputs: { 'y\0': ['f32', [4]] }, nodes: [{ op: 'Relu', inputs: ['x'], outputs: ['y\0'] }] })), [/output.*NUL/]);
  const twice = externalModel('w.bin');
  const graph = twice.subarray(-Buffer.from(twice).reverse().indexOf(0x3a) - 1);
  refuses(write('twice.onnx', Buffer.concat([twice, graph])), [/two weights are named "w"/]);
});

test('a declared output that is another is told', () => {
  const model = onnxModel({ inputs: { x: ['f32', [4]] }, outputs: { y: ['f32', [5]] }, nodes: [{ op: 'Relu', inputs: ['x'], outputs: ['y'] }] });
  const { status, stderr } = compile(write('declared.onnx', model));
  assert.equal(status, 0);
  assert.match(stderr, /warning: output "y" is f32\[4\], not what the model declares/);
});

test('a flag has one value', () => {
  refuses(digits, [/--dim.*two values for batch/], '--dim', 'batch=1', '--dim', 'batch=2');
  refuses(digits, [/--dim.*two values for batch/], '--dim', 'batch=?1..2', '--dim', 'batch=?1..4');
  refuses(digits, [/--input.*two values for image/], '--input', 'image:1,1,28,28', '--input', 'image:2,1,28,28');
  for (const flag of ['--schedules', '--labels', '--profile', '--name', '--device', '--dump', '--emit', '--max-weights'])
    refuses(digits, [new RegExp(`${flag}.*empty`)], flag, '');
});

test('missing memory is an error like others', () => {
  // The program itself needs some 65 MB of addresses.
  for (const limit of [90000, 80000, 76000, 72000]) {
    const out = join(folder, 'memory');
    const { status, stderr } = spawnSync('bash', ['-c', `ulimit -v ${limit}; exec "${webnnc}" "${digits}" -o "${out}" --quiet`], { encoding: 'utf8' });
    if (status === 0) rmSync(out, { recursive: true });
    else assert.match(stderr, /error: (there is not enough memory|linking failed|cannot)/, `${limit}: exit code ${status}`);
    assert.ok(!readdirSync(folder).includes('memory'));
  }
});

test('whoever is stopped leaves nothing', async () => {
  for (const signal of /** @type {NodeJS.Signals[]} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    const inside = mkdtempSync(join(folder, 'stopped-')), temporary = mkdtempSync(join(folder, 'temporary-'));
    const child = spawn(webnnc, [digits, '-o', join(inside, 'out')], { env: { ...process.env, TMPDIR: temporary }, stdio: 'ignore' });
    const ended = new Promise((resolve) => child.on('exit', resolve));
    await new Promise((resolve) => setTimeout(resolve, 300));
    child.kill(signal);
    await ended;
    // It may have been done before.
    const left = readdirSync(inside).filter((name) => name !== 'out');
    assert.deepEqual([...left, ...readdirSync(temporary)], []);
  }
});

/** A field of bytes, or of a message. @param {number} number @param {Buffer[]} content */
function message(number, ...content) {
  const length = [];
  let rest = content.reduce((sum, { length }) => sum + length, 0);
  for (; rest > 127; rest = Math.floor(rest / 128)) length.push(rest % 128 + 128);
  return Buffer.concat([Buffer.from([number << 3 | 2, ...length, rest]), ...content]);
}

/** y = x, by branches so deep. @param {number} depth */
function nestedBranches(depth) {
  const text = (/** @type {number} */ number, /** @type {string} */ value) => message(number, Buffer.from(value));
  const output = message(12, text(1, 'b'));
  let body = Buffer.concat([message(1, text(1, 'x'), text(2, 'b'), text(4, 'Identity')), text(2, 'body'), output]);
  for (let i = 0; i < depth; ++i) {
    const attribute = (/** @type {string} */ name) => message(5, text(1, name), message(6, body), Buffer.from([20 << 3 & 127 | 128, 1, 5]));
    const other = message(5, text(1, 'else_branch'), message(6, message(1, text(1, 'x'), text(2, 'b'), text(4, 'Neg')), text(2, 'other'), output), Buffer.from([160, 1, 5]));
    body = Buffer.concat([message(1, text(1, 'go'), text(2, 'b'), text(3, `If${i}`), text(4, 'If'), attribute('then_branch'), other), text(2, 'body'), output]);
  }
  const outer = onnxModel({ inputs: { x: ['f32', [4]], go: ['bool', []] }, outputs: { y: ['f32', [4]] }, nodes: [{ op: 'Identity', inputs: ['b'], outputs: ['y'] }] });
  // Graphs that follow each other in a message are one graph; its nodes are in the order of the text.
  const nodes = body.subarray(0, body.length - output.length - text(2, 'body').length);
  return Buffer.concat([Buffer.from([8, 8]), message(7, nodes), outer.subarray(2)]);
}

test('branches in branches: many work, and too many are told', async () => {
  const one = write('nested.onnx', nestedBranches(30));
  const { status, stderr, out } = compile(one, '--quiet');
  assert.equal(status, 0, stderr);
  const { load } = await import(pathToFileURL(join(out, 'model.js')).href);
  const model = await load({ backend: 'wasm' }), x = Float32Array.of(1, 2, 3, 4);
  assert.deepEqual([...(await model.run({ x, go: true })).y.data], [1, 2, 3, 4]);
  assert.deepEqual([...(await model.run({ x, go: false })).y.data], [-1, -2, -3, -4]);
  for (const depth of [200, 10000]) refuses(write('nested.onnx', nestedBranches(depth)), [/nested|deep/]);
});

test('branches that do not fit, and functions of themselves', () => {
  const branches = (/** @type {any} */ type, /** @type {any} */ node) => onnxModel({
    inputs: { x: ['f32', [4]], go: ['bool', []] }, outputs: { y: ['f32', [4]] }, constants: { zero: [0n] },
    nodes: [{
      op: 'If', name: 'choice', inputs: ['go'], outputs: ['y'], attributes: {
        then_branch: { graph: { inputs: {}, outputs: { a: ['f32', [4]] }, nodes: [{ op: 'Neg', inputs: ['x'], outputs: ['a'] }] } },
        else_branch: { graph: { inputs: {}, outputs: { b: type }, nodes: [node] } },
      },
    }],
  });
  refuses(write('types.onnx', branches(['i32', [4]], { op: 'Cast', inputs: ['x'], outputs: ['b'], attributes: { to: 6 } })), [/choice/, /i32/]);
  refuses(write('ranks.onnx', branches(['f32', [1, 4]], { op: 'Unsqueeze', inputs: ['x', 'zero'], outputs: ['b'] })), [/choice/, /f32\[1, ?4\]|rank|dimensions/]);
  const local = (/** @type {string} */ op) => ({ op, domain: 'local', inputs: ['x'], outputs: ['y'] });
  for (const functions of [{ f: local('f') }, { f: local('g'), g: local('f') }]) {
    refuses(write('recursion.onnx', onnxModel({
      inputs: { x: ['f32', [4]] }, outputs: { y: ['f32', [4]] }, nodes: [local('f')],
      functions: Object.fromEntries(Object.entries(functions).map(([name, node]) => [name, { inputs: ['x'], outputs: ['y'], nodes: [node] }])),
    })), [/itself|recurs/]);
  }
});
