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

const TOP = 5, TABLE_SIZE = 8, IMAGE_SIDE = 224, TOKENS = 8;
const BACKENDS = { webgpu: 'GPU (WebGPU)', wasm: 'CPU (WebAssembly)' };
const MOST_KERNELS = 12, MOST_RUNS = 10, MOST_TIME = 1000, LEAST_MAP = 16, MOST_CLASSES = 256;

class Page {
  /** @type {Api.Model | undefined} */
  #model;
  /** @type {CanvasImageSource | undefined} */
  #picture;
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
    byId('copy').onclick = () => navigator.clipboard.writeText(byId('snippet').textContent);
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
    const picture = /** @type {any} */ (this.#picture), fit = image.preparation ? image.preparation.resize : byId('fit').value;
    if (picture && fit === 'fill') context.drawImage(picture, 0, 0, width, height);
    else if (picture) {
      const scale = Math[fit === 'contain' ? 'min' : 'max'](width / picture.width, height / picture.height);
      const [w, h] = [picture.width * scale, picture.height * scale];
      context.drawImage(picture, (width - w) / 2, (height - h) / 2, w, h);
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
      byId('outputs').replaceChildren(...model.outputs.map((port) => showTensor(port, outputs[port.name], !!this.#image)));
      byId('snippet').textContent = snippet(model, inputs, byId('scaling').value);
      this.#showTimes(model, times);
    });
  }

  /** Shows how long each kernel takes, and offers it as a file for the report. */
  async #measure() {
    const model = this.#model;
    if (!model) return;
    await this.#attempt('running', async () => {
      const inputs = Object.fromEntries(model.inputs.map((port) => [port.name, this.#valuesFor(port)]));
      const profile = await model.profile(/** @type {any} */ (inputs)), most = profile.kernels[0]?.ms ?? 0;
      byId('kernels').hidden = false;
      byId('kernels').replaceChildren(...profile.kernels.slice(0, MOST_KERNELS).map(({ kernel, ms, calls }) =>
        bar(calls > 1 ? `${kernel}, ${calls} times` : kernel, milliseconds(ms), ms / (most || 1))));
      byId('save-profile').hidden = false;
      offer(byId('save-profile'), `${model.name}.profile.json`, JSON.stringify(profile));
    });
  }

  /** Runs the model on the other backend as well, and says how far the results and times are apart. */
  async #compare() {
    const model = this.#model;
    if (!model) return;
    await this.#attempt('running', async () => {
      const inputs = /** @type {any} */ (Object.fromEntries(model.inputs.map((port) => [port.name, this.#valuesFor(port)])));
      const backend = model.backend === 'wasm' ? 'webgpu' : 'wasm', other = await load({ backend });
      try {
        const [here, there] = [await timed(model, inputs), await timed(other, inputs)];
        byId('comparison').hidden = false;
        byId('comparison').textContent = `${BACKENDS[model.backend]} took ${milliseconds(here.ms)}, ${BACKENDS[backend]} ${milliseconds(there.ms)}. `
          + model.outputs.map(({ name }) => `${name} differs by at most ${largestDifference(here.outputs[name].data, there.outputs[name].data).toPrecision(3)}.`).join(' ');
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

/** Infinite values and NaN differ from all but their like. @param {any} a @param {any} b */
function largestDifference(a, b) {
  let most = 0;
  for (let i = 0; i < a.length; ++i) {
    const x = Number(a[i]), y = Number(b[i]), difference = Object.is(x, y) ? 0 : Math.abs(x - y);
    if (!(difference <= most)) most = Number.isNaN(difference) ? Infinity : difference;
  }
  return most;
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

/** What models of this kind are usually trained on. @param {Api.Port} port */
function likelyScaling({ dataType, image }) {
  if (dataType[0] !== 'f') return 'bytes';
  if (image?.channels === 1) return 'unit';
  return image?.layout === 'nchw' ? 'imagenet' : 'signed';
}

/**
 * A digit for models of small grey pictures, and a sun above hills for all others.
 *
 * @param {CanvasRenderingContext2D} context @param {number} width @param {number} height @param {number} channels
 */
function drawSample(context, width, height, channels) {
  if (channels === 1 && Math.max(width, height) <= 64) return drawDigit(context, width, height);
  const sky = context.createLinearGradient(0, 0, 0, height);
  ['#3a78c2', '#a9cdf0', '#fbe3b5'].forEach((color, i) => sky.addColorStop(i / 2, color));
  context.fillStyle = sky;
  context.fillRect(0, 0, width, height);
  const ellipse = (/** @type {string} */ color, /** @type {number[]} */ [x, y, w, h]) => {
    context.fillStyle = color;
    context.beginPath();
    context.ellipse(x * width, y * height, w * width, h * height, 0, 0, 2 * Math.PI);
    context.fill();
  };
  ellipse('#fff3c4', [0.72, 0.3, 0.09, 0.09]);
  ellipse('#5d8a4c', [0.2, 1.05, 0.6, 0.4]);
  ellipse('#3f6d3a', [0.85, 1.1, 0.6, 0.38]);
}

/** A seven, white on black, drawn as by hand. @param {CanvasRenderingContext2D} context @param {number} width @param {number} height */
function drawDigit(context, width, height) {
  context.fillStyle = '#000';
  context.fillRect(0, 0, width, height);
  Object.assign(context, { strokeStyle: '#fff', lineWidth: Math.max(1, width / 11), lineCap: 'round', lineJoin: 'round' });
  context.beginPath();
  [[0.28, 0.26], [0.7, 0.26], [0.44, 0.76]].forEach(([x, y]) => context.lineTo(x * width, y * height));
  context.stroke();
}

// ---- Inputs that are no pictures

/** What an element most likely means, by the names that exporters give. @param {Api.Port} port @returns {(i: number) => number} */
function likelyValues({ name, dataType, range }) {
  if (/mask/i.test(name)) return () => 1;
  if (/type|segment/i.test(name)) return () => 0;
  if (/position/i.test(name)) return (i) => i;
  if (dataType[0] === 'f') return (i) => Math.sin(i * 12.9898);
  const rows = range ? range.high + 1 : dataType === 'bool' ? 2 : 100;
  return (i) => Math.min(rows - 1, 1 + i * 7 % Math.max(1, rows - 1));
}

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

// ---- How to use it

/**
 * A script that runs when it is pasted into a page beside the model.
 *
 * @param {Api.Model} model @param {Record<string, any>} inputs of the run that is shown @param {string} scaling
 */
function snippet(model, inputs, scaling) {
  const isPicture = (/** @type {Api.Port} */ port) => port.image?.preparation !== undefined, pictures = model.inputs.some((port) => port.image);
  const imports = model.inputs.some((port) => port.image && !isPicture(port)) ? 'imageTensor, load' : 'load';
  const key = (/** @type {string} */ name) => /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
  const settings = { unit: '', signed: ", range: '-1..1'", bytes: ", range: '0..255'", imagenet: ', mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]' };
  const lines = model.inputs.map((port) => {
    const { name, dataType, image } = port, { shape = [] } = inputs[name] ?? {}, count = shape.reduce((/** @type {number} */ n, /** @type {number} */ size) => n * size, 1);
    if (isPicture(port)) return `  ${key(name)}: picture,`;
    if (image) {
      const [height, width] = image.layout === 'nchw' ? shape.slice(-2) : shape.slice(-3, -1);
      const more = `${image.layout === 'nhwc' ? ", layout: 'nhwc'" : ''}${image.channels === 1 ? ', channels: 1' : ''}${dataType === 'uint8' ? ", dataType: 'uint8'" : ''}`;
      return `  ${key(name)}: await imageTensor(picture, { width: ${width}, height: ${height}${settings[/** @type {keyof typeof settings} */ (scaling)]}${more} }),`;
    }
    if (Array.isArray(inputs[name])) return `  ${key(name)}: ${JSON.stringify(inputs[name])},`;
    return `  ${key(name)}: { data: new ${ARRAY_NAMES[dataType] ?? 'Float32Array'}(${count})${/mask/i.test(name) ? `.fill(${dataType.endsWith('64') && dataType !== 'float64' ? '1n' : 1})` : ''}, shape: [${shape.join(', ')}] },   // ${dataType}`;
  });
  return [
    `import { ${imports} } from './model.js';`, '',
    ...pictures ? ["// An <img>, <canvas>, <video> or file of yours; here a grey square.", 'const picture = new ImageData(64, 64);'] : [],
    'const model = await load();', 'const outputs = await model.run({', ...lines, '});', `console.log(outputs[${JSON.stringify(model.outputs[0].name)}].data);`, '',
  ].join('\n');
}

/** @type {Record<string, string>} */
const ARRAY_NAMES = {
  bool: 'Uint8Array', int8: 'Int8Array', uint8: 'Uint8Array', int16: 'Int16Array', uint16: 'Uint16Array', int32: 'Int32Array', uint32: 'Uint32Array',
  int64: 'BigInt64Array', uint64: 'BigUint64Array', float64: 'Float64Array',
};

// ---- Outputs

/** @param {Api.Port} port @param {Api.Tensor} tensor @param {boolean} isOfPicture @returns {HTMLElement} */
function showTensor(port, { data, shape, dataType }, isOfPicture) {
  const section = byId('output').content.firstElementChild.cloneNode(true);
  const part = (/** @type {string} */ selector) => section.querySelector(selector);
  part('h2').textContent = port.name;
  part('small').textContent = `${dataType}[${shape.join(', ')}]`;
  const values = Array.from(/** @type {ArrayLike<any>} */ (data), Number);
  const odd = values.filter((value) => !Number.isFinite(value)).length;
  part('.warning').hidden = !odd;
  part('.warning').textContent = `${odd} of ${values.length} values are no numbers (NaN or infinite). Most often an input is not what the model was trained on.`;
  offer(part('.save'), `${port.name.replace(/[^\w.-]+/g, '_')}.json`, JSON.stringify({ shape, dataType, data: values }));
  const classes = isOfPicture ? classesOf(port, values, shape) : undefined;
  const isVector = values.length > 1 && shape.filter((size) => size > 1).length === 1;
  if (isVector && port.dataType[0] === 'f') showTop(part('ol'), values, port.labels);
  else if (port.image && shape.at(-2) !== 1) showImage(part('canvas'), port.image, values, shape);
  else if (classes) showClasses(part('canvas'), part('ol'), port, classes, shape);
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
  list.replaceChildren(...order.map((index) => bar(labels?.[index] ?? String(index),
    areChances ? `${(100 * values[index]).toFixed(1)} %` : values[index].toPrecision(4), (values[index] - least) / (most - least || 1))));
}

/** A line of a chart. @param {string} text @param {string} number @param {number} part from 0 to 1 */
function bar(text, number, part) {
  const item = document.createElement('li'), fill = document.createElement('i');
  const name = document.createElement('b'), value = document.createElement('span');
  item.className = 'bar';
  fill.style.width = `${100 * part}%`;
  name.textContent = text;
  value.textContent = number;
  item.append(fill, name, value);
  return item;
}

/** Makes a link save a text as a file. @param {HTMLAnchorElement} link @param {string} name @param {string} text */
function offer(link, name, text) {
  if (link.href) URL.revokeObjectURL(link.href);
  Object.assign(link, { download: name, href: URL.createObjectURL(new Blob([text], { type: 'application/json' })) });
}

/** @param {HTMLCanvasElement} canvas @param {NonNullable<Api.Port['image']>} image @param {number[]} values @param {number[]} shape */
function showImage(canvas, { layout, channels }, values, shape) {
  const isPlanar = layout === 'nchw', [height, width] = shape.slice(isPlanar ? -2 : -3), area = width * height;
  // Networks give 0 to 1, -1 to 1 or 0 to 255, and overshoot a little at edges.
  const sorted = Float32Array.from(values).sort(), most = sorted[Math.floor(0.95 * (sorted.length - 1))], least = sorted[Math.floor(0.05 * (sorted.length - 1))];
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

/**
 * The class of each point of a picture: the likeliest one where an output has a value for each class,
 * or what the model says itself. Undefined for outputs that look like neither.
 *
 * @param {Api.Port} port @param {number[]} values @param {number[]} shape
 */
function classesOf({ dataType }, values, shape) {
  const [height, width] = shape.slice(-2), area = height * width, isFloat = dataType[0] === 'f';
  if (shape.length < 3 || Math.min(height, width) < LEAST_MAP) return undefined;
  if (!isFloat) return values.length === area && values.every((value) => value >= 0 && value < MOST_CLASSES) ? values : undefined;
  const classes = values.length / area;
  if (shape.length !== 4 || classes !== shape[1] || classes < 2 || classes > MOST_CLASSES) return undefined;
  return Array.from({ length: area }, (_, p) => {
    let best = 0;
    for (let c = 1; c < classes; ++c) if (values[c * area + p] > values[best * area + p]) best = c;
    return best;
  });
}

/**
 * Colours each point by its class, and lists those that cover most.
 *
 * @param {HTMLCanvasElement} canvas @param {HTMLElement} list @param {Api.Port} port @param {number[]} classes @param {number[]} shape
 */
function showClasses(canvas, list, port, classes, shape) {
  const [height, width] = shape.slice(-2), picture = new ImageData(width, height), points = new Array(MOST_CLASSES).fill(0);
  classes.forEach((index, p) => {
    ++points[index];
    picture.data.set([...colorOf(index), 255], 4 * p);
  });
  Object.assign(canvas, { width, height, hidden: false, ariaLabel: 'the class of each point' });
  canvas.getContext('2d')?.putImageData(picture, 0, 0);
  list.hidden = false;
  const order = [...points.keys()].filter((c) => points[c]).sort((a, b) => points[b] - points[a]).slice(0, TOP);
  list.replaceChildren(...order.map((c) => {
    const item = bar(port.labels?.[c] ?? `class ${c}`, `${(100 * points[c] / classes.length).toFixed(1)} %`, points[c] / classes.length);
    item.style.borderLeft = `.5rem solid rgb(${colorOf(c)})`;
    return item;
  }));
}

/** Colours that differ for classes that are near: the bits of the number, spread over red, green and blue. @param {number} index */
function colorOf(index) {
  const color = [0, 0, 0];
  for (let bit = 0; bit < 8; ++bit) color[bit % 3] |= (index >> bit & 1) << 7 - Math.floor(bit / 3);
  return color;
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
