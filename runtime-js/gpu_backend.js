// Runs a model on the GPU. All that a run needs is made beforehand: bind groups, buffers to read back through and, from the
// second run on, the commands themselves (gpu_commands.js), which are encoded while the GPU works on the run before. A run
// waits for no other: any number may be in flight, and the GPU's queue keeps them in order.

/** @import * as Api from './model.js' */
/** @import { GpuProgram, Place } from './host.js' */
/** @import { Host } from './host.js' */
/** @import { LoadControl } from './files.js' */
/** @import { Found } from './bundle.js' */
/** @import { Values } from './inputs.js' */
/** @import { Drawable, Pixels, Region } from './pictures.js' */
/** @import { Copy, Step } from './gpu_commands.js' */
/** @import { Destination, How } from './options.js' */
/** @import { Profiler } from './model.profile.js' */
/** @import { Room } from './rooms.js' */
/** @import { Faster } from './tune/choose.js' */
/** @import { Weights } from './weights.js' */

import * as abi from './abi.js';
import { partsOf } from './arrays.js';
import { BUILD } from './build.js';
import { fromWords, makeRoom, toWords, wordBytes } from './elements.js';
import { GpuError, InputError, OutOfMemoryError, megabytes } from './errors.js';
import { COPY_DST, COPY_SRC, Gpu, GpuOfOne, STORAGE, UNIFORM, commonOf, isForeign, isGpuBuffer, isOnGpu, roundUp } from './gpu_device.js';
import { GpuFrame } from './frames.js';
import { commandsOf } from './gpu_commands.js';
import { GpuFrames } from './gpu_frames.js';
import { Groups, areSame, isEnough, judge, roomFor, tableOf } from './gpu_groups.js';
import { compilerFor } from './gpu_pipelines.js';
import { Staging } from './gpu_staging.js';
import { GpuWeights } from './gpu_weights.js';
import { countOf } from './inputs.js';
import { isRoom } from './rooms.js';

/** Where an input or output is in the arena. @typedef {{port: Api.Port, offset: number, bytes: number, count: number}} PortPlace */

/**
 * Commands, and where they copy the outputs to: one buffer to read back through, of which so many `bytes` are used, and `at`
 * which of them each output begins; and one buffer for each output that stays on the GPU.
 *
 * @typedef {{commands: Iterable<GPUCommandBuffer>, staging: GPUBuffer | undefined, bytes: number, at: number[], kept: (GPUBuffer | undefined)[]}} Encoded
 */

/** Gives back the textures of pictures, after they were submitted or where they will not be. @param {Values} values */
export function releaseFrames(values) {
  for (const value of values) if (value instanceof GpuFrame) value.release();
}

/** Of a caller's buffer. @param {GPUError} error */
export function refuseBuffer({ message }) {
  const isElsewhere = /associated with|different device|another device|cannot be used with|DeviceMismatch/i.test(message);
  return new InputError(isElsewhere
    ? 'an input is a buffer of another GPUDevice: make it on model.device, or pass your device to load'
    : `an input is a buffer that WebGPU does not take: ${message}`);
}

export class GpuBackend {
  /** @type {'webgpu'} */
  name = 'webgpu';
  /** @type {Gpu} */ #gpu;
  /** @type {GpuFrames} */ #frames;
  /** @type {Host} */ #host;
  /** Of the program. @type {number} */ #index;
  /** @type {GpuProgram} */ #program;
  /** By kernel. @type {GPUComputePipeline[]} */ #pipelines;
  /** @type {GpuWeights} */ #weights;
  /** @type {GPUBuffer | undefined} */
  #arena;
  /** @type {GPUBuffer | undefined} */
  #parameters;
  /** @type {Step[]} */
  #steps = [];
  /** @type {{inputs: PortPlace[], outputs: PortPlace[]}} */
  #ports = { inputs: [], outputs: [] };
  /** @type {Staging} */ #staging;
  /** Whether a run has passed WebGPU's validation since `prepare`. */
  isProven = false;
  /** Whether there are no steps yet for the sizes that were prepared last. */
  #isAnew = true;
  /** By kernel, shaders that were measured to be faster. @type {Map<number, Faster>} */ #faster = new Map();
  /** The symbols' values. @type {readonly number[]} */ #symbols = [];
  /** Why WebGPU refuses what the model does. @type {GpuError | undefined} */
  refusal;
  /** @type {(Encoded & {key: string}) | undefined} */
  #next;

  /**
   * @param {Gpu} gpu @param {Host} host @param {number} index of the program
   * @param {GPUComputePipeline[]} pipelines by kernel @param {GpuWeights} weights
   */
  constructor(gpu, host, index, pipelines, weights) {
    this.#gpu = gpu;
    this.#frames = new GpuFrames(gpu);
    this.#staging = new Staging(gpu);
    this.#host = host;
    this.#index = index;
    this.#pipelines = pipelines;
    this.#weights = weights;
    this.#program = /** @type {GpuProgram} */ (host.manifest.programs[index]);
  }

  /**
   * @param {Host} host @param {number} index of the program @param {Weights} weights @param {LoadControl} control
   * @param {Found} found @param {boolean} isOwn
   */
  static async open(host, index, weights, control, { device, common }, isOwn) {
    const gpu = globalThis.WEBNNC_MODELS !== false && common ? new GpuOfOne(common.gpu) : new Gpu(device, isOwn);
    const { kernels } = /** @type {GpuProgram} */ (host.manifest.programs[index]), shaders = host.shaders.load(host.index, index, control);
    try {
      const [pipelines, onGpu] = await Promise.all(globalThis.WEBNNC_MODELS !== false && common ? [common.compile(kernels, shaders), common.weights] : [
        compilerFor(device, control)(kernels, shaders),
        GpuWeights.load(gpu, host, host.weightPlaces(index), BUILD.programs[index], weights, control),
      ]);
      return new this(gpu, host, index, pipelines, onGpu);
    } catch (error) {
      gpu.dispose();
      // On their way to the GPU they pass through memory that a program in wasm would use.
      if (globalThis.WEBNNC_MODELS !== false) await common?.weights.catch(() => {});
      throw error;
    }
  }

  get device() {
    return this.#gpu.device;
  }
  get isLost() {
    return this.#gpu.isLost;
  }
  get half() {
    return this.#program.half;
  }

  /** Takes the shaders that are fastest here. @param {Profiler} profiler */
  async tune({ choose }) {
    this.#faster = await choose(this.device, this.#host.index, this.#index);
  }

  // ---- For the sizes of the next runs

  /** @param {readonly number[]} symbols */
  async prepare(symbols) {
    this.#host.prepare(this.#index, this.#symbols = symbols);
    for (const { tell } of this.#faster.values()) tell(symbols);
    this.isProven = false;
    this.#isAnew = true;
    if (globalThis.WEBNNC_MODELS !== false) Object.assign(this, { isVoid: () => this.#arena !== commonOf(this.#gpu).arena });
    this.#dropNext();
    const hasState = globalThis.WEBNNC_WALKS !== false && this.#host.manifest.state;
    const place = () => {
      this.#makeArena();
      this.#placePorts();
      // Those of a state have other buffers in each session.
      if (!hasState) this.#makeSteps();
    };
    // Where sizes may be others in each run, the GPU is asked only if they take memory.
    if (globalThis.WEBNNC_WALKS !== false && hasState && isEnough(globalThis.WEBNNC_MODELS !== false ? commonOf(this.#gpu).arena : this.#arena, this.#parameters, this.#host, this.#index)) {
      place();
    } else {
      await this.#gpu.guard(place).catch((error) => {
        if (error instanceof GpuError) this.refusal = error;
        throw error;
      });
    }
    if (globalThis.WEBNNC_WALKS !== false && hasState && !('useRooms' in this)) {
      /** What the steps were made of. @type {{arena?: GPUBuffer, table?: Uint32Array, rooms?: Map<number, Room>}} */
      let made = {};
      /** @type {Promise<void> | undefined} */
      let verdict;
      Object.assign(this, {
        index: this.#index,
        groups: new Groups(),
        /** Before each run. What it gives tells whether WebGPU takes what was made. @param {Map<number, Room>} rooms by buffer */
        useRooms: (rooms) => {
          if (!this.#isAnew && areSame(rooms, made.rooms)) return verdict;
          const arena = this.#arena, table = tableOf(this.#host, this.#index, rooms);
          if (arena === made.arena && table.every((word, i) => word === made.table?.[i])) {
            this.#countAgain();
          } else {
            made = {};
            this.#dropNext();
            Object.assign(this, { rooms });
            verdict = judge(this.device, () => this.#makeSteps());
            verdict.catch((error) => this.refusal = error);
          }
          made = { arena, table, rooms };
          this.#isAnew = false;
          return verdict;
        },
      });
    }
  }

  #makeArena() {
    const host = this.#host, gpu = this.#gpu, program = host.program(this.#index);
    const bytes = host.word(program + abi.PROGRAM_ARENA_BYTES);
    if (globalThis.WEBNNC_MODELS !== false) this.#arena = commonOf(gpu).arena;
    if (!this.#arena || this.#arena.size < bytes) {
      // What has grown will grow on.
      const size = this.#arena ? Math.max(bytes, Math.min(roundUp(1.5 * bytes, 256), gpu.limits.maxBufferSize)) : bytes;
      // Runs that were submitted keep the old one until they end.
      (globalThis.WEBNNC_MODELS !== false ? commonOf(gpu) : gpu).destroyBuffer(this.#arena);
      this.#arena = (globalThis.WEBNNC_MODELS !== false ? commonOf(gpu) : gpu).makeBuffer('arena', size, STORAGE | COPY_SRC | COPY_DST);
      if (globalThis.WEBNNC_MODELS !== false) commonOf(gpu).arena = this.#arena;
    }
    const parameterBytes = host.word(program + abi.PROGRAM_PARAMETER_BYTES);
    if (!parameterBytes) return;
    this.#parameters ??= gpu.makeBuffer('parameters', parameterBytes, UNIFORM | COPY_DST);
    gpu.device.queue.writeBuffer(this.#parameters, 0, host.bytes, host.word(program + abi.PROGRAM_PARAMETERS), parameterBytes);
  }

  #placePorts() {
    const host = this.#host, index = this.#index, places = host.places(index);
    const placesOf = (/** @type {'inputs' | 'outputs'} */ kind) => {
      const buffers = host.portBuffers(index, kind), shapes = host.shapes(kind);
      return host.manifest[kind].map((port, i) => {
        const isOwn = globalThis.WEBNNC_WALKS !== false && isRoom(host, index, buffers[i]);
        const count = countOf(shapes[i]), bytes = isOwn ? 0 : roundUp(count * wordBytes(port.dataType, this.half), 4);
        return { port, offset: places[buffers[i]].offset, bytes, count };
      });
    };
    this.#ports = { inputs: placesOf('inputs'), outputs: placesOf('outputs') };
  }

  #makeSteps() {
    const host = this.#host, { device } = this, program = host.program(this.#index), places = host.places(this.#index);
    const dispatches = host.word(program + abi.PROGRAM_DISPATCHES) / 4;
    this.#steps = [];
    for (let s = 0; s < host.word(program + abi.PROGRAM_STEP_COUNT); ++s) {
      const at = dispatches + s * abi.DISPATCH_WORDS, kernel = host.word(at + abi.DISPATCH_KERNEL);
      const faster = this.#faster.get(kernel), { name } = this.#program.kernels[kernel], { x, y, z } = this.#countsAt(at, name);
      // Without elements there is nothing to do, and nothing to bind.
      if (x * y * z === 0) continue;
      const pipeline = faster?.pipeline ?? this.#pipelines[kernel];
      const own = this.#bindings(at, places), bindings = faster?.bind(own) ?? own;
      const make = () => device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: bindings.map((resource, binding) => ({ binding, resource })) });
      const group = globalThis.WEBNNC_WALKS !== false ? /** @type {any} */ (this).groups?.take(s, bindings, make) ?? make() : make();
      this.#steps.push({ pipeline, group, x, y, z, name, number: s });
    }
  }

  /** How many workgroups a dispatch has. @param {number} at @param {string} name of its kernel */
  #countsAt(at, name) {
    const host = this.#host, { maxComputeWorkgroupsPerDimension: most } = this.#gpu.limits;
    const faster = this.#faster.get(host.word(at + abi.DISPATCH_KERNEL));
    const [x, y, z] = faster?.grid(this.#symbols) ?? [host.word(at + abi.DISPATCH_X), host.word(at + abi.DISPATCH_Y), host.word(at + abi.DISPATCH_Z)];
    if (Math.max(x, y, z) > most) {
      throw new OutOfMemoryError(`kernel ${name} needs ${Math.max(x, y, z)} workgroups, ` +
        `and the GPU allows ${most}: try smaller inputs`);
    }
    return { x, y, z };
  }

  /** Tells the steps that are there how many workgroups they have now. */
  #countAgain() {
    const dispatches = this.#host.word(this.#host.program(this.#index) + abi.PROGRAM_DISPATCHES) / 4;
    for (const step of this.#steps) Object.assign(step, this.#countsAt(dispatches + Number(step.number) * abi.DISPATCH_WORDS, step.name));
  }

  /** What a dispatch binds. @param {number} at @param {Place[]} places @returns {GPUBufferBinding[]} */
  #bindings(at, places) {
    const host = this.#host, list = host.word(at + abi.DISPATCH_ARGUMENTS) / 4;
    const count = host.word(at + abi.DISPATCH_ARGUMENT_COUNT);
    const bindings = Array.from({ length: count }, (_, i) => {
      const b = host.word(list + i), room = globalThis.WEBNNC_WALKS !== false && /** @type {any} */ (this).rooms?.get(b);
      // All of it: what is bound stays the same while a state grows in it.
      return room ? { buffer: room.buffer, offset: 0, size: room.bytes } : this.#binding(places[b]);
    });
    const offset = host.word(at + abi.DISPATCH_PARAMETERS);
    if (offset !== abi.NO_PARAMETERS && this.#parameters) {
      bindings.push({ buffer: this.#parameters, offset, size: host.word(at + abi.DISPATCH_PARAMETER_BYTES) });
    }
    return bindings;
  }

  /** @param {Place} place @returns {GPUBufferBinding} */
  #binding(place) {
    // Shaders read vectors. A place has room up to the next multiple of 256 bytes, or more where sizes grow, so that what is bound
    // changes less often.
    const grows = globalThis.WEBNNC_WALKS !== false && !place.isWeight && /** @type {any} */ (this).rooms?.size;
    const size = grows ? roomFor(place.bytes) : Math.max(16, roundUp(place.bytes, place.isWeight ? 16 : 256)), { maxStorageBufferBindingSize: most } = this.#gpu.limits;
    if (size > most) {
      throw new OutOfMemoryError(`a tensor has ${megabytes(size)}, and the GPU allows ${megabytes(most)}: try smaller inputs`);
    }
    if (place.isWeight) return this.#weights.binding(place, size);
    return { buffer: /** @type {GPUBuffer} */ (this.#arena), offset: place.offset, size };
  }

  // ---- A run

  /**
   * @param {Values} values @param {number[][]} shapes of the outputs @param {Destination[]} destinations @param {How} how
   * @returns {Promise<any[]>}
   */
  start(values, shapes, destinations, { signal, arrays, prepareNext }) {
    const { device } = this, { outputs } = this.#ports, words = this.#toWords(values), given = partsOf(arrays, this.#host.manifest.outputs, shapes);
    // Waiting for WebGPU's verdict takes time, so only runs that may be refused do.
    const check = !this.isProven || values.some(isForeign) || destinations.includes('gpu');
    const inputsTaken = this.#takeBuffers(values);
    if (check) device.pushErrorScope('validation');
    this.#upload(words);
    // How many tensors stay on the GPU, and in which buffers, differs from run to run: these are copied by commands of their own.
    const ahead = destinations.some(isOnGpu) ? [] : destinations;
    const frames = this.#copyFrames(values), parts = [this.#takeNext(ahead) ?? this.#encode(true, ahead)];
    if (ahead !== destinations) parts.push(this.#encode(false, destinations));
    for (const { commands } of [frames, ...parts]) for (const each of commands) device.queue.submit([each]);
    releaseFrames(values);
    const verdict = this.#judge(inputsTaken, [check ? this.#accepted(device.popErrorScope()) : undefined, ...frames.verdicts]);
    const tensors = this.#read(parts[parts.length - 1], outputs, shapes, destinations, given, verdict, signal);
    if (globalThis.WEBNNC_WALKS !== false && prepareNext) {
      const { rooms, useRooms } = /** @type {any} */ (this);
      // What cannot be prepared is told by the run that needs it.
      const prepared = verdict.then(prepareNext).then(() => {
        useRooms(rooms);
        this.#encodeNext(ahead);
      }).catch(() => {});
      return tensors.finally(() => prepared);
    }
    // While the GPU works: the commands of the next run are most likely the same.
    if (this.isProven) this.#encodeNext(ahead);
    return tensors;
  }

  /** @param {Destination[]} destinations */
  #encodeNext(destinations) {
    const next = this.#encode(true, destinations);
    this.#next = { ...next, key: destinations.join(), commands: [...next.commands] };
  }

  /** The commands that the run before has made in advance, if they are for the same outputs. @param {Destination[]} destinations */
  #takeNext(destinations) {
    const next = this.#next;
    if (next?.key !== destinations.join()) return this.#dropNext();
    this.#next = undefined;
    return next;
  }

  /** @returns {undefined} */
  #dropNext() {
    if (this.#next?.staging) this.#staging.giveBack(this.#next.staging);
    this.#next = undefined;
  }

  /** Commands for the steps, if they are wanted, and for the outputs. @param {boolean} hasSteps @param {Destination[]} destinations @returns {Encoded} */
  #encode(hasSteps, destinations) {
    const { outputs } = this.#ports, arena = /** @type {GPUBuffer} */ (this.#arena), copies = /** @type {Copy[]} */ ([]);
    let end = 0;
    const at = outputs.map(({ bytes }, i) => destinations[i] === 'data' ? (end += bytes) - bytes : 0);
    const staging = destinations.includes('data') ? this.#staging.take(end) : undefined;
    const kept = outputs.map(({ port, offset, bytes }, i) => {
      const own = isOnGpu(destinations[i]) ? this.#gpu.bufferFor(destinations[i], port.name, bytes) : undefined;
      const target = own ?? (destinations[i] === 'data' ? staging : undefined);
      if (bytes && target) copies.push([arena, offset, target, at[i], bytes]);
      return own;
    });
    return { commands: commandsOf(this.device, hasSteps ? this.#steps : [], copies), staging, bytes: end, at, kept };
  }

  /**
   * Pictures on the GPU as they are, or nothing where they cannot be put there without the CPU.
   *
   * @param {(Pixels | Drawable)[]} pictures @param {Region} region @param {string} what
   */
  takeFrame(pictures, region, what) {
    return this.#frames.take(pictures, region, what);
  }

  /** Commands of their own, so that those of the run may have been encoded before. @param {Values} values */
  #copyFrames(values) {
    if (!values.some((value) => value instanceof GpuFrame)) return { commands: [], verdicts: [] };
    const encoder = this.device.createCommandEncoder();
    values.forEach((value, i) => {
      if (value instanceof GpuFrame) this.#frames.copy(encoder, value, /** @type {GPUBuffer} */ (this.#arena), this.#ports.inputs[i].offset);
    });
    return { commands: [encoder.finish()], verdicts: values.flatMap((value) => value instanceof GpuFrame ? [value.verdict] : []) };
  }

  /** Inputs as the GPU stores them. @param {Values} values @returns {Values} */
  #toWords(values) {
    return values.map((value, i) => {
      const { port, bytes } = this.#ports.inputs[i];
      return !bytes || isGpuBuffer(value) || value instanceof GpuFrame ? value : toWords(port, value, this.half);
    });
  }

  /** @param {Values} words */
  #upload(words) {
    words.forEach((value, i) => {
      const { offset, bytes } = this.#ports.inputs[i];
      if (bytes && !isGpuBuffer(value) && !(value instanceof GpuFrame)) this.device.queue.writeBuffer(/** @type {GPUBuffer} */ (this.#arena), offset, value);
    });
  }

  /** @param {GPUCommandEncoder} encoder @param {Values} values */
  #copyInputs(encoder, values) {
    values.forEach((value, i) => {
      const { offset, bytes } = this.#ports.inputs[i];
      if (bytes && isGpuBuffer(value)) encoder.copyBufferToBuffer(value, 0, /** @type {GPUBuffer} */ (this.#arena), offset, bytes);
    });
  }

  /**
   * Copies the caller's buffers, by commands of their own: what WebGPU says against these is about the buffers.
   *
   * @param {Values} values
   */
  async #takeBuffers(values) {
    if (!values.some(isGpuBuffer)) return;
    const { device } = this, isJudged = values.some(isForeign);
    if (isJudged) device.pushErrorScope('validation');
    const encoder = device.createCommandEncoder();
    this.#copyInputs(encoder, values);
    device.queue.submit([encoder.finish()]);
    const error = isJudged && await device.popErrorScope();
    if (error) throw refuseBuffer(error);
  }

  /**
   * Whether WebGPU takes a run. What is wrong with an input is told first.
   *
   * @param {Promise<void>} inputs @param {(Promise<void> | undefined)[]} others
   */
  async #judge(inputs, others) {
    const rest = Promise.all(others);
    rest.catch(() => {});
    await inputs;
    await rest;
  }

  /** @param {Promise<GPUError | null>} scope */
  async #accepted(scope) {
    const error = await scope;
    if (error) throw this.refusal = new GpuError(`the GPU refuses the run: ${error.message}`);
    this.isProven = true;
  }

  /**
   * @param {Encoded} results @param {PortPlace[]} outputs @param {number[][]} shapes @param {Destination[]} destinations @param {any[]} given arrays of the caller's
   * @param {Promise<unknown>} verdict @param {AbortSignal} [signal]
   */
  async #read({ staging, bytes: mappedBytes, at, kept }, outputs, shapes, destinations, given, verdict, signal) {
    const rooms = outputs.map(({ port: { dataType }, count }, i) => destinations[i] === 'data' ? given[i] ?? makeRoom(dataType, count) : undefined);
    const collect = (/** @type {ArrayBuffer} */ mapped) => outputs.map(({ port: { dataType }, bytes, count }, i) => {
      const shape = shapes[i], buffer = kept[i];
      if (buffer) return { buffer, shape, dataType, read: () => this.#readBack(buffer, bytes, count, shape, dataType) };
      // An array whose run was aborted is its caller's again.
      const room = signal?.aborted ? undefined : rooms[i];
      return rooms[i] ? { data: fromWords(dataType, mapped, at[i], count, this.half, room), shape, dataType } : undefined;
    });
    if (staging) return this.#staging.read(staging, mappedBytes, collect, verdict);
    await verdict;
    return collect(new ArrayBuffer(0));
  }

  /** The elements of an input that is a buffer. @param {number} index @param {GPUBuffer} buffer @returns {Promise<any>} */
  async readInput(index, buffer) {
    const { port, bytes, count } = this.#ports.inputs[index];
    return (await this.#readBack(buffer, bytes, count, [], port.dataType)).data;
  }

  /**
   * The elements of a tensor that stayed on the GPU.
   *
   * @param {GPUBuffer} buffer @param {number} bytes @param {number} count @param {number[]} shape @param {Api.DataType} dataType
   */
  async #readBack(buffer, bytes, count, shape, dataType) {
    const { device } = this, encoder = device.createCommandEncoder(), staging = this.#staging.take(bytes);
    if (bytes) encoder.copyBufferToBuffer(buffer, 0, staging, 0, bytes);
    device.queue.submit([encoder.finish()]);
    const data = await this.#staging.read(staging, bytes, (mapped) => fromWords(dataType, mapped, 0, count, this.half));
    return { data, shape: [...shape], dataType };
  }

  // ----

  /**
   * @param {Values} values @param {{runs: number, peak?: Api.Peak}} options @param {() => void} check called before each run
   * @param {Profiler} profiler
   */
  async profile(values, { runs, peak }, check, { Tally, hasClock, timeSteps }) {
    const tally = new Tally(this.#host, this.#index, this.#steps), words = this.#toWords(values);
    await this.#rehearse(values, words);
    for (let run = 0; run < runs; ++run) {
      check();
      const times = await timeSteps(this.#gpu, this.#steps, (encoder) => {
        this.#upload(words);
        this.#copyInputs(encoder, values);
      });
      times.forEach((ms, step) => tally.add(step, ms));
    }
    return tally.summary(hasClock(this.#gpu) ? 'gpu' : 'wall', runs, peak);
  }

  /** A run to warm up, by which WebGPU may refuse it. @param {Values} values @param {Values} words */
  async #rehearse(values, words) {
    const { device } = this, inputsTaken = this.#takeBuffers(values);
    device.pushErrorScope('validation');
    this.#upload(words);
    device.queue.submit([...this.#encode(true, []).commands]);
    await this.#judge(inputsTaken, [this.#accepted(device.popErrorScope())]);
    await device.queue.onSubmittedWorkDone();
  }

  /** Why the device was lost; undefined if it is not, or does not say so in time. @param {number} ms */
  async loss(ms) {
    return Promise.race([this.#gpu.loss, new Promise((done) => setTimeout(done, ms))]);
  }

  dispose() {
    this.#frames.dispose();
    this.#staging.dispose();
    this.#gpu.dispose();
  }
}
