// The declarations that the compiler writes for a model, as someone who uses them sees them: in
// TypeScript, strict, with and without the types of WebGPU.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url)), root = join(here, '../..');
const folder = mkdtempSync(join(tmpdir(), 'webnnc-declarations-'));
after(() => rmSync(folder, { recursive: true }));
execFileSync(process.env.WEBNNC ?? join(root, 'build/webnnc'), [join(root, 'models/digits/digits.onnx'), '-o', folder, '--quiet']);

const USE = `
import { load, InputError, type Model, type Tensor } from './model.js';

const model: Model = await load({ backend: 'wasm', onProgress: ({ loaded, total }) => console.log(loaded / total) });
const image = new Float32Array(784);
const { digit_probabilities } = await model.run({ image });
const tensor: Tensor<'float32'> = digit_probabilities, values: Float32Array = tensor.data;
await model.run({ image: { data: image, shape: [1, 1, 28, 28] } }, { signal: AbortSignal.timeout(100) });
await model.run({ image: Array.from(image) });
const kept = await model.run({ image }, { outputs: 'gpu' });
await model.run({ image: { data: values, shape: kept.digit_probabilities.shape } });
const slowest: string = (await model.profile({ image }, { runs: 3 })).kernels[0].kernel;
if (new Error() instanceof InputError) model.dispose();

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
`;

/** @type {[string, string, string[], string[]][]} what, source, libraries, types */
const CASES = [
  ['without the types of WebGPU, as in Node', USE, ['es2022'], ['node']], ['with the types of WebGPU', USE + GPU, ['es2022', 'dom'], []],
];
for (const [what, source, lib, types] of CASES) {
  test(`are of use ${what}`, () => {
    writeFileSync(join(folder, 'use.mts'), source);
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({
      compilerOptions: {
        strict: true, noEmit: true, target: 'es2022', module: 'esnext', moduleResolution: 'bundler', lib, types,
        typeRoots: [join(here, 'node_modules/@types')],
      },
      files: ['use.mts'],
    }));
    const tsc = join(here, 'node_modules/typescript/bin/tsc');
    const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
    assert.equal(stdout, '');
    assert.equal(status, 0);
  });
}
