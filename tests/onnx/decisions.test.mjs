// The models of decisions.mjs in the interpreter, on wasm and WebGPU and as WASI commands. Results are ONNX Runtime's
// (decisions_reference.json).
//
//   NODE_TESTS=build/node_tests node --test tests/onnx/decisions.test.mjs

import { test } from 'node:test';

import { compareCases, readReference } from './compare_cases.mjs';
import { CASES } from './decisions.mjs';

test('what is decided in a run, on all backends', () => compareCases(CASES, readReference('decisions'), ['interpreter', 'wasm', 'wasi', 'webgpu']));
