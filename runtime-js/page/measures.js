// Times of kernels and of backends, as charts.

/** @import * as Api from '../model.js' */

import { bar, byId, make } from './dom.js';
import { indicesOf, largestDifference, numbersIn, short, summarize } from './values.js';

const MOST_KERNELS = 12;
/** @type {Record<Api.Profile['clock'], string>} */
const CLOCKS = { gpu: "by the GPU's clock, which browsers may round to 0.1 ms", wall: 'by the time that passed here' };

export const BACKENDS = { webgpu: 'GPU (WebGPU)', wasm: 'CPU (WebAssembly)' };

/** @param {number} ms */
export const milliseconds = (ms) => `${Number(ms.toPrecision(3))} ms`;

/** Shows which kernels take longest. @param {Api.Profile} profile */
export function showProfile({ kernels, total, clock }) {
  const most = kernels[0]?.ms || 1, rest = kernels.slice(MOST_KERNELS), left = rest.reduce((sum, { ms }) => sum + ms, 0);
  byId('kernels').replaceChildren(
    ...kernels.slice(0, MOST_KERNELS).map(({ kernel, ms, calls }) => bar(calls > 1 ? `${kernel}, ${calls} times` : kernel, timeOf(ms, total), ms / most)),
    ...rest.length ? [bar(`${rest.length} more`, timeOf(left, total), left / most)] : []);
  byId('clock').textContent = `${milliseconds(total)} altogether, ${CLOCKS[clock]}.`;
  byId('profile').hidden = false;
}

/** @param {number} ms @param {number} total */
const timeOf = (ms, total) => `${milliseconds(ms)}, ${(100 * ms / (total || 1)).toFixed(0)} %`;

/**
 * Shows how far the results and times of two backends are apart.
 *
 * @param {{ backend: 'webgpu' | 'wasm', ms: number, outputs: Record<string, Api.Tensor> }[]} runs
 */
export async function showComparison(runs) {
  const [here, there] = runs, slowest = Math.max(here.ms, there.ms), rows = [];
  let most = 0;
  for (const [name, tensor] of Object.entries(here.outputs)) {
    const a = await numbersIn(tensor), b = await numbersIn(there.outputs[name]), difference = await largestDifference(a, b), { least, most: top } = await summarize(a);
    const size = Math.max(Math.abs(least), Math.abs(top)), part = difference.most === 0 ? 0 : Number.isFinite(size) && size > 0 ? difference.most / size : Infinity;
    most = Math.max(most, part);
    rows.push([name, short(difference.most), difference.most ? `[${indicesOf(difference.at, tensor.shape).join(', ')}]` : '', short(part)]);
  }
  const heads = ['output', 'largest difference', 'at', 'of the largest value'];
  byId('comparison').replaceChildren(
    make('ol', {}, ...runs.map(({ backend, ms }) => bar(BACKENDS[backend], milliseconds(ms), ms / (slowest || 1)))),
    make('p', {}, most === 0 ? 'Both give the same.' : `Both agree to ${short(most)} of the largest value.`),
    make('div', { className: 'scroll' }, make('table', {},
      make('thead', {}, make('tr', {}, ...heads.map((text) => make('th', { scope: 'col' }, text)))),
      make('tbody', {}, ...rows.map(([name, ...cells]) => make('tr', {}, make('th', { scope: 'row' }, name), ...cells.map((text) => make('td', {}, text))))))));
  byId('comparison').hidden = false;
}
