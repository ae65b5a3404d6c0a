// Bind groups of a program whose sizes change from run to run, as those of a model with a state that grows: most of them are
// what they were.

/** @import { Host } from './host.js' */
/** @import { Room } from './rooms.js' */

import * as abi from './abi.js';
import { GpuError } from './errors.js';
import { roundUp } from './gpu_device.js';

/** Of one dispatch: sessions may take turns. */
const MOST_KEPT = 8;

export class Groups {
  /** By dispatch. @type {{bindings: GPUBufferBinding[], group: GPUBindGroup}[][]} */
  #known = [];

  /** @param {number} dispatch @param {GPUBufferBinding[]} bindings @param {() => GPUBindGroup} make */
  take(dispatch, bindings, make) {
    const known = this.#known[dispatch] ??= [], found = known.find((each) => each.bindings.every((binding, i) => areEqual(binding, bindings[i])));
    if (found) return found.group;
    const group = make();
    if (known.push({ bindings, group }) > MOST_KEPT) known.shift();
    return group;
  }
}

/** @param {GPUBufferBinding} a @param {GPUBufferBinding} b */
const areEqual = (a, b) => a.buffer === b.buffer && a.offset === b.offset && a.size === b.size;

/** Whether a program's sizes need no more memory than there is. @param {GPUBuffer | undefined} arena @param {GPUBuffer | undefined} parameters @param {Host} host @param {number} index of the program */
export const isEnough = (arena, parameters, host, index) =>
  arena !== undefined && parameters !== undefined && arena.size >= host.word(host.program(index) + abi.PROGRAM_ARENA_BYTES);

/** The room for so many bytes in an arena where sizes grow, as the runtime in wasm has it (RoomFor). @param {number} bytes */
export const roomFor = (bytes) => roundUp(Math.max(1, bytes), 1 << Math.max(8, 28 - Math.clz32(bytes)));

/**
 * All that tells what a program's dispatches bind: which there are, where in the arena they read and write, and the rooms of what is elsewhere.
 *
 * @param {Host} host @param {number} index of the program @param {Map<number, Room>} rooms by buffer
 */
export function tableOf(host, index, rooms) {
  const program = host.program(index), begin = host.word(program + abi.PROGRAM_DISPATCHES) / 4;
  const end = begin + host.word(program + abi.PROGRAM_STEP_COUNT) * abi.DISPATCH_WORDS;
  const buffers = host.word(program + abi.PROGRAM_BUFFERS) / 4, count = host.word(program + abi.PROGRAM_BUFFER_COUNT);
  const table = new Uint32Array(end - begin + 2 * count);
  table.set(host.words.subarray(begin, end));
  // How many workgroups does not matter, but whether there are any.
  for (let at = 0; at < end - begin; at += abi.DISPATCH_WORDS) {
    const x = at + abi.DISPATCH_X, y = at + abi.DISPATCH_Y, z = at + abi.DISPATCH_Z;
    table[x] = Number(table[x] * table[y] * table[z] > 0);
    table[y] = table[z] = 0;
  }
  for (let b = 0, to = end - begin; b < count; ++b) {
    const room = rooms.get(b), at = buffers + b * abi.BUFFER_WORDS;
    table[to++] = room ? room.id : host.word(at + abi.BUFFER_OFFSET);
    table[to++] = room ? 0 : roomFor(host.size(at + abi.BUFFER_BYTES));
  }
  return table;
}

/** @param {Map<number, Room>} rooms by buffer @param {Map<number, Room>} [others] */
export function areSame(rooms, others) {
  if (rooms.size !== others?.size) return false;
  for (const [b, { id }] of rooms) if (others.get(b)?.id !== id) return false;
  return true;
}

/** Makes what WebGPU may refuse, which the promise tells. @param {GPUDevice} device @param {() => void} make */
export function judge(device, make) {
  /** @type {Promise<GPUError | null>} */
  let scope;
  device.pushErrorScope('validation');
  try {
    make();
  } finally {
    scope = device.popErrorScope();
    scope.catch(() => {});
  }
  return scope.then((error) => {
    if (error) throw new GpuError(`the GPU refuses the model: ${error.message}`);
  });
}
