// `webnnc tune`: the compiler starts it by Node. It asks the compiler for candidates, and has them measured in a browser, by Dawn, or
// on the CPU by Node itself.
//
//   WEBNNC_COMPILER=build/webnnc node tune.js MODEL.onnx... [--on browser|node] [--target webgpu|wasm] [FLAG...]

/** @import { Job } from './job.js' */
/** @import { Machine, State } from './session.js' */

import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { CpuBench } from './cpu_bench.js';
import { cpu } from './cpu.js';
import { onGpu } from './gpu.js';
import { weightBytesOf } from './job.js';
import { serve } from './server.js';
import { tune } from './session.js';
import { TimesFile } from './times_file.js';

const HELP = `Measures schedules of a model's kernels on a GPU or the CPU, and writes the times to a file for --schedules.

  webnnc tune model.onnx --on browser     prints an address: open it on any device in the network
  webnnc tune model.onnx --on node        measures on this machine, by the npm package webgpu (Dawn)
  webnnc tune model.onnx --on browser --target wasm     the same of the CPU's kernels, on one thread
  webnnc model.onnx -o out/ --schedules model.schedules

Stop it whenever you like: called again, it goes on from what the file holds. Files of several devices are merged by
writing one behind the other.

  --on browser|node     where (browser)
  --target webgpu|wasm  kernels of the GPU, or of the CPU (webgpu)
  -o, --output FILE     the file of times (the model's name with .schedules)
  --measurements N      how many candidates are measured in all (200)
  --kernels N           of how many kernels, the most expensive ones (16)
  --candidates N        out of how many for each (64)
  --port N              of the page; N + 1 is for other devices (any)

All other flags go to the compiler, as for the build that is to become faster: --dim, --input, --device...
Files of both targets may be one.
`;

/** Kept, since devices die with it. @type {GPU} */
let gpu;

/** What a user can do something about. */
class UsageError extends Error {}

/** @param {string[]} words */
function parse(words) {
  const options = { on: 'browser', target: 'webgpu', output: '', measurements: 200, kernels: 16, candidates: 64, port: 0 };
  const names = new Map([['-o', 'output'], ...Object.keys(options).map((name) => /** @type {[string, string]} */ ([`--${name}`, name]))]);
  const rest = [];
  for (let i = 0; i < words.length; ++i) {
    const [flag, inline] = /^(--[\w-]+)=(.*)$/s.exec(words[i])?.slice(1) ?? [words[i]], name = names.get(flag);
    if (!name) {
      rest.push(words[i]);
      continue;
    }
    const value = inline ?? words[++i];
    if (!value) throw new UsageError(`${flag} is given no value`);
    const isNumber = typeof (/** @type {any} */ (options)[name]) === 'number';
    if (isNumber && !(/^\d{1,6}$/.test(value) && (name === 'port' || Number(value) > 0))) throw new UsageError(`${flag} ${value} is not a number of at least 1`);
    Object.assign(options, { [name]: isNumber ? Number(value) : value });
  }
  if (options.on !== 'browser' && options.on !== 'node') throw new UsageError(`--on names "${options.on}": there are browser and node`);
  if (options.target !== 'webgpu' && options.target !== 'wasm') throw new UsageError(`--target names "${options.target}": there are webgpu and wasm, of which one is measured at a time`);
  const model = rest.find((word) => word.endsWith('.onnx'));
  if (!model) throw new UsageError('there is no model: name an .onnx file');
  return { ...options, output: options.output || `${basename(model, '.onnx')}.schedules`, model: basename(model), rest };
}

/** @param {ReturnType<typeof parse>} options @returns {Promise<Job>} */
async function askCompiler({ rest, model, output, target, candidates, kernels, measurements }) {
  const compiler = process.env.WEBNNC_COMPILER ?? 'webnnc';
  const child = spawn(compiler, [...rest, '--target', target, '--emit', 'candidates', '--candidates', String(candidates), '--kernels', String(kernels)], { stdio: ['inherit', 'pipe', 'inherit'] });
  /** @type {Buffer[]} */
  const chunks = [];
  child.stdout.on('data', (chunk) => chunks.push(chunk));
  const code = await new Promise((done, fail) => child.on('error', fail).on('close', done));
  // It has said why.
  if (code !== 0) process.exit(code ?? 1);
  const printed = JSON.parse(Buffer.concat(chunks).toString());
  if (!printed.kernels.length) throw new UsageError(`no kernel of ${model} has several schedules for ${target}: there is nothing to measure; see --target`);
  return { model, output, on: target, most: kernels, measurements, ...printed };
}

/** @param {string} device @param {Pick<State, 'measured' | 'total' | 'before' | 'after'>} state */
function say(device, { measured, total, before, after }) {
  const line = `${device}: ${measured} of ${total} measured, kernels ${before.toFixed(3)} ms -> ${after.toFixed(3)} ms (${(before / after || 1).toFixed(2)} x)`;
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[2K${line}${measured >= total ? '\n' : ''}`);
  else console.log(line);
}

/** The CPU. @param {Job} job @returns {Machine} */
const cpuHere = (job) => cpu(async (kernels) => {
  const bench = new CpuBench(weightBytesOf(kernels), () => new Promise((done) => setImmediate(done)));
  return {
    measure: (kernel, index, candidates, signal) => bench.measure(kernel, async () => Buffer.from(/** @type {string} */ (job.kernels[index].wasm), 'hex'),
      candidates.map((c) => ({ index: c, sizes: kernel.candidates[c].sizes })), () => signal.throwIfAborted()),
    close: () => {},
  };
});

/** The GPU that Dawn finds. @param {Job} job @returns {Promise<Machine>} */
async function gpuHere(job) {
  const require = createRequire(join(process.cwd(), 'package.json'));
  /** @type {string} */ let path;
  try {
    path = require.resolve('webgpu');
  } catch {
    throw new UsageError('--on node needs Dawn, the npm package webgpu: npm install webgpu, here or where NODE_PATH says; or tune --on browser');
  }
  const { create } = await import(pathToFileURL(path).href);
  gpu = create(['enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia', 'disable-dawn-features=timestamp_quantization']);
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new UsageError('Dawn finds no GPU on this machine: tune --on browser');
  return onGpu(gpu, adapter, job, async (kernel, candidate) => /** @type {string} */ (job.kernels[kernel].candidates[candidate].wgsl));
}

/** @param {Job} job @param {TimesFile} record */
async function tuneHere(job, record) {
  const stop = new AbortController(), machine = job.on === 'wasm' ? cpuHere(job) : await gpuHere(job);
  process.on('SIGINT', () => stop.abort());
  await tune(machine, {
    job, signal: stop.signal, onState: (state) => say(machine.label, state),
    measuredOn: async (label) => record.measuredOn(label),
    report: async (label, times) => record.add(label, times),
  });
  console.log(`${stop.signal.aborted ? 'stopped; called again, it goes on. ' : ''}use it: webnnc ${job.model} --schedules ${job.output} -o out/`);
  // Dawn would keep the process alive.
  process.exit(0);
}

async function main() {
  const folder = dirname(fileURLToPath(import.meta.url));
  const files = Object.fromEntries(['tune.html', 'tune.css', 'tune.page.js', 'tune.worker.js'].map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
  // Where the compiler unpacked it.
  if (process.env.WEBNNC_UNPACKED && resolve(process.env.WEBNNC_UNPACKED) === folder) rmSync(folder, { recursive: true });
  const words = process.argv.slice(2);
  if (words.includes('--help') || words.includes('-h')) return process.stdout.write(HELP);
  const options = parse(words), job = await askCompiler(options), record = new TimesFile(options.output, job);
  if (options.on === 'node') return tuneHere(job, record);
  const { local, network } = await serve(options.port, { job, record, files, onState: say });
  console.log(`open ${local}`);
  for (const address of network) console.log(`or, on another device, ${address} (its certificate is this program's own: browsers ask whether to go on)`);
  console.log(`times go to ${options.output}; Ctrl-C ends, and called again it goes on`);
}

main().catch((error) => {
  console.error(`webnnc tune: error: ${error.message}${error instanceof UsageError ? '\n  note: webnnc tune --help lists all flags' : ''}`);
  process.exit(error instanceof UsageError ? 2 : 1);
});
