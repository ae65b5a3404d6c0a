#!/usr/bin/env node
// Random graphs of ONNX's operators: the interpreter, wasm and WebGPU against ONNX Runtime.
//
//   node tests/random/graphs.mjs [--seed N] [--count N] [--backend NAME]... [--every N] [--operator NAME]
//                                [--quantised] [--batch N] [--jobs N] [--no-shrink] [--tally] [--save FOLDER]
//
// Graphs of the seeds from --seed (0) on, as many as --count (1), run on the interpreter, wasm and WebGPU; on WebGPU one in --every (1).
// --operator: each has that one. --quantised: they are quantised networks (networks.mjs), whose steps --operator names. What fails is shrunk and printed with its seed, and `--seed N` runs it again. --tally
// says how often each operator was drawn, and why it was not taken; --save writes what fails, shrunk, as cases of ONNX's layout. Needs build/node_tests (or NODE_TESTS), and
// `tools/npm_ci tests/bench` for ONNX Runtime. Exits with 1 if a graph fails, with 77 where there is no ONNX Runtime.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

if (!existsSync(new URL('../bench/node_modules/onnxruntime-node', import.meta.url))) {
  console.log('skipped: random graphs, which are compared with ONNX Runtime: tools/npm_ci tests/bench');
  process.exit(77);
}
const { values: options } = parseArgs({
  options: {
    seed: { type: 'string', default: '0' }, count: { type: 'string', default: '1' }, batch: { type: 'string', default: '100' }, jobs: { type: 'string', default: '2' },
    backend: { type: 'string', multiple: true, default: ['interpreter', 'wasm', 'webgpu'] }, every: { type: 'string', default: '1' }, operator: { type: 'string' },
    quantised: { type: 'boolean', default: false }, 'no-shrink': { type: 'boolean', default: false }, tally: { type: 'boolean', default: false }, save: { type: 'string' },
  },
});
const { compare, write } = await import('./graphs/compare.mjs');
const { missingOperators } = await import('./graphs/coverage.mjs');
const { isDecided, symbolsOf } = await import('./graphs/generate.mjs');
const { MUST_KNOW } = await import('./graphs/operators.mjs');
const { graphText } = await import('./graphs/print.mjs');
const { Reference } = await import('./graphs/reference.mjs');
const { shrink } = await import('./graphs/shrink.mjs');

/** @import { Case, Run } from './graphs/generate.mjs' */

const first = Number(options.seed), last = first + Number(options.count), every = Number(options.every);
const reference = new Reference(), counts = { graphs: 0, nodes: 0, open: 0, decided: 0, empty: 0, closed: 0, refused: 0, failed: 0 };
/** @type {Map<string, number>} */
const ran = new Map(options.backend.map((backend) => [backend, 0]));

/** Whether the compiler says that it must know a size that is open. @param {string} verdict */
function needsSizes(verdict) {
  // Of nodes in bodies the innermost is the last.
  const [, op = ''] = [...verdict.matchAll(/node "[^"]*" \((?:[\w.]+\.)?(\w+), opset/g)].at(-1) ?? [];
  return verdict.startsWith('unsupported: ') && op in MUST_KNOW || /must be known|needs to know|with --dim|cannot expand|is decided in a run/.test(verdict);
}

/** The same with no size open, and none that an input says. @param {Run[]} runs @returns {Run[]} */
const closed = ([{ graph, values }]) => [{ values, graph: { ...graph,
  leaves: Object.fromEntries(Object.entries(graph.leaves).map(([name, leaf]) => [name, { ...leaf, symbols: leaf.shape.map(() => null), constant: leaf.constant || leaf.fixed }])) } }];

/** @param {import('./graphs/evaluate.mjs').Graph} graph */
const isOpen = (graph) => symbolsOf(graph).size > 0 || Object.values(graph.leaves).some(({ constant, fixed }) => fixed && !constant);

/** @param {Case} failed @param {Map<string, string>} problems */
async function report({ seed, runs }, problems) {
  ++counts.failed;
  const [backend, verdict] = [...problems][0];
  console.log(`\nseed ${seed} on ${[...problems.keys()].join(', ')}: ${verdict}`);
  const small = options['no-shrink'] ? { runs, problem: verdict } : await shrink(reference, runs, backend);
  console.log(`${small.problem === verdict ? '' : `  shrunk: ${small.problem}\n`}${small.runs.map(({ graph }) => graphText(graph)).join('\n  and with other sizes:\n')}`);
  if (options.save) write(join(options.save, `test_seed_${seed}`), small.runs);
  console.log(`  again: node tests/random/graphs.mjs --seed ${seed}${options.quantised ? ' --quantised' : ''}${options.operator ? ` --operator '${options.operator}'` : ''} --backend ${backend}`);
}

/** @param {Case[]} given @param {string[]} backends */
async function check(given, backends) {
  const cases = [...given];
  if (!cases.length || !backends.length) return;
  for (const backend of backends) ran.set(backend, (ran.get(backend) ?? 0) + cases.length);
  const problems = compare(cases.map(({ runs }) => runs), backends, Number(options.jobs));
  const again = cases.flatMap((one, i) => [...problems[i].values()].some(needsSizes) && isOpen(one.runs[0].graph) ? [{ ...one, at: i, runs: closed(one.runs) }] : []);
  if (again.length) {
    counts.closed += again.length;
    compare(again.map(({ runs }) => runs), backends, Number(options.jobs)).forEach((found, i) => {
      problems[again[i].at] = found;
      cases[again[i].at] = again[i];
    });
  }
  for (const [i, found] of problems.entries()) {
    if (!found.size) continue;
    // No flag says a size that values give.
    if ([...found.values()].every(needsSizes) && isDecided(cases[i].runs[0].graph)) {
      ++counts.refused;
      console.log(`seed ${cases[i].seed} is refused: ${[...found.values()][0].split('\n')[0]}`);
    } else {
      await report(cases[i], found);
    }
  }
}

for (let seed = first; seed < last;) {
  /** @type {Case[]} */
  const cases = [];
  for (; seed < last && cases.length < Number(options.batch); ++seed) {
    const made = await reference.generate(seed, options.operator, options.quantised);
    if (!made) {
      ++counts.empty;
      continue;
    }
    cases.push(made);
    ++counts.graphs;
    counts.nodes += made.runs[0].graph.nodes.length;
    counts.decided += Number(isDecided(made.runs[0].graph));
    counts.open += Number(symbolsOf(made.runs[0].graph).size > 0);
  }
  const onGpu = options.backend.includes('webgpu') ? cases.filter((one) => one.seed % every === 0) : [];
  await check(onGpu, options.backend);
  await check(cases.filter((one) => !onGpu.includes(one)), options.backend.filter((backend) => backend !== 'webgpu'));
}
for (const name of missingOperators()) {
  ++counts.failed;
  console.log(`the compiler takes ${name}, which no row of tests/random/graphs/ draws and operators.mjs does not leave out`);
}
if (options.tally) console.log(reference.tally.text());
console.log(`${counts.graphs} graphs of ${counts.nodes} nodes of ${reference.tally.taken().length} operators, ${counts.open} with open sizes, ${counts.decided} with branches, loops or sizes by data; ${counts.empty} seeds gave none. ` +
  `${counts.closed} were run with sizes fixed, which the compiler must know; ${counts.refused} were refused, since values give such a size. Run: ${[...ran].map(([backend, times]) => `${times} on ${backend}`).join(', ')}. ${counts.failed} failed.`);
reference.close();
process.exit(counts.failed ? 1 : 0);
