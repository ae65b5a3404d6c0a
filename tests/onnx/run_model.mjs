// Runs a bundle on files, in Node as in Deno.

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { gather, split } from './lists.mjs';
import { readNpy, writeNpy } from './npy.mjs';

/** @import { Lists } from './lists.mjs' */

/**
 * @typedef {object} Job
 * @property {string} bundle the bundle's folder
 * @property {Record<string, string>} inputs  port -> .npy file to read
 * @property {Record<string, string>} outputs port -> .npy file to write
 * @property {Lists} lists which ports are lists, of whose parts there are files
 */

/** @param {Job} job @param {object} options of `load` */
export async function runModel({ bundle, inputs, outputs, lists }, options) {
  const { load } = await import(pathToFileURL(join(bundle, 'model.js')).href);
  const model = await load(options);
  try {
    const given = Object.fromEntries(Object.entries(inputs).map(([port, path]) => [port, readNpy(path)]));
    const results = split(await model.run(gather(given, lists)), lists);
    for (const [port, path] of Object.entries(outputs)) writeNpy(path, results[port]);
  } finally {
    model.dispose();
  }
}
