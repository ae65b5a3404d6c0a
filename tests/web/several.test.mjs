// Several models in one bundle, as pages use them: what `load` gives, that each computes what it is defined as while the others
// do, and what they share.
//
//   WEBNNC=build/webnnc node --test tests/web/several.test.mjs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { decoded, decoder, encoded, encoder } from '../encoder_decoder.mjs';
import { makeDevice } from './dawn.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url)), webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const folder = mkdtempSync(join(tmpdir(), 'webnnc-several-'));
after(() => rmSync(folder, { recursive: true }));
/** @type {GPUDevice[]} */
const devices = [];
afterEach(() => devices.splice(0).forEach((device) => device.destroy()));

/** @param {Record<string, Uint8Array | string>} models by key, their bytes or their files @param {string[]} flags @returns {Promise<any>} the bundle's module */
async function compile(models, ...flags) {
  const out = mkdtempSync(join(folder, 'out-'));
  const files = Object.entries(models).map(([key, model]) => {
    const path = typeof model === 'string' ? model : join(out, `${key}.onnx`);
    if (typeof model !== 'string') writeFileSync(path, model);
    return `${key}=${path}`;
  });
  const { status, stderr } = spawnSync(webnnc, [...files, '-o', out, '--no-report', '--quiet', ...flags], { encoding: 'utf8', timeout: 120000 });
  assert.equal(status, 0, stderr);
  return import(pathToFileURL(join(out, 'model.js')).href);
}

const straight = { encoder: encoder(), again: encoder('x_') }, all = { ...straight, decoder };
const { load } = await compile(all), { load: loadStraight } = await compile(straight);

/** @param {number} count @param {number} from */
const idsOf = (count, from) => Array.from({ length: count }, (_, i) => BigInt((5 * i + from) % 8));

/** @param {any} model @param {bigint[]} ids @param {any} [options] */
const encode = (model, ids, options) => model.run({ [model.inputs[0].name]: BigInt64Array.from(ids) }, options).then((/** @type {any} */ outputs) => Object.values(outputs)[0]);
/** @param {any} model @param {bigint[]} ids @param {any} hidden @param {number} times */
const decode = async (model, ids, hidden, times) => (await model.run({ ids: BigInt64Array.from(ids), hidden, times })).sums;

/** @param {any} tensor @param {number[][]} rows */
function check(tensor, rows) {
  assert.deepEqual(tensor.shape, [rows.length, rows[0]?.length ?? 64]);
  assert.deepEqual([...tensor.data], rows.flat());
}

for (const [backend, worker] of /** @type {const} */ ([['wasm', false], ['webgpu', false], ['wasm', true]])) {
  const open = async (/** @type {any} */ from = load) => {
    const device = backend === 'webgpu' ? await makeDevice() : undefined;
    if (device) devices.push(device);
    return from({ backend, worker, device });
  };

  describe(worker ? `${backend} in a worker` : backend, () => {
    test('each is a model, by its key', async () => {
      const models = await open();
      assert.deepEqual(Object.keys(models), ['encoder', 'again', 'decoder']);
      assert.deepEqual(Object.values(models).map(({ name }) => name), ['encoder', 'again', 'decoder']);
      assert.deepEqual(Object.values(models).map((model) => model.backend), [backend, backend, backend]);
      assert.deepEqual(models.again.inputs.map((/** @type {any} */ { name }) => name), ['x_ids']);
      models[Symbol.dispose]();
    });

    for (const [what, from] of /** @type {const} */ ([['straight programs', loadStraight], ['one with a loop among them', load]])) {
      test(`each computes what it is defined as, by turns and with other sizes: ${what}`, async () => {
        const models = await open(from);
        for (const [i, count] of [3, 3, 1, 17, 2, 17, 40, 3].entries()) {
          const ids = idsOf(count, i), hidden = await encode(models.encoder, ids);
          check(hidden, encoded(ids));
          check(await encode(models.again, idsOf(count + i % 2, i + 1)), encoded(idsOf(count + i % 2, i + 1)));
          if (models.decoder) check(await decode(models.decoder, ids, hidden, i % 4), decoded(ids, i % 4));
        }
        models[Symbol.dispose]();
      });
    }

    test('runs of all that are started together each have their own result', async () => {
      const models = await open(), runs = [];
      for (let i = 0; i < 24; ++i) {
        const ids = idsOf(1 + 7 * i % 5, i), hidden = { data: Float32Array.from(encoded(ids).flat()), shape: [ids.length, 64] };
        runs.push([encode(i % 2 ? models.encoder : models.again, ids), encoded(ids)], [decode(models.decoder, ids, hidden, i % 3), decoded(ids, i % 3)]);
      }
      for (const [result, rows] of runs) check(await result, await rows);
      models[Symbol.dispose]();
    });

    test('one that is disposed of leaves the others', async () => {
      const { encoder: first, again, decoder: last } = await open(), ids = idsOf(4, 0), hidden = await encode(first, ids);
      // In wasm the one that is started first has ended when its `run` returns.
      const [, pending] = [encode(first, ids), encode(first, ids)].map((run) => run.catch((/** @type {any} */ error) => error));
      first.dispose();
      first.dispose();
      assert.equal((await pending).name, 'DisposedError');
      await assert.rejects(encode(first, ids), { name: 'DisposedError' });
      check(await encode(again, ids), encoded(ids));
      check(await decode(last, ids, hidden, 2), decoded(ids, 2));
      again.dispose();
      check(await decode(last, ids, hidden, 1), decoded(ids, 1));
      last.dispose();
      await assert.rejects(decode(last, ids, hidden, 1), { name: 'DisposedError' });
    });
  });
}

test('a bundle of one model gives the model', async () => {
  const { load: loadOne } = await compile({ only: encoder() }), model = await loadOne({ backend: 'wasm' });
  check(await encode(model, idsOf(2, 3)), encoded(idsOf(2, 3)));
});
