// Times a model's wasm kernels one by one, in Node, and says how much arithmetic each does.
//
//   node tests/bench/step_times.mjs [--relaxed] [--runs 20] [--dim NAME=N]... MODEL.onnx
//
//    12    0.221 ms   32.7 GFLOP/s  conv_add 784x32x144
//
// Times are the least of all runs, and of two clocks the smaller: the wall's, and the one that other
// processes do not advance. Multiply-adds are counted from the plain kernels that `--emit schedule`
// prints; steps without are not given a speed. Every size must be known: --dim fixes symbols.
// Relaxed SIMD takes a newer Node than 20, or --experimental-wasm-relaxed-simd. Node 20's V8 makes other code than browsers' do: which
// tile is fastest there is not fastest in Chromium. Deno's V8 is as new: deno run -A tests/bench/step_times.mjs.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = dirname(fileURLToPath(import.meta.url));
const webnnc = process.env.WEBNNC ?? join(here, '../../build/webnnc');
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    relaxed: { type: 'boolean', default: false },
    runs: { type: 'string', default: '20' },
    dim: { type: 'string', multiple: true, default: [] },
  },
});
const [model] = positionals;
if (!model) {
  console.error('usage: step_times.mjs [--relaxed] [--runs N] [--dim NAME=N]... MODEL.onnx');
  process.exit(1);
}
const dims = options.dim.flatMap((dim) => ['--dim', dim]);

/**
 * What the steps compute, one after another: their kernels' names, the loops around the sum of
 * products, and how many of these there are.
 * @param {string} text what `--emit schedule` prints
 */
function describeSteps(text) {
  /** @type {Map<string, { name: string, loops: string, products: number }>} */
  const kernels = new Map();
  for (const part of text.split(/^kernel @/m).slice(1)) {
    const plain = part.split(/^schedule/m);
    // A flat kernel is not followed by its schedule.
    if (plain.length < 2) continue;
    const name = plain[0].slice(0, plain[0].indexOf('('));
    const kernel = { name, loops: '', products: 0 };
    /** @type {number[]} */
    const extents = [];
    for (const line of plain[0].split('\n')) {
      const loop = /^\s+for .* in (\d+) \{$/.exec(line);
      if (loop) extents.push(+loop[1]);
      else if (/^\s+\}$/.test(line)) extents.pop();
      else if (line.includes(' += ') && line.includes(' * ')) {
        kernel.products += extents.reduce((a, b) => a * b, 1);
        kernel.loops = extents.join('x');
      }
    }
    kernels.set(name, kernel);
  }
  return [...text.matchAll(/^  run @([^(]*)/gm)].map(([, name]) => kernels.get(name));
}

/**
 * The CPU's program, ready to run on whatever is in memory.
 * @param {Buffer<ArrayBuffer>} bytes of model.wasm
 * @param {Buffer} weights
 */
function instantiate(bytes, weights) {
  const module = new WebAssembly.Module(bytes);
  /** @type {Record<string, Record<string, () => number>>} */
  const imports = {};
  // WASI's, which only the command uses.
  for (const { module: from, name } of WebAssembly.Module.imports(module)) (imports[from] ??= {})[name] = () => 0;
  const exports = /** @type {any} */ (new WebAssembly.Instance(module, imports).exports);
  if (exports.webnnc_sizes() !== 0 || exports.webnnc_prepare(0) !== 0) throw new Error('sizes are not known: fix symbols with --dim');
  const view = new DataView(exports.memory.buffer), root = exports.webnnc_model();
  // Fields of abi::Model: programs is number 10, weights number 12; of abi::Program: step_count number 5.
  const stepCount = view.getUint32(view.getUint32(root + 40, true) + 20, true);
  new Uint8Array(exports.memory.buffer).set(weights, view.getUint32(root + 48, true));
  return { stepCount, run: () => exports.webnnc_run(0), step: exports.webnnc_step };
}

/** @param {() => void} work */
function time(work) {
  const cpu = process.cpuUsage(), wall = performance.now();
  work();
  const elapsed = performance.now() - wall, used = process.cpuUsage(cpu);
  // The second clock ticks in microseconds.
  return elapsed < 1 ? elapsed : Math.min(elapsed, (used.user + used.system) / 1000);
}

const folder = mkdtempSync(join(tmpdir(), 'webnnc-steps-'));
try {
  const schedule = execFileSync(webnnc, [model, ...dims, '--target', 'wasm', '--emit', 'schedule'], { maxBuffer: 1 << 30 });
  const steps = describeSteps(schedule.toString());
  execFileSync(webnnc, [model, ...dims, '--target', 'wasm', '-o', join(folder, 'out'), '--quiet']);
  const file = options.relaxed ? 'model.relaxed.wasm' : 'model.wasm';
  const program = instantiate(readFileSync(join(folder, 'out', file)), readFileSync(join(folder, 'out/model.weights.bin')));
  // Engines compile anew what has run for some time.
  for (const end = performance.now() + 500; performance.now() < end;) program.run();
  const best = new Array(program.stepCount).fill(Infinity);
  for (let run = 0; run < +options.runs; ++run) {
    for (let s = 0; s < program.stepCount; ++s) best[s] = Math.min(best[s], time(() => program.step(s)));
  }
  best.forEach((ms, s) => {
    const { name = '', loops = '', products = 0 } = steps[s] ?? {};
    const speed = products ? `${(2e-6 * products / ms).toFixed(1).padStart(6)} GFLOP/s` : ' '.repeat(14);
    console.log(`${String(s).padStart(4)} ${ms.toFixed(3).padStart(8)} ms ${speed}  ${name} ${loops}`);
  });
  console.log(`all  ${best.reduce((sum, ms) => sum + ms, 0).toFixed(3).padStart(8)} ms`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
