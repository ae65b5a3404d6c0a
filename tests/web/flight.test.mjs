// Runs in flight: several that were started before the first has ended. Each has its own result, in order, whatever
// happens to the others, and a page that goes on so for hours needs no more memory than in its first second.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { GpuFrames } from '../../runtime-js/gpu_frames.js';
import { gpu, makeDevice } from './dawn.mjs';
import { B, W, makeBundle } from './fixtures.mjs';
import { onnxModel } from '../onnx_model.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

const scale = await makeBundle('scale'), { load } = await scale.import();
after(() => scale.remove());

/** @type {GPUDevice[]} */
const devices = [];
afterEach(() => {
  devices.splice(0).forEach((device) => device.destroy());
  Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
});

/**
 * Buffers that the model has whether it runs or not (weights, the arena, sizes, what the commands that are encoded ahead
 * read back through), and those that it may keep for runs to come.
 */
const OWN = 4, FREE = 4;

/** @param {number} n @param {number} first */
function rows(n, first) {
  return { x: Float32Array.from({ length: 4 * n }, (_, i) => first + i), k: BigInt64Array.from({ length: n }, (_, i) => BigInt(i + first)) };
}

/** @param {any} outputs @param {number} n @param {number} first */
function check({ y, twice }, n, first) {
  const { x, k } = rows(n, first);
  assert.deepEqual(y.data, x.map((value, i) => value * W[i % 4] + B[i % 4] + Number(k[i >> 2])));
  assert.deepEqual(twice.data, k.map((value) => 2n * value));
}

/** A device, and how many of its buffers were not destroyed, and what was submitted. */
async function watched() {
  const device = await makeDevice(), seen = { buffers: 0, submits: 0 };
  devices.push(device);
  const queue = new Proxy(device.queue, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (name === 'submit') ++seen.submits;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  /** @param {GPUBufferDescriptor} descriptor */
  const createBuffer = (descriptor) => {
    const buffer = device.createBuffer(descriptor), destroy = buffer.destroy.bind(buffer);
    let isThere = true;
    ++seen.buffers;
    buffer.destroy = () => {
      if (isThere) --seen.buffers;
      isThere = false;
      return destroy();
    };
    return buffer;
  };
  const proxy = new Proxy(device, {
    get(target, name) {
      if (name === 'queue') return queue;
      if (name === 'createBuffer') return createBuffer;
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { device: proxy, seen };
}

/**
 * Keeps `width` runs in flight.
 *
 * @param {number} width @param {number} count of runs @param {(i: number) => Promise<any>} start @param {(result: any, i: number) => void} take
 */
async function pipeline(width, count, start, take) {
  /** @type {Promise<any>[]} */
  const inFlight = [];
  for (let i = 0, done = 0; done < count; ++done) {
    for (; i < count && inFlight.length < width; ++i) inFlight.push(start(i));
    take(await inFlight.shift(), done);
  }
}

describe('runs in flight on WebGPU', () => {
  test('are submitted at once, without waiting for each other, and read their inputs before run returns', async () => {
    const { device, seen } = await watched(), model = await load({ device });
    await model.run(rows(3, 0));
    const before = seen.submits;
    const runs = [5, 6, 7].map((first) => {
      const inputs = rows(3, first), running = model.run(inputs);
      inputs.x.fill(NaN);
      return running;
    });
    assert.equal(seen.submits - before, 3);
    (await Promise.all(runs)).forEach((outputs, i) => check(outputs, 3, 5 + i));
  });

  for (const width of [2, 3]) {
    test(`have their own results for 200 rounds, ${width} at a time, and a buffer each`, async () => {
      const { device, seen } = await watched(), model = await load({ device });
      /** @type {number[]} */
      const order = [];
      /** @type {number[]} */
      const counts = [];
      const start = (/** @type {number} */ i) => {
        const running = model.run(rows(4, i));
        return running.finally(() => order.push(i));
      };
      await pipeline(width, 200, start, (outputs, i) => {
        check(outputs, 4, i);
        counts.push(seen.buffers);
      });
      assert.deepEqual(order, Array.from({ length: 200 }, (_, i) => i));
      // One to read back through for each.
      assert.ok(Math.max(...counts) <= OWN + width, counts.join());
    });
  }

  test('may want other outputs each, and have other sizes', async () => {
    const { device, seen } = await watched(), model = await load({ device });
    /** @param {number} i */
    const sizeOf = (i) => [4, 4, 9, 1, 4][i % 5];
    /** @type {number[]} */
    const counts = [];
    /** @type {any[]} */
    const destinations = ['data', ['twice'], { y: 'gpu', twice: 'data' }, 'gpu', { y: 'data', twice: 'gpu' }, 'data', []];
    await pipeline(3, 210, (i) => model.run(rows(sizeOf(i), i), { outputs: destinations[i % 7] }).then(async (outputs) => {
      for (const name of /** @type {const} */ (['y', 'twice'])) {
        const tensor = /** @type {any} */ (outputs)[name];
        if (!tensor?.buffer) continue;
        Object.assign(outputs, { [name]: await tensor.read() });
        tensor.buffer.destroy();
      }
      return outputs;
    }), (outputs, i) => {
      counts.push(seen.buffers);
      const n = sizeOf(i), { x, k } = rows(n, i), names = Object.keys(outputs);
      assert.deepEqual(names, [['y', 'twice'], ['twice'], ['y', 'twice'], ['y', 'twice'], ['y', 'twice'], ['y', 'twice'], []][i % 7]);
      if (outputs.y) assert.deepEqual(outputs.y.data, x.map((value, j) => value * W[j % 4] + B[j % 4] + Number(k[j >> 2])));
      if (outputs.twice) assert.deepEqual(outputs.twice.data, k.map((value) => 2n * value));
    });
    // For each run in flight one to read back through, two tensors, and one to read each of them.
    assert.ok(Math.max(...counts) <= OWN + FREE + 3 * 5, counts.join());
    assert.ok(seen.buffers <= OWN + FREE, `${seen.buffers} buffers`);
  });

  test('leave little behind when there were a hundred', async () => {
    const { device, seen } = await watched(), model = await load({ device });
    await model.run(rows(3, 0));
    (await Promise.all(Array.from({ length: 100 }, (_, i) => model.run(rows(3, i))))).forEach((outputs, i) => check(outputs, 3, i));
    assert.ok(seen.buffers <= OWN + FREE, `${seen.buffers} buffers`);
  });

  test('feed the next with what stays on the GPU while results are read', async () => {
    const { device, seen } = await watched(), model = await load({ device });
    const k = new BigInt64Array(2);
    let x = /** @type {any} */ (rows(2, 0).x), expected = rows(2, 0).x;
    /** @type {Promise<any>[]} */
    const reads = [];
    /** @type {Float32Array[]} */
    const wanted = [];
    for (let i = 0; i < 100; ++i) {
      if (i % 12 === 0) {
        x.buffer.destroy?.();
        x = expected = rows(2, i).x;
      }
      const { y, twice } = await model.run({ x, k }, { outputs: 'gpu' });
      twice.buffer.destroy();
      expected = expected.map((value, j) => Math.fround(Math.fround(value * W[j % 4]) + B[j % 4]));
      wanted.push(expected);
      x.buffer.destroy?.();
      x = y;
      reads.push(y.read());
      if (reads.length > 2) assert.deepEqual((await /** @type {Promise<any>} */ (reads.shift())).data, wanted.shift());
      // The tensor that is an input and the one that is read, and two reads that have not ended.
      assert.ok(seen.buffers <= OWN + FREE + 4, `${seen.buffers} buffers after ${i} rounds`);
    }
    for (const read of reads) assert.deepEqual((await read).data, wanted.shift());
  });

  test('do not mind that others are aborted', async () => {
    const { device, seen } = await watched(), model = await load({ device }), reason = new Error('enough');
    for (let round = 0; round < 60; ++round) {
      const controllers = [0, 1, 2].map(() => new AbortController());
      const runs = controllers.map(({ signal }, i) => model.run(rows(3, 10 * round + i), { signal }));
      const aborted = round % 3;
      runs[aborted].catch(() => {});
      if (round % 2) await new Promise((done) => setImmediate(done));
      controllers[aborted].abort(reason);
      for (const [i, running] of runs.entries()) {
        if (i !== aborted) check(await running, 3, 10 * round + i);
        // It may have ended before.
        else await running.then((outputs) => check(outputs, 3, 10 * round + i), (error) => assert.equal(error, reason));
      }
    }
    await model.run(rows(3, 0));
    assert.ok(seen.buffers <= OWN + FREE, `${seen.buffers} buffers`);
  });

  test('end by dispose, and nothing of them is left on a device of the caller', async () => {
    const { device, seen } = await watched();
    for (const wait of [false, true]) {
      const model = await load({ device });
      await model.run(rows(3, 0));
      const runs = [1, 2, 3].map((first) => model.run(rows(3, first)));
      runs.forEach((running) => running.catch(() => {}));
      if (wait) await new Promise((done) => setImmediate(done));
      model.dispose();
      const ends = await Promise.allSettled(runs);
      if (!wait) ends.forEach((end) => assert.equal(end.status, 'rejected'));
      ends.forEach((end, i) => end.status === 'fulfilled' ? check(end.value, 3, 1 + i) : assert.equal(end.reason.name, 'DisposedError'));
      assert.equal(seen.buffers, 0);
    }
  });

  test('can be read from the GPU though the model is gone', async () => {
    const { device, seen } = await watched(), model = await load({ device });
    const { y, twice } = await model.run(rows(3, 4), { outputs: 'gpu' });
    await y.read();
    model.dispose();
    check({ y: await y.read(), twice: await twice.read() }, 3, 4);
    y.buffer.destroy();
    twice.buffer.destroy();
    assert.equal(seen.buffers, 0);
  });

  test('that a lost device takes along say so, and the next are right', async () => {
    Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
    const model = await load({ backend: 'webgpu' });
    for (let round = 0; round < 12; ++round) {
      check(await model.run(rows(3, round)), 3, round);
      const runs = [1, 2, 3].map((first) => model.run(rows(3, round + first)));
      // From before their turn to after the last was read.
      for (let i = 0; i < round % 6; ++i) await (round < 6 ? Promise.resolve() : new Promise((done) => setImmediate(done)));
      model.device?.destroy();
      for (const [i, end] of (await Promise.allSettled(runs)).entries()) {
        if (end.status === 'fulfilled') check(end.value, 3, round + 1 + i);
        else assert.equal(end.reason.name, 'DeviceLostError');
      }
    }
    (await Promise.all([1, 2, 3].map((first) => model.run(rows(3, first))))).forEach((outputs, i) => check(outputs, 3, 1 + i));
    model.dispose();
  });
});

test('frames of several runs have textures of their own, of which a few are kept', () => {
  /** @type {any[]} */
  const textures = [];
  const device = {
    limits: { maxTextureDimension2D: 100 },
    queue: { copyExternalImageToTexture: () => {} }, pushErrorScope: () => {}, popErrorScope: async () => null,
    createTexture(/** @type {any} */ { size: [width, height] }) {
      textures.push({ width, height, isThere: true, destroy() { this.isThere = false; } });
      return textures.at(-1);
    },
  };
  const frames = new GpuFrames(/** @type {any} */ ({ device, isDisposed: false }));
  const take = (/** @type {number} */ width, count = 1) => {
    const pictures = Array.from({ length: count }, () => ({ source: { constructor: { name: 'Made' } }, width, height: 4 }));
    return /** @type {any} */ (frames.take(/** @type {any} */ (pictures), { x: 0, y: 0, width, height: 4 }, 'a test'));
  };
  const there = () => textures.filter(({ isThere }) => isThere).length;
  // In turns, two sizes at a time: each gets its own.
  for (let round = 0; round < 20; ++round) {
    const taken = [8, 9, 8].map((width) => take(width)), used = taken.flatMap((frame) => frame.textures);
    assert.deepEqual(used.map(({ width, isThere }) => [width, isThere]), [[8, true], [9, true], [8, true]]);
    assert.equal(new Set(used).size, 3);
    for (const frame of taken) {
      frame.release();
      // A run that fails later gives back nothing more.
      frame.release();
    }
    assert.equal(textures.length, 3);
  }
  const many = Array.from({ length: 50 }, () => take(8));
  many.forEach((frame) => frame.release());
  assert.ok(there() <= 4, `${there()} textures`);
  // A batch keeps all of its own.
  take(8, 6).release();
  const made = textures.length;
  take(8, 6).release();
  assert.equal(textures.length, made);
});

describe('the examples of docs/continuous.md', () => {
  const [video, arrays, audio] = [...readFileSync(join(root, 'docs/continuous.md'), 'utf8').matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code);
  const AsyncFunction = /** @type {any} */ (async () => {}).constructor;

  test('the README has the first of them', () => {
    const [, section] = readFileSync(join(root, 'README.md'), 'utf8').split('## Video and audio\n');
    const code = [...section.split('\n## ')[0].matchAll(/^ {4}(.*)$/gm)].map(([, line]) => line.replace(/ +\/\/.*/, ''));
    assert.equal(code.join('\n'), video.trim().replace(/\n\n/g, '\n'));
  });

  test('video: two frames at a time, in order, and errors do not end it', async () => {
    const { device } = await watched(), scaled = await load({ device });
    /** @type {number[]} */
    const shown = [];
    /** @type {number[]} */
    const started = [];
    /** @type {any[]} */
    const errors = [];
    let inFlight = 0, most = 0, frame = 0;
    const model = {
      /** @param {{image: {frame: number}}} inputs */
      run({ image }) {
        most = Math.max(most, ++inFlight);
        const first = image.frame;
        started.push(first);
        // The tenth that is looked at is none.
        const running = started.length === 10 ? Promise.reject(new Error('no frame')) : scaled.run(rows(2, first)).then((outputs) => ({ outputs, first }));
        return running.finally(() => --inFlight);
      },
    };
    /** @type {(() => void) | undefined} */
    let next;
    const player = { get frame() { return frame; }, requestVideoFrameCallback: (/** @type {() => void} */ look) => void (next = look) };
    const draw = (/** @type {any} */ { outputs, first }) => {
      check(outputs, 2, first);
      shown.push(first);
    };
    await new AsyncFunction('model', 'video', 'draw', 'report', video)(model, player, draw, (/** @type {any} */ error) => errors.push(error.message));
    for (; started.length < 40; ++frame) {
      /** @type {any} */ (next)();
      await new Promise((done) => setImmediate(done));
    }
    while (inFlight) await new Promise((done) => setImmediate(done));
    assert.equal(most, 2);
    assert.deepEqual(errors, ['no frame']);
    assert.deepEqual(shown, started.filter((_, i) => i !== 9));
  });

  test('results in arrays: each run fills what the one before gave back', async () => {
    /** @type {any[]} */
    const given = [], drawn = /** @type {any[]} */ ([]);
    const model = { run: async (/** @type {any} */ _, /** @type {any} */ { outputs: { mask } }) => ({ mask: { data: mask.subarray(given.push(mask)) } }) };
    const look = await new AsyncFunction('model', 'video', 'draw', `${arrays}; return look;`)(model, { requestVideoFrameCallback() {} }, (/** @type {any} */ mask) => drawn.push(mask));
    for (let i = 0; i < 3; ++i) await look();
    assert.ok(given.length === 3 && given.slice(1).every((array, i) => array === drawn[i]));
  });

  test('audio: the state stays on the GPU, and chunks are heard in order', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'webnnc-flight-'));
    try {
      // A low-pass filter of 64 bands, which is taken away.
      writeFileSync(join(folder, 'filter.onnx'), onnxModel({
        inputs: { audio: ['f32', [64]], h: ['f32', [64]] }, outputs: { clean: ['f32', [64]], h_out: ['f32', [64]] },
        nodes: [{ op: 'Mul', inputs: ['h', 'half'], outputs: ['old'] }, { op: 'Add', inputs: ['old', 'audio'], outputs: ['h_out'] },
          { op: 'Sub', inputs: ['audio', 'h_out'], outputs: ['clean'] }],
        constants: { half: [0.5] },
      }));
      execFileSync(process.env.WEBNNC ?? join(root, 'build/webnnc'), [join(folder, 'filter.onnx'), '-o', join(folder, 'out'), '--quiet']);
      const { device, seen } = await watched(), filter = await import(pathToFileURL(join(folder, 'out/model.js')).href), model = await filter.load({ device });
      /** @param {number} n */
      const chunk = (n) => Float32Array.from({ length: 64 }, (_, i) => (n * 7 + i) % 16);
      const chunks = async function* () {
        for (let n = 0; n < 100; ++n) {
          yield chunk(n);
          counts.push(seen.buffers);
        }
      };
      /** @type {number[]} */
      const counts = [];
      /** @type {Float32Array[]} */
      const heard = [];
      await new AsyncFunction('model', 'chunks', 'play', audio)(model, chunks(), (/** @type {Float32Array} */ data) => heard.push(data));
      let h = new Float32Array(64);
      const expected = Array.from({ length: 100 }, (_, n) => {
        h = chunk(n).map((value, i) => Math.fround(h[i] * 0.5) + value);
        return chunk(n).map((value, i) => value - h[i]);
      });
      assert.deepEqual(heard, expected);
      // The state, two tensors that are read, and what reads them.
      assert.ok(Math.max(...counts) <= OWN + FREE + 5, counts.join());
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
