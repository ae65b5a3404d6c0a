// How pictures become values, in the terms of imageTensor: told by the bundle, guessed, or chosen.

/** @import * as Api from '../model.js' */

import { keep, kept } from './address.js';
import { choice, field, make } from './dom.js';
import { likelyScaling } from './guesses.js';

/** @typedef {Partial<Api.ImageTensorOptions> & {range: Api.ImageRange}} Options */
/** @typedef {NonNullable<Api.Port['image']>} Image */

/** What models are usually trained on. @type {Record<string, {range: Api.ImageRange, mean: number[], std: number[]}>} */
const SCALINGS = {
  unit: { range: '0..1', mean: [0], std: [1] }, signed: { range: '-1..1', mean: [0], std: [1] }, bytes: { range: '0..255', mean: [0], std: [1] },
  imagenet: { range: '0..1', mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
};
const SCALING_NAMES = { unit: '0 to 1', signed: '−1 to 1', imagenet: 'ImageNet\'s mean and deviation', bytes: '0 to 255', own: 'as typed below' };
const RANGES = { '0..1': '0 to 1', '-1..1': '−1 to 1', '0..255': '0 to 255' };
const ORDERS = { rgb: 'red, green, blue', bgr: 'blue, green, red' };
const FITS = { cover: 'cut what is too long', contain: 'fill up', fill: 'stretch' };
const LAYOUTS = { nchw: 'one plane a colour (NCHW)', nhwc: 'the colours of a point side by side (NHWC)' };

/** @param {number[]} numbers */
const textOf = (numbers) => numbers.join(', ');

/** Numbers between commas or spaces, one or one a channel. @param {HTMLInputElement} input @param {string} name @param {number} channels */
function numbersOf(input, name, channels) {
  const numbers = input.value.split(/[\s,;]+/).filter(Boolean).map(Number);
  const isRight = (numbers.length === 1 || numbers.length === channels) && numbers.every((number) => Number.isFinite(number) && (name === 'mean' || number !== 0));
  input.ariaInvalid = String(!isRight);
  if (!isRight) throw new Error(`${name} is "${input.value}", and must be a number${channels > 1 ? ` or ${channels} of them` : ''}${name === 'std' ? ', not 0' : ''}`);
  return numbers;
}

export class Preparation {
  #port; #image; #prefix; #changed;
  #isGuessed = true;
  #scaling; #range; #mean; #std; #order; #fit; #invert;
  #note = make('p', { className: 'soft' });

  /**
   * @param {Api.Port} port that takes pictures @param {string} prefix of its settings in the address
   * @param {() => void} changed
   */
  constructor(port, prefix, changed) {
    this.#port = port;
    this.#image = /** @type {Image} */ (port.image);
    this.#prefix = prefix;
    this.#changed = changed;
    const own = () => this.#keepNumbers();
    this.#scaling = choice(SCALING_NAMES, likelyScaling(port), () => this.#takeScaling());
    this.#range = choice(RANGES, '0..1', own);
    this.#mean = make('input', { onchange: own, autocomplete: 'off', spellcheck: false });
    this.#std = make('input', { onchange: own, autocomplete: 'off', spellcheck: false });
    this.#order = choice(ORDERS, 'rgb', () => this.#keepChoice('order', this.#order.value));
    this.#fit = choice(FITS, 'cover', () => this.#keepChoice('fit', this.#fit.value));
    this.#invert = make('input', { type: 'checkbox', onchange: () => this.#keepChoice('invert', this.#invert.checked ? '1' : '') });
    this.#restore();
    this.element = make('div', {}, ...this.#fields(), this.#note);
    this.#tell();
  }

  /** The select of what values become, and the others, to be found by scripts. @param {(name: string) => string} idOf */
  name(idOf) {
    const named = { scaling: this.#scaling, range: this.#range, mean: this.#mean, std: this.#std, order: this.#order, fit: this.#fit, invert: this.#invert, guess: this.#note };
    for (const [name, element] of Object.entries(named)) element.id = idOf(name);
  }

  #fields() {
    if (this.#image.preparation) return [];
    const isGrey = this.#image.channels === 1, isOpen = this.#scaling.value === 'own';
    const numbers = make('div', { className: 'fields' }, field('Range', this.#range), field('Mean', this.#mean), field('Deviation', this.#std), ...isGrey ? [] : [field('Colours', this.#order)]);
    return [
      make('div', { className: 'fields' }, field('Values', this.#scaling), field('Fit', this.#fit), ...isGrey ? [field('Invert', this.#invert)] : []),
      make('details', { className: 'plain', open: isOpen }, make('summary', {}, isGrey ? 'Range, mean, deviation' : 'Range, mean, deviation, order'), numbers,
        make('p', { className: 'soft' }, `(value − mean) ÷ deviation, of values in the range; laid out as ${LAYOUTS[this.#image.layout]}.`)),
    ];
  }

  // ---- Settings

  /** @param {string} name */
  #key(name) {
    return this.#prefix + name;
  }

  #restore() {
    const get = (/** @type {string} */ name) => kept(this.#key(name));
    const scaling = get('scaling') ?? '';
    if (SCALINGS[scaling]) this.#scaling.value = scaling;
    this.#show(SCALINGS[this.#scaling.value]);
    for (const [name, element] of /** @type {[string, HTMLInputElement | HTMLSelectElement][]} */ ([['range', this.#range], ['mean', this.#mean], ['std', this.#std], ['order', this.#order], ['fit', this.#fit]])) {
      const value = get(name), before = element.value;
      if (value === null) continue;
      element.value = value;
      // There may be no such option.
      if (element.value !== value) element.value = before;
    }
    this.#invert.checked = get('invert') === '1';
    if (['range', 'mean', 'std'].some((name) => get(name) !== null)) this.#scaling.value = this.#scalingShown();
    this.#isGuessed = !['scaling', 'range', 'mean', 'std', 'order'].some((name) => get(name) !== null);
  }

  /** @param {{range: string, mean: number[], std: number[]}} scaling */
  #show({ range, mean, std }) {
    const isGrey = this.#image.channels === 1;
    this.#range.value = range;
    this.#mean.value = textOf(isGrey ? mean.slice(0, 1) : mean);
    this.#std.value = textOf(isGrey ? std.slice(0, 1) : std);
  }

  /** Which of the usual ones the fields say. */
  #scalingShown() {
    const { channels } = this.#image, said = (/** @type {number[]} */ numbers) => textOf(channels === 1 ? numbers.slice(0, 1) : numbers);
    const found = Object.entries(SCALINGS).find(([, { range, mean, std }]) => range === this.#range.value && said(mean) === this.#mean.value.trim() && said(std) === this.#std.value.trim());
    return found?.[0] ?? 'own';
  }

  #takeScaling() {
    const { value } = this.#scaling, details = this.element.querySelector('details');
    if (SCALINGS[value]) this.#show(SCALINGS[value]);
    else if (details) details.open = true;
    for (const name of ['range', 'mean', 'std']) keep(this.#key(name));
    if (!SCALINGS[value]) return this.#keepNumbers();
    keep(this.#key('scaling'), value);
    this.#choose();
  }

  #keepNumbers() {
    const scaling = this.#scalingShown(), isOwn = scaling === 'own';
    this.#scaling.value = scaling;
    keep(this.#key('scaling'), isOwn ? '' : scaling);
    for (const [name, { value }] of Object.entries({ range: this.#range, mean: this.#mean, std: this.#std })) keep(this.#key(name), isOwn ? value : '');
    this.#choose();
  }

  /** @param {string} name @param {string} value */
  #keepChoice(name, value) {
    keep(this.#key(name), value);
    if (name === 'fit' || name === 'invert') this.#changed();
    else this.#choose();
  }

  #choose() {
    this.#isGuessed = false;
    this.#tell();
    this.#changed();
  }

  #tell() {
    const { preparation } = this.#image;
    if (preparation) this.#note.textContent = `Pictures are prepared as the model was compiled to: ${Object.entries(preparation).map(([key, value]) => `${key} ${[value].flat().join(', ')}`).join('; ')}.`;
    else this.#note.textContent = this.#isGuessed ? 'How values are made of a picture is guessed: ask who trained the model. Compiled with --image, it knows.' : 'Values are made of a picture as chosen here.';
  }

  // ---- What they come to

  /** What is chosen, as imageTensor takes it; what it takes by itself is left out. @returns {Options} */
  get options() {
    const { channels } = this.#image, range = /** @type {Api.ImageRange} */ (this.#range.value);
    let mean = numbersOf(this.#mean, 'mean', channels), std = numbersOf(this.#std, 'std', channels);
    if (this.#invert.checked && channels === 1) {
      // What was black becomes white: low + high - value.
      const [low, high] = range.split('..').map(Number);
      mean = mean.map((value) => low + high - value);
      std = std.map((value) => -value);
    }
    const isPlain = mean.every((value) => value === 0) && std.every((value) => value === 1), one = (/** @type {number[]} */ list) => list.length === 1 ? list[0] : list;
    return {
      resize: /** @type {Options['resize']} */ (this.#fit.value), range, ...!isPlain && { mean: one(mean), std: one(std) }, ...this.#order.value === 'bgr' && channels === 3 && { order: 'bgr' },
    };
  }

  /** All that imageTensor needs for a picture of this size. @param {number} width @param {number} height @returns {Api.ImageTensorOptions} */
  optionsFor(width, height) {
    const { preparation, channels, layout } = this.#image;
    // The bundle prepares it by itself: what is shown are bytes.
    if (preparation) return { ...preparation, order: 'rgb', range: '0..255', mean: 0, std: 1, width, height, channels, layout: 'nhwc', dataType: 'uint8' };
    return { ...this.options, width, height, channels, layout, dataType: /** @type {'float32'} */ (this.#port.dataType) };
  }
}
