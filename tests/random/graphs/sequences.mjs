// Sequences and optionals: what makes one, changes it and reads it is drawn together, up to results that are tensors.

import { ALL } from './maker.mjs';
import { NotTaken } from './not_taken.mjs';
import { TYPES } from '../../onnx_model.mjs';

/** @import { Made, Operator } from './elementwise.mjs' */
/** @import { Node, Value } from './evaluate.mjs' */
/** @import { Maker } from './maker.mjs' */

class Sequence {
  /** @type {Node[]} */
  nodes = [];
  /** @type {Set<Value>} */
  operands = new Set();
  /** What is known of its elements; all but their sizes along the axis that they were split along. @type {Value[]} */
  elements = [];
  name = '';

  /** @param {Maker} m */
  constructor(m) {
    this.m = m;
  }

  /** @param {string} op @param {(Value | string)[]} inputs @param {Node['attributes']} [attributes] @returns {string} the result's name */
  node(op, inputs, attributes = {}) {
    const name = this.m.name();
    for (const input of inputs) if (typeof input !== 'string') this.operands.add(input);
    this.nodes.push({ op, domain: '', attributes, inputs: inputs.map((input) => typeof input === 'string' ? input : input.name), outputs: [name], exact: true, slack: 0 });
    return name;
  }

  /** A place in it. @param {number} end the last one @param {boolean} [isData] */
  place(end, isData = false) {
    const { c } = this.m, at = c.int(0, end), length = this.elements.length;
    const recipe = { low: -length, high: end };
    return this.m.fixed('i64', [], [c.is(0.3) && length ? at - length : at].map((place) => Math.max(place, -length)), !isData || c.is(), recipe);
  }

  construct() {
    const { m } = this, { c } = m, first = m.value({ types: ALL, rank: [1, 3], most: 200 }), axis = c.int(0, first.shape.length - 1);
    const alike = () => m.value({ types: [first.type], shape: c.is(0.6) ? first.shape : first.shape.map((size, d) => d === axis ? c.int(1, 4) : size) });
    this.elements = [first, ...Array.from({ length: c.int(0, 3) }, alike)];
    this.name = this.node('SequenceConstruct', this.elements);
  }
  empty() {
    const { m } = this, first = m.value({ types: ALL, rank: [1, 3], most: 200 });
    this.name = this.node('SequenceInsert', [this.node('SequenceEmpty', [], { dtype: TYPES[first.type] }), first]);
    this.elements = [first];
  }
  split() {
    const { m } = this, { c } = m, x = m.value({ types: ['f32', 'i32', 'i64', 'bool'], rank: [1, 3], most: 200, fits: (shape) => shape.every((size) => size > 0) }), axis = c.int(0, x.shape.length - 1), size = x.shape[axis];
    const each = c.int(1, size), parts = Math.ceil(size / each), attributes = { axis: m.axis(x.shape.length, axis) };
    if (parts > 8) throw new NotTaken('it has many parts');
    const keepdims = c.is(0.3) ? 0 : 1;
    if (c.is(0.3) && size <= 8) {
      const shape = x.shape.filter((_, d) => d !== axis || keepdims).map((own, d) => d === axis && keepdims ? 1 : own);
      this.elements = Array.from({ length: size }, () => ({ ...x, shape }));
      this.name = this.node('SplitToSequence', [x], { ...attributes, keepdims });
      return;
    }
    const sizes = Array.from({ length: parts }, (_, i) => i < parts - 1 ? each : size - each * (parts - 1));
    this.elements = sizes.map((own) => ({ ...x, shape: x.shape.map((other, d) => d === axis ? own : other) }));
    this.name = this.node('SplitToSequence', [x, c.is() ? m.scalar(each) : m.fixed('i64', [parts], sizes)], attributes);
  }
  insert() {
    const { m } = this, { type, shape } = m.c.of(this.elements), added = m.value({ types: [type], shape }), last = m.c.is(0.4), end = this.elements.length;
    this.name = this.node('SequenceInsert', [this.name, added, ...last ? [] : [this.place(end)]]);
    this.elements = [...this.elements, added];
  }
  erase() {
    if (this.elements.length < 2) return this.insert();
    this.name = this.node('SequenceErase', [this.name, ...this.m.c.is(0.4) ? [] : [this.place(this.elements.length - 1)]]);
    this.elements = this.elements.slice(1);
  }
  at() {
    return this.node('SequenceAt', [this.name, this.place(this.elements.length - 1, this.m.sizesAreData)]);
  }
  length() {
    return this.node('SequenceLength', [this.name]);
  }
  concat() {
    const rank = this.elements[0].shape.length, isNew = this.m.c.is(0.3);
    return this.node('ConcatFromSequence', [this.name], { axis: this.m.axis(isNew ? rank + 1 : rank), ...isNew && { new_axis: 1 } });
  }

  /** @param {string[]} results @returns {Made} */
  made(results) {
    return { inputs: [...this.operands], group: this.nodes, results };
  }
}

/** @typedef {'construct' | 'split' | 'empty'} Start */
/** @typedef {'insert' | 'erase'} Change */
/** @typedef {'at' | 'length' | 'concat'} Read */

/** @param {{ start?: Start, change?: Change, read?: Read }} has @returns {Operator} */
const sequence = ({ start, change, read }) => ({
  since: 11, exact: true,
  make(m) {
    const { c } = m, made = new Sequence(m);
    made[start ?? c.of(/** @type {Start[]} */ (['construct', 'split', 'empty']))]();
    for (const one of [...change ? [change] : [], ...Array.from({ length: c.int(0, 2) }, () => c.of(/** @type {Change[]} */ (['insert', 'insert', 'erase'])))]) made[one]();
    const reads = new Set([read ?? c.of(/** @type {Read[]} */ (['at', 'at', 'concat', 'length'])), ...c.is(0.3) ? [c.of(/** @type {Read[]} */ (['at', 'length']))] : []]);
    return made.made([...reads].map((one) => made[one]()));
  },
});

/** @param {'OptionalHasElement' | 'OptionalGetElement'} [read] @returns {Operator} */
const optional = (read) => ({
  since: 15, exact: true,
  make(m) {
    const made = new Sequence(m), x = m.value({ types: ALL }), some = m.opset >= 18 && m.c.is(0.2) && read ? x : made.node('Optional', [x]);
    return made.made([made.node(read ?? 'OptionalGetElement', [some])]);
  },
});

/** @type {Record<string, Operator>} */
export const SEQUENCES = {
  SequenceConstruct: sequence({ start: 'construct' }),
  SequenceEmpty: sequence({ start: 'empty' }),
  SplitToSequence: sequence({ start: 'split' }),
  SequenceInsert: sequence({ change: 'insert' }),
  SequenceErase: sequence({ change: 'erase' }),
  SequenceAt: sequence({ read: 'at' }),
  SequenceLength: sequence({ read: 'length' }),
  ConcatFromSequence: sequence({ read: 'concat' }),
  Optional: optional(),
  OptionalHasElement: optional('OptionalHasElement'),
  OptionalGetElement: optional('OptionalGetElement'),
};
