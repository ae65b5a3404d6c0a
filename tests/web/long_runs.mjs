#!/usr/bin/env node
// Runs of models that decide, thousands of them: memory must stay what it is, and the run after a lost device be right.
//
//   WEBNNC=build/webnnc node tests/web/long_runs.mjs [--runs N] [--lost N]
//
// N runs (10,000) of a model with a loop and of one with sizes that the data gives, on wasm and WebGPU, and as many devices
// (200) lost at random moments. Prints the bytes of wasm's memory and the number and bytes of GPU buffers after the first
// 200 runs and at the end; exits with 1 if a result is wrong or if memory grew.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

import { onnxModel } from '../onnx_model.mjs';
import { gpu, makeDevice } from './dawn.mjs';

const { values: options } = parseArgs({ options: { runs: { type: 'string', default: '10000' }, lost: { type: 'string', default: '200' } } });
const runs = Number(options.runs), WARM = Math.min(200, runs), work = mkdtempSync(join(tmpdir(), 'webnnc-long-'));
const webnnc = process.env.WEBNNC ?? fileURLToPath(new URL('../../build/webnnc', import.meta.url));
const yes = { type: /** @type {any} */ (['bool', []]), bytes: Uint8Array.of(1) };

/** What the runs are of: a model, inputs by the number of the run, and what must come of them. */
const MODELS = {
  loop: {
    /** Puts x before itself. @type {Parameters<typeof onnxModel>[0]} */
    model: {
      inputs: { x: ['f32', ['n']], trips: ['i64', []] }, outputs: { y: ['f32', ['m']] }, constants: { go: yes },
      nodes: [{
        op: 'Loop', inputs: ['trips', 'go', 'x'], outputs: ['y'], attributes: {
          body: {
            graph: {
              inputs: { i: ['i64', []], c: ['bool', []], v: ['f32', ['v']] }, outputs: { c: ['bool', []], w: ['f32', ['w']] },
              nodes: [{ op: 'Concat', inputs: ['x', 'v'], outputs: ['w'], attributes: { axis: 0 } }],
            },
          },
        },
      }],
    },
    inputs: (/** @type {number} */ run) => ({ x: Float32Array.from({ length: 1 + run % 50 }, (_, i) => i + run), trips: BigInt64Array.of(BigInt(run % 4)) }),
    y: (/** @type {any} */ { x, trips }) => Array.from({ length: Number(trips[0]) + 1 }, () => [...x]).flat(),
  },
  counted: {
    /** Where x is not 0. @type {Parameters<typeof onnxModel>[0]} */
    model: {
      inputs: { x: ['f32', ['n']] }, outputs: { y: ['i64', [1, 'k']] },
      nodes: [{ op: 'Abs', inputs: ['x'], outputs: ['a'] }, { op: 'NonZero', inputs: ['a'], outputs: ['y'] }],
    },
    inputs: (/** @type {number} */ run) => ({ x: Float32Array.from({ length: 1 + run % 97 }, (_, i) => (i * run) % 3) }),
    y: (/** @type {any} */ { x }) => [...x.keys()].filter((i) => x[i]),
  },
};

/** @type {WebAssembly.Memory[]} */
const memories = [];
const { instantiate } = WebAssembly;
WebAssembly.instantiate = /** @type {any} */ (async (/** @type {any} */ ...args) => {
  const made = /** @type {any} */ (await instantiate(...(/** @type {[any, any]} */ (args))));
  if (made.exports?.memory) memories.push(made.exports.memory);
  return made;
});

/** Counts a device's buffers. @param {GPUDevice} device */
function count(device) {
  const seen = { buffers: 0, bytes: 0 }, create = device.createBuffer.bind(device);
  device.createBuffer = (descriptor) => {
    const buffer = create(descriptor), destroy = buffer.destroy.bind(buffer);
    let size = buffer.size, one = 1;
    seen.bytes += size;
    seen.buffers += one;
    buffer.destroy = () => {
      seen.bytes -= size;
      seen.buffers -= one;
      size = one = 0;
      return destroy();
    };
    return buffer;
  };
  return seen;
}

try {
  for (const [name, { model, inputs, y }] of Object.entries(MODELS)) {
    const file = join(work, `${name}.onnx`), out = join(work, name);
    writeFileSync(file, onnxModel(model));
    execFileSync(webnnc, [file, '-o', out, '--quiet']);
    const { load, DeviceLostError } = await import(pathToFileURL(join(out, 'model.js')).href);
    /** @param {any} loaded @param {number} run */
    const check = async (loaded, run) => {
      const given = inputs(run);
      assert.deepEqual([...(await loaded.run(given)).y.data].map(Number), y(given));
    };
    for (const backend of ['wasm', 'webgpu']) {
      const device = backend === 'webgpu' ? await makeDevice() : undefined, seen = device && count(device);
      const loaded = await load({ backend, device }), memory = /** @type {WebAssembly.Memory} */ (memories.at(-1));
      const used = () => ({ wasm: memory.buffer.byteLength, ...seen });
      for (let run = 0; run < WARM; ++run) await check(loaded, run);
      const before = used();
      for (let run = WARM; run < runs; ++run) await check(loaded, run);
      console.log(`${name} on ${backend}: ${JSON.stringify(before)} after ${WARM} runs, ${JSON.stringify(used())} after ${runs}`);
      assert.deepEqual(used(), before);
      loaded.dispose();
      device?.destroy();
    }
    Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
    const loaded = await load({ backend: 'webgpu' }), lost = Number(options.lost) / 2;
    let failed = 0;
    for (let round = 0; round < lost; ++round) {
      const { device } = loaded, three = [0, 1, 2].map((i) => check(loaded, round + i).catch((error) => {
        if (!(error instanceof DeviceLostError)) throw error;
        ++failed;
      }));
      setTimeout(() => device?.destroy(), Math.random() * 8);
      await Promise.all(three);
      await device?.lost;
      await check(loaded, round);
    }
    console.log(`${name}: ${lost} devices lost, by which ${failed} of ${3 * lost} runs ended; each next one was right`);
    loaded.dispose();
    Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
  }
} finally {
  rmSync(work, { recursive: true });
}
process.exit(0);
