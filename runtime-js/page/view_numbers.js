// Numbers that mean something only together: a scalar, a vector, a curve.

/** @import { Result, Run } from './kinds.js' */

import { draw, field, make, numberField } from './dom.js';
import { rowsOf } from './kinds.js';
import { indicesOf, pacer, short, summarize } from './values.js';

const WIDTH = 600, HEIGHT = 180;

export class ScalarView {
  /** @type {HTMLElement[]} */
  settings = [];
  body = make('p', { className: 'scalar' });

  /** @param {Result} result @param {Run} _run */
  show({ tensor: { data, dataType } }, _run) {
    const value = /** @type {ArrayLike<unknown>} */ (data)[0];
    this.body.textContent = dataType === 'bool' ? (value ? 'true' : 'false') : String(value);
  }
}

/** A row of an output, drawn. */
class RowView {
  /** Whether values are bars from zero. */
  isFilled = true;
  body = make('div');
  #row; #rowField;
  #chart = draw('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: 'chart', preserveAspectRatio: 'none', role: 'img' });
  #ends = make('p', { className: 'soft ends' }, make('span'), make('span'));
  #note = make('p', { className: 'soft' });

  /** @param {() => void} changed */
  constructor(changed) {
    this.#row = numberField({ value: 0 }, changed);
    this.#rowField = field('Row', this.#row);
    this.settings = [this.#rowField];
    this.body.append(this.#chart, this.#ends, this.#note);
  }

  /** @param {Result} result @param {Run} _run */
  async show({ tensor, numbers }, _run) {
    const { columns, rows, shape } = rowsOf(tensor.shape);
    this.#row.max = String(rows - 1);
    this.#rowField.hidden = rows === 1;
    const row = Math.min(rows - 1, Math.max(0, this.#row.valueAsNumber || 0)), start = row * columns;
    const told = await statisticsOf(numbers, start, columns);
    this.#chart.replaceChildren(...this.#lines(await bucketsOf(numbers, start, columns), told));
    this.#chart.setAttribute('aria-label', `${columns} values from ${short(told.least)} to ${short(told.most)}`);
    this.#ends.children[0].textContent = '0';
    this.#ends.children[1].textContent = String(columns - 1);
    this.#note.textContent = `${rows > 1 ? `Row [${indicesOf(row, shape).join(', ')}] of ${rows}: ` : ''}${columns} values from ${short(told.least)} to ${short(told.most)}, `
      + `mean ${short(told.mean)}, length ${short(told.length)}.`;
  }

  /** @param {Bucket[]} buckets @param {{least: number, most: number}} range @returns {Element[]} */
  #lines(buckets, { least, most }) {
    const low = Math.min(0, least), high = Math.max(0, most), y = (/** @type {number} */ value) => HEIGHT * (1 - (value - low) / (high - low || 1));
    return [
      draw('line', { x1: 0, x2: WIDTH, y1: y(0), y2: y(0), class: 'zero' }),
      draw('path', { d: pathOf(buckets, y, this.isFilled), class: this.isFilled ? 'filled' : 'curve' }),
    ];
  }

}

export class VectorView extends RowView {
  isFilled = true;
}

export class LineView extends RowView {
  isFilled = false;
}

/** @param {ArrayLike<number>} numbers @param {number} start @param {number} count */
async function statisticsOf(numbers, start, count) {
  const { least, most, sum, squares, odd } = await summarize(numbers, start, count), finite = count - odd;
  return { least: finite ? least : 0, most: finite ? most : 0, mean: sum / (finite || 1), length: Math.sqrt(squares) };
}

/** @typedef {{ least: number, most: number } | undefined} Bucket what a column of the chart holds; nothing of what is no number */

/** @param {ArrayLike<number>} numbers @param {number} start @param {number} count */
async function bucketsOf(numbers, start, count) {
  const length = Math.min(count, WIDTH), pace = pacer();
  /** @type {Bucket[]} */
  const buckets = [];
  for (let b = 0; b < length; ++b) {
    let least = Infinity, most = -Infinity;
    for (let i = Math.floor(b * count / length); i < Math.floor((b + 1) * count / length); ++i) {
      const value = numbers[start + i];
      if (value < least) least = value;
      if (value > most) most = value;
    }
    buckets.push(Number.isFinite(least) && Number.isFinite(most) ? { least, most } : undefined);
    await pace();
  }
  return buckets;
}

/** @param {Bucket[]} buckets @param {(value: number) => number} y @param {boolean} isFilled */
function pathOf(buckets, y, isFilled) {
  const width = WIDTH / buckets.length, round = (/** @type {number} */ value) => value.toFixed(1);
  let path = '', isDown = false;
  buckets.forEach((bucket, b) => {
    const x = b * width;
    if (!bucket) isDown = false;
    else if (isFilled) {
      const [top, bottom] = [y(Math.max(0, bucket.most)), y(Math.min(0, bucket.least))], gap = width > 4 ? width * 0.15 : 0;
      path += `M${round(x + gap)} ${round(top)}H${round(x + width - gap)}V${round(bottom)}H${round(x + gap)}Z`;
    } else {
      path += `${isDown ? 'L' : 'M'}${round(x + width / 2)} ${round(y(bucket.most))}`;
      if (bucket.least !== bucket.most) path += `V${round(y(bucket.least))}`;
      isDown = true;
    }
  });
  return path;
}
