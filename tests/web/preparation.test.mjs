// Models that take pictures (--image), compiled and run on wasm and on WebGPU in Node: the image that they see is
// Pillow's within the bound, and what they refuse.
//
//   WEBNNC=build/webnnc node --test tests/web/preparation.test.mjs

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { imageTensor } from '../../runtime-js/images.js';
import { onnxModel } from '../onnx_model.mjs';
import { makeDevice } from './dawn.mjs';
import { checkAgainst, makePicture, references } from './pictures.mjs';

const webnnc = process.env.WEBNNC ?? fileURLToPath(new URL('../../build/webnnc', import.meta.url));
/** @type {string} */ let folder;
/** @type {GPUDevice} */ let device;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'webnnc-pictures-'));
  device = await makeDevice();
});
after(() => {
  device.destroy();
  rmSync(folder, { recursive: true });
});

let models = 0;
/** @param {string[]} flags @param {(number | string)[]} shape @param {'f32' | 'f16'} [type] */
function write(flags, shape, type = 'f32') {
  const file = join(folder, `${++models}.onnx`), out = join(folder, String(models));
  writeFileSync(file, onnxModel({
    inputs: { image: [type, shape] }, outputs: { y: [type, shape] }, nodes: [{ op: 'Identity', inputs: ['image'], outputs: ['y'] }],
  }));
  return [file, '-o', out, '--quiet', '--no-report', ...flags];
}

/** A model that gives back the image it sees. @param {Parameters<typeof write>} args @returns {Promise<any>} */
async function compile(...args) {
  const command = write(...args);
  execFileSync(webnnc, command);
  return import(pathToFileURL(join(command[2], 'model.js')).href);
}

/** @param {Parameters<typeof write>} args what the compiler says */
function refusal(...args) {
  const { status, stderr } = spawnSync(webnnc, write(...args), { encoding: 'utf8' });
  assert.notEqual(status, 0);
  return stderr;
}

/** @param {Record<string, any>} options as imageTensor takes them */
const flagOf = ({ width, height, channels, ...options }) => Object.entries(options).map(([key, value]) =>
  `${key}=${typeof value === 'boolean' ? value ? 'yes' : 'no' : value}`).join(' ');

/** @returns {any[]} */
const backends = () => [{ backend: 'wasm' }, { backend: 'webgpu', device }];

describe('a model sees what Pillow makes', () => {
  for (const { from, options, bytes } of references()) {
    const { width, height, channels = 3 } = options;
    test(`of ${from.join(' x ')}: ${JSON.stringify(options)}`, async () => {
      const module = await compile(['--image', `${flagOf(options)} range=0..255`], [1, height, width, channels]);
      for (const load of backends()) {
        const model = await module.load(load), { y } = await model.run({ image: makePicture(...from) });
        checkAgainst(y.data, bytes, options);
        model.dispose();
      }
    });
  }
});

const CASES = /** @type {[string, Record<string, any>, (number | string)[], ('f32' | 'f16')?][]} */ ([
  ['imagenet', { crop: 0.875, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }, [1, 3, 24, 24]],
  ['yolox', { resize: 'contain', align: 'start', fill: 114, range: '0..255', order: 'bgr', antialias: false }, [1, 3, 32, 40]],
  ['yolo', { resize: 'contain', fill: 114, antialias: false }, [1, 3, 40, 32]],
  ['resize=contain fill=10,20,30 order=bgr range=-1..1', { resize: 'contain', fill: [10, 20, 30], order: 'bgr', range: '-1..1' }, [1, 24, 32, 3]],
  ['clip', { filter: 'bicubic', mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] }, [1, 3, 24, 24]],
  ['mean=0.5 std=0.25', { mean: 0.5, std: 0.25, channels: 1 }, [1, 1, 28, 28]],
  ['inception', { crop: 0.875, range: '-1..1', dataType: 'float16' }, [1, 24, 24, 3], 'f16'],
]);

describe('--image and imageTensor agree', () => {
  for (const [flag, options, shape, type] of CASES) {
    test(flag, async () => {
      const module = await compile(['--image', flag], shape, type), isPlanar = Number(shape[1]) < 4;
      const [height, width] = /** @type {number[]} */ (isPlanar ? shape.slice(2) : shape.slice(1)), layout = isPlanar ? 'nchw' : 'nhwc';
      for (const load of backends()) {
        const model = await module.load(load);
        // Sizes that change, and change back.
        for (const [w, h] of [[97, 61], [61, 97], [16, 16], [97, 61]]) {
          const { y } = await model.run({ image: makePicture(w, h) });
          const wanted = await imageTensor(makePicture(w, h), /** @type {any} */ ({ ...options, width, height, layout }));
          assert.deepEqual(y.shape, wanted.shape);
          const value = (/** @type {any} */ tensor, /** @type {number} */ i) => type === 'f16' && tensor.data instanceof Uint16Array
            ? fromHalf(tensor.data[i]) : tensor.data[i];
          const most = Math.max(...Array.from(wanted.data, (_, i) => Math.abs(value(wanted, i) - value(y, i))));
          assert.ok(most < (type === 'f16' ? 2e-3 : options.range === '0..255' ? 2e-3 : 5e-5), `${load.backend}: off by ${most}`);
        }
        const { preparation } = /** @type {any} */ (model.inputs[0].image);
        for (const [key, value] of Object.entries(options)) if (key in preparation) assert.deepEqual(preparation[key], value);
        model.dispose();
      }
    });
  }
});

/** @param {number} bits */
const fromHalf = (bits) => new Float32Array(new Uint32Array([(bits & 0x8000) << 16 | (bits & 0x7fff ? (bits & 0x7fff) + 0x1c000 << 13 : 0)]).buffer)[0];

test('a picture of any size goes through where sides are open', async () => {
  const module = await compile(['--image', 'range=0..255'], ['n', 3, 'h', 'w']);
  for (const load of backends()) {
    const model = await module.load(load);
    assert.deepEqual(model.inputs.map((/** @type {any} */ { dataType, shape }) => [dataType, shape]), [['uint8', ['n', 'h', 'w', 4]]]);
    for (const [w, h] of [[13, 9], [64, 2], [130, 3]]) {
      const picture = makePicture(w, h), { y } = await model.run({ image: [picture, picture] });
      assert.deepEqual(y.shape, [2, 3, h, w]);
      const plane = (/** @type {number} */ c) => [...picture.data].filter((_, i) => i % 4 === c);
      assert.deepEqual([...y.data], [0, 1, 2, 0, 1, 2].flatMap(plane));
    }
    model.dispose();
  }
});

test('runs refuse what is no picture', async () => {
  const module = await compile(['--image', ''], [1, 3, 8, 8]);
  for (const load of backends()) {
    const model = await module.load(load), picture = makePicture(9, 8);
    /** @type {[any, RegExp][]} */
    const cases = [
      [undefined, /input "image" is missing; for a picture pass an ImageData/], [new Float32Array(192), /is a Float32Array; for a picture pass/],
      [{ ...picture, width: 10 }, /has 288 bytes; a picture of 10 x 8 pixels has 320/], [[], /has no pictures/],
      [[picture, makePicture(8, 8)], /of 9 x 8 and of 8 x 8 pixels: those of one run must have one size/],
      [[picture, picture], /input "image" is 2 pictures, and the model takes 1/], [new Blob(['x']), /is a Blob, which cannot be decoded here/],
    ];
    for (const [image, message] of cases) await assert.rejects(model.run({ image }), { name: 'InputError', message });
    assert.equal((await model.run({ image: picture })).y.data.length, 192);
    assert.ok((await model.profile({ image: picture })).total > 0);
    model.dispose();
  }
});

test('labels are on the port, the tensor and in top', async () => {
  const file = join(folder, 'labels.txt');
  writeFileSync(file, Array.from({ length: 8 }, (_, i) => `row ${i}\r\n`).join(''));
  const module = await compile(['--labels', file], [1, 3, 8, 8]), model = await module.load({ backend: 'wasm' });
  assert.equal(model.outputs[0].labels?.[7], 'row 7');
  const { y } = await model.run({ image: Float32Array.from({ length: 192 }, (_, i) => i % 8) });
  assert.deepEqual(module.top(y, 1), [{ index: 7, label: 'row 7', score: 7 }]);
  assert.match(refusal(['--labels', file], [1, 3, 8, 9]), /--labels: .*labels.txt has 8 lines, and the output "y" is f32\[1,3,8,9\]/);
  assert.match(refusal(['--labels', 'nowhere.txt'], [1, 3, 8, 8]), /--labels: .*nowhere.txt/);
  assert.match(refusal(['--labels', file, '--labels', file], [1, 3, 8, 8]), /--labels is given twice for the output "y"/);
});

test('labels name classes that are no last dimension', async () => {
  const file = join(folder, 'three.txt');
  writeFileSync(file, 'sky\nsea\nland\n');
  // Channels; beside a box, with and without a score of its own; columns; without the background.
  for (const shape of [[1, 3, 16, 9], [1, 20, 8], [1, 20, 7], [1, 7, 20], [1, 20, 4], ['n', 3, 'h', 'w']]) {
    const { outputs: [port] } = await (await compile(['--labels', file], shape)).load({ backend: 'wasm' });
    assert.deepEqual([port.classes, port.labels], [['sky', 'sea', 'land'], undefined], String(shape));
  }
  // A row that is too long is a mistake, whatever else it may be.
  for (const shape of [[1, 4], [1, 8], [4], [1, 20, 5]]) assert.match(refusal(['--labels', file], shape), /three.txt has 3 lines.*[^]*a line for each element of its last dimension, or for each class/, String(shape));
});

test('the compiler refuses what --image cannot mean', () => {
  const image = [1, 3, 16, 16];
  /** @type {[string[], (number | string)[], RegExp][]} */
  const cases = [
    [['rezise=cover'], image, /--image: there is no key "rezise"; the keys are align, antialias, crop, fill/],
    [['resize=crop'], image, /--image: resize cannot be "crop"; resize is contain, cover, fill/],
    [['crop=1.5'], image, /crop cannot be "1.5"; crop is above 0 and at most 1/], [['std=0'], image, /std cannot be "0"/],
    [['mean=1,2'], image, /mean cannot be "1,2"/], [['imgnet'], image, /"imgnet" is neither key=value nor a preset; the presets are clip, imagenet/],
    [['resize=contain crop=0.5'], image, /leaves nothing for crop/], [['picture:crop=1'], image, /--image names "picture", which is not an input/],
    [['image:imagenet'], [1, 1, 16, 16], /input "image": mean has 3 values, and the input has 1 channel/],
    [['imagenet'], [1, 64], /--image: the model has no input that takes pictures/],
    [['image:imagenet'], [1, 64], /input "image": it is f32\[1,64\], and takes no pictures/],
    [['resize=fill'], [1, 3, 'h', 'w'], /its sides are open/], [['range=0..1'], [1, 3, 'h', 16], /both must be fixed, or both open/],
    [['crop=1', 'crop=1'], image, /--image is given twice for the input "image"/],
  ];
  for (const [images, shape, message] of cases) assert.match(refusal(images.flatMap((text) => ['--image', text]), shape), message);
});
