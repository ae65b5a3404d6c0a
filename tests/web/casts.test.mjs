// What a model casts to f16 by a node of its own is rounded, to the bit, also where f32 carries f16: on wasm, and on
// WebGPU without shader-f16, against ONNX Runtime's results in casts_reference.json.
//
//   WEBNNC=build/webnnc node --test tests/web/casts.test.mjs

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';
import { MODELS, inputOf } from './casts.mjs';
import { makeDevice } from './dawn.mjs';

const webnnc = process.env.WEBNNC ?? fileURLToPath(new URL('../../build/webnnc', import.meta.url));
/** @type {Record<string, number[]>} */
const reference = JSON.parse(readFileSync(new URL('casts_reference.json', import.meta.url), 'utf8'));
/** @type {string} */ let folder;
/** @type {GPUDevice} */ let device;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'webnnc-casts-'));
  device = await makeDevice();
  assert.ok(!device.features.has('shader-f16'), 'the device has f16, and nothing is carried');
});
after(() => {
  device.destroy();
  rmSync(folder, { recursive: true });
});

for (const [name, example] of Object.entries(MODELS)) {
  test(name, async () => {
    const file = join(folder, `${name}.onnx`), out = join(folder, name);
    writeFileSync(file, onnxModel(example));
    execFileSync(webnnc, [file, '-o', out, '--quiet']);
    const { load } = await import(pathToFileURL(join(out, 'model.js')).href);
    const x = inputOf(example), expected = new Float32Array(Uint32Array.from(reference[name]).buffer);
    for (const options of [{ backend: 'wasm' }, { backend: 'webgpu', device }]) {
      const model = await load(options);
      const { y } = await model.run({ x: { data: x, shape: [x.length] } });
      model.dispose();
      assert.equal(y.data.length, expected.length);
      for (const [i, value] of expected.entries())
        assert.ok(Object.is(y.data[i], value), `${options.backend}: ${x[i]} becomes ${y.data[i]}, not ${value}`);
    }
  });
}
