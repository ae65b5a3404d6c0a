// Networks of ../shared in one bundle: each gives what ONNX Runtime gave for it, by turns and side by side.
//
//   WEBNNC=build/webnnc CACHE=build/cache node --test tests/models/several.test.mjs

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { numbersOf } from '../../runtime-js/elements.js';
import { readTensor } from '../onnx_model.mjs';
import { makeDevice } from '../web/dawn.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url)), cache = process.env.CACHE ?? join(root, 'build/cache');
const networks = execFileSync(join(root, 'tests/unpack_shared'), ['models', cache], { encoding: 'utf8' }).trim();
if (!networks) console.log('skipped: the networks in ../shared, which is not there');
const out = mkdtempSync(join(tmpdir(), 'webnnc-several-networks-'));
after(() => rmSync(out, { recursive: true }));

/** Convolutions, attention, a recurrent network with open sizes, and one with a branch. */
const NAMES = ['mnist12', 'kwt1_keyword_transformer', 'lstm_tagger', 'mlperf_tiny_kws', 'silero_vad_v5'];

/** The tensors of a data set, by port. @param {string} name @param {string} kind @param {readonly {name: string}[]} ports */
const tensorsOf = (name, kind, ports) => Object.fromEntries(ports.flatMap((port, i) => {
  const folder = join(networks, name, 'test_data_set_0'), file = `${kind}_${i}.pb`;
  if (!readdirSync(folder).includes(file)) return [];
  const { shape, values } = readTensor(readFileSync(join(folder, file)));
  return [[port.name, { data: values, shape }]];
}));

/** @param {string} what @param {any} tensor @param {any} expected */
function check(what, { data, dataType, shape }, expected) {
  assert.deepEqual(shape, expected.shape, what);
  const values = numbersOf(dataType, data), most = 1e-5 + 1e-4 * Math.max(...expected.data.map(Math.abs));
  expected.data.forEach((/** @type {number} */ value, /** @type {number} */ i) => assert.ok(Math.abs(Number(values[i]) - value) <= most, `${what}: ${values[i]}, not ${value}`));
}

for (const [backend, worker] of /** @type {const} */ ([['wasm', false], ['wasm', true], ['webgpu', false]])) {
  test(`${backend}${worker ? ' in a worker' : ''}`, { skip: !networks }, async () => {
    if (!readdirSync(out).length) {
      const files = NAMES.map((name) => `${name}=${join(networks, name, 'model.onnx')}`);
      const { status, stderr } = spawnSync(process.env.WEBNNC ?? join(root, 'build/webnnc'), [...files, '-o', out, '--state', 'none', '--no-report', '--quiet'], { encoding: 'utf8' });
      assert.equal(status, 0, stderr);
    }
    const { load } = await import(pathToFileURL(join(out, 'model.js')).href), device = backend === 'webgpu' ? await makeDevice() : undefined;
    const models = await load({ backend, worker, device });
    const one = async (/** @type {string} */ name) => {
      const model = models[name], outputs = await model.run(tensorsOf(name, 'input', model.inputs)), expected = tensorsOf(name, 'output', model.outputs);
      assert.ok(Object.keys(expected).length > 0);
      for (const [port, tensor] of Object.entries(expected)) check(`${name}, ${port}`, outputs[port], tensor);
    };
    for (let round = 0; round < 2; ++round) for (const name of NAMES) await one(name);
    await Promise.all([...NAMES, ...NAMES].map(one));
    models[Symbol.dispose]();
    device?.destroy();
  });
}
