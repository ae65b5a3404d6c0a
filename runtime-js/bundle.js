// What several models of a bundle have in common: the queue of their runs, weights, a GPU with all that is on it. Which
// backend a model runs on is its own.

/** @import * as Api from './model.js' */
/** @import { LoadControl } from './files.js' */
/** @import { Choice } from './gpu_device.js' */
/** @import { GpuProgram, Host } from './host.js' */
/** @import { Input } from './inputs.js' */
/** @import { Parsed } from './local_model.js' */
/** @import { Weights } from './weights.js' */

import { refuse } from './elements.js';
import { messageOf } from './errors.js';
import { CommonGpu, searchGpu } from './gpu_device.js';
import { compilerFor } from './gpu_pipelines.js';
import { GpuWeights } from './gpu_weights.js';
import { checkRange } from './indices.js';
import { parseInput } from './inputs.js';
import { needsOf } from './models.js';

/** A GPU, and what each model runs there. @typedef {{choices: Choice[], device: GPUDevice, common?: Common}} Found */
/** @typedef {{gpu: CommonGpu, compile: ReturnType<typeof compilerFor>, weights: Promise<GpuWeights>}} Common */

export class Bundle {
  /** Resolves when the run that was started last lets the next one start. @type {Promise<unknown>} */
  last = Promise.resolve();
  /** How many runs have not let go. */
  waiting = 0;
  /** Of models that have not been disposed of. @type {Set<Host>} */
  #hosts;
  /** @type {Weights} */ #weights;
  /** @type {Api.LoadOptions} */ #options;
  /** Whether models may be on a GPU. */
  isOnGpu = false;
  /** The GPU of now, which is looked for. @type {Promise<Found & {common: Common}> | undefined} */
  #found;

  /** @param {Host[]} hosts @param {Weights} weights @param {Api.LoadOptions} options */
  constructor(hosts, weights, options) {
    this.#hosts = new Set(hosts);
    this.#weights = weights;
    this.#options = options;
  }

  /**
   * Opens models one after the other: what one prepares may take the place of what another one did. If one cannot be opened,
   * none is.
   *
   * @param {{open: (control: LoadControl, search: Promise<Found>, isOwn: boolean) => Promise<void>, dispose: () => void}[]} models
   * @param {Promise<Found>} search for a GPU @param {boolean} isOwn @param {LoadControl} control
   */
  async open(models, search, isOwn, control) {
    const found = this.#share(search, isOwn, control);
    // The device stays for the next one, though those before may have left it.
    found.then(({ common }) => common.gpu.users.add(this), () => {});
    try {
      for (const model of models) await model.open(control, found, isOwn);
    } catch (error) {
      for (const model of models) model.dispose();
      throw error;
    } finally {
      found.then(({ common }) => common.gpu.leave(this), () => {});
    }
  }

  /**
   * Brings to a GPU what models have in common, as soon as it is found.
   *
   * @param {Promise<Found>} search @param {boolean} isOwn @param {LoadControl} control
   */
  #share(search, isOwn, control) {
    const found = this.#found = search.then((gpu) => this.#begin(gpu, isOwn, control));
    found.catch(() => {});
    return found;
  }

  /** @param {Found} found @param {boolean} isOwn @param {LoadControl} control */
  #begin({ choices, device }, isOwn, control) {
    this.isOnGpu = true;
    const gpu = new CommonGpu(device, isOwn), hosts = [...this.#hosts].filter(({ index }) => choices[index].index >= 0);
    const compile = compilerFor(device, control);
    // All at the same time, whichever model is opened first. It will hear of what fails.
    for (const { manifest, shaders, index: model } of hosts) {
      const { index } = choices[model], { kernels } = /** @type {GpuProgram} */ (manifest.programs[index]);
      compile(kernels, shaders.load(model, index, control)).catch(() => {});
    }
    const places = hosts.flatMap((host) => host.weightPlaces(choices[host.index].index));
    const weights = GpuWeights.load(gpu, hosts[0], places, needsOf(choices), this.#weights, control);
    weights.catch(() => {});
    device.lost.then(({ reason, message }) => {
      if (!gpu.isDisposed) this.#options.onDeviceLost?.({ reason, message });
    });
    return { choices, device, common: { gpu, compile, weights } };
  }

  /** The GPU that models share: the one that is there, or another one if that was lost. @param {Api.LoadOptions['backend']} wanted @param {LoadControl} control */
  async find(wanted, control) {
    const found = await this.#found?.catch(() => undefined);
    return found && !found.common.gpu.isLost && !found.common.gpu.isDisposed ? found : this.#share(searchGpu(wanted), true, control);
  }

  /** A model was disposed of. @param {Host} host */
  leave(host) {
    this.#hosts.delete(host);
    if (this.#hosts.size) return;
    this.#weights.dispose();
    host?.work.team?.dispose();
    this.#options = {};
    this.#found = undefined;
  }
}

/** Whether it is what another model left on a GPU. @param {Input | undefined} input */
export const isReadable = (input) => input?.count === undefined && input?.read !== undefined;

/**
 * What a model that runs in wasm is given, all of it in memory.
 *
 * @param {Parsed} given @param {boolean} isChecked whether indices are @returns {Promise<any>} the same
 */
export async function readBack(given, isChecked) {
  const inputs = await Promise.all(given.inputs.map(async (input) => {
    if (!input?.read || !isReadable(input)) return input;
    const { port, read } = input;
    const elements = parseInput(port, await read().catch((cause) => refuse(port.name, `cannot be read back from its GPU: ${messageOf(cause)}`)));
    if (isChecked) checkRange(elements);
    return elements;
  }));
  return { ...given, inputs };
}
