// Networks that are given back what they remember, over many steps: speech and sound with a state, decoders with the keys
// and values of all tokens before. On WebGPU what they remember never leaves the GPU. Results are ONNX Runtime's
// (streams_reference.json).
//
//   WEBNNC=build/webnnc node --test tests/models/streams.test.mjs

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { makeDevice } from '../web/dawn.mjs';
import { DECODERS, STREAMS, choose, isCompared, memoryOf, sample } from './streams.mjs';

/** @typedef {import('./streams.mjs').Stream} Stream */
/** @typedef {import('./streams.mjs').Decoder} Decoder */

const root = fileURLToPath(new URL('../..', import.meta.url)), cache = process.env.CACHE ?? join(root, 'build/cache');
const models = process.env.MODELS ?? execFileSync(join(root, 'tests/unpack_shared'), ['models', cache], { encoding: 'utf8' }).trim();
if (!models) console.log('skipped: the networks, which are in ../shared');
/** @type {Record<string, any>} */
const reference = JSON.parse(readFileSync(new URL('streams_reference.json', import.meta.url), 'utf8'));
// A GPU in software takes a second for a token.
const BACKENDS = /** @type {const} */ ([{ backend: 'wasm', steps: Infinity, tokens: Infinity }, { backend: 'webgpu', steps: 10, tokens: 12 }]);

describe('state that is given back', { skip: !models }, () => {
  const work = mkdtempSync(join(tmpdir(), 'webnnc-streams-'));
  /** @type {GPUDevice} */ let device;
  before(async () => {
    device = await makeDevice();
  });
  after(() => {
    device.destroy();
    rmSync(work, { recursive: true });
  });

  for (const name of [...Object.keys(STREAMS), ...Object.keys(DECODERS)]) {
    test(name, async () => {
      const out = join(work, name);
      execFileSync(process.env.WEBNNC ?? join(root, 'build/webnnc'), [join(models, name, 'model.onnx'), '-o', out, '--no-report', '--quiet']);
      const { load } = await import(pathToFileURL(join(out, 'model.js')).href);
      for (const { backend, steps, tokens } of BACKENDS) {
        const model = await load(backend === 'wasm' ? { backend } : { backend, device });
        if (name in STREAMS) await stream(model, name, STREAMS[name], steps);
        else await decode(model, name, DECODERS[name], tokens);
        model.dispose();
      }
    });
  }
});

/** @param {number[]} shape */
const zeros = (shape) => ({ data: new Float32Array(shape.reduce((a, b) => a * b, 1)), shape });

/**
 * Runs a step, and puts into `memory` what it remembers. Gives the other outputs.
 * @param {any} model @param {Record<string, any>} memory inputs @param {Record<string, string>} links outputs and the inputs that take them
 * @param {Record<string, any>} inputs
 */
async function runStep(model, memory, links, inputs) {
  const stays = model.backend === 'webgpu';
  const where = stays ? { outputs: Object.fromEntries(model.outputs.map((/** @type {{ name: string }} */ { name }) => [name, name in links ? 'gpu' : 'data'])) } : {};
  const outputs = await model.run({ ...inputs, ...memory }, where);
  for (const [output, input] of Object.entries(links)) {
    assert.equal(outputs[output].buffer !== undefined, stays, `${output} is not where it was asked to be`);
    // Empty ones have no buffer.
    if (stays) memory[input]?.buffer?.destroy();
    memory[input] = outputs[output];
  }
  return outputs;
}

/** @param {any} model @param {string} name @param {Stream} stream @param {number} most */
async function stream(model, name, stream, most) {
  const memory = Object.fromEntries(Object.entries(stream.start).map(([input, shape]) => [input, /** @type {any} */ (zeros(shape))]));
  let compared = 0;
  for (let step = 0; step < Math.min(stream.steps, most); ++step) {
    const outputs = await runStep(model, memory, stream.memory, { [stream.input]: stream.step(step) });
    if (!isCompared(step, stream)) continue;
    for (const [output, expected] of Object.entries(reference[name][compared++])) {
      const tensor = outputs[output], data = tensor.data ?? (await tensor.read()).data;
      for (const [i, value] of sample(data).entries()) {
        const where = `${name} on ${model.backend}, step ${step}, ${output}[${i}] is ${value}, not ${expected.sample[i]}`;
        assert.ok(Math.abs(value - expected.sample[i]) <= 1e-5 + 1e-4 * expected.largest, where);
      }
    }
  }
  assert.ok(compared > 2, 'too few steps were compared');
}

/** @param {any} model @param {string} name @param {Decoder} decoder @param {number} most */
async function decode(model, name, decoder, most) {
  const links = memoryOf(decoder), expected = reference[name].slice(0, most), tokens = [];
  const memory = Object.fromEntries(Object.values(links).map((input) => [input, /** @type {any} */ (zeros(decoder.past))]));
  for (let ids = decoder.prompt; tokens.length < expected.length;) {
    const { logits } = await runStep(model, memory, links, { input_ids: { data: BigInt64Array.from(ids, BigInt), shape: [1, ids.length] } });
    const token = choose(logits.data, logits.shape[2]);
    ids = [decoder.next(token, tokens.length)];
    tokens.push(token);
  }
  assert.deepEqual(tokens, expected, `${name} on ${model.backend}`);
}
