// An input that is no picture: numbers, lists, a text or a file of them, and made-up values where nothing is given.

/** @import * as Api from '../model.js' */
/** @import { Helper } from './helper.js' */
/** @import { Given } from './read_values.js' */

import { ARRAYS, toElements, toHalves } from '../elements.js';
import { make } from './dom.js';
import { likelyValues } from './guesses.js';
import { pacer } from './values.js';

const SLICE = 1 << 15;

/** @param {Api.Port} port */
const typeOf = ({ dataType, shape }) => `${dataType}[${shape.join(', ')}]`;

/** @param {Api.Port} port */
const placeholderOf = ({ dataType }) => /int/.test(dataType) ? 'numbers, lists as JSON, or a "text" in quotes, as its bytes' : 'numbers, or lists as JSON';

export class ValueInput {
  #helper; #changed;
  #text; #status = make('span', { className: 'soft' });
  #file = make('input', { type: 'file', accept: '.npy,.json,.txt,.csv,.bin,.raw' });
  #clear = make('button', { type: 'button', className: 'quiet', hidden: true }, 'Back to made-up values');
  /** What the text was when it was taken. */
  #typed = '';
  /** What was given, as soon as it is read. @type {Promise<Given | undefined>} */
  #given = Promise.resolve(undefined);

  /** @param {Api.Port} port @param {{helper: Helper, changed: () => void}} around */
  constructor(port, { helper, changed }) {
    this.port = port;
    this.#helper = helper;
    this.#changed = changed;
    this.#text = make('textarea', { rows: 2, spellcheck: false, placeholder: placeholderOf(port), onchange: () => this.#takeText() });
    this.#text.dataset.input = port.name;
    this.#file.onchange = () => this.take(this.#file.files?.[0]);
    this.#clear.onclick = () => {
      this.#text.value = '';
      this.#takeText();
      this.#text.focus();
    };
    this.element = make('div', { className: 'values' }, make('label', {}, make('span', {}, port.name, ' ', make('small', {}, typeOf(port))), this.#text),
      make('p', { className: 'actions' }, make('label', { className: 'quiet file' }, this.#file, 'File'), this.#clear, this.#status));
    this.#file.ariaLabel = `a file for ${port.name}: .npy, JSON, numbers or bytes`;
    this.element.dataset.input = port.name;
    this.#tell();
  }

  /** @param {File | undefined} file that was chosen or dropped */
  take(file) {
    if (!file) return;
    this.#text.value = this.#typed = '';
    this.#take(file, file.name);
    this.#file.value = '';
    this.#changed();
  }

  #takeText() {
    this.#typed = this.#text.value;
    this.#take(this.#typed.trim());
    this.#changed();
  }

  set isOver(/** @type {boolean} */ isOver) {
    this.element.classList.toggle('over', isOver);
  }

  /** @param {string | Blob} source @param {string} [name] of a file */
  #take(source, name) {
    const { port } = this;
    this.#given = source === '' ? Promise.resolve(undefined) : this.#helper.call('values', { port: structuredClone(port), source, name });
    this.#given.then((given) => this.#tell(given, name), () => this.#tell());
    this.#clear.hidden = source === '';
  }

  /** @param {Given} [given] @param {string} [name] of a file */
  #tell(given, name) {
    this.#status.textContent = given ? `${name ? `${name}: ` : ''}${given.said}` : this.#clear.hidden ? 'Values are made up.' : '';
  }

  /** What was given; undefined if nothing was. */
  async given() {
    // Something may have been typed that no event told of yet.
    if (this.#text.value !== this.#typed) {
      this.#typed = this.#text.value;
      this.#take(this.#typed.trim());
    }
    try {
      return await this.#given;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      throw new Error(message.startsWith('input "') ? message : `input "${this.port.name}": ${message}`);
    }
  }

  /** Made-up elements. @param {number} count */
  async madeUp(count) {
    const { port } = this, { dataType } = port, make = likelyValues(port), pace = pacer(), isLong = dataType === 'int64' || dataType === 'uint64';
    const data = new (dataType === 'float16' ? Float32Array : ARRAYS[dataType])(count);
    for (let start = 0; start < count; start += SLICE) {
      for (let i = start; i < Math.min(count, start + SLICE); ++i) data[i] = isLong ? BigInt(make(i)) : make(i);
      await pace();
    }
    return dataType === 'float16' ? toHalves(data) : toElements(port, data);
  }
}
