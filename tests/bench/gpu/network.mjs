// A model, compiled for some kind of GPU, and timed here.

/** @import { Peak, Profile } from '../../../runtime-js/model.js' */
/** @import { Decoding } from './pytorch.mjs' */

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { makeDevice } from './device.mjs';
import { sustained } from './product.mjs';
import { inputsOf } from './tensors.mjs';

const PROFILED_RUNS = 20;
/** Before times count: the GPU's clock falls while pipelines compile. */
const WARM_RUNS = 10, WARM_MS = 500;

/** @typedef {{median: number, loaded: number, profile: Profile, inputs: Record<string, any>, results: Record<string, any>, sustained?: number}} Measured times in ms */

/**
 * A decoder begins with the cache that it is given, and goes on from what it keeps of it on the GPU, a token a run.
 *
 * @param {string} webnnc the compiler @param {string} model a file @param {string} folder to compile into
 * @param {{kind: string, flags: string[], runs: number, peak?: Peak, isProduct: boolean} & Decoding} options `kind`: of the GPU, as --device has it; `flags`: more of them
 * @returns {Promise<Measured>}
 */
export async function measureNetwork(webnnc, model, folder, { kind, flags, runs, peak, isProduct, sizes, memory = {} }) {
  const out = join(folder, kind);
  execFileSync(webnnc, [model, '-o', out, '--device', kind, '--target', 'webgpu', '--no-report', '--quiet', ...flags], { stdio: ['ignore', 'inherit', 'inherit'] });
  const device = await makeDevice();
  try {
    const { load } = await import(pathToFileURL(join(out, 'model.js')).href);
    const begin = performance.now(), compiled = await load({ backend: 'webgpu', device }), loaded = performance.now() - begin;
    const inputs = inputsOf(compiled.inputs, sizes), results = await compiled.run(inputs), times = [];
    const next = Object.fromEntries(Object.entries(inputs).filter(([name]) => !(name in memory))), kept = Object.values(memory);
    // As PyTorch's graph, runs write where they wrote before.
    const outputs = Object.fromEntries(Object.entries(results).filter(([name]) => !kept.includes(name)).map(([name, { data }]) => [name, data.slice()]));
    for (let i = 0, begin = performance.now(); i < WARM_RUNS || performance.now() - begin < WARM_MS; ++i) await compiled.run(next, { outputs });
    for (let i = 0; i < runs; ++i) {
      const start = performance.now();
      await compiled.run(next, { outputs });
      times.push(performance.now() - start);
    }
    const profile = await compiled.profile(inputs, { runs: PROFILED_RUNS, peak });
    const product = isProduct ? { sustained: await sustained(compiled, device, inputs) } : {};
    compiled.dispose();
    return { median: times.sort((a, b) => a - b)[runs >> 1], loaded, profile, inputs, results, ...product };
  } finally {
    device.destroy();
  }
}
