// Pixels out of whatever a page has: ImageData, canvases, bitmaps, images, video, frames and files.

import { InputError, messageOf } from './errors.js';

/** @typedef {{data: Uint8ClampedArray | Uint8Array, width: number, height: number}} Pixels four bytes each: red, green, blue, alpha */
/** @typedef {{source: any, width: number, height: number, close?: () => void}} Drawable what a canvas and a GPU take */
/** @typedef {{x: number, y: number, width: number, height: number}} Region part of a picture */

/** @param {any} value @param {string} type whether it is one; not every engine has all types */
const is = (value, type) => typeof Reflect.get(globalThis, type) === 'function' && value instanceof Reflect.get(globalThis, type);

const CANVASES = ['HTMLCanvasElement', 'OffscreenCanvas', 'ImageBitmap'];
const DRAWABLES = [...CANVASES, 'HTMLImageElement', 'SVGImageElement', 'HTMLVideoElement', 'VideoFrame'];

/** @param {any} value */
export const isPixels = (value) => (value?.data instanceof Uint8ClampedArray || value?.data instanceof Uint8Array) && 'width' in value && 'height' in value;
/** @param {any} value */
const nameOf = (value) => value.constructor?.name ?? typeof value;

/**
 * @param {string} what "input "image"", or whatever else is given the picture
 * @param {string} problem @returns {never}
 */
function refuse(what, problem) {
  throw new InputError(`${what} ${problem}`);
}

/** The size of what can be drawn, in pixels. @param {any} source @returns {[number, number]} */
function sizeOf(source) {
  if (is(source, 'HTMLImageElement')) return [source.naturalWidth, source.naturalHeight];
  if (is(source, 'SVGImageElement')) return [source.width.baseVal.value, source.height.baseVal.value];
  if (is(source, 'HTMLVideoElement')) return [source.videoWidth, source.videoHeight];
  if (is(source, 'VideoFrame')) return [source.displayWidth, source.displayHeight];
  return [source.width, source.height];
}

/** What would explain a picture without pixels. @param {any} source */
function whyEmpty(source) {
  if (is(source, 'HTMLImageElement')) {
    return source.complete && source.src ? 'is an image that could not be loaded' : 'is an image that has not been loaded: await image.decode() first';
  }
  if (is(source, 'HTMLVideoElement')) return 'is a video that has no frame yet: wait for its event "loadeddata"';
  if (is(source, 'VideoFrame')) return 'is a VideoFrame that was closed';
  if (is(source, 'ImageBitmap')) return 'is an ImageBitmap that was closed or transferred';
  return 'is a picture without pixels';
}

/** @param {any} value @param {string} what @returns {Pixels} */
export function checkPixels(value, what) {
  const { data, width, height } = value;
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    refuse(what, `is a picture of ${width} x ${height} pixels`);
  }
  if (data.length !== 4 * width * height) {
    refuse(what, `has ${data.length} bytes; a picture of ${width} x ${height} pixels has ${4 * width * height}: red, green, blue and alpha of each`);
  }
  return value;
}

/** @param {any} source */
export const isFile = (source) => is(source, 'Blob');

/** @param {Blob} file @param {string} what @returns {Promise<Drawable>} */
export async function decode(file, what) {
  if (typeof createImageBitmap !== 'function') refuse(what, `is a ${nameOf(file)}, which cannot be decoded here: pass { data, width, height }`);
  try {
    // As an <img> shows it, turned as EXIF says.
    const source = await createImageBitmap(file, { imageOrientation: 'from-image', premultiplyAlpha: 'none' });
    return { source, width: source.width, height: source.height, close: () => source.close() };
  } catch (error) {
    refuse(what, `is a ${nameOf(file)} that holds no picture which can be read here: ${messageOf(error)}`);
  }
}

/** @param {any} source @param {string} what @returns {Drawable} */
export function toDrawable(source, what) {
  if (!DRAWABLES.some((type) => is(source, type))) {
    refuse(what, `is ${source === undefined || source === null ? 'missing' : `a ${nameOf(source)}`}; for a picture pass ` +
      'an ImageData, canvas, ImageBitmap, image, video, VideoFrame, Blob or { data, width, height }');
  }
  const isLoading = is(source, 'HTMLImageElement') && !source.complete || is(source, 'HTMLVideoElement') && source.readyState < 2;
  const [width, height] = sizeOf(source).map(Math.floor);
  if (isLoading || !(width > 0 && height > 0)) refuse(what, whyEmpty(source));
  return { source, width, height };
}

/** The canvas that pictures are drawn on to get at their pixels, kept between frames. @type {any} */
let context;

/**
 * @param {Drawable} drawable @param {Region} region @param {string} what
 * @returns {Pixels} of the region
 */
export function drawPixels({ source, width: fullWidth, height: fullHeight }, { x, y, width, height }, what) {
  if (context?.canvas.width !== width || context?.canvas.height !== height) {
    const canvas = typeof OffscreenCanvas === 'function' ? new OffscreenCanvas(width, height)
      : Object.assign(document.createElement('canvas'), { width, height });
    context = canvas.getContext('2d', { willReadFrequently: true, colorSpace: 'srgb' });
  }
  try {
    // What was there must not show through.
    context.globalCompositeOperation = 'copy';
    context.drawImage(source, -x, -y, fullWidth, fullHeight);
    return context.getImageData(0, 0, width, height);
  } catch (error) {
    // A canvas that is tainted stays so.
    context = undefined;
    refuse(what, whyUnreadable(error, source));
  }
}

/** @param {any} error @param {any} source */
export function whyUnreadable(error, source) {
  if (error?.name === 'SecurityError') {
    return `is a ${nameOf(source)} of another origin, whose pixels this page may not read: ` +
      'the server must allow it (CORS), and the element needs crossOrigin = "anonymous"';
  }
  return `is a ${nameOf(source)} that cannot be read: ${messageOf(error)}`;
}

/** @param {any} source @param {string} what @returns {Promise<Pixels>} */
export async function readPixels(source, what) {
  if (isPixels(source)) return checkPixels(source, what);
  const drawable = isFile(source) ? await decode(source, what) : toDrawable(source, what);
  try {
    return drawPixels(drawable, { x: 0, y: 0, ...sizesOf(drawable) }, what);
  } finally {
    drawable.close?.();
  }
}

/** @param {{width: number, height: number}} picture */
export const sizesOf = ({ width, height }) => ({ width, height });
