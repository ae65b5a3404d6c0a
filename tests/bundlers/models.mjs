// Two models, and a module that runs them, as an application would.

import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';

const webnnc = process.env.WEBNNC ?? fileURLToPath(new URL('../../build/webnnc', import.meta.url));

/** Makes the folders `twice` and `thrice`: y = x * weight, of two weights that differ. @param {string} folder */
export function compileModels(folder) {
  for (const [name, weight] of /** @type {[string, number[]][]} */ ([['twice', [2, 2]], ['thrice', [3, 3]]])) {
    const file = join(folder, `${name}.onnx`);
    writeFileSync(file, onnxModel({
      inputs: { x: ['f32', [2]] }, outputs: { y: ['f32', [2]] }, constants: { weight }, nodes: [{ op: 'Mul', inputs: ['x', 'weight'], outputs: ['y'] }],
    }));
    execFileSync(webnnc, [file, '-o', join(folder, name), '--quiet', '--no-report']);
    rmSync(file);
  }
}

/**
 * A module with `run(options)`: what EXPECTED of pages.mjs has for them.
 *
 * @param {string} [more] what is passed to load besides, with NAME for the model's @param {string} [imports]
 */
export const runModule = (more = '', imports = '') => `
import { load } from './twice/model.js';
import { load as loadOther } from './thrice/model.js';
${imports}
export async function run(options) {
  const model = await load({ ...options${more.replaceAll('NAME', 'twice')} }), other = await loadOther({ ...options${more.replaceAll('NAME', 'thrice')} });
  try {
    return [model.backend, (await model.run({ x: [1, 2] })).y.data.join(), (await other.run({ x: [1, 2] })).y.data.join()].join(' ');
  } finally {
    model.dispose();
    other.dispose();
  }
}
`;

/** What a page does with `run`: all that EXPECTED has. */
export const RUN_IN_PAGE = `
globalThis.result = (async () => [await run({ backend: 'wasm' }), await run({ backend: 'wasm', worker: true }), await run({ backend: 'webgpu' })])()
  .catch((error) => String(error));
`;
