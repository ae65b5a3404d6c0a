// Makes a graph that fails smaller, as long as it fails on the same backend.

import { bodiesOf } from './bodies.mjs';
import { compare } from './compare.mjs';
import { needed } from './generate.mjs';
import { count, fromNumbers, toNumbers } from './values.mjs';

/** @import { Graph, Leaf, Node, Value } from './evaluate.mjs' */
/** @import { Run } from './generate.mjs' */
/** @import { Reference } from './reference.mjs' */

/** The first elements along each dimension. @param {Leaf} leaf @param {number[]} shape @returns {Leaf} */
function cropped(leaf, shape) {
  const numbers = toNumbers(leaf), out = new Float64Array(count(shape));
  for (let i = 0; i < out.length; ++i) {
    let at = 0, stride = 1;
    for (let d = shape.length - 1, rest = i; d >= 0; rest = Math.floor(rest / shape[d]), stride *= leaf.shape[d--]) at += rest % shape[d] * stride;
    out[i] = numbers[at];
  }
  return { ...leaf, shape, data: fromNumbers(leaf.type, out) };
}

/** @param {Graph} graph @param {string} name @param {Partial<Leaf>} change @returns {Graph} */
const changed = (graph, name, change) => ({ ...graph, leaves: { ...graph.leaves, [name]: { ...graph.leaves[name], ...change } } });

/** An input instead of a result. @param {Value} value @returns {Leaf} */
const asLeaf = ({ type, shape, data }) => ({ type, shape, data, constant: false, fixed: false, opens: false, symbols: shape.map(() => null) });

/** @typedef {{ nodes: Node[], leaves: Record<string, Leaf> }} Smaller with leaves that are new */

/** Bodies of fewer nodes, whose results are inputs of the graph then. @param {Node[]} nodes @param {Map<string, Value>} values @returns {Generator<Smaller>} */
function* smallerBodies(nodes, values) {
  for (const [i, node] of nodes.entries()) {
    const replaced = (/** @type {Node[]} */ ...others) => nodes.toSpliced(i, 1, ...others);
    for (const [name, body] of Object.entries(node.bodies ?? {})) {
      const withNodes = (/** @type {Node[]} */ inner) => replaced({ ...node, bodies: { ...node.bodies, [name]: { ...body, nodes: inner } } });
      for (const [k, { outputs }] of body.nodes.entries()) {
        const results = outputs.filter(Boolean).map((output) => values.get(output));
        if (body.outputs.some((output) => outputs.includes(output.name)) || results.some((value) => !value)) continue;
        yield { nodes: withNodes(body.nodes.toSpliced(k, 1)), leaves: Object.fromEntries(results.map((value) => [value?.name, asLeaf(/** @type {Value} */ (value))])) };
      }
      for (const { nodes: inner, leaves } of smallerBodies(body.nodes, values)) yield { nodes: withNodes(inner), leaves };
    }
    if (node.op === 'If') {
      for (const { nodes: inner, outputs } of bodiesOf(node))
        yield { nodes: replaced(...inner, ...outputs.map(({ name }, k) => ({ op: 'Identity', domain: '', attributes: {}, inputs: [name], outputs: [node.outputs[k]], exact: true, slack: 0 }))), leaves: {} };
    }
    if (node.op === 'Loop') yield* fewerOutputs(node).map(({ less, unfed }) => ({ nodes: replaced(less), leaves: Object.fromEntries(unfed.flatMap((name) => values.has(name) ? [[name, asLeaf(/** @type {Value} */ (values.get(name)))]] : [])) }));
  }
}

/** A Loop without one of its outputs; what its body is not given any more is `unfed`. @param {Node} node */
function fewerOutputs(node) {
  const [body] = bodiesOf(node), carried = node.inputs.length - 2;
  if (node.outputs.length < 2) return [];
  return node.outputs.map((_, k) => {
    const isCarried = k < carried, inputs = isCarried ? body.inputs.toSpliced(2 + k, 1) : body.inputs;
    return { less: { ...node, inputs: isCarried ? node.inputs.toSpliced(2 + k, 1) : node.inputs, outputs: node.outputs.toSpliced(k, 1), bodies: { body: { ...body, inputs, outputs: body.outputs.toSpliced(1 + k, 1) } } },
      unfed: isCarried ? [body.inputs[2 + k].name] : [] };
  });
}

/** Smaller graphs, those that are much smaller first. @param {Run} run @returns {Generator<Graph>} */
function* smaller({ graph, values }) {
  if (graph.outputs.length > 1) for (const name of graph.outputs) yield needed({ ...graph, outputs: [name] });
  // Up to a result in the middle, or from there on.
  for (const node of graph.nodes.slice(0, -1)) for (const name of node.outputs) if (name) yield needed({ ...graph, outputs: [name] });
  for (const node of [...graph.nodes].reverse()) {
    for (const name of node.outputs) {
      const value = values.get(name);
      if (!value || graph.outputs.includes(name) || value.shape.length === 0) continue;
      yield needed({ ...graph, leaves: { ...graph.leaves, [name]: asLeaf(value) }, nodes: graph.nodes.filter(({ outputs }) => !outputs.includes(name)) });
    }
  }
  for (const { nodes, leaves } of smallerBodies(graph.nodes, values)) yield needed({ ...graph, nodes, leaves: { ...graph.leaves, ...leaves } });
  for (const [name, leaf] of Object.entries(graph.leaves)) if (leaf.symbols.some(Boolean)) yield changed(graph, name, { symbols: leaf.shape.map(() => null) });
  const sizes = new Set(Object.values(graph.leaves).flatMap(({ fixed, shape }) => fixed ? [] : shape));
  for (const size of [...sizes].sort((a, b) => b - a)) {
    for (const less of new Set([1, 2, size >> 1, size - 1])) {
      if (less < 1 || less >= size) continue;
      /** @param {string} [only] */
      const shrunk = (only) => ({ ...graph, leaves: Object.fromEntries(Object.entries(graph.leaves).map(([name, leaf]) => [name,
        leaf.fixed || (only && only !== name) ? leaf : cropped(leaf, leaf.shape.map((own) => own === size ? less : own))])) });
      yield shrunk();
      for (const [name, { fixed, shape }] of Object.entries(graph.leaves)) if (!fixed && shape.includes(size)) yield shrunk(name);
    }
  }
  for (const [name, leaf] of Object.entries(graph.leaves))
    if (leaf.constant && !leaf.fixed) yield changed(graph, name, { constant: false, symbols: leaf.shape.map(() => null) });
}

/** What a failure is of, so that another one is not taken for it. @param {string} verdict */
const kindOf = (verdict) => /^(\w+)(?:: node "[^"]*" \(([\w.]+))?/.exec(verdict)?.slice(1).join(' ');

/** Candidates that are run at a time. */
const BATCH = 12;
const MOST_ROUNDS = 40;

/** @param {Reference} reference @param {Run[]} runs @param {string} backend @returns {Promise<{ runs: Run[], problem: string }>} */
export async function shrink(reference, runs, backend) {
  const backends = [backend.split('+')[0]];
  let problem = [...compare([runs], backends)[0].values()][0];
  if (problem === undefined) return { runs, problem: 'fails only beside others' };
  const kind = kindOf(problem);
  /** @param {Run[][]} candidates */
  const take = (candidates) => {
    const problems = candidates.length ? compare(candidates, backends) : [], at = problems.findIndex((found) => found.size > 0 && kindOf([...found.values()][0]) === kind);
    if (at < 0) return false;
    runs = candidates[at];
    problem = [...problems[at].values()][0];
    return true;
  };
  if (runs.length > 1) take(runs.map((run) => [run]));
  for (let round = 0; runs.length === 1 && round < MOST_ROUNDS; ++round) {
    let found = false, batch = [];
    for (const graph of smaller(runs[0])) {
      const run = await reference.evaluate(graph);
      if (run) batch.push([run]);
      if (batch.length < BATCH) continue;
      found = take(batch);
      batch = [];
      if (found) break;
    }
    if (!found && !take(batch)) break;
  }
  return { runs, problem };
}
