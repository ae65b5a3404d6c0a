// Starts a WASI command with node:wasi. It sees the whole file system, as a native command would.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { WASI } from 'node:wasi';

const [program, ...args] = process.argv.slice(2);
if (!program) {
  console.error('usage: run_wasi MODEL.wasm [FLAG VALUE]...');
  process.exit(1);
}

/**
 * WASI has no current folder: a path in an argument becomes absolute.
 *
 * @param {string} value "x.npy" or "image=x.npy"
 */
function absolute(value) {
  const at = value.lastIndexOf('=') + 1;
  return value.slice(0, at) + resolve(value.slice(at));
}

const wasi = new WASI({
  version: 'preview1',
  args: [program, ...args.map((arg, i) => (i % 2 && args[i - 1] !== '--model' ? absolute(arg) : arg))],
  preopens: { '/': '/' },
});
const module = await WebAssembly.compile(readFileSync(program));
const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
process.exitCode = wasi.start(instance);
