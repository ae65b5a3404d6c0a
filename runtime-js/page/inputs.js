// All that goes into the model: an element for each input, sizes that are open, and what is dropped or pasted.

/** @import * as Api from '../model.js' */
/** @import { Around } from './picture_input.js' */

import { PictureInput } from './picture_input.js';
import { Sizes } from './sizes.js';
import { ValueInput } from './value_input.js';

export class Inputs {
  /** @type {PictureInput[]} */ #pictures;
  /** @type {ValueInput[]} */ #values;
  #sizes;
  /** Inputs for which values were given, by the last `read`. @type {Set<string>} */
  given = new Set();

  /** @param {Api.Model} model @param {Omit<Around, 'sizes'>} around @param {{sources: HTMLElement, sizes: HTMLElement}} places */
  constructor(model, around, places) {
    const sizes = this.#sizes = new Sizes(model, around.changed), ports = model.inputs.filter(({ image }) => image);
    this.#pictures = ports.map((port, i) => new PictureInput(port, { ...around, sizes }, { prefix: i ? `${port.name}.` : '', title: ports.length > 1 }));
    this.#values = model.inputs.filter(({ image }) => !image).map((port) => new ValueInput(port, around));
    this.#pictures.forEach((input, i) => input.name((name) => i ? `${name}-${i}` : name));
    places.sources.append(...this.#pictures.map(({ element }) => element), ...this.#values.map(({ element }) => element));
    places.sizes.append(...sizes.elements);
    this.#listen();
  }

  get isLive() {
    return this.#pictures.some(({ isLive }) => isLive);
  }

  /** The picture as the model sees it, if it takes one. */
  get preview() {
    return this.#pictures[0]?.preview;
  }

  /** How pictures are prepared, where it is chosen here. */
  get preparation() {
    return this.#pictures[0]?.preparation ?? {};
  }

  /** What `run` takes; draws pictures as the model sees them. @returns {Promise<Record<string, any>>} */
  async read() {
    // What was given tells sizes to all else.
    const given = await Promise.all(this.#values.map(async (input) => {
      const values = await input.given();
      return values && { data: values.data, shape: this.#sizes.bind(input.port, values.data.length, values.shape) };
    }));
    this.given = new Set(this.#values.filter((_, i) => given[i]).map(({ port }) => port.name));
    const values = await Promise.all(this.#values.map(async ({ port }, i) => {
      const shape = given[i]?.shape ?? this.#sizes.shape(port.shape);
      const tensor = given[i] ?? { data: await this.#values[i].madeUp(shape.reduce((n, size) => n * size, 1)), shape };
      // A list has it as its one tensor.
      return [port.name, port.list && port.list !== 'optional' ? [tensor] : tensor];
    }));
    const pictures = await Promise.all(this.#pictures.map(async (input) => [input.port.name, await input.value()]));
    return Object.fromEntries([...values, ...pictures]);
  }

  // ---- Files that come from elsewhere

  #listen() {
    const all = [...this.#pictures, ...this.#values];
    document.addEventListener('dragover', (event) => {
      event.preventDefault();
      const target = this.#targetOf(event.target);
      for (const input of all) input.isOver = input === target;
    });
    document.addEventListener('dragleave', () => all.forEach((input) => input.isOver = false));
    document.addEventListener('drop', (event) => {
      event.preventDefault();
      for (const input of all) input.isOver = false;
      const file = event.dataTransfer?.files[0];
      this.#targetOf(event.target, file)?.take(file);
    });
    document.addEventListener('paste', (event) => {
      const file = event.clipboardData?.files[0];
      if (file) this.#targetOf(event.target, file)?.take(file);
    });
  }

  /** The input that something is dropped on; elsewhere on the page, the first that takes such files. @param {EventTarget | null} target @param {File} [file] */
  #targetOf(target, file) {
    const element = target instanceof Element ? target.closest('[data-input]') : null, all = [...this.#pictures, ...this.#values];
    const isPicture = !file || /^(image|video)\//.test(file.type);
    return all.find((input) => element && input.element.contains(element)) ?? (isPicture ? this.#pictures[0] : this.#values[0]) ?? all[0];
  }
}
