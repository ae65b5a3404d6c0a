// Runs on the CPU what has commands (walk.js).

/** @import { Host } from './host.js' */
/** @import { Values } from './inputs.js' */
/** @import { Destination, How } from './options.js' */
/** @import { Tally } from './tally.js' */

import * as abi from './abi.js';
import { partsOf } from './arrays.js';
import { Walk } from './walk.js';
import { HEARING, WasmBackend, nextTask } from './wasm_backend.js';

export class WalkingWasm extends WasmBackend {
  /** @param {Host} host @param {number} index */
  constructor(host, index) {
    super(host, index);
    this.walk = new Walk(host, index);
  }

  /** @override @param {readonly number[]} symbols */
  prepare(symbols) {
    this.walk.prepare(symbols);
  }

  /** Buffers may have changed places. @param {'inputs' | 'outputs'} kind */
  #find(kind) {
    this.addresses[kind] = this.host.portBuffers(this.index, kind).map((buffer) => this.walk.offset(buffer));
  }

  /** @override @param {Values} values */
  write(values) {
    this.walk.begin();
    this.#find('inputs');
    super.write(values);
  }

  /**
   * @override
   * @param {Values} values @param {number[][]} _ @param {Destination[]} destinations @param {How} how
   */
  async start(values, _, destinations, { signal, arrays }) {
    this.write(values);
    if (signal) await this.runSteps(() => signal.throwIfAborted());
    else this.walk.next(false);
    // Their sizes are known now.
    this.#find('outputs');
    const shapes = this.host.shapes('outputs');
    return this.read(shapes, destinations, partsOf(arrays, this.host.manifest.outputs, shapes));
  }

  /** @override @param {() => void} check @param {Tally} [tally] */
  async runSteps(check, tally) {
    const { webnnc_walked: walked } = this.host.exports;
    for (let heard = performance.now(); ;) {
      const start = performance.now(), command = this.walk.next(true), end = performance.now();
      if (!command) return;
      if (command.kind === abi.RUN) tally?.add(walked(), end - start);
      if (end - heard < HEARING) continue;
      await nextTask();
      check();
      heard = performance.now();
    }
  }
}
