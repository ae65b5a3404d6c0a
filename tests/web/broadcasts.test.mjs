// Sizes that are open and turn out to be 1 broadcast, as ONNX says: the models of broadcasts.mjs on wasm and on
// WebGPU in Node, against ONNX Runtime's results in broadcasts_reference.json. Where that refuses, so must the model.
//
//   WEBNNC=build/webnnc node --test tests/web/broadcasts.test.mjs

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';
import { CASES, inputsOf } from './broadcasts.mjs';
import { makeDevice } from './dawn.mjs';

const webnnc = process.env.WEBNNC ?? fileURLToPath(new URL('../../build/webnnc', import.meta.url));
/** @type {Record<string, ({ shape: number[], data: number[] } | null)[]>} */
const reference = JSON.parse(readFileSync(new URL('broadcasts_reference.json', import.meta.url), 'utf8'));
/** @type {string} */ let folder;
/** @type {GPUDevice} */ let device;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'webnnc-broadcasts-'));
  device = await makeDevice();
});
after(() => {
  device.destroy();
  rmSync(folder, { recursive: true });
});

for (const [name, example] of Object.entries(CASES)) {
  test(name, async () => {
    const file = join(folder, `${name}.onnx`), out = join(folder, name);
    writeFileSync(file, onnxModel(example.model));
    execFileSync(webnnc, [file, '-o', out, '--quiet']);
    const { load } = await import(pathToFileURL(join(out, 'model.js')).href);
    assert.equal(reference[name].length, example.runs.length, 'the reference is of other runs');
    for (const options of [{ backend: 'wasm' }, { backend: 'webgpu', device }]) {
      const model = await load(options);
      for (const [run, sizes] of example.runs.entries()) {
        const expected = reference[name][run], where = `${options.backend}, ${example.symbols} = ${sizes}`;
        const running = model.run(inputsOf(example, sizes));
        if (!expected) {
          await assert.rejects(running, { name: 'InputError' }, where);
          continue;
        }
        const { y } = await running;
        assert.deepEqual(y.shape, expected.shape, where);
        const actual = [...y.data].map(Number);
        for (const [i, value] of expected.data.entries()) {
          assert.ok(Math.abs(actual[i] - value) <= 1e-5 * (1 + Math.abs(value)), `${where}: y[${i}] is ${actual[i]}, not ${value}`);
        }
      }
      model.dispose();
    }
  });
}
