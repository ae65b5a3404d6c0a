// The product of two square matrices, as a model.

import { onnxModel } from '../../onnx_model.mjs';
import { fromHalf } from './tensors.mjs';

/** Of matmul:N:DTYPE. @param {string} name */
export function productOf(name) {
  const match = /^matmul:(\d+):(f16|f32)$/.exec(name);
  return match && { size: Number(match[1]), half: match[2] === 'f16' };
}

/** @param {{size: number, half: boolean}} product */
export function productModel({ size, half }) {
  /** @type {import('../../onnx_model.mjs').Type} */
  const type = [half ? 'f16' : 'f32', [size, size]];
  return onnxModel({
    inputs: { a: type, b: type }, outputs: { c: type },
    nodes: [{ op: 'MatMul', inputs: ['a', 'b'], outputs: ['c'] }],
  });
}

/**
 * How far the first rows of a product are from the exact sums, in parts of the largest element.
 *
 * @param {Record<string, any>} inputs @param {any} results @param {{size: number, half: boolean}} product
 */
export function distanceOfProduct({ a, b }, { c }, { size, half }) {
  const rows = 4, [left, right, got] = [a.data.subarray(0, rows * size), b.data, c.data.subarray(0, rows * size)]
    .map((data) => half ? Float64Array.from(data, fromHalf) : data);
  let most = 0, off = 0;
  for (let i = 0; i < rows; ++i) {
    const sums = new Float64Array(size);
    for (let k = 0; k < size; ++k) {
      const factor = left[i * size + k];
      for (let j = 0; j < size; ++j) sums[j] += factor * right[k * size + j];
    }
    sums.forEach((sum, j) => {
      most = Math.max(most, Math.abs(sum));
      off = Math.max(off, Math.abs(got[i * size + j] - sum));
    });
  }
  return off / most;
}

/** Milliseconds that the kernels take on a GPU whose clock has risen. */
export async function sustained(model, device, inputs) {
  const onGpu = {};
  for (const [name, { data, shape }] of Object.entries(inputs)) {
    const buffer = device.createBuffer({ size: data.byteLength, usage: GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST | GPUBufferUsage.STORAGE });
    device.queue.writeBuffer(buffer, 0, data);
    onGpu[name] = { buffer, shape };
  }
  // One run is always waiting while another one runs.
  let before = device.queue.onSubmittedWorkDone();
  for (const end = performance.now() + 2000; performance.now() < end; ) {
    const outputs = await model.run(onGpu, { outputs: 'gpu' });
    const done = device.queue.onSubmittedWorkDone();
    await before;
    before = done.then(() => Object.values(outputs).forEach(({ buffer }) => buffer.destroy()));
  }
  const { total } = await model.profile(onGpu, { runs: 20 });
  await before;
  return total;
}
