// One engine on one model, in a page of its own. Sets window.result, or window.failure.
//
//   page.html?engine=webnnc|ort&backend=wasm|webgpu&inputs=JSON&runs=20
//
// /model/ is the bundle, /onnx is the ONNX file, /ort/ is ONNX Runtime Web.

const query = Object.fromEntries(new URLSearchParams(location.search));
/** @type {{name: string, shape: number[]}[]} */
const inputs = JSON.parse(query.inputs);
const WARM_UP = 3;

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
const data = inputs.map(({ shape }, i) => madeUp(product(shape), i + 1));

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
    const feeds = Object.fromEntries(inputs.map(({ name, shape }, i) => [name, new ort.Tensor('float32', data[i], shape)]));
    return (await session.run(feeds))[session.outputNames[0]].getData();
  };
}

async function measure() {
  const run = await (query.engine === 'ort' ? loadOnnxRuntime() : loadWebnnc());
  const output = Array.from(await run());
  // performance.now() counts from the start of the navigation.
  const first = performance.now();
  for (let i = 0; i < WARM_UP; ++i) await run();
  /** @type {number[]} */
  const times = [];
  for (let i = 0; i < Number(query.runs); ++i) {
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  }
  return { first, times, output };
}

measure().then(
  (result) => { window.result = result; },
  (error) => { window.failure = String(error?.stack ?? error); },
);
