// What a model keeps from run to run: outputs that the next run takes as inputs. They stay where they are computed: most
// in memory of their own (rooms.js), where what grows is appended in place. What a program computes elsewhere is copied.

/** @import * as Api from './model.js' */
/** @import { Gpu } from './gpu_device.js' */
/** @import { Host, Manifest } from './host.js' */
/** @import { Input } from './inputs.js' */
/** @import { Destination } from './options.js' */
/** @import { Room, Rooms } from './rooms.js' */

import { ARRAYS, asGiven, fill, fromWords } from './elements.js';
import { DeviceLostError, InputError } from './errors.js';
import { COPY_DST, COPY_SRC, MAP_READ, READ, STATE_BUFFERS, STORAGE } from './gpu_device.js';
import { bindSymbols, countOf, knownSizes, parseInput } from './inputs.js';
import { DISPOSE } from './methods.js';
import { checkInputs } from './options.js';
import { fromRows, isRoom, roomsOf, toRows } from './rooms.js';

/** By their numbers; `axis` grows in place. @typedef {{input: number, output: number, axis?: number, capacity: number, limited: boolean, buffers: Buffers}} Pair */
/** What a run gave: in memory, in a room or on a device. @typedef {{data?: any, room?: Room, rooms?: Rooms, buffer?: GPUBuffer, read?: () => Promise<any>, shape: number[], dataType: Api.DataType, device?: GPUDevice}} Kept */
/**
 * The rooms of a tensor in a run: one or two; and a copy of what is there, where a run sets some of it and may fail.
 *
 * @typedef {{pair: Pair, from: Room, to: Room, isKept: boolean, copy?: Room}} Visit
 */
/** And whether the GPU takes the rooms, which may be known later. @typedef {{rooms: Rooms, visits: Visit[], verdict?: Promise<void>}} Visits */
/** Does something when the runs before have ended. @typedef {<T>(work: () => Promise<T>) => Promise<T>} InTurn */

/** What is uploaded of a state that is where a run reads it. */
const NOTHING = new Uint8Array(0);

/** The buffers of a tensor of the state: a run reads one and makes the other. */
class Buffers {
  /** @type {GPUBuffer[]} */ #spare = [];
  /** Bytes of the one before. */
  #before = 0;

  /** @param {Gpu} gpu @param {number} bytes */
  take(gpu, bytes) {
    const fitting = this.#spare.find(({ size }) => size >= bytes), { maxBufferSize } = gpu.limits;
    this.#spare = this.#spare.filter((buffer) => buffer !== fitting);
    this.dispose();
    if (fitting) return fitting;
    // What grows has room to grow on.
    const grows = this.#before && bytes > this.#before;
    this.#before = bytes;
    const buffer = gpu.makeLooseBuffer('state', grows ? Math.max(bytes, Math.min(2 * bytes, maxBufferSize)) : bytes, STORAGE | COPY_SRC | COPY_DST);
    STATE_BUFFERS.add(buffer);
    return buffer;
  }

  /** @param {GPUBuffer} buffer */
  giveBack(buffer) {
    this.#spare.push(buffer);
  }

  dispose() {
    for (const buffer of this.#spare.splice(0)) buffer.destroy();
  }
}

/** The state of one session. */
export class Memory {
  /** @type {Pair[]} */ #pairs;
  /** Inputs that are state. @type {Set<Api.Port>} */ #ports;
  /** By input; empty before the first run. @type {Map<number, Kept>} */
  #kept = new Map();

  /** The symbols' values in the run before. @type {number[] | undefined} */
  #before;

  /** @param {Manifest} manifest */
  constructor({ inputs, outputs, state = [] }) {
    this.inputs = inputs;
    this.outputs = outputs;
    this.#pairs = state.map(({ input, output, axis, capacity = 0, limited = false }) => ({
      input: inputs.findIndex(({ name }) => name === input), output: outputs.findIndex(({ name }) => name === output), axis, capacity, limited, buffers: new Buffers(),
    }));
    this.#ports = new Set(this.#pairs.map(({ input }) => inputs[input]));
    this.names = this.#pairs.map(({ input, output }) => ({ input: inputs[input].name, output: outputs[output].name }));
  }

  /** Whether a caller need not give an input. @param {Api.Port} port */
  has(port) {
    return this.#ports.has(port);
  }

  /** Whether a caller gives all that is state. @param {any} given */
  isGiven(given) {
    return typeof given === 'object' && given !== null && this.names.every(({ input }) => given[input] !== undefined);
  }

  /** Outputs that are state are given to callers that name them. @param {any} outputs the option @param {Destination[]} destinations */
  leaveOut(outputs, destinations) {
    if (typeof outputs === 'object') return;
    for (const { output } of this.#pairs) destinations[output] = 'none';
  }

  /**
   * The inputs of a run, with the state where the caller gave none, and the symbols' values.
   *
   * @param {(Input | undefined)[]} given @param {Host} host @param {GPUDevice | undefined} device in use
   * @returns {{inputs: Input[], symbols: number[]}}
   */
  recall(given, host, device) {
    for (const { buffer, room, device: own } of this.#kept.values()) {
      if (!(buffer ?? room?.buffer) || own === device) continue;
      this.forget();
      throw new DeviceLostError('the GPU was lost, and the state with it: the next run begins anew, unless a saved state is loaded');
    }
    const known = given.map((input, i) => input ?? this.#inputOf(i));
    const values = knownSizes(known.filter((input) => input !== undefined), host.symbols);
    known.forEach((input, i) => !input && this.inputs[i].shape.forEach((size, d) => {
      if (typeof size === 'string' && host.symbols.includes(size) && !values.has(size)) values.set(size, this.#sizeAtStart(i, d, values));
    }));
    const symbols = bindSymbols([], host.symbols, values);
    if (known.every((input) => input !== undefined)) return { inputs: known, symbols };
    host.bind(symbols);
    const shapes = host.shapes('inputs');
    const inputs = known.map((input, i) => {
      if (input) return input;
      const port = this.inputs[i], count = countOf(shapes[i]);
      return { port, data: new ARRAYS[port.dataType](count), count, shape: shapes[i] };
    });
    return { inputs, symbols };
  }

  /** @param {number} i @returns {Input | undefined} */
  #inputOf(i) {
    const kept = this.#kept.get(i), port = this.inputs[i];
    if (kept?.room) return { port, data: kept.room, count: countOf(kept.shape), shape: kept.shape };
    return kept && parseInput(port, { data: kept.buffer ?? kept.data, shape: kept.shape });
  }

  /** The symbols' values that the next run most likely has, if these are others: what has grown grows on. @param {number[]} symbols of this run */
  foresee(symbols) {
    const before = this.#before ?? symbols, next = symbols.map((size, i) => 2 * size - before[i]);
    this.#before = symbols;
    return next.every((size) => size > 0) && next.join() !== symbols.join() ? next : undefined;
  }

  // ---- What has rooms

  /**
   * Finds the rooms of a run, and puts there what is not there yet.
   *
   * @param {Input[]} inputs @param {{inputs: number[][], outputs: number[][]}} shapes @param {any} backend @param {Host} host
   * @param {boolean} mayFail whether it is foreseen that the run ends early, or that what it computes is refused
   * @returns {Promise<{values: any[], visits: Visits}>} the inputs as the backend takes them
   */
  async enter(inputs, shapes, backend, host, mayFail) {
    const { index } = backend, rooms = roomsOf(backend, host), values = inputs.map(({ data }) => data), own = new Map();
    /** @type {Visits} */
    const visits = { rooms, visits: [] };
    const buffers = { inputs: host.portBuffers(index, 'inputs'), outputs: host.portBuffers(index, 'outputs') };
    try {
      const pairs = this.#pairs.filter(({ input }) => isRoom(host, index, buffers.inputs[input]));
      // The GPU is asked for the rooms of all before its first answer. If it refuses one, others may be there.
      const found = await Promise.allSettled(pairs.map((pair) => {
        const isOne = buffers.outputs[pair.output] === buffers.inputs[pair.input];
        return this.#findRooms(pair, inputs[pair.input], shapes, rooms, visits, isOne, mayFail || !backend.isProven);
      }));
      for (const each of found) if (each.status === 'rejected') throw each.reason;
      for (const { pair: { input, output }, from, to } of visits.visits) {
        own.set(buffers.inputs[input], from).set(buffers.outputs[output], to);
        values[input] = NOTHING;
      }
      visits.verdict = rooms.lend(backend, own);
    } catch (error) {
      this.leave(visits);
      throw error;
    }
    return { values, visits };
  }

  /**
   * @param {Pair} pair @param {Input} input @param {{inputs: number[][], outputs: number[][]}} shapes @param {Rooms} rooms @param {Visits} visits to which it is added
   * @param {boolean} isOne whether the run leaves it in the room that it reads @param {boolean} mayFail
   */
  async #findRooms(pair, { port, data, count }, shapes, rooms, { visits }, isOne, mayFail) {
    const { input, output, axis } = pair, isKept = this.#kept.get(input)?.room === data && data !== undefined;
    const bytes = rooms.bytesOf(port, countOf(shapes.inputs[input])), after = rooms.bytesOf(port, countWithRoom(pair, port, shapes.outputs[output]));
    const least = isOne ? Math.max(bytes, after) : bytes;
    let from = isKept ? data : await rooms.take(port, least);
    /** @type {Visit} */
    const visit = { pair, from, to: from, isKept };
    visits.push(visit);
    if (isKept && from.bytes < least) visit.from = visit.to = from = await this.#enlarge(input, least, bytes, rooms);
    if (!isKept) rooms.write(from, port, toRows(count === undefined ? await rooms.read(/** @type {any} */ ({ buffer: data }), port, countOf(shapes.inputs[input])) : data, shapes.inputs[input], axis));
    if (!isOne) visit.to = await rooms.take(port, after);
    if (isOne && isKept && axis === undefined && mayFail) {
      visit.copy = await rooms.take(port, bytes);
      rooms.copy(from, visit.copy, bytes);
    }
  }

  /** A room with more place for what is kept, which moves there. @param {number} input @param {number} least @param {number} bytes @param {Rooms} rooms @returns {Promise<Room>} */
  async #enlarge(input, least, bytes, rooms) {
    const kept = /** @type {Kept} */ (this.#kept.get(input)), old = /** @type {Room} */ (kept.room);
    const larger = await rooms.take(this.inputs[input], Math.max(least, Math.min(2 * old.bytes, rooms.most)));
    rooms.copy(old, larger, bytes);
    kept.room = larger;
    rooms.give(old);
    return larger;
  }

  /** Of a run that failed: what was there is as it was. @param {Visits} visits */
  leave({ rooms, visits }) {
    for (const { pair: { input }, from, to, isKept, copy } of visits) {
      if (to !== from) rooms.give(to);
      if (!isKept || copy) rooms.give(from);
      if (copy) /** @type {Kept} */ (this.#kept.get(input)).room = copy;
    }
  }

  /** What a caller wants of a tensor that is in a room. @param {Rooms} rooms @param {Room} room @param {Pair} pair @param {number[]} shape @param {Destination} destination */
  async #tensorOf(rooms, room, { output, axis }, shape, destination) {
    if (destination === 'none') return undefined;
    const { name, dataType } = this.outputs[output], count = countOf(shape), bytes = rooms.bytesOf({ name, dataType }, count);
    const read = async (/** @type {any} */ from = room) => fromRows(await rooms.read(from, { name, dataType }, count), shape, axis);
    if (destination === 'data') return { data: asGiven(dataType, await read()), shape, dataType };
    const own = await rooms.take({ name, dataType }, bytes), { buffer } = own;
    if (shape.slice(0, axis).every((size) => size === 1)) rooms.copy(room, own, bytes);
    else rooms.write(own, { name, dataType }, await read());
    return { buffer, shape, dataType, read: async () => ({ data: asGiven(dataType, await rooms.read(/** @type {any} */ (own), { name, dataType }, count)), shape: [...shape], dataType }) };
  }

  /**
   * A size that nobody tells, before the first run: of what becomes another size that, if it is known already; else what grows is
   * empty, and what stays is one, as a batch.
   *
   * @param {number} i @param {number} d @param {Map<string | number, number>} values
   */
  #sizeAtStart(i, d, values) {
    const pair = this.#pairs.find(({ input }) => input === i), size = this.inputs[i].shape[d], next = pair ? this.outputs[pair.output].shape[d] : size;
    if (typeof next === 'number') return next;
    return next === size ? 1 : values.get(next) ?? 0;
  }

  /** Where a run leaves its outputs, so that the state can be had. @param {Destination[]} wanted @param {boolean} onGpu @param {Visits} visits @returns {Destination[]} */
  destinations(wanted, onGpu, { visits }) {
    const all = [...wanted];
    for (const { output, buffers } of this.#pairs) all[output] = onGpu ? buffers : 'data';
    for (const { pair: { output } } of visits) all[output] = 'none';
    return all;
  }

  /**
   * Keeps what a run gave, and gives what its caller wants.
   *
   * @param {any[]} tensors @param {number[][]} shapes of the outputs @param {Destination[]} wanted
   * @param {{device: GPUDevice | undefined, half?: boolean}} backend @param {Visits} visits @returns {Promise<any[]>}
   */
  async keep(tensors, shapes, wanted, backend, { rooms, visits }) {
    const given = [...tensors], copied = this.#pairs.filter((pair) => !visits.some((visit) => visit.pair === pair));
    // All are asked for before the first is there.
    await Promise.all([...copied.map(async ({ output }) => {
      const tensor = tensors[output], destination = wanted[output];
      given[output] = destination === 'none' ? undefined : destination === 'data' ? await inMemory(tensor) : onGpu(tensor, backend);
    }), ...visits.map(async ({ pair, to }) => {
      given[pair.output] = await this.#tensorOf(rooms, to, pair, shapes[pair.output], wanted[pair.output]);
    })]);
    for (const { input, output } of copied) this.#put(input, { ...tensors[output], device: backend.device });
    for (const { pair: { input, output }, from, to, isKept, copy } of visits) {
      if (copy) rooms.give(copy);
      if (!isKept && to !== from) rooms.give(from);
      if (!isKept || to !== from) this.#giveBack(input);
      this.#kept.set(input, { room: to, rooms, shape: shapes[output], dataType: this.inputs[input].dataType, device: backend.device });
    }
    return given;
  }

  /** Of arrays that outputs go into, those of the state. @param {any[]} arrays */
  own(arrays) {
    return arrays.map((array, i) => this.#pairs.some(({ output }) => output === i) ? array : undefined);
  }

  /** Of arrays that outputs go into, those that a run fills by itself. @param {any[]} arrays */
  others(arrays) {
    return arrays.map((array, i) => this.#pairs.some(({ output }) => output === i) ? undefined : array);
  }

  /** Puts what callers are given of the state into their arrays. @param {any[]} rooms parts of these @param {any[]} tensors @returns {any[]} */
  fill(rooms, tensors) {
    return tensors.map((tensor, i) => rooms[i] ? { ...tensor, data: fill(tensor.dataType, rooms[i], tensor.data) } : tensor);
  }

  /** Of a run that failed when it had ended. @param {any[]} tensors @param {Visits} visits */
  drop(tensors, visits) {
    for (const { output, buffers } of this.#pairs) if (tensors[output]?.buffer) buffers.giveBack(tensors[output].buffer);
    this.leave(visits);
  }

  /** @param {number} input @param {Kept} kept */
  #put(input, kept) {
    this.#giveBack(input);
    this.#kept.set(input, kept);
  }

  /** @param {number} input */
  #giveBack(input) {
    const { buffer, room, rooms } = this.#kept.get(input) ?? {};
    if (room) rooms?.give(room);
    if (buffer) this.#pairs.find((pair) => pair.input === input)?.buffers.giveBack(buffer);
  }

  /** Brings all into memory, before the device is left. */
  async leaveGpu() {
    for (const [input, kept] of this.#kept) {
      if (kept.room?.buffer) this.#put(input, await this.#saved(input));
      if (kept.buffer) this.#put(input, await /** @type {any} */ (kept).read());
    }
  }

  forget() {
    for (const { input, buffers } of this.#pairs) {
      this.#giveBack(input);
      buffers.dispose();
    }
    this.#kept.clear();
  }

  /** @returns {Promise<Record<string, any>>} */
  async save() {
    return Object.fromEntries(await Promise.all([...this.#kept.keys()].map(async (input) => [this.inputs[input].name, await this.#saved(input)])));
  }

  /** A copy in memory, as callers see it. @param {number} input @returns {Promise<any>} */
  #saved(input) {
    const kept = /** @type {Kept} */ (this.#kept.get(input)), { room, rooms, shape } = kept;
    const pair = /** @type {Pair} */ (this.#pairs.find((each) => each.input === input));
    return room ? this.#tensorOf(/** @type {Rooms} */ (rooms), room, pair, shape, 'data') : inMemory(kept);
  }

  /** What `save` gave, checked. @param {any} saved @returns {Map<number, Kept>} */
  parse(saved) {
    const ports = this.#pairs.map(({ input }) => this.inputs[input]);
    checkInputs(saved, ports);
    /** @type {Map<number, Kept>} */
    const parsed = new Map();
    if (!Object.keys(saved).length) return parsed;
    for (const { input } of this.#pairs) {
      const port = this.inputs[input], { data, count, shape } = parseInput(port, saved[port.name]), sizes = shape ?? fixedShape(port);
      if (count === undefined) throw new InputError(`input "${port.name}" is on the GPU: a state is loaded from memory`);
      if (!sizes || sizes.length !== port.shape.length || countOf(sizes) !== count) {
        throw new InputError(`input "${port.name}" is no state of the model, which has ${port.dataType}[${port.shape.join(',')}]: pass { data, shape } as save gave it`);
      }
      parsed.set(input, { data: data.slice(), shape: sizes, dataType: port.dataType });
    }
    return parsed;
  }

  /** @param {Map<number, Kept>} parsed */
  load(parsed) {
    this.forget();
    this.#kept = parsed;
  }
}

/** How many elements there is room for. @param {Pair} pair @param {Api.Port} port @param {number[]} shape after a run */
function countWithRoom({ axis = 0, capacity, limited }, { name }, shape) {
  if (limited && shape[axis] > capacity) {
    throw new InputError(`the state "${name}" has room for ${capacity}, and would be ${shape[axis]} after this run: reset it, or compile the model with a larger --dim`);
  }
  return countOf(shape.map((size, d) => d === axis ? Math.max(size, capacity) : size));
}

/** @param {Api.Port} port @returns {number[] | undefined} */
const fixedShape = ({ shape }) => shape.every((size) => typeof size === 'number') ? /** @type {number[]} */ ([...shape]) : undefined;

/** A copy. @param {any} tensor */
const inMemory = async ({ data, shape, dataType, read }) => data ? { data: data.slice(), shape: [...shape], dataType } : read();

/** A copy on the GPU. @param {any} tensor @param {{device: GPUDevice | undefined, half?: boolean}} backend */
function onGpu({ buffer, shape, dataType }, { device, half = false }) {
  const gpu = /** @type {GPUDevice} */ (device), bytes = buffer.size, count = countOf(shape);
  const copyTo = (/** @type {GPUBuffer} */ from, /** @type {number} */ usage) => {
    const to = gpu.createBuffer({ label: 'state', size: bytes, usage }), encoder = gpu.createCommandEncoder();
    encoder.copyBufferToBuffer(from, 0, to, 0, bytes);
    gpu.queue.submit([encoder.finish()]);
    return to;
  };
  const copy = copyTo(buffer, STORAGE | COPY_SRC | COPY_DST);
  const read = async () => {
    const staging = copyTo(copy, MAP_READ | COPY_DST);
    await staging.mapAsync(READ);
    const data = fromWords(dataType, staging.getMappedRange(), 0, count, half);
    staging.destroy();
    return { data, shape: [...shape], dataType };
  };
  return { buffer: copy, shape, dataType, read };
}

/** What callers see of a state. @implements {Api.State} */
export class State {
  /** @type {Memory} */ #memory;
  /** @type {InTurn} */ #inTurn;

  /** @param {Memory} memory @param {InTurn} inTurn */
  constructor(memory, inTurn) {
    this.#memory = memory;
    this.#inTurn = inTurn;
  }

  /** For the page's end of a worker. */
  get names() {
    return this.#memory.names;
  }

  reset() {
    return this.#inTurn(async () => this.#memory.forget());
  }

  save() {
    return this.#inTurn(() => this.#memory.save());
  }

  /** @param {any} saved */
  async load(saved) {
    const parsed = this.#memory.parse(saved);
    await this.#inTurn(async () => this.#memory.load(parsed));
  }
}

/**
 * Runs of a model with a state of their own.
 *
 * @param {Api.State} state @param {{run: any, profile: any, dispose: () => void}} methods @returns {Api.Session}
 */
export const sessionOf = (state, methods) => /** @type {any} */ ({ state, ...methods, [DISPOSE]: methods.dispose });
