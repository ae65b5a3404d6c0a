// The detectors of detectors.mjs on all backends, and in Chromium. Results are ONNX Runtime's (detectors_reference.json).
//
//   NODE_TESTS=build/node_tests node --test tests/onnx/detectors.test.mjs

import { test } from 'node:test';

import { hasBrowser } from '../web/harness.mjs';
import { compareCases, readReference } from './compare_cases.mjs';
import { CASES } from './detectors.mjs';

test('detectors on all backends', () => compareCases(CASES, readReference('detectors'), ['interpreter', 'wasm', 'wasi', 'webgpu']));
test('detectors in Chromium', { skip: !hasBrowser('chromium') && 'there is no Chromium' }, () => compareCases(CASES, readReference('detectors'), ['chromium-wasm', 'chromium-webgpu']));
