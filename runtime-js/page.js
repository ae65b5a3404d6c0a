// Brings the bundle's index.html to life: a picture or made-up values in, tensors shown as what they
// most likely are.

/** @import * as Api from './model.js' */

import { load } from './model.js';
import { drawSample, likelyScaling, likelyValues } from './page/guesses.js';
import { byId } from './page/dom.js';
import { BACKENDS, milliseconds, showComparison, showProfile } from './page/measures.js';
import { Outputs } from './page/outputs.js';
import { fileName, offer } from './page/save.js';
import { SnippetPanel } from './page/snippet.js';

/** @param {Api.Port} port */
const typeOf = ({ dataType, shape }) => `${dataType}[${shape.join(', ')}]`;

/** How bytes become values, as imageTensor takes it. @type {Record<string, { range: Api.ImageRange, mean?: number[], std?: number[] }>} */
const PREPARATIONS = {
  unit: { range: '0..1' }, signed: { range: '-1..1' }, bytes: { range: '0..255' },
  imagenet: { range: '0..1', mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
};

const IMAGE_SIDE = 224, TOKENS = 8;
const MOST_RUNS = 10, MOST_TIME = 1000;

class Page {
  /** @type {Api.Model | undefined} */
  #model;
  /** @type {CanvasImageSource | undefined} */
  #picture;
  #outputs = new Outputs(byId('outputs'));
  #snippet = new SnippetPanel();
  /** @type {Api.Profile | undefined} */
  #profile;
  #loadTime = 0;
  #isDescribed = false;

  start() {
    byId('backend').value = new URLSearchParams(location.search).get('backend') ?? 'auto';
    byId('backend').onchange = () => {
      keepInAddress('backend');
      this.#reload();
    };
    byId('run').onclick = () => this.#run();
    byId('measure').onclick = () => this.#measure();
    byId('compare').onclick = () => this.#compare();
    byId('save-profile').onclick = () => offer(fileName(this.#model?.name ?? '', 'profile.json'), JSON.stringify(this.#profile));
    byId('scaling').onchange = byId('fit').onchange = () => {
      keepInAddress('scaling');
      keepInAddress('fit');
      this.#run();
    };
    byId('invert').onchange = () => this.#run();
    this.#listenForPictures();
    this.#reload();
  }

  /** @param {'loading' | 'running' | 'ready' | 'failed'} state @param {string} [problem] */
  #show(state, problem = '') {
    /** @type {HTMLElement} */ (document.querySelector('main')).dataset.state = state;
    byId('error').hidden = !problem;
    byId('error').textContent = problem;
    byId('loading').hidden = state !== 'loading';
    byId('backend').disabled = state === 'loading';
    byId('compare').disabled = byId('measure').disabled = byId('run').disabled = state === 'loading' || state === 'running' || !this.#model;
  }

  /** @param {'loading' | 'running'} state @param {() => Promise<void>} work */
  async #attempt(state, work) {
    this.#show(state);
    try {
      await work();
      this.#show('ready');
    } catch (error) {
      this.#show('failed', error instanceof Error ? `${error.name}: ${error.message}` : String(error));
    }
  }

  /** Loads the model for the backend that is chosen, and runs it. */
  async #reload() {
    this.#model?.dispose();
    this.#model = undefined;
    await this.#attempt('loading', async () => {
      const start = performance.now(), progress = byId('progress');
      this.#model = await load({
        backend: byId('backend').value,
        onProgress: ({ phase, loaded, total }) => phase === 'weights' && (progress.value = total ? loaded / total : 1),
      });
      this.#loadTime = performance.now() - start;
    });
    byId('input').hidden = false;
    if (!this.#isDescribed) this.#describe();
    await this.#run();
  }

  get #image() {
    return this.#model?.inputs.find((port) => port.image);
  }

  // ---- The model's inputs

  #describe() {
    const model = this.#model, image = this.#image;
    if (!model) return;
    this.#isDescribed = true;
    document.title = byId('name').textContent = model.name;
    byId('signature').textContent = `${model.inputs.map(typeOf).join(', ')} → ${model.outputs.map(typeOf).join(', ')}`;
    for (const port of model.inputs) if (!port.image) byId('texts').append(textField(port, () => this.#run()));
    byId('drop').hidden = byId('scaling-field').hidden = byId('fit-field').hidden = byId('guess').hidden = !image;
    if (image?.image?.preparation) byId('scaling-field').hidden = byId('fit-field').hidden = byId('guess').hidden = true;
    byId('generated').hidden = model.inputs.every((port) => port.image);
    byId('invert-field').hidden = image?.image?.channels !== 1 || image.image.preparation !== undefined;
    const settings = new URLSearchParams(location.search);
    if (image) choose('scaling', settings.get('scaling'), likelyScaling(image));
    choose('fit', settings.get('fit'), 'cover');
    for (const symbol of symbolsOf(model)) byId('fields').insertBefore(this.#sizeField(symbol), byId('scaling-field'));
  }

  /** @param {string} symbol */
  #sizeField(symbol) {
    const label = document.createElement('label'), input = document.createElement('input');
    const { height, width } = this.#image?.image ?? {};
    const isBatch = this.#model?.inputs.some((port) => port.shape[0] === symbol) ?? false;
    const value = symbol === height || symbol === width ? IMAGE_SIDE : isBatch ? 1 : TOKENS;
    Object.assign(input, { type: 'number', min: '1', value });
    input.onchange = () => this.#run();
    input.dataset.symbol = symbol;
    label.append(symbol, input);
    return label;
  }

  /** A size of an input, with the symbols' values from their fields. @param {number | string} size @returns {number} */
  #sizeOf(size) {
    if (typeof size === 'number') return size;
    const field = [...document.querySelectorAll('input')].find((input) => input.dataset.symbol === size);
    return Math.max(1, field?.valueAsNumber || 1);
  }

  #listenForPictures() {
    const drop = byId('drop'), file = byId('file');
    file.onchange = () => this.#take(file.files[0]);
    document.ondragover = (event) => {
      event.preventDefault();
      drop.classList.add('over');
    };
    document.ondragleave = () => drop.classList.remove('over');
    document.ondrop = (event) => {
      event.preventDefault();
      drop.classList.remove('over');
      this.#take(event.dataTransfer?.files[0]);
    };
    document.onpaste = (event) => this.#take(event.clipboardData?.files[0]);
  }

  /** @param {File | undefined} file */
  async #take(file) {
    if (!file || !this.#image) return;
    try {
      this.#picture = await createImageBitmap(file);
    } catch {
      return this.#show('failed', `${file.name} is not a picture that this browser can read.`);
    }
    await this.#run();
  }

  /** What is chosen for pictures. @returns {Partial<Api.ImageTensorOptions> & { range: Api.ImageRange }} */
  get #preparation() {
    const { range, mean, std } = PREPARATIONS[byId('scaling').value], resize = byId('fit').value, channels = this.#image?.image?.channels ?? 3;
    if (!byId('invert').checked) return { resize, range, mean: mean?.slice(0, channels), std: std?.slice(0, channels) };
    // What was black becomes white: low + high - value.
    const [low, high] = range.split('..').map(Number), each = Array.from({ length: channels }, (_, c) => c);
    return { resize, range, mean: each.map((c) => low + high - (mean?.[c] ?? 0)), std: each.map((c) => -(std?.[c] ?? 1)) };
  }

  /** Draws the picture as the model sees it, and gives its values. @param {Api.Port} port */
  #pixels(port) {
    const image = /** @type {NonNullable<Api.Port['image']>} */ (port.image);
    const { layout, channels } = image, { context, width, height } = this.#draw(image);
    const bytes = context.getImageData(0, 0, width, height).data, area = width * height;
    const { range, mean, std } = /** @type {{ range: string, mean?: number[], std?: number[] }} */ (this.#preparation), [low, high] = range.split('..').map(Number);
    const values = new Float32Array(area * channels);
    for (let c = 0; c < channels; ++c) {
      const scale = (high - low) / 255 / (std?.[c] ?? 1), offset = (low - (mean?.[c] ?? 0)) / (std?.[c] ?? 1), start = layout === 'nchw' ? c * area : c, step = layout === 'nchw' ? 1 : channels;
      for (let p = 0; p < area; ++p) values[start + p * step] = bytes[4 * p + c] * scale + offset;
    }
    return values;
  }

  /** @param {NonNullable<Api.Port['image']>} image */
  #draw({ channels, ...image }) {
    const canvas = byId('preview'), width = this.#sizeOf(image.width), height = this.#sizeOf(image.height);
    Object.assign(canvas, { width, height }).classList.toggle('large', width > 64);
    const context = canvas.getContext('2d', { willReadFrequently: true });
    if (channels === 1) context.filter = 'grayscale(1)';
    const picture = /** @type {any} */ (this.#picture), { resize = byId('fit').value, crop = 1, align = 'center', fill = 0 } = image.preparation ?? {};
    context.fillStyle = `rgb(${[fill, fill, fill].flat().slice(0, 3).join(', ')})`;
    context.fillRect(0, 0, width, height);
    if (picture) {
      const [x, y] = [width / picture.width / crop, height / picture.height / crop], scale = Math[resize === 'contain' ? 'min' : 'max'](x, y);
      const [w, h] = resize === 'fill' ? [width / crop, height / crop] : [picture.width * scale, picture.height * scale], part = align === 'start' ? 0 : 0.5;
      context.drawImage(picture, (width - w) * part, (height - h) * part, w, h);
    }
    else drawSample(context, width, height, channels);
    return { canvas, context, width, height };
  }

  /** @param {Api.Port} port */
  #valuesFor(port) {
    if (port.image?.preparation) {
      const { canvas } = this.#draw(port.image), picture = this.#picture ?? canvas;
      return Array.from({ length: this.#sizeOf(port.shape[0]) }, () => picture);
    }
    const shape = port.shape.map((size) => this.#sizeOf(size)), count = shape.reduce((n, size) => n * size, 1);
    const values = new Float32Array(count);
    if (port.image) {
      const picture = this.#pixels(port);
      for (let at = 0; at < count; at += picture.length) values.set(picture, at);
    } else {
      const given = textOf(port);
      if (given) return given;
      const make = likelyValues(port);
      for (let i = 0; i < count; ++i) values[i] = make(i);
    }
    return { data: port.dataType === 'float32' || port.dataType === 'float16' ? values : Array.from(values, Math.round), shape };
  }

  // ---- A run

  async #run() {
    const model = this.#model;
    if (!model) return;
    await this.#attempt('running', async () => {
      const inputs = Object.fromEntries(model.inputs.map((port) => [port.name, this.#valuesFor(port)]));
      /** @type {number[]} */
      const times = [], start = performance.now();
      let outputs;
      do {
        // The page gets a turn between two runs.
        await new Promise((done) => setTimeout(done));
        const before = performance.now();
        outputs = await model.run(/** @type {any} */ (inputs));
        times.push(performance.now() - before);
      } while (times.length < MOST_RUNS && performance.now() - start < MOST_TIME);
      await this.#outputs.show(model, outputs, this.#image && byId('preview'));
      this.#snippet.show({ model, inputs, preparation: this.#preparation, kinds: this.#outputs.kinds });
      this.#showTimes(model, times);
    });
  }

  /** Shows how long each kernel takes, and offers it as a file for the report. */
  async #measure() {
    const model = this.#model;
    if (!model) return;
    await this.#attempt('running', async () => {
      const inputs = Object.fromEntries(model.inputs.map((port) => [port.name, this.#valuesFor(port)]));
      this.#profile = await model.profile(/** @type {any} */ (inputs));
      showProfile(this.#profile);
    });
  }

  /** Runs the model on the other backend as well, and says how far the results and times are apart. */
  async #compare() {
    const model = this.#model;
    if (!model) return;
    await this.#attempt('running', async () => {
      const inputs = /** @type {any} */ (Object.fromEntries(model.inputs.map((port) => [port.name, this.#valuesFor(port)])));
      const backend = /** @type {'webgpu' | 'wasm'} */ (model.backend === 'wasm' ? 'webgpu' : 'wasm'), other = await load({ backend });
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

/** Makes the address one that brings a setting back. @param {string} id of a select */
function keepInAddress(id) {
  const address = new URL(location.href);
  address.searchParams.set(id, byId(id).value);
  history.replaceState(null, '', address);
}

/** @param {string} id of a select @param {string | null} wanted @param {string} otherwise if there is no such option */
function choose(id, wanted, otherwise) {
  const select = byId(id);
  select.value = wanted ?? otherwise;
  if (select.selectedIndex < 0) select.value = otherwise;
}

/** @param {Api.Model} model names that are the size of an input */
function symbolsOf(model) {
  // A picture brings its own size along.
  const sizesOf = (/** @type {Api.Port} */ { shape, image }) => image?.preparation ? [shape[0], image.height, image.width] : shape;
  const sizes = model.inputs.flatMap(sizesOf).filter((size) => typeof size === 'string');
  return new Set(/** @type {string[]} */ (sizes));
}

// ---- Inputs that are no pictures

/** @param {string} name */
const fieldOf = (name) => [...document.querySelectorAll('textarea')].find((field) => field.dataset.input === name);

/** @param {Api.Port} port @param {() => void} changed */
function textField(port, changed) {
  const label = document.createElement('label'), field = document.createElement('textarea');
  Object.assign(field, { rows: 2, spellcheck: false, onchange: changed, placeholder: `made up; or numbers, or lists as JSON: ${typeOf(port)}` });
  field.dataset.input = port.name;
  label.append(port.name, field);
  return label;
}

/** What was typed for an input: numbers between commas or spaces, or nested lists. @param {Api.Port} port @returns {any} */
function textOf({ name }) {
  const text = fieldOf(name)?.value.trim();
  if (!text) return undefined;
  if (text.startsWith('[')) return JSON.parse(text);
  return text.split(/[\s,;]+/).map(Number);
}

byId('waiting').hidden = true;
document.querySelector('main')?.removeAttribute('hidden');
new Page().start();
