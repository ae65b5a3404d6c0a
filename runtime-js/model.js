// Loads and runs a compiled model, on WebGPU or in wasm, in pages, workers and Node.
//
//   import { load } from './model.js';
//   const model = await load();
//   const { probabilities } = await model.run({ image: pixels });
//
// model.d.ts says what can be called. What is special to a model is in model.wasm, sizes, offsets
// and dispatches as records in its memory and a manifest as a custom section, and in files of
// shaders. This module and those that it imports walk them, and are the same for every model. The
// compiler joins them into the bundle's one model.js.

/** @import * as Api from './model.js' */

import { BUILD } from './build.js';
import { Files } from './files.js';
import { abortable } from './line.js';
import { loadHere } from './local_model.js';
import { DISPOSE } from './methods.js';
import { MODELS } from './models.js';
import { LOAD_OPTIONS, checkOptions, filesOptions } from './options.js';
import { RemoteModel } from './remote_model.js';

export { DeviceLostError, DisposedError, GpuError, InputError, ModelLoadError, OutOfMemoryError, UnsupportedError } from './errors.js';
export { imageTensor, toImageData, top } from './images.js';
export { build } from './methods.js';

/** @param {Api.LoadOptions} [options] @returns {Promise<Api.Loaded>} */
export async function load(options = {}) {
  checkOptions('load', options, LOAD_OPTIONS);
  checkOptions('load: files', options.files ?? {}, filesOptions());
  const { signal } = options, files = new Files(options);
  signal?.throwIfAborted();
  const begun = options.worker ? RemoteModel.load(options, files) : loadHere(options, files);
  const loading = (globalThis.WEBNNC_MODELS !== false ? begun.then(asLoaded) : begun).catch(async (error) => {
    const later = error.reason === 'other build' && await importLaterBuild();
    if (!later) throw error;
    return later.load(options);
  });
  // Whoever has stopped waiting has no use for it.
  loading.then((loaded) => signal?.aborted && /** @type {any} */ (loaded)[DISPOSE](), () => {});
  return abortable(loading, signal);
}

/** The model, or an object of several, which `using` disposes of. @param {Api.Model[]} models @returns {any} */
function asLoaded(models) {
  return !BUILD.models ? models[0] : Object.defineProperty(Object.fromEntries(models.map((model, i) => [MODELS[i].key, model])), DISPOSE, {
    value: () => models.forEach((model) => model.dispose()),
  });
}

/**
 * The model.js of a later build, which the other files are of, where this one came out of a cache.
 *
 * @returns {Promise<typeof import('./model.js') | undefined>}
 */
async function importLaterBuild() {
  try {
    const { url } = import.meta;
    // What a bundler has joined is the application, which must not start twice.
    if (!/^https?:.*\/model\.js($|\?)/.test(url ?? '')) return undefined;
    const response = await fetch(url, { cache: 'reload' }), text = response.ok ? await response.text() : '';
    const id = /^\/\/[^\n]*compiled by webnnc.*?\{"id":"([0-9a-f]{16})"/s.exec(text)?.[1];
    if (!id || id === BUILD.id) return undefined;
    const address = new URL(url);
    address.search = `?v=${id}`;
    return await import(address.href);
  } catch {
    return undefined;
  }
}
