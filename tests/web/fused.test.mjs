// ONNX Runtime's own operators, as its optimiser and its exporters write them: the models of fused.mjs on wasm and on
// WebGPU in Node, against ONNX Runtime's results in fused_reference.json.
//
//   WEBNNC=build/webnnc node --test tests/web/fused.test.mjs

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';
import { makeDevice } from './dawn.mjs';
import { CASES, together } from './fused.mjs';

const webnnc = process.env.WEBNNC ?? fileURLToPath(new URL('../../build/webnnc', import.meta.url));
/** @type {Record<string, Record<string, { shape: number[], data: number[] }>>} */
const reference = JSON.parse(readFileSync(new URL('fused_reference.json', import.meta.url), 'utf8'));
/** @type {string} */ let folder;
/** @type {GPUDevice} */ let device;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'webnnc-fused-'));
  device = await makeDevice();
});
after(() => {
  device.destroy();
  rmSync(folder, { recursive: true });
});

// Several in one model, since compiling is what takes time.
const TOGETHER = 15;
const numbered = Object.keys(CASES).map((name, index) => /** @type {[number, string]} */ ([index, name]));
for (let first = 0; first < numbered.length; first += TOGETHER) {
  const cases = numbered.slice(first, first + TOGETHER);
  test(`${cases[0][1]} to ${cases[cases.length - 1][1]}`, async () => {
    const file = join(folder, `${first}.onnx`), out = join(folder, `${first}`), { model, inputs } = together(cases);
    writeFileSync(file, onnxModel(model));
    execFileSync(webnnc, [file, '-o', out, '--quiet']);
    const { load } = await import(pathToFileURL(join(out, 'model.js')).href);
    for (const options of [{ backend: 'wasm' }, { backend: 'webgpu', device }]) {
      const loaded = await load(options);
      const outputs = await loaded.run(inputs);
      for (const [index, name] of cases) compare(outputs, index, name, options.backend);
      loaded.dispose();
    }
  });
}

/** @param {Record<string, { shape: number[], data: ArrayLike<number | bigint> }>} outputs @param {number} index @param {string} name @param {string} backend */
function compare(outputs, index, name, backend) {
  for (const [output, expected] of Object.entries(reference[name])) {
    const { shape, data } = outputs[`${index}.${output}`], where = `${name} on ${backend}, ${output}`;
    assert.deepEqual(shape, expected.shape, where);
    for (const [i, value] of expected.data.entries()) {
      const actual = Number(data[i]);
      assert.ok(Math.abs(actual - value) <= 2e-5 * (1 + Math.abs(value)), `${where}[${i}] is ${actual}, not ${value}`);
    }
  }
}
