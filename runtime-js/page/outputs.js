// The outputs of a run, each in a card: what it is, how it is shown, and files of it.

/** @import * as Api from '../model.js' */
/** @import { Kind, Result, Run } from './kinds.js' */
/** @import { View } from './views.js' */

import { formsOf } from './boxes.js';
import { field, make } from './dom.js';
import { KINDS, likelyKind, possibleKinds } from './kinds.js';
import { fileName, jsonOf, npyOf, offer, pngOf } from './save.js';
import { numbersIn, summarize } from './values.js';
import { VIEWS } from './views.js';

/** Of more outputs than these, tables are folded. */
const MOST_OPEN = 4;

export class Outputs {
  /** @type {Map<string, Card>} */
  #cards = new Map();
  #place;

  /** @param {HTMLElement} place */
  constructor(place) {
    this.#place = place;
  }

  /** What each output is shown as. @returns {Record<string, Kind>} */
  get kinds() {
    return Object.fromEntries([...this.#cards].map(([name, { kind }]) => [name, kind]));
  }

  /**
   * Shows what a run gave. What was chosen on the cards stays.
   *
   * @param {Api.Model} model @param {Record<string, Api.Tensor>} tensors
   * @param {HTMLCanvasElement} [picture] as the model saw it, if it takes pictures
   */
  async show(model, tensors, picture) {
    const results = [];
    for (const { port, tensor } of model.outputs.flatMap((port) => tensorsOf(port, tensors[port.name]))) {
      const numbers = await numbersIn(tensor);
      results.push({ port, tensor, numbers, summary: await summarize(numbers) });
    }
    const shapes = results.map(({ port: { name }, tensor: { shape, dataType } }) => ({ name, shape, dataType }));
    const run = { results, picture: picture && copyOf(picture), image: model.inputs.find(({ image }) => image)?.image, forms: formsOf(shapes, picture) };
    // Lists have as many as they have.
    const isLaid = results.length === this.#cards.size && results.every(({ port }) => this.#cards.has(port.name));
    if (!isLaid) this.#lay(run);
    for (const result of results) await this.#cards.get(result.port.name)?.show(result, run);
  }

  /** Makes the cards: what was found on the picture first. @param {Run} run */
  #lay(run) {
    for (const { section } of this.#cards.values()) section.remove();
    this.#cards.clear();
    const first = run.results.filter((result) => likelyKind(result, run) === 'boxes'), order = [...first, ...run.results.filter((result) => !first.includes(result))];
    for (const [i, result] of order.entries()) {
      const { name } = result.port, card = new Card(name, i >= MOST_OPEN && likelyKind(result, run) === 'table');
      this.#cards.set(name, card);
      this.#place.append(card.section);
    }
  }
}

/** What an output is shown as: of a list each of its tensors. @param {Api.Port} port @param {any} value @returns {{port: Api.Port, tensor: Api.Tensor}[]} */
function tensorsOf(port, value) {
  if (!Array.isArray(value)) return value ? [{ port, tensor: value }] : [];
  return value.map((tensor, i) => ({ port: { ...port, name: `${port.name}[${i}]` }, tensor }));
}

/** The picture that the page shows may be another soon. @param {HTMLCanvasElement} picture */
function copyOf(picture) {
  const copy = make('canvas', { width: picture.width, height: picture.height });
  copy.getContext('2d')?.drawImage(picture, 0, 0);
  return copy;
}

class Card {
  #type = make('small');
  #kind = make('select', { onchange: () => this.#open() });
  #warning = make('p', { className: 'warning', hidden: true });
  #settings = make('div', { className: 'fields' });
  #body = make('div', { className: 'view' });
  #content = make('div');
  /** Opens what is folded. */
  #fold = make('button', { className: 'quiet', type: 'button', onclick: () => this.#open() }, 'Show');
  #png = saveButton('PNG', () => this.#save('png'));
  #note = make('span', { className: 'soft' });
  /** @type {View | undefined} */
  #view;
  #shownKind = '';
  /** @type {{ result: Result, run: Run } | undefined} */
  #shown;
  /** Drawings take turns. @type {Promise<void>} */
  #last = Promise.resolve();

  /** @param {string} name @param {boolean} isFolded */
  constructor(name, isFolded) {
    this.#content.hidden = isFolded;
    this.#fold.hidden = !isFolded;
    this.#warning.setAttribute('role', 'status');
    this.section = make('section', { className: 'output' },
      make('div', { className: 'head' }, make('h2', {}, name), this.#type, this.#fold, field('as ', this.#kind)), this.#warning, this.#content);
    this.#content.append(this.#settings, this.#body,
      make('p', { className: 'files' }, 'Save ', saveButton('.npy', () => this.#save('npy')), saveButton('JSON', () => this.#save('json')), this.#png, this.#note));
    this.section.dataset.output = name;
  }

  get kind() {
    return /** @type {Kind} */ (this.#kind.value);
  }

  /** @param {Result} result @param {Run} run */
  show(result, run) {
    const { tensor: { dataType, shape }, summary: { odd, count } } = result, kinds = possibleKinds(result, run), before = this.kind;
    if (kinds.join() !== [...this.#kind.options].map(({ value }) => value).join()) {
      this.#kind.replaceChildren(...kinds.map((kind) => make('option', { value: kind }, KINDS[kind])));
      this.#kind.value = kinds.includes(before) ? before : likelyKind(result, run);
    }
    this.#type.textContent = `${dataType}[${shape.join(', ')}]`;
    this.#warning.hidden = !odd;
    this.#warning.textContent = `${odd} of ${count} values are no numbers (NaN or infinite). Most often an input is not what the model was trained on.`;
    this.#note.textContent = odd ? 'In JSON, values that are no numbers are the strings "NaN", "Infinity" and "-Infinity".' : '';
    this.#shown = { result, run };
    return this.#redraw();
  }

  #redraw() {
    this.#last = this.#last.then(() => this.#draw()).catch((error) => {
      this.#body.replaceChildren(make('p', { className: 'warning' }, `This cannot be shown so: ${error.message}`));
      this.#shownKind = '';
    });
    return this.#last;
  }

  #open() {
    this.#content.hidden = false;
    this.#fold.hidden = true;
    return this.#redraw();
  }

  async #draw() {
    this.section.dataset.kind = this.kind;
    if (!this.#shown || this.#content.hidden) return;
    const { kind } = this;
    if (!this.#view || this.#shownKind !== kind) {
      this.#view = new VIEWS[kind](() => this.#redraw());
      this.#shownKind = kind;
      this.#settings.replaceChildren(...this.#view.settings);
      this.#body.replaceChildren(this.#view.body);
    }
    await this.#view.show(this.#shown.result, this.#shown.run);
    this.#settings.hidden = this.#view.settings.every(({ hidden }) => hidden);
    this.#png.hidden = !this.#view.canvas;
  }

  /** @param {'npy' | 'json' | 'png'} format */
  async #save(format) {
    if (!this.#shown) return;
    const { port, tensor } = this.#shown.result, canvas = this.#view?.canvas;
    const content = format === 'npy' ? npyOf(tensor) : format === 'json' ? await jsonOf(tensor) : canvas && await pngOf(canvas);
    if (content) offer(fileName(port.name, format), content);
  }
}

/** @param {string} text @param {() => void} save */
const saveButton = (text, save) => make('button', { className: 'quiet', type: 'button', onclick: save }, text);
