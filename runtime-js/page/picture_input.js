// An input that takes pictures: where they come from, how they are prepared, and what the model sees of them.

/** @import * as Api from '../model.js' */
/** @import { Helper } from './helper.js' */
/** @import { Sizes } from './sizes.js' */

import { keep, kept } from './address.js';
import { make } from './dom.js';
import { Live, whyNoCamera } from './live.js';
import { Preparation } from './preparation.js';
import { canvasOf, samplesFor } from './samples.js';

/** @typedef {NonNullable<Api.Port['image']>} Image */

/**
 * @typedef {object} Around what an input is part of
 * @property {Helper} helper
 * @property {Sizes} sizes
 * @property {() => void} changed runs the model
 * @property {(problem: string) => void} failed
 * @property {(input: PictureInput) => Promise<void>} frame runs the model with a live frame, which is then `input.frame`
 */

const THUMBNAIL = 0.125, RATE_EVERY = 500;

/** @param {Blob} file */
const isVideo = (file) => file.type.startsWith('video/');

export class PictureInput {
  #image; #around;
  /** Stays until another one comes. @type {any} */
  #still;
  /** While it is looked at. @type {any} */
  #frame;
  #live;
  #preparation;
  #prefix;
  preview = make('canvas', { width: 1, height: 1, ariaLabel: 'What the model sees' });
  #file = make('input', { type: 'file', accept: 'image/*,video/*' });
  #drop = make('label', { className: 'drop' }, this.#file, this.preview, make('span', {}, make('b', {}, 'Choose a picture or video'), ', drop or paste it'));
  #samples = make('div', { className: 'samples', role: 'group', ariaLabel: 'Sample pictures' });
  #camera = make('button', { type: 'button', className: 'quiet' }, 'Use the camera');
  #cameras = make('select', { hidden: true, ariaLabel: 'Which camera' });
  #stop = make('button', { type: 'button', className: 'quiet', hidden: true }, 'Stop');
  #rate = make('span', { className: 'soft rate' });
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #ticking;

  /** @param {Api.Port} port @param {Around} around @param {{prefix: string, title: boolean}} naming */
  constructor(port, around, { prefix, title }) {
    this.port = port;
    this.#image = /** @type {Image} */ (port.image);
    this.#around = around;
    this.#prefix = prefix;
    this.#preparation = new Preparation(port, prefix, () => this.#live.isOn || around.changed());
    this.#live = new Live((video) => this.#lookAt(video));
    this.preview.setAttribute('role', 'img');
    this.#file.onchange = () => this.take(this.#file.files?.[0]);
    this.#camera.onclick = () => this.#start(() => this.#live.startCamera(undefined, this.#ended));
    this.#cameras.onchange = () => this.#start(() => this.#live.startCamera(this.#cameras.value, this.#ended));
    this.#stop.onclick = () => this.#stopLive();
    this.element = make('div', { className: 'picture' }, ...title ? [make('h3', {}, port.name)] : [], this.#drop, this.#samples,
      make('p', { className: 'actions' }, this.#camera, this.#cameras, this.#stop, this.#rate), this.#preparation.element);
    this.element.dataset.input = port.name;
    this.#addSamples();
    const problem = whyNoCamera();
    if (problem) {
      this.#camera.disabled = true;
      this.#rate.textContent = `No camera: ${problem}.`;
    }
  }

  /** Names elements, to be found by scripts. @param {(name: string) => string} idOf */
  name(idOf) {
    const named = { drop: this.#drop, file: this.#file, preview: this.preview, camera: this.#camera, cameras: this.#cameras, stop: this.#stop, rate: this.#rate };
    for (const [name, element] of Object.entries(named)) element.id = idOf(name);
    this.#preparation.name(idOf);
  }

  get isLive() {
    return this.#live.isOn;
  }

  /** What is chosen, as imageTensor takes it. */
  get preparation() {
    return this.#image.preparation ? {} : this.#preparation.options;
  }

  // ---- Where pictures come from

  #addSamples() {
    const samples = samplesFor(this.#image), wanted = samples.find(({ name }) => name === kept(`${this.#prefix}sample`)) ?? samples[0];
    this.#samples.append(...samples.map((sample) => {
      const button = make('button', { type: 'button', className: 'sample', title: sample.name, ariaLabel: `sample: ${sample.name}` }, canvasOf(sample, THUMBNAIL * 640 / sample.width));
      button.dataset.sample = sample.name;
      button.onclick = () => {
        keep(`${this.#prefix}sample`, sample.name);
        this.#show(canvasOf(sample), sample.name);
      };
      return button;
    }));
    this.#still = canvasOf(wanted);
    this.#mark(wanted.name);
  }

  /** @param {string} [name] of a sample */
  #mark(name) {
    for (const button of this.#samples.children) button.ariaPressed = String(/** @type {HTMLElement} */ (button).dataset.sample === name);
  }

  /** @param {any} picture @param {string} [sample] */
  #show(picture, sample) {
    this.#endLive();
    this.#still.close?.();
    this.#still = picture;
    this.#mark(sample);
    this.#around.changed();
  }

  /** @param {File | undefined} file that was chosen, dropped or pasted */
  async take(file) {
    if (!file) return;
    if (isVideo(file)) return this.#start(() => this.#live.startFile(file, this.#ended));
    try {
      const picture = await createImageBitmap(file, { imageOrientation: 'from-image', premultiplyAlpha: 'none' });
      // It can be read, by the helper as well: posting the file copies no pixel.
      if (!this.#image.preparation) picture.close();
      this.#show(this.#image.preparation ? picture : file);
    } catch {
      this.#around.failed(`${file.name} is not a picture that this browser can read.`);
    } finally {
      // The same file may be chosen again.
      this.#file.value = '';
    }
  }

  set isOver(/** @type {boolean} */ isOver) {
    this.#drop.classList.toggle('over', isOver);
  }

  // ---- Live pictures

  /** @param {() => Promise<void>} start */
  async #start(start) {
    clearInterval(this.#ticking);
    this.#camera.disabled = true;
    this.#rate.textContent = 'Starting';
    try {
      await start();
    } catch (error) {
      this.#ended(/** @type {Error} */ (error));
      return;
    }
    if (!this.#live.isOn) return;
    this.#mark();
    this.#stop.hidden = false;
    this.#stop.focus();
    this.#rate.textContent = '';
    this.#ticking = setInterval(() => this.#rate.textContent = this.#live.rate || this.#rate.textContent, RATE_EVERY);
    await this.#listCameras();
  }

  async #listCameras() {
    const cameras = await this.#live.cameras().catch(() => []);
    this.#cameras.hidden = cameras.length < 2;
    this.#cameras.replaceChildren(...cameras.map(({ id, label, isActive }) => make('option', { value: id, selected: isActive }, label)));
  }

  #ended = (/** @type {Error | undefined} */ error) => {
    this.#endLive();
    if (error) this.#around.failed(error.message);
  };

  #endLive() {
    clearInterval(this.#ticking);
    this.#live.stop();
    this.#keepFrame();
    this.#stop.hidden = this.#cameras.hidden = true;
    this.#camera.disabled = whyNoCamera() !== '';
    if (!this.#camera.disabled) this.#rate.textContent = '';
  }

  #stopLive() {
    this.#endLive();
    this.#camera.focus();
    // The last frame stays, as a picture.
    this.#around.changed();
  }

  /** @param {HTMLVideoElement} video */
  async #lookAt(video) {
    // A frame of its own stays on the GPU until it is needed elsewhere.
    const frame = this.#frame = typeof VideoFrame === 'function' ? new VideoFrame(video) : await createImageBitmap(video);
    try {
      await this.#around.frame(this);
    } finally {
      if (this.#frame === frame) this.#keepFrame();
    }
  }

  /** The last frame is what stays. One that is looked at stays open. */
  #keepFrame() {
    if (!this.#frame) return;
    this.#still.close?.();
    this.#still = this.#frame;
    this.#frame = undefined;
  }

  // ---- What the model is given

  /** The picture as a value of `run`; draws what the model sees of it. @returns {Promise<any>} */
  async value() {
    const { sizes, helper } = this.#around, { preparation } = this.#image, source = this.#frame ?? this.#still, shape = sizes.shape(preparation ? this.port.shape.slice(0, 1) : this.port.shape);
    const width = sizes.of(this.#image.width), height = sizes.of(this.#image.height);
    if (preparation && this.#frame) {
      this.#drawFrame(source, width, height);
      return Array(shape[0]).fill(source);
    }
    // Canvases cannot be posted.
    const picture = source instanceof HTMLCanvasElement ? await createImageBitmap(source, { premultiplyAlpha: 'none' }) : source;
    const { tensor, preview } = await helper.call('picture', { source: picture, options: this.#preparation.optionsFor(width, height) });
    Object.assign(this.preview, { width, height }).classList.toggle('large', width > 64);
    this.preview.getContext('2d')?.putImageData(preview, 0, 0);
    if (preparation) return Array(shape[0]).fill(source);
    return { ...tensor, data: repeat(tensor.data, shape.reduce((n, size) => n * size, 1) / tensor.data.length), shape };
  }

  /** Without reading a pixel. @param {any} frame @param {number} width @param {number} height */
  #drawFrame(frame, width, height) {
    const { resize, crop, align, fill } = /** @type {NonNullable<Image['preparation']>} */ (this.#image.preparation), [w, h] = [frame.displayWidth ?? frame.width, frame.displayHeight ?? frame.height];
    const [x, y] = [width / w / crop, height / h / crop], scale = Math[resize === 'contain' ? 'min' : 'max'](x, y), part = align === 'start' ? 0 : 0.5;
    const [across, down] = resize === 'fill' ? [width / crop, height / crop] : [w * scale, h * scale], [red, green = red, blue = red] = [fill].flat();
    Object.assign(this.preview, { width, height }).classList.toggle('large', width > 64);
    const context = /** @type {CanvasRenderingContext2D} */ (this.preview.getContext('2d'));
    if (this.#image.channels === 1) context.filter = 'grayscale(1)';
    context.fillStyle = `rgb(${red}, ${green}, ${blue})`;
    context.fillRect(0, 0, width, height);
    context.drawImage(frame, (width - across) * part, (height - down) * part, across, down);
  }
}

/** The same picture in all places of a batch. @param {any} data @param {number} times */
function repeat(data, times) {
  if (times === 1) return data;
  const all = new data.constructor(data.length * times);
  for (let i = 0; i < times; ++i) all.set(data, i * data.length);
  return all;
}
