// imageTensor, toImageData and top: values against Pillow's, and what they refuse.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { imageTensor, toImageData, top } from '../../runtime-js/images.js';
import { checkAgainst, makePicture, references } from './pictures.mjs';

/** @param {any} value */
const any = (value) => value;

describe('imageTensor', () => {
  for (const { from, options, bytes } of references()) {
    test(`makes of ${from.join(' x ')} what Pillow does: ${JSON.stringify(options)}`, async () => {
      const { data, shape } = await imageTensor(makePicture(...from), { ...options, layout: 'nhwc', range: '0..255' });
      assert.deepEqual(shape, [1, options.height, options.width, options.channels ?? 3]);
      checkAgainst(data, bytes, options);
    });
  }

  const picture = { data: Uint8Array.of(255, 0, 51, 255, 0, 102, 204, 255), width: 2, height: 1 };
  const plain = { width: 2, height: 1 };
  /** @param {any} options */
  const values = async (options) => [...(await imageTensor(picture, { ...plain, ...options })).data].map((value) => +Number(value).toFixed(4));

  test('orders, scales and lays out', async () => {
    assert.deepEqual(await values({}), [1, 0, 0, 0.4, 0.2, 0.8]);
    assert.deepEqual(await values({ order: 'bgr' }), [0.2, 0.8, 0, 0.4, 1, 0]);
    assert.deepEqual(await values({ layout: 'nhwc' }), [1, 0, 0.2, 0, 0.4, 0.8]);
    assert.deepEqual(await values({ range: '-1..1' }), [1, -1, -1, -0.2, -0.6, 0.6]);
    assert.deepEqual(await values({ mean: [0.5, 0, 0.2], std: [0.5, 0.25, 2] }), [1, -1, 0, 1.6, 0, 0.3]);
    assert.deepEqual(await values({ mean: 127.5, std: 127.5, range: '0..255' }), [1, -1, -1, -0.2, -0.6, 0.6]);
    assert.deepEqual(await values({ dataType: 'uint8' }), [255, 0, 0, 102, 51, 204]);
    assert.deepEqual(await values({ channels: 1, range: '0..255' }), [82, 83]);
  });

  test('gives half precision', async () => {
    const tensor = await imageTensor(picture, { ...plain, dataType: 'float16' });
    assert.equal(tensor.dataType, 'float16');
    assert.deepEqual([...toImageData(tensor).data], [...picture.data]);
  });

  test('refuses what it cannot do', async () => {
    const refused = [
      [{ resize: 'crop' }, /resize is "crop", and must be "cover" or "contain" or "fill"/], [{ means: 1 }, /no option "means"/],
      [{ width: 0 }, /width is 0/], [{ crop: 0 }, /crop is 0/], [{ mean: [1, 2] }, /mean is \[1,2\], and must be a number or 3/],
      [{ resize: 'contain', crop: 0.5 }, /leaves nothing to crop/],
    ];
    for (const [options, message] of refused) {
      await assert.rejects(imageTensor(picture, any({ ...plain, ...any(options) })), { name: 'TypeError', message });
    }
    const sources = [
      [{ data: new Uint8Array(3), width: 1, height: 1 }, /has 3 bytes; a picture of 1 x 1 pixels has 4/],
      [{ data: new Uint8Array(0), width: 0, height: 1 }, /0 x 1 pixels/],
      [new Float32Array(4), /is a Float32Array; for a picture pass/], [undefined, /the picture is missing/], [new Blob(['x']), /is a Blob/],
    ];
    for (const [source, message] of sources) {
      await assert.rejects(imageTensor(any(source), plain), { name: 'InputError', message: any(message) });
    }
  });
});

describe('toImageData', () => {
  test('gives back what imageTensor took', async () => {
    const picture = makePicture(13, 9), size = { width: 13, height: 9 };
    for (const options of any([
      {}, { layout: 'nhwc' }, { order: 'bgr' }, { range: '-1..1' }, { dataType: 'uint8' }, { mean: [0.4, 0.5, 0.6], std: [0.1, 0.2, 0.3] },
    ])) {
      const { data, width, height } = toImageData(await imageTensor(picture, { ...size, ...options }), { ...options, dataType: undefined });
      assert.deepEqual({ width, height }, size);
      assert.deepEqual([...data], [...picture.data]);
    }
  });

  test('clamps, and takes masks, alpha, batches and other ranges', () => {
    const float32 = (/** @type {number[]} */ data, /** @type {number[]} */ shape) => ({ data: Float32Array.from(data), shape, dataType: /** @type {const} */ ('float32') });
    assert.deepEqual([...toImageData(float32([-0.2, 1.5], [1, 2])).data], [0, 0, 0, 255, 255, 255, 255, 255]);
    assert.deepEqual([...toImageData(float32([0, 0.2, 0.4, 0.6], [4, 1, 1])).data], [0, 51, 102, 153]);
    assert.deepEqual([...toImageData(float32([0, 1], [2, 1, 1, 1]), { index: 1 }).data], [255, 255, 255, 255]);
    assert.deepEqual([...toImageData(float32([5], [1, 1]), { range: [0, 10] }).data], [128, 128, 128, 255]);
    assert.throws(() => toImageData(float32([1, 2], [2])), { name: 'InputError', message: /shape \[2\], which is no picture/ });
    assert.throws(() => toImageData(float32([1], [1, 1, 1, 1]), { index: 1 }), { name: 'InputError', message: /1 pictures/ });
  });
});

describe('top', () => {
  const tensor = { data: Float32Array.of(0.1, 0.7, NaN, 0.2), shape: [1, 4], dataType: /** @type {const} */ ('float32') };
  test('gives the largest with their labels', () => {
    assert.deepEqual(top({ ...tensor, labels: ['a', 'b', 'c', 'd'] }, 2).map(({ index, label }) => [index, label]), [[1, 'b'], [3, 'd']]);
    assert.deepEqual(top(tensor).map(({ label }) => label), ['1', '3', '0', '2']);
  });
  test('takes rows, integers and halves', () => {
    assert.deepEqual(top({ data: BigInt64Array.of(1n, 2n, 9n, 3n), shape: [2, 2], dataType: 'int64' }, 1, { row: 1 }), [{ index: 0, label: '0', score: 9 }]);
    assert.equal(top({ data: Uint16Array.of(0x3c00, 0x4000), shape: [2], dataType: 'float16' }, 1)[0].score, 2);
    assert.throws(() => top(tensor, 1, { row: 1 }), { name: 'InputError' });
  });
});
