// Graphs inside of nodes: the branches of If, and what Loop and Scan repeat. Names are unique in the whole of a graph, and leaves are all
// outside; a body reads those and results around it by their names.

import { count } from './values.mjs';
import { NotTaken } from './not_taken.mjs';

/** @import { Graph, Node, Value } from './evaluate.mjs' */
/** @import { ElementType } from './values.mjs' */

/** @typedef {{ name: string, type: ElementType, rank: number }} Port of a body, of any sizes */
/** @typedef {{ inputs: Port[], outputs: Port[], nodes: Node[] }} Body */

/** @param {Value} value @param {string} [name] @returns {Port} */
export const port = ({ name: own, type, shape }, name = own) => ({ name, type, rank: shape.length });

/** @param {Node} node @returns {Body[]} */
export const bodiesOf = ({ bodies = {} }) => Object.values(bodies);

/** All nodes, with those that others consist of. @param {Node[]} nodes @returns {Node[]} */
export const allNodes = (nodes) => nodes.flatMap((node) => [node, ...allNodes(node.group ?? []), ...bodiesOf(node).flatMap((body) => allNodes(body.nodes))]);

/** The names that a node reads, itself and in its bodies, of what is around it. @param {Node} node @returns {Set<string>} */
export function readBy(node) {
  const names = new Set(node.inputs.filter(Boolean));
  for (const body of bodiesOf(node)) {
    const own = new Set([...body.inputs.map(({ name }) => name), ...body.nodes.flatMap(({ outputs }) => outputs)]);
    for (const name of [...body.nodes.flatMap((inner) => [...readBy(inner)]), ...body.outputs.map(({ name }) => name)]) if (!own.has(name)) names.add(name);
  }
  return names;
}

/** The nodes that results need, and all names that are read for them. @param {Node[]} nodes @param {string[]} results */
export function neededFor(nodes, results) {
  const wanted = new Set(results);
  /** @type {Node[]} */
  const kept = [];
  for (const node of [...nodes].reverse()) {
    if (!node.outputs.some((name) => name && wanted.has(name))) continue;
    kept.unshift(node);
    for (const name of readBy(node)) wanted.add(name);
  }
  return { nodes: kept, wanted };
}

/** @param {Port[]} ports @returns {Record<string, import('../../onnx_model.mjs').Type>} */
const types = (ports) => Object.fromEntries(ports.map(({ name, type, rank }) => [name, [type, Array.from({ length: rank }, (_, d) => `${name}_${d}`)]]));

/**
 * Nodes of an ONNX model.
 *
 * @param {Node[]} nodes @param {(body: Body) => Record<string, import('../../onnx_model.mjs').Tensor>} [constantsOf] those that a body holds itself
 * @returns {import('../../onnx_model.mjs').Node[]}
 */
export const onnxNodes = (nodes, constantsOf = () => ({})) => nodes.flatMap((node) => node.group ? onnxNodes(node.group, constantsOf) : [{
  ...node, name: `${node.op}_${node.outputs.find(Boolean)}`, attributes: { ...node.attributes, ...Object.fromEntries(Object.entries(node.bodies ?? {}).map(([name, body]) =>
    [name, { graph: { inputs: types(body.inputs), outputs: types(body.outputs), nodes: onnxNodes(body.nodes, constantsOf), constants: constantsOf(body) } }])) },
}]);

/** The constants that one body alone reads, and that are inside it where they were drawn there. @param {Graph} graph @returns {Map<Body, string[]>} */
export function constantsInside({ leaves, nodes, outputs }) {
  /** @type {Map<string, (Body | undefined)[]>} */
  const readers = new Map(outputs.map((name) => [name, [undefined]]));
  /** @param {Node[]} list @param {Body} [around] */
  const visit = (list, around) => {
    for (const node of list) {
      for (const name of node.inputs) readers.set(name, [...readers.get(name) ?? [], around]);
      for (const body of bodiesOf(node)) visit(body.nodes, body);
    }
  };
  visit(nodes);
  /** @type {Map<Body, string[]>} */
  const inside = new Map();
  for (const [name, { constant, inside: drawnInside }] of Object.entries(leaves)) {
    const [reader, ...others] = new Set(readers.get(name));
    if (constant && drawnInside && reader && !others.length) inside.set(reader, [...inside.get(reader) ?? [], name]);
  }
  return inside;
}

// ---- Running

/** What is run step by step may have so many. */
const MOST_STEPS = 12;

/** Part of an array of any kind. @param {any} data @param {number} from @param {number} to */
const part = (data, from, to) => data.slice(from, to);

/** The i-th element along an axis. @param {Value} value @param {number} axis @param {number} i @returns {Value} */
export function elementAt(value, axis, i) {
  const size = value.shape[axis], inner = count(value.shape.slice(axis + 1)), shape = value.shape.filter((_, d) => d !== axis);
  const data = /** @type {any} */ (value.data).slice(0, count(shape));
  for (let o = 0; o < count(value.shape.slice(0, axis)); ++o) data.set(part(value.data, (o * size + i) * inner, (o * size + i + 1) * inner), o * inner);
  return { ...value, shape, data };
}

/** @param {Value[]} steps @param {Port} port @param {number} [axis] @returns {Value} */
function stacked(steps, { name, type, rank }, axis = 0) {
  if (!steps.length) throw new NotTaken('ONNX does not say what sizes there are where nothing was stacked');
  const { shape } = steps[0], along = axis < 0 ? axis + rank + 1 : axis;
  if (steps.some((step) => step.shape.join() !== shape.join())) throw new NotTaken('steps of several sizes cannot be stacked');
  const inner = count(shape.slice(along)), size = count(shape), Kind = /** @type {any} */ (steps[0].data.constructor), data = new Kind(size * steps.length);
  steps.forEach((step, i) => {
    for (let o = 0; o < count(shape.slice(0, along)); ++o) data.set(part(step.data, o * inner, (o + 1) * inner), (o * steps.length + i) * inner);
  });
  return { name, type, shape: shape.toSpliced(along, 0, steps.length), data, exact: steps.every(({ exact }) => exact), error: Math.max(...steps.map(({ error }) => error)) };
}

/** @typedef {(nodes: Node[], values: Map<string, Value>) => Promise<void>} Run adds the nodes' results to the values */

/**
 * A node's results by what ONNX says of control flow, each node of its bodies run by itself: so that it is known how far each may be off.
 *
 * @param {Node} node @param {Map<string, Value>} values @param {Run} run @param {(inner: Map<string, Value>) => void} [seen] is told the values of each body's first run
 * @returns {Promise<Value[]>} of all outputs, also of those that are left out
 */
export async function runBodies(node, values, run, seen) {
  const operand = (/** @type {string} */ name) => /** @type {Value} */ (values.get(name));
  const number = (/** @type {Value} */ { data }) => Number(data[0]);
  let steps = 0;
  /** @param {Body} body @param {Value[]} inputs */
  const step = async (body, inputs) => {
    if (++steps > MOST_STEPS) throw new NotTaken('it takes many steps');
    const inner = new Map(values);
    body.inputs.forEach(({ name }, i) => inner.set(name, { ...inputs[i], name }));
    await run(body.nodes, inner);
    if (steps === 1) seen?.(inner);
    return body.outputs.map(({ name }) => /** @type {Value} */ (inner.get(name)));
  };
  const bodies = /** @type {Record<string, Body>} */ (node.bodies);
  if (node.op === 'If') return step(bodies[number(operand(node.inputs[0])) ? 'then_branch' : 'else_branch'], []);
  const { body } = bodies;
  if (node.op === 'Loop') {
    const [trips, condition, ...initial] = node.inputs, last = trips ? number(operand(trips)) : Infinity;
    let carried = initial.map(operand), goes = condition ? number(operand(condition)) : 1;
    const stacks = body.outputs.slice(1 + carried.length).map(() => /** @type {Value[]} */ ([]));
    for (let i = 0; i < last && goes; ++i) {
      const [again, ...results] = await step(body, [
        { name: '', type: 'i64', shape: [], data: BigInt64Array.of(BigInt(i)), exact: true, error: 0 }, { name: '', type: 'bool', shape: [], data: Uint8Array.of(goes), exact: true, error: 0 }, ...carried]);
      goes = number(again);
      carried = results.splice(0, carried.length);
      results.forEach((result, k) => stacks[k].push(result));
    }
    return [...carried, ...stacks.map((steps, k) => stacked(steps, body.outputs[1 + carried.length + k]))];
  }
  const { num_scan_inputs: scans, scan_input_axes: axes, scan_input_directions: directions, scan_output_axes: outputAxes, scan_output_directions: outputDirections } = /** @type {Record<string, any>} */ (node.attributes);
  const given = node.inputs.map(operand), elements = given.splice(given.length - scans);
  let states = given;
  const along = elements.map(({ shape }, k) => { const axis = axes?.[k] ?? 0; return axis < 0 ? axis + shape.length : axis; }), length = elements[0].shape[along[0]];
  if (elements.some(({ shape }, k) => shape[along[k]] !== length)) throw new NotTaken('sequences of several lengths');
  const stacks = body.outputs.slice(states.length).map(() => /** @type {Value[]} */ ([]));
  for (let i = 0; i < length; ++i) {
    const results = await step(body, [...states, ...elements.map((value, k) => elementAt(value, along[k], directions?.[k] ? length - 1 - i : i))]);
    states = results.splice(0, states.length);
    results.forEach((result, k) => outputDirections?.[k] ? stacks[k].unshift(result) : stacks[k].push(result));
  }
  return [...states, ...stacks.map((steps, k) => stacked(steps, body.outputs[states.length + k], outputAxes?.[k]))];
}
