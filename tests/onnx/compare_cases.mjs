// Runs models with the results that ONNX Runtime gave (operators_reference.mjs).

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { onnxModel } from '../onnx_model.mjs';
import { runCases, writeCase } from './write_cases.mjs';

/** @typedef {Record<string, ({ shape: number[], data: (number | string)[] }[] | null)[]>} Reference */

/** @param {string} name @returns {Reference} */
export const readReference = (name) => JSON.parse(readFileSync(new URL(`${name}_reference.json`, import.meta.url), 'utf8'));

/** @param {Record<string, import('./operators.mjs').Case>} examples @param {Reference} reference @param {string[]} backends */
export function compareCases(examples, reference, backends) {
  const folder = mkdtempSync(join(tmpdir(), 'webnnc-operators-')), cases = join(folder, 'cases'), names = Object.keys(examples);
  try {
    for (const name of names) {
      const { model, runs } = examples[name];
      assert.equal(reference[name].length, runs.length, `the reference of ${name} is of other runs`);
      const sets = runs.map((run, i) => ({
        inputs: Object.entries(run).map(([input, value]) => ({ name: input, type: model.inputs[input][0], ...value })),
        outputs: Object.entries(model.outputs).map(([output, [type]], o) => ({ name: output, type, ...(reference[name][i] ?? assert.fail(`${name} is refused`))[o] })),
      }));
      writeCase(join(cases, `test_${name.replaceAll(/[^A-Za-z0-9]+/g, '_')}`), onnxModel(model), sets);
    }
    const printed = runCases(cases, join(folder, 'work'), backends);
    for (const backend of backends)
      assert.ok(printed.includes(`${backend}: ${names.length} passed, 0 failed, 0 unsupported, 0 with wrong data`), printed);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
