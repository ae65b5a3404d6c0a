// The command line in scripts: where results go, what --json says, what budgets refuse, and what files
// that are no models are called.
//
//   WEBNNC=build/webnnc node --test tests/cli/usage.test.mjs

import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

import { onnxModel } from '../onnx_model.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const digits = join(root, 'models/digits/digits.onnx');
const folder = mkdtempSync(join(tmpdir(), 'webnnc-usage-'));
after(() => rmSync(folder, { recursive: true }));

/** @param {string[]} flags @param {import('node:child_process').SpawnSyncOptions} [options] */
function run(flags, options = {}) {
  const { status, stdout, stderr } = spawnSync(webnnc, flags, { maxBuffer: 1 << 28, cwd: folder, ...options });
  return { status, stdout: String(stdout), stderr: String(stderr) };
}

/** @param {string[]} flags @param {import('node:child_process').SpawnSyncOptions} [options] */
function succeed(flags, options) {
  const result = run(flags, options);
  assert.equal(result.status, 0, result.stderr);
  return result.stdout;
}

describe('the folder', () => {
  test('is made with its parents, which go again if the compilation fails', () => {
    succeed([digits, '-o', 'made/with/parents', '--quiet']);
    assert.ok(existsSync(join(folder, 'made/with/parents/model.js')));
    assert.equal(run([digits, '-o', 'gone/with/parents', '--max-dispatches', '1']).status, 1);
    assert.ok(!existsSync(join(folder, 'gone')));
  });

  test('is the one that is there, and keeps what others put into it', () => {
    const own = join(folder, 'own');
    mkdirSync(own);
    const { ino } = statSync(own);
    writeFileSync(join(own, 'labels.json'), '[]');
    for (let i = 0; i < 2; ++i) succeed([digits, '-o', '.', '--quiet'], { cwd: own });
    assert.equal(statSync(own).ino, ino);
    assert.equal(readFileSync(join(own, 'labels.json'), 'utf8'), '[]');
    // What an earlier result had and this one has not, goes.
    assert.ok(existsSync(join(own, 'report.html')));
    succeed([digits, '-o', '.', '--quiet', '--no-report'], { cwd: own });
    assert.deepEqual(readdirSync(own).filter((name) => name.startsWith('report') || name.startsWith('.')), []);
  });

  test('may be reached by a link', () => {
    mkdirSync(join(folder, 'target'));
    symlinkSync('target', join(folder, 'link'));
    succeed([digits, '-o', 'link', '--quiet']);
    assert.ok(lstatSync(join(folder, 'link')).isSymbolicLink());
    assert.ok(existsSync(join(folder, 'target/model.wasm')));
  });

  test('with a page of somebody else is refused unless --force is given', () => {
    mkdirSync(join(folder, 'page'));
    writeFileSync(join(folder, 'page/index.html'), 'mine');
    const { status, stderr } = run([digits, '-o', 'page']);
    assert.equal(status, 1);
    assert.match(stderr, /cannot write page: it holds index.html, which webnnc did not write\n {2}note: .*--force/);
    assert.equal(readFileSync(join(folder, 'page/index.html'), 'utf8'), 'mine');
    succeed([digits, '-o', 'page', '--force', '--quiet']);
    assert.notEqual(readFileSync(join(folder, 'page/index.html'), 'utf8'), 'mine');
  });

  test('is as it was after a failure', () => {
    succeed([digits, '-o', 'kept', '--quiet']);
    const before = readdirSync(join(folder, 'kept')).map((name) => [name, readFileSync(join(folder, 'kept', name), 'latin1')]);
    assert.equal(run([digits, '-o', 'kept', '--max-weights', '1kB']).status, 1);
    assert.equal(run([join(folder, 'none.onnx'), '-o', 'kept']).status, 1);
    assert.deepEqual(readdirSync(join(folder, 'kept')).map((name) => [name, readFileSync(join(folder, 'kept', name), 'latin1')]), before);
  });

  test('is as it was when the program is stopped', async () => {
    // Large enough to be at work for a while.
    const count = 3000;
    const nodes = Array.from({ length: count }, (_, i) => ({ op: 'Relu', inputs: [i ? `t${i}` : 'x'], outputs: [i === count - 1 ? 'y' : `t${i + 1}`] }));
    const outputs = Object.fromEntries(['y', ...nodes.slice(0, -1).map((node) => node.outputs[0])].map((name) => [name, ['f32', [2]]]));
    writeFileSync(join(folder, 'long.onnx'), onnxModel({ inputs: { x: ['f32', [2]] }, outputs, nodes }));
    for (const [signal, code] of /** @type {const} */ ([['SIGTERM', 143], ['SIGINT', 130]])) {
      const scratch = join(folder, `scratch-${signal}`);
      mkdirSync(scratch);
      const child = spawn(webnnc, ['long.onnx', '-o', 'stopped/here'], { cwd: folder, env: { ...process.env, TMPDIR: scratch } });
      const ended = new Promise((done) => child.on('exit', done));
      await new Promise((done) => setTimeout(done, 150));
      child.kill(signal);
      assert.equal(await ended, code);
      assert.ok(!existsSync(join(folder, 'stopped')));
      assert.deepEqual(readdirSync(scratch), []);
    }
  });

  test('may be a mount point, and says when it is full', (context) => {
    const mount = join(folder, 'mount');
    mkdirSync(mount);
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'none', mount]).status !== 0) return context.skip('nothing can be mounted here');
    try {
      succeed([digits, '-o', 'mount', '--quiet']);
      writeFileSync(join(mount, 'ballast'), Buffer.alloc(4e6 - 700e3));
      const { status, stderr } = run([digits, '-o', 'mount', '--dim', 'image=1'].slice(0, 3));
      assert.equal(status, 1);
      assert.match(stderr, /cannot write .*: No space left on device/);
      assert.deepEqual(readdirSync(mount).filter((name) => name.startsWith('.')), []);
    } finally {
      execFileSync('umount', [mount]);
    }
  });
});

test('standard input is read, and --name names the model', () => {
  succeed(['-', '-o', 'piped', '--name', 'Ten Digits', '--quiet'], { input: readFileSync(digits) });
  assert.equal(JSON.parse(readFileSync(join(folder, 'piped/package.json'), 'utf8')).name, 'ten-digits');
});

test('a model that is called model.onnx is named after its folder', () => {
  mkdirSync(join(folder, 'numerals/onnx'), { recursive: true });
  cpSync(digits, join(folder, 'numerals/onnx/model.onnx'));
  const { name } = JSON.parse(succeed(['numerals/onnx/model.onnx', '-o', 'named', '--json']));
  assert.equal(name, 'numerals');
});

describe('--json', () => {
  const build = JSON.parse(succeed([digits, '-o', 'json', '--json', '--input', 'image:batch,1,28,28']));

  test('says what was built', () => {
    const out = join(folder, 'json'), [gpu, cpu] = build.programs;
    assert.equal(build.model.sha256, createHash('sha256').update(readFileSync(digits)).digest('hex'));
    assert.deepEqual(build.model.opsets, { 'ai.onnx': 17 });
    for (const { name, bytes, gzipBytes } of build.files) {
      const content = readFileSync(join(out, name));
      assert.equal(bytes, content.length, name);
      // Node's zlib is Chromium's, which finds a little less than others.
      if (gzipBytes) assert.ok(Math.abs(gzipBytes / gzipSync(content, { level: 9 }).length - 1) < 0.03, name);
    }
    assert.equal(gpu.kind, 'webgpu');
    assert.equal(cpu.kind, 'wasm');
    assert.equal(gpu.dispatches, gpu.steps.length);
    assert.deepEqual(gpu.features, []);
    assert.ok(gpu.memory.bytes >= gpu.memory.least);
    assert.ok(cpu.steps.some((/** @type {any} */ step) => step.nodes.includes('/conv1/Conv')));
    assert.deepEqual(build.sizes, { batch: 1 });
    assert.deepEqual(build.warnings, []);
    // One 3 x 3 convolution after the other: the products of what is in models/digits/train.py.
    assert.equal(gpu.multiplyAdds, cpu.multiplyAdds);
  });

  test('says what is wrong', () => {
    const { status, stdout, stderr } = run(['none.onnx', '-o', 'none', '--json']);
    assert.equal(status, 1);
    assert.equal(stderr, '');
    assert.match(JSON.parse(stdout).error.message, /cannot read none.onnx: No such file/);
  });
});

describe('budgets', () => {
  for (const [flags, message, note] of /** @type {[string[], RegExp, RegExp][]} */ ([
    [['--max-code-size', '10kB'], /the code has [\d.]+ kB gzipped \(.* model.js, .* the module, .* shaders\), and --max-code-size allows 10.0 kB/, /the largest kernels, before compression, are on WebGPU: conv_\S+ \(/],
    [['--max-weights', '100 kB'], /the weights have 255.\d kB, and --max-weights allows 100.0 kB/, /the largest are \S+ \([\d.]+ kB\)/],
    [['--max-memory', '0.1MB'], /a run needs [\d.]+ kB on \S+, and --max-memory allows 100.0 kB/, /the largest tensors are/],
    [['--max-dispatches', '9'], /a run takes 10 dispatches on \S+, and --max-dispatches allows 9/, /is run most often/],
    [['--require', 'baseline', '--target', 'wasm'], /--require baseline: there is no program for WebGPU/, /^/],
  ])) {
    test(`${flags.join(' ')} fails the build and names what is large`, () => {
      const { status, stderr } = run([digits, '-o', 'budget', ...flags]);
      assert.equal(status, 1);
      assert.match(stderr, message);
      assert.match(stderr, note);
      assert.ok(!existsSync(join(folder, 'budget')));
    });
  }

  test('that are kept do nothing', () => {
    succeed([digits, '-o', 'within', '--max-code-size', '60kB', '--max-weights', '1MiB', '--max-memory', '1e6', '--max-dispatches', '10', '--require', 'baseline', '--quiet']);
  });

  test('that make no sense are refused as such', () => {
    for (const flags of [['--max-code-size', 'small'], ['--max-weights', '-1'], ['--max-memory', '1XB'], ['--max-dispatches', 'ten'], ['--require', 'more']]) {
      assert.equal(run([digits, '-o', 'nonsense', ...flags]).status, 2, flags.join(' '));
    }
  });
});

describe('files that are no models', () => {
  const safetensors = Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('{}')]);
  for (const [name, content, kind, way] of /** @type {[string, string | Buffer, RegExp, RegExp][]} */ ([
    ['pointer.onnx', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n', /a pointer of Git LFS/, /git lfs pull/],
    ['model.tflite', Buffer.from('\x1c\0\0\0TFL3\0\0\0\0'), /a TensorFlow Lite model/, /tf2onnx/],
    ['model.pt', Buffer.from('PK\x03\x04\0\0'), /a zip archive, as PyTorch/, /torch.onnx.export/],
    ['model.pth', Buffer.from([0x80, 2, 0x8a, 10]), /a Python pickle/, /torch.onnx.export/],
    ['model.safetensors', safetensors, /a safetensors file/, /torch.onnx.export/],
    ['model.h5', Buffer.from('\x89HDF\r\n\x1a\n', 'latin1'), /an HDF5 file/, /tf2onnx/],
    ['model.gguf', 'GGUF\0\0', /a GGUF file/, /ONNX/],
    ['model.onnx.gz', gzipSync('x'), /compressed with gzip/, /gunzip/],
    ['page.onnx', '<!doctype html><title>Not found</title>', /a page of HTML/, /download/],
    ['model.json', '{"format": "layers-model"}', /a JSON file/, /ONNX/],
    ['text.onnx', 'ir_version: 8\n', /ONNX as text/, /onnx.save/],
  ])) {
    test(`${name} is called what it is`, () => {
      writeFileSync(join(folder, name), content);
      const { status, stderr } = run([name, '-o', 'kinds']);
      assert.equal(status, 1);
      assert.match(stderr, kind);
      assert.match(stderr, way);
    });
  }
});

test('nodes that are not supported are told by operator, with what to do', () => {
  const nodes = Array.from({ length: 5 }, (_, i) => ({ op: 'BeamSearch', domain: 'com.microsoft', name: `search${i}`, inputs: ['x'], outputs: [`q${i}`] }));
  nodes.push({ op: 'StringNormalizer', name: 'words', inputs: ['x'], outputs: ['y'] });
  writeFileSync(join(folder, 'unsupported.onnx'), onnxModel({ inputs: { x: ['f32', [2]] }, outputs: { y: ['i64', [1, 2]] }, nodes }));
  const { stderr } = run(['unsupported.onnx', '-o', 'unsupported']);
  assert.match(stderr, /error: 6 nodes cannot be compiled/);
  assert.match(stderr, /5 nodes of com.microsoft.BeamSearch \("search0", "search1", "search2", ...\): the operator is not supported\n {4}note: it is one of ONNX Runtime's own/);
  assert.match(stderr, /node "words" \(StringNormalizer, opset \d+\): the operator is not supported\n {4}note: text and files are prepared in the page/);
  assert.equal(stderr.trim().split('\n').length, 5);
});

test('quantised models say what does not fit', () => {
  const refused = (/** @type {string} */ op, /** @type {string[]} */ inputs, /** @type {Record<string, import('../onnx_model.mjs').Type>} */ types, attributes = {}, domain = '') => {
    const own = Object.fromEntries(inputs.filter((name) => name in types).map((name) => [name, types[name]]));
    writeFileSync(join(folder, 'quantised.onnx'), onnxModel({ inputs: own, outputs: { y: ['f32', [1]] }, nodes: [{ op, domain, name: 'node', inputs, outputs: ['y'], attributes }], opset: 21 }));
    return run(['quantised.onnx', '-o', 'quantised']).stderr;
  };
  const types = /** @type {Record<string, import('../onnx_model.mjs').Type>} */ ({ x: ['f32', [2, 3]], q: ['i8', [2, 3]], s: ['f32', [4]], z: ['i8', [4]], m: ['f32', [2, 2]], w: ['u8', [4, 1, 16]], k: ['f32', [4, 1]] });
  assert.match(refused('QuantizeLinear', ['x', 's', 'z'], types), /the scale or zero point is f32\[4\], but must have one element for each index of its axis, of which there are 3/);
  assert.match(refused('QuantizeLinear', ['x', 'm'], types, { axis: 0, block_size: 2 }), /the scale or zero point is f32\[2,2\], but must be \[1,3\]: one for each block/);
  assert.match(refused('DequantizeLinear', ['x', 's'], types), /x is f32\[2,3\], which is not quantised/);
  assert.match(refused('MatMulInteger', ['q', 'x'], types), /operand 1 is f32\[2,3\], but must be of integers of 8 bits/);
  assert.match(refused('MatMulNBits', ['x', 'w', 'k'], types, { K: 32, N: 4, bits: 4, block_size: 32 }, 'com.microsoft'), /operand 1 must be known when the model is compiled/);
  assert.match(refused('MatMulNBits', ['x', 'w', 'k'], types, { K: 32, N: 4, bits: 3, block_size: 32 }, 'com.microsoft'), /elements of 3 bits are not supported/);
  const attention = /** @type {Record<string, import('../onnx_model.mjs').Type>} */ ({ x: ['f32', [1, 1, 4]], p: ['f32', [1, 2, 5, 2]], i: ['i32', [1, 1, 5]] });
  assert.match(refused('DecoderMaskedMultiHeadAttention', ['x', 'x', 'x', '', '', 'p', 'p'], attention, { num_heads: 2, past_present_share_buffer: 1 }, 'com.microsoft'), /past_present_share_buffer needs past_sequence_length/);
  assert.match(refused('DecoderMaskedMultiHeadAttention', ['x', 'x', 'x', '', '', '', '', '', '', 'i'], attention, { num_heads: 2 }, 'com.microsoft'), /cache_indirection is not supported/);
  assert.match(refused('CropAndResize', ['p', 'm', 'i', 'i'], { ...attention, m: ['f32', [1, 4]] }, {}, 'com.microsoft'), /operand 3/);
  assert.match(refused('Cast', ['x'], types, { to: 14 }), /the element type complex64 is not supported/);
});

test('mixtures of experts say what is not there', () => {
  const E = 4, H = 32, I = 64, types = /** @type {Record<string, import('../onnx_model.mjs').Type>} */ ({ x: ['f32', ['n', H]], r: ['f32', ['n', E]] });
  const tensor = (/** @type {'f32' | 'u8'} */ type, /** @type {number[]} */ ...shape) => ({ type: /** @type {[typeof type, number[]]} */ ([type, shape]), bytes: new Uint8Array(shape.reduce((a, b) => a * b) * (type === 'f32' ? 4 : 1)) });
  const refused = (/** @type {string} */ op, /** @type {string} */ inputs, attributes = {}, constants = {}) => {
    writeFileSync(join(folder, 'experts.onnx'), onnxModel({ inputs: types, outputs: { y: ['f32', ['n', H]] }, opset: 21, nodes: [{ op, domain: 'com.microsoft', name: 'node', inputs: inputs.split(','), outputs: ['y'], attributes }],
      constants: { v: tensor('f32', E, I, H), w: tensor('f32', E, H, I), q: tensor('u8', E, I, H / 2), t: tensor('u8', E, H, I / 2), s: tensor('f32', E, I), k: tensor('f32', E, H), ...constants } }));
    const { status, stderr } = run(['experts.onnx', '-o', 'experts']);
    assert.equal(status, 1);
    return stderr;
  };
  const floats = 'x,r,v,,w', bytes = 'x,r,q,s,,t,k';
  assert.match(refused('MoE', floats, { k: 5 }), /node "node" \(com.microsoft.MoE, .*\): k is 5 of 4/);
  assert.match(refused('MoE', floats, { k: 2, use_sparse_mixer: 1 }), /use_sparse_mixer is not supported/);
  assert.match(refused('MoE', floats, { activation_type: 'tanh' }), /the activation "tanh" is not supported/);
  assert.match(refused('MoE', floats, { activation_type: 'swiglu' }), /swiglu without swiglu_fusion needs fc3/);
  assert.match(refused('MoE', `${floats},,v`, { activation_type: 'swiglu', swiglu_fusion: 1 }), /fc3 goes with a swiglu_fusion of 0/);
  assert.match(refused('MoE', 'x,r,v'), /fc2 is missing/);
  assert.match(refused('MoE', floats, {}, { v: tensor('f32', E, I, H + 1) }), /f32\[4,64,33\]/);
  assert.match(refused('QMoE', bytes, { quant_type: 'fp4' }), /the quant_type "fp4" is not supported/);
  assert.match(refused('QMoE', bytes, { expert_weight_bits: 3 }), /elements of 3 bits are not supported/);
  // As CUDA's are packed beforehand.
  assert.match(refused('QMoE', bytes, {}, { q: tensor('u8', E, H, I / 2) }), /fc1 is u8\[4,32,32\], not u4\[4,64,32\] in bytes/);
  assert.match(refused('QMoE', bytes, { weights_prepacked: 1 }), /weights_prepacked is 1: the weights are packed for one processor/);
  assert.match(refused('QMoE', 'x,r,q,,,t,k'), /fc1 has no scales/);
  assert.match(refused('QMoE', 'x,r,q,k,,t,k'), /f32\[4,32\]/);
  assert.match(refused('QMoE', 'x,r,q,s,,t,k,,,,,s'), /f32\[4,64\], which has no room for u4\[4,64\]/);
});

test('help fits a screen, and shows how to begin', () => {
  const help = succeed(['--help']);
  assert.match(help, /webnnc model.onnx -o out\//);
  assert.ok(help.split('\n').length < 54);
  assert.match(succeed(['--help-steps']), /fold-constants/);
});
