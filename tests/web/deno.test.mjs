// Models with open sizes in Deno, whose WebGPU is wgpu's: on lavapipe, with no permission but to read them.
//
//   WEBNNC=build/webnnc node --test tests/web/deno.test.mjs

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';
import { hasDeno, startDeno } from './deno.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url)), webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const folder = mkdtempSync(join(tmpdir(), 'webnnc-deno-'));
after(() => rmSync(folder, { recursive: true }));

/** @param {number[]} shape */
const counted = (...shape) => ({ data: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i - 3), shape });
const relu = (/** @type {number} */ x) => Math.max(x, 0);

/** @typedef {{data: number[], shape: number[]}} Values */
/**
 * @typedef {object} Case
 * @property {Parameters<typeof onnxModel>[0]} model
 * @property {{inputs: Record<string, Values>, outputs: Record<string, Values>}[]} runs
 */

/** @param {Values} x @returns {Values} the dimensions in the reverse order */
function reversed({ data, shape }) {
  const out = [], [a, b, c, d] = shape;
  for (let l = 0; l < d; ++l) for (let k = 0; k < c; ++k) for (let j = 0; j < b; ++j) for (let i = 0; i < a; ++i) out.push(data[((i * b + j) * c + k) * d + l]);
  return { data: out, shape: [d, c, b, a] };
}

/** @type {Record<string, Case>} */
const CASES = {
  // The larger sizes come first: the order that wgpu refused. Threads of the second kernel share memory, so that the two are launches of their own.
  unlike_sizes: {
    model: {
      inputs: { x: ['f32', ['a', 'b', 'c', 'd']], v: ['f32', ['n']] }, outputs: { y: ['f32', ['d', 'c', 'b', 'a']], z: ['f32', [1]] },
      nodes: [{ op: 'Transpose', inputs: ['x'], outputs: ['y'], attributes: { perm: [3, 2, 1, 0] } }, { op: 'ReduceMax', inputs: ['v'], outputs: ['z'] }],
    },
    runs: [[2, 3, 4, 2, 5], [7, 1, 3, 5, 70], [1, 1, 1, 1, 1]].map(([a, b, c, d, n]) => {
      const x = counted(a, b, c, d), v = counted(n);
      return { inputs: { x, v }, outputs: { y: reversed(x), z: { data: [Math.max(...v.data)], shape: [1] } } };
    }),
  },
  open_batch: {
    model: {
      inputs: { x: ['f32', ['batch', 4]] }, outputs: { y: ['f32', ['batch', 2]], mean: ['f32', ['batch', 1]] },
      constants: { w: { type: ['f32', [4, 2]], bytes: new Uint8Array(Float32Array.of(1, 0, 0, 1, 1, 0, 0, 1).buffer) } },
      nodes: [
        { op: 'MatMul', inputs: ['x', 'w'], outputs: ['p'] }, { op: 'Relu', inputs: ['p'], outputs: ['y'] },
        { op: 'ReduceMean', inputs: ['x'], outputs: ['mean'], attributes: { axes: [1], keepdims: 1 } },
      ],
    },
    runs: [1, 3, 65].map((n) => {
      const x = counted(n, 4), rows = Array.from({ length: n }, (_, i) => x.data.slice(4 * i, 4 * i + 4));
      return {
        inputs: { x },
        outputs: {
          y: { data: rows.flatMap(([a, b, c, d]) => [relu(a + c), relu(b + d)]), shape: [n, 2] },
          mean: { data: rows.map((row) => row.reduce((a, b) => a + b) / 4), shape: [n, 1] },
        },
      };
    }),
  },
};

for (const [name, { model }] of Object.entries(CASES)) {
  writeFileSync(join(folder, `${name}.onnx`), onnxModel(model));
  execFileSync(webnnc, [join(folder, `${name}.onnx`), '-o', join(folder, name), '--quiet', '--no-report']);
}

/** @param {string} name */
async function manifestOf(name) {
  const module = await WebAssembly.compile(readFileSync(join(folder, name, 'model.wasm')));
  return JSON.parse(new TextDecoder().decode(WebAssembly.Module.customSections(module, 'webnnc.manifest')[0]));
}

test('the manifest says how long the sizes of each shader are', async () => {
  let shared = 0;
  for (const name of Object.keys(CASES)) {
    const { programs } = await manifestOf(name), { shaders } = JSON.parse(readFileSync(join(folder, name, 'model.shaders.json'), 'utf8'));
    const { kernels } = programs.find((/** @type {any} */ program) => program.kind === 'webgpu');
    for (const { shader, bindings, uniformBytes } of kernels) {
      const declared = /var<uniform>sizes:array<vec4i,(\d+)>/.exec(shaders[shader]);
      assert.equal(bindings.endsWith('u'), declared !== null, shaders[shader]);
      assert.equal(uniformBytes, declared ? 16 * Number(declared[1]) : undefined);
      shared += kernels.filter((/** @type {any} */ other) => other.bindings === bindings && other.uniformBytes !== uniformBytes).length;
    }
  }
  assert.ok(shared > 0, 'no two kernels have the same bindings and unlike sizes');
});

describe('in Deno', { skip: hasDeno ? false : 'tests/web/node_modules has no Deno, or mesa-vulkan-drivers is not installed' }, () => {
  for (const [name, { runs }] of Object.entries(CASES)) {
    test(`${name.replace('_', ' ')} runs on WebGPU`, async () => {
      const script = join(folder, `${name}.mjs`);
      writeFileSync(script, `
        import { load } from './${name}/model.js';
        const model = await load({ backend: 'webgpu' }), results = [];
        for (const inputs of ${JSON.stringify(runs.map(({ inputs }) => inputs))}) {
          for (const input of Object.values(inputs)) input.data = Float32Array.from(input.data);
          const outputs = await model.run(inputs);
          results.push(Object.fromEntries(Object.entries(outputs).map(([name, { data, shape }]) => [name, { data: [...data], shape }])));
        }
        console.log(JSON.stringify({ backend: model.backend, results }));
        model.dispose();`);
      const { backend, results } = JSON.parse(await output(startDeno([`--allow-read=${join(folder, name)}`], script)));
      assert.equal(backend, 'webgpu');
      assert.deepEqual(results, runs.map(({ outputs }) => outputs));
    });
  }
});

/** @param {ReturnType<typeof startDeno>} child @returns {Promise<string>} */
async function output(child) {
  let text = '';
  child.stdout.on('data', (part) => text += part);
  const code = await new Promise((done) => child.on('close', done));
  assert.equal(code, 0);
  return text;
}
