// Runs a model on the CPU.

/** @import * as Api from './model.js' */
/** @import { Host, WasmProgram } from './host.js' */
/** @import { Values } from './inputs.js' */
/** @import { LoadControl } from './files.js' */
/** @import { Destination, How } from './options.js' */
/** @import { Profiler } from './model.profile.js' */
/** @import { Tally } from './tally.js' */
/** @import { Weights } from './weights.js' */

import { BUILD } from './build.js';
import { partsOf } from './arrays.js';
import { ARRAYS, asGiven, fill } from './elements.js';
import { OutOfMemoryError, UnsupportedError, megabytes } from './errors.js';
import { countOf } from './inputs.js';
import { MODELS, needsOf, once } from './models.js';

/** Whether there are programs for the CPU: either every model has one, or none. */
export const hasWasmProgram = () => indexOfWasm(0) >= 0;

const indexOfWasm = (/** @type {number} */ model) => MODELS[model].programs.findIndex((program) => program.kind === 'wasm');

/** The index of a model's program for the CPU. @param {number} model */
export function wasmProgram(model) {
  const index = indexOfWasm(model);
  if (index < 0) throw new UnsupportedError('the model was compiled without the target wasm');
  return index;
}

/** Those of all models. */
export const wasmPrograms = () => MODELS.map((_, model) => ({ index: wasmProgram(model) }));

/** How long a run that can be aborted keeps the thread, in ms. */
export const HEARING = 10;

/** @param {Host} host @param {Weights} weights @param {LoadControl} control @param {{index: number}[]} [programs] that read them */
async function loadWeights(host, weights, control, programs = wasmPrograms()) {
  const range = needsOf(programs), address = range.end > 0 ? host.exports.webnnc_weights() >>> 0 : 0;
  if (range.end > 0 && !address) {
    throw new OutOfMemoryError(`wasm has not enough memory for weights of ${megabytes(BUILD.weights.bytes)}`);
  }
  return weights.load(range, host, { address: (start) => address + start }, control, false);
}

export class WasmBackend {
  /** @type {'wasm'} */
  name = 'wasm';
  isLost = false;
  refusal = undefined;
  isProven = true;
  device = undefined;
  /** @type {{inputs: number[], outputs: number[]}} */
  addresses = { inputs: [], outputs: [] };

  /** @param {Host} host @param {number} index */
  constructor(host, index) {
    this.host = host;
    this.index = index;
  }

  /** @param {Host} host @param {Weights} weights @param {LoadControl} control @param {boolean} isAlone whether other models are elsewhere */
  static async open(host, weights, control, isAlone) {
    if (globalThis.WEBNNC_MODELS === false) await loadWeights(host, weights, control);
    else if (!isAlone) await once(weights, () => loadWeights(host, weights, control));
    else await loadWeights(host, weights, control, wasmPrograms().map(({ index }, model) => ({ index: model === host.index ? index : -1 })));
    // The module was compiled while it arrived.
    control.onProgress?.({ phase: 'compilation', loaded: 1, total: 1 });
    return new this(host, wasmProgram(host.index));
  }

  /** @param {readonly number[]} symbols */
  prepare(symbols) {
    const { host, index } = this;
    if (globalThis.WEBNNC_MODELS !== false) Object.assign(this, { symbols });
    host.prepare(index, symbols);
    const places = host.places(index);
    const addressesOf = (/** @type {'inputs' | 'outputs'} */ kind) =>
      host.portBuffers(index, kind).map((buffer) => places[buffer].offset);
    this.addresses = { inputs: addressesOf('inputs'), outputs: addressesOf('outputs') };
  }

  /** @param {Values} values */
  write(values) {
    this.host.work.team?.call();
    // Another model's plan may have taken the place of this one's.
    if (globalThis.WEBNNC_MODELS !== false && this.host.exports.isVoid?.()) this.prepare(/** @type {any} */ (this).symbols);
    const { bytes } = this.host;
    values.forEach((data, i) => {
      bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), this.addresses.inputs[i]);
    });
  }

  /**
   * @param {Values} values @param {number[][]} shapes of the outputs @param {Destination[]} destinations
   * @param {How} how its signal ends the run between two steps
   */
  async start(values, shapes, destinations, { signal, arrays }) {
    const rooms = partsOf(arrays, this.host.manifest.outputs, shapes);
    this.write(values);
    if (signal) await this.runSteps(() => signal.throwIfAborted());
    else this.host.exports.webnnc_run(this.index);
    return this.read(shapes, destinations, rooms);
  }

  /** The outputs. @param {number[][]} shapes @param {Destination[]} destinations @param {any[]} rooms of the caller's @returns {any[]} */
  read(shapes, destinations, rooms) {
    return this.host.manifest.outputs.map(({ dataType }, i) => {
      if (destinations[i] === 'none') return undefined;
      const shape = shapes[i], elements = new ARRAYS[dataType](this.host.words.buffer, this.addresses.outputs[i], countOf(shape));
      return { data: rooms[i] ? fill(dataType, rooms[i], elements) : asGiven(dataType, elements.slice()), shape, dataType };
    });
  }

  get steps() {
    return /** @type {WasmProgram} */ (this.host.manifest.programs[this.index]).steps;
  }

  /**
   * Runs step by step, and lets the thread hear of an abort now and then.
   *
   * @param {() => void} check throws if the run is to end @param {Tally} [tally] of the steps
   */
  async runSteps(check, tally) {
    const count = this.steps.length;
    let heard = performance.now();
    for (let step = 0; step < count; ++step) {
      const start = performance.now();
      this.host.exports.webnnc_step(step);
      const end = performance.now();
      tally?.add(step, end - start);
      if (end - heard < HEARING) continue;
      await nextTask();
      check();
      heard = performance.now();
    }
  }

  /**
   * @param {Values} values @param {{runs: number, peak?: Api.Peak}} options @param {() => void} check throws if it is to end
   * @param {Profiler} profiler
   */
  async profile(values, { runs, peak }, check, { Tally }) {
    const tally = new Tally(this.host, this.index, this.steps);
    for (let run = -1; run < runs; ++run) {
      check();
      // Other tensors may take the place of an input that has been read.
      this.write(values);
      // The first run is there to warm up.
      await this.runSteps(check, run < 0 ? undefined : tally);
    }
    return tally.summary('wall', runs, peak);
  }

  dispose() {
    this.host = /** @type {any} */ (undefined);
  }
}

/** Waits until the thread has handled what waits for it; a timer would be held back to 4 ms. */
export function nextTask() {
  return new Promise((done) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      done(undefined);
    };
    port2.postMessage(0);
  });
}
