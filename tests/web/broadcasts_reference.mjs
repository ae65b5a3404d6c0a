#!/usr/bin/env node
// Writes broadcasts_reference.json: what ONNX Runtime makes of the models of broadcasts.mjs, without its
// optimisations; null where it refuses. Needs `tools/npm_ci tests/bench` (1.30.0 made the file). Tests read
// the file and need nothing:
//
//   tests/web/broadcasts_reference.mjs > tests/web/broadcasts_reference.json

import { createRequire } from 'node:module';

import { onnxModel } from '../onnx_model.mjs';
import { CASES, inputsOf } from './broadcasts.mjs';

const ort = createRequire(new URL('../bench/package.json', import.meta.url))('onnxruntime-node');
/** @type {Record<string, string>} */
const TYPES = { f32: 'float32', i32: 'int32', i64: 'int64', bool: 'bool' };

const lines = [];
for (const [name, test] of Object.entries(CASES)) {
  const session = await ort.InferenceSession.create(onnxModel(test.model), { graphOptimizationLevel: 'disabled', logSeverityLevel: 4 });
  const results = [];
  for (const sizes of test.runs) {
    const feeds = Object.fromEntries(Object.entries(inputsOf(test, sizes)).map(([input, { data, shape }]) =>
      [input, new ort.Tensor(TYPES[test.model.inputs[input][0]], data, shape)]));
    const outputs = await session.run(feeds).catch(() => null);
    results.push(outputs && { shape: outputs.y.dims, data: [...outputs.y.data].map(Number) });
  }
  lines.push(`${JSON.stringify(name)}: [\n${results.map((result) => `  ${JSON.stringify(result)}`).join(',\n')}\n]`);
}
console.log(`{\n${lines.join(',\n')}\n}`);
