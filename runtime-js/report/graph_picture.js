// The model's graph as a picture, from top to bottom. A node stands one layer below the lowest of those
// it takes its operands from, and within its layer where these are on average; layers are swept down
// and up a few times to untangle them (Sugiyama, Tagawa, Toda 1981, without its dummy nodes: an edge
// over several layers is a curve).

/** @import { Node } from './data.js' */

import { svg } from './dom.js';

const NODE_WIDTH = 132, NODE_HEIGHT = 34, GAP_X = 18, GAP_Y = 26, SWEEPS = 6, MOST_LETTERS = 19;

/** @typedef {{layer: number, x: number}} Place x in columns */

/** @param {Node[]} nodes each after those it comes from, but for cycles, which ONNX has not @returns {Place[]} */
export function layOut(nodes) {
  /** @type {number[]} */
  const layer = [];
  /** @type {number[][]} */
  const layers = [];
  /** @type {number[][]} */
  const users = nodes.map(() => []);
  nodes.forEach(({ from }, i) => {
    layer[i] = Math.max(0, ...from.map((source) => layer[source] + 1));
    (layers[layer[i]] ??= []).push(i);
    for (const source of from) users[source].push(i);
  });
  // An input stands right above its first user, rather than at the top of all.
  nodes.forEach(({ op }, i) => {
    const below = Math.min(...users[i].map((user) => layer[user])) - 1;
    if (op !== 'input' || !(below > layer[i] && below < Infinity)) return;
    layers[layer[i]] = layers[layer[i]].filter((other) => other !== i);
    layers[layer[i] = below].push(i);
  });
  const x = nodes.map(() => 0);
  const spread = (/** @type {number[]} */ row) => {
    row.forEach((node, column) => x[node] = column - (row.length - 1) / 2);
  };
  layers.forEach(spread);
  const sweep = (/** @type {number[]} */ row, /** @type {(node: number) => number[]} */ neighbours) => {
    const wish = new Map(row.map((node) => {
      const others = neighbours(node);
      return [node, others.length ? others.reduce((sum, other) => sum + x[other], 0) / others.length : x[node]];
    }));
    const at = (/** @type {number} */ node) => /** @type {number} */ (wish.get(node));
    row.sort((a, b) => at(a) - at(b));
    // Where they want to be, but a column apart; then the row as a whole where it wants to be.
    let last = -Infinity;
    for (const node of row) last = x[node] = Math.max(at(node), last + 1);
    const shift = row.reduce((sum, node) => sum + at(node) - x[node], 0) / (row.length || 1);
    for (const node of row) x[node] += shift;
  };
  for (let i = 0; i < SWEEPS; ++i) {
    for (const row of layers) sweep(row, (node) => nodes[node].from);
    for (const row of layers.toReversed()) sweep(row, (node) => users[node]);
  }
  return nodes.map((_, i) => ({ layer: layer[i], x: x[i] }));
}

/**
 * @param {Node[]} nodes @param {(index: number) => string} colorOf class of a node
 * @param {(index: number) => void} choose
 */
export function graphPicture(nodes, colorOf, choose) {
  const places = layOut(nodes), columns = places.map(({ x }) => x);
  const least = columns.reduce((a, b) => Math.min(a, b), 0), most = columns.reduce((a, b) => Math.max(a, b), 0);
  const depth = places.reduce((a, { layer }) => Math.max(a, layer), 0);
  const left = (/** @type {number} */ i) => (places[i].x - least) * (NODE_WIDTH + GAP_X) + GAP_X;
  const top = (/** @type {number} */ i) => places[i].layer * (NODE_HEIGHT + GAP_Y) + 8;
  const width = (most - least + 1) * (NODE_WIDTH + GAP_X) + GAP_X, height = (depth + 1) * (NODE_HEIGHT + GAP_Y);
  const edges = nodes.flatMap(({ from }, i) => from.map((source) => {
    const x1 = left(source) + NODE_WIDTH / 2, y1 = top(source) + NODE_HEIGHT, x2 = left(i) + NODE_WIDTH / 2, y2 = top(i);
    const bend = Math.max(GAP_Y / 2, (y2 - y1) / 2);
    return svg('path', { d: `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}`, 'data-from': source, 'data-to': i });
  }));
  const boxes = nodes.map(({ name, op }, i) => svg('g', {
    class: `node ${colorOf(i)}`, tabindex: '0', role: 'button', 'aria-label': `${op} ${name}`, 'data-node': i,
    transform: `translate(${left(i)} ${top(i)})`, click: () => choose(i),
    keydown: (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      event.preventDefault();
      choose(i);
    },
  }, svg('title', {}, `${op} ${name}`), svg('rect', { width: NODE_WIDTH, height: NODE_HEIGHT, rx: 6 }),
  svg('text', { x: 8, y: 14, class: 'op' }, op), svg('text', { x: 8, y: 27 }, shorten(name))));
  return svg('svg', { class: 'graph', width, height, viewBox: `0 0 ${width} ${height}`, role: 'group', 'aria-label': "The model's graph" },
    svg('g', { class: 'edges' }, ...edges), ...boxes);
}

/** The end of a name tells more than its beginning. @param {string} name */
const shorten = (name) => name.length > MOST_LETTERS ? `…${name.slice(1 - MOST_LETTERS)}` : name;
