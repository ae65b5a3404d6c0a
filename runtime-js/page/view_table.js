// Any output as a table, a page at a time.

/** @import { Result, Run } from './kinds.js' */

import { field, make } from './dom.js';
import { indicesOf, short } from './values.js';

const ROWS = 16, COLUMNS = 8;

export class TableView {
  body = make('div');
  #table = make('table');
  #place = make('span', { className: 'soft' });
  #steps = make('p', { className: 'steps' });
  #jump = make('input', { placeholder: 'such as 12, 0', autocomplete: 'off', spellcheck: false });
  #problem = make('span', { className: 'bad' });
  #firstRow = 0; #firstColumn = 0;
  /** @type {number | undefined} */
  #marked;
  /** @type {Result | undefined} */
  #result;

  constructor() {
    this.#jump.onchange = () => this.#goTo(this.#jump.value);
    const scroll = make('div', { className: 'scroll', tabIndex: 0 }, this.#table);
    scroll.setAttribute('role', 'group');
    scroll.ariaLabel = 'values';
    this.settings = [field('Go to index', this.#jump)];
    const step = (/** @type {string} */ text, /** @type {string} */ label, /** @type {number} */ rows, /** @type {number} */ columns) =>
      make('button', { className: 'quiet', type: 'button', ariaLabel: label, onclick: () => this.#step(rows, columns) }, text);
    this.#steps.append(step('▲', 'rows before', -ROWS, 0), step('▼', 'more rows', ROWS, 0), step('◀', 'columns before', 0, -COLUMNS), step('▶', 'more columns', 0, COLUMNS), this.#place, this.#problem);
    this.body.append(scroll, this.#steps);
  }

  /** @param {Result} result @param {Run} _run */
  show(result, _run) {
    this.#result = result;
    this.#step(0, 0);
  }

  get #sizes() {
    const { shape, data } = /** @type {Result} */ (this.#result).tensor, columns = shape.at(-1) ?? 1;
    return { shape, columns, rows: columns ? data.length / columns : 0, isLabelled: shape.length > 1 };
  }

  /** @param {number} rows @param {number} columns */
  #step(rows, columns) {
    if (!this.#result) return;
    const sizes = this.#sizes;
    if (this.#firstRow + rows < sizes.rows) this.#firstRow = Math.max(0, this.#firstRow + rows);
    if (this.#firstColumn + columns < sizes.columns) this.#firstColumn = Math.max(0, this.#firstColumn + columns);
    // Another run may have other sizes.
    if (this.#firstRow >= sizes.rows) this.#firstRow = 0;
    if (this.#firstColumn >= sizes.columns) this.#firstColumn = 0;
    this.#fill();
  }

  /** @param {string} text indices, one a dimension, or the place in the whole */
  #goTo(text) {
    if (!this.#result) return;
    const { shape, columns } = this.#sizes, count = this.#result.tensor.data.length, indices = (text.match(/-?\d+/g) ?? []).map(Number);
    this.#marked = undefined;
    this.#problem.textContent = '';
    if (indices.length && !(indices.length === shape.length && indices.every((index, d) => index >= 0 && index < shape[d])) && !(indices.length === 1 && indices[0] >= 0 && indices[0] < count)) {
      this.#problem.textContent = `There is no element ${indices.join(', ')} in [${shape.join(', ')}].`;
    } else if (indices.length) {
      const at = indices.length === 1 ? indices[0] : indices.reduce((at, index, d) => at * shape[d] + index, 0), row = Math.floor(at / columns);
      [this.#firstRow, this.#firstColumn, this.#marked] = [row - row % ROWS, at % columns - at % columns % COLUMNS, at];
    }
    this.#fill();
  }

  #fill() {
    const { tensor: { data, dataType }, port } = /** @type {Result} */ (this.#result), { shape, columns, rows, isLabelled } = this.#sizes;
    const lastRow = Math.min(rows, this.#firstRow + ROWS), lastColumn = Math.min(columns, this.#firstColumn + COLUMNS), isFloat = dataType[0] === 'f';
    const numbers = /** @type {Result} */ (this.#result).numbers, names = port.labels?.length === columns ? port.labels : undefined;
    const range = (/** @type {number} */ from, /** @type {number} */ end) => Array.from({ length: end - from }, (_, i) => from + i);
    const shown = range(this.#firstColumn, lastColumn), head = make('tr', {}, ...isLabelled ? [make('th')] : [], ...shown.map((c) => make('th', { scope: 'col' }, names?.[c] ?? String(c))));
    const lines = range(this.#firstRow, lastRow).map((r) => make('tr', {},
      ...isLabelled ? [make('th', { scope: 'row' }, indicesOf(r, shape.slice(0, -1)).join(', '))] : [],
      ...shown.map((c) => {
        const at = r * columns + c, cell = make('td', {}, isFloat ? short(numbers[at]) : String(/** @type {ArrayLike<unknown>} */ (data)[at]));
        if (isFloat) cell.title = String(numbers[at]);
        cell.classList.toggle('marked', at === this.#marked);
        return cell;
      })));
    this.#table.replaceChildren(make('thead', {}, head), make('tbody', {}, ...lines));
    const isWhole = rows <= ROWS && columns <= COLUMNS;
    this.#steps.hidden = isWhole && !this.#problem.textContent;
    for (const [i, button] of [...this.#steps.querySelectorAll('button')].entries()) button.hidden = i < 2 ? rows <= ROWS : columns <= COLUMNS;
    this.#place.textContent = isWhole ? '' : [
      ...rows > 1 ? [`rows ${this.#firstRow} to ${lastRow - 1} of ${rows}`] : [], `columns ${this.#firstColumn} to ${lastColumn - 1} of ${columns}`,
    ].join(', ');
    /** @type {HTMLElement} */ (this.settings[0]).hidden = isWhole;
  }
}
