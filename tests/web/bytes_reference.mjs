#!/usr/bin/env node
// Writes bytes_reference.json: what ONNX Runtime makes of the models of bytes.mjs, without its optimisations. Needs
// `tools/npm_ci tests/bench` (1.30.0 made the file). Tests read the file and need nothing:
//
//   tests/web/bytes_reference.mjs > tests/web/bytes_reference.json

import { createRequire } from 'node:module';

import { onnxModel } from '../onnx_model.mjs';
import { MODELS, inputsOf } from './bytes.mjs';

const ort = createRequire(new URL('../bench/package.json', import.meta.url))('onnxruntime-node');
const NAMES = /** @type {Record<string, string>} */ ({ u8: 'uint8', i8: 'int8', f32: 'float32' });

const lines = [];
for (const [name, model] of Object.entries(MODELS)) {
  const session = await ort.InferenceSession.create(onnxModel(model), { graphOptimizationLevel: 'disabled', logSeverityLevel: 4 });
  const feeds = Object.entries(inputsOf(model)).map(([input, { data, shape }]) => [input, new ort.Tensor(NAMES[model.inputs[input][0]], data, shape)]);
  const { y } = await session.run(Object.fromEntries(feeds));
  lines.push(`${JSON.stringify(name)}: ${JSON.stringify([...y.data])}`);
}
console.log(`{\n${lines.join(',\n')}\n}`);
