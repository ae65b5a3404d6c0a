// Memory that a state is kept in between runs, outside of the arena: buffers of the GPU, or parts of wasm's memory. Runs
// read it there and write it there.

/** @import * as Api from './model.js' */
/** @import { Host } from './host.js' */

import * as abi from './abi.js';
import { ARRAYS, fromWords, toWords, wordBytes } from './elements.js';
import { OutOfMemoryError, megabytes } from './errors.js';
import { COPY_DST, COPY_SRC, MAP_READ, READ, STORAGE, roundUp } from './gpu_device.js';
import { countOf } from './inputs.js';
import { bufferRecord } from './walk.js';

/** Bytes at an address, or a buffer; `id` is of it alone. @typedef {{bytes: number, id: number, address: number, buffer: GPUBuffer | undefined}} Room */
/** @typedef {WasmRooms | GpuRooms} Rooms */
/** What is said of it: the name of its input, and the type of its elements. @typedef {{name: string, dataType: Api.DataType}} Tensor */

/** Vectors are read, the last of which may have room only; and what WebGPU binds has some bytes. */
const ALIGNMENT = 256, PAGE = 65536;

let lastId = 0;

/** @type {WeakMap<object, Rooms>} */
const known = /* @__PURE__ */ new WeakMap();

/** The memory that a backend keeps states in. @param {{device: GPUDevice | undefined, half?: boolean}} backend @param {Host} host @returns {Rooms} */
export function roomsOf(backend, host) {
  // Models that are in one module share its memory. On a GPU nothing is shared.
  const { device, half = false } = backend, owner = device ? backend : host.exports.memory;
  const rooms = known.get(owner) ?? (device ? new GpuRooms(device, half) : new WasmRooms(host));
  known.set(owner, rooms);
  return rooms;
}

/** Whether a program has a buffer in such memory. @param {Host} host @param {number} index @param {number} buffer */
export const isRoom = (host, index, buffer) => host.word(bufferRecord(host, index, buffer) + abi.BUFFER_KIND) === abi.STATE;

class WasmRooms {
  device = undefined;
  most = 0x7fffffff;
  /** Those that were given back, by address; none touches the next. @type {{address: number, bytes: number}[]} */
  #free = [];

  /** @param {Host} host */
  constructor(host) {
    this.host = host;
  }

  /** @param {Tensor} tensor @param {number} count of elements */
  bytesOf({ dataType }, count) {
    return count * ARRAYS[dataType].BYTES_PER_ELEMENT;
  }

  /** @param {Tensor} tensor @param {number} bytes @returns {Promise<Room>} */
  async take({ name }, bytes) {
    const size = roundUp(bytes + 64, ALIGNMENT);
    let free = this.#free.find((each) => each.bytes >= size);
    if (!free) {
      const { memory } = this.host.exports, pages = Math.ceil(size / PAGE), address = memory.buffer.byteLength;
      try {
        memory.grow(pages);
      } catch {
        throw new OutOfMemoryError(`wasm has not enough memory for ${megabytes(size)} of the state "${name}"`);
      }
      this.#add(address, pages * PAGE);
      free = /** @type {{address: number, bytes: number}} */ (this.#free.find((each) => each.bytes >= size));
    }
    const room = { bytes: size - 64, id: ++lastId, address: free.address, buffer: undefined };
    free.address += size;
    free.bytes -= size;
    this.#free = this.#free.filter((each) => each.bytes);
    return room;
  }

  /** @param {Room} room */
  give({ address, bytes }) {
    this.#add(address, bytes + 64);
  }

  /** @param {number} address @param {number} bytes */
  #add(address, bytes) {
    const all = [...this.#free, { address, bytes }].sort((a, b) => a.address - b.address);
    this.#free = [];
    for (const each of all) {
      const last = this.#free.at(-1);
      if (last && last.address + last.bytes === each.address) last.bytes += each.bytes;
      else this.#free.push(each);
    }
  }

  /** Before a run. @param {{host: Host, index: number}} backend @param {Map<number, Room>} rooms by buffer of its program @returns {Promise<void> | undefined} */
  lend({ host, index }, rooms) {
    for (const [b, { address }] of rooms) host.words[bufferRecord(host, index, b) + abi.BUFFER_OFFSET] = address;
    return undefined;
  }

  /** @param {Room} from @param {Room} to @param {number} bytes */
  copy(from, to, bytes) {
    this.host.bytes.copyWithin(to.address, from.address, from.address + bytes);
  }

  /** @param {Room} room @param {Tensor} _ @param {any} data */
  write({ address }, _, data) {
    this.host.bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), address);
  }

  /** The elements, f16 in bits. @param {Room} room @param {Tensor} tensor @param {number} count @returns {Promise<any>} */
  async read({ address }, { dataType }, count) {
    return new ARRAYS[dataType](this.host.words.buffer, address, count).slice();
  }
}

class GpuRooms {
  /** @param {GPUDevice} device @param {boolean} half */
  constructor(device, half) {
    this.device = device;
    this.half = half;
    this.most = Math.min(device.limits.maxBufferSize, device.limits.maxStorageBufferBindingSize);
  }

  /** @param {Tensor} tensor @param {number} count of elements */
  bytesOf({ dataType }, count) {
    return roundUp(count * wordBytes(dataType, this.half), 4);
  }

  /** @param {Tensor} tensor @param {number} bytes @returns {Promise<Room>} */
  async take({ name }, bytes) {
    const { device } = this, size = Math.min(this.most, Math.max(ALIGNMENT, roundUp(bytes, ALIGNMENT)));
    if (bytes > size) {
      throw new OutOfMemoryError(`the state "${name}" has ${megabytes(bytes)}, and the GPU allows ${megabytes(this.most)} (maxBufferSize, maxStorageBufferBindingSize): reset it, or begin a new session`);
    }
    device.pushErrorScope('out-of-memory');
    const buffer = device.createBuffer({ label: 'state', size, usage: STORAGE | COPY_SRC | COPY_DST }), error = await device.popErrorScope();
    if (error) throw new OutOfMemoryError(`the GPU has not enough memory for ${megabytes(size)} of the state "${name}": ${error.message}`);
    return { bytes: size, id: ++lastId, address: 0, buffer };
  }

  /** @param {Room} room */
  give({ buffer }) {
    buffer?.destroy();
  }

  /** Before a run. What it gives tells whether the GPU takes them. @param {any} backend @param {Map<number, Room>} rooms by buffer of its program @returns {Promise<void> | undefined} */
  lend(backend, rooms) {
    return backend.useRooms(rooms);
  }

  /** @param {Room} from @param {Room} to @param {number} bytes */
  copy({ buffer }, to, bytes) {
    this.copyBuffer(buffer, to.buffer, bytes);
  }

  /** @param {any} from @param {any} to @param {number} bytes */
  copyBuffer(from, to, bytes) {
    if (!bytes) return;
    const encoder = this.device.createCommandEncoder();
    encoder.copyBufferToBuffer(from, 0, to, 0, bytes);
    this.device.queue.submit([encoder.finish()]);
  }

  /** @param {Room} room @param {Tensor} tensor @param {any} data */
  write({ buffer }, { name, dataType }, data) {
    this.device.queue.writeBuffer(/** @type {any} */ (buffer), 0, toWords({ name, dataType, shape: [] }, data, this.half));
  }

  /** The elements, f16 in bits. @param {{buffer: GPUBuffer | undefined}} room @param {Tensor} tensor @param {number} count @returns {Promise<any>} */
  async read({ buffer }, tensor, count) {
    const { device } = this, bytes = this.bytesOf(tensor, count);
    const staging = device.createBuffer({ label: 'staging', size: Math.max(16, bytes), usage: MAP_READ | COPY_DST });
    this.copyBuffer(buffer, staging, bytes);
    await staging.mapAsync(READ, 0, bytes);
    const data = fromWords(tensor.dataType, staging.getMappedRange(0, bytes), 0, count, this.half);
    staging.destroy();
    return tensor.dataType === 'float16' ? new Uint16Array(data.buffer, data.byteOffset, count) : data;
  }
}

// ---- What is appended lies with its axis that grows first

/** @param {any} data of [before, size, behind] @param {number} before @param {number} size @returns {any} of [size, before, behind] */
function swapped(data, before, size) {
  if (before === 1 || size === 1) return data;
  const behind = data.length / before / size, moved = new data.constructor(data.length);
  for (let b = 0; b < before; ++b) {
    for (let s = 0; s < size; ++s) moved.set(data.subarray((b * size + s) * behind, (b * size + s + 1) * behind), (s * before + b) * behind);
  }
  return moved;
}

/** As it is kept. @param {any} data @param {readonly number[]} shape as callers see it @param {number | undefined} axis */
export const toRows = (data, shape, axis = 0) => swapped(data, countOf(shape.slice(0, axis)), shape[axis]);

/** As callers see it. @param {any} data that was kept @param {readonly number[]} shape as callers see it @param {number | undefined} axis */
export const fromRows = (data, shape, axis = 0) => swapped(data, shape[axis], countOf(shape.slice(0, axis)));
