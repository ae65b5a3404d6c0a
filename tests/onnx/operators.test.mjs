// The models of operators.mjs in the interpreter, on wasm and WebGPU and as WASI commands. Results are ONNX Runtime's
// (operators_reference.json, contrib_reference.json, experts_reference.json, narrow_reference.json).
//
//   NODE_TESTS=build/node_tests node --test tests/onnx/operators.test.mjs

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { onnxModel } from '../onnx_model.mjs';
import { compareCases, readReference } from './compare_cases.mjs';
import { CASES as CONTRIB } from './contrib.mjs';
import { CASES as EXPERTS } from './experts.mjs';
import { CASES as NARROW } from './narrow.mjs';
import { CASES } from './operators.mjs';
import { runCases, writeCase } from './write_cases.mjs';

const reference = readReference('operators');
/** @param {(example: import('./operators.mjs').Case) => boolean} takes @param {string[]} backends */
const compare = (takes, backends) => compareCases(Object.fromEntries(Object.entries(CASES).filter(([, example]) => takes(example))), reference, backends);
/** @param {Record<string, import('./operators.mjs').Type>} types */
const hasDoubles = (types) => Object.values(types).some(([type]) => type === 'f64');

test('operators on all backends', () => compare(({ model }) => !hasDoubles(model.inputs) && !hasDoubles(model.outputs), ['interpreter', 'wasm', 'wasi', 'webgpu']));
test('operators of f64, which WebGPU does not have', () => compare(({ model }) => hasDoubles(model.inputs) || hasDoubles(model.outputs), ['interpreter', 'wasm']));

test("ONNX Runtime's own", () => compareCases(CONTRIB, readReference('contrib'), ['interpreter', 'wasm', 'wasi', 'webgpu']));

test('mixtures of experts', () => compareCases(EXPERTS, readReference('experts'), ['interpreter', 'wasm', 'wasi', 'webgpu']));

test('types narrower than a byte or f16', () => compareCases(NARROW, readReference('narrow'), ['interpreter', 'wasm', 'webgpu']));

test('the bits of all f16, and all f16 of their bits', () => {
  const folder = mkdtempSync(join(tmpdir(), 'webnnc-bits-')), cases = join(folder, 'cases');
  // What is no number may change its payload on the way.
  const bits = Uint16Array.from({ length: 1 << 16 }, (_, i) => i).filter((i) => (i & 0x7fff) <= 0x7c00), shape = [bits.length];
  try {
    for (const [from, to, number] of /** @type {['f16' | 'u16' | 'i16', 'f16' | 'u16' | 'i16', number][]} */ ([['f16', 'u16', 4], ['f16', 'i16', 5], ['i16', 'f16', 10]])) {
      const model = onnxModel({ inputs: { x: [from, shape] }, outputs: { y: [to, shape] }, nodes: [{ op: 'BitCast', inputs: ['x'], outputs: ['y'], attributes: { to: number } }], opset: 26 });
      writeCase(join(cases, `test_${from}_as_${to}`), model, [{ inputs: [{ name: 'x', type: from, shape, data: bits }], outputs: [{ name: 'y', type: to, shape, data: bits }] }]);
    }
    const backends = ['interpreter', 'wasm', 'webgpu'], printed = runCases(cases, join(folder, 'work'), backends);
    for (const backend of backends) assert.ok(printed.includes(`${backend}: 3 passed, 0 failed, 0 unsupported`), printed);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
