// ONNX Runtime in Node.

import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/**
 * Its results, and the median of its runs, in ms: of all but those that warm up.
 *
 * @param {string} model a file @param {Record<string, any>} inputs @param {'webgpu' | 'cpu'} provider
 * @param {{runs: number, warm: number}} count
 */
export async function runOnnxRuntime(model, inputs, provider, { runs, warm }) {
  const ort = require('onnxruntime-node');
  const session = await ort.InferenceSession.create(model, { executionProviders: [provider], logSeverityLevel: 3 });
  const feeds = Object.fromEntries(Object.entries(inputs).map(([name, { data, shape, dataType }]) => [name, new ort.Tensor(dataType, data, shape)]));
  const times = [];
  let outputs;
  for (let i = -warm; i < runs; ++i) {
    const start = performance.now();
    outputs = await session.run(feeds);
    for (const output of Object.values(outputs)) await output.getData();
    if (i >= 0) times.push(performance.now() - start);
  }
  const results = {};
  for (const [name, output] of Object.entries(outputs)) results[name] = await output.getData();
  await session.release();
  return { median: times.sort((a, b) => a - b)[runs >> 1], results };
}
