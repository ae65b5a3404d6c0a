// Control flow: branches, loops and scans, with bodies of drawn nodes.

import { elementAt, neededFor, port } from './bodies.mjs';
import { ALL } from './maker.mjs';

/** @import { Body, Port } from './bodies.mjs' */
/** @import { Operator } from './elementwise.mjs' */
/** @import { Value } from './evaluate.mjs' */
/** @import { Maker } from './maker.mjs' */

/** Elements of what goes from step to step. */
const MOST = 200;

/** A value of a body, as the body's own input. @param {Maker} m @param {Value} value @returns {Value} */
const asInput = (m, value) => ({ ...value, name: m.name('b') });

/**
 * A body of some nodes.
 *
 * @param {Maker} m @param {Value[]} inputs of the body, as they are in its first run
 * @param {() => Value[]} results chooses its outputs from the maker's values, which are those inside it
 * @param {number} [given] outputs that may be inputs; ONNX Runtime leaves others, and all of Scan, as memory was @returns {Promise<{ body: Body, results: Value[] }>}
 */
async function drawBody(m, inputs, results, given = 0) {
  const { graph, values } = m, around = graph.nodes;
  graph.nodes = [];
  m.values = new Map([...values, ...inputs.map((value) => /** @type {const} */ ([value.name, value]))]);
  ++m.depth;
  try {
    const wanted = m.c.int(1, 4);
    for (let tries = 0; graph.nodes.length < wanted && tries < 3 * wanted; ++tries) await m.drawNode();
    const chosen = results(), outputs = ownNames(m, inputs, chosen, given);
    // Also what nothing reads, once in a while.
    const nodes = m.c.is(0.1) ? graph.nodes : neededFor(graph.nodes, outputs.map(({ name }) => name)).nodes;
    return { body: { inputs: inputs.map((value) => port(value)), outputs, nodes }, results: chosen };
  } finally {
    graph.nodes = around;
    --m.depth;
    m.values = new Map([...values, ...[...m.values].filter(([name]) => graph.leaves[name])]);
  }
}

/** The outputs of a body are its own, and each is there once. @param {Maker} m @param {Value[]} inputs @param {Value[]} results @param {number} given those that may be inputs, but not the iteration, in which ONNX Runtime counts on @returns {Port[]} */
function ownNames(m, inputs, results, given) {
  const taken = new Set(), own = new Set(m.graph.nodes.flatMap(({ outputs }) => outputs));
  return results.map((value, i) => {
    let { name } = value;
    if (taken.has(name) || !(own.has(name) || (i < given && inputs.slice(1).some((input) => input.name === name)))) {
      m.graph.nodes.push({ op: 'Identity', domain: '', attributes: {}, inputs: [name], outputs: [name = m.name()], exact: true, slack: 0 });
    }
    taken.add(name);
    return port(value, name);
  });
}

/** All: ONNX Runtime ends its process where some are left out. @param {number} results */
const allOutputs = (results) => Array.from({ length: results }, () => true);

/** @param {Maker} m */
const small = (m) => m.value({ types: ALL, rank: [0, 3], most: MOST });
/** What comes instead of a value: mostly of the same shape. @param {Maker} m @param {Value} value */
const next = (m, { type, shape }) => m.value({ types: [type], ...m.c.is(0.85) ? { shape } : { rank: shape.length, most: MOST } });
/** @param {Maker} m @param {number} low @param {number} high */
const several = (m, low, high) => Array.from({ length: m.c.int(low, high) }, () => small(m));

/** One element of i64, seldom 0. @param {Maker} m @param {number} high */
const smallCount = (m, high) => m.value({ types: ['i64'], shape: m.c.is(0.7) ? [] : [1], low: 0, high, recipe: { low: m.c.is(0.2) ? 0 : 1, high } });

/** @type {Record<string, Operator>} */
export const CONTROL = {
  If: {
    exact: true,
    async make(m) {
      const condition = m.value({ types: ['bool'], shape: m.c.is(0.7) ? [] : [1] });
      const { body: yes, results } = await drawBody(m, [], () => several(m, 1, 2));
      const { body: no } = await drawBody(m, [], () => results.map((value) => next(m, value)));
      return { inputs: [condition], bodies: { then_branch: yes, else_branch: no }, outputs: results.map(() => true) };
    },
  },
  Loop: {
    exact: true,
    async make(m) {
      const { c } = m, isCounted = c.is(0.8), trips = isCounted ? smallCount(m, 4) : null, limit = isCounted ? null : smallCount(m, 3);
      const condition = isCounted && c.is(0.4) ? null : isCounted && c.is(0.4) ? m.value({ types: ['bool'], shape: [] }) : m.leaf('bool', [], { values: [1] });
      const carried = several(m, 0, 3), inputs = [scalar(m, 'i64', 0), scalar(m, 'bool', 1), ...carried.map((value) => asInput(m, value))];
      let scanned = 0;
      const { body } = await drawBody(m, inputs, () => {
        const ends = limit ?? (c.is(0.3) ? smallCount(m, 3) : null);
        const again = ends ? m.known('Less', [inputs[0], ends], 'bool', ends.shape, [Number(ends.data[0] > 0)]) : c.is(0.8) ? inputs[1] : m.value({ types: ['bool'], shape: [] });
        const scans = several(m, carried.length ? 0 : 1, 2);
        scanned = scans.length;
        return [again, ...carried.map((value) => next(m, value)), ...scans];
      }, 1 + carried.length);
      return { inputs: [trips, condition, ...carried], bodies: { body }, outputs: allOutputs(carried.length + scanned) };
    },
  },
  Scan: {
    exact: true,
    async make(m) {
      const { c } = m, length = c.int(1, 5), states = several(m, 0, 2), count0 = c.int(1, 2);
      const axes = /** @type {number[]} */ ([]), given = Array.from({ length: count0 }, () => {
        const shape = m.shape([0, 2], 60), axis = c.int(0, shape.length);
        axes.push(axis);
        return m.value({ types: ALL, shape: shape.toSpliced(axis, 0, length) });
      });
      const elements = given.map((value, k) => elementAt(value, axes[k], 0));
      /** @type {Value[]} */
      let scans = [];
      const { body } = await drawBody(m, [...states, ...elements].map((value) => asInput(m, value)), () => {
        scans = several(m, states.length ? 0 : 1, 2);
        return [...states.map((value) => next(m, value)), ...scans];
      });
      const bits = (/** @type {any[]} */ list) => list.map(() => c.int(0, 1));
      const isPlain = axes.every((axis) => axis === 0) && c.is();
      return { inputs: [...states, ...given], bodies: { body }, outputs: allOutputs(states.length + scans.length), attributes: {
        num_scan_inputs: given.length, ...!isPlain && { scan_input_axes: axes.map((axis, k) => m.opset >= 11 ? m.axis(given[k].shape.length, axis) : axis) }, ...c.is(0.4) && { scan_input_directions: bits(given) },
        ...scans.length > 0 && c.is(0.4) && { scan_output_directions: bits(scans) }, ...scans.length > 0 && c.is(0.4) && { scan_output_axes: scans.map(({ shape }) => c.int(0, shape.length)) } } };
    },
  },
};

/** A scalar that a body is given. @param {Maker} m @param {'i64' | 'bool'} type @param {number} number @returns {Value} */
const scalar = (m, type, number) => ({ name: m.name('b'), type, shape: [], data: type === 'i64' ? BigInt64Array.of(BigInt(number)) : Uint8Array.of(number), exact: true, error: 0 });
