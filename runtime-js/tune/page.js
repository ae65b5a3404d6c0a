// The page that measures on the device that it is opened on.

/** @import { Job } from './job.js' */
/** @import { Machine, State } from './session.js' */

import { cpu } from './cpu.js';
import { onGpu } from './gpu.js';
import { weightBytesOf } from './job.js';
import { tune } from './session.js';

const $ = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const button = /** @type {HTMLButtonElement} */ ($('toggle')), bar = /** @type {HTMLProgressElement} */ ($('progress'));

/** @param {string} path @param {RequestInit} [init] */
async function ask(path, init) {
  const response = await fetch(path, init).catch(() => {
    throw new Error('the compiler does not answer: is `webnnc tune` still running?');
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response;
}

/** @type {Job} */ let job;
/** @type {Machine} */ let machine;
/** @type {AbortController | undefined} */ let running;
/** @type {State | undefined} */ let last;

/** @param {'idle' | 'running' | 'stopped' | 'done' | 'failed'} state @param {string} text */
function become(state, text) {
  $('main').dataset.state = state;
  $('status').textContent = text;
  button.textContent = state === 'running' ? 'Stop' : state === 'stopped' ? 'Resume' : 'Start';
  button.hidden = state === 'done';
}

const ms = (/** @type {number} */ value) => value >= 1 ? `${value.toPrecision(3)} ms` : `${(value * 1e3).toPrecision(3)} µs`;
const times = (/** @type {number} */ before, /** @type {number} */ after) => `${(before / after || 1).toFixed(2)} ×`;

/** @param {State} state */
function show(state) {
  last = state;
  bar.max = state.total;
  bar.value = state.measured;
  $('count').textContent = `${state.measured} of ${state.total} candidates`;
  $('gain').textContent = times(state.before, state.after);
  $('sum').textContent = state.before ? `kernels of a run: ${ms(state.before)} → ${ms(state.after)}` : '';
  $('kernels').replaceChildren(...state.kernels.map(({ title, launches, measured, before, after }, i) => {
    const row = document.createElement('tr');
    const cells = [title, `${launches}`, `${measured}`, before ? ms(before) : '', after ? ms(after) : '', before && after ? times(before, after) : ''];
    cells.forEach((text, n) => row.appendChild(document.createElement('td')).append(text.split('->', 1)[0] + (n === 0 && text.includes('->') ? `→${text.split('->')[1]}` : '')));
    row.classList.toggle('current', i === state.current);
    row.classList.toggle('better', Boolean(before && after && after < 0.99 * before));
    return row;
  }));
}

async function run() {
  running = new AbortController();
  become('running', 'Measuring. Leave this page in front, and the device in peace.');
  // A phone that goes to sleep measures nothing.
  const awake = await navigator.wakeLock?.request('screen').catch(() => undefined);
  try {
    await tune(machine, {
      job, signal: running.signal, onState: show,
      measuredOn: async (device) => (await ask(`measured.json?device=${encodeURIComponent(device)}`)).json(),
      report: async (device, reported) => {
        const { measured = 0, total = 0, before = 0, after = 0 } = last ?? {};
        await ask('measured', { method: 'POST', body: JSON.stringify({ device, times: reported, state: { measured: measured + reported.length, total, before, after } }) });
      },
    });
    if (running.signal.aborted) become('stopped', 'Stopped. What was measured is kept.');
    else become('done', `Done. Compile with: webnnc ${job.model} --schedules ${job.output} -o out/`);
  } catch (error) {
    become('failed', String(/** @type {any} */ (error)?.message ?? error));
  } finally {
    running = undefined;
    await awake?.release();
  }
}

/** The CPU, in a worker. When it is to stop it is ended. @returns {Machine} */
const inWorker = () => cpu(async (kernels) => {
  const worker = new Worker('./tune.worker.js'), weightBytes = weightBytesOf(kernels);
  return {
    measure: ({ buffers, candidates: all }, index, candidates, signal) => new Promise((done, fail) => {
      signal.addEventListener('abort', () => fail(signal.reason), { once: true });
      worker.onerror = ({ message }) => fail(new Error(`the worker failed: ${message || 'it does not say why'}`));
      worker.onmessage = ({ data: { seconds, problem } }) => problem ? fail(new Error(problem)) : done(seconds);
      worker.postMessage({ weightBytes, index, buffers, candidates: candidates.map((c) => ({ index: c, sizes: all[c].sizes })) });
    }),
    close: () => worker.terminate(),
  };
});

/** @returns {Promise<Machine>} */
async function gpuHere() {
  if (!navigator.gpu) throw new Error(globalThis.isSecureContext ? 'This browser has no WebGPU.' : 'Browsers have WebGPU on https and localhost only: open the address that begins with https.');
  const found = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!found) throw new Error('WebGPU finds no GPU on this device.');
  return onGpu(navigator.gpu, found, job, async (kernel, candidate) => (await ask(`${kernel}/${candidate}.wgsl`)).text());
}

async function start() {
  job = await (await ask('job.json')).json();
  $('name').textContent = job.model;
  machine = job.on === 'wasm' ? inWorker() : await gpuHere();
  $('device').textContent = machine.label;
  button.addEventListener('click', () => running ? running.abort() : run());
  button.disabled = false;
  become('idle', 'Nothing has been measured yet in this visit.');
}

start().catch((error) => become('failed', error.message));
