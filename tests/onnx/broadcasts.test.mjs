// The models of tests/web/broadcasts.mjs as cases in ONNX's layout, for those who take such: the definitions of
// operations in the interpreter, and the WASI command. Results are ONNX Runtime's (broadcasts_reference.json).
//
//   NODE_TESTS=build/node_tests node --test tests/onnx/broadcasts.test.mjs

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { onnxModel } from '../onnx_model.mjs';
import { CASES, inputsOf } from '../web/broadcasts.mjs';
import { runCases, writeCase } from './write_cases.mjs';

/** @type {Record<string, ({ shape: number[], data: number[] } | null)[]>} */
const reference = JSON.parse(readFileSync(new URL('../web/broadcasts_reference.json', import.meta.url), 'utf8'));

test('sizes that broadcast in the interpreter and in the command', () => {
  const folder = mkdtempSync(join(tmpdir(), 'webnnc-broadcasts-')), cases = join(folder, 'cases');
  try {
    for (const [name, example] of Object.entries(CASES)) {
      const to = join(cases, `test_${name.replaceAll(' ', '_')}`);
      const [type] = example.model.outputs.y;
      const sets = example.runs.flatMap((sizes, i) => {
        const y = reference[name][i];
        const inputs = Object.entries(inputsOf(example, sizes)).map(([input, value]) => ({ name: input, type: example.model.inputs[input][0], ...value }));
        return y ? [{ inputs, outputs: [{ name: 'y', type, ...y }] }] : [];
      });
      writeCase(to, onnxModel(example.model), sets);
    }
    const printed = runCases(cases, join(folder, 'work'), ['interpreter', 'wasi']);
    const all = `${Object.keys(CASES).length} passed, 0 failed, 0 unsupported, 0 with wrong data`;
    for (const backend of ['interpreter', 'wasi'])
      assert.ok(printed.includes(`${backend}: ${all}`), printed);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
