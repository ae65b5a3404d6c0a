#!/usr/bin/env node
// Writes what ONNX Runtime makes of the models of operators.mjs, or of contrib.mjs, decisions.mjs, detectors.mjs, experts.mjs or narrow.mjs, without its
// optimisations; null where it refuses. Needs `tools/npm_ci tests/bench` (1.30.0 made the files). Tests read the
// files and need nothing:
//
//   tests/onnx/operators_reference.mjs > tests/onnx/operators_reference.json
//   tests/onnx/operators_reference.mjs contrib > tests/onnx/contrib_reference.json
//   tests/onnx/operators_reference.mjs decisions > tests/onnx/decisions_reference.json
//   tests/onnx/operators_reference.mjs detectors > tests/onnx/detectors_reference.json
//   tests/onnx/operators_reference.mjs experts > tests/onnx/experts_reference.json
//   tests/onnx/operators_reference.mjs narrow > tests/onnx/narrow_reference.json

import { createRequire } from 'node:module';

import { onnxModel } from '../onnx_model.mjs';
const { CASES } = /** @type {typeof import('./operators.mjs')} */ (await import(`./${process.argv[2] ?? 'operators'}.mjs`));

const ort = createRequire(new URL('../bench/package.json', import.meta.url))('onnxruntime-node');
/** @type {Record<string, string>} */
const TYPES = { f32: 'float32', f64: 'float64', i32: 'int32', i64: 'int64', bool: 'bool', u8: 'uint8' };
// Far more than what is compared.
/** @param {unknown} value */
const printed = (value) => Number.isFinite(Number(value)) ? Number(Number(value).toPrecision(6)) : String(value);

/** A model with f64 for f32, in its inputs and outputs. @param {import('./operators.mjs').Case['model']} model */
const doubled = (model) => ({ ...model, ...Object.fromEntries(['inputs', 'outputs'].map((side) => [side,
  Object.fromEntries(Object.entries(model[/** @type {'inputs'} */ (side)]).map(([name, [type, shape]]) => [name, [type === 'f32' ? 'f64' : type, shape]]))])) });

const lines = [];
for (const [name, test] of Object.entries(CASES)) {
  /** @type {any[]} */
  const results = [];
  try {
    const plain = test.reference ?? test.model, model = test.precise ? doubled(plain) : plain;
    const session = await ort.InferenceSession.create(onnxModel(model), { graphOptimizationLevel: 'disabled', logSeverityLevel: 4 });
    for (const run of test.runs) {
      const feeds = Object.fromEntries(Object.entries(run).map(([input, { data, shape }]) => [input,
        new ort.Tensor(TYPES[model.inputs[input][0]], model.inputs[input][0] === 'f64' ? Float64Array.from(data) : data, shape)]));
      const outputs = await session.run(feeds).catch((/** @type {Error} */ error) => console.error(`${name}: ${error.message}`));
      results.push(outputs ? Object.keys(test.model.outputs).map((output) => ({ shape: outputs[output].dims, data: [...outputs[output].data].map(printed) })) : null);
    }
  } catch (error) {
    console.error(`${name}: ${/** @type {Error} */ (error).message}`);
    results.push(...test.runs.map(() => null));
  }
  lines.push(`${JSON.stringify(name)}: [\n${results.map((result) => `  ${JSON.stringify(result)}`).join(',\n')}\n]`);
}
console.log(`{\n${lines.join(',\n')}\n}`);
