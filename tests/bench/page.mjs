// One engine on one model, in a page of its own. Sets window.result, or window.failure.
//
//   page.html?engine=webnnc|ort&backend=wasm|webgpu&inputs=JSON&runs=20
//
// /model/ is the bundle, /onnx is the ONNX file, /ort/ is ONNX Runtime Web.

const query = Object.fromEntries(new URLSearchParams(location.search));
/** @type {{name: string, dataType: string, shape: number[]}[]} */
const inputs = JSON.parse(query.inputs);
const WARM_UP = 3;
/** Pages see time in steps of 0.1 ms, so that short runs are timed several at once, in ms. */
const MEASURED = 5;

/** The same made-up values in every engine, in [-1, 1). @param {number} count @param {number} seed */
function madeUp(count, seed) {
  const data = new Float32Array(count);
  for (let i = 0, state = seed; i < count; ++i) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = (state >>> 8) / 8388608 - 1;
  }
  return data;
}

/** @param {number[]} shape */
const product = (shape) => shape.reduce((a, b) => a * b, 1);

/** Integers are small, since they may be indices. @param {string} dataType @param {Float32Array} values */
function asType(dataType, values) {
  const small = (/** @type {number} */ value) => Math.floor(Math.abs(value) * 4);
  switch (dataType) {
    case 'float32': return values;
    case 'int64': return BigInt64Array.from(values, (value) => BigInt(small(value)));
    case 'int32': return Int32Array.from(values, small);
    case 'uint8': return Uint8Array.from(values, small);
    case 'bool': return Uint8Array.from(values, (value) => Number(value > 0));
    default: throw new Error(`inputs of ${dataType} are not made up here`);
  }
}

const data = inputs.map(({ dataType, shape }, i) => asType(dataType, madeUp(product(shape), i + 1)));

/** @returns {Promise<() => Promise<Float32Array>>} a run, which gives the first output */
async function loadWebnnc() {
  const { load } = await import('/model/model.js');
  const model = await load({ backend: query.backend });
  const feeds = Object.fromEntries(inputs.map(({ name, shape }, i) => [name, { data: data[i], shape }]));
  return async () => (await model.run(feeds))[model.outputs[0].name].data;
}

/** @returns {Promise<() => Promise<Float32Array>>} */
async function loadOnnxRuntime() {
  const ort = await import(`/ort/ort.${query.backend}.bundle.min.mjs`);
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'error';
  const session = await ort.InferenceSession.create('/onnx', { executionProviders: [query.backend] });
  return async () => {
    const feeds = Object.fromEntries(inputs.map(({ name, dataType, shape }, i) => [name, new ort.Tensor(dataType, data[i], shape)]));
    return (await session.run(feeds))[session.outputNames[0]].getData();
  };
}

async function measure() {
  const run = await (query.engine === 'ort' ? loadOnnxRuntime() : loadWebnnc());
  const output = Array.from(await run(), Number);
  // performance.now() counts from the start of the navigation.
  const first = performance.now();
  for (let i = 0; i < WARM_UP; ++i) await run();
  const timed = async (/** @type {number} */ count) => {
    const start = performance.now();
    for (let i = 0; i < count; ++i) await run();
    return performance.now() - start;
  };
  let together = 1;
  while (await timed(together) < MEASURED) together *= 2;
  /** @type {number[]} */
  const times = [];
  for (let i = 0; i < Number(query.runs); ++i) times.push(await timed(together) / together);
  return { first, times, output };
}

measure().then(
  (result) => { window.result = result; },
  (error) => { window.failure = String(error?.stack ?? error); },
);
