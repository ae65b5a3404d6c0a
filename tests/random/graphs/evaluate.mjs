// What ONNX Runtime computes of a graph, node by node, and how far another order or precision may be from it.
//
// How far: a kernel that rounds gives what exact arithmetic gives of operands that are a little off, so each node is
// run again with its operands moved, up, down and at random, by some roundings and by as much as they may be off themselves. What
// that moves a result by is what it may be off: large sums of large terms by much, copies by nothing. Results of the
// same bits on all backends are `exact`: inputs, integers, and what only moves, compares or selects exact elements. A
// node whose result jumps when its operands move (a comparison of what is nearly equal, a largest of two that nearly
// are, a difference of large numbers) has no answer that could be compared, and is not taken.
//
// A node with bodies is run by ONNX Runtime as a whole, and its bodies node by node, which shows how far its results may be off.

import { createRequire } from 'node:module';

import { onnxModel } from '../../onnx_model.mjs';
import { allNodes, onnxNodes, readBy, runBodies } from './bodies.mjs';
import { Chance } from './chance.mjs';
import { NotTaken } from './not_taken.mjs';
import { RULES } from './rules.mjs';
import { count, fromNumbers, isFloat, ownData, toNumbers, typeNamed, webName } from './values.mjs';

/** @import { Data, ElementType, Recipe, Tensor } from './values.mjs' */

/**
 * @typedef {Tensor & { name: string, exact: boolean, error: number }} Value `error`: how far its elements may be off
 * @typedef {{ type: ElementType, shape: number[], data: Data, constant: boolean, fixed: boolean, opens: boolean, recipe?: Recipe, symbols: (string | null)[], inside?: boolean }} Leaf
 *   an input, whose sizes are open where they have symbols, or a constant. `fixed`: a shape, an axis, a bound, which is not moved.
 *   `opens`: its sizes are not part of the operator, as those of a filter are, so that they may be open.
 *   What has no recipe is not made up again for other sizes. `inside`: drawn in a body, which may hold it
 * @typedef {object} Node
 * @property {string} op
 * @property {string} domain
 * @property {Record<string, import('../../onnx_model.mjs').Attribute>} attributes
 * @property {string[]} inputs '' for those that are left out
 * @property {string[]} outputs
 * @property {boolean} exact whether the operator gives bits that do not depend on how it is computed
 * @property {number} slack how far its elements may be off by the precision that its definition leaves
 * @property {Record<string, import('./bodies.mjs').Body>} [bodies] by the names of attributes
 * @property {Node[]} [group] what it stands for: nodes whose results are no tensors, up to some that are
 * @typedef {{ opset: number, leaves: Record<string, Leaf>, nodes: Node[], outputs: string[] }} Graph
 */

const ort = createRequire(new URL('../../bench/package.json', import.meta.url))('onnxruntime-node');

/** Of each element type the part of a value that some roundings are. */
export const ROUNDING = { f32: 2 ** -18, f16: 2 ** -9.5 };
/** Larger numbers are left alone: of integers, for WebGPU has 32 bits; of reals, since nothing but chains of powers makes them. */
const LARGEST = { f32: 1e5, f16: 2000, int: 2 ** 30 };
/** How much of the largest element may be noise in what is compared. */
const MOST_NOISE = { f32: 0.01, f16: 0.1 };
/** Smaller numbers than this one may become 0, as WGSL says. */
const SMALLEST_NORMAL = { f32: 2 ** -126, f16: 2 ** -14 };
const MOST_ELEMENTS = 20_000;
/** Elements that are all compared with all, which takes the interpreter seconds. */
const MOST_COMPARED = 600;

/** @param {Value} value @param {() => number} direction 1 or -1, of each element @param {boolean} rounds */
function moved(value, direction, rounds) {
  if (!isFloat(value.type)) return value.data;
  const rounding = rounds ? ROUNDING[/** @type {'f32'} */ (value.type)] : 0;
  const numbers = toNumbers(value);
  for (let i = 0; i < numbers.length; ++i)
    numbers[i] += direction() * AMPLIFIED * (value.error + rounding * Math.abs(numbers[i]));
  return fromNumbers(value.type, numbers);
}
/** Operands are moved further than they are off, so that results are safe to compare; what results move is divided by somewhat less. */
export const AMPLIFIED = 4;
const REDUCED = 3;
/** All up and all down, where what rounds to integers jumps, and at random. @param {Chance} chance @param {number} atRandom */
const trialsOf = (chance, atRandom) => [() => 1, () => -1, ...Array.from({ length: atRandom }, () => () => (chance.is() ? 1 : -1))];
/** How often at random. Of two scales that move alike the ratio stays, and an integer jumps in one direction only. */
const TRIALS = { real: 3, integer: 12 };

/** The largest finite difference of two arrays; nothing where they differ in what is not finite. @param {Float64Array} a @param {Float64Array} b */
function largestDifference(a, b) {
  let largest = 0;
  for (let i = 0; i < a.length; ++i) {
    if (Object.is(a[i], b[i]) || a[i] === b[i]) continue;
    const difference = Math.abs(a[i] - b[i]);
    if (!Number.isFinite(difference)) return undefined;
    largest = Math.max(largest, difference);
  }
  return largest;
}

/** @param {Float64Array} numbers */
function largestOf(numbers) {
  let largest = 0;
  for (const number of numbers) if (Number.isFinite(number)) largest = Math.max(largest, Math.abs(number));
  return largest;
}

/** @param {Node} node @param {number} opset @param {Map<string, Value>} values @param {Record<string, Leaf>} leaves */
async function openSession(node, opset, values, leaves) {
  for (const { op } of node.group ?? [node]) {
    const why = RULES[op]?.(node.inputs.map((name) => values.get(name)), node, opset);
    if (why) throw new NotTaken(why);
    if (op === 'Unique' && count(/** @type {Value} */ (values.get(node.inputs[0])).shape) > MOST_COMPARED) throw new NotTaken('Unique compares all elements with all');
  }
  /** @type {Record<string, import('../../onnx_model.mjs').Type>} */
  const inputs = {};
  /** @type {Record<string, import('../../onnx_model.mjs').Tensor>} */
  const constants = {};
  for (const name of readBy(node)) {
    const { type, shape, data } = /** @type {Value} */ (values.get(name));
    if (leaves[name]?.fixed) constants[name] = { type: [type, shape], bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
    else inputs[name] = [type, shape.map((_, d) => `${name}_${d}`)];
  }
  /** ONNX Runtime infers their types. @type {any} */
  const outputs = Object.fromEntries(node.outputs.filter(Boolean).map((name) => [name, null]));
  const model = onnxModel({ inputs, outputs, constants, nodes: onnxNodes([node]), opset });
  try {
    return { session: await ort.InferenceSession.create(model, { graphOptimizationLevel: 'disabled', logSeverityLevel: 4, intraOpNumThreads: 1 }), fed: Object.keys(inputs) };
  } catch (error) {
    throw new NotTaken(`ONNX Runtime refuses ${node.op}: ${/** @type {Error} */ (error).message}`);
  }
}

/** How far a node's results may be off, of what its bodies compute. @param {Node} node @param {Value[]} results @param {Value[]} computed */
function judgedByBodies(node, results, computed) {
  // A condition is [] in each iteration by ONNX's text; ONNX Runtime hands on the shape that the last one left.
  const loop = node.op === 'Loop' ? node.bodies?.body : undefined;
  if (loop && loop.outputs[0].rank > 0 && [...allNodes(loop.nodes).flatMap(({ inputs }) => inputs), ...loop.outputs.slice(1).map(({ name }) => name)].includes(loop.inputs[1].name))
    throw new NotTaken('ONNX Runtime hands on the shape of a condition that is no scalar');
  return results.map((result) => {
    const { exact, error, shape, ...more } = computed[node.outputs.indexOf(result.name)], judged = { ...result, exact, error }, most = allowed(judged);
    const own = toNumbers(result), others = toNumbers({ shape, ...more });
    if (shape.join() !== result.shape.join() || own.some((number, i) => !(Object.is(number, others[i]) || Math.abs(number - others[i]) <= most[i])))
      throw new Error(`${node.op} gives ${own} (${result.shape}) in ONNX Runtime, and its bodies node by node ${others} (${shape})`);
    return judged;
  });
}

/**
 * The node's results.
 *
 * @param {Node} node @param {number} opset @param {Map<string, Value>} values @param {Record<string, Leaf>} leaves
 * @param {(inner: Map<string, Value>) => void} [seen] is told the values of each body's first run
 * @returns {Promise<Value[]>}
 */
export async function evaluateNode(node, opset, values, leaves, seen) {
  const computed = node.bodies && !node.group && await runBodies(node, values, (nodes, inner) => evaluateNodes(nodes, opset, inner, leaves, seen), seen);
  const { session, fed } = await openSession(node, opset, values, leaves);
  /** @param {(value: Value) => Data} dataOf @returns {Promise<Record<string, any>>} */
  const run = async (dataOf) => {
    try {
      return await session.run(Object.fromEntries(fed.map((name) => {
        const value = /** @type {Value} */ (values.get(name));
        return [name, new ort.Tensor(webName(value.type), dataOf(value), value.shape)];
      })));
    } catch (error) {
      throw new NotTaken(`ONNX Runtime does not run ${node.op}: ${/** @type {Error} */ (error).message}`);
    }
  };
  try {
    const results = await run(({ data }) => data);
    if (computed) return judgedByBodies(node, node.outputs.filter(Boolean).map((name) => judged(node, name, results, [], true, 0)), computed);
    const chance = new Chance(node.outputs.length), isExact = fed.every((name) => values.get(name)?.exact);
    /** @type {Record<string, any>[]} */
    const trials = [];
    const rounds = node.outputs.some((name) => name && !isFloat(typeNamed(results[name].type) ?? 'f32'));
    if (!(isExact && node.exact) && fed.some((name) => isFloat(/** @type {Value} */ (values.get(name)).type)))
      for (const direction of trialsOf(chance, rounds ? TRIALS.integer : TRIALS.real)) trials.push(await run((value) => moved(value, direction, !node.exact)));
    const areFinite = fed.every((name) => { const value = /** @type {Value} */ (values.get(name)); return count(value.shape) > 0 && toNumbers(value).every(Number.isFinite); });
    const furthest = Math.max(0, ...fed.map((name) => AMPLIFIED * /** @type {Value} */ (values.get(name)).error));
    return node.outputs.filter(Boolean).map((name) => judged(node, name, results, trials, isExact, furthest, areFinite));
  } finally {
    await session.release();
  }
}

/** @param {Node} node @param {string} name @param {Record<string, any>} results @param {Record<string, any>[]} trials @param {boolean} isExact @param {number} furthest that an operand was moved @param {boolean} [areFinite] whether all operands are @returns {Value} */
function judged(node, name, results, trials, isExact, furthest, areFinite = false) {
  const type = typeNamed(results[name].type), shape = [...results[name].dims];
  if (!type) throw new NotTaken(`${node.op} gives ${results[name].type}`);
  /** @param {any} result @returns {Tensor} */
  const tensor = (result) => ({ type, shape, data: ownData(type, result.data) });
  const own = tensor(results[name]), numbers = toNumbers(own), largest = largestOf(numbers);
  if (count(shape) > MOST_ELEMENTS) throw new NotTaken(`${node.op} gives ${shape.join('x')} elements`);
  if (isFloat(type) && areFinite && !numbers.every(Number.isFinite)) throw new NotTaken(`${node.op} gives what is not finite, of which WGSL says nothing`);
  if (largest > (isFloat(type) ? LARGEST[/** @type {'f32'} */ (type)] : LARGEST.int)) throw new NotTaken(`${node.op} gives ${largest}`);
  let moves = 0;
  for (const trial of trials) {
    if (trial[name].dims.join() !== shape.join()) throw new NotTaken(`${node.op} has sizes that depend on reals`);
    const difference = largestDifference(numbers, toNumbers(tensor(trial[name])));
    if (difference === undefined || (difference > 0 && !isFloat(type))) throw new NotTaken(`${node.op} jumps`);
    moves = Math.max(moves, difference);
  }
  // What rounds to integers, or looks at signs, is as exact as a copy, and moves further where it jumps.
  if (node.exact && isFloat(type) && moves > 1.5 * furthest + ROUNDING[/** @type {'f32'} */ (type)] * largest) throw new NotTaken(`${node.op} jumps`);
  const exact = !isFloat(type) || (node.exact && isExact);
  const scale = Number.isFinite(largest) ? largest : 0;
  const rounding = isFloat(type) && !node.exact ? ROUNDING[/** @type {'f32'} */ (type)] * scale / 2 : 0;
  const error = exact ? 0 : moves / REDUCED + rounding + node.slack;
  if (isFloat(type) && error > MOST_NOISE[/** @type {'f32'} */ (type)] * Math.max(largest, node.slack)) throw new NotTaken(`${node.op} is ill-conditioned`);
  return { ...own, name, exact, error };
}

/** @param {Graph} graph @param {string} name @returns {Value} */
export const leafValue = ({ leaves }, name) => {
  const { type, shape, data } = leaves[name];
  return { name, type, shape, data, exact: true, error: 0 };
};

/** Adds the nodes' results to the values. @param {Node[]} nodes @param {number} opset @param {Map<string, Value>} values @param {Record<string, Leaf>} leaves @param {(inner: Map<string, Value>) => void} [seen] */
async function evaluateNodes(nodes, opset, values, leaves, seen) {
  for (const node of nodes) {
    for (const value of await evaluateNode(node, opset, values, leaves, seen)) values.set(value.name, value);
  }
}

/** All values of a graph, also those that bodies have in their first run. @param {Graph} graph @returns {Promise<Map<string, Value>>} */
export async function evaluate(graph) {
  const values = new Map(Object.keys(graph.leaves).map((name) => [name, leafValue(graph, name)])), inside = new Map();
  await evaluateNodes(graph.nodes, graph.opset, values, graph.leaves, (inner) => inner.forEach((value, name) => inside.set(name, value)));
  return new Map([...inside, ...values]);
}

/** How far each element of a value may be off: what moving operands showed, and some roundings of its own. @param {Value} value @returns {Float32Array} */
export function allowed(value) {
  if (value.exact) return new Float32Array(count(value.shape));
  const type = /** @type {'f32'} */ (value.type), rounding = 2 * ROUNDING[type], smallest = SMALLEST_NORMAL[type];
  return Float32Array.from(toNumbers(value), (number) => Number.isFinite(number) ? value.error + rounding * Math.abs(number) + smallest : 0);
}
