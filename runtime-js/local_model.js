// A model in this thread: the choice of its backend, the queue of its runs, and what becomes of errors.

/** @import * as Api from './model.js' */
/** @import { Input, Values } from './inputs.js' */
/** @import { Destination, How } from './options.js' */
/** @import { Finder, LoadControl } from './files.js' */
/** @import { Found } from './bundle.js' */
/** @import { Hired } from './team.js' */

import { arraysOf, lend, partsOf } from './arrays.js';
import { DeviceLostError, DisposedError, GpuError, ModelError, OutOfMemoryError, UnsupportedError } from './errors.js';
import { Frames, decodeFiles, takesPictures } from './frames.js';
import { importProfiler } from './files.js';
import { GpuBackend, releaseFrames } from './gpu_backend.js';
import { searchGpu, variantOf } from './gpu_device.js';
import { HAS_DOTS, Host } from './host.js';
import { checkIndices, checkRange } from './indices.js';
import { bindSymbols, checkSizes, parseInput } from './inputs.js';
import { abortable } from './line.js';
import { asCallersSee, checkShared, destinationsOfParts, packList, unpackLists } from './lists.js';
import { DISPOSE, bindMethods, build, noState } from './methods.js';
import { needsOf } from './models.js';
import { PROFILE_OPTIONS, RUN_OPTIONS, checkInputs, checkOptions, destinationsOf } from './options.js';
import { Progress } from './progress.js';
import { Shaders } from './shaders.js';
import { Memory, State, sessionOf } from './state.js';
import { Team, planThreads } from './team.js';
import { walks } from './walk.js';
import { WalkingGpu } from './walking_gpu.js';
import { WalkingWasm } from './walking_wasm.js';
import { WasmBackend, hasWasmProgram, wasmProgram, wasmPrograms } from './wasm_backend.js';
import { Weights } from './weights.js';
import { Bundle, isReadable, readBack } from './bundle.js';

/** How long a lost device may take to say so after its first failure, in ms. */
const LOSS_GRACE = 500;

/**
 * What a run is given. Where there is a state, what is not given is its, and symbols are known when the run begins.
 *
 * @typedef {{inputs: Input[], symbols: number[], memory?: undefined}} Known
 * @typedef {Known | {inputs: (Input | undefined)[], symbols: number[], memory: Memory}} Parsed
 */
/** Of a model alone. @typedef {Pick<Bundle, 'last' | 'waiting'>} Queue */

/** @implements {Api.Model} */
class Model {
  /** @type {Host} */ #host;
  /** @type {Weights} */ #weights;
  /** @type {Api.LoadOptions} */ #options;
  /** @type {WasmBackend | GpuBackend | undefined} */ #backend;
  /** @type {'webgpu' | 'wasm'} */
  backend = 'wasm';
  backendReason = '';
  threads = 1;
  build = build;
  /** @type {Queue} */ #queue;
  #isDisposed = false;
  /** Which output tells of indices; -1 if none does. It is the last. */
  #hidden = -1;
  /** The symbols' values that the backend is prepared for. @type {string | undefined} */
  #prepared;
  /** @type {{inputs: number[][], outputs: number[][]}} */
  #shapes = { inputs: [], outputs: [] };
  #frames = new Frames();
  /** The states of all sessions. @type {Set<Memory>} */
  #memories = globalThis.WEBNNC_WALKS !== false ? new Set() : /** @type {any} */ (0);
  /** The model's own. @type {Memory | undefined} */
  #memory;
  /** @type {Api.State | undefined} */
  state;

  /** @param {Host} host @param {Weights} weights @param {Api.LoadOptions} options @param {Queue} queue a Bundle, if models share it */
  constructor(host, weights, options, queue) {
    this.#host = host;
    this.#weights = weights;
    this.#options = options;
    this.#queue = queue;
    const { name, inputs, outputs } = host.manifest;
    this.#hidden = outputs.findIndex((port) => port.hidden);
    this.name = name;
    this.inputs = inputs.filter(({ of }) => of === undefined);
    this.outputs = outputs.filter((port) => !port.hidden);
    if (globalThis.WEBNNC_LISTS !== false) [this.inputs, this.outputs] = [this.inputs, this.outputs].map(asCallersSee);
    if (globalThis.WEBNNC_WALKS !== false && host.manifest.state) {
      this.#memory = this.#makeMemory();
      this.state = this.#stateOf(/** @type {Memory} */ (this.#memory));
    }
    bindMethods(this);
  }

  /** @returns {any} a Memory */
  #makeMemory() {
    if (globalThis.WEBNNC_WALKS !== false) {
      if (!this.#host.manifest.state) throw noState();
      const memory = new Memory(this.#host.manifest);
      this.#memories.add(memory);
      return memory;
    }
  }

  /** @param {Memory} memory @returns {any} */
  #stateOf(memory) {
    if (globalThis.WEBNNC_WALKS !== false) return new State(memory, (work) => this.#inTurn(undefined, work));
  }

  /** Runs with a state of their own. @returns {any} */
  session() {
    if (globalThis.WEBNNC_WALKS !== false) {
      this.#check();
      const memory = this.#makeMemory();
      return sessionOf(this.#stateOf(memory), {
        run: (/** @type {any} */ inputs, /** @type {any} */ options) => this.run(inputs, options, memory),
        profile: (/** @type {any} */ inputs, /** @type {any} */ options) => this.profile(inputs, options, memory),
        dispose: () => {
          this.#memories.delete(memory);
          this.#inTurn(undefined, async () => memory.forget()).catch(() => {});
        },
      });
    }
    throw noState();
  }

  get device() {
    return this.#backend?.device;
  }

  get #active() {
    if (!this.#backend) throw new DisposedError('the model was disposed of, or has lost its GPU');
    // Another model may have replaced what this one was prepared with.
    if (globalThis.WEBNNC_MODELS !== false && /** @type {any} */ (this.#backend).isVoid?.()) this.#prepared = undefined;
    return this.#backend;
  }

  /**
   * Opens the backend that was asked for, or the best there is.
   *
   * @param {LoadControl} control @param {Promise<Found>} search for a GPU @param {boolean} isOwn whether it is the model's own
   */
  async open(control, search, isOwn) {
    const { backend: wanted = 'auto' } = this.#options;
    let reason = 'wasm was asked for';
    this.#prepared = undefined;
    if (wanted !== 'wasm') {
      try {
        const found = await search, choice = found.choices[this.#host.index], { index, problem } = choice;
        if (globalThis.WEBNNC_MODELS !== false && problem) throw problem;
        const Gpu = globalThis.WEBNNC_WALKS !== false && walks(this.#host, index) ? WalkingGpu : GpuBackend;
        const backend = await Gpu.open(this.#host, index, this.#weights, control, found, isOwn);
        if (this.#options.tune) {
          await importProfiler(this.#weights.files).then((profiler) => backend.tune(profiler)).catch((error) => {
            backend.dispose();
            throw error;
          });
        }
        // A bundle tells it once for all.
        if (globalThis.WEBNNC_MODELS === false) {
          backend.device.lost.then(({ reason, message }) => {
            if (this.#backend === backend && !this.#isDisposed) this.#options.onDeviceLost?.({ reason, message });
          });
        }
        await this.#use(backend, (wanted === 'webgpu' ? 'webgpu was asked for' : 'WebGPU runs this model') + variantOf(this.#host.index, choice));
        return;
      } catch (error) {
        control.signal?.throwIfAborted();
        const unable = error instanceof UnsupportedError || error instanceof OutOfMemoryError || error instanceof GpuError;
        if (!unable || wanted === 'webgpu' || !hasWasmProgram()) throw error;
        reason = error.message;
      }
    }
    await this.#useWasm(reason, control);
  }

  /** @param {string} reason @param {LoadControl} control */
  async #useWasm(reason, control) {
    const Wasm = globalThis.WEBNNC_WALKS !== false && hasWasmProgram() && walks(this.#host, wasmProgram(this.#host.index)) ? WalkingWasm : WasmBackend;
    const backend = await Wasm.open(this.#host, this.#weights, control, globalThis.WEBNNC_MODELS !== false && /** @type {Bundle} */ (this.#queue).isOnGpu);
    await this.#use(backend, `${reason}; wasm runs it ${this.#host.variant}`);
  }

  /**
   * Does something once more in wasm if the GPU refuses it, where that is allowed.
   *
   * @template T @param {AbortSignal | undefined} signal @param {() => Promise<T>} work @returns {Promise<T>}
   */
  async #orInWasm(signal, work) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof GpuError) || !this.#mayLeaveGpu) throw error;
      await this.#leaveGpu(error, signal);
      return work();
    }
  }

  get #mayLeaveGpu() {
    return this.#options.backend !== 'webgpu' && hasWasmProgram();
  }

  /** @param {GpuError} error why @param {AbortSignal} [signal] */
  #leaveGpu(error, signal) {
    return this.#inTurn(signal, async () => {
      // Another run may have been here before.
      if (this.#active.name === 'wasm') return;
      if (globalThis.WEBNNC_WALKS !== false) for (const memory of this.#memories) await memory.leaveGpu();
      this.#close();
      this.#prepared = undefined;
      await this.#useWasm(error.message, { signal });
    });
  }

  #tellThreads() {
    const { team, reason } = this.#host.work;
    this.threads = team?.size ?? 1;
    if (team) this.backendReason += `; ${team.size} threads share the work`;
    else if (reason) this.backendReason += `; one thread does the work: ${reason}`;
  }

  /** @param {WasmBackend | GpuBackend} backend @param {string} reason */
  async #use(backend, reason) {
    this.#backend = backend;
    this.backend = backend.name;
    this.backendReason = reason;
    if (backend.name === 'wasm') this.#tellThreads();
    try {
      // Without symbols, all is known now.
      if (!this.#host.symbols.length) await this.#prepare([]);
    } catch (error) {
      this.#close();
      throw error;
    }
    if (this.#isDisposed) {
      this.#close();
      this.#check();
    }
  }

  #close() {
    this.#backend?.dispose();
    this.#backend = undefined;
  }

  /** @param {readonly number[]} symbols @param {() => void} [check] that the inputs fit, before memory is taken for them */
  async #prepare(symbols, check) {
    this.#prepared = undefined;
    this.#host.bind(symbols);
    this.#shapes = { inputs: this.#host.shapes('inputs'), outputs: this.#host.shapes('outputs') };
    check?.();
    await this.#active.prepare(symbols);
    this.#prepared = symbols.join();
  }

  /** @param {AbortSignal} [signal] */
  #check(signal) {
    signal?.throwIfAborted();
    if (this.#isDisposed) throw new DisposedError('the model was disposed of: load it again');
  }

  /** Whether a run that is started now can begin at once, so that it reads its inputs before `run` returns. */
  get #isIdle() {
    return !this.#queue.waiting && this.#backend !== undefined && !this.#backend.isLost;
  }

  /**
   * Runs `work` when those before have let go. It lets go when it has ended, or when it says so.
   *
   * @template T @param {AbortSignal | undefined} signal @param {(letGo: () => void) => Promise<T>} work
   * @param {() => void} [ended] called when the turn is over, though the work may not have begun
   */
  #inTurn(signal, work, ended = () => {}) {
    const queue = this.#queue;
    let isHeld = true;
    const letGo = () => {
      if (isHeld) --queue.waiting;
      isHeld = false;
    };
    const start = async () => {
      this.#check(signal);
      if (!this.#backend || this.#backend.isLost) {
        this.#close();
        await this.#reopen(signal);
      }
      return work(letGo);
    };
    const isIdle = this.#isIdle;
    ++queue.waiting;
    const turn = isIdle ? start() : queue.last.then(start);
    // What a run gave is its caller's alone.
    queue.last = turn.finally(ended).then(letGo, letGo);
    return abortable(this.#explain(turn, signal), signal);
  }

  /** Sets everything up again after a loss. A device that was given is lost for good. @param {AbortSignal} [signal] */
  async #reopen(signal) {
    try {
      const { backend } = this.#options;
      await this.open({ signal }, globalThis.WEBNNC_MODELS !== false ? /** @type {Bundle} */ (this.#queue).find(backend, { signal }) : searchGpu(backend), true);
      if (this.backend === 'wasm') this.backendReason = `the GPU was lost: ${this.backendReason}`;
    } catch (error) {
      if (!(error instanceof UnsupportedError)) throw error;
      throw new DeviceLostError(`the GPU was lost, and there is no other: ${error.message}`, { cause: error });
    }
  }

  /**
   * Tells a failure that comes of a lost device or of `dispose` as such.
   *
   * @template T @param {Promise<T>} promise @param {AbortSignal} [signal] @returns {Promise<T>}
   */
  async #explain(promise, signal) {
    const backend = this.#backend;
    try {
      return await promise;
    } catch (cause) {
      this.#check();
      // The device may tell of its loss after the first failure that comes of it.
      const isOurs = globalThis.WEBNNC_WALKS !== false && signal?.aborted || cause instanceof ModelError && !(backend?.isLost && cause instanceof OutOfMemoryError);
      if (!(backend instanceof GpuBackend) || isOurs) throw cause;
      // Another run has left the GPU meanwhile.
      if (backend !== this.#backend && backend.refusal) throw backend.refusal;
      const loss = await backend.loss(LOSS_GRACE);
      if (!backend.isLost) throw cause;
      throw new DeviceLostError(`the GPU was lost (${loss}): run again`, { cause });
    }
  }

  /**
   * The inputs in one form. What cannot be used at once is copied: the caller may change it meanwhile.
   *
   * @param {any} given @param {{mayKeep?: boolean, onGpu?: boolean}} how whether the caller leaves the arrays to the
   *   model, and whether pictures may go to the GPU at once
   * @param {Memory | undefined} memory
   * @returns {Parsed}
   */
  #parse(given, { mayKeep, onGpu = true }, memory) {
    this.#check();
    checkInputs(given, this.inputs);
    if (globalThis.WEBNNC_WALKS !== false && memory) return this.#parseSome(given, onGpu, memory);
    const inputs = this.#parseAll(given, onGpu), symbols = bindSymbols(inputs, this.#host.symbols);
    if (this.#options.validate !== false) inputs.forEach(checkRange);
    // A run that the GPU may refuse needs its inputs once more.
    if (mayKeep || this.#isIdle && this.#active.isProven && symbols.join() === this.#prepared) return { inputs, symbols };
    return { inputs: inputs.map((input) => ({ ...input, data: input.count === undefined || input.isFrame ? input.data : input.data.slice() })), symbols };
  }

  /** What a caller gives beside the state, which is known when the run begins. @param {any} given @param {boolean} onGpu @param {Memory} memory @returns {any} */
  #parseSome(given, onGpu, memory) {
    if (globalThis.WEBNNC_WALKS !== false) {
      const own = this.inputs.filter((port) => !memory.has(port) || given[port.name] !== undefined);
      const inputs = this.#parseAll(given, onGpu, own);
      if (this.#options.validate !== false) for (const input of inputs) if (input) checkRange(input);
      const copied = inputs.map((input) => input && { ...input, data: input.count === undefined || input.isFrame ? input.data : input.data.slice() });
      return { inputs: copied, symbols: [], memory };
    }
  }

  /** All inputs of the manifest in its order: tables come last. @param {any} given @param {boolean} onGpu @param {readonly Api.Port[]} [own] those that are given @returns {any[]} */
  #parseAll(given, onGpu, own = this.inputs) {
    const ports = this.#host.manifest.inputs, backend = this.#backend;
    const isTaken = backend instanceof GpuBackend && !backend.isLost && (backend.isProven || !this.#mayLeaveGpu);
    const gpu = onGpu && isTaken ? backend : undefined;
    const parsed = own.flatMap((port) => globalThis.WEBNNC_LISTS !== false && port.list ? packList(port, ports, given[port.name])
      : takesPictures(port) ? this.#frames.parse(port, ports.filter(({ of }) => of === port.name), given[port.name], gpu)
      : [parseInput(port, given[port.name])]);
    return ports.map((port) => parsed.find((input) => input.port === port));
  }

  /**
   * The inputs as the backend takes them; prepares it for their sizes.
   *
   * @param {{inputs: Input[], symbols: number[]}} parsed @returns {Values | Promise<Values>}
   */
  #accept({ inputs, symbols }) {
    const backend = this.#active;
    if (backend.name === 'wasm' && inputs.some(({ count }) => count === undefined)) {
      throw new UnsupportedError(`the model runs in wasm, which takes no buffers of a GPU (${this.backendReason})`);
    }
    if (globalThis.WEBNNC_LISTS !== false) checkShared(inputs, this.#host.symbols, symbols);
    const check = () => checkSizes(inputs, this.#shapes.inputs, backend instanceof GpuBackend && backend.half);
    const values = inputs.map(({ data }) => data);
    if (symbols.join() !== this.#prepared) return this.#prepare(symbols, check).then(() => values);
    // Without waiting where there is nothing to wait for: inputs are read before the caller goes on.
    check();
    return values;
  }

  /**
   * @param {any} inputs @param {Api.RunOptions} [options] @param {Memory} [memory] of a session
   * @returns {Promise<any>}
   */
  async run(inputs, options = {}, memory = globalThis.WEBNNC_WALKS !== false ? this.#memory : undefined) {
    checkOptions('run', options, RUN_OPTIONS);
    this.#check();
    const { outputs, signal, transfer } = options, destinations = globalThis.WEBNNC_LISTS !== false
      ? destinationsOfParts(destinationsOf(outputs, this.outputs), this.outputs, this.#host.manifest.outputs) : destinationsOf(outputs, this.outputs);
    // Who gives all of a state keeps it, and is given all outputs.
    if (globalThis.WEBNNC_WALKS !== false && !memory?.isGiven(inputs)) memory?.leaveOut(outputs, destinations);
    const isChecked = this.#options.validate !== false, { manifest } = this.#host, arrays = arraysOf(outputs, manifest.outputs);
    if (this.#hidden >= 0) destinations.push(isChecked ? 'data' : 'none');
    const list = await lend(arrays, async () => {
      const decoded = decodeFiles(this.inputs, inputs), parsed = this.#parse(decoded instanceof Promise ? await decoded : decoded, { mayKeep: transfer }, memory);
      return this.#orInWasm(signal, () => this.#attempt(parsed, destinations, isChecked, { signal, arrays }));
    }), told = list[this.#hidden];
    if (told) checkIndices(manifest, told.data);
    if (globalThis.WEBNNC_LISTS !== false) unpackLists(manifest.outputs, list);
    return Object.fromEntries(this.outputs.flatMap((port, i) => {
      const { name, labels } = port;
      if (globalThis.WEBNNC_LISTS !== false && port.list) return list[i] === undefined ? [] : [[name, list[i]]];
      return list[i] ? [[name, { ...list[i], shape: [...list[i].shape], ...labels && { labels } }]] : [];
    }));
  }

  /**
   * A run on the backend of now.
   *
   * @param {Parsed} given @param {Destination[]} destinations @param {boolean} isChecked
   * @param {How} how @returns {Promise<any[]>} the outputs
   */
  async #attempt(given, destinations, isChecked, how) {
    const { memory } = given, { signal } = how;
    const { tensors } = await this.#inTurn(signal, async (letGo) => {
      if (globalThis.WEBNNC_MODELS !== false && this.#active.name === 'wasm' && given.inputs.some(isReadable)) given = await readBack(given, isChecked);
      if (globalThis.WEBNNC_WALKS !== false && memory) return this.#attemptFrom(memory, given, destinations, isChecked, how);
      const parsed = /** @type {Known} */ (given);
      const accepted = this.#accept(parsed), values = accepted instanceof Promise ? await accepted : accepted, backend = this.#active;
      if (destinations.includes('gpu') && backend.name === 'wasm') {
        throw new UnsupportedError(`the model runs in wasm, which keeps no tensors on a GPU (${this.backendReason})`);
      }
      // Without waiting where there is nothing to read: inputs are read before the caller goes on.
      const isRead = isChecked && parsed.inputs.some(({ port, count }) => count === undefined && /** @type {any} */ (port).range);
      if (isRead) await this.#checkBuffers(/** @type {GpuBackend} */ (backend), parsed.inputs);
      const tensors = this.#explain(/** @type {Promise<any[]>} */ (backend.start(values, this.#shapes.outputs, destinations, how)), signal);
      tensors.catch(() => {});
      // On the GPU the next run need not wait for them, not even for this function to end: one that is started in the
      // same breath is submitted at once. In wasm it would overwrite what this one computes, and what
      // has commands is not submitted yet.
      if (backend.name === 'wasm' || globalThis.WEBNNC_WALKS !== false && 'isSerial' in backend) await tensors;
      else letGo();
      return { tensors };
    }, () => releaseFrames(given.inputs.map((input) => input?.data)));
    return abortable(tensors, signal);
  }

  /**
   * A run that goes on from a state, which it leaves as it was if it fails.
   *
   * @param {Memory} memory @param {Parsed} given @param {Destination[]} destinations @param {boolean} isChecked
   * @param {How} how @returns {Promise<any>}
   */
  async #attemptFrom(memory, given, destinations, isChecked, { signal, arrays }) {
    if (globalThis.WEBNNC_WALKS !== false) {
      const backend = this.#active, { device } = backend, isSerial = 'isSerial' in backend;
      if (destinations.includes('gpu') && !device) {
        throw new UnsupportedError(`the model runs in wasm, which keeps no tensors on a GPU (${this.backendReason})`);
      }
      const parsed = memory.recall(given.inputs, this.#host, device);
      await this.#accept(parsed);
      if (isChecked && device) await this.#checkBuffers(/** @type {GpuBackend} */ (backend), parsed.inputs);
      const shapes = this.#shapes, { values, visits } = await memory.enter(parsed.inputs, shapes, backend, this.#host, signal !== undefined || isChecked && this.#hidden >= 0);
      let tensors = /** @type {any[]} */ ([]), ended = shapes.outputs, rooms;
      try {
        const wanted = memory.destinations(destinations, device !== undefined, visits), next = device && !isSerial ? memory.foresee(parsed.symbols) : undefined;
        tensors = await backend.start(values, shapes.outputs, wanted, { signal, arrays: memory.others(arrays), prepareNext: next && (() => this.#prepare(next)) });
        await visits.verdict;
        signal?.throwIfAborted();
        ended = isSerial ? this.#host.shapes('outputs') : shapes.outputs;
        rooms = partsOf(memory.own(arrays), this.#host.manifest.outputs, ended);
        const told = tensors[this.#hidden];
        if (told) checkIndices(this.#host.manifest, told.data);
      } catch (error) {
        memory.drop(tensors, visits);
        throw error;
      }
      const kept = await memory.keep(tensors, ended, destinations, backend, visits);
      // An array whose run was aborted is its caller's again.
      return { tensors: Promise.resolve(signal?.aborted ? kept : memory.fill(rooms, kept)) };
    }
  }

  /** Indices that are on the GPU are read back, and checked as others are. @param {GpuBackend} backend @param {Input[]} inputs */
  async #checkBuffers(backend, inputs) {
    for (const [i, { port, data, count }] of inputs.entries()) {
      if (count !== undefined || !(/** @type {any} */ (port).range)) continue;
      const elements = await backend.readInput(i, data);
      checkRange({ port, data: elements, count: elements.length, shape: undefined });
    }
  }

  /** @param {any} inputs @param {Api.ProfileOptions} [options] @param {Memory} [memory] of a session @returns {Promise<Api.Profile>} */
  async profile(inputs, options = {}, memory = globalThis.WEBNNC_WALKS !== false ? this.#memory : undefined) {
    checkOptions('profile', options, PROFILE_OPTIONS);
    const { runs = 5, peak, signal } = options, decoded = decodeFiles(this.inputs, inputs);
    let parsed = this.#parse(decoded instanceof Promise ? await decoded : decoded, { onGpu: false }, memory);
    // It arrives while others have their turn.
    const loading = importProfiler(this.#weights.files);
    loading.catch(() => {});
    const measure = async (/** @type {Values} */ values) => this.#active.profile(values, { runs, peak }, () => this.#check(signal), await loading);
    return this.#orInWasm(signal, () => this.#inTurn(signal, async () => {
      if (globalThis.WEBNNC_MODELS !== false && this.#active.name === 'wasm' && parsed.inputs.some(isReadable)) parsed = await readBack(parsed, this.#options.validate !== false);
      if (globalThis.WEBNNC_WALKS !== false && memory) {
        const known = memory.recall(parsed.inputs, this.#host, this.#active.device);
        await this.#accept(known);
        const { values, visits } = await memory.enter(known.inputs, this.#shapes, this.#active, this.#host, true);
        return measure(values).finally(() => memory.leave(visits));
      }
      return measure(await this.#accept(/** @type {Known} */ (parsed)));
    }));
  }

  dispose() {
    if (globalThis.WEBNNC_WALKS !== false) for (const memory of this.#memories) memory.forget();
    this.#isDisposed = true;
    this.#close();
    if (globalThis.WEBNNC_MODELS !== false) /** @type {Bundle} */ (this.#queue).leave(this.#host);
    else {
      this.#weights.dispose();
      this.#host?.work.team?.dispose();
    }
    // The model may stay referenced: what it has must not.
    this.#host = /** @type {any} */ (undefined);
    this.#options = {};
    this.#shapes = { inputs: [], outputs: [] };
  }

  [DISPOSE]() {
    this.dispose();
  }
}

/**
 * Who is to share the work of models on the CPU: nobody if they are on a GPU, where modules do little, and the smallest one does. So that is
 * waited for, unless there is nothing to choose.
 *
 * @param {Api.LoadOptions} options @param {Finder} files @param {Promise<Found>} search @returns {Promise<Hired>}
 */
async function hireFor({ backend, threads }, files, search) {
  const { count, reason } = planThreads(threads);
  if (globalThis.WEBNNC_MORE_MODULES !== false) {
    const isOnGpu = backend !== 'wasm' && (count > 1 || HAS_DOTS) && await search.then(() => true, () => false);
    if (count === 1) return { reason, isOnGpu };
    return isOnGpu ? { reason: 'the model was loaded for a GPU', isOnGpu } : { team: new Team(count, files) };
  }
  return { reason };
}

/**
 * Loads the models into this thread.
 *
 * @param {Api.LoadOptions} options @param {Finder} files @returns {Promise<any>} all models, or the only one in a script that serves no others
 */
export async function loadHere(options, files) {
  const { backend, device, signal } = options, given = /** @type {GPUDevice | undefined} */ (device);
  const progress = new Progress(options.onProgress), control = { signal, onProgress: progress.report };
  const weights = new Weights(files, options.cache === true);
  // Modules, weights and the GPU do not wait for each other. Which weights and shaders are needed depends on the GPU.
  const shaders = new Shaders(files), search = searchGpu(backend, given, (choices) => shaders.begin(choices, control));
  const hiring = hireFor(options, files, search), loading = Host.load(files, shaders, control, hiring);
  loading.catch(() => {});
  try {
    const found = backend === 'wasm' ? undefined : await search.catch(() => undefined);
    if (found || backend !== 'webgpu') await weights.begin(needsOf(found?.choices ?? wasmPrograms()), signal);
    const hosts = await loading;
    if (globalThis.WEBNNC_MODELS !== false) {
      const bundle = new Bundle(hosts, weights, options), models = hosts.map((host) => new Model(host, weights, options, bundle));
      await bundle.open(models, search, !given, control);
      progress.end();
      return models;
    }
    const model = new Model(hosts[0], weights, options, { last: Promise.resolve(), waiting: 0 });
    await model.open(control, search, !given);
    progress.end();
    return model;
  } catch (error) {
    weights.dispose();
    hiring.then(({ team }) => team?.dispose());
    if (!given) search.then((found) => found.device.destroy(), () => {});
    throw error;
  }
}
