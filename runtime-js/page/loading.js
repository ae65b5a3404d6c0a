// How the page loads the model: in a worker where that can be, and with words for what goes on.

/** @import * as Api from '../model.js' */

import { make } from './dom.js';

/**
 * The model that the page is for, its key among those that the folder has (none, if it is the only one), and where it runs.
 *
 * @typedef {{model: Api.Model, key: string | undefined, keys: string[], thread: string}} Loaded
 */

/**
 * @param {typeof Api.load} load @param {Api.LoadOptions} options @param {string | null} wanted by its key, if there are several: the first one
 *   if there is none of this name
 * @returns {Promise<Loaded>}
 */
export async function loadForPage(load, options, wanted) {
  try {
    return { ...choose(await load({ ...options, worker: true }), wanted), thread: 'a worker, so that the page stays responsive' };
  } catch (error) {
    const { name, file, message } = /** @type {any} */ (error);
    // A GPU may be there for pages alone.
    const isWorkerless = name === 'UnsupportedError' || String(file).includes('model.worker.js');
    if (!isWorkerless) throw error;
    return { ...choose(await load(options), wanted), thread: `the page, which stands still meanwhile: ${message}` };
  }
}

/** The page runs one at a time. @param {any} loaded a model, or an object of several @param {string | null} wanted */
function choose(loaded, wanted) {
  if (typeof loaded.run === 'function') return { model: loaded, key: undefined, keys: [] };
  const keys = Object.keys(loaded), key = keys.find((name) => name === wanted) ?? keys[0];
  for (const name of keys) if (name !== key) loaded[name].dispose();
  return { model: loaded[key], key, keys };
}

/** @type {Record<Api.Progress['phase'], string>} */
const NAMES = { modules: 'Code', shaders: 'Shaders', weights: 'Weights', compilation: 'Compilation' };

/** @param {number} bytes */
const sizeOf = (bytes) => bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;

/** What of a phase is done, in words. @param {Api.Progress} progress */
export function inWords({ phase, loaded, total }) {
  const percent = total ? ` (${Math.floor(100 * loaded / total)} %)` : '';
  if (phase !== 'compilation') return `${sizeOf(loaded)} of ${sizeOf(total)}${percent}`;
  return total > 1 ? `${loaded} of ${total} programs${percent}` : loaded ? 'done' : '';
}

/** A line for each phase of a load, as soon as something is heard of it. */
export class LoadingPanel {
  /** @type {Map<string, {bar: HTMLProgressElement, text: HTMLElement}>} */
  #lines = new Map();
  #list = make('ol', { className: 'phases' });

  /** @param {HTMLElement} place */
  constructor(place) {
    place.append(this.#list);
  }

  begin() {
    this.#lines.clear();
    this.#list.replaceChildren();
  }

  /** @param {Api.Progress} progress */
  show = (progress) => {
    const { phase, loaded, total } = progress, line = this.#lines.get(phase) ?? this.#add(phase);
    line.bar.value = total ? loaded / total : 1;
    line.text.textContent = inWords(progress);
  };

  /** @param {Api.Progress['phase']} phase */
  #add(phase) {
    const bar = make('progress', { value: 0, ariaLabel: NAMES[phase] }), line = { bar, text: make('span', { className: 'soft' }) };
    bar.dataset.phase = phase;
    this.#list.append(make('li', {}, make('span', {}, NAMES[phase]), bar, line.text));
    this.#lines.set(phase, line);
    return line;
  }
}
