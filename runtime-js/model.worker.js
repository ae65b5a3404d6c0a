// What `load({ worker: true })` runs a model in. Messages carry the number of their line, each of which
// is for one model.

/** @import * as Api from './model.js' */
/** @import { FileKind, Source } from './files.js' */

import { BUILD } from './build.js';
import { ModelLoadError } from './errors.js';
import { Line, Moved } from './line.js';
import { loadHere } from './local_model.js';

/** @type {Map<number, Line>} */
const lines = new Map();
/** Node's workers hear through a port. @type {any} */
const scope = typeof addEventListener === 'function' ? globalThis : globalThis.process.getBuiltinModule('node:worker_threads').parentPort;
scope.addEventListener('message', (/** @type {MessageEvent} */ { data }) => {
  const id = data?.webnnc;
  if (id !== undefined && data.name === 'load') lines.set(id, serve(id));
  lines.get(id)?.hear(data);
});

/** @param {number} id of a line */
function serve(id) {
  /** @type {Promise<any>} */
  let loading;
  /** By the page's numbers. @type {Map<number, any>} */
  const sessions = new Map();
  /** The model, or one of its sessions. @param {number} session */
  const runnerOf = async (session) => session ? sessions.get(session) : loading;
  const line = new Line({ post: (message, memory) => scope.postMessage({ webnnc: id, ...message }, memory) }, {
    load({ build, options, given, isHeard }, signal) {
      checkBuild(build);
      const onProgress = isHeard ? (/** @type {Api.Progress} */ progress) => line.tell('progress', progress) : undefined;
      const onDeviceLost = (/** @type {any} */ info) => line.tell('lost', info);
      loading = loadHere({ ...options, signal, onProgress, onDeviceLost }, finderAt(line, given));
      return loading.then((model) => ({ name: model.name, inputs: model.inputs, outputs: model.outputs, kept: keptOf(model), ...stateOf(model) }));
    },
    async run({ session, inputs, options }, signal) {
      const model = await loading, runner = await runnerOf(session);
      try {
        const result = await runner.run(inputs, { ...options, signal, transfer: true });
        // The page has them.
        for (const tensor of Object.values(result)) delete tensor.labels;
        return new Moved({ result, ...stateOf(model) }, Object.values(result).map(({ data }) => data.buffer));
      } finally {
        // Bitmaps and frames that were posted are copies.
        for (const input of Object.values(inputs).flat()) input.close?.();
      }
    },
    async profile({ session, inputs, options }, signal) {
      const model = await loading, runner = await runnerOf(session);
      return { result: await runner.profile(inputs, { ...options, signal }), ...stateOf(model) };
    },
    async session({ session, isOver }) {
      if (isOver) sessions.get(session)?.dispose();
      else sessions.set(session, (await loading).session());
      if (isOver) sessions.delete(session);
    },
    /** What is called of a state: reset, save, load. */
    async state({ session, method, saved }) {
      return (await runnerOf(session)).state[method](saved);
    },
    dispose() {
      lines.delete(id);
      loading?.then((model) => model.dispose(), () => {});
    },
  });
  return line;
}

/** @param {string} build that the page has */
function checkBuild(build) {
  if (build === BUILD.id) return;
  throw Object.assign(new ModelLoadError('cannot load model.worker.js: it belongs to another build of the model, or to another model ' +
    `(${BUILD.id}, and this model.js is of ${build}): put all files of one build on the server`), { file: 'model.worker.js', reason: 'other build' });
}

/** Names of the inputs and outputs that are state. @param {any} model */
const keptOf = ({ state }) => globalThis.WEBNNC_WALKS !== false ? state?.names : undefined;

/** What of a model may change. @param {Api.Model} model */
const stateOf = ({ backend, backendReason }) => ({ backend, backendReason });

/** The page knows where files are. @param {Line} line @param {FileKind[]} given */
function finderAt(line, given) {
  /** @type {Map<FileKind, Promise<Source>>} */
  const found = new Map();
  return {
    isGiven: (/** @type {FileKind} */ kind) => given.includes(kind),
    find(/** @type {FileKind} */ kind) {
      const source = found.get(kind) ?? line.call('find', kind)
        .then(({ place, ...rest }) => ({ ...rest, place: typeof place === 'string' ? new URL(place) : place }));
      found.set(kind, source);
      return source;
    },
  };
}
