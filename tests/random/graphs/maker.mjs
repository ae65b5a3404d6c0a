// What operators of random graphs make their operands with.

import { Chance } from './chance.mjs';
import { evaluateNode, leafValue } from './evaluate.mjs';
import { count, fromNumbers, isFloat, madeUp, toNumbers } from './values.mjs';

/** @import { Graph, Leaf, Node, Value } from './evaluate.mjs' */
/** @import { ElementType, Recipe } from './values.mjs' */

/** @type {ElementType[]} */
export const FLOATS = ['f32', 'f16'];
/** @type {ElementType[]} */
export const INTEGERS = ['i32', 'i64', 'u8', 'i8'];
/** @type {ElementType[]} */
export const NUMBERS = [...FLOATS, ...INTEGERS];
/** @type {ElementType[]} */
export const ALL = [...NUMBERS, 'bool'];

/** @param {number} value */
export const float = (value) => ({ float: Math.fround(value) });

/**
 * What an operand must be. Earlier results are taken where they fit, and else a leaf is made.
 *
 * @typedef {object} Wanted
 * @property {readonly ElementType[]} [types] floats if not given
 * @property {number[]} [shape]
 * @property {number | [number, number]} [rank] from 1 to 4 if not given
 * @property {number} [low]
 * @property {number} [high] all elements are between them
 * @property {(shape: number[]) => boolean} [fits]
 * @property {number} [most] elements
 * @property {Recipe} [recipe] of a leaf
 * @property {boolean} [fresh] a leaf it is to be
 */

export class Maker {
  /** @type {Map<string, Value>} */
  values = new Map();
  /** @type {Graph} */
  graph;
  #names = 0;
  /** Draws one node more, if it can. @type {() => Promise<void>} */
  drawNode = async () => {};

  /** @param {Chance} chance */
  constructor(chance) {
    this.c = chance;
    this.opset = chance.of([9, 11, 13, 13, 15, 16, 17, 18, 18, 19, 20, 21, 22, 23, 24]);
    this.graph = { opset: this.opset, leaves: {}, nodes: [], outputs: [] };
    /** What most values have, so that nodes find operands. */
    this.main = chance.is(0.7) ? 'f32' : chance.of(/** @type {ElementType[]} */ (['f16', 'f16', 'i32', 'i64', 'u8', 'i8', 'bool']));
    /** One graph in some has tensors of some thousand elements. */
    this.large = chance.is(0.25);
    this.hasEmpty = chance.is(0.06);
    /** @type {number[]} */
    this.sizes = [];
    /** Whether sizes that operators are told (a shape, bounds, a count) are often inputs or computed. */
    this.sizesAreData = chance.is(0.25);
    /** How many bodies are around what is drawn. */
    this.depth = 0;
  }

  name(prefix = 'v') {
    return `${prefix}${this.#names++}`;
  }

  /** A size, often one that is there already. */
  size() {
    const { c } = this;
    if (this.sizes.length && c.is(0.35)) return c.of(this.sizes);
    const size = this.hasEmpty && c.is(0.15) ? 0 : c.is(0.15) ? 1 : c.is(0.6) ? c.int(2, 5) : c.is(0.7) ? c.int(6, 17) : c.int(18, this.large ? 130 : 40);
    this.sizes.push(size);
    return size;
  }

  /** @param {number | [number, number]} [rank] @param {number} [most] elements */
  shape(rank = [1, 4], most = this.large ? 6000 : 600) {
    const dimensions = typeof rank === 'number' ? rank : this.c.int(...rank), shape = [];
    for (let d = 0; d < dimensions; ++d) shape.push(this.size());
    for (let d = 0; count(shape) > most; d = (d + 1) % dimensions) shape[d] = Math.max(1, shape[d] >> 1);
    return shape;
  }

  /** @param {readonly ElementType[]} types @returns {ElementType} */
  type(types) {
    return types.includes(this.main) && this.c.is(0.85) ? this.main : types.includes('f32') && this.c.is(0.7) ? 'f32' : this.c.of(types);
  }

  /** @param {ElementType} type @param {number[]} shape @param {Recipe} [recipe] @param {Partial<Leaf>} [more] @returns {Value} */
  leaf(type, shape, recipe = {}, more = {}) {
    const constant = more.constant ?? this.c.is(0.25);
    const name = this.name(constant ? 'c' : 'x');
    this.graph.leaves[name] = { ...madeUp(this.c, type, shape, recipe), constant, fixed: false, opens: false, recipe, symbols: shape.map(() => null), inside: this.depth > 0, ...more };
    const value = leafValue(this.graph, name);
    this.values.set(name, value);
    return value;
  }

  /** A leaf whose sizes may be open. @param {ElementType} type @param {number[]} shape @param {Recipe} [recipe] */
  fresh(type, shape, recipe) {
    return this.leaf(type, shape, recipe, { opens: true });
  }

  /** A parameter, which is not moved: a constant, or an input. @param {ElementType} type @param {number[]} shape @param {number[]} numbers @param {boolean} [constant] @param {Recipe} [recipe] of other data */
  fixed(type, shape, numbers, constant = true, recipe) {
    return this.leaf(type, shape, {}, { data: fromNumbers(type, numbers), constant, fixed: true, recipe });
  }
  /** @param {number[]} numbers @param {Recipe} [recipe] what else would do */
  longs(numbers, recipe) {
    if (!this.sizesAreData || this.c.is(0.3)) return this.fixed('i64', [numbers.length], numbers);
    if (!numbers.length || this.c.is()) return this.#sum(this.fixed('i64', [numbers.length], numbers, false, recipe));
    // Some are known.
    const parts = numbers.map((number) => this.fixed('i64', [1], [number], this.c.is(), recipe));
    return this.known('Concat', parts, 'i64', [numbers.length], numbers, { axis: 0 });
  }
  /** The same, or what is computed of it. @param {Value} value */
  #sum(value) {
    return this.c.is() ? value : this.known('Add', [value, this.fixed('i64', [1], [0], false)], 'i64', value.shape, [...toNumbers(value)]);
  }
  /** A node whose result is known. @param {string} op @param {Value[]} inputs @param {ElementType} type @param {number[]} shape @param {number[]} numbers @param {Node['attributes']} [attributes] @returns {Value} */
  known(op, inputs, type, shape, numbers, attributes = {}) {
    const name = this.name(), value = { name, type, shape, data: fromNumbers(type, numbers), exact: true, error: 0 };
    this.graph.nodes.push({ op, domain: '', attributes, inputs: inputs.map((input) => input.name), outputs: [name], exact: true, slack: 0 });
    this.values.set(name, value);
    return value;
  }
  /** A node of its own, of an operator that is exact if nothing else is said. @param {string} op @param {Value[]} inputs @param {Node['attributes']} [attributes] @param {Partial<Node>} [more] @returns {Promise<Value>} */
  async add(op, inputs, attributes = {}, more = {}) {
    return (await this.addAll(op, inputs, 1, attributes, more))[0];
  }
  /** The same of so many results. @param {string} op @param {Value[]} inputs @param {number} results @param {Node['attributes']} [attributes] @param {Partial<Node>} [more] @returns {Promise<Value[]>} */
  async addAll(op, inputs, results, attributes = {}, more = {}) {
    /** @type {Node} */
    const node = { op, domain: '', attributes, inputs: inputs.map(({ name }) => name), outputs: Array.from({ length: results }, () => this.name()), exact: true, slack: 0, ...more };
    const values = await evaluateNode(node, this.opset, this.values, this.graph.leaves);
    for (const value of values) this.values.set(value.name, value);
    this.graph.nodes.push(node);
    return values;
  }
  /** An integer tensor that the model computes of x's shape, in a node of its own. @param {'Shape' | 'Size'} op @param {Value} x */
  ofShape(op, x) {
    return op === 'Shape' ? this.known(op, [x], 'i64', [x.shape.length], x.shape) : this.known(op, [x], 'i64', [], [count(x.shape)]);
  }
  /** @param {number} number @param {ElementType} [type] */
  scalar(number, type = 'i64') {
    return this.fixed(type, [], [number]);
  }
  /** A scalar that may be an input. @param {number} number @param {ElementType} [type] @param {Recipe} [recipe] */
  scalarOrInput(number, type = 'i64', recipe) {
    return this.fixed(type, [], [number], !this.sizesAreData || this.c.is(), recipe);
  }

  /** @param {Value} value @param {Wanted} wanted */
  #fits({ type, shape, data }, { types = FLOATS, shape: asked, rank = [0, 5], low = -Infinity, high = Infinity, fits, most = Infinity }) {
    if (!types.includes(type) || count(shape) > most) return false;
    if (asked ? asked.join() !== shape.join() : typeof rank === 'number' ? shape.length !== rank : shape.length < rank[0] || shape.length > rank[1]) return false;
    if (fits && !fits(shape)) return false;
    return (low === -Infinity && high === Infinity) || toNumbers({ type, shape, data }).every((number) => number >= low && number <= high);
  }

  /** @param {Wanted} [wanted] @returns {Value} */
  value(wanted = {}) {
    const { c } = this, { types = FLOATS, fresh = false, low, high } = wanted;
    const found = fresh || c.is(0.15) ? [] : [...this.values.values()].filter((value) => !this.graph.leaves[value.name]?.fixed && this.#fits(value, wanted));
    const results = found.filter(({ name }) => !this.graph.leaves[name]);
    if (results.length && c.is(0.85)) return results.length > 1 && c.is(0.4) ? c.of(results) : /** @type {Value} */ (results.at(-1));
    if (found.length && c.is(0.4)) return c.of(found);
    const type = this.type(types);
    let shape = wanted.shape ?? this.shape(wanted.rank, wanted.most);
    for (let tries = 0; wanted.fits && !wanted.fits(shape); ++tries) {
      if (tries === 50) throw new Error('no shape fits');
      shape = this.shape(wanted.rank, wanted.most);
    }
    const whole = wanted.recipe ?? {
      ...low !== undefined && { low }, ...high !== undefined && { high },
      // Sums of small integers are exact in any order, and have ties.
      ...isFloat(type) && low === undefined && c.is(0.15) && { whole: true, low: -3, high: 3 },
    };
    return this.fresh(type, shape, whole);
  }

  /** A shape that broadcasts to or with another one. @param {number[]} shape */
  broadcastable(shape) {
    const { c } = this;
    if (c.is(0.35)) return [...shape];
    const cut = c.is(0.4) ? c.int(0, shape.length) : 0;
    return shape.slice(cut).map((size) => c.is(0.3) ? 1 : size);
  }

  /** Of the same type as another one, and of a shape that broadcasts with it. @param {Value} x @param {Recipe} [recipe] @param {boolean} [grows] whether it may be larger */
  partner(x, recipe, grows = true) {
    const { c } = this, types = [x.type];
    if (!recipe && c.is(0.15)) return x;
    const same = { types, shape: x.shape, ...recipe && { recipe, fresh: true } };
    if (c.is(0.4)) return this.value(same);
    const shape = this.broadcastable(x.shape);
    if (grows && c.is(0.3)) {
      for (const [d, size] of shape.entries())
        if (size === 1 && x.shape[x.shape.length - shape.length + d] === 1 && count(x.shape) < 500) shape[d] = c.int(1, 5);
      if (c.is(0.3) && count(x.shape) < 500 && x.shape.length < 4 && shape.length === x.shape.length) shape.unshift(c.int(1, 4));
    }
    return this.value({ ...same, shape });
  }

  /** An axis, sometimes counted from the end. @param {number} rank @param {number} [axis] */
  axis(rank, axis = this.c.int(0, rank - 1)) {
    return this.c.is(0.4) ? axis - rank : axis;
  }
}
