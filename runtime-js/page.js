// Brings the bundle's index.html to life: pictures, files or made-up values in, tensors shown as what they
// most likely are. The model runs in a worker, so that the page answers meanwhile.

/** @import * as Api from './model.js' */
/** @import { PictureInput } from './page/picture_input.js' */

import { imageTensor, load, toImageData } from './model.js';
import { keep, kept } from './page/address.js';
import { byId } from './page/dom.js';
import { Helper } from './page/helper.js';
import { Inputs } from './page/inputs.js';
import { LoadingPanel, loadForPage } from './page/loading.js';
import { BACKENDS, milliseconds, showComparison, showProfile } from './page/measures.js';
import { Outputs } from './page/outputs.js';
import { fileName, offer } from './page/save.js';
import { SnippetPanel } from './page/snippet.js';
import { tasksWith } from './page/tasks.js';

/** @param {Api.Port} port */
const typeOf = ({ dataType, shape, list }) => `${list ? `${list} of ` : ''}${dataType}[${shape.join(', ')}]`;

const MOST_RUNS = 10, MOST_TIME = 1000;

class Page {
  /** @type {Api.Model | undefined} */
  #model;
  /** @type {Inputs | undefined} */
  #inputs;
  #helper = new Helper(tasksWith({ imageTensor, toImageData }), new URL('page.worker.js', import.meta.url).href);
  #loading = new LoadingPanel(byId('loading'));
  #outputs = new Outputs(byId('outputs'));
  #snippet = new SnippetPanel();
  /** @type {Api.Profile | undefined} */
  #profile;
  /** Of several models, what `load` calls this one. @type {string | undefined} */
  #key;
  #loadTime = 0;
  #thread = '';
  /** What the page is at: a load, a run, a frame. One at a time. */
  #isBusy = false;
  /** Whether something was changed meanwhile. */
  #isStale = false;
  /** Which load the model is of. */
  #turn = 0;

  start() {
    chooseBackend(kept('backend'));
    byId('backend').onchange = () => {
      keep('backend', byId('backend').value);
      this.#reload();
    };
    byId('run').onclick = () => this.#run();
    byId('measure').onclick = () => this.#measure();
    byId('compare').onclick = () => this.#compare();
    byId('save-profile').onclick = () => offer(fileName(this.#model?.name ?? '', 'profile.json'), JSON.stringify(this.#profile));
    this.#reload();
  }

  /** @param {'loading' | 'running' | 'ready' | 'failed' | 'live'} state @param {string} [problem] */
  #show(state, problem = '') {
    /** @type {HTMLElement} */ (document.querySelector('main')).dataset.state = state;
    byId('error').hidden = !problem;
    byId('error').textContent = problem;
    byId('loading').hidden = state !== 'loading';
    byId('backend').disabled = state === 'loading';
    byId('outputs').ariaLive = state === 'live' ? 'off' : 'polite';
    byId('compare').disabled = byId('measure').disabled = byId('run').disabled = state !== 'ready' && state !== 'failed' || !this.#model;
  }

  /** @param {'loading' | 'running'} state @param {() => Promise<void>} work */
  async #attempt(state, work) {
    const turn = this.#turn;
    this.#isBusy = true;
    this.#isStale = false;
    this.#show(state);
    try {
      await work();
      if (turn === this.#turn) this.#show('ready');
    } catch (error) {
      // What a model says that was left for another one is of no interest.
      if (turn === this.#turn) this.#show('failed', wordsOf(error));
    }
    if (turn !== this.#turn) return;
    this.#isBusy = false;
    if (this.#isStale) await this.#run();
  }

  /** Loads the model for the backend that is chosen, and runs it. */
  async #reload() {
    const turn = ++this.#turn;
    this.#model?.dispose();
    this.#model = undefined;
    this.#loading.begin();
    await this.#attempt('loading', async () => {
      const start = performance.now();
      const { model, key, keys, thread } = await loadForPage(load, { backend: byId('backend').value, onProgress: (progress) => turn === this.#turn && this.#loading.show(progress) }, kept('model'));
      if (turn !== this.#turn) return model.dispose();
      this.#model = model;
      this.#key = key;
      if (key !== undefined) offerModels(keys, key);
      this.#thread = thread;
      this.#loadTime = performance.now() - start;
    });
    if (turn !== this.#turn) return;
    byId('input').hidden = false;
    if (!this.#inputs) this.#describe();
    if (!this.#inputs?.isLive) await this.#run();
  }

  #describe() {
    const model = this.#model;
    if (!model) return;
    document.title = byId('name').textContent = model.name;
    byId('signature').textContent = `${model.inputs.map(typeOf).join(', ')} → ${model.outputs.map(typeOf).join(', ')}`;
    this.#inputs = new Inputs(model, {
      helper: this.#helper, changed: () => this.#run(), failed: (problem) => this.#fail(problem), frame: (input) => this.#runFrame(input),
    }, { sources: byId('sources'), sizes: byId('sizes') });
  }

  /** @param {string} problem with what was chosen: the model can run on */
  #fail(problem) {
    this.#show('failed', problem);
  }

  #read() {
    return /** @type {Inputs} */ (this.#inputs).read();
  }

  // ---- A run

  async #run() {
    const model = this.#model;
    if (!model || this.#inputs?.isLive) return;
    if (this.#isBusy) {
      this.#isStale = true;
      return;
    }
    await this.#attempt('running', async () => {
      const inputs = await this.#read();
      /** @type {number[]} */
      const times = [], start = performance.now();
      let outputs;
      do {
        const before = performance.now();
        outputs = await model.run(/** @type {any} */ (inputs));
        times.push(performance.now() - before);
      } while (!this.#isStale && times.length < MOST_RUNS && performance.now() - start < MOST_TIME);
      await this.#showResults(model, inputs, outputs);
      this.#showTimes(model, times);
    });
  }

  /** @param {Api.Model} model @param {Record<string, any>} inputs @param {Record<string, Api.Tensor>} outputs */
  async #showResults(model, inputs, outputs) {
    const { preview, preparation, given } = /** @type {Inputs} */ (this.#inputs);
    await this.#outputs.show(model, outputs, preview);
    this.#snippet.show({ model, key: this.#key, inputs, preparation, given, kinds: this.#outputs.kinds });
  }

  /** A frame of a camera or a video. @param {PictureInput} input */
  async #runFrame(input) {
    const model = this.#model;
    // While the model is loaded or measured, frames pass by.
    if (!model || this.#isBusy) return;
    if (document.querySelector('main')?.dataset.state !== 'live') this.#show('live');
    const inputs = await this.#read(), start = performance.now(), outputs = await model.run(/** @type {any} */ (inputs));
    const ms = performance.now() - start;
    if (!input.isLive || model !== this.#model) return;
    await this.#showResults(model, inputs, outputs);
    this.#showTimes(model, [ms]);
  }

  /** Shows how long each kernel takes, and offers it as a file for the report. */
  async #measure() {
    const model = this.#model;
    if (!model) return;
    await this.#attempt('running', async () => {
      const inputs = await this.#read();
      this.#profile = await model.profile(/** @type {any} */ (inputs));
      showProfile(this.#profile);
    });
  }

  /** Runs the model on the other backend as well, and says how far the results and times are apart. */
  async #compare() {
    const model = this.#model;
    if (!model) return;
    await this.#attempt('running', async () => {
      const inputs = await this.#read();
      const backend = /** @type {'webgpu' | 'wasm'} */ (model.backend === 'wasm' ? 'webgpu' : 'wasm'), { model: other } = await loadForPage(load, { backend }, this.#key ?? null);
      try {
        await showComparison([{ backend: model.backend, ...await timed(model, inputs) }, { backend, ...await timed(other, inputs) }]);
      } finally {
        other.dispose();
      }
    });
  }

  /** @param {Api.Model} model @param {number[]} times */
  #showTimes(model, times) {
    byId('times').hidden = false;
    byId('chosen').textContent = `${BACKENDS[model.backend]}: ${model.backendReason}`;
    byId('thread').textContent = this.#thread;
    byId('load-time').textContent = milliseconds(this.#loadTime);
    byId('first-time').textContent = milliseconds(times[0]);
    const median = [...times].sort((a, b) => a - b)[times.length >> 1];
    byId('median-time').textContent = `${milliseconds(median)} (runs: ${times.length})`;
  }
}

/** The second of two runs, since the first one may prepare things. @param {Api.Model} model @param {any} inputs */
async function timed(model, inputs) {
  await model.run(inputs);
  const start = performance.now(), outputs = /** @type {Record<string, Api.Tensor>} */ (await model.run(inputs));
  return { outputs, ms: performance.now() - start };
}

/** Another model has other inputs, sizes and guesses: the page begins anew with it. @param {string[]} keys @param {string} shown */
function offerModels(keys, shown) {
  byId('models').hidden = false;
  byId('report').href = `./report.html?model=${encodeURIComponent(shown)}`;
  byId('model').replaceChildren(...keys.map((key) => new Option(key, key, false, key === shown)));
  byId('model').onchange = () => {
    const { value } = byId('model'), address = new URL(location.href);
    address.search = `?model=${encodeURIComponent(value)}&backend=${byId('backend').value}`;
    location.assign(address);
  };
}

/** Is it none of them, what is best here is. @param {string | null} name */
function chooseBackend(name) {
  const backend = byId('backend');
  backend.value = name ?? 'auto';
  if (backend.selectedIndex < 0) backend.value = 'auto';
}

/** @param {unknown} error */
function wordsOf(error) {
  if (!(error instanceof Error)) return String(error);
  return error.name === 'Error' ? error.message : `${error.name}: ${error.message}`;
}

byId('waiting').hidden = true;
document.querySelector('main')?.removeAttribute('hidden');
new Page().start();
