#!/usr/bin/env node
// Writes fused_reference.json: what ONNX Runtime makes of the models of fused.mjs, without its optimisations. Needs
// `tools/npm_ci tests/bench` (1.30.0 made the file). Tests read the file and need nothing:
//
//   tests/web/fused_reference.mjs > tests/web/fused_reference.json

import { createRequire } from 'node:module';

import { onnxModel } from '../onnx_model.mjs';
import { CASES, inputsOf, modelOf } from './fused.mjs';

const ort = createRequire(new URL('../bench/package.json', import.meta.url))('onnxruntime-node');
/** @type {Record<string, string>} */
const TYPES = { f32: 'float32', i32: 'int32', i64: 'int64', u8: 'uint8', i8: 'int8', u16: 'uint16' };

const lines = [];
for (const [name, { inputs, nodes, reference }] of Object.entries(CASES)) {
  try {
    const model = onnxModel(modelOf(name, reference ?? nodes));
    const session = await ort.InferenceSession.create(model, { graphOptimizationLevel: 'disabled', logSeverityLevel: 4 });
    const feeds = Object.fromEntries(Object.entries(inputsOf(name)).filter(([input]) => session.inputNames.includes(input)).map(([input, { data, shape }]) =>
      [input, new ort.Tensor(TYPES[inputs[input][0]], data, shape)]));
    const outputs = await session.run(feeds);
    const results = Object.fromEntries(Object.entries(outputs).map(([output, { dims, data }]) => [output, { shape: dims, data: [...data].map((x) => Number(Number(x).toPrecision(7))) }]));
    lines.push(`${JSON.stringify(name)}: ${JSON.stringify(results)}`);
  } catch (error) {
    console.error(`${name}: ${error}`);
    process.exitCode = 1;
  }
}
console.log(`{\n${lines.join(',\n')}\n}`);
