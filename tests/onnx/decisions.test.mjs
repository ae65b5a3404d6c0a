// The models of decisions.mjs in the interpreter, on wasm and WebGPU and as WASI commands. Results are ONNX Runtime's
// (decisions_reference.json).
//
//   NODE_TESTS=build/node_tests node --test tests/onnx/decisions.test.mjs

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';
import { compareCases, readReference } from './compare_cases.mjs';
import { CASES, DECODER_WEIGHTS, DECODER_WITH_PAST } from './decisions.mjs';

test('what is decided in a run, on all backends', () => compareCases(CASES, readReference('decisions'), ['interpreter', 'wasm', 'wasi', 'webgpu']));

test('a merged decoder has its weights once', () => {
  const folder = mkdtempSync(join(tmpdir(), 'webnnc-merged-'));
  const webnnc = join(process.env.NODE_TESTS ? dirname(process.env.NODE_TESTS) : fileURLToPath(new URL('../../build', import.meta.url)), 'webnnc');
  /** Bytes of the weights file. @param {string} name @param {import('./operators.mjs').Case['model']} model */
  const sizeOf = (name, model) => {
    writeFileSync(join(folder, `${name}.onnx`), onnxModel(model));
    execFileSync(webnnc, [join(folder, `${name}.onnx`), '-o', join(folder, name), '--quiet'], { stdio: ['ignore', 'inherit', 'ignore'] });
    return statSync(join(folder, name, 'model.weights.bin')).size;
  };
  try {
    const merged = sizeOf('merged', CASES['a merged decoder'].model), alone = sizeOf('alone', /** @type {any} */ (DECODER_WITH_PAST));
    const sizes = Object.values(DECODER_WEIGHTS).map((weight) => weight.bytes.length), bytes = sizes.reduce((sum, size) => sum + size, 0);
    assert.ok(alone >= bytes, `${alone} bytes for ${bytes} of weights`);
    // The merged one has a few numbers more, which say that no index was looked up.
    assert.ok(merged >= alone && merged < alone + Math.min(...sizes), `${merged} bytes, ${alone} alone`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
