// Tables that can be sorted by a click on a heading.

/** @import { Child } from './dom.js' */

import { html } from './dom.js';

/**
 * A column: its title, what a cell shows, and what it is sorted by (numbers stand at the right).
 *
 * @template Row
 * @typedef {{title: string, cell: (row: Row) => Child, key?: (row: Row) => number | string}} Column
 */

/**
 * @template Row
 * @param {Column<Row>[]} columns @param {Row[]} rows
 * @param {(row: Row) => Record<string, any>} [attributes] of a row
 */
export function table(columns, rows, attributes = () => ({})) {
  const isNumber = columns.map(({ key }) => rows.length > 0 && key !== undefined && typeof key(rows[0]) === 'number');
  const body = html('tbody', {}, ...rows.map((row) => html('tr', attributes(row), ...columns.map(({ cell }, c) =>
    html('td', isNumber[c] ? { class: 'n' } : {}, cell(row))))));
  const lines = [...body.children];
  /** @type {HTMLElement[]} */
  const headings = columns.map(({ title, key }, c) => {
    const sort = key && rows.length > 1 && html('button', { type: 'button', title: `sort by ${title}`, click: () => sortBy(c) }, title);
    return html('th', { scope: 'col', class: isNumber[c] && 'n' }, sort || title);
  });
  /** @param {number} c */
  function sortBy(c) {
    const key = /** @type {(row: Row) => any} */ (columns[c].key);
    const falls = headings[c].ariaSort !== 'descending' && (isNumber[c] || headings[c].ariaSort === 'ascending');
    headings.forEach((heading, i) => heading.ariaSort = i !== c ? null : falls ? 'descending' : 'ascending');
    const order = rows.map((row, i) => ({ value: key(row), line: lines[i] }));
    order.sort((a, b) => (a.value < b.value ? -1 : a.value > b.value ? 1 : 0) * (falls ? -1 : 1));
    body.replaceChildren(...order.map(({ line }) => line));
  }
  return html('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': columns[0].title },
    html('table', {}, html('thead', {}, html('tr', {}, ...headings)), body));
}
