// Scores of classes: the best of a row.

/** @import { Result, Run } from './kinds.js' */

import { bar, choice, field, make, numberField } from './dom.js';
import { rowsOf } from './kinds.js';
import { indicesOf, largest, short } from './values.js';

const COUNTS = { 5: '5', 10: '10', 25: '25', 100: '100' };
const MEANINGS = { given: 'as they are', softmax: 'softmax', sigmoid: 'sigmoid' };
const NEAR = 0.01;

export class ClassesView {
  body = make('div');
  #list = make('ol');
  #note = make('p', { className: 'soft' });
  #row; #count; #meaning; #rowField; #meaningField;
  #isBegun = false;

  /** @param {() => void} changed */
  constructor(changed) {
    this.#row = numberField({ value: 0 }, changed);
    this.#count = choice(COUNTS, '5', changed);
    this.#meaning = choice(MEANINGS, 'given', changed);
    this.#rowField = field('Row', this.#row);
    this.#meaningField = field('Values', this.#meaning);
    this.settings = [this.#meaningField, field('Show', this.#count), this.#rowField];
    this.body.append(this.#list, this.#note);
  }

  /** @param {Result} result @param {Run} _run */
  show({ port, tensor, numbers }, _run) {
    const { columns, rows, shape } = rowsOf(tensor.shape), isSequence = tensor.shape.length > 2 && rows > 1;
    if (!this.#isBegun && isSequence) this.#row.value = String(rows - 1);
    this.#row.max = String(rows - 1);
    const row = Math.min(rows - 1, Math.max(0, this.#row.valueAsNumber || 0)), start = row * columns;
    const kind = meaningOf(numbers, start, columns), labels = port.labels ?? port.classes, names = labels?.length === columns ? labels : undefined;
    if (!this.#isBegun && kind.isLogits && (names || kind.isLogarithm || /logit/i.test(port.name))) this.#meaning.value = 'softmax';
    this.#isBegun = true;
    this.#rowField.hidden = rows === 1;
    this.#meaningField.hidden = kind.areChances;
    const meaning = kind.areChances ? 'given' : this.#meaning.value, squash = squasherOf(meaning, numbers, start, columns);
    const order = largest(numbers, start, columns, Number(this.#count.value)), inPercent = kind.areChances || meaning !== 'given';
    const least = inPercent ? 0 : kind.least, most = inPercent ? 1 : kind.most;
    this.#list.replaceChildren(...order.map((index) => {
      const score = squash(numbers[start + index]), told = inPercent ? `${(100 * score).toFixed(1)} %` : short(score);
      return bar(names?.[index] ?? `class ${index}`, told, most > least ? (score - least) / (most - least) : 1);
    }));
    this.#note.textContent = [
      rows > 1 ? `Row [${indicesOf(row, shape).join(', ')}] of ${rows}.` : '',
      kind.isLogits && meaning === 'given' ? 'These values are no probabilities. If they are logits, a softmax makes them such.' : '',
      labels && !names ? `The ${labels.length} labels do not fit ${columns} classes.` : '',
    ].filter(Boolean).join(' ');
    this.#note.hidden = !this.#note.textContent;
  }
}

/** @param {ArrayLike<number>} numbers @param {number} start @param {number} length */
function meaningOf(numbers, start, length) {
  let least = Infinity, most = -Infinity, sum = 0, powers = 0;
  for (let i = start; i < start + length; ++i) {
    least = Math.min(least, numbers[i]);
    most = Math.max(most, numbers[i]);
    sum += numbers[i];
    powers += Math.exp(numbers[i]);
  }
  const areChances = least >= 0 && Math.abs(sum - 1) < NEAR;
  return { least, most, areChances, isLogits: least < 0 || most > 1, isLogarithm: most <= 0 && Math.abs(powers - 1) < NEAR };
}

/** @param {string} meaning @param {ArrayLike<number>} numbers @param {number} start @param {number} length @returns {(value: number) => number} */
function squasherOf(meaning, numbers, start, length) {
  if (meaning === 'given') return (value) => value;
  if (meaning === 'sigmoid') return (value) => 1 / (1 + Math.exp(-value));
  let most = -Infinity, sum = 0;
  for (let i = start; i < start + length; ++i) if (numbers[i] > most) most = numbers[i];
  for (let i = start; i < start + length; ++i) if (!Number.isNaN(numbers[i])) sum += Math.exp(numbers[i] - most);
  return (value) => Math.exp(value - most) / sum;
}
