// What tune.page.js measures the CPU in, so that the page stays awake.

/** @import { Kernel } from './job.js' */

import { CpuBench } from './cpu_bench.js';

/** @type {CpuBench | undefined} */ let bench;
/** @type {Map<number, Pick<Kernel, 'buffers'>>} */
const kernels = new Map();

/** @param {MessageEvent<{weightBytes: number, index: number, buffers: Kernel['buffers'], candidates: {index: number, sizes: number[]}[]}>} event */
onmessage = async ({ data: { weightBytes, index, buffers, candidates } }) => {
  try {
    bench ??= new CpuBench(weightBytes);
    // The same one each time, by which the bench knows it again.
    const kernel = kernels.get(index) ?? { buffers };
    kernels.set(index, kernel);
    const load = async () => {
      const response = await fetch(`${index}.wasm`);
      if (!response.ok) throw new Error(`${index}.wasm: ${response.status}`);
      return response.arrayBuffer();
    };
    postMessage({ seconds: await bench.measure(kernel, load, candidates) });
  } catch (error) {
    postMessage({ problem: String(/** @type {any} */ (error)?.message ?? error) });
  }
};
