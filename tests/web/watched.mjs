// A device that counts what is asked of it.

import { afterEach } from 'node:test';

import { makeDevice } from './dawn.mjs';

/** Those of a test, which end with it. @type {GPUDevice[]} */
const devices = [];
afterEach(() => devices.splice(0).forEach((device) => device.destroy()));

/**
 * @typedef {object} Seen
 * @property {number} written bytes that were written to it
 * @property {number} copied bytes that were copied on it, by commands that were submitted
 * @property {number} mapped bytes that were brought back
 * @property {number} read bytes of them that were looked at
 * @property {number} maps how often something was
 * @property {number} waits how often the device was asked for something when it was asked for nothing else
 * @property {number} passes that began
 * @property {number} late passes that began when something had been
 * @property {number} indirect dispatches whose workgroups the device knows
 * @property {number} states buffers of states that were ever made
 * @property {number} groups bind groups that were made
 * @property {string[]} shaders texts that were compiled
 * @property {Map<string, Set<GPUBuffer>>} buffers those that are there, by label
 * @property {string | undefined} refusal what WebGPU says against what it validates next
 */

/** @returns {Promise<{device: GPUDevice, seen: Seen}>} */
export async function watched() {
  const device = await makeDevice();
  devices.push(device);
  /** @type {Seen} */
  const seen = { written: 0, copied: 0, mapped: 0, read: 0, maps: 0, waits: 0, passes: 0, late: 0, indirect: 0, states: 0, groups: 0, shaders: [], buffers: new Map(), refusal: undefined };
  /** @type {GPUErrorFilter[]} */
  const scopes = [];
  let pending = 0;
  /** @template T @param {Promise<T>} answer */
  const waiting = (answer) => {
    if (!pending++) ++seen.waits;
    return answer.finally(() => --pending);
  };
  const bound = (/** @type {any} */ target, /** @type {string | symbol} */ name) => {
    const value = Reflect.get(target, name, target);
    return typeof value === 'function' ? value.bind(target) : value;
  };
  /** Bytes that commands copy. @type {WeakMap<GPUCommandBuffer, number>} */
  const copies = new WeakMap();
  const watchedQueue = /** @type {any} */ ({
    writeBuffer(/** @type {any[]} */ ...[buffer, offset, data, from, size]) {
      seen.written += size ?? data.byteLength;
      return device.queue.writeBuffer(buffer, offset, data, from, size);
    },
    submit(/** @type {GPUCommandBuffer[]} */ all) {
      for (const commands of all) seen.copied += copies.get(commands) ?? 0;
      return device.queue.submit(all);
    },
  });
  const queue = new Proxy(device.queue, { get: (target, name) => watchedQueue[name] ?? bound(target, name) });
  const own = /** @type {any} */ ({
    queue,
    createCommandEncoder() {
      const encoder = device.createCommandEncoder(), copy = encoder.copyBufferToBuffer.bind(encoder), begin = encoder.beginComputePass.bind(encoder), finish = encoder.finish.bind(encoder);
      let copied = 0;
      encoder.copyBufferToBuffer = (/** @type {any[]} */ ...all) => {
        copied += all[4];
        return /** @type {any} */ (copy)(...all);
      };
      encoder.finish = () => {
        const commands = finish();
        copies.set(commands, copied);
        return commands;
      };
      encoder.beginComputePass = (descriptor) => {
        ++seen.passes;
        if (seen.maps) ++seen.late;
        const pass = begin(descriptor), dispatch = pass.dispatchWorkgroupsIndirect.bind(pass);
        pass.dispatchWorkgroupsIndirect = (buffer, offset) => {
          ++seen.indirect;
          return dispatch(buffer, offset);
        };
        return pass;
      };
      return encoder;
    },
    createBuffer(/** @type {GPUBufferDescriptor} */ descriptor) {
      const buffer = device.createBuffer(descriptor), { label = '' } = descriptor, alike = seen.buffers.get(label) ?? new Set();
      if (label === 'state') ++seen.states;
      seen.buffers.set(label, alike.add(buffer));
      const destroy = buffer.destroy.bind(buffer), map = buffer.mapAsync.bind(buffer), range = buffer.getMappedRange.bind(buffer);
      buffer.destroy = () => {
        alike.delete(buffer);
        return destroy();
      };
      buffer.mapAsync = (mode, offset, size) => {
        ++seen.maps;
        seen.mapped += size ?? buffer.size;
        return waiting(map(mode, offset, size));
      };
      buffer.getMappedRange = (offset, size) => {
        seen.read += size ?? buffer.size;
        return range(offset, size);
      };
      return buffer;
    },
    createBindGroup(/** @type {GPUBindGroupDescriptor} */ descriptor) {
      ++seen.groups;
      return device.createBindGroup(descriptor);
    },
    createShaderModule(/** @type {GPUShaderModuleDescriptor} */ descriptor) {
      seen.shaders.push(descriptor.code);
      return device.createShaderModule(descriptor);
    },
    pushErrorScope(/** @type {GPUErrorFilter} */ filter) {
      scopes.push(filter);
      device.pushErrorScope(filter);
    },
    async popErrorScope() {
      const message = scopes.pop() === 'validation' ? seen.refusal : undefined;
      if (message !== undefined) seen.refusal = undefined;
      return await waiting(device.popErrorScope()) ?? (message === undefined ? null : { message });
    },
  });
  return { device: /** @type {GPUDevice} */ (new Proxy(device, { get: (target, name) => own[name] ?? bound(target, name) })), seen };
}
