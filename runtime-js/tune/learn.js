// A cost model that learns from what was measured: a line along the compiler's own guess, and small regression trees for
// what that leaves, each fitted to what those before it leave (gradient boosting).

const TREES = 80, DEPTH = 3, RATE = 0.15, FEWEST_IN_LEAF = 3;
/** How many measurements the compiler's guess counts as much as. */
const TRUST = 8;

/** @typedef {(row: number[]) => number} Predictor */

/**
 * @param {number[][]} rows the first figure of each is the guess @param {number[]} targets @returns {Predictor}
 */
export function fit(rows, targets) {
  const slope = slopeOf(rows, targets), line = (/** @type {number[]} */ row) => slope * row[0];
  /** @type {Predictor[]} */
  const trees = [];
  const left = targets.map((target, i) => target - line(rows[i]));
  if (rows.length >= 2 * FEWEST_IN_LEAF) {
    const all = rows.map((_, i) => i), orders = rows[0].map((_, f) => [...all].sort((a, b) => rows[a][f] - rows[b][f]));
    for (let t = 0; t < TREES; ++t) {
      const tree = grow(rows, left, orders, DEPTH);
      rows.forEach((row, i) => left[i] -= RATE * tree(row));
      trees.push(tree);
    }
  }
  return (row) => trees.reduce((sum, tree) => sum + RATE * tree(row), line(row));
}

/** By least squares, towards 1. @param {number[][]} rows @param {number[]} targets */
function slopeOf(rows, targets) {
  const spread = rows.reduce((sum, [guess]) => sum + guess * guess, 0), prior = rows.length ? TRUST * spread / rows.length || 1 : 1;
  return (rows.reduce((sum, [guess], i) => sum + guess * targets[i], 0) + prior) / (spread + prior);
}

/** @param {number[][]} rows @param {number[]} targets @param {number[][]} orders rows of this part, sorted by each figure @param {number} depth @returns {Predictor} */
function grow(rows, targets, orders, depth) {
  const members = orders[0], mean = members.reduce((sum, i) => sum + targets[i], 0) / members.length;
  const split = depth ? bestSplit(rows, targets, orders) : undefined;
  if (!split) return () => mean;
  const { figure, at } = split, isLow = (/** @type {number} */ i) => rows[i][figure] < at;
  const low = grow(rows, targets, orders.map((order) => order.filter(isLow)), depth - 1);
  const high = grow(rows, targets, orders.map((order) => order.filter((i) => !isLow(i))), depth - 1);
  return (row) => row[figure] < at ? low(row) : high(row);
}

/** Where the squares of what is left of each side's mean are least. @param {number[][]} rows @param {number[]} targets @param {number[][]} orders */
function bestSplit(rows, targets, orders) {
  const count = orders[0].length, total = orders[0].reduce((sum, i) => sum + targets[i], 0);
  let best, most = total * total / count + 1e-9;
  for (let figure = 0; figure < orders.length; ++figure) {
    const order = orders[figure];
    for (let n = 1, sum = 0; n < count; ++n) {
      sum += targets[order[n - 1]];
      const before = rows[order[n - 1]][figure], after = rows[order[n]][figure];
      if (before === after || n < FEWEST_IN_LEAF || count - n < FEWEST_IN_LEAF) continue;
      const explained = sum * sum / n + (total - sum) ** 2 / (count - n);
      if (explained <= most) continue;
      most = explained;
      best = { figure, at: (before + after) / 2 };
    }
  }
  return best;
}
