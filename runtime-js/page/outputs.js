// Shows tensors as what they most likely are: likeliest classes, pictures, maps of classes, or tables.

/** @import * as Api from '../model.js' */

const TOP = 5, TABLE_SIZE = 8, LEAST_MAP = 16, MOST_CLASSES = 256;

/** @param {string} id @returns {any} */
export const byId = (id) => document.getElementById(id);

/** @param {Api.Port} port @param {Api.Tensor} tensor @param {boolean} isOfPicture @returns {HTMLElement} */
export function showTensor(port, { data, shape, dataType }, isOfPicture) {
  const section = byId('output').content.firstElementChild.cloneNode(true);
  const part = (/** @type {string} */ selector) => section.querySelector(selector);
  part('h2').textContent = port.name;
  part('small').textContent = `${dataType}[${shape.join(', ')}]`;
  const values = Array.from(/** @type {ArrayLike<any>} */ (data), Number);
  const odd = values.filter((value) => !Number.isFinite(value)).length;
  part('.warning').hidden = !odd;
  part('.warning').textContent = `${odd} of ${values.length} values are no numbers (NaN or infinite). Most often an input is not what the model was trained on.`;
  offer(part('.save'), `${port.name.replace(/[^\w.-]+/g, '_')}.json`, JSON.stringify({ shape, dataType, data: values }));
  const classes = isOfPicture ? classesOf(port, values, shape) : undefined;
  const isVector = values.length > 1 && shape.filter((size) => size > 1).length === 1;
  if (isVector && port.dataType[0] === 'f') showTop(part('ol'), values, port.labels);
  else if (port.image && shape.at(-2) !== 1) showImage(part('canvas'), port.image, values, shape);
  else if (classes) showClasses(part('canvas'), part('ol'), port, classes, shape);
  else showTable(part('.scroll'), part('small'), values, shape);
  return section;
}

/** @param {HTMLElement} list @param {number[]} values @param {readonly string[]} [labels] */
function showTop(list, values, labels) {
  const sum = values.reduce((all, value) => all + value, 0);
  const areChances = values.every((value) => value >= 0) && Math.abs(sum - 1) < 0.01;
  const order = [...values.keys()].sort((a, b) => values[b] - values[a]).slice(0, TOP);
  const least = areChances ? 0 : Math.min(...values), most = areChances ? 1 : values[order[0]];
  list.hidden = false;
  list.replaceChildren(...order.map((index) => bar(labels?.[index] ?? String(index),
    areChances ? `${(100 * values[index]).toFixed(1)} %` : values[index].toPrecision(4), (values[index] - least) / (most - least || 1))));
}

/** A line of a chart. @param {string} text @param {string} number @param {number} part from 0 to 1 */
export function bar(text, number, part) {
  const item = document.createElement('li'), fill = document.createElement('i');
  const name = document.createElement('b'), value = document.createElement('span');
  item.className = 'bar';
  fill.style.width = `${100 * part}%`;
  name.textContent = text;
  value.textContent = number;
  item.append(fill, name, value);
  return item;
}

/** Makes a link save a text as a file. @param {HTMLAnchorElement} link @param {string} name @param {string} text */
export function offer(link, name, text) {
  if (link.href) URL.revokeObjectURL(link.href);
  Object.assign(link, { download: name, href: URL.createObjectURL(new Blob([text], { type: 'application/json' })) });
}

/** @param {HTMLCanvasElement} canvas @param {NonNullable<Api.Port['image']>} image @param {number[]} values @param {number[]} shape */
function showImage(canvas, { layout, channels }, values, shape) {
  const isPlanar = layout === 'nchw', [height, width] = shape.slice(isPlanar ? -2 : -3), area = width * height;
  // Networks give 0 to 1, -1 to 1 or 0 to 255, and overshoot a little at edges.
  const sorted = Float32Array.from(values).sort(), most = sorted[Math.floor(0.95 * (sorted.length - 1))], least = sorted[Math.floor(0.05 * (sorted.length - 1))];
  const [scale, offset] = most > 2 ? [1, 0] : least < -0.1 ? [127.5, 127.5] : [255, 0];
  const picture = new ImageData(width, height);
  for (let p = 0; p < area; ++p) {
    for (let c = 0; c < 4; ++c) {
      const from = Math.min(c, channels - 1), value = values[isPlanar ? from * area + p : p * channels + from];
      picture.data[4 * p + c] = c === 3 ? 255 : value * scale + offset;
    }
  }
  Object.assign(canvas, { width, height, hidden: false, ariaLabel: 'output as a picture' });
  canvas.getContext('2d')?.putImageData(picture, 0, 0);
}

/**
 * The class of each point of a picture: the likeliest one where an output has a value for each class,
 * or what the model says itself. Undefined for outputs that look like neither.
 *
 * @param {Api.Port} port @param {number[]} values @param {number[]} shape
 */
function classesOf({ dataType }, values, shape) {
  const [height, width] = shape.slice(-2), area = height * width, isFloat = dataType[0] === 'f';
  if (shape.length < 3 || Math.min(height, width) < LEAST_MAP) return undefined;
  if (!isFloat) return values.length === area && values.every((value) => value >= 0 && value < MOST_CLASSES) ? values : undefined;
  const classes = values.length / area;
  if (shape.length !== 4 || classes !== shape[1] || classes < 2 || classes > MOST_CLASSES) return undefined;
  return Array.from({ length: area }, (_, p) => {
    let best = 0;
    for (let c = 1; c < classes; ++c) if (values[c * area + p] > values[best * area + p]) best = c;
    return best;
  });
}

/**
 * Colours each point by its class, and lists those that cover most.
 *
 * @param {HTMLCanvasElement} canvas @param {HTMLElement} list @param {Api.Port} port @param {number[]} classes @param {number[]} shape
 */
function showClasses(canvas, list, port, classes, shape) {
  const [height, width] = shape.slice(-2), picture = new ImageData(width, height), points = new Array(MOST_CLASSES).fill(0);
  classes.forEach((index, p) => {
    ++points[index];
    picture.data.set([...colorOf(index), 255], 4 * p);
  });
  Object.assign(canvas, { width, height, hidden: false, ariaLabel: 'the class of each point' });
  canvas.getContext('2d')?.putImageData(picture, 0, 0);
  list.hidden = false;
  const order = [...points.keys()].filter((c) => points[c]).sort((a, b) => points[b] - points[a]).slice(0, TOP);
  list.replaceChildren(...order.map((c) => {
    const item = bar(port.labels?.[c] ?? `class ${c}`, `${(100 * points[c] / classes.length).toFixed(1)} %`, points[c] / classes.length);
    item.style.borderLeft = `.5rem solid rgb(${colorOf(c)})`;
    return item;
  }));
}

/** Colours that differ for classes that are near: the bits of the number, spread over red, green and blue. @param {number} index */
function colorOf(index) {
  const color = [0, 0, 0];
  for (let bit = 0; bit < 8; ++bit) color[bit % 3] |= (index >> bit & 1) << 7 - Math.floor(bit / 3);
  return color;
}

/** @param {HTMLElement} scroll @param {HTMLElement} note @param {number[]} values @param {number[]} shape */
function showTable(scroll, note, values, shape) {
  const columns = shape.at(-1) ?? 1, rows = Math.ceil(values.length / (columns || 1));
  const table = /** @type {HTMLTableElement} */ (scroll.firstElementChild);
  scroll.hidden = false;
  for (let r = 0; r < Math.min(rows, TABLE_SIZE); ++r) {
    const row = table.insertRow();
    for (let c = 0; c < Math.min(columns, TABLE_SIZE); ++c) row.insertCell().textContent = String(+values[r * columns + c].toPrecision(4));
  }
  if (rows > TABLE_SIZE || columns > TABLE_SIZE) note.textContent += `, of which the first ${Math.min(rows, TABLE_SIZE)} × ${Math.min(columns, TABLE_SIZE)}`;
}

/** Infinite values and NaN differ from all but their like. @param {any} a @param {any} b */
export function largestDifference(a, b) {
  let most = 0;
  for (let i = 0; i < a.length; ++i) {
    const x = Number(a[i]), y = Number(b[i]), difference = Object.is(x, y) ? 0 : Math.abs(x - y);
    if (!(difference <= most)) most = Number.isNaN(difference) ? Infinity : difference;
  }
  return most;
}
