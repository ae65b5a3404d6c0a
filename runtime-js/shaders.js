// The shaders of programs for GPUs: one file for each variant of the programs, which pages read whose GPU runs that one.

/** @import { FileKind, Finder, LoadControl } from './files.js' */
/** @import { Choice } from './gpu_device.js' */

import { pastCaches } from './files.js';
import { MODELS } from './models.js';
import { readWhole } from './whole.js';

/** @param {Uint8Array} bytes @returns {{build: string, shaders: string[]}} */
const parse = (bytes) => JSON.parse(new TextDecoder().decode(bytes));

export class Shaders {
  #files;
  /** What was read, or is being read. It stays for another GPU, should this one be lost. @type {Map<FileKind, Promise<string[]>>} */
  #texts = new Map();

  /** @param {Finder} files */
  constructor(files) {
    this.#files = files;
  }

  /** Asks for those of the programs that models run; `load` takes what comes. @param {Choice[]} choices @param {LoadControl} control */
  begin(choices, control) {
    choices.forEach(({ index }, model) => index >= 0 && this.load(model, index, control).catch(() => {}));
  }

  /** The texts that the kernels of a program count. @param {number} model @param {number} index of the program @param {LoadControl} control */
  load(model, index, control) {
    const kind = /** @type {FileKind} */ (MODELS[model].programs[index].shaders), texts = this.#texts.get(kind) ?? this.#read(kind, control);
    this.#texts.set(kind, texts);
    texts.catch(() => this.#texts.delete(kind));
    return texts;
  }

  /** @param {FileKind} kind @param {LoadControl} control */
  async #read(kind, control) {
    const source = await this.#files.find(kind);
    return pastCaches(source, async (fresh) => parse(await readWhole(source, 'shaders', fresh, control, async (bytes) => parse(bytes).build)).shaders);
  }
}
