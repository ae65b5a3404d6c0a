// Runs a bundle on files, in Node as in Deno.

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { readNpy, writeNpy } from './npy.mjs';

/**
 * @typedef {object} Job
 * @property {string} bundle the bundle's folder
 * @property {Record<string, string>} inputs  port -> .npy file to read
 * @property {Record<string, string>} outputs port -> .npy file to write
 */

/** @param {Job} job @param {object} options of `load` */
export async function runModel({ bundle, inputs, outputs }, options) {
  const { load } = await import(pathToFileURL(join(bundle, 'model.js')).href);
  const model = await load(options);
  try {
    const results = await model.run(
      Object.fromEntries(Object.entries(inputs).map(([port, path]) => [port, readNpy(path)])));
    for (const [port, path] of Object.entries(outputs)) writeNpy(path, results[port]);
  } finally {
    model.dispose();
  }
}
