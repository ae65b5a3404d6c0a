#!/usr/bin/env node
// Writes casts_reference.json: what ONNX Runtime makes of the models of casts.mjs, as the bits of f32, without
// its optimisations. Needs `tools/npm_ci tests/bench` (1.30.0 made the file). Tests read the file and need nothing:
//
//   tests/web/casts_reference.mjs > tests/web/casts_reference.json

import { createRequire } from 'node:module';

import { onnxModel } from '../onnx_model.mjs';
import { MODELS, inputOf } from './casts.mjs';

const ort = createRequire(new URL('../bench/package.json', import.meta.url))('onnxruntime-node');

const lines = [];
for (const [name, model] of Object.entries(MODELS)) {
  const session = await ort.InferenceSession.create(onnxModel(model), { graphOptimizationLevel: 'disabled', logSeverityLevel: 4 });
  const x = inputOf(model);
  const { y } = await session.run({ x: new ort.Tensor(x instanceof Float32Array ? 'float32' : 'int32', x, [x.length]) });
  lines.push(`${JSON.stringify(name)}: ${JSON.stringify([...new Uint32Array(y.data.buffer, y.data.byteOffset, y.data.length)])}`);
}
console.log(`{\n${lines.join(',\n')}\n}`);
