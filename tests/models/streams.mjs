// Networks that are given back what they remember: which output is which input of the next step, and what each step is
// given. `streams_reference.mjs` computes what ONNX Runtime makes of them, and streams.test.mjs compares.

/** @typedef {{ data: Float32Array | BigInt64Array, shape: number[] }} Value */
/**
 * @typedef {object} Stream
 * @property {number} steps
 * @property {string} input
 * @property {(step: number) => Value} step what the input is given
 * @property {Record<string, string>} memory outputs and the inputs that take them
 * @property {Record<string, number[]>} start the shapes of these inputs, which are zeros at first
 */
/**
 * @typedef {object} Decoder whose tokens are chosen by their largest logit
 * @property {number} steps
 * @property {number[]} prompt
 * @property {number} layers
 * @property {number[]} past the shape of the keys and values before the first step
 * @property {(token: number, step: number) => number} next the token that follows on the one that was chosen
 */

/** Made-up sound: numbers in (-1, 1) that are others in each step. @param {number[]} shape @param {number} step */
function noise(shape, step) {
  let state = 12345 + 7919 * step;
  const next = () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8) / 2 ** 23 - 1;
  return { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, next) };
}
/** The same without signs, as magnitudes are. @param {number[]} shape @param {number} step */
const magnitudes = (shape, step) => ({ shape, data: noise(shape, step).data.map(Math.abs) });

/** @type {Record<string, Stream>} */
export const STREAMS = {
  dtln_1: { steps: 100, input: 'input_2', step: (step) => magnitudes([1, 1, 257], step), memory: { tf_op_layer_stack_2: 'input_3' }, start: { input_3: [1, 2, 128, 2] } },
  dtln_2: { steps: 100, input: 'input_4', step: (step) => noise([1, 1, 512], step), memory: { tf_op_layer_stack_5: 'input_5' }, start: { input_5: [1, 2, 128, 2] } },
  gru_stream: { steps: 100, input: 'feats', step: (step) => noise([1, 1 + step % 3, 40], step), memory: { state_out: 'state' }, start: { state: [2, 1, 64] } },
  gtcrn_stream_simple: {
    steps: 100, input: 'mix', step: (step) => noise([1, 257, 1, 2], step),
    memory: { conv_cache_out: 'conv_cache', tra_cache_out: 'tra_cache', inter_cache_out: 'inter_cache' },
    start: { conv_cache: [2, 1, 16, 16, 33], tra_cache: [2, 3, 1, 1, 16], inter_cache: [2, 1, 33, 16] },
  },
};

/** @type {Record<string, Decoder>} */
export const DECODERS = {
  stories260k_kv: { steps: 200, prompt: [1], layers: 5, past: [1, 4, 0, 8], next: (token) => token },
  // Its weights are made up: left to itself it says one token for ever.
  gpt_kv: { steps: 200, prompt: [3, 14, 159, 2653], layers: 4, past: [1, 8, 0, 32], next: (token, step) => (token + 97 * step) % 4096 },
};

/** What of a decoder's outputs are inputs of the next step. @param {Decoder} decoder */
export const memoryOf = ({ layers }) => Object.fromEntries(Array.from({ length: 2 * layers }, (_, i) => `${i >> 1}.${i % 2 ? 'value' : 'key'}`)
  .map((name) => [`present.${name}`, `past_key_values.${name}`]));

/** What is compared: after some of the steps, and of some elements. @param {number} step @param {Stream} stream */
export const isCompared = (step, { steps }) => [0, 1, 9, 49].includes(step) || step === steps - 1;
/** @template {ArrayLike<number>} T @param {T} data */
export const sample = (data) => Array.from({ length: Math.min(24, data.length) }, (_, i, stride = data.length / Math.min(24, data.length)) => data[Math.floor(i * stride)]);

/** The place of the largest of the last `width` numbers. @param {ArrayLike<number>} data @param {number} width */
export function choose(data, width) {
  let best = data.length - width;
  for (let i = best + 1; i < data.length; ++i) if (data[i] > data[best]) best = i;
  return best - (data.length - width);
}
