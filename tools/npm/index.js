// The compiler as a function, for build scripts. It runs the program, and says what that says.

import { spawn } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { binaryPath } from './binary.js';

/** What is wrong, as `webnnc --json` tells it: `causes` name the nodes. */
export class WebnncError extends Error {
  name = 'WebnncError';

  constructor({ message, file, node, notes = [], causes = [] }) {
    const lines = causes.map((cause) => `  ${cause.node ?? ''}: ${cause.message}${(cause.notes ?? []).map((note) => `\n    ${note}`).join('')}`);
    super([`${file ? `${file}: ` : ''}${message}`, ...notes.map((note) => `  ${note}`), ...lines].join('\n'));
    Object.assign(this, { file, node, notes, causes });
  }
}

/** Options that are flags with one value, by their names here. */
const VALUES = {
  name: '--name', device: '--device', schedules: '--schedules', profile: '--profile', maxCodeSize: '--max-code-size',
  maxWeights: '--max-weights', maxMemory: '--max-memory', maxDispatches: '--max-dispatches', require: '--require',
};

/** @param {string} flag @param {any} value one, or an object of values by input or output */
const named = (flag, value) => value === undefined ? [] : typeof value === 'string' ? [flag, value]
  : Object.entries(value).flatMap(([name, one]) => [flag, `${name}:${one}`]);

/** @param {any} model */
function modelsOf(model) {
  if (typeof model === 'string') return [model];
  if (model instanceof Uint8Array) return ['-'];
  const several = typeof model === 'object' && model ? Object.entries(model) : [];
  if (!several.length || several.some(([name, path]) => typeof path !== 'string' || /[=/]/.test(name))) {
    throw new TypeError('compile: model is a path or bytes, or paths by names, which have no "=" or "/"');
  }
  return several.map(([name, path]) => `${name}=${path}`);
}

function flagsOf({ model, output, dims = {}, inputs = {}, targets, image, labels, boxes, report = true, tunable = false, force = false, signal, ...values }) {
  const unknown = Object.keys(values).find((key) => !(key in VALUES));
  if (unknown) throw new TypeError(`compile: there is no option "${unknown}"`);
  return [
    ...modelsOf(model), '-o', output, '--json',
    ...Object.entries(dims).flatMap(([name, size]) => ['--dim', `${name}=${size}`]),
    ...Object.entries(inputs).flatMap(([name, shape]) => ['--input', `${name}:${shape.join(',')}`]),
    ...targets ? ['--target', targets.join(',')] : [], ...named('--image', image), ...named('--labels', labels), ...named('--boxes', boxes),
    ...report ? [] : ['--no-report'], ...tunable ? ['--tunable'] : [], ...force ? ['--force'] : [],
    ...Object.entries(values).flatMap(([key, value]) => value === undefined ? [] : [VALUES[key], String(value)]),
  ];
}

function run(flags, input, signal) {
  return new Promise((done, fail) => {
    const child = spawn(binaryPath(), flags, { stdio: ['pipe', 'pipe', 'pipe'], signal });
    let out = '', errors = '';
    child.stdout.setEncoding('utf8').on('data', (text) => out += text);
    child.stderr.setEncoding('utf8').on('data', (text) => errors += text);
    child.on('error', fail);
    // Whoever reads no model closes the pipe.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    child.on('close', () => {
      let said;
      try {
        said = JSON.parse(out);
      } catch {
        return fail(new WebnncError({ message: errors.trim() || 'the compiler said nothing' }));
      }
      if (said.error) fail(new WebnncError(said.error));
      else done(said);
    });
  });
}

export async function compile(options) {
  const isBytes = options?.model instanceof Uint8Array, folder = options?.output ?? await mkdtemp(join(tmpdir(), 'webnnc-'));
  try {
    const build = await run(flagsOf({ ...options, output: folder }), isBytes ? options.model : undefined, options.signal);
    if (options.output) return { build, warnings: build.warnings };
    const names = await readdir(folder), files = {};
    for (const name of names) files[name] = new Uint8Array(await readFile(join(folder, name)));
    return { build, warnings: build.warnings, files };
  } finally {
    if (!options?.output) await rm(folder, { recursive: true, force: true });
  }
}
