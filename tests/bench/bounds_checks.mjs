// Counts the checks of bounds that Chromium's compiler of shaders (Tint, in Dawn) puts before accesses of arrays in workgroup memory
// and registers, where it does not see that an index is inside.
//
//   npm install --prefix tests/bench --no-save --ignore-scripts webgpu
//   node tests/bench/bounds_checks.mjs [--device large] MODEL.onnx...
//
//     mobilenet.onnx: 33 kernels, 33 checks
//        14  softmax
//
// Any Vulkan driver will do, since nothing runs: VK_DRIVER_FILES=/usr/lib/chromium/vk_swiftshader_icd.json is in software.
// Whether buffers are checked is up to the driver, so these do not count.

import { execFileSync, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const self = fileURLToPath(import.meta.url), webnnc = process.env.WEBNNC ?? join(dirname(self), '../../build/webnnc');
const SHADERS = { maxBuffer: 1 << 30, encoding: /** @type {const} */ ('utf8') };

/** Kept, since devices die with it. @type {any} */
let gpu;

/** Compiles the shaders of standard input, one after the other; Dawn prints what becomes of them. */
async function compile() {
  const { create, globals } = createRequire(import.meta.url)('webgpu');
  Object.assign(globalThis, globals);
  gpu = create(['enable-dawn-features=dump_shaders']);
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error('there is no GPU, nor a driver in software: see VK_DRIVER_FILES');
  const { maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX } = adapter.limits;
  const requiredLimits = { maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX };
  const requiredFeatures = ['shader-f16', 'subgroups'].filter((feature) => adapter.features.has(feature));
  const device = await adapter.requestDevice({ requiredLimits, requiredFeatures });
  let text = '';
  for await (const part of process.stdin) text += part;
  for (const code of text.split(/^(?=\/\/ .* workgroups$)/m).filter((each) => each.includes('@compute'))) {
    await device.createComputePipelineAsync({ layout: 'auto', compute: { module: device.createShaderModule({ code }) } });
  }
  process.exit(0);
}

/** The checks of each kernel. @param {string} model @param {string} device */
function checksOf(model, device) {
  const shaders = execFileSync(webnnc, [model, '--target', 'webgpu', '--device', device, '--emit', 'wgsl'], SHADERS);
  const { stdout, stderr, status } = spawnSync(process.execPath, [self, '--compile'], { ...SHADERS, input: shaders });
  if (status !== 0) throw new Error(stderr.slice(-2000));
  return stdout.split('// Dumped WGSL:').slice(1).map((dump) => {
    // Of an array whose size is known the bound is a constant.
    const checks = dump.match(/UMin %\d+ %uint_\d+$/gm) ?? [];
    return { name: /^\/\/ ([^:]*)/m.exec(dump)?.[1], checks: checks.length };
  });
}

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { device: { type: 'string', default: 'generic' }, compile: { type: 'boolean', default: false } },
});
if (options.compile) await compile();
if (!positionals.length) {
  console.error('usage: bounds_checks.mjs [--device PROFILE] MODEL.onnx...');
  process.exit(1);
}
for (const model of positionals) {
  const kernels = checksOf(model, options.device), checked = kernels.filter(({ checks }) => checks).sort((a, b) => b.checks - a.checks);
  console.log(`${basename(model)}: ${kernels.length} kernels, ${kernels.reduce((sum, { checks }) => sum + checks, 0)} checks`);
  for (const { name, checks } of checked) console.log(`${String(checks).padStart(6)}  ${name}`);
}
