// What to give a model that nobody gave anything yet.

/** @import * as Api from '../model.js' */

/** What models of this kind are usually trained on. @param {Api.Port} port */
export function likelyScaling({ dataType, image }) {
  if (dataType[0] !== 'f') return 'bytes';
  if (image?.channels === 1) return 'unit';
  return image?.layout === 'nchw' ? 'imagenet' : 'signed';
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
