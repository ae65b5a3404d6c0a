// WebGPU in Node: Dawn, on SwiftShader if it is there, so that results do not depend on the machine.
// SwiftShader's compiler takes seconds for each array in workgroup memory that is to be zeroed. Shaders
// do not rely on zeros: they would show if they did.
//
// WEBNNC_ANY_GPU=1 takes the machine's own GPU.

import { existsSync } from 'node:fs';

const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';
if (existsSync(SWIFTSHADER) && !process.env.WEBNNC_ANY_GPU) {
  process.env.VK_ICD_FILENAMES = SWIFTSHADER;
  process.env.VK_DRIVER_FILES = SWIFTSHADER;
}
const { create } = await import('webgpu');

/** What navigator.gpu is in a page. @type {GPU} */
export const gpu = create([`enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia${
  process.env.VK_ICD_FILENAMES === SWIFTSHADER ? ',disable_workgroup_init' : ''}`]);

/** @param {GPUDeviceDescriptor} [descriptor] */
export async function makeDevice(descriptor) {
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error('Dawn found no adapter');
  return adapter.requestDevice(descriptor);
}
