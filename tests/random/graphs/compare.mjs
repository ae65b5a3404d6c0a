// Random graphs as cases of ONNX's layout, run by node_tests on the backends.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { onnxModel } from '../../onnx_model.mjs';
import { writeCase } from '../../onnx/write_cases.mjs';
import { constantsInside, onnxNodes } from './bodies.mjs';
import { allowed } from './evaluate.mjs';
import { isDecided, symbolsOf } from './generate.mjs';

/** @import { Graph, Value } from './evaluate.mjs' */
/** @import { Run } from './generate.mjs' */

const nodeTests = process.env.NODE_TESTS ?? fileURLToPath(new URL('../../../build/node_tests', import.meta.url));

/** @param {import('./values.mjs').Tensor} tensor @returns {import('../../onnx_model.mjs').Tensor} */
const onnxTensor = ({ type, shape, data }) => ({ type: [type, shape], bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) });

/** @param {Run} run */
export function modelOf({ graph, values }) {
  const inside = constantsInside(graph), isInside = new Set([...inside.values()].flat());
  const leaves = Object.entries(graph.leaves), constants = leaves.filter(([name, { constant }]) => constant && !isInside.has(name));
  return onnxModel({
    inputs: Object.fromEntries(leaves.filter(([, { constant }]) => !constant).map(([name, { type, shape, symbols }]) => [name, [type, shape.map((size, d) => symbols[d] ?? size)]])),
    outputs: Object.fromEntries(graph.outputs.map((name) => [name, outputType(graph, /** @type {Value} */ (values.get(name)))])),
    constants: Object.fromEntries(constants.map(([name, leaf]) => [name, onnxTensor(leaf)])),
    nodes: onnxNodes(graph.nodes, (body) => Object.fromEntries((inside.get(body) ?? []).map((name) => [name, onnxTensor(graph.leaves[name])]))), opset: graph.opset,
  });
}

/** @param {Graph} graph @param {Value} value @returns {import('../../onnx_model.mjs').Type} */
function outputType(graph, { name, type, shape }) {
  const isOpen = symbolsOf(graph).size > 0 || isDecided(graph);
  return [type, shape.map((size, d) => isOpen ? `${name}_${d}` : size)];
}

/** As a case of ONNX's layout. @param {string} folder @param {Run[]} runs of one graph */
export function write(folder, runs) {
  const sets = runs.map(({ graph, values }) => {
    const outputs = graph.outputs.map((name) => /** @type {Value} */ (values.get(name)));
    return {
      inputs: Object.entries(graph.leaves).filter(([, { constant }]) => !constant).map(([name, { type, shape, data }]) => ({ name, type, shape, data })),
      outputs: outputs.map(({ name, type, shape, data }) => ({ name, type, shape, data })),
      allowed: outputs.map((value) => ({ name: value.name, type: /** @type {const} */ ('f32'), shape: value.shape, data: allowed(value) })),
    };
  });
  writeCase(folder, modelOf(runs[0]), sets);
}

/** Seconds that a case may take, and cases that share processes. */
const LIMIT = 60;

/**
 * What is wrong with each of the cases on each backend.
 *
 * @param {Run[][]} cases @param {string[]} backends @param {number} [jobs] @returns {Map<string, string>[]} of each case by backend; empty where all is well
 */
export function compare(cases, backends, jobs = 2) {
  const folder = mkdtempSync(join(tmpdir(), 'webnnc-graphs-'));
  try {
    cases.forEach((runs, i) => write(join(folder, 'cases', `case_${i}`), runs));
    const flags = backends.flatMap((backend) => ['--backend', backend]);
    const { stdout, stderr, status, error } = spawnSync(nodeTests, ['--jobs', String(jobs), '--work', join(folder, 'work'), ...flags, '--verbose', join(folder, 'cases')],
      { encoding: 'utf8', maxBuffer: 1 << 28, timeout: 1000 * LIMIT * (1 + cases.length / 4), killSignal: 'SIGKILL' });
    const found = cases.map(() => new Map());
    // A line a failure; what stands behind it are lines of the same message.
    for (const [, at, backend, verdict] of stdout.matchAll(/^case_(\d+)@\d+ on (\S+): (.*(?:\n(?!case_\d+@|\S+: \d+ passed).*)*)/gm)) found[Number(at)].set(backend, verdict.trim());
    const finished = backends.every((backend) => stdout.includes(`${backend}: `) && new RegExp(`^${backend}: \\d+ passed`, 'm').test(stdout));
    if (finished) return found;
    if (cases.length > 1) return cases.flatMap((runs) => compare([runs], backends, jobs));
    return [new Map([[backends.join('+'), error ? `hangs: no result within ${LIMIT} s` : `node_tests ends with ${status}: ${stdout}${stderr}`.slice(0, 2000)]])];
  } finally {
    if (existsSync(folder)) rmSync(folder, { recursive: true });
  }
}
