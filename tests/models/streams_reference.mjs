#!/usr/bin/env node
// Writes streams_reference.json: what ONNX Runtime makes of the networks of streams.mjs, step by step. Needs ../shared and
// `tools/npm_ci tests/bench` (1.30.0 made the file). Tests read the file:
//
//   tests/models/streams_reference.mjs MODELS > tests/models/streams_reference.json

import { createRequire } from 'node:module';
import { join } from 'node:path';

import { DECODERS, STREAMS, choose, isCompared, memoryOf, sample } from './streams.mjs';

const ort = createRequire(new URL('../bench/package.json', import.meta.url))('onnxruntime-node');
const models = process.argv[2];
/** @param {string} name */
const open = (name) => ort.InferenceSession.create(join(models, name, 'model.onnx'), { logSeverityLevel: 4 });
/** @param {number[]} shape */
const zeros = (shape) => new ort.Tensor('float32', new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);

/** @type {string[]} */
const lines = [];
for (const [name, stream] of Object.entries(STREAMS)) {
  const session = await open(name), compared = [];
  /** @type {Record<string, any>} */
  let memory = Object.fromEntries(Object.entries(stream.start).map(([input, shape]) => [input, zeros(shape)]));
  for (let step = 0; step < stream.steps; ++step) {
    const { data, shape } = stream.step(step), outputs = await session.run({ [stream.input]: new ort.Tensor('float32', data, shape), ...memory });
    memory = Object.fromEntries(Object.entries(stream.memory).map(([output, input]) => [input, outputs[output]]));
    if (!isCompared(step, stream)) continue;
    compared.push(Object.fromEntries(Object.entries(outputs).map(([output, { data: all }]) =>
      [output, { largest: Number(Math.max(...all.map(Math.abs)).toPrecision(4)), sample: sample(all).map((x) => Number(x.toPrecision(8))) }])));
  }
  lines.push(`${JSON.stringify(name)}: ${JSON.stringify(compared)}`);
}
for (const [name, decoder] of Object.entries(DECODERS)) {
  const session = await open(name), tokens = [];
  let ids = decoder.prompt, memory = Object.fromEntries(Object.values(memoryOf(decoder)).map((input) => [input, zeros(decoder.past)]));
  let closest = Infinity;
  for (let step = 0; step < decoder.steps; ++step) {
    const outputs = await session.run({ input_ids: new ort.Tensor('int64', BigInt64Array.from(ids, BigInt), [1, ids.length]), ...memory });
    memory = Object.fromEntries(Object.entries(memoryOf(decoder)).map(([output, input]) => [input, outputs[output]]));
    const logits = outputs.logits.data, width = outputs.logits.dims[2], next = choose(logits, width);
    const [first, second] = [...logits.slice(-width)].sort((a, b) => b - a);
    closest = Math.min(closest, first - second);
    tokens.push(next);
    ids = [decoder.next(next, step)];
  }
  console.error(`${name}: a token is chosen by ${closest} at least`);
  lines.push(`${JSON.stringify(name)}: ${JSON.stringify(tokens)}`);
}
console.log(`{\n${lines.join(',\n')}\n}`);
