// What `load({ worker: true })` runs models in. Messages carry the number of their line, each of which is for the
// models of one load.

/** @import * as Api from './model.js' */
/** @import { FileKind, Source } from './files.js' */

import { BUILD } from './build.js';
import { ModelLoadError } from './errors.js';
import { Line, Moved } from './line.js';
import { loadHere } from './local_model.js';
import { MODELS } from './models.js';
import { serveTeams } from './thread.js';

/** @type {Map<number, Line>} */
const lines = new Map();
/** Node's workers hear through a port. @type {any} */
const scope = typeof addEventListener === 'function' ? globalThis : globalThis.process.getBuiltinModule('node:worker_threads').parentPort;
// Where a page's policy allows no other worker, it is one of a team as well.
if (globalThis.WEBNNC_MORE_MODULES !== false) serveTeams();
scope.addEventListener('message', (/** @type {MessageEvent} */ { data }) => {
  const id = data?.webnnc;
  if (id !== undefined && data.name === 'load') lines.set(id, serve(id));
  lines.get(id)?.hear(data);
});

/** @param {number} id of a line */
function serve(id) {
  /** The only model, in a script that serves no others. @type {Promise<any>} */
  let loading;
  /** Of each model by the page's numbers. @type {Map<number, any>[]} */
  const sessions = MODELS.map(() => new Map());
  /** Models that the page has disposed of. @type {Set<number>} */
  const over = new Set();
  const modelOf = async (/** @type {number} */ model) => globalThis.WEBNNC_MODELS !== false ? (await loading)[model] : loading;
  /** A model, or one of its sessions. @param {number} model @param {number} session */
  const runnerOf = async (model, session) => session ? sessions[model].get(session) : modelOf(model);
  const line = new Line({ post: (message, memory) => scope.postMessage({ webnnc: id, ...message }, memory) }, {
    load({ build, options, given, isHeard }, signal) {
      checkBuild(build);
      const onProgress = isHeard ? (/** @type {Api.Progress} */ progress) => line.tell('progress', progress) : undefined;
      const onDeviceLost = (/** @type {any} */ info) => line.tell('lost', info);
      loading = loadHere({ ...options, signal, onProgress, onDeviceLost }, finderAt(line, given));
      return loading.then((loaded) => globalThis.WEBNNC_MODELS !== false ? loaded.map(aboutOf) : aboutOf(loaded));
    },
    async run({ model: index = 0, session, inputs, options }, signal) {
      const model = await modelOf(index), runner = await runnerOf(index, session);
      try {
        const result = await runner.run(inputs, { ...options, signal, transfer: true });
        // The page has them.
        const tensors = globalThis.WEBNNC_LISTS !== false ? Object.values(result).flat().filter((tensor) => tensor !== null) : Object.values(result);
        for (const tensor of tensors) delete tensor.labels;
        return new Moved({ result, ...stateOf(model) }, [...new Set(tensors.map(({ data }) => data.buffer))]);
      } finally {
        // Bitmaps and frames that were posted are copies.
        for (const input of Object.values(inputs).flat()) input?.close?.();
      }
    },
    async profile({ model: index = 0, session, inputs, options }, signal) {
      const model = await modelOf(index), runner = await runnerOf(index, session);
      return { result: await runner.profile(inputs, { ...options, signal }), ...stateOf(model) };
    },
    async session({ model = 0, session, isOver }) {
      if (isOver) sessions[model].get(session)?.dispose();
      else sessions[model].set(session, (await modelOf(model)).session());
      if (isOver) sessions[model].delete(session);
    },
    /** What is called of a state: reset, save, load. */
    async state({ model = 0, session, method, saved }) {
      return (await runnerOf(model, session)).state[method](saved);
    },
    dispose(model = 0) {
      if (over.add(model).size === MODELS.length) lines.delete(id);
      modelOf(model).then((each) => each.dispose()).catch(() => {});
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

/** @param {any} model */
const aboutOf = (model) => ({ name: model.name, inputs: model.inputs, outputs: model.outputs, kept: keptOf(model), ...stateOf(model) });

/** Names of the inputs and outputs that are state. @param {any} model */
const keptOf = ({ state }) => globalThis.WEBNNC_WALKS !== false ? state?.names : undefined;

/** What of a model may change. @param {Api.Model} model */
const stateOf = ({ backend, backendReason, threads }) => ({ backend, backendReason, threads });

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
