// States that grow are appended in place: what a run adds is written behind what was there, and nothing else of it is read,
// written or copied but by the kernels that use it.
//
//   WEBNNC=build/webnnc node --test tests/web/append.test.mjs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { numbersOf } from '../../runtime-js/elements.js';
import { onnxModel } from '../onnx_model.mjs';
import { gpu } from './dawn.mjs';
import { watched } from './watched.mjs';

const webnnc = process.env.WEBNNC ?? 'build/webnnc', folder = mkdtempSync(join(tmpdir(), 'webnnc-append-'));
after(() => rmSync(folder, { recursive: true }));

/** @param {Buffer | Uint8Array} model @param {string[]} flags @returns {{out: string, said: string}} */
function compile(model, ...flags) {
  const out = mkdtempSync(join(folder, 'out-')), file = join(folder, 'model.onnx');
  writeFileSync(file, model);
  const { status, stdout, stderr } = spawnSync(webnnc, [file, '-o', out, '--no-report', ...flags], { encoding: 'utf8', timeout: 120000 });
  assert.equal(status, 0, stderr);
  return { out, said: stdout + stderr };
}

/** @param {string} out */
const loaderOf = async (out) => (await import(pathToFileURL(join(out, 'model.js')).href)).load;

/** @param {'wasm' | 'webgpu'} backend @param {any} load */
const open = async (backend, load) => backend === 'wasm' ? load({ backend }) : load({ backend, device: (await watched()).device });

/** Elements of [a, b, rest] behind each other along b. @param {any[]} parts @param {number} a @param {number} rest */
function joined(parts, a, rest) {
  const all = [];
  for (let i = 0; i < a; ++i) for (const part of parts) all.push(...part.slice(i * part.length / a, (i + 1) * part.length / a));
  assert.equal(all.length % (a * rest), 0);
  return all;
}

/** Numbers that tell where they are. @param {number} count @param {number} from */
const numbers = (count, from) => Array.from({ length: count }, (_, i) => (i + from) % 61);

/** @param {any} tensor */
const valuesOf = ({ data, dataType }) => Array.from(numbersOf(dataType, data));

// What grows along the third of four axes, and its sums; in other types and along others below.
const cache = (/** @type {any} */ type = 'f32') => onnxModel({
  inputs: { x: [type, ['b', 2, 's', 4]], past: [type, ['b', 2, 'p', 4]] }, outputs: { sums: [type, ['b', 2, 1, 4]], present: [type, ['b', 2, 'total', 4]] },
  constants: { axes: [2n] },
  nodes: [{ op: 'Concat', inputs: ['past', 'x'], outputs: ['present'], attributes: { axis: 2 } },
    { op: 'ReduceSum', inputs: ['present', 'axes'], outputs: ['sums'] }],
});
const arrays = /** @type {any} */ ({ f32: Float32Array, f16: Float32Array, i32: Int32Array });
const built = compile(cache(), '--explain'), load = await loaderOf(built.out);

/** A cache of nine places, of which a run sets two of each sequence. @param {string} mode */
const scattering = (mode) => compile(onnxModel({
  opset: 24,
  inputs: { cache: ['f32', [2, 2, 9, 4]], u: ['f32', [2, 2, 2, 4]], at: ['i64', [2]] }, outputs: { sum: ['f32', [1, 1, 1, 1]], next: ['f32', [2, 2, 9, 4]] },
  nodes: [{ op: 'TensorScatter', inputs: ['cache', 'u', 'at'], outputs: ['next'], attributes: { axis: 2, mode } }, { op: 'ReduceSum', inputs: ['next'], outputs: ['sum'] }],
}), '--explain');

// Two heads of eight for four of queries, with room for sixteen keys.
const grouped = onnxModel({
  inputs: { q: ['f32', [1, 's', 32]], k: ['f32', [1, 's', 16]], v: ['f32', [1, 's', 16]], past_key: ['f32', [1, 2, 16, 8]], past_value: ['f32', [1, 2, 16, 8]], length: ['i32', [1]], total: ['i32', [1]] },
  outputs: { y: ['f32', [1, 's', 32]], present_key: ['f32', [1, 2, 16, 8]], present_value: ['f32', [1, 2, 16, 8]] },
  nodes: [{ op: 'GroupQueryAttention', domain: 'com.microsoft', inputs: ['q', 'k', 'v', 'past_key', 'past_value', 'length', 'total'],
    outputs: ['y', 'present_key', 'present_value'], attributes: { num_heads: 4, kv_num_heads: 2 } }],
});
// Attention of opset 24, whose cache grows.
const attention = onnxModel({
  opset: 24, inputs: { q: ['f32', ['b', 4, 's', 8]], k: ['f32', ['b', 2, 's', 8]], v: ['f32', ['b', 2, 's', 8]], past_key: ['f32', ['b', 2, 'p', 8]], past_value: ['f32', ['b', 2, 'p', 8]] },
  outputs: { y: ['f32', ['b', 4, 's', 8]], present_key: ['f32', ['b', 2, 't', 8]], present_value: ['f32', ['b', 2, 't', 8]] },
  nodes: [{ op: 'Attention', inputs: ['q', 'k', 'v', '', 'past_key', 'past_value'], outputs: ['y', 'present_key', 'present_value'], attributes: { is_causal: 1 } }],
});

test('--explain says how each state is kept', () => {
  assert.match(built.said, /state "past" = "present": in place, along axis 2/);
  const front = onnxModel({
    inputs: { x: ['f32', [1]], past: ['f32', ['p']], h: ['f32', [3]] }, outputs: { present: ['f32', ['q']], hn: ['f32', [3]] },
    nodes: [{ op: 'Concat', inputs: ['x', 'past'], outputs: ['present'], attributes: { axis: 0 } }, { op: 'Exp', inputs: ['h'], outputs: ['hn'] }],
  });
  const { said } = compile(front, '--explain');
  assert.match(said, /state "past" = "present": replaced, since it does not grow at its end/);
  assert.match(said, /state "h" = "hn": replaced/);
  assert.match(compile(grouped, '--explain').said, /state "past_value" = "present_value": in place, of which a run sets some/);
  assert.match(compile(attention, '--explain').said, /state "past_value" = "present_value": in place, along axis 2/);
  assert.match(scattering('circular').said, /state "cache" = "next": in place, of which a run sets some/);
});

for (const backend of /** @type {const} */ (['wasm', 'webgpu'])) {
  describe(backend, () => {
    for (const type of ['f32', 'f16', 'i32']) {
      test(`${type}, token by token, in sessions side by side`, async () => {
        const model = await open(backend, type === 'f32' ? load : await loaderOf(compile(cache(type)).out)), sessions = [model.session(), model.session(), model];
        /** @type {number[][][]} */
        const said = [[], [], []];
        for (let run = 0; run < 12; ++run) {
          for (const [s, session] of sessions.entries()) {
            const rows = 1 + (run + s) % 3, x = numbers(8 * rows, 17 * run + s);
            said[s].push(x);
            const wanted = run % 4 === 3 ? ['sums', 'present'] : undefined;
            const { sums, present } = await session.run({ x: { data: arrays[type].from(x), shape: [1, 2, rows, 4] } }, wanted && { outputs: wanted });
            const all = joined(said[s], 2, 4), count = all.length / 8;
            assert.deepEqual(valuesOf(sums), Array.from({ length: 8 }, (_, i) => {
              const head = all.slice((i >> 2) * count * 4, ((i >> 2) + 1) * count * 4);
              return head.filter((_, at) => at % 4 === i % 4).reduce((sum, value) => sum + value, 0);
            }));
            assert.equal(present !== undefined, wanted !== undefined);
            if (present) assert.deepEqual([valuesOf(present), present.shape], [all, [1, 2, count, 4]]);
          }
        }
        const saved = await sessions[1].state.save();
        assert.deepEqual([valuesOf(saved.past), saved.past.shape], [joined(said[1], 2, 4), [1, 2, joined(said[1], 2, 4).length / 8, 4]]);
        await sessions[0].state.load(structuredClone(saved));
        const x = { data: arrays[type].from(numbers(8, 3)), shape: [1, 2, 1, 4] };
        assert.deepEqual((await sessions[0].run({ x })).sums.data, (await sessions[1].run({ x })).sums.data);
        await model.state.reset();
        assert.deepEqual(valuesOf((await model.run({ x })).sums), numbers(8, 3));
        model.dispose();
      });
    }

    test('a run that is aborted, or is given the state, leaves the rest as it is', async () => {
      const model = await open(backend, load), x = { data: Float32Array.from(numbers(8, 1)), shape: [1, 2, 1, 4] };
      await model.run({ x });
      await assert.rejects(model.run({ x }, { signal: AbortSignal.abort() }));
      await assert.rejects(model.run({ x: { data: new Float32Array(16), shape: [2, 2, 1, 4] } }));
      assert.deepEqual([...(await model.run({ x })).sums.data], numbers(8, 1).map((value) => 2 * value));
      await model.profile({ x }, { runs: 2 });
      // What is given takes its place, and who gives it is given what becomes of it.
      const past = { data: Float32Array.from(numbers(32, 40)), shape: [1, 2, 4, 4] }, { present } = await model.run({ x, past });
      assert.deepEqual([...present.data], joined([numbers(32, 40), numbers(8, 1)], 2, 4));
      assert.deepEqual((await model.run({ x }, { outputs: ['present'] })).present.shape, [1, 2, 6, 4]);
      model.dispose();
    });

    test('two new pieces behind a first axis, and one that the model keeps in another order', async () => {
      const model = await open(backend, await loaderOf(compile(onnxModel({
        inputs: { a: ['f32', [1, 3]], b: ['f32', ['n', 3]], c: ['f32', [2, 1, 4]], past_0: ['f32', ['p', 3]], past_1: ['f32', ['q', 2, 4]] },
        outputs: { y: ['f32', ['q2', 2, 4]], present_0: ['f32', ['p2', 3]], present_1: ['f32', ['q2', 2, 4]] },
        nodes: [{ op: 'Concat', inputs: ['past_0', 'a', 'b'], outputs: ['present_0'], attributes: { axis: 0 } },
          { op: 'Transpose', inputs: ['past_1'], outputs: ['turned'], attributes: { perm: [1, 0, 2] } },
          { op: 'Concat', inputs: ['turned', 'c'], outputs: ['all'], attributes: { axis: 1 } },
          { op: 'Transpose', inputs: ['all'], outputs: ['present_1'], attributes: { perm: [1, 0, 2] } },
          { op: 'Neg', inputs: ['present_1'], outputs: ['y'] }],
      })).out));
      const first = [], second = [];
      for (let run = 0; run < 5; ++run) {
        const a = numbers(3, run), b = numbers(3 * run, 50 + run), c = numbers(8, 100 + run);
        first.push(...a, ...b);
        second.push(...c);
        const { y } = await model.run({ a: Float32Array.from(a), b: { data: Float32Array.from(b), shape: [run, 3] }, c: Float32Array.from(c) });
        assert.deepEqual([...y.data], second.map((value) => -value));
      }
      const { past_0, past_1 } = await model.state.save();
      assert.deepEqual([[...past_0.data], past_0.shape, [...past_1.data], past_1.shape], [first, [15, 3], second, [5, 2, 4]]);
      model.dispose();
    });

    test('TensorScatter sets some of a cache of fixed size, in place', async () => {
      for (const [mode, at] of /** @type {const} */ ([['linear', (/** @type {number} */ run) => [run, 2 * run]], ['circular', (/** @type {number} */ run) => [3 * run, 5 + run]]])) {
        const model = await open(backend, await loaderOf(scattering(mode).out)), session = model.session();
        const wanted = new Array(2 * 2 * 9 * 4).fill(0), aborted = AbortSignal.abort();
        for (let run = 0; run < 4; ++run) {
          const begins = at(run), u = numbers(2 * 2 * 2 * 4, 1 + 7 * run);
          for (let b = 0; b < 2; ++b) for (let h = 0; h < 2; ++h) for (let s = 0; s < 2; ++s) for (let i = 0; i < 4; ++i) {
            wanted[((b * 2 + h) * 9 + (begins[b] + s) % 9) * 4 + i] = u[((b * 2 + h) * 2 + s) * 4 + i];
          }
          const given = { u: Float32Array.from(u), at: BigInt64Array.from(begins, BigInt) };
          await assert.rejects(model.run({ ...given, u: new Float32Array(32) }, { signal: aborted }));
          await model.profile({ ...given, u: new Float32Array(32).fill(7) }, { runs: 1 });
          const { sum } = await model.run(given);
          assert.equal(sum.data[0], wanted.reduce((all, value) => all + value, 0));
        }
        assert.deepEqual([...(await model.state.save()).cache.data], wanted);
        assert.deepEqual(await session.state.save(), {});
        // A run that is refused when it has begun has set nothing.
        if (mode === 'linear') await assert.rejects(model.run({ u: new Float32Array(32).fill(5), at: BigInt64Array.of(0n, 20n) }), /index|takes/);
        assert.deepEqual([...(await model.state.save()).cache.data], wanted);
        model.dispose();
      }
    });

    test('GroupQueryAttention with a cache of fixed size says what it says with one that the page keeps', async () => {
      const [kept, given] = await Promise.all([[], ['--state', 'none']].map(async (flags) => open(backend, await loaderOf(compile(grouped, ...flags).out))));
      let past = { past_key: new Float32Array(16 * 16), past_value: new Float32Array(16 * 16) };
      for (let run = 0, before = 0; run < 5; ++run) {
        const rows = run ? 1 : 3, of = (/** @type {number} */ width, /** @type {number} */ from) => ({ data: Float32Array.from(numbers(width * rows, from), (value) => Math.sin(value)), shape: [1, rows, width] });
        before += rows;
        const x = { q: of(32, run), k: of(16, 20 + run), v: of(16, 40 + run), length: Int32Array.of(before - 1), total: Int32Array.of(before) };
        const all = await given.run({ ...x, ...past });
        assert.deepEqual([...(await kept.run(x)).y.data], [...all.y.data]);
        past = { past_key: all.present_key.data, past_value: all.present_value.data };
      }
      assert.deepEqual([...(await kept.state.save()).past_key.data], [...past.past_key]);
      kept.dispose();
      given.dispose();
    });

    test('of a model with sizes that depend on data, and a branch that reads it', async () => {
      const branch = (/** @type {string} */ op) => ({ graph: { inputs: {}, outputs: { y: /** @type {any} */ (['f32', []]) }, nodes: [{ op, inputs: ['present'], outputs: ['y'], attributes: { keepdims: 0 } }] } });
      const model = await open(backend, await loaderOf(compile(onnxModel({
        inputs: { x: ['f32', [2, 3]], most: ['bool', []], past: ['f32', [2, 'p']] }, outputs: { y: ['f32', []], at: ['i64', [2, 'count']], present: ['f32', [2, 'q']] },
        nodes: [{ op: 'Concat', inputs: ['past', 'x'], outputs: ['present'], attributes: { axis: 1 } }, { op: 'NonZero', inputs: ['x'], outputs: ['at'] },
          { op: 'If', inputs: ['most'], outputs: ['y'], attributes: { then_branch: branch('ReduceMax'), else_branch: branch('ReduceSum') } }],
      })).out)), other = model.session();
      /** @type {number[][]} */
      const said = [];
      for (let run = 0; run < 6; ++run) {
        const x = numbers(6, 11 * run), most = run % 2;
        said.push(x);
        const given = { x: Float32Array.from(x), most: Uint8Array.of(most) }, { y, at } = await model.run(given), all = said.flat();
        assert.equal(y.data[0], most ? Math.max(...all) : all.reduce((sum, value) => sum + value, 0));
        assert.equal(at.shape[1], x.filter((value) => value).length);
        await other.run(given, { signal: new AbortController().signal });
      }
      const wanted = joined(said, 2, 1);
      for (const { state } of [model, other]) assert.deepEqual([...(await state.save()).past.data], wanted);
      model.dispose();
    });

    test('what is new is computed of what is there', async () => {
      const model = await open(backend, await loaderOf(compile(onnxModel({
        inputs: { x: ['f32', [2, 1]], past: ['f32', [2, 'p']] }, outputs: { y: ['f32', [2, 1]], present: ['f32', [2, 'q']] },
        constants: { axes: [1n] },
        nodes: [{ op: 'ReduceSum', inputs: ['past', 'axes'], outputs: ['before'] }, { op: 'Add', inputs: ['before', 'x'], outputs: ['y'] },
          { op: 'Concat', inputs: ['past', 'y'], outputs: ['present'], attributes: { axis: 1 } }],
      })).out));
      for (const times of [1, 2, 4, 8]) assert.deepEqual([...(await model.run({ x: Float32Array.of(1, 3) })).y.data], [times, 3 * times]);
      model.dispose();
    });
  });
}

test('a state that was saved of one backend is loaded in the other', async () => {
  const wasm = await open('wasm', load), webgpu = await open('webgpu', load), x = { data: Float32Array.from(numbers(24, 5)), shape: [1, 2, 3, 4] };
  await wasm.run({ x });
  await webgpu.state.load(await wasm.state.save());
  await webgpu.run({ x });
  await wasm.state.load(await webgpu.state.save());
  const { present } = await wasm.run({ x }, { outputs: ['present'] });
  assert.deepEqual([...present.data], joined([numbers(24, 5), numbers(24, 5), numbers(24, 5)], 2, 4));
  wasm.dispose();
  webgpu.dispose();
});

test('a lost GPU takes it along, which the next run says', async () => {
  Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
  const model = await load({ backend: 'webgpu' }), x = { data: Float32Array.from(numbers(8, 1)), shape: [1, 2, 1, 4] };
  await model.run({ x });
  const saved = await model.state.save();
  model.device?.destroy();
  await new Promise((done) => setTimeout(done, 20));
  await assert.rejects(model.run({ x }), (error) => /** @type {any} */ (error).name === 'DeviceLostError' && /and the state with it/.test(/** @type {any} */ (error).message));
  await model.state.load(saved);
  assert.deepEqual([...(await model.run({ x })).sums.data], numbers(8, 1).map((value) => 2 * value));
  model.dispose();
  Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
});

test('a run on the GPU copies nothing but its outputs; more room is taken, twice as much, now and then', async () => {
  const { device, seen } = await watched(), model = await load({ backend: 'webgpu', device }), x = { data: new Float32Array(8), shape: [1, 2, 1, 4] };
  for (let run = 0; run < 64; ++run) await model.run({ x });
  const grown = seen.states, before = { ...seen };
  // 2,048 bytes of the state are there, and room for as many: from here on there is room.
  for (let run = 0; run < 60; ++run) await model.run({ x });
  assert.equal(seen.copied - before.copied, 60 * 32 + (seen.states - grown) * 2048, 'the sums');
  assert.ok(seen.written - before.written <= 60 * (32 + 1024), `inputs and sizes, not ${seen.written - before.written}`);
  assert.ok(seen.states <= 8, `${seen.states} buffers`);
  model.dispose();
});

test('commands are encoded ahead for sizes that grow on, and others are right all the same', async () => {
  const { device, seen } = await watched(), model = await load({ backend: 'webgpu', device }), given = /** @type {number[][]} */ ([]), rows = [1, 1, 1, 1, 1, 2, 1, 3, 3, 1];
  const sums = (/** @type {number[][]} */ parts, /** @type {number} */ i) => parts.reduce((sum, part) => {
    for (let at = i % 4 + (i >> 2) * part.length / 2; at < ((i >> 2) + 1) * part.length / 2; at += 4) sum += part[at];
    return sum;
  }, 0);
  for (const [run, count] of rows.entries()) {
    given.push(numbers(8 * count, run));
    const outputs = await model.run({ x: { data: Float32Array.from(given[run]), shape: [1, 2, count, 4] } });
    assert.deepEqual([...outputs.sums.data], Array.from({ length: 8 }, (_, i) => sums(given, i)), `run ${run}`);
    // The second run is the first that tells how sizes grow.
    if (run === 4) assert.equal(seen.passes, 6, 'one for each run, and one that is ahead');
  }
  model.dispose();
});

test('with a capacity all of its room is taken at once, and what would be more is refused', async () => {
  const { out, said } = compile(cache(), '--dim', 'total=40', '--explain'), of = await loaderOf(out);
  assert.match(said, /in place, along axis 2, with room for 40 and no more/);
  for (const backend of /** @type {const} */ (['wasm', 'webgpu'])) {
    const { device, seen } = await watched(), model = await (backend === 'wasm' ? of({ backend }) : of({ backend, device }));
    const x = { data: Float32Array.from(numbers(8, 1)), shape: [1, 2, 1, 4] };
    for (let run = 1; run <= 40; ++run) await model.run({ x });
    if (backend === 'webgpu') assert.deepEqual([seen.states, seen.copied], [1, 40 * 32]);
    await assert.rejects(model.run({ x }), /the state "past" has room for 40, and would be 41 after this run/);
    // It is as it was.
    assert.deepEqual((await model.state.save()).past.shape, [1, 2, 40, 4]);
    await model.state.reset();
    assert.deepEqual([...(await model.run({ x })).sums.data], numbers(8, 1));
    model.dispose();
  }
  // What is likely is no limit.
  const { device, seen } = await watched(), model = await (await loaderOf(compile(cache(), '--dim', 'p=?1..40').out))({ backend: 'webgpu', device });
  for (let run = 1; run <= 41; ++run) await model.run({ x: { data: new Float32Array(8), shape: [1, 2, 1, 4] } });
  assert.equal(seen.states, 1);
  await model.run({ x: { data: new Float32Array(8 * 20), shape: [1, 2, 20, 4] } });
  assert.equal(seen.states, 2);
  model.dispose();
});

test('a run waits once, and bind groups are made when what they bind is somewhere else', async () => {
  const { device, seen } = await watched(), of = await loaderOf(compile(attention, '--dim', 't=200').out), model = await of({ backend: 'webgpu', device });
  const token = (/** @type {number} */ heads) => ({ data: new Float32Array(8 * heads), shape: [1, heads, 1, 8] }), given = { q: token(4), k: token(2), v: token(2) };
  await model.run(given);
  const first = seen.groups;
  await model.run(given);
  const before = { ...seen };
  for (let run = 0; run < 128; ++run) await model.run(given);
  // Each of 4 heads has 4 bytes more a run: every 16 runs, places of 256 bytes are others, and the arena is larger.
  assert.ok(seen.waits - before.waits <= 128 + 10, `${seen.waits - before.waits} waits`);
  assert.ok(seen.groups - before.groups <= 10 * first, `${seen.groups - before.groups} bind groups, of ${first} that a run has`);
  model.dispose();
});

test('where much is there, places stay while it grows by some', async () => {
  const { device, seen } = await watched(), of = await loaderOf(compile(attention, '--dim', 't=4000').out), model = await of({ backend: 'webgpu', device });
  const tokens = (/** @type {number} */ heads, count = 1) => ({ data: new Float32Array(8 * heads * count), shape: [1, heads, count, 8] }), given = { q: tokens(4), k: tokens(2), v: tokens(2) };
  await model.state.load(Object.fromEntries(Object.keys((await model.run(given), await model.state.save())).map((name) => [name, tokens(2, 3000)])));
  for (let run = 0; run < 3; ++run) await model.run(given);
  const { groups } = seen;
  for (let run = 0; run < 60; ++run) await model.run(given);
  // Rows of 3,000 numbers for 4 heads: 16 bytes more a run are an eighth after 375.
  assert.equal(seen.groups, groups);
  model.dispose();
});

test('a capacity of what does not grow is refused by name', () => {
  const file = join(folder, 'model.onnx');
  writeFileSync(file, cache());
  const { status, stderr } = spawnSync(webnnc, [file, '-o', join(folder, 'refused'), '--state', 'none', '--dim', 'total=40'], { encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /--dim names "total", which is a size of outputs alone/);
});

test('the WASI command takes and gives it as other engines do', () => {
  const npy = (/** @type {number[]} */ data, /** @type {number[]} */ shape) => {
    const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`.padEnd(117) + '\n';
    return Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), Buffer.from([118, 0]), Buffer.from(header), Buffer.from(Float32Array.from(data).buffer)]);
  };
  const path = (/** @type {string} */ name) => join(folder, name);
  writeFileSync(path('x.npy'), npy(numbers(32, 7), [2, 2, 2, 4]));
  writeFileSync(path('past.npy'), npy(numbers(48, 60), [2, 2, 3, 4]));
  const { status, stderr } = spawnSync(process.execPath, ['--no-warnings', new URL('../../tools/run_wasi.mjs', import.meta.url).pathname, join(built.out, 'model.wasm'),
    '--input', `x=${path('x.npy')}`, '--input', `past=${path('past.npy')}`, '--output', `present=${path('present.npy')}`, '--output', `sums=${path('sums.npy')}`], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  const file = readFileSync(path('present.npy')), length = file.readUInt16LE(8), header = file.subarray(10, 10 + length).toString();
  assert.match(header, /'shape': \(2, 2, 5, 4, \)/);
  const data = new Float32Array(new Uint8Array(file.subarray(10 + length)).buffer);
  assert.deepEqual([...data], joined([numbers(48, 60), numbers(32, 7)], 4, 4));
});
