// How to use the model, as code that runs when it is pasted beside the model's files.

/** @import * as Api from '../model.js' */
/** @import { Kind } from './kinds.js' */

import { ARRAYS, numbersOf } from '../elements.js';
import { byId } from './dom.js';

/**
 * @typedef {object} Use what the code is to do
 * @property {Api.Model} model
 * @property {string} [key] what `load` calls it, if there are several
 * @property {Record<string, any>} inputs of the run that is shown
 * @property {Set<string>} given inputs whose values were given, not made up
 * @property {Partial<Api.ImageTensorOptions>} preparation of pictures, where it is chosen on the page
 * @property {Record<string, Kind>} kinds what outputs are shown as
 */

/** @typedef {'js' | 'ts'} Language */

const TOLD = 2000, MOST_WRITTEN = 256;

/** `run` takes floats for halves. @param {Api.DataType} dataType */
const arrayName = (dataType) => dataType === 'float16' ? 'Float32Array' : ARRAYS[dataType].name;
/** @param {string} name */
const isPlain = (name) => /^[A-Za-z_$][\w$]*$/.test(name);
/** @param {string} name */
const keyOf = (name) => isPlain(name) ? name : JSON.stringify(name);
/** @param {string} name */
const memberOf = (name) => isPlain(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
/** A value as code. @param {unknown} value @returns {string} */
const literal = (value) => typeof value === 'string' ? `'${value}'` : Array.isArray(value) ? `[${value.map(literal).join(', ')}]` : String(value);

/** @param {Use} use @param {Language} language */
export function snippet({ model, key, inputs, given, preparation, kinds }, language) {
  const isTyped = language === 'ts', names = new Set(['load']), takesPicture = model.inputs.some(({ image }) => image);
  const values = model.inputs.map((port) => `  ${keyOf(port.name)}: ${valueOf(port, inputs[port.name], given.has(port.name), preparation, names)},${noteOf(port)}`);
  const results = model.outputs.map((port) => `console.log(${resultOf(port, kinds[port.name], names)});`);
  // The types of the only model have no parameters.
  const types = isTyped ? [...key === undefined ? ['Model', 'Tensors'] : ['Models', 'Tensors'], ...takesPicture ? ['ImageSource'] : []].map((name) => `type ${name}`) : [], type = (/** @type {string} */ name) => isTyped ? `: ${name}` : '';
  return [
    `import { ${[...[...names].sort(), ...types].join(', ')} } from './model.js';`, '',
    ...takesPicture ? ['// An <img>, <canvas>, <video> or file of yours; here a square of nothing.', `const picture${type('ImageSource')} = new ImageData(64, 64);`, ''] : [],
    key === undefined ? `const model${type('Model')} = await load();` : `const { ${keyOf(key)}: model } = await load();`,
    `const outputs${type(key === undefined ? 'Tensors' : `Tensors<Models[${JSON.stringify(key)}]['outputs']>`)} = await model.run({`, ...values, '});', ...results, '',
  ].join('\n');
}

/** @param {Api.Port} port @param {any} value in the run that is shown @param {boolean} isGiven @param {Partial<Api.ImageTensorOptions>} preparation @param {Set<string>} names that are imported @returns {string} */
function valueOf({ name, dataType, image, list, shape: declared }, value, isGiven, preparation, names) {
  if (Array.isArray(value) && list) return `[${value.map((/** @type {any} */ tensor) => valueOf({ name, dataType, shape: declared }, tensor, isGiven, preparation, names)).join(', ')}]`;
  const batch = typeof declared[0] === 'number' ? declared[0] : 1;
  if (image?.preparation) return batch > 1 ? `[${Array(batch).fill('picture').join(', ')}]` : 'picture';
  /** @type {number[]} */
  const shape = value?.shape ?? declared.map((size) => typeof size === 'number' ? size : 1), count = shape.reduce((n, size) => n * size, 1);
  if (image && batch === 1) {
    names.add('imageTensor');
    const [height, width] = image.layout === 'nchw' ? shape.slice(-2) : shape.slice(-3, -1);
    const options = {
      width, height, ...preparation, ...image.layout === 'nhwc' && { layout: 'nhwc' }, ...image.channels === 1 && { channels: 1 }, ...dataType !== 'float32' && { dataType },
    };
    return `await imageTensor(picture, { ${Object.entries(options).filter(([, value]) => value !== undefined).map(([key, value]) => `${key}: ${literal(value)}`).join(', ')} })`;
  }
  const isLong = dataType === 'int64' || dataType === 'uint64';
  if (isGiven && count <= MOST_WRITTEN) {
    const numbers = Array.from(/** @type {ArrayLike<number | bigint>} */ (numbersOf(dataType, value.data)), (number) => Number.isSafeInteger(Number(number)) || !isLong ? String(number) : `${number}n`);
    return `{ data: [${numbers.join(', ')}], shape: [${shape.join(', ')}] }`;
  }
  return `{ data: new ${arrayName(dataType)}(${count})${/mask/i.test(name) ? `.fill(${isLong ? '1n' : 1})` : ''}, shape: [${shape.join(', ')}] }`;
}

/** @param {Api.Port} port */
const noteOf = ({ dataType, image }) => image ? '' : `   // ${dataType}`;

/** @param {Api.Port} port @param {Kind | undefined} kind @param {Set<string>} names that are imported */
function resultOf({ name, shape, list }, kind, names) {
  const tensor = `outputs${memberOf(name)}`;
  if (list) return tensor;
  // `top` goes along the last dimension.
  if (kind === 'classes' && shape.at(-1) !== 1) {
    names.add('top');
    return `top(${tensor}, 5)`;
  }
  return `${tensor}.data`;
}

/** The part of the page that shows the code. */
export class SnippetPanel {
  /** @type {Language} */
  #language = 'js';
  /** @type {Use | undefined} */
  #use;

  constructor() {
    for (const tab of this.#tabs) {
      tab.onclick = () => this.#choose(tab);
      tab.onkeydown = (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (step) this.#choose(this.#tabs[(this.#tabs.indexOf(tab) + step + this.#tabs.length) % this.#tabs.length]).focus();
      };
    }
    byId('copy').onclick = () => this.#copy();
  }

  get #tabs() {
    return /** @type {HTMLButtonElement[]} */ ([...document.querySelectorAll('[role=tab]')]);
  }

  /** @param {HTMLButtonElement} chosen */
  #choose(chosen) {
    this.#language = /** @type {Language} */ (chosen.dataset.language);
    for (const tab of this.#tabs) {
      tab.ariaSelected = String(tab === chosen);
      tab.tabIndex = tab === chosen ? 0 : -1;
    }
    byId('code').setAttribute('aria-labelledby', chosen.id);
    this.#write();
    return chosen;
  }

  /** @param {Use} use */
  show(use) {
    this.#use = use;
    this.#write();
  }

  #write() {
    if (!this.#use) return;
    byId('snippet').textContent = snippet(this.#use, this.#language);
    byId('snippet-place').textContent = this.#language === 'js' ? 'page.html: <script type="module" src="script.js"></script>' : 'script.ts, checked against model.d.ts';
  }

  async #copy() {
    const button = byId('copy'), { textContent: text } = button;
    try {
      await navigator.clipboard.writeText(byId('snippet').textContent);
    } catch {
      // Over http:, or not allowed: it is selected, to be copied by a key.
      getSelection()?.selectAllChildren(byId('snippet'));
      return;
    }
    button.textContent = 'Copied';
    setTimeout(() => button.textContent = text, TOLD);
  }
}
