// What the compiler writes into report.html, as docs/bundle.md describes it.

/**
 * @typedef {{name: string, type: string, bytes: number, image: boolean}} Port
 * @typedef {{name: string, bytes: number, gzipBytes?: number}} File
 * @typedef {{id: number, name: string, type: string, bytes: number, offset: number, packedFrom?: string}} Weight
 * @typedef {{name: string, kind: string, bytes: number, offset: number, first: number, last: number}} Buffer
 * @typedef {{name: string, results: string[], codeBytes: number, multiplyAdds: number, schedule: string}} Kernel
 * @typedef {{kernel: number, nodes: string[], bytes: number, weights: number[]}} Step
 * @typedef {object} Program
 * @property {'webgpu' | 'wasm'} kind
 * @property {boolean} [half]
 * @property {string[]} [features]
 * @property {Record<string, number>} [limits]
 * @property {number} dispatches
 * @property {number} nodes
 * @property {number} multiplyAdds
 * @property {{bytes: number, least: number, buffers: Buffer[]}} memory
 * @property {Kernel[]} kernels
 * @property {Step[]} steps
 *
 * @typedef {{name: string, op: string, from: number[]}} Node
 * @typedef {object} Summary what builds are compared by
 * @property {string} webnnc
 * @property {string} build
 * @property {number} parameters
 * @property {File[]} files
 * @property {{kind: string, half: boolean, dispatches: number, memory: number, multiplyAdds: number, kernels: Record<string, number>}[]} programs
 *
 * @typedef {{clock: 'gpu' | 'wall', total: number, steps: {kernel: string, ms: number}[]}} Profile as model.profile gives it
 *
 * @typedef {object} Build
 * @property {string} webnnc
 * @property {string} build
 * @property {string} name
 * @property {string} command
 * @property {{file: string, bytes: number, sha256: string, producer: string, graph: string, opsets: Record<string, number>, parameters: number}} model
 * @property {Record<string, number>} sizes
 * @property {Port[]} inputs
 * @property {Port[]} outputs
 * @property {string[]} assumptions
 * @property {{storage?: string, precision?: {type: string, values: number, kept: {reason: string, values: number}[]}, bytesBefore: number,
 *   bytesAfter: number, inputs: number, madeUp: boolean, errors: {output: string, error: number | null}[]}} [quantization]
 * @property {File[]} files
 * @property {Weight[]} weights
 * @property {Program[]} programs
 * @property {Node[]} nodes
 * @property {Summary} [previous]
 * @property {Profile} [profile]
 * @property {string} [model_name] of several models, the one that is drawn
 * @property {string[]} [model_names] and all of them
 *
 * @typedef {Omit<Build, 'previous'> & {models?: Build[], previous?: Summary & {models?: (Summary & {name: string})[]}}} Data as it is in the
 *   report: of several models, what each has by itself is in `models`
 */

/** What is drawn: of several models one, with what they share. @param {Data} data @param {string | null} [name] @returns {Build} */
export function modelIn({ models, previous, ...shared }, name) {
  if (!models) return { ...shared, previous };
  const model = models.find((each) => each.name === name) ?? models[0];
  const before = previous?.models?.find((each) => each.name === model.name);
  const read = new Set(model.programs.flatMap(({ steps }) => steps.flatMap(({ weights }) => weights)));
  return {
    ...shared, ...model, name: shared.name, model_name: model.name, model_names: models.map((each) => each.name),
    weights: shared.weights.filter(({ id }) => read.has(id)),
    previous: before && previous && { ...previous, ...before },
  };
}

/** The one that the address names, as `?model=decoder`. @returns {Build} */
export const readBuild = () => modelIn(JSON.parse(document.getElementById('build')?.textContent ?? ''), new URLSearchParams(location.search).get('model'));

/** @param {Program} program */
export const titleOf = ({ kind, half }) => (kind === 'wasm' ? 'CPU (wasm)' : 'GPU (WebGPU)') + (half ? ', half precision' : '');

/** The bytes of a file as it travels. @param {File} file */
export const sent = ({ bytes, gzipBytes }) => Math.min(bytes, gzipBytes ?? bytes);

/** @param {File[]} files @param {string} name */
export const fileNamed = (files, name) => files.find((file) => file.name === name);

/** What a page downloads: model.js, one module, on WebGPU one file of shaders, and the weights. @param {File[]} files */
export function downloadOf(files) {
  const mostOf = (/** @type {RegExp} */ names) => Math.max(0, ...files.filter(({ name }) => names.test(name)).map(sent));
  const others = ['model.js', 'model.weights.bin'].map((name) => fileNamed(files, name));
  const code = mostOf(/\.wasm$/) + mostOf(/^model\.shaders\./) + (others[0] ? sent(others[0]) : 0);
  return { code, weights: others[1] ? sent(others[1]) : 0 };
}

/** @param {number} count @param {string} noun */
export const plural = (count, noun) => `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : /(ch|s)$/.test(noun) ? 'es' : 's'}`;

/** @param {number} value @param {string[]} units each a thousand of the one before */
function scaled(value, units) {
  let unit = 0;
  for (; Math.abs(value) >= 999.5 && unit < units.length - 1; ++unit) value /= 1000;
  return `${unit === 0 || Math.abs(value) >= 99.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`.trim();
}

/** @param {number} bytes */
export const sizeText = (bytes) => scaled(bytes, ['B', 'kB', 'MB', 'GB']);
/** @param {number} count */
export const countText = (count) => scaled(count, ['', 'thousand', 'million', 'billion', 'trillion']);
/** @param {number} ms */
export const timeText = (ms) => ms >= 100 ? `${Math.round(ms)} ms` : ms >= 0.1 ? `${ms.toPrecision(3)} ms` : `${Math.round(ms * 1000)} µs`;
