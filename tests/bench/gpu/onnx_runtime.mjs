// ONNX Runtime in Node.

import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/**
 * Its results, and the median of its runs, in ms: of all but those that warm up. What is output and input again stays on the GPU.
 *
 * @param {string} model a file @param {Record<string, any>} inputs @param {'webgpu' | 'cpu'} provider
 * @param {{runs: number, warm: number, memory?: Record<string, string>}} options
 */
export async function runOnnxRuntime(model, inputs, provider, { runs, warm, memory = {} }) {
  const ort = require('onnxruntime-node'), kept = Object.values(memory);
  const session = await ort.InferenceSession.create(model, {
    executionProviders: [provider], logSeverityLevel: 3,
    ...kept.length > 0 && { preferredOutputLocation: Object.fromEntries(kept.map((name) => [name, 'gpu-buffer'])) },
  });
  const feeds = Object.fromEntries(Object.entries(inputs).map(([name, { data, shape, dataType }]) => [name, new ort.Tensor(dataType, data, shape)]));
  const times = [], results = {};
  for (let i = -warm; i < runs; ++i) {
    const start = performance.now(), outputs = await session.run(feeds);
    for (const [name, output] of Object.entries(outputs)) if (!kept.includes(name)) results[name] = await output.getData();
    for (const [input, output] of Object.entries(memory)) {
      feeds[input].dispose();
      feeds[input] = outputs[output];
    }
    if (i >= 0) times.push(performance.now() - start);
  }
  await session.release();
  return { median: times.sort((a, b) => a - b)[runs >> 1], results };
}
