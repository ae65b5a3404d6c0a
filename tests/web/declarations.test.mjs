// The declarations that the compiler writes for a model, as someone who uses them sees them: in
// TypeScript, strict, with and without the types of WebGPU.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';

const here = fileURLToPath(new URL('.', import.meta.url)), root = join(here, '../..');
const folder = mkdtempSync(join(tmpdir(), 'webnnc-declarations-'));
after(() => rmSync(folder, { recursive: true }));
execFileSync(process.env.WEBNNC ?? join(root, 'build/webnnc'), [join(root, 'models/digits/digits.onnx'), '-o', folder, '--quiet']);

const USE = `
import { build, load, InputError, ModelLoadError, type AnyModel, type Model, type Tensor } from './model.js';

const model: Model = await load({ backend: 'wasm', onProgress: ({ phase, loaded, total }) => console.log(phase, loaded / total) });
const image = new Float32Array(784);
const { digit_probabilities } = await model.run({ image });
const tensor: Tensor<'float32'> = digit_probabilities, values: Float32Array = tensor.data;
await model.run({ image: { data: image, shape: [1, 1, 28, 28] } }, { signal: AbortSignal.timeout(100) });
await model.run({ image: Array.from(image) });
const kept = await model.run({ image }, { outputs: 'gpu' });
await model.run({ image: { data: values, shape: kept.digit_probabilities.shape } });
const slowest: string = (await model.profile({ image }, { runs: 3 })).kernels[0].kernel;
if (new Error() instanceof InputError) model.dispose();
// Results can be transferred and made into Blobs.
const own: ArrayBuffer = tensor.data.buffer;
new Blob([tensor.data]);
// Code for any model takes this one.
const models: AnyModel[] = [model], some = await models[0].run({ [models[0].inputs[0].name]: image });
console.log(some[models[0].outputs[0].name].data, build.id, own.byteLength);
// In a worker, all is the same.
const remote: Model = await load({ worker: true, files: { worker: new URL('https://example.com/model.worker.js') } });
await remote.run({ image }, { transfer: true, signal: AbortSignal.timeout(50) });
const built: string = remote.build.id;
console.log(built);
const { run } = model;
(await run({ image: [[1, 2], [3, 4]] }, { outputs: ['digit_probabilities'] })).digit_probabilities.data;
const mixed = await run({ image }, { outputs: { digit_probabilities: 'gpu' } });
const filled: Tensor<'float32'> = (await run({ image }, { outputs: { digit_probabilities: new Float32Array(10) } })).digit_probabilities;
await models[0].run({ image }, { outputs: { [models[0].outputs[0].name]: filled.data } });
const later: Float32Array = (await mixed.digit_probabilities.read()).data;
await load({ baseUrl: '/models/', files: { wasm: fetch('model.wasm'), weights: new Uint8Array(later.length) }, cache: true, onDeviceLost: ({ message }) => console.log(message) });
declare const failed: ModelLoadError;
const which: string | undefined = failed.file, why: 'missing' | 'damaged' | 'other build' | undefined = failed.reason;
console.log(which, why);

// @ts-expect-error There is no such output.
await run({ image }, { outputs: ['boxes'] });
// @ts-expect-error An output goes into an array of its type.
await run({ image }, { outputs: { digit_probabilities: new Float64Array(10) } });
// @ts-expect-error There is no such option.
await load({ backends: 'wasm' });

// @ts-expect-error There is no such input.
await model.run({ picture: image });
// @ts-expect-error Inputs are needed.
await model.run({});
// @ts-expect-error Another element type.
await model.run({ image: new BigInt64Array(784) });
// @ts-expect-error There is no such output.
(await model.run({ image })).probabilities;
// @ts-expect-error Tensors on the GPU have no data.
kept.digit_probabilities.data;
// @ts-expect-error There is no such backend.
await load({ backend: 'webgl' });
`;
const GPU = `
declare const buffer: GPUBuffer, device: GPUDevice;
const onGpu = await load({ device });
const given = await onGpu.run({ image: buffer }, { outputs: 'gpu' }), output: GPUBuffer = given.digit_probabilities.buffer;
await onGpu.run({ image: given.digit_probabilities });
onGpu.device?.createBuffer({ size: 4, usage: 8 });
await load({ worker: true, files: { worker: new Worker('/out/model.worker.js', { type: 'module' }) } });
`;

const USING = `
import { load as open } from './model.js';
{
  using model = await open();
  const { digit_probabilities } = await model.run({ image: new Float32Array(784) }, { outputs: ['digit_probabilities'] });
  const chance: number | undefined = digit_probabilities.data[0];
  console.log(chance);
}
`;

execFileSync(process.env.WEBNNC ?? join(root, 'build/webnnc'),
  [join(root, 'models/digits/digits.onnx'), '-o', join(folder, 'pictures'), '--quiet', '--image', 'resize=fill']);
const PICTURES = `
import { load as openPictures, imageTensor, toImageData, top, type AnyModel as Any } from './pictures/model.js';
const seeing = await openPictures(), anything: Any = seeing;
await seeing.run({ image: { data: new Uint8Array(4), width: 1, height: 1 } });
const seen = await seeing.run({ image: [{ data: new Uint8ClampedArray(4), width: 1, height: 1 }] });
const best: { index: number; label: string; score: number } = top(seen.digit_probabilities, 1)[0];
const shown = toImageData(await imageTensor({ data: new Uint8Array(4), width: 1, height: 1 }, { width: 2, height: 2, dataType: 'uint8' }), { range: [0, 255] });
const bytes: Uint8Array = (await imageTensor({ data: new Uint8Array(4), width: 1, height: 1 }, { width: 2, height: 2, dataType: 'uint8' })).data;
console.log(anything.inputs[0].image?.preparation?.resize, best, shown.width, bytes);
// @ts-expect-error It takes pictures.
await seeing.run({ image: new Float32Array(784) });
// @ts-expect-error There is no such way to resize.
await imageTensor(shown, { width: 2, height: 2, resize: 'crop' });
`;
const SOURCES = `
await seeing.run({ image: document.createElement('canvas') });
for (const source of [new ImageData(1, 1), new Image(), document.createElement('video'), new Blob([]), new OffscreenCanvas(1, 1)]) await seeing.run({ image: source });
const drawn: ImageData = shown;
console.log(drawn);
`;

execFileSync(process.env.WEBNNC ?? join(root, 'build/webnnc'), [`first=${join(root, 'models/digits/digits.onnx')}`,
  `the second=${join(root, 'models/digits/digits.onnx')}`, '-o', join(folder, 'several'), '--quiet', '--image', 'the second:image:resize=fill']);
const SEVERAL = `
import { load, type AnyModel, type Model, type Models, type Session, type Tensor } from './several/model.js';
const { first, ['the second']: second } = await load({ backend: 'wasm' });
const { digit_probabilities } = await first.run({ image: new Float32Array(784) }, { outputs: { digit_probabilities: 'gpu' } });
const tensor: Tensor<'float32'> = await digit_probabilities.read();
await second.run({ image: { data: new Uint8Array(4), width: 1, height: 1 } });
const named: Model<Models['first']['inputs'], Models['first']['outputs']> = first, session: Session<Models['first']['inputs'], Models['first']['outputs']> = named.session();
const models: AnyModel[] = Object.values(await load()), chance: number | undefined = (await session.run({ image: tensor })).digit_probabilities.data[0];
console.log(models.length, chance);
const disposable: Disposable = await load();
console.log(disposable);
// @ts-expect-error There is no such model.
(await load()).third;
// @ts-expect-error The other one takes pictures.
await second.run({ image: new Float32Array(784) });
// @ts-expect-error There is no such input.
await first.run({ picture: new Float32Array(784) });
`;

/** @type {any} */
const LISTED = {
  inputs: { seq: { list: 'sequence', of: ['f32', ['n']] }, maybe: { list: 'optional', of: ['i64', [2]] }, rest: { list: 'optional sequence', of: ['f32'] } },
  outputs: { all: { list: 'sequence', of: ['f32', ['n']] }, one: { list: 'optional', of: ['i64', [2]] }, none: { list: 'optional sequence', of: ['f32'] } },
  nodes: [['seq', 'all'], ['maybe', 'one'], ['rest', 'none']].map(([from, to]) => ({ op: 'Identity', name: to, inputs: [from], outputs: [to] })), opset: 18,
};
writeFileSync(join(folder, 'lists.onnx'), onnxModel(LISTED));
execFileSync(process.env.WEBNNC ?? join(root, 'build/webnnc'), [join(folder, 'lists.onnx'), '-o', join(folder, 'lists'), '--quiet'], { stdio: 'ignore' });
const LISTS = `
import { load, type Tensor } from './lists/model.js';
const model = await load();
const { all, one, none } = await model.run({ seq: [new Float32Array(2), { data: [1, 2, 3], shape: [3] }], maybe: null });
const tensors: Tensor<'float32'>[] = all, maybe: Tensor<'int64'> | null = one, rest: Tensor<'float32'>[] | null = none;
await model.run({ seq: tensors, maybe: [1n, 2n], rest: [] }, { outputs: ['all'] });
console.log(maybe, rest, model.inputs[0].list === 'sequence');
// @ts-expect-error A sequence is an array of tensors.
await model.run({ seq: new Float32Array(2) });
// @ts-expect-error It is needed.
await model.run({ maybe: null });
// @ts-expect-error It may be null.
none.length;
`;

/** What needs arrays that name their memory, since TypeScript 5.7. */
const OLD = USE.replace(/const own.*\n.*\n/, 'const own = tensor.data.buffer;\n');

/** @type {[string, string, string[], string[], object?, string?][]} what, source, libraries, types, other settings, compiler */
const CASES = [
  ['without the types of WebGPU, as in Node', USE, ['es2022'], ['node']], ['with the types of WebGPU', USE + GPU, ['es2022', 'dom'], []],
  ['for pictures in a page', PICTURES + SOURCES, ['es2022', 'dom'], []], ['for pictures in Node', PICTURES, ['es2022'], ['node']],
  ['for several models', SEVERAL, ['es2022', 'dom'], []], ['for lists', LISTS, ['es2022', 'dom'], []],
  ['for several models, in TypeScript 5.4', SEVERAL, ['es2022', 'dom'], [], {}, 'typescript-5.4'],
  ['as modules of Node, with every check', USING, ['esnext', 'dom'], [], {
    module: 'node16', moduleResolution: 'node16', exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true,
  }],
  ['in TypeScript 5.4', OLD, ['es2022', 'dom'], [], {}, 'typescript-5.4'],
  ['in TypeScript 5.4, with using', USING, ['esnext', 'dom'], [], { module: 'node16', moduleResolution: 'node16' }, 'typescript-5.4'],
];
for (const [what, source, lib, types, more, compiler = 'typescript'] of CASES) {
  test(`are of use ${what}`, () => {
    writeFileSync(join(folder, 'use.mts'), source);
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({
      compilerOptions: {
        strict: true, noEmit: true, target: 'es2022', module: 'esnext', moduleResolution: 'bundler', lib, types, ...more,
        typeRoots: [join(here, 'node_modules/@types')],
      },
      files: ['use.mts'],
    }));
    const tsc = join(here, 'node_modules', compiler, 'bin/tsc');
    const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
    assert.equal(stdout, '');
    assert.equal(status, 0);
  });
}
