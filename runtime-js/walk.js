// The commands of a program whose steps do not run once each in their order: branches, loops, sizes that depend on
// data. The runtime in wasm walks them (src/runtime/commands.cpp) and comes back for what it cannot do.

/** @import { Host } from './host.js' */

import * as abi from './abi.js';
import { InputError, OutOfMemoryError } from './errors.js';

/** What its fields mean says abi.h. @typedef {{kind: number, a: number, b: number, c: number, d: number}} Command */

/** Whether a program has commands. @param {Host} host @param {number} index of the program */
export const walks = (host, index) => host.word(host.program(index) + abi.PROGRAM_COMMAND_COUNT) > 0;

/** Where the record of a program's buffer is. @param {Host} host @param {number} index of the program @param {number} buffer */
export const bufferRecord = (host, index, buffer) => host.word(host.program(index) + abi.PROGRAM_BUFFERS) / 4 + buffer * abi.BUFFER_WORDS;

/** @param {Host} host @param {number} size an abi::Size by itself */
export const sizeOf = (host, size) => size >= 0 ? size : host.words[host.word(host.model + abi.MODEL_DIMS) / 4 + ~size];

export class Walk {
  /** @type {Command[]} */
  commands;
  /** What tells sizes of outputs, when nothing else is to be done. @type {Command | undefined} */
  lastWait;
  /** Whether the run was begun: plan 0 is made, and inputs have their places. */
  #isBegun = false;
  /** @type {readonly number[]} */
  #symbols = [];

  /** @param {Host} host @param {number} index of the program */
  constructor(host, index) {
    this.host = host;
    this.index = index;
    const program = host.program(index), commands = host.word(program + abi.PROGRAM_COMMANDS) / 4;
    this.commands = Array.from({ length: host.word(program + abi.PROGRAM_COMMAND_COUNT) }, (_, i) => {
      const at = commands + i * abi.COMMAND_WORDS;
      return {
        kind: host.word(at + abi.COMMAND_KIND), a: host.word(at + abi.COMMAND_A), b: host.word(at + abi.COMMAND_B),
        c: host.words[at + abi.COMMAND_C], d: host.words[at + abi.COMMAND_D],
      };
    });
    const last = this.commands.findLast(({ kind }) => kind !== abi.DEFINE && kind !== abi.RECOMPUTE);
    if (last?.kind === abi.READ_BACK) this.lastWait = last;
  }

  /** Begins the next run. @param {readonly number[]} symbols */
  prepare(symbols) {
    this.#symbols = [...symbols];
    this.host.prepare(this.index, symbols);
    this.#isBegun = true;
  }

  /** Begins the next run, if nobody has. What the one before computed is no longer to be read. */
  begin() {
    if (!this.#isBegun || globalThis.WEBNNC_MODELS !== false && this.host.exports.isVoid?.()) this.host.prepare(this.index, this.#symbols);
    this.#isBegun = false;
  }

  /**
   * Goes on until there is something to do here.
   *
   * @param {boolean} mayPause whether also to come back after each step in wasm, and whenever a loop goes back
   * @returns {Command | undefined} none at the end of the run
   */
  next(mayPause) {
    const at = this.host.exports.webnnc_walk(mayPause ? 1 : 0) >>> 0;
    if (at >= abi.WALK_OUT_OF_RANGE) this.#refuse(at);
    return this.commands[at];
  }

  /** @param {number} at @returns {never} */
  #refuse(at) {
    const { host } = this, isMemory = at >= abi.WALK_OUT_OF_MEMORY;
    const command = this.commands[at % abi.WALK_OUT_OF_RANGE], sizes = host.describe(this.#symbols);
    if (isMemory) throw new OutOfMemoryError(`wasm has not enough memory for what the model computes${sizes && ` of inputs with ${sizes}`}`);
    if (command.kind !== abi.DEFINE) throw new InputError('of these inputs the model computes sizes that are negative or too large, or that what it decides on was not compiled for');
    const value = this.integer(command.b, sizeOf(host, command.c), command.d);
    throw new InputError(`of these inputs the model computes the size ${this.#nameOf(command.a)} = ${value}, which is ${value < 0n ? 'negative' : 'too large'}`);
  }

  /** @param {number} dim an entry of dims that is a symbol */
  #nameOf(dim) {
    const { host } = this;
    return host.text(host.word(host.word(host.model + abi.MODEL_SYMBOL_NAMES) / 4 + dim));
  }

  /** An element of a buffer in wasm's memory. @param {number} buffer @param {number} element @param {number} bytes of an element */
  integer(buffer, element, bytes) {
    const view = new DataView(this.host.words.buffer), at = this.offset(buffer) + element * bytes;
    return bytes === 8 ? view.getBigInt64(at, true) : BigInt(bytes === 4 ? view.getInt32(at, true) : view.getUint8(at));
  }

  // ---- Buffers, as they are now

  /** @param {number} buffer */
  kind(buffer) {
    return this.host.word(bufferRecord(this.host, this.index, buffer) + abi.BUFFER_KIND);
  }
  /** @param {number} buffer */
  offset(buffer) {
    return this.host.word(bufferRecord(this.host, this.index, buffer) + abi.BUFFER_OFFSET);
  }
  /** @param {number} buffer */
  bytes(buffer) {
    return this.host.size(bufferRecord(this.host, this.index, buffer) + abi.BUFFER_BYTES);
  }

  /** Whether a buffer of a GPU's program is in wasm's memory. @param {number} buffer */
  isOnHost(buffer) {
    return [abi.HOST, abi.DATA, abi.HOST_GROWN].includes(this.kind(buffer));
  }
}
