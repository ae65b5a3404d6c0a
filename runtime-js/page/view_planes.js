// Outputs over the picture's points: pictures, areas of classes, heat maps.

/** @import { Planes, Result, Run } from './kinds.js' */

import { bar, choice, field, make, numberField, slider } from './dom.js';
import { planesIn } from './kinds.js';
import { Stage, colorOf, cssOf } from './stage.js';
import { pacer, percentiles, short } from './values.js';

const ROWS = 32, MOST_SHOWN = 12;
/** What becomes black and white. @type {Record<string, [number, number]>} */
const RANGES = { unit: [0, 1], signed: [-1, 1], bytes: [0, 255] };
const RANGE_NAMES = { auto: 'judged by the values', unit: '0 to 1', signed: '−1 to 1', bytes: '0 to 255', spread: 'from 1 % to 99 % of them' };

/** A setting that is there where there are several pictures. @param {() => void} changed */
function pictureChoice(changed) {
  const input = numberField({ value: 0 }, changed), label = field('Picture', input);
  return {
    label,
    /** @param {Planes} planes */
    among({ count }) {
      label.hidden = count === 1;
      input.max = String(count - 1);
      return Math.min(count - 1, Math.max(0, input.valueAsNumber || 0));
    },
  };
}

/** @param {Planes} planes @param {number} index of a picture */
const startOf = ({ channels, height, width }, index) => index * channels * height * width;

// ---- Pictures

export class PictureView {
  body = make('div');
  canvas = make('canvas', { ariaLabel: 'output as a picture' });
  #range; #order; #orderField; #which;
  #note = make('p', { className: 'soft' });

  /** @param {() => void} changed */
  constructor(changed) {
    this.canvas.setAttribute('role', 'img');
    this.#which = pictureChoice(changed);
    this.#range = choice(RANGE_NAMES, 'auto', changed);
    this.#order = choice({ rgb: 'red, green, blue', bgr: 'blue, green, red' }, 'rgb', changed);
    this.#orderField = field('Colours', this.#order);
    this.settings = [field('Values', this.#range), this.#orderField, this.#which.label];
    this.body.append(this.canvas, this.#note);
  }

  /** @param {Result} result @param {Run} run */
  async show(result, run) {
    const planes = /** @type {Planes} */ (planesIn(result, run)), { width, height, channels } = planes, { numbers } = result;
    const name = this.#range.value === 'auto' ? likelyRange(result) : this.#range.value;
    const [low, high] = RANGES[name] ?? percentiles(numbers, [0.01, 0.99]);
    this.#orderField.hidden = channels === 1;
    this.#note.textContent = `Black is ${short(low)}, white is ${short(high)}.`;
    const pixels = await pixelsOf(numbers, planes, startOf(planes, this.#which.among(planes)), low, high, this.#order.value === 'bgr');
    Object.assign(this.canvas, { width, height }).classList.toggle('pixels', width < 128);
    this.canvas.getContext('2d')?.putImageData(pixels, 0, 0);
  }
}

/** Networks give 0 to 1, -1 to 1 or 0 to 255, and overshoot a little at edges. @param {Result} result */
function likelyRange({ numbers, tensor: { dataType } }) {
  if (dataType[0] !== 'f') return 'bytes';
  const [least, most] = percentiles(numbers, [0.05, 0.95]);
  return most > 2 ? 'bytes' : least < -0.1 ? 'signed' : 'unit';
}

/** @param {ArrayLike<number>} numbers @param {Planes} planes @param {number} start @param {number} low @param {number} high @param {boolean} isBgr */
async function pixelsOf(numbers, { width, height, channels, pointStep, channelStep }, start, low, high, isBgr) {
  const picture = new ImageData(width, height), { data } = picture, scale = 255 / (high - low || 1), pace = pacer();
  const from = [0, 1, 2].map((c) => start + channelStep * (channels < 3 ? 0 : isBgr ? 2 - c : c)), alpha = channels === 4 ? start + 3 * channelStep : -1;
  for (let y = 0; y < height; ++y) {
    for (let p = y * width; p < (y + 1) * width; ++p) {
      const at = p * pointStep;
      // The array rounds and clamps.
      for (let c = 0; c < 3; ++c) data[4 * p + c] = (numbers[from[c] + at] - low) * scale;
      data[4 * p + 3] = alpha < 0 ? 255 : (numbers[alpha + at] - low) * scale;
    }
    if (y % ROWS === 0) await pace();
  }
  return picture;
}

// ---- Areas of classes

export class SegmentsView {
  body = make('div');
  #stage = new Stage();
  canvas = this.#stage.canvas;
  #list = make('ol', { className: 'legend' });
  #note = make('p', { className: 'soft' });
  #opacity; #which;
  /** Classes that are not drawn. @type {Set<number>} */
  #hidden = new Set();
  /** @type {{ classes: Uint8Array, planes: Planes, picture: HTMLCanvasElement | undefined } | undefined} */
  #shown;

  /** @param {() => void} changed */
  constructor(changed) {
    this.#which = pictureChoice(changed);
    this.#opacity = slider('Opacity', 0.6, () => this.#paint());
    this.settings = [this.#opacity.label, this.#which.label];
    this.body.append(this.canvas, this.#list, this.#note);
  }

  /** @param {Result} result @param {Run} run */
  async show(result, run) {
    const planes = /** @type {Planes} */ (planesIn(result, run)), classes = await classesOf(result, planes, this.#which.among(planes));
    this.#shown = { classes, planes, picture: run.picture };
    this.#opacity.label.hidden = !run.picture;
    this.#listAreas(result, classes);
    this.#paint();
  }

  /** @param {Result} result @param {Uint8Array} classes */
  #listAreas({ port, summary }, classes) {
    const labels = port.classes ?? port.labels;
    const points = new Uint32Array(256);
    for (let p = 0; p < classes.length; ++p) ++points[classes[p]];
    const order = [...points.keys()].filter((c) => points[c]).sort((a, b) => points[b] - points[a]);
    this.#list.replaceChildren(...order.slice(0, MOST_SHOWN).map((c) => {
      const part = points[c] / classes.length, item = bar(labels?.[c] ?? `class ${c}`, `${(100 * part).toFixed(1)} %`, part, cssOf(areaColor(c)));
      const shown = make('input', { type: 'checkbox', checked: !this.#hidden.has(c), ariaLabel: `show ${labels?.[c] ?? `class ${c}`}` });
      shown.style.accentColor = cssOf(areaColor(c));
      shown.onchange = () => {
        this.#hidden[shown.checked ? 'delete' : 'add'](c);
        this.#paint();
      };
      item.prepend(shown);
      return item;
    }));
    const left = order.length - MOST_SHOWN;
    this.#note.textContent = [left > 0 ? `${left} more classes.` : '', summary.most > 255 && summary.count === classes.length ? 'Classes above 255 are shown as 255.' : ''].filter(Boolean).join(' ');
    this.#note.hidden = !this.#note.textContent;
  }

  #paint() {
    if (!this.#shown) return;
    const { classes, planes: { width, height }, picture } = this.#shown, pixels = new ImageData(width, height);
    const colors = Uint32Array.from({ length: 256 }, (_, c) => this.#hidden.has(c) ? 0 : wordOf(areaColor(c))), words = new Uint32Array(pixels.data.buffer);
    for (let p = 0; p < classes.length; ++p) words[p] = colors[classes[p]];
    this.#stage.begin(picture ?? { width, height }, picture, 'the class of each point');
    this.#stage.lay(pixels, picture ? this.#opacity.input.valueAsNumber : 1);
  }
}

/** Class 0 is what is left, as a rule: grey, so that it is seen and does not shout. @param {number} c */
const areaColor = (c) => c ? colorOf(c - 1) : [120, 128, 140];

/** An opaque pixel as its bytes lie in memory. @param {number[]} color */
const wordOf = ([red, green, blue]) => new Uint32Array(Uint8Array.of(red, green, blue, 255).buffer)[0];

/** The class of each point: the likeliest one where there is a value for each, or what the model says itself. @param {Result} result @param {Planes} planes @param {number} index */
async function classesOf({ numbers, tensor: { dataType } }, planes, index) {
  const { width, height, channels, pointStep, channelStep } = planes, classes = new Uint8Array(width * height), start = startOf(planes, index), pace = pacer();
  const areScores = dataType[0] === 'f' || channels > 1;
  for (let y = 0; y < height; ++y) {
    for (let p = y * width; p < (y + 1) * width; ++p) {
      const at = start + p * pointStep;
      let best = 0, most = numbers[at];
      for (let c = 1; c < channels; ++c) {
        const value = numbers[at + c * channelStep];
        if (value > most) [best, most] = [c, value];
      }
      classes[p] = Math.min(255, areScores ? best : Math.max(0, numbers[at]));
    }
    if (y % ROWS === 0) await pace();
  }
  return classes;
}

// ---- Heat maps

/** From low to high: matplotlib's viridis at nine places. */
const HEAT = [[68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142], [31, 158, 137], [53, 183, 121], [109, 205, 89], [253, 231, 37]];

export class HeatView {
  body = make('div');
  #stage = new Stage();
  canvas = this.#stage.canvas;
  #note = make('p', { className: 'soft' });
  #opacity; #which; #channel; #channelField;
  /** @type {(() => void) | undefined} */
  #paint;

  /** @param {() => void} changed */
  constructor(changed) {
    this.#which = pictureChoice(changed);
    this.#channel = numberField({}, changed);
    Object.assign(this.#channel, { placeholder: 'the strongest' });
    this.#channelField = field('Map', this.#channel);
    this.#opacity = slider('Opacity', 0.7, () => this.#paint?.());
    this.settings = [this.#opacity.label, this.#channelField, this.#which.label];
    this.body.append(this.canvas, this.#note);
  }

  /** @param {Result} result @param {Run} run */
  async show(result, run) {
    const planes = /** @type {Planes} */ (planesIn(result, run)), { width, height, channels } = planes, { picture } = run;
    this.#channelField.hidden = channels === 1;
    this.#channel.max = String(channels - 1);
    const chosen = this.#channel.valueAsNumber, channel = channels === 1 ? 0 : Number.isNaN(chosen) ? -1 : Math.min(channels - 1, Math.max(0, chosen));
    const values = await planeOf(result.numbers, planes, this.#which.among(planes), channel), [low, high] = percentiles(values, [0, 1]);
    const pixels = new ImageData(width, height), words = new Uint32Array(pixels.data.buffer), colors = heatWords(), scale = 255 / (high - low || 1);
    for (let y = 0, pace = pacer(); y < height; ++y) {
      for (let p = y * width; p < (y + 1) * width; ++p) words[p] = colors[Math.min(255, Math.max(0, Math.round((values[p] - low) * scale)))] ?? 0;
      if (y % ROWS === 0) await pace();
    }
    this.#opacity.label.hidden = !picture;
    this.#note.textContent = `${channels > 1 ? channel < 0 ? `The largest of ${channels} values at each point. ` : `Map ${channel} of ${channels}. ` : ''}From ${short(low)} (dark) to ${short(high)} (light).`;
    this.#paint = () => {
      this.#stage.begin(picture ?? { width, height }, picture, 'output as a heat map');
      this.#stage.lay(pixels, picture ? this.#opacity.input.valueAsNumber : 1);
    };
    this.#paint();
  }
}

function heatWords() {
  const last = HEAT.length - 1;
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const place = i / 255 * last, at = Math.min(last - 1, Math.floor(place)), part = place - at;
    return wordOf(HEAT[at].map((value, c) => Math.round(value + (HEAT[at + 1][c] - value) * part)));
  });
}

/** A channel's values, or the largest of all channels. @param {ArrayLike<number>} numbers @param {Planes} planes @param {number} index @param {number} channel */
async function planeOf(numbers, planes, index, channel) {
  const { width, height, channels, pointStep, channelStep } = planes, values = new Float32Array(width * height), start = startOf(planes, index), pace = pacer();
  const first = Math.max(0, channel), end = channel < 0 ? channels : channel + 1;
  for (let y = 0; y < height; ++y) {
    for (let p = y * width; p < (y + 1) * width; ++p) {
      let most = numbers[start + p * pointStep + first * channelStep];
      for (let c = first + 1; c < end; ++c) most = Math.max(most, numbers[start + p * pointStep + c * channelStep]);
      values[p] = most;
    }
    if (y % ROWS === 0) await pace();
  }
  return values;
}
