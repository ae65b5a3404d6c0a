// What to give a model that nobody gave anything yet.

/** @import * as Api from '../model.js' */

/** What models of this kind are usually trained on. @param {Api.Port} port */
export function likelyScaling({ dataType, image }) {
  if (dataType[0] !== 'f') return 'bytes';
  if (image?.channels === 1) return 'unit';
  return image?.layout === 'nchw' ? 'imagenet' : 'signed';
}

/**
 * A digit for models of small grey pictures, and a sun above hills for all others.
 *
 * @param {CanvasRenderingContext2D} context @param {number} width @param {number} height @param {number} channels
 */
export function drawSample(context, width, height, channels) {
  if (channels === 1 && Math.max(width, height) <= 64) return drawDigit(context, width, height);
  const sky = context.createLinearGradient(0, 0, 0, height);
  ['#3a78c2', '#a9cdf0', '#fbe3b5'].forEach((color, i) => sky.addColorStop(i / 2, color));
  context.fillStyle = sky;
  context.fillRect(0, 0, width, height);
  const ellipse = (/** @type {string} */ color, /** @type {number[]} */ [x, y, w, h]) => {
    context.fillStyle = color;
    context.beginPath();
    context.ellipse(x * width, y * height, w * width, h * height, 0, 0, 2 * Math.PI);
    context.fill();
  };
  ellipse('#fff3c4', [0.72, 0.3, 0.09, 0.09]);
  ellipse('#5d8a4c', [0.2, 1.05, 0.6, 0.4]);
  ellipse('#3f6d3a', [0.85, 1.1, 0.6, 0.38]);
}

/** A seven, white on black, drawn as by hand. @param {CanvasRenderingContext2D} context @param {number} width @param {number} height */
function drawDigit(context, width, height) {
  context.fillStyle = '#000';
  context.fillRect(0, 0, width, height);
  Object.assign(context, { strokeStyle: '#fff', lineWidth: Math.max(1, width / 11), lineCap: 'round', lineJoin: 'round' });
  context.beginPath();
  [[0.28, 0.26], [0.7, 0.26], [0.44, 0.76]].forEach(([x, y]) => context.lineTo(x * width, y * height));
  context.stroke();
}

/** What an element most likely means, by the names that exporters give. @param {Api.Port} port @returns {(i: number) => number} */
export function likelyValues({ name, dataType, range }) {
  if (/mask/i.test(name)) return () => 1;
  if (/type|segment/i.test(name)) return () => 0;
  if (/position/i.test(name)) return (i) => i;
  if (dataType[0] === 'f') return (i) => Math.sin(i * 12.9898);
  const rows = range ? range.high + 1 : dataType === 'bool' ? 2 : 100;
  return (i) => Math.min(rows - 1, 1 + i * 7 % Math.max(1, rows - 1));
}
