// Compiled models, kept by what they were made of: the model's bytes and those of the files that it names, the options
// and the compiler.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

import { binaryPath } from '../binary.js';
import { compile } from '../index.js';

/** Where a model says that its weights are, as protobuf writes it: a key `location`, and the length of what follows. */
const LOCATION = Buffer.from('\n\x08location\x12', 'latin1');

/** Files beside a model that hold its weights. @param {string} path @param {Buffer} model */
function weightFiles(path, model) {
  /** @type {Set<string>} */ const files = new Set();
  for (let at = model.indexOf(LOCATION); at >= 0; at = model.indexOf(LOCATION, at + 1)) {
    let begin = at + LOCATION.length, length = 0, shift = 0, byte;
    do {
      byte = model[begin++] ?? 0;
      length |= (byte & 127) << shift;
      shift += 7;
    } while (byte & 128 && shift < 28);
    // Other bytes may look like this by chance: what is no file is none.
    const file = resolve(dirname(path), model.toString('utf8', begin, begin + Math.min(length, 4096)).replaceAll('\0', '?'));
    if (existsSync(file) && statSync(file).isFile()) files.add(file);
  }
  return [...files];
}

/** Files that options name. @param {import('../index.js').CompileOptions} options */
const optionFiles = ({ labels, schedules, profile }) =>
  [...typeof labels === 'object' ? Object.values(labels) : [labels], schedules, profile].flatMap((file) => file ?? []);

/** What the compiler is; builds of it may have one version. @returns {string} */
function compilerId() {
  const path = binaryPath(), { size, mtimeMs } = statSync(path);
  return `${execFileSync(path, ['--version'], { encoding: 'utf8' })} ${size} ${mtimeMs}`;
}

/** @type {Map<string, Promise<any>>} what is being compiled, by folder */
const running = new Map();

/**
 * The folder of a compiled model, or of several, with what the compiler warned of, and the files that it was made of.
 *
 * @param {import('../index.js').CompileOptions & { model: string | Record<string, string> }} options @param {string} cache
 * @returns {Promise<{ folder: string, warnings: string[], sources: string[] }>}
 */
export async function compiled(options, cache) {
  const models = typeof options.model === 'string' ? [options.model] : Object.values(options.model);
  const sources = [...models.flatMap((path) => [path, ...weightFiles(path, readFileSync(path))]), ...optionFiles(options)];
  const hash = createHash('sha256').update(JSON.stringify([compilerId(), options]));
  for (const file of sources) {
    hash.update(`\0${file}\0`);
    for await (const chunk of createReadStream(file)) hash.update(chunk);
  }
  const folder = join(cache, hash.digest('hex').slice(0, 16));
  let making = running.get(folder);
  if (!making) running.set(folder, making = make(options, folder).finally(() => running.delete(folder)));
  return { folder, warnings: await making, sources };
}

/** @param {import('../index.js').CompileOptions} options @param {string} folder @returns {Promise<string[]>} */
async function make(options, folder) {
  const kept = join(folder, 'warnings.json');
  if (existsSync(kept)) return JSON.parse(readFileSync(kept, 'utf8'));
  // A folder is there wholly or not at all, whoever else compiles the same.
  const draft = `${folder}.${process.pid}`;
  await mkdir(dirname(folder), { recursive: true });
  try {
    const { warnings } = await compile({ report: false, ...options, output: draft });
    await writeFile(join(draft, 'warnings.json'), JSON.stringify(warnings));
    await rename(draft, folder).catch((error) => {
      if (!existsSync(kept)) throw error;
    });
    return warnings;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}
