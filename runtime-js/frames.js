// Inputs that take pictures: what a run was given becomes frames, and the tables by which the model
// resamples them.

/** @import { GpuBackend } from './gpu_backend.js' */
/** @import { ManifestPort } from './host.js' */
/** @import { Input } from './inputs.js' */
/** @import { Drawable, Pixels, Region } from './pictures.js' */

import { refuse } from './elements.js';
import { geometryOf } from './geometry.js';
import { checkPixels, decode, drawPixels, isFile, isPixels, sizesOf, toDrawable } from './pictures.js';

/** Rows have room for a multiple of so many pixels, as WebGPU copies textures. */
export const ROW_PIXELS = 64;
/** Places in a picture are told apart by integers of 32 bits, and canvases are no larger. */
const LARGEST = 32767;

/** Pictures of one size on the GPU, one an entry of the batch. */
export class GpuFrame {
  #giveBack;

  /**
   * @param {GPUTexture[]} textures @param {Promise<void>} verdict whether WebGPU took the pictures
   * @param {(textures: GPUTexture[]) => void} giveBack takes them for other frames
   */
  constructor(textures, verdict, giveBack) {
    this.textures = textures;
    this.verdict = verdict;
    this.#giveBack = giveBack;
  }

  /** Nothing more is read of it than what was submitted. Once is enough, and more does no harm. */
  release() {
    if (this.textures.length) this.#giveBack(this.textures.splice(0));
  }
}

/** A picture that was decoded or has been looked at. @typedef {Pixels | Drawable} Picture */

/** @param {ManifestPort} port */
export const takesPictures = (port) => port.image?.preparation !== undefined;

const what = (/** @type {ManifestPort} */ { name }) => `input "${name}"`;

/** @param {any} value */
const listOf = (value) => Array.isArray(value) ? value : [value];

/**
 * The inputs with files decoded, at once if there are none.
 *
 * @param {ManifestPort[]} ports @param {any} given @returns {any}
 */
export function decodeFiles(ports, given) {
  const files = ports.filter((port) => takesPictures(port) && listOf(given?.[port.name]).some(isFile));
  if (!files.length) return given;
  const decoded = files.map(async (port) =>
    [port.name, await Promise.all(listOf(given[port.name]).map((source) => isFile(source) ? decode(source, what(port)) : source))]);
  return Promise.all(decoded).then((entries) => ({ ...given, ...Object.fromEntries(entries) }));
}

/** @param {any} source @param {ManifestPort} port @returns {Picture} */
function look(source, port) {
  if (isPixels(source)) return checkPixels(source, what(port));
  // What was decoded here.
  return typeof source?.close === 'function' && source.source ? source : toDrawable(source, what(port));
}

export class Frames {
  /** Of the picture size that an input had last. @type {Map<string, {key: string, sides: ReturnType<typeof geometryOf>}>} */
  #geometry = new Map();

  /**
   * The inputs that take the place of a picture.
   *
   * @param {ManifestPort} port @param {ManifestPort[]} tables that go with it @param {any} given
   * @param {GpuBackend | undefined} gpu that takes pictures, if there is one
   * @returns {Input[]}
   */
  parse(port, tables, given, gpu) {
    const pictures = listOf(given).map((source) => look(source, port));
    if (!pictures.length) refuse(port.name, 'has no pictures');
    const { width, height } = sizesOf(pictures[0]), odd = pictures.find((picture) => picture.width !== width || picture.height !== height);
    if (odd) refuse(port.name, `has pictures of ${width} x ${height} and of ${odd.width} x ${odd.height} pixels: those of one run must have one size`);
    const batch = port.shape[0];
    if (typeof batch === 'number' && pictures.length !== batch) refuse(port.name, `is ${pictures.length} pictures, and the model takes ${batch}`);
    if (Math.max(width, height) > LARGEST) refuse(port.name, `has ${width} x ${height} pixels, and sides may have ${LARGEST}`);
    const sides = tables.length ? this.#sidesFor(port, { width, height }) : undefined;
    const region = sides
      ? { x: sides.columns.begin, y: sides.rows.begin, width: sides.columns.extent, height: sides.rows.extent }
      : { x: 0, y: 0, width, height };
    const shape = [pictures.length, region.height, region.width, 4];
    const data = gpu?.takeFrame(pictures, region, what(port)) ?? readWords(pictures, region, what(port));
    for (const picture of pictures) if ('close' in picture) picture.close?.();
    return [{ port, data, count: 0, shape, isFrame: true }, ...tables.map((table) => {
      const { taps, entries } = /** @type {NonNullable<typeof sides>} */ (sides)[table.name.endsWith(':rows') ? 'rows' : 'columns'];
      return { port: table, data: taps, count: taps.length, shape: [taps.length / entries, entries] };
    })];
  }

  /** @param {ManifestPort} port @param {{width: number, height: number}} picture */
  #sidesFor(port, picture) {
    const key = `${picture.width} ${picture.height}`, last = this.#geometry.get(port.name);
    if (last?.key === key) return last.sides;
    const image = /** @type {any} */ (port.image), sides = geometryOf(image.preparation, image, picture);
    this.#geometry.set(port.name, { key, sides });
    return sides;
  }
}

/** @param {Picture[]} pictures @param {Region} region @param {string} what */
function readWords(pictures, region, what) {
  const { width, height } = region, pitch = Math.ceil(width / ROW_PIXELS) * ROW_PIXELS;
  if (pictures.length === 1 && 'source' in pictures[0]) {
    // Read as they are needed, whatever stands in the room: one copy less.
    return new Uint32Array(drawPixels(pictures[0], { ...region, width: pitch }, what).data.buffer);
  }
  const words = new Uint32Array(pictures.length * height * pitch), bytes = new Uint8Array(words.buffer);
  pictures.forEach((picture, n) => {
    const isDrawn = 'source' in picture, pixels = isDrawn ? drawPixels(picture, region, what) : picture;
    const [x, y] = isDrawn ? [0, 0] : [region.x, region.y];
    for (let row = 0; row < height; ++row) {
      const start = 4 * ((y + row) * pixels.width + x);
      bytes.set(pixels.data.subarray(start, start + 4 * width), 4 * (n * height + row) * pitch);
    }
  });
  return words;
}
