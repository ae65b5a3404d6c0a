// How a page loads a network in each engine: from /model/, the bundle; /onnx, the ONNX file; /tflite, the same for LiteRT.js; and
// /graph/model.json, for TF.js. Libraries come from /ort/, /litert/ and /tf*/.

/** @typedef {{name: string, dataType: string, shape: number[], data: any}} Input */
/** @typedef {() => Promise<ArrayLike<number | bigint>>} Run gives the first output */
/** @typedef {{inputs: Input[], backend: string, threads: number}} Setting */

/** TensorFlow's libraries take pictures with their channels last. @param {Input} input @param {readonly number[]} wanted */
function inOrder({ shape, data }, wanted) {
  if (shape.length !== 4 || shape.join() === wanted.join()) return data;
  const [, channels, height, width] = shape, places = height * width;
  return data.map((/** @type {number} */ _, /** @type {number} */ i) => data[i % channels * places + Math.floor(i / channels) % places + Math.floor(i / (channels * places)) * channels * places]);
}

/** @param {string} src */
const script = (src) => new Promise((done, fail) => document.body.append(Object.assign(document.createElement('script'), { src, onload: done, onerror: fail })));

/** @type {Record<string, (setting: Setting) => Promise<Run>>} */
export const ENGINES = {
  async webnnc({ inputs, backend, threads }) {
    const { load } = await import('/model/model.js');
    const model = await load({ backend, threads });
    const feeds = Object.fromEntries(inputs.map(({ name, shape, data }) => [name, { data, shape }]));
    return async () => (await model.run(feeds))[model.outputs[0].name].data;
  },

  async ort({ inputs, backend, threads }) {
    const ort = await import(`/ort/ort.${backend}.bundle.min.mjs`);
    ort.env.wasm.numThreads = threads;
    ort.env.logLevel = 'error';
    const session = await ort.InferenceSession.create('/onnx', { executionProviders: [backend] });
    return async () => {
      const feeds = Object.fromEntries(inputs.map(({ name, dataType, shape, data }) => [name, new ort.Tensor(dataType, data, shape)]));
      return (await session.run(feeds))[session.outputNames[0]].getData();
    };
  },

  async litert({ inputs, threads }) {
    const { Tensor, loadAndCompile, loadLiteRt } = await import('/litert/dist/index.js');
    await loadLiteRt('/litert/wasm/', { threads: threads > 1 });
    const model = await loadAndCompile('/tflite', { accelerator: 'wasm', cpuOptions: { numThreads: threads } });
    const ports = model.getInputDetails().map(({ shape }, i) => ({ shape: [...shape], data: inOrder(inputs[i], [...shape]) }));
    return async () => {
      const tensors = ports.map(({ data, shape }) => new Tensor(data, shape)), outputs = await model.run(tensors), data = await outputs[0].data();
      for (const tensor of [...tensors, ...outputs]) tensor.delete();
      return data;
    };
  },

  async tfjs({ inputs, threads }) {
    for (const part of ['core', 'backend-cpu', 'converter', 'backend-wasm']) await script(`/tfjs-${part}/tf-${part}.min.js`);
    const { tf } = /** @type {any} */ (globalThis);
    tf.wasm.setWasmPaths('/tfjs-backend-wasm/');
    if (threads > 1) tf.wasm.setThreadsCount(threads);
    await tf.setBackend('wasm');
    const model = await tf.loadGraphModel('/graph/model.json');
    const ports = model.inputs.map(({ shape }, /** @type {number} */ i) => ({ shape, data: inOrder(inputs[i], shape) }));
    return async () => {
      const tensors = ports.map(({ data, shape }) => tf.tensor(data, shape)), output = model.execute(tensors), data = await output.data();
      for (const tensor of [...tensors, output]) tensor.dispose();
      return data;
    };
  },
};
