// Products of bytes are exact, on wasm and on WebGPU with and without the instruction that multiplies four at once, against
// ONNX Runtime's results in bytes_reference.json.
//
//   WEBNNC=build/webnnc node --test tests/web/bytes.test.mjs

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { MODELS, inputsOf } from './bytes.mjs';
import { compile } from './compile.mjs';
import { gpu, makeDevice } from './dawn.mjs';

const FEATURE = 'packed_4x8_integer_dot_product';
/** @type {Record<string, number[]>} */
const reference = JSON.parse(readFileSync(new URL('bytes_reference.json', import.meta.url), 'utf8'));
const { navigator } = globalThis;
/** @param {string[]} names what the engine's WGSL has */
const setLanguage = (names) => Object.defineProperty(globalThis, 'navigator', { configurable: true, value: { gpu: { wgslLanguageFeatures: new Set(names) } } });
/** @type {GPUDevice} */ let device;
before(async () => {
  assert.ok(gpu.wgslLanguageFeatures.has(FEATURE));
  device = await makeDevice();
});
after(() => {
  Object.defineProperty(globalThis, 'navigator', { configurable: true, value: navigator });
  device.destroy();
});

for (const [name, example] of Object.entries(MODELS)) {
  test(name, async () => {
    const { load } = await compile(example, '--gpu-features', 'dots'), inputs = inputsOf(example);
    for (const [backend, language] of /** @type {const} */ ([['wasm', []], ['webgpu', []], ['webgpu', [FEATURE]]])) {
      setLanguage([...language]);
      let dots = 0;
      const watched = new Proxy(device, {
        get: (target, key) => {
          if (key === 'createShaderModule') return (/** @type {GPUShaderModuleDescriptor} */ given) => {
            dots += Number(given.code.includes('dot4I8Packed'));
            return target.createShaderModule(given);
          };
          const value = Reflect.get(target, key);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
      const model = await load(backend === 'wasm' ? { backend } : { backend, device: watched });
      const { y } = await model.run(inputs);
      model.dispose();
      assert.deepEqual([...y.data].map(Number), reference[name], `${backend} ${language}`);
      // On GPUs weights that have a zero point are no bytes.
      assert.equal(dots > 0, language.length > 0 && !/by weights that have/.test(name), `${dots} shaders of dots on ${backend} ${language}`);
    }
  });
}
