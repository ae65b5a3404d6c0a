// Runs bundles on files in a real browser.

import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { launch, serve } from '../web/harness.mjs';
import { gather, split } from './lists.mjs';
import { TYPES, readNpy, writeNpy } from './npy.mjs';

/** @import { Job } from './run_model.mjs' */
/** @import { Tensor } from './npy.mjs' */

/** @typedef {{ dataType: string, shape: number[], base64: string }} Packed */

/** What runs in the page. @param {string} module @param {object} options @param {Record<string, Packed>} inputs */
async function runInPage(module, options, inputs) {
  const types = {
    bool: Uint8Array, int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array, int32: Int32Array,
    uint32: Uint32Array, int64: BigInt64Array, uint64: BigUint64Array, float16: Uint16Array, float32: Float32Array, float64: Float64Array,
  };
  const unpack = (/** @type {Packed} */ { dataType, shape, base64 }) => {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    return { data: new types[/** @type {keyof typeof types} */ (dataType)](bytes.buffer), shape };
  };
  const pack = async (/** @type {Tensor} */ { data, shape, dataType }) => {
    const blob = new Blob([/** @type {BlobPart} */ (/** @type {unknown} */ (data))]);
    const url = await new Promise((done) => {
      const reader = new FileReader();
      reader.onload = () => done(reader.result);
      reader.readAsDataURL(blob);
    });
    return { dataType, shape, base64: url.slice(url.indexOf(',') + 1) };
  };
  /** Of a list each tensor. @type {(value: any, convert: (tensor: any) => any) => any} */
  const each = (value, convert) => Array.isArray(value) ? value.map(convert) : value && convert(value);
  const { load } = await import(module);
  try {
    const model = await load(options);
    const values = Object.fromEntries(Object.entries(inputs).map(([port, packed]) => [port, each(packed, unpack)]));
    const results = await model.run(values);
    /** @type {Record<string, Packed>} */
    const outputs = {};
    for (const port of Object.keys(results)) {
      const packed = each(results[port], pack);
      outputs[port] = await (Array.isArray(packed) ? Promise.all(packed) : packed);
    }
    model.dispose();
    return { outputs };
  } catch (error) {
    return { error: String(error), name: /** @type {Error} */ (error).name };
  }
}

/** Of a list each tensor. @type {(value: any, convert: (tensor: any) => any) => any} */
const each = (value, convert) => Array.isArray(value) ? value.map(convert) : value && convert(value);

const pack = (/** @type {Tensor} */ { data, shape, dataType }) =>
  ({ dataType, shape, base64: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64') });

const unpack = (/** @type {any} */ { dataType, shape, base64 }) => {
  const bytes = Uint8Array.from(Buffer.from(base64, 'base64'));
  return { dataType, shape, data: new TYPES[/** @type {keyof typeof TYPES} */ (dataType)][1](bytes.buffer) };
};

/** @param {'chromium' | 'firefox'} name */
export async function openBrowser(name) {
  const here = dirname(fileURLToPath(import.meta.url));
  const browser = await launch(name);
  /** @type {Awaited<ReturnType<typeof serve>> | undefined} */
  let server;
  return {
    /** @param {Job} job @param {object} options */
    async run({ bundle, inputs, outputs, lists }, options) {
      const folder = dirname(bundle);
      server ??= await serve({ '/cases': dirname(folder), '/': here });
      const page = await browser.open(`${server.url}/blank.html`);
      try {
        const given = Object.fromEntries(Object.entries(inputs).map(([port, path]) => [port, readNpy(path)]));
        const packed = Object.fromEntries(Object.entries(gather(given, lists)).map(([port, value]) => [port, each(value, pack)]));
        const module = `/cases/${encodeURIComponent(basename(folder))}/bundle/model.js`;
        const result = await page.evaluate(runInPage, module, options, packed);
        if (result.error) throw Object.assign(new Error(result.error), { name: result.name });
        const results = Object.fromEntries(Object.entries(result.outputs).map(([port, value]) => [port, each(value, unpack)]));
        const parts = split(results, lists);
        for (const [port, path] of Object.entries(outputs)) writeNpy(path, parts[port]);
      } finally {
        await page.close();
      }
    },
    async close() {
      await browser.close();
      await server?.close();
    },
  };
}
