// Times a model's wasm kernels one by one, and says how much arithmetic each does.
//
//   node tests/bench/step_times.mjs [--chromium] [--relaxed | --dots] [--runs 20] [--dim NAME=N]... [--size NAME=N]...
//                                   [--threads N | --against WEBNNC] MODEL.onnx
//
//    12    0.221 ms   32.7 GFLOP/s  conv_add 784x32x144
//
// Times are the least of all runs; in Node and Deno the smaller of two clocks, the wall's and the one that other
// processes do not advance. Multiply-adds are counted from the plain kernels that `--emit schedule`
// prints; steps without are not given a speed. Every size must be known: --dim fixes symbols, --size leaves them open and runs with what is given.
// The last line is a whole run. --against another compiler prints its times beside these, taken by turns in the same page.
// --threads prints the times of one thread, of N, and how many times as fast these are.
// Decide by --chromium, a page in Chromium without a window. Node 20's V8 makes other code than browsers' do, and Deno's compares each
// address with the memory's size, which browsers leave to the processor: what runs at 57 GFLOP/s in Chromium runs at 42 there.
// --dots takes the module that multiplies bytes, whose steps are known by their names alone. Relaxed SIMD takes a newer Node than 20, or --experimental-wasm-relaxed-simd.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { timeSteps } from './steps.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const webnnc = process.env.WEBNNC ?? join(here, '../../build/webnnc');
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    chromium: { type: 'boolean', default: false },
    relaxed: { type: 'boolean', default: false },
    dots: { type: 'boolean', default: false },
    runs: { type: 'string', default: '20' },
    dim: { type: 'string', multiple: true, default: [] },
    size: { type: 'string', multiple: true, default: [] },
    threads: { type: 'string' },
    against: { type: 'string' },
  },
});
const [model] = positionals;
if (!model || options.threads && options.against) {
  console.error('usage: step_times.mjs [--chromium] [--relaxed | --dots] [--runs N] [--dim NAME=N]... [--size NAME=N]... [--threads N | --against WEBNNC] MODEL.onnx');
  process.exit(1);
}
const dims = options.dim.flatMap((dim) => ['--dim', dim]);
/** Of symbols that stay open. @type {Record<string, number>} */
const sizes = Object.fromEntries(options.size.map((size) => [size.split('=')[0], Number(size.split('=')[1])]));

/** @param {string} extent such as 4*batch */
function valueOf(extent) {
  const numbers = extent.replace(/[A-Za-z_]\w*/g, (name) => String(sizes[name] ?? NaN));
  return /^[-+*/()\dNa ]+$/.test(numbers) ? Number(Function(`return ${numbers}`)()) : NaN;
}

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
      const loop = /^\s+for \S+ in (.+) \{$/.exec(line);
      if (loop) extents.push(valueOf(loop[1].replace(/ ordered$/, '')));
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

/** What a module calls its steps, in a section of its own. @param {Buffer} module @returns {string[]} */
function namesOf(module) {
  const text = module.toString('latin1'), at = text.lastIndexOf('"steps":[');
  return at < 0 ? [] : JSON.parse(text.slice(at + 8, text.indexOf(']', at) + 1));
}

/** @param {() => void} work */
function time(work) {
  const cpu = process.cpuUsage(), wall = performance.now();
  work();
  const elapsed = performance.now() - wall, used = process.cpuUsage(cpu);
  // The second clock ticks in microseconds.
  return elapsed < 1 ? elapsed : Math.min(elapsed, (used.user + used.system) / 1000);
}

/** A module's file. @typedef {{path: string, weights: string, threads?: number}} Timed in the folder of bundles */

/** @param {Timed[]} timed @param {string} folder */
async function timeInChromium(timed, folder) {
  const { launch, serve } = await import('../web/harness.mjs');
  const server = await serve({ '/': here, '/models': folder, '/runtime-js': join(here, '../../runtime-js') }, { isolate: true }), browser = await launch('chromium');
  try {
    const page = await browser.open(`${server.url}/steps.html`, { timeout: 300_000 });
    return await page.evaluate(async (/** @type {Timed[]} */ files, /** @type {number} */ runs, /** @type {Record<string, number>} */ open) => {
      const bytes = async (/** @type {string} */ of) => new Uint8Array(await (await fetch(`/models/${of}`)).arrayBuffer());
      const steps = await import('/steps.mjs'), modules = [];
      for (const { path, weights, threads } of files) modules.push({ bytes: await bytes(path), weights: await bytes(weights), threads });
      return await steps.timeSteps(modules, runs, open);
    }, timed, +options.runs, sizes);
  } finally {
    await browser.close();
    await server.close();
  }
}

const folder = mkdtempSync(join(tmpdir(), 'webnnc-steps-'));
try {
  const schedule = execFileSync(webnnc, [model, ...dims, '--target', 'wasm', '--emit', 'schedule'], { maxBuffer: 1 << 30 });
  const steps = options.dots ? [] : describeSteps(schedule.toString());
  const compilers = options.against ? [webnnc, options.against] : [webnnc];
  compilers.forEach((compiler, c) => execFileSync(compiler, [model, ...dims, '--target', 'wasm', '-o', join(folder, `${c}`), '--quiet']));
  const file = options.dots ? 'model.relaxed.dots.wasm' : options.relaxed ? 'model.relaxed.wasm' : 'model.wasm';
  if (options.dots) steps.push(...namesOf(readFileSync(join(folder, '0', file))).map((name) => ({ name, loops: '', products: 0 })));
  /** @type {Timed[]} */
  const timed = compilers.map((_, c) => ({ path: `${c}/${file}`, weights: `${c}/model.weights.bin` }));
  if (options.threads) timed.push({ ...timed[0], path: `0/${file.replace(/(\.dots)?\.wasm$/, '.threads$&')}`, threads: Number(options.threads) });
  // The processor's time is that of all threads.
  const { best, whole } = options.chromium ? await timeInChromium(timed, folder)
    : await timeSteps(timed.map(({ path, weights, threads }) => ({ bytes: readFileSync(join(folder, path)), weights: readFileSync(join(folder, weights)), threads })),
      +options.runs, sizes, options.threads ? undefined : time);
  const [times, others] = best;
  const ratio = (/** @type {number} */ one, /** @type {number} */ several) => options.threads ? ` ${(one / several).toFixed(2).padStart(5)} x` : '';
  const beside = (/** @type {number} */ s) => others?.length === times.length ? ` against ${others[s].toFixed(3).padStart(8)} ms${ratio(times[s], others[s])}` : '';
  times.forEach((ms, s) => {
    const { name = '', loops = '', products = 0 } = steps[s] ?? {};
    const speed = products ? `${(2e-6 * products / ms).toFixed(1).padStart(6)} GFLOP/s` : ' '.repeat(14);
    console.log(`${String(s).padStart(4)} ${ms.toFixed(3).padStart(8)} ms${beside(s)} ${speed}  ${name} ${loops}`);
  });
  const all = best.map((list) => list.reduce((sum, ms) => sum + ms, 0));
  for (const [label, sums] of /** @type {const} */ ([['all ', all], ['run ', whole]])) {
    console.log(`${label} ${sums.map((ms) => `${ms.toFixed(3).padStart(8)} ms`).join(' against ')}${ratio(sums[0], sums[1])}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
