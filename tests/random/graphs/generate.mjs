// A random graph from a seed.

import { allNodes, neededFor, readBy } from './bodies.mjs';
import { Chance } from './chance.mjs';
import { CONTROL } from './control.mjs';
import { evaluate, evaluateNode } from './evaluate.mjs';
import { Maker } from './maker.mjs';
import { Meanings } from './meanings.mjs';
import { STEPS } from './networks.mjs';
import { NotTaken } from './not_taken.mjs';
import { DECIDING, OPERATORS } from './operators.mjs';
import { count, madeUp } from './values.mjs';

/** @import { Graph, Node, Value } from './evaluate.mjs' */
/** @import { Operator } from './elementwise.mjs' */

/**
 * A graph and what ONNX Runtime makes of it: of the sizes that it was drawn with and, where sizes are open, of others.
 * @typedef {{ graph: Graph, values: Map<string, Value> }} Run
 * @typedef {{ seed: number, runs: Run[] }} Case
 */

/** @typedef {(operator: string, reason?: string) => void} Notes is told of operators that were drawn, and why they were not taken */

/** @param {Maker} m @param {string} name @param {Operator} operator */
async function addNode(m, name, { make, slack = 0, ...row }) {
  const { inputs, attributes = {}, outputs = [true], op = name.split(' ')[0], bodies, group, results, domain = row.domain ?? '', exact = row.exact ?? false } = await make(m);
  while (inputs.length && !inputs.at(-1)) inputs.pop();
  const node = /** @type {Node} */ ({ op, domain, attributes, inputs: inputs.map((value) => value?.name ?? ''), outputs: results ?? outputs.map((wanted) => wanted ? m.name() : ''), exact, slack, bodies, group });
  while (node.outputs.at(-1) === '') node.outputs.pop();
  for (const value of await evaluateNode(node, m.opset, m.values, m.graph.leaves)) m.values.set(value.name, value);
  m.graph.nodes.push(node);
}

/** @param {Maker} m @param {Notes} note @param {string} name @param {Operator} operator */
async function tryNode(m, note, name, operator) {
  const { graph } = m, before = { nodes: graph.nodes.length, leaves: { ...graph.leaves }, values: new Map(m.values) };
  try {
    await addNode(m, name, operator);
    note(name);
  } catch (error) {
    if (!(error instanceof NotTaken)) throw error;
    note(name, error.message);
    graph.nodes.length = before.nodes;
    graph.leaves = before.leaves;
    m.values = before.values;
  }
}

/** The graph without what its outputs do not need. @param {Graph} graph @returns {Graph} */
export function needed(graph) {
  const { nodes, wanted } = neededFor(graph.nodes, graph.outputs);
  return { ...graph, nodes, leaves: Object.fromEntries(Object.entries(graph.leaves).filter(([name]) => wanted.has(name))) };
}

/** What no node reads, and some of the rest. @param {Maker} m */
function chooseOutputs({ graph, c }) {
  const read = new Set(graph.nodes.flatMap((node) => [...readBy(node)]));
  const results = graph.nodes.flatMap(({ outputs }) => outputs.filter(Boolean));
  graph.outputs = results.filter((name) => !read.has(name) || c.is(0.12));
}

/** Lines that TopK sorts of an open size: 1,024 elements, each of which is compared with each, which takes the interpreter a second. */
const MOST_LINES = 4;

/** Whether something is sorted in many lines; what is in a body may be. @param {Maker} m */
function sortsMuch({ graph, values }) {
  return allNodes(graph.nodes).some(({ op, inputs: [x], attributes: { axis = -1 } }) => {
    const sorted = op === 'TopK' ? values.get(x)?.shape : [];
    return !sorted || count(sorted.filter((_, d) => d !== (Number(axis) + sorted.length) % sorted.length)) > MOST_LINES;
  });
}

/** Sizes of inputs that are open: equal ones share a name, most of the time. @param {Maker} m */
function openSizes(m) {
  const { graph, c } = m;
  if (c.is() || sortsMuch(m)) return;
  const part = c.of([0.3, 0.6, 1]), symbols = new Map();
  for (const [name, leaf] of Object.entries(graph.leaves)) {
    if (leaf.constant || !leaf.opens) continue;
    leaf.symbols = leaf.shape.map((size, d) => {
      if (!symbols.has(size)) symbols.set(size, c.is(part) ? `n${size}` : null);
      return symbols.get(size) && c.is(0.1) ? `${name}_${d}` : symbols.get(size);
    });
  }
}

/** @param {Graph} graph */
export const symbolsOf = ({ leaves }) => new Set(Object.values(leaves).flatMap(({ symbols }) => symbols.filter((symbol) => symbol !== null)));

/** Whether values decide what is run, or how large results are. @param {Graph} graph */
export const isDecided = ({ leaves, nodes }) => Object.values(leaves).some(({ constant, fixed }) => fixed && !constant) || allNodes(nodes).some(({ op }) => op in DECIDING);

/** The same graph with other data, and other sizes where they are open. @param {Graph} graph @param {Chance} chance @returns {Graph} */
function withOtherSizes(graph, chance) {
  const sizes = new Map([...symbolsOf(graph)].map((symbol) => [symbol, chance.is(0.05) ? 0 : chance.is(0.7) ? chance.int(1, 7) : chance.int(8, 40)]));
  const leaves = Object.fromEntries(Object.entries(graph.leaves).map(([name, leaf]) => {
    if (leaf.constant) return [name, leaf];
    if (!leaf.recipe) return [name, leaf];
    const shape = leaf.shape.map((size, d) => sizes.get(/** @type {string} */ (leaf.symbols[d])) ?? size);
    if (count(shape) > 10_000) throw new NotTaken('the other sizes are large');
    return [name, { ...leaf, ...madeUp(chance, leaf.type, shape, leaf.recipe) }];
  }));
  return { ...graph, leaves };
}

/** @param {Graph} graph @param {Chance} chance @returns {Promise<Run[]>} */
async function otherRuns(graph, chance) {
  for (let tries = 0; (symbolsOf(graph).size || isDecided(graph)) && tries < 3; ++tries) {
    try {
      const other = withOtherSizes(graph, chance);
      return [{ graph: other, values: await evaluate(other) }];
    } catch (error) {
      if (!(error instanceof NotTaken)) throw error;
    }
  }
  return [];
}

/** With as many nodes as wanted, if it can. @param {number} seed @param {Maker} m @param {number} wanted @returns {Promise<Case | undefined>} */
async function drawn(seed, m, wanted) {
  for (let tries = 0; m.graph.nodes.length < wanted && tries < 3 * wanted; ++tries) await m.drawNode();
  chooseOutputs(m);
  openSizes(m);
  const graph = needed(m.graph);
  return graph.nodes.length ? { seed, runs: [{ graph, values: m.values }, ...await otherRuns(graph, m.c)] } : undefined;
}

/** Opset since which scales are those of an axis. */
const FIRST_OF_AXES = 13;

/** A quantised network; nothing where no node that was drawn is one to compare. @param {number} seed @param {Notes} note @param {string} [only] a step that it has, if there is one @returns {Promise<Case | undefined>} */
export async function generateQuantised(seed, note, only) {
  const chance = new Chance(seed), m = new Maker(chance), wanted = chance.int(2, 24);
  m.opset = m.graph.opset = Math.max(m.opset, FIRST_OF_AXES);
  const by = new Meanings(m), steps = Object.entries(STEPS).map(([name, make]) => /** @type {const} */ ([name, { make: (/** @type {Maker} */ maker) => make(maker, by) }]));
  m.drawNode = () => tryNode(m, note, ...chance.of(steps));
  if (only) await tryNode(m, note, only, { make: (maker) => STEPS[only](maker, by) });
  return drawn(seed, m, wanted);
}

/** Nothing where no node that was drawn is one to compare. @param {number} seed @param {Notes} note @param {string} [only] an operator that it has, if there is one @returns {Promise<Case | undefined>} */
export async function generate(seed, note, only) {
  const chance = new Chance(seed), m = new Maker(chance), wanted = chance.is(0.25) ? 1 : chance.int(2, 8);
  if (only) m.opset = m.graph.opset = Math.max(m.opset, OPERATORS[only].since ?? 0);
  const known = Object.entries(OPERATORS).filter(([, { since = 0, until = Infinity }]) => since <= m.opset && m.opset <= until), deciding = known.filter(([name]) => name in DECIDING);
  // Some operators are drawn more often than the others, but few bodies in bodies.
  m.drawNode = () => tryNode(m, note, ...chance.of(chance.is(0.15 / 2 ** m.depth) ? deciding : m.depth < 2 ? known : known.filter(([name]) => !(name in CONTROL))));
  if (only) await tryNode(m, note, only, OPERATORS[only]);
  return drawn(seed, m, wanted);
}
