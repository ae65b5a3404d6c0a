// Runs compiled bundles in Node on files.
//
//   node run_bundles.mjs BACKEND LIST
//
// LIST is a file with a folder a line. A folder holds bundle/, case.json and, for each of the data
// sets that case.json names, a folder SET with the inputs. Outputs are written to SET/BACKEND/. For
// each folder one line is printed: "ok", or what went wrong.
//
// Backends: `wasi` runs model.wasm as a command under node:wasi.

import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WASI } from 'node:wasi';

const BACKENDS = { wasi: runUnderWasi };

/**
 * @typedef {object} Job
 * @property {string} bundle the bundle's folder
 * @property {Record<string, string>} inputs  port -> .npy file to read
 * @property {Record<string, string>} outputs port -> .npy file to write
 */

/** @param {Job} job */
async function runUnderWasi({ bundle, inputs, outputs }) {
  const files = (/** @type {string} */ flag, /** @type {Record<string, string>} */ of) =>
    Object.entries(of).flatMap(([port, path]) => [flag, `${port}=${path}`]);
  // What the command says goes to a pipe that nobody reads unless it fails.
  const errors = join(bundle, '..', 'stderr.txt');
  const stderr = openSync(errors, 'w');
  const wasi = new WASI({
    version: 'preview1',
    args: ['model.wasm', '--weights', join(bundle, 'model.weights.bin'),
           ...files('--input', inputs), ...files('--output', outputs)],
    preopens: { '/': '/' },
    stderr,
    returnOnExit: true,
  });
  const module = await WebAssembly.compile(readFileSync(join(bundle, 'model.wasm')));
  const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
  const status = wasi.start(instance);
  closeSync(stderr);
  if (status !== 0) throw new Error(`exit ${status}: ${readFileSync(errors, 'utf8').trim()}`);
}

/**
 * @param {string} folder
 * @param {keyof BACKENDS} backend
 */
async function runCase(folder, backend) {
  const { sets } = JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8'));
  for (const set of sets) {
    const at = join(folder, set.name);
    mkdirSync(join(at, backend), { recursive: true });
    const below = (/** @type {string} */ base, /** @type {Record<string, string>} */ files) =>
      Object.fromEntries(Object.entries(files).map(([port, file]) => [port, join(base, file)]));
    await BACKENDS[backend]({
      bundle: join(folder, 'bundle'),
      inputs: below(at, set.inputs),
      outputs: below(join(at, backend), set.outputs),
    });
  }
}

const [backend, list] = process.argv.slice(2);
for (const folder of readFileSync(list, 'utf8').split('\n').filter(Boolean)) {
  try {
    await runCase(folder, /** @type {keyof BACKENDS} */ (backend));
    console.log('ok');
  } catch (error) {
    console.log(`failed: ${error}`.replaceAll('\n', ' '));
  }
}
