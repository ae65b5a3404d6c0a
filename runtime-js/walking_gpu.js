// Runs on the GPU what has commands (walk.js): encodes as long as the runtime comes back with dispatches and copies,
// and waits where it needs what the GPU computed.

/** @import * as Api from './model.js' */
/** @import { GpuProgram, Host } from './host.js' */
/** @import { Values } from './inputs.js' */
/** @import { Drawable, Pixels, Region } from './pictures.js' */
/** @import { Destination, How } from './options.js' */
/** @import { Profiler } from './model.profile.js' */
/** @import { Gpu } from './gpu_device.js' */
/** @import { GpuWeights } from './gpu_weights.js' */
/** @import { Step } from './gpu_commands.js' */
/** @import { Room } from './rooms.js' */
/** @import { Tally } from './tally.js' */
/** @import { Command } from './walk.js' */

import * as abi from './abi.js';
import { partsOf } from './arrays.js';
import { ARRAYS, asGiven, fill, fromWords, toWords, wordBytes } from './elements.js';
import { GpuError, InputError, OutOfMemoryError, megabytes } from './errors.js';
import { GpuFrame } from './frames.js';
import { GpuBackend, refuseBuffer, releaseFrames } from './gpu_backend.js';
import { COPY_DST, COPY_SRC, INDIRECT, STORAGE, UNIFORM, commonOf, isForeign, isGpuBuffer, isOnGpu, roundUp } from './gpu_device.js';
import { GpuFrames } from './gpu_frames.js';
import { Staging } from './gpu_staging.js';
import { countOf } from './inputs.js';
import { Walk, bufferRecord, sizeOf } from './walk.js';
import { HEARING, nextTask } from './wasm_backend.js';

/** By DType. @type {Api.DataType[]} */
const TYPES = ['bool', 'int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64', 'float16', 'float32', 'float64'];

/**
 * How long the GPU is to be busy with what is submitted at once, in ms: an abort is heard of between two. And how many
 * dispatches that is, before it is known, and at most.
 */
const TURN = 20, FIRST_TURN = 16, LONGEST_TURN = 4096;

/** More bind groups of one dispatch than this are of sizes that will not come again. */
const MOST_GROUPS = 16;
/**
 * More workgroups than this are launched indirectly, if the GPU alone knows how many have something to do. On an NVIDIA
 * H200, Dawn takes 240 us for an indirect dispatch, which it checks on the GPU first, and 7 us for another.
 */
const MOST_IDLE = 1 << 14;
/** More bytes of outputs than this are read when it is known how many there are. */
const MOST_EARLY = 1 << 16;

/**
 * What of a dispatch stays as it is: where its record is and those of its buffers, what it is told of sizes; and its bind groups, by
 * where buffers are and how large.
 *
 * @typedef {{at: number, kernel: number, buffers: number[], records: number[], places: number[], groups: {places: number[], group: GPUBindGroup}[],
 *   isTold: boolean, sizes?: {offset: number, size: number}, counts: number}} Dispatch
 */
/** What the buffers of the runtime's number are. @typedef {{buffer: GPUBuffer, id: number}} Grown */

export class WalkingGpu extends GpuBackend {
  /** A run must end before the next begins. */
  isSerial = true;
  /** @type {Gpu} */ #gpu;
  /** @type {Host} */ #host;
  /** @type {GpuProgram} */ #program;
  /** @type {GPUComputePipeline[]} */ #pipelines;
  /** @type {GpuWeights} */ #weights;
  /** @type {Walk} */ #walk;
  /** @type {GpuFrames} */ #frames;
  /** @type {Staging} */ #staging;
  /** @type {number} */ #index;
  /** @type {GPUBuffer | undefined} */
  #arena;
  /** @type {GPUBuffer | undefined} */
  #parameters;
  /** By which copies within the arena go. @type {GPUBuffer | undefined} */
  #way;
  /** Sizes and workgroups that only the GPU knows. @type {GPUBuffer | undefined} */
  #told;
  /** What is in the buffer of parameters. @type {Int32Array | undefined} */
  #written;
  /** Where a state is in this run, by buffer. @type {Map<number, Room>} */
  #rooms = new Map();
  /** Buffers that grow, by the number that the runtime has for their place. @type {Map<number, Grown>} */
  #grown = new Map();
  #lastId = 0;
  /** As far as they were used. @type {Dispatch[]} */
  #dispatches = [];
  /** What is not submitted yet. @type {GPUCommandEncoder | undefined} */
  #encoder;
  /** @type {GPUComputePassEncoder | undefined} */
  #pass;
  /** @type {GPUComputePipeline | undefined} */
  #current;
  /** What becomes of the outputs of this run. @type {Destination[]} */
  #destinations = [];
  /** What was read of them before their sizes were known. @type {{data: Promise<ArrayBuffer>, at: number[]} | undefined} */
  #early;
  /** Whether WebGPU is asked what it thinks of this run. */
  #isJudged = false;
  /** What it says. @type {Promise<GPUError | null>[]} */
  #verdicts = [];
  /** Dispatches that were encoded since the last turn ended, how many are to be in one, and when it began. */
  #encoded = 0;
  #turn = FIRST_TURN;
  #turnBegan = 0;
  /** The end of the turn before. @type {Promise<unknown> | undefined} */
  #before;
  #heard = 0;

  /**
   * @param {Gpu} gpu @param {Host} host @param {number} index
   * @param {GPUComputePipeline[]} pipelines @param {GpuWeights} weights
   */
  constructor(gpu, host, index, pipelines, weights) {
    super(gpu, host, index, pipelines, weights);
    this.#gpu = gpu;
    this.#host = host;
    this.index = this.#index = index;
    this.#program = /** @type {GpuProgram} */ (host.manifest.programs[index]);
    this.#pipelines = pipelines;
    this.#weights = weights;
    this.#walk = new Walk(host, index);
    this.#frames = new GpuFrames(gpu);
    this.#staging = new Staging(gpu);
  }

  // ---- Places

  /** @override @param {readonly number[]} symbols */
  async prepare(symbols) {
    this.isProven = false;
    this.#walk.prepare(symbols);
    this.#findArena();
    await this.#afterPlan().catch((error) => {
      if (error instanceof GpuError) this.refusal = error;
      throw error;
    });
  }

  /** Before each run of a model with state. @param {Map<number, Room>} rooms by buffer */
  useRooms(rooms) {
    this.#rooms = rooms;
  }

  /** Between runs another model may have replaced it by a larger one. */
  #findArena() {
    if (globalThis.WEBNNC_MODELS === false || this.#arena === commonOf(this.#gpu).arena) return;
    this.#arena = commonOf(this.#gpu).arena;
    this.#dispatches = [];
  }

  /** The arena grows, and keeps what is in it; shaders are told their sizes. */
  async #afterPlan() {
    const host = this.#host, program = host.program(this.#index), bytes = host.word(program + abi.PROGRAM_ARENA_BYTES);
    if (!this.#arena || this.#arena.size < bytes) {
      const owner = globalThis.WEBNNC_MODELS !== false ? commonOf(this.#gpu) : this.#gpu;
      const old = this.#arena, larger = await this.#makeBuffer('arena', bytes, owner);
      if (old) this.#copyEncoder().copyBufferToBuffer(old, 0, larger, 0, old.size);
      this.#arena = larger;
      if (globalThis.WEBNNC_MODELS !== false) commonOf(this.#gpu).arena = larger;
      this.#dispatches = [];
      this.#submit();
      owner.destroyBuffer(old);
    }
    const length = host.word(program + abi.PROGRAM_PARAMETER_BYTES), at = host.word(program + abi.PROGRAM_PARAMETERS);
    if (!length) return;
    const parameters = host.words.subarray(at / 4, (at + length) / 4);
    if (this.#written && areEqual(this.#written, parameters)) return;
    this.#parameters ??= this.#gpu.makeBuffer('parameters', length, UNIFORM | COPY_DST);
    // What is encoded is for the sizes of before.
    this.#submit();
    this.device.queue.writeBuffer(this.#parameters, 0, parameters);
    this.#written = parameters.slice();
  }

  /** @param {string} label @param {number} bytes @param {Gpu} [gpu] that it belongs to */
  async #makeBuffer(label, bytes, gpu = this.#gpu) {
    // Errors are to be told of this alone.
    this.#submit();
    const buffer = await gpu.guard(() => gpu.makeBuffer(label, bytes, STORAGE | COPY_SRC | COPY_DST));
    this.#checkDevice();
    return buffer;
  }

  /** The buffer of something that grows. @param {number} number */
  #grownBuffer(number) {
    const known = this.#grown.get(number);
    if (known) return known;
    const made = { buffer: this.#gpu.makeBuffer('grown', 16, STORAGE | COPY_SRC | COPY_DST), id: ++this.#lastId };
    this.#grown.set(number, made);
    return made;
  }

  /** Makes room for so many bytes. @param {number} number @param {number} bytes */
  async #grow(number, bytes) {
    const { buffer: old } = this.#grownBuffer(number);
    if (old.size >= bytes) return;
    const { maxBufferSize } = this.#gpu.limits, size = Math.max(bytes, Math.min(2 * old.size, maxBufferSize));
    const buffer = await this.#makeBuffer('grown', roundUp(size, 16));
    this.#copyEncoder().copyBufferToBuffer(old, 0, buffer, 0, old.size);
    this.#submit();
    this.#grown.set(number, { buffer, id: ++this.#lastId });
    this.#gpu.destroyBuffer(old);
  }

  /** Where a buffer is on the GPU. @param {number} b @param {number} [size] @returns {{buffer: GPUBuffer, offset: number}} */
  #place(b, size = 16) {
    const kind = this.#walk.kind(b), offset = this.#walk.offset(b);
    if (kind === abi.TOLD) return { buffer: this.#told ??= this.#gpu.makeBuffer('told', size, STORAGE | UNIFORM | INDIRECT), offset };
    if (kind === abi.GROWN) return { buffer: this.#grownBuffer(offset).buffer, offset: 0 };
    if (kind === abi.STATE) return { buffer: /** @type {GPUBuffer} */ (this.#rooms.get(b)?.buffer), offset: 0 };
    if (kind !== abi.WEIGHTS) return { buffer: /** @type {GPUBuffer} */ (this.#arena), offset };
    return /** @type {any} */ (this.#weights.binding({ isWeight: true, bytes: size, offset }, size));
  }

  // ---- Encoding

  #open() {
    if (this.#encoder) return this.#encoder;
    if (this.#isJudged) this.device.pushErrorScope('validation');
    return this.#encoder = this.device.createCommandEncoder();
  }

  #endPass() {
    this.#pass?.end();
    this.#pass = this.#current = undefined;
  }

  /** For copies. */
  #copyEncoder() {
    const encoder = this.#open();
    this.#endPass();
    return encoder;
  }

  #submit() {
    if (!this.#encoder) return;
    this.#endPass();
    this.device.queue.submit([this.#encoder.finish()]);
    this.#closeScope();
  }

  #closeScope() {
    if (this.#encoder && this.#isJudged) {
      const verdict = this.device.popErrorScope();
      verdict.catch(() => {});
      this.#verdicts.push(verdict);
    }
    this.#encoder = undefined;
  }

  /** Forgets what a run that ended early did not submit. */
  #drop() {
    if (!this.#encoder) return;
    this.#pass?.end();
    this.#pass = this.#current = undefined;
    this.#closeScope();
  }

  /** @param {number} s @returns {Dispatch} */
  #describe(s) {
    const host = this.#host, at = host.word(host.program(this.#index) + abi.PROGRAM_DISPATCHES) / 4 + s * abi.DISPATCH_WORDS;
    const list = host.word(at + abi.DISPATCH_ARGUMENTS) / 4, buffers = Array.from({ length: host.word(at + abi.DISPATCH_ARGUMENT_COUNT) }, (_, i) => host.word(list + i));
    const offset = host.word(at + abi.DISPATCH_PARAMETERS), bytes = host.word(at + abi.DISPATCH_PARAMETER_BYTES);
    const isTold = offset !== abi.NO_PARAMETERS && offset >= abi.TOLD_ON_DEVICE, hasSizes = offset !== abi.NO_PARAMETERS && bytes > 0;
    return {
      at, kernel: host.word(at + abi.DISPATCH_KERNEL), buffers, records: buffers.map((b) => bufferRecord(host, this.#index, b)), places: [], groups: [], isTold,
      sizes: hasSizes ? { offset: isTold ? offset - abi.TOLD_ON_DEVICE : offset, size: bytes } : undefined,
      counts: isTold ? offset - abi.TOLD_ON_DEVICE + bytes : 0,
    };
  }

  /** What a dispatch is with its buffers as they are now; undefined if it has nothing to do. @param {number} s @returns {Step | undefined} */
  #step(s) {
    const { words } = this.#host, dispatch = this.#dispatches[s] ??= this.#describe(s), { at, kernel } = dispatch;
    // The most that there can be, if the GPU alone knows how many.
    const x = words[at + abi.DISPATCH_X] >>> 0, y = words[at + abi.DISPATCH_Y] >>> 0, z = words[at + abi.DISPATCH_Z] >>> 0;
    if (x * y * z === 0) return undefined;
    const { name } = this.#program.kernels[kernel], { maxComputeWorkgroupsPerDimension: most } = this.#gpu.limits;
    if (Math.max(x, y, z) > most) {
      throw new OutOfMemoryError(`kernel ${name} needs ${Math.max(x, y, z)} workgroups, and the GPU allows ${most}: try smaller inputs`);
    }
    const group = this.#group(dispatch, words);
    const told = dispatch.isTold && x * y * z > MOST_IDLE ? { buffer: /** @type {GPUBuffer} */ (this.#told), offset: dispatch.counts } : undefined;
    return { pipeline: this.#pipelines[kernel], group, x, y, z, name, told };
  }

  /** @param {Dispatch} dispatch @param {Int32Array} words */
  #group(dispatch, words) {
    const { buffers, records, places, groups } = dispatch, dims = this.#host.word(this.#host.model + abi.MODEL_DIMS) / 4;
    for (let i = 0; i < buffers.length; ++i) {
      const at = records[i], offset = words[at + abi.BUFFER_OFFSET] >>> 0, size = words[at + abi.BUFFER_BYTES], room = this.#rooms.get(buffers[i]);
      const isGrown = words[at + abi.BUFFER_KIND] === abi.GROWN;
      places[2 * i] = room ? room.id : isGrown ? this.#grownBuffer(offset).id : offset;
      places[2 * i + 1] = size >= 0 ? size : words[dims + ~size];
    }
    const known = groups.find((group) => areEqual(group.places, places));
    if (known) return known.group;
    /** @type {GPUBufferBinding[]} */
    const resources = buffers.map((b) => this.#binding(b)), sizesIn = dispatch.isTold ? this.#told : this.#parameters;
    if (dispatch.sizes && sizesIn) resources.push({ buffer: sizesIn, ...dispatch.sizes });
    const layout = this.#pipelines[dispatch.kernel].getBindGroupLayout(0);
    const group = this.device.createBindGroup({ layout, entries: resources.map((resource, binding) => ({ binding, resource })) });
    if (groups.length >= MOST_GROUPS) groups.length = 0;
    groups.push({ places: [...places], group });
    return group;
  }

  /** @param {number} b @returns {GPUBufferBinding} */
  #binding(b) {
    // As in gpu_backend.js: shaders read vectors, for which there is room.
    const size = Math.max(16, roundUp(this.#walk.bytes(b), 16)), { maxStorageBufferBindingSize: most } = this.#gpu.limits;
    if (size > most) throw new OutOfMemoryError(`a tensor has ${megabytes(size)}, and the GPU allows ${megabytes(most)}: try smaller inputs`);
    return { ...this.#place(b, size), size };
  }

  /** @param {number} first @param {number} end */
  #run(first, end) {
    for (let s = first; s < end; ++s) {
      this.#open();
      const step = this.#step(s);
      if (!step) continue;
      this.#pass ??= this.#open().beginComputePass();
      if (step.pipeline !== this.#current) this.#pass.setPipeline(this.#current = step.pipeline);
      this.#pass.setBindGroup(0, step.group);
      if (step.told) this.#pass.dispatchWorkgroupsIndirect(step.told.buffer, step.told.offset);
      else this.#pass.dispatchWorkgroups(step.x, step.y, step.z);
      ++this.#encoded;
    }
  }

  // ---- Commands

  /** @param {Command} command */
  async #obey(command) {
    const walk = this.#walk, { kind, a, b, c, d } = command;
    if (command === walk.lastWait) this.#readEarly();
    if (kind === abi.RUN) this.#run(a, b);
    else if (kind === abi.PLAN) await this.#afterPlan();
    else if (kind === abi.UPLOAD) this.#upload(a, b, TYPES[d]);
    else if (kind === abi.READ_BACK) await this.#readBack(a, b, TYPES[d]);
    else if (kind === abi.STACK && !walk.isOnHost(a)) {
      const bytes = sizeOf(this.#host, d);
      await this.#copy(a, b, Number(walk.integer(c, 0, 8)) * bytes, bytes);
    }
  }

  /** @param {number} from @param {number} to @param {number} at behind which byte @param {number} bytes */
  async #copy(from, to, at, bytes) {
    if (!bytes) return;
    if (at % 4) throw new GpuError('the GPU has no copies of slices that are no whole words, as an odd number of halves is');
    const size = roundUp(bytes, 4), grows = this.#walk.kind(to) === abi.GROWN;
    // Vectors are read, the last of which may have room only.
    if (grows) await this.#grow(this.#walk.offset(to), roundUp(at + size, 16));
    const source = this.#place(from, size), target = this.#place(to, size);
    if (source.buffer === target.buffer && (!this.#way || this.#way.size < size)) {
      const old = this.#way;
      this.#way = await this.#makeBuffer('copy', size);
      this.#gpu.destroyBuffer(old);
    }
    const encoder = this.#copyEncoder();
    if (source.buffer !== target.buffer) {
      encoder.copyBufferToBuffer(source.buffer, source.offset, target.buffer, target.offset + at, size);
    } else if (source.offset !== target.offset + at) {
      // WebGPU has no copies within a buffer.
      const way = /** @type {GPUBuffer} */ (this.#way);
      encoder.copyBufferToBuffer(source.buffer, source.offset, way, 0, size);
      encoder.copyBufferToBuffer(way, 0, target.buffer, target.offset + at, size);
    }
    ++this.#encoded;
  }

  /** @param {number} from in wasm's memory @param {number} to on the GPU @param {Api.DataType} dataType */
  #upload(from, to, dataType) {
    const Type = ARRAYS[dataType], bytes = this.#walk.bytes(from);
    if (!bytes) return;
    const data = new Type(this.#host.words.buffer, this.#walk.offset(from), bytes / Type.BYTES_PER_ELEMENT);
    const { buffer, offset } = this.#place(to);
    this.#submit();
    this.device.queue.writeBuffer(buffer, offset, this.#wordsOf(dataType, data));
  }

  /** @param {Api.DataType} dataType @param {any} data that was computed in wasm */
  #wordsOf(dataType, data) {
    try {
      return toWords({ name: '', dataType, shape: [] }, data, this.half);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      throw new GpuError('a number that the model computes in wasm does not fit in the 32 bits of the GPU');
    }
  }

  /** @param {number} from on the GPU @param {number} to in wasm's memory @param {Api.DataType} dataType */
  async #readBack(from, to, dataType) {
    const bytes = this.#walk.bytes(to), data = await this.#read(this.#place(from), bytes / ARRAYS[dataType].BYTES_PER_ELEMENT, dataType);
    this.#host.bytes.set(new Uint8Array(data.buffer, data.byteOffset, bytes), this.#walk.offset(to));
  }

  /** Elements, as soon as the GPU has computed them. @param {{buffer: GPUBuffer, offset: number}} place @param {number} count @param {Api.DataType} dataType */
  async #read({ buffer, offset }, count, dataType) {
    const bytes = roundUp(count * wordBytes(dataType, this.half), 4);
    if (!count) return fromWords(dataType, new ArrayBuffer(0), 0, 0, this.half);
    const staging = this.#staging.take(bytes);
    this.#copyEncoder().copyBufferToBuffer(buffer, offset, staging, 0, bytes);
    this.#submit();
    const data = await this.#staging.read(staging, bytes, (mapped) => fromWords(dataType, mapped, 0, count, this.half));
    await this.#afterWait();
    return data;
  }

  /** The GPU has nothing else to do. */
  async #afterWait() {
    this.#checkDevice();
    if (this.#isJudged) await this.#hearVerdicts();
    this.#endTurn();
  }

  /** A run whose device is gone would not end by itself. */
  #checkDevice() {
    if (this.#gpu.isLost || this.#gpu.isDisposed) throw new Error('the device is gone');
  }

  // ---- Turns

  #endTurn() {
    this.#encoded = 0;
    this.#before = undefined;
    this.#turnBegan = performance.now();
  }

  /** Lets the GPU catch up, and the thread hear of an abort. @param {() => void} check throws if the run is to end */
  async #breathe(check) {
    if (this.#encoded >= this.#turn) {
      this.#submit();
      const before = this.#before;
      this.#before = this.device.queue.onSubmittedWorkDone();
      this.#before.catch(() => {});
      this.#encoded = 0;
      if (before) {
        await before;
        const now = performance.now(), fitting = this.#turn * TURN / Math.max(1, now - this.#turnBegan);
        this.#turn = Math.max(1, Math.min(LONGEST_TURN, Math.round(fitting), 2 * this.#turn));
        this.#turnBegan = now;
        // What it refuses may be what a loop waits for.
        if (this.#isJudged) await this.#hearVerdicts();
      }
    } else if (performance.now() - this.#heard < HEARING) {
      return;
    }
    await nextTask();
    this.#checkDevice();
    check();
    this.#heard = performance.now();
  }

  // ---- A run

  /**
   * @override
   * @param {Values} values @param {number[][]} _ @param {Destination[]} destinations @param {How} how
   * @returns {Promise<any[]>}
   */
  async start(values, _, destinations, how) {
    const { signal } = how, check = () => signal?.throwIfAborted();
    try {
      await this.#begin(values, !this.isProven || values.some(isForeign) || destinations.includes('gpu'));
      this.#destinations = destinations;
      this.#early = undefined;
      await this.#walkThrough(check, signal !== undefined);
      const tensors = await this.#outputs(how);
      this.#submit();
      await this.#hearVerdicts();
      this.isProven = true;
      return tensors;
    } finally {
      this.#drop();
      releaseFrames(values);
    }
  }

  /** Brings the inputs to their places: those in memory at once. @param {Values} values @param {boolean} isJudged */
  async #begin(values, isJudged) {
    const walk = this.#walk, buffers = this.#host.portBuffers(this.#index, 'inputs');
    this.#isJudged = isJudged;
    this.#verdicts = [];
    walk.begin();
    this.#findArena();
    this.#endTurn();
    this.#heard = this.#turnBegan;
    values.forEach((value, i) => {
      const { dataType, name } = this.#host.manifest.inputs[i], b = buffers[i];
      if (isGpuBuffer(value) || value instanceof GpuFrame || !value.length) return;
      if (walk.isOnHost(b)) this.#host.bytes.set(new Uint8Array(value.buffer, value.byteOffset, value.byteLength), walk.offset(b));
      else this.device.queue.writeBuffer(/** @type {GPUBuffer} */ (this.#arena), walk.offset(b), toWords({ name, dataType, shape: [] }, value, this.half));
    });
    // Shaders know the sizes of the run before, which later plans may have made others.
    await this.#afterPlan();
    for (const [i, value] of values.entries()) {
      const { dataType } = this.#host.manifest.inputs[i], b = buffers[i], bytes = this.#portBytes('inputs', i);
      if (value instanceof GpuFrame) {
        this.#frames.copy(this.#copyEncoder(), value, /** @type {GPUBuffer} */ (this.#arena), walk.offset(b));
        await value.verdict;
      } else if (isGpuBuffer(value) && bytes) {
        await this.#takeBuffer(value, b, bytes, dataType);
      }
    }
  }

  /** @param {GPUBuffer} buffer of the caller's @param {number} b @param {number} bytes @param {Api.DataType} dataType */
  async #takeBuffer(buffer, b, bytes, dataType) {
    const { device } = this, onHost = this.#walk.isOnHost(b), staging = onHost ? this.#staging.take(bytes) : undefined, isJudged = isForeign(buffer);
    this.#submit();
    if (isJudged) device.pushErrorScope('validation');
    const encoder = device.createCommandEncoder();
    if (staging) encoder.copyBufferToBuffer(buffer, 0, staging, 0, bytes);
    else encoder.copyBufferToBuffer(buffer, 0, /** @type {GPUBuffer} */ (this.#arena), this.#walk.offset(b), bytes);
    device.queue.submit([encoder.finish()]);
    const error = isJudged && await device.popErrorScope();
    if (error) throw refuseBuffer(error);
    if (!staging) return;
    const count = bytes / wordBytes(dataType, this.half);
    const data = await this.#staging.read(staging, bytes, (mapped) => fromWords(dataType, mapped, 0, count, this.half));
    const most = this.#walk.bytes(b);
    this.#host.bytes.set(new Uint8Array(data.buffer, data.byteOffset, most), this.#walk.offset(b));
  }

  /** Bytes of an input or output on the GPU, in whole words. @param {'inputs' | 'outputs'} kind @param {number} i */
  #portBytes(kind, i) {
    return roundUp(countOf(this.#host.shapes(kind)[i]) * wordBytes(this.#host.manifest[kind][i].dataType, this.half), 4);
  }

  /** @param {() => void} check @param {boolean} mayPause @param {(command: Command) => Promise<boolean>} [instead] what is done otherwise */
  async #walkThrough(check, mayPause, instead) {
    for (;;) {
      const command = this.#walk.next(mayPause);
      if (!command) return;
      if (!await instead?.(command)) await this.#obey(command);
      await this.#breathe(check);
    }
  }

  /** Outputs for the sizes that are known now, and where in what is read back at once they are. @param {Destination[]} destinations */
  #layOut(destinations) {
    const host = this.#host, shapes = host.shapes('outputs'), buffers = host.portBuffers(this.#index, 'outputs');
    let end = 0;
    const ports = host.manifest.outputs.map(({ name, dataType }, i) => {
      const b = buffers[i], count = countOf(shapes[i]), bytes = this.#portBytes('outputs', i), at = end;
      const isRead = destinations[i] === 'data' && !this.#walk.isOnHost(b);
      if (isRead) end += bytes;
      return { name, dataType, shape: shapes[i], b, count, bytes, at, isRead };
    });
    return { ports, end };
  }

  /** Of outputs that cannot be large, all that there may be is read together with their sizes. */
  #readEarly() {
    const { ports, end } = this.#layOut(this.#destinations);
    if (end > MOST_EARLY) return;
    const data = this.#collect(ports, end, (mapped) => mapped.slice(0));
    data.catch(() => {});
    this.#early = { data, at: ports.map(({ at }) => at) };
  }

  /** @param {How} how @returns {Promise<any[]>} */
  async #outputs({ signal, arrays }) {
    const host = this.#host, walk = this.#walk, destinations = this.#destinations, { ports, end } = this.#layOut(destinations), early = this.#early;
    const rooms = partsOf(arrays, host.manifest.outputs, ports.map(({ shape }) => shape));
    // An array whose run was aborted is its caller's again.
    const roomOf = (/** @type {number} */ i) => signal?.aborted ? undefined : rooms[i];
    const readFrom = (/** @type {ArrayBuffer} */ all) => ports.map(({ dataType, count, at, isRead }, i) => isRead && fromWords(dataType, all, early?.at[i] ?? at, count, this.half, roomOf(i)));
    const read = early ? readFrom(await early.data) : await this.#collect(ports, end, readFrom);
    return ports.map(({ name, dataType, shape, b, count, isRead }, i) => {
      if (isOnGpu(destinations[i])) return this.#keep(destinations[i], name, b, count, shape, dataType);
      if (destinations[i] === 'none') return undefined;
      if (isRead) return { data: read[i], shape, dataType };
      const elements = new ARRAYS[dataType](host.words.buffer, walk.offset(b), count), room = roomOf(i);
      return { data: room ? fill(dataType, room, elements) : asGiven(dataType, elements.slice()), shape, dataType };
    });
  }

  /**
   * @template T @param {{b: number, bytes: number, at: number, isRead: boolean}[]} ports @param {number} bytes of all
   * @param {(all: ArrayBuffer) => T} copy out of them @returns {Promise<T>}
   */
  async #collect(ports, bytes, copy) {
    if (!bytes) return copy(new ArrayBuffer(0));
    const staging = this.#staging.take(bytes), encoder = this.#copyEncoder();
    for (const port of ports.filter((port) => port.isRead && port.bytes)) {
      const { buffer, offset } = this.#place(port.b);
      encoder.copyBufferToBuffer(buffer, offset, staging, port.at, port.bytes);
    }
    this.#submit();
    return this.#staging.read(staging, bytes, copy);
  }

  /** An output that stays on the GPU. @param {Destination} destination @param {string} name @param {number} b @param {number} count @param {number[]} shape @param {Api.DataType} dataType */
  #keep(destination, name, b, count, shape, dataType) {
    const bytes = roundUp(count * wordBytes(dataType, this.half), 4);
    const buffer = this.#gpu.bufferFor(destination, name, bytes);
    if (bytes && this.#walk.isOnHost(b)) {
      this.#submit();
      const data = new ARRAYS[dataType](this.#host.words.buffer, this.#walk.offset(b), count);
      this.device.queue.writeBuffer(buffer, 0, this.#wordsOf(dataType, data));
    } else if (bytes) {
      const source = this.#place(b);
      this.#copyEncoder().copyBufferToBuffer(source.buffer, source.offset, buffer, 0, bytes);
    }
    const read = async () => ({ data: await this.#readKept(buffer, bytes, count, dataType), shape: [...shape], dataType });
    return { buffer, shape, dataType, read };
  }

  /** By commands of its own: a run may be encoding. @param {GPUBuffer} buffer @param {number} bytes @param {number} count @param {Api.DataType} dataType */
  async #readKept(buffer, bytes, count, dataType) {
    if (!bytes) return fromWords(dataType, new ArrayBuffer(0), 0, 0, this.half);
    const encoder = this.device.createCommandEncoder(), staging = this.#staging.take(bytes);
    encoder.copyBufferToBuffer(buffer, 0, staging, 0, bytes);
    this.device.queue.submit([encoder.finish()]);
    return this.#staging.read(staging, bytes, (mapped) => fromWords(dataType, mapped, 0, count, this.half));
  }

  /** @override @param {number} index @param {GPUBuffer} buffer @returns {Promise<any>} */
  readInput(index, buffer) {
    const { dataType } = this.#host.manifest.inputs[index], count = countOf(this.#host.shapes('inputs')[index]);
    return this.#readKept(buffer, this.#portBytes('inputs', index), count, dataType);
  }

  async #hearVerdicts() {
    for (const verdict of this.#verdicts.splice(0)) {
      const error = await verdict;
      if (error) throw this.refusal = new GpuError(`the GPU refuses the run: ${error.message}`);
    }
  }

  /** @override @param {(Pixels | Drawable)[]} pictures @param {Region} region @param {string} what */
  takeFrame(pictures, region, what) {
    const { inputs } = this.#host.manifest, buffers = this.#host.portBuffers(this.#index, 'inputs');
    const isOnHost = inputs.some(({ image }, i) => image && this.#walk.isOnHost(buffers[i]));
    return isOnHost ? undefined : this.#frames.take(pictures, region, what);
  }

  // ----

  /**
   * @override @param {Values} values @param {{runs: number, peak?: Api.Peak}} options @param {() => void} check called before each run
   * @param {Profiler} profiler
   */
  async profile(values, { runs, peak }, check, profiler) {
    const names = this.#program.steps.map((kernel) => this.#program.kernels[kernel].name);
    const tally = new profiler.Tally(this.#host, this.#index, names);
    for (let run = -1; run < runs; ++run) {
      check();
      try {
        await this.#begin(values, true);
        // The first run is there to warm up.
        await this.#walkThrough(check, true, async ({ kind, a, b }) => run >= 0 && kind === abi.RUN && this.#timeSteps(a, b, tally, profiler));
        this.#submit();
        await this.#hearVerdicts();
        await this.device.queue.onSubmittedWorkDone();
      } finally {
        this.#drop();
      }
    }
    return tally.summary(profiler.hasClock(this.#gpu) ? 'gpu' : 'wall', runs, peak);
  }

  /** @param {number} first @param {number} end @param {Tally} tally @param {Profiler} profiler */
  async #timeSteps(first, end, tally, { timeSteps }) {
    this.#submit();
    /** @type {Step[]} */
    const steps = [];
    /** @type {number[]} */
    const numbers = [];
    for (let s = first; s < end; ++s) {
      const step = this.#step(s);
      if (step) numbers.push(steps.push(step) && s);
    }
    const times = await timeSteps(this.#gpu, steps, () => {});
    times.forEach((ms, i) => tally.add(numbers[i], ms));
    return true;
  }

  /** @override */
  dispose() {
    this.#frames.dispose();
    this.#staging.dispose();
    super.dispose();
  }
}

/** By a plain loop: this is asked after each plan, and before each dispatch. @param {ArrayLike<number>} a @param {ArrayLike<number>} b */
function areEqual(a, b) {
  for (let i = 0; i < a.length; ++i) if (a[i] !== b[i]) return false;
  return a.length === b.length;
}
