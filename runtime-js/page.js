// Brings the bundle's index.html to life: a picture or made-up values in, tensors shown as what they
// most likely are.

/** @import * as Api from './model.js' */

import { load } from './model.js';

/** @param {string} id @returns {any} */
const byId = (id) => document.getElementById(id);
/** @param {number} ms */
const milliseconds = (ms) => `${Number(ms.toPrecision(3))} ms`;
/** @param {Api.Port} port */
const typeOf = ({ dataType, shape }) => `${dataType}[${shape.join(', ')}]`;

/** How bytes become values: `byte * scale + offset`, for each channel or for all. @type {Record<string, number[][]>} */
const SCALINGS = {
  unit: [[1 / 255, 0]],
  signed: [[1 / 127.5, -1]],
  bytes: [[1, 0]],
  imagenet: [[0.485, 0.229], [0.456, 0.224], [0.406, 0.225]].map(([mean, deviation]) => [1 / 255 / deviation, -mean / deviation]),
};

const TOP = 5, TABLE_SIZE = 8, IMAGE_SIDE = 224;
const MOST_RUNS = 10, MOST_TIME = 1000;

class Page {
  /** @type {Api.Model | undefined} */
  #model;
  /** @type {CanvasImageSource | undefined} */
  #picture;
  #loadTime = 0;
  #isDescribed = false;

  start() {
    byId('backend').value = new URLSearchParams(location.search).get('backend') ?? 'auto';
    byId('backend').onchange = () => this.#reload();
    byId('run').onclick = () => this.#run();
    byId('scaling').onchange = byId('invert').onchange = () => this.#run();
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
    byId('run').disabled = state === 'loading' || state === 'running' || !this.#model;
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
    byId('arguments').textContent = model.inputs.map(argument).join('');
    byId('drop').hidden = byId('scaling-field').hidden = !image;
    if (image?.image?.preparation) byId('scaling-field').hidden = true;
    byId('generated').hidden = model.inputs.every((port) => port.image);
    byId('invert-field').hidden = image?.image?.channels !== 1 || image.image.preparation !== undefined;
    if (image) byId('scaling').value = likelyScaling(image);
    for (const symbol of symbolsOf(model)) byId('fields').prepend(this.#sizeField(symbol));
  }

  /** @param {string} symbol */
  #sizeField(symbol) {
    const label = document.createElement('label'), input = document.createElement('input');
    const { height, width } = this.#image?.image ?? {};
    Object.assign(input, { type: 'number', min: '1', value: symbol === height || symbol === width ? IMAGE_SIDE : 1 });
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

  /** Draws the picture as the model sees it, and gives its values. @param {Api.Port} port */
  #pixels(port) {
    const image = /** @type {NonNullable<Api.Port['image']>} */ (port.image);
    const { layout, channels } = image, { context, width, height } = this.#draw(image);
    const bytes = context.getImageData(0, 0, width, height).data, area = width * height;
    const scaling = SCALINGS[byId('scaling').value], invert = channels === 1 && byId('invert').checked ? 255 : 0;
    const values = new Float32Array(area * channels);
    for (let c = 0; c < channels; ++c) {
      const [scale, offset] = scaling[c] ?? scaling[0], start = layout === 'nchw' ? c * area : c, step = layout === 'nchw' ? 1 : channels;
      for (let p = 0; p < area; ++p) values[start + p * step] = (bytes[4 * p + c] ^ invert) * scale + offset;
    }
    return values;
  }

  /** @param {NonNullable<Api.Port['image']>} image */
  #draw({ channels, ...image }) {
    const canvas = byId('preview'), width = this.#sizeOf(image.width), height = this.#sizeOf(image.height);
    Object.assign(canvas, { width, height }).classList.toggle('large', width > 64);
    const context = canvas.getContext('2d', { willReadFrequently: true });
    if (channels === 1) context.filter = 'grayscale(1)';
    if (this.#picture) context.drawImage(this.#picture, 0, 0, width, height);
    else drawSample(context, width, height);
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
      for (let i = 0; i < count; ++i) values[i] = port.dataType[0] === 'f' ? Math.sin(i * 12.9898) : i % 2;
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
        const before = performance.now();
        outputs = await model.run(/** @type {any} */ (inputs));
        times.push(performance.now() - before);
      } while (times.length < MOST_RUNS && performance.now() - start < MOST_TIME);
      byId('outputs').replaceChildren(...model.outputs.map((port) => showTensor(port, outputs[port.name])));
      this.#showTimes(model, times);
    });
  }

  /** @param {Api.Model} model @param {number[]} times */
  #showTimes(model, times) {
    byId('times').hidden = false;
    byId('chosen').textContent = `${model.backend} (${model.backendReason})`;
    byId('load-time').textContent = milliseconds(this.#loadTime);
    byId('first-time').textContent = milliseconds(times[0]);
    const median = [...times].sort((a, b) => a - b)[times.length >> 1];
    byId('median-time').textContent = `${milliseconds(median)} (runs: ${times.length})`;
  }
}

/** @param {Api.Model} model names that are the size of an input */
function symbolsOf(model) {
  // A picture brings its own size along.
  const sizesOf = (/** @type {Api.Port} */ { shape, image }) => image?.preparation ? [shape[0], image.height, image.width] : shape;
  const sizes = model.inputs.flatMap(sizesOf).filter((size) => typeof size === 'string');
  return new Set(/** @type {string[]} */ (sizes));
}

/** What models of this kind are usually trained on. @param {Api.Port} port */
function likelyScaling({ dataType, image }) {
  if (dataType[0] !== 'f') return 'bytes';
  if (image?.channels === 1) return 'unit';
  return image?.layout === 'nchw' ? 'imagenet' : 'signed';
}

/** @param {CanvasRenderingContext2D} context @param {number} width @param {number} height */
function drawSample(context, width, height) {
  const sky = context.createLinearGradient(0, 0, width, height);
  ['#123', '#58a', '#fc8'].forEach((color, i) => sky.addColorStop(i / 2, color));
  context.fillStyle = sky;
  context.fillRect(0, 0, width, height);
}

/** @param {Api.Port} port as a line of JavaScript */
const argument = ({ name, shape, dataType, image }) => image?.preparation ? `  ${JSON.stringify(name)}: picture,\n` : `  ${JSON.stringify(name)}: { data, shape: [${shape.join(', ')}] },   // ${dataType}\n`;

// ---- Outputs

/** @param {Api.Port} port @param {Api.Tensor} tensor @returns {HTMLElement} */
function showTensor(port, { data, shape, dataType }) {
  const section = byId('output').content.firstElementChild.cloneNode(true);
  const part = (/** @type {string} */ selector) => section.querySelector(selector);
  part('h2').textContent = port.name;
  part('small').textContent = `${dataType}[${shape.join(', ')}]`;
  const values = Array.from(/** @type {ArrayLike<any>} */ (data), Number);
  const isVector = values.length > 1 && shape.filter((size) => size > 1).length === 1;
  if (isVector && port.dataType[0] === 'f') showTop(part('ol'), values, port.labels);
  else if (port.image && shape.at(-2) !== 1) showImage(part('canvas'), port.image, values, shape);
  else showTable(part('.scroll'), part('small'), values, shape);
  return section;
}

/** @param {HTMLElement} list @param {number[]} values @param {readonly string[]} [labels] */
function showTop(list, values, labels) {
  const sum = values.reduce((all, value) => all + value, 0);
  const areChances = values.every((value) => value >= 0) && Math.abs(sum - 1) < 0.01;
  const order = [...values.keys()].sort((a, b) => values[b] - values[a]).slice(0, TOP);
  const least = areChances ? 0 : Math.min(...values), most = areChances ? 1 : values[order[0]];
  list.hidden = false;
  list.replaceChildren(...order.map((index) => {
    const item = document.createElement('li'), fill = document.createElement('i');
    const name = document.createElement('b'), value = document.createElement('span');
    item.className = 'bar';
    fill.style.width = `${100 * (values[index] - least) / (most - least || 1)}%`;
    name.textContent = labels?.[index] ?? String(index);
    value.textContent = areChances ? `${(100 * values[index]).toFixed(1)} %` : values[index].toPrecision(4);
    item.append(fill, name, value);
    return item;
  }));
}

/** @param {HTMLCanvasElement} canvas @param {NonNullable<Api.Port['image']>} image @param {number[]} values @param {number[]} shape */
function showImage(canvas, { layout, channels }, values, shape) {
  const isPlanar = layout === 'nchw', [height, width] = shape.slice(isPlanar ? -2 : -3), area = width * height;
  // Networks give 0 to 1, -1 to 1 or 0 to 255.
  const most = values.reduce((a, b) => Math.max(a, b)), least = values.reduce((a, b) => Math.min(a, b));
  const [scale, offset] = most > 2 ? [1, 0] : least < -0.1 ? [127.5, 127.5] : [255, 0];
  const picture = new ImageData(width, height);
  for (let p = 0; p < area; ++p) {
    for (let c = 0; c < 4; ++c) {
      const from = Math.min(c, channels - 1), value = values[isPlanar ? from * area + p : p * channels + from];
      picture.data[4 * p + c] = c === 3 ? 255 : value * scale + offset;
    }
  }
  Object.assign(canvas, { width, height, hidden: false, ariaLabel: 'output as a picture' });
  canvas.getContext('2d')?.putImageData(picture, 0, 0);
}

/** @param {HTMLElement} scroll @param {HTMLElement} note @param {number[]} values @param {number[]} shape */
function showTable(scroll, note, values, shape) {
  const columns = shape.at(-1) ?? 1, rows = Math.ceil(values.length / (columns || 1));
  const table = /** @type {HTMLTableElement} */ (scroll.firstElementChild);
  scroll.hidden = false;
  for (let r = 0; r < Math.min(rows, TABLE_SIZE); ++r) {
    const row = table.insertRow();
    for (let c = 0; c < Math.min(columns, TABLE_SIZE); ++c) row.insertCell().textContent = String(+values[r * columns + c].toPrecision(4));
  }
  if (rows > TABLE_SIZE || columns > TABLE_SIZE) note.textContent += `, of which the first ${Math.min(rows, TABLE_SIZE)} × ${Math.min(columns, TABLE_SIZE)}`;
}

byId('waiting').hidden = true;
document.querySelector('main')?.removeAttribute('hidden');
new Page().start();
