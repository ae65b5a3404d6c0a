// Sample pictures, drawn by code: nothing is downloaded for them.

/** @import * as Api from '../model.js' */

/** @typedef {CanvasRenderingContext2D} Context */
/** @typedef {{name: string, width: number, height: number, draw: (context: Context, width: number, height: number) => void}} Sample */

const WIDTH = 640, HEIGHT = 480, DIGIT_SIDE = 112, SMALL = 64;

/** What is likely to mean something to a model: digits for small grey pictures. @param {NonNullable<Api.Port['image']>} image @returns {Sample[]} */
export function samplesFor({ channels, width, height }) {
  const isSmall = typeof width === 'number' && typeof height === 'number' && Math.max(width, height) <= SMALL;
  if (channels === 1 && isSmall) {
    return DIGITS.map(({ name, lines }) => ({ name, width: DIGIT_SIDE, height: DIGIT_SIDE, draw: (context, width) => drawDigit(context, width, lines) }));
  }
  return Object.entries({ hills: drawHills, person: drawPerson, cat: drawCat, street: drawStreet, 'test card': drawCard })
    .map(([name, draw]) => ({ name, width: WIDTH, height: HEIGHT, draw }));
}

/** @param {Sample} sample @param {number} [scale] */
export function canvasOf({ width, height, draw }, scale = 1) {
  const canvas = Object.assign(document.createElement('canvas'), { width: width * scale, height: height * scale });
  draw(/** @type {Context} */ (canvas.getContext('2d')), canvas.width, canvas.height);
  return canvas;
}

// ---- Digits, white on black, drawn as by hand

/** Lines through points of a square of side 1. @type {{name: string, lines: number[][][]}[]} */
const DIGITS = [
  { name: '7', lines: [[[0.28, 0.26], [0.7, 0.26], [0.44, 0.76]]] },
  { name: '1', lines: [[[0.54, 0.22], [0.48, 0.78]]] },
  { name: '4', lines: [[[0.36, 0.24], [0.3, 0.52], [0.68, 0.52]], [[0.62, 0.26], [0.56, 0.78]]] },
  { name: '0', lines: [Array.from({ length: 25 }, (_, i) => [0.5 + 0.19 * Math.sin(i * Math.PI / 12), 0.5 - 0.28 * Math.cos(i * Math.PI / 12)])] },
];

/** @param {Context} context @param {number} side @param {number[][][]} lines */
function drawDigit(context, side, lines) {
  context.fillStyle = '#000';
  context.fillRect(0, 0, side, side);
  Object.assign(context, { strokeStyle: '#fff', lineWidth: side / 11, lineCap: 'round', lineJoin: 'round' });
  for (const points of lines) {
    context.beginPath();
    for (const [x, y] of points) context.lineTo(x * side, y * side);
    context.stroke();
  }
}

// ---- Scenes, in parts of their width and height

/** Shapes on a context, in parts of its size. @param {Context} context @param {number} width @param {number} height */
const brushOf = (context, width, height) => ({
  /** @param {string[]} colors from top to bottom */
  sky(colors) {
    const gradient = context.createLinearGradient(0, 0, 0, height);
    colors.forEach((color, i) => gradient.addColorStop(i / (colors.length - 1), color));
    context.fillStyle = gradient;
    context.fillRect(0, 0, width, height);
  },
  /** @param {string} color @param {number} x @param {number} y @param {number} w @param {number} h */
  ellipse(color, x, y, w, h) {
    context.fillStyle = color;
    context.beginPath();
    context.ellipse(x * width, y * height, w * width, h * height, 0, 0, 2 * Math.PI);
    context.fill();
  },
  /** @param {string} color @param {number} x @param {number} y @param {number} w @param {number} h */
  box(color, x, y, w, h) {
    context.fillStyle = color;
    context.fillRect(x * width, y * height, w * width, h * height);
  },
  /** @param {string} color @param {number[][]} points */
  shape(color, points) {
    context.fillStyle = color;
    context.beginPath();
    for (const [x, y] of points) context.lineTo(x * width, y * height);
    context.fill();
  },
  /** @param {string} color @param {number} thickness @param {number[][]} points */
  line(color, thickness, points) {
    Object.assign(context, { strokeStyle: color, lineWidth: thickness * width, lineCap: 'round', lineJoin: 'round' });
    context.beginPath();
    for (const [x, y] of points) context.lineTo(x * width, y * height);
    context.stroke();
  },
});

/** @param {Context} context @param {number} width @param {number} height */
function drawHills(context, width, height) {
  const { sky, ellipse } = brushOf(context, width, height);
  sky(['#3a78c2', '#a9cdf0', '#fbe3b5']);
  ellipse('#fff3c4', 0.72, 0.3, 0.07, 0.09);
  ellipse('#5d8a4c', 0.2, 1.05, 0.6, 0.4);
  ellipse('#3f6d3a', 0.85, 1.1, 0.6, 0.38);
}

/** @param {Context} context @param {number} width @param {number} height */
function drawPerson(context, width, height) {
  const { sky, ellipse, box, line } = brushOf(context, width, height);
  sky(['#d8dfe6', '#b9c4cd']);
  ellipse('#27496d', 0.5, 1.06, 0.3, 0.34);
  box('#c99674', 0.45, 0.6, 0.1, 0.17);
  ellipse('#3b2a20', 0.5, 0.36, 0.165, 0.25);
  ellipse('#dcab87', 0.5, 0.42, 0.135, 0.235);
  ellipse('#3b2a20', 0.5, 0.235, 0.13, 0.09);
  for (const x of [0.445, 0.555]) {
    ellipse('#fdfdfd', x, 0.41, 0.026, 0.02);
    ellipse('#3d2b1f', x, 0.41, 0.011, 0.016);
    line('#3b2a20', 0.008, [[x - 0.03, 0.37], [x, 0.36], [x + 0.03, 0.37]]);
  }
  line('#b9805f', 0.007, [[0.5, 0.42], [0.487, 0.49], [0.505, 0.495]]);
  line('#a8443f', 0.011, [[0.455, 0.555], [0.5, 0.575], [0.545, 0.555]]);
}

/** @param {Context} context @param {number} width @param {number} height */
function drawCat(context, width, height) {
  const { sky, ellipse, shape, line } = brushOf(context, width, height);
  sky(['#8d9f87', '#5f7560']);
  ellipse('#c98746', 0.5, 1.02, 0.26, 0.4);
  for (const side of [-1, 1]) {
    shape('#c98746', [[0.5 + side * 0.06, 0.3], [0.5 + side * 0.2, 0.08], [0.5 + side * 0.205, 0.42]]);
    shape('#e0a9a0', [[0.5 + side * 0.1, 0.28], [0.5 + side * 0.18, 0.15], [0.5 + side * 0.18, 0.36]]);
  }
  ellipse('#d2914e', 0.5, 0.48, 0.21, 0.25);
  for (const x of [0.43, 0.5, 0.57]) line('#8f5524', 0.014, [[x, 0.25], [0.5 + (x - 0.5) * 0.7, 0.34]]);
  for (const side of [-1, 1]) {
    ellipse('#e8d66a', 0.5 + side * 0.085, 0.45, 0.038, 0.042);
    ellipse('#14110d', 0.5 + side * 0.085, 0.45, 0.011, 0.038);
    for (const y of [0.57, 0.61]) line('#f4ead9', 0.004, [[0.5 + side * 0.06, 0.585], [0.5 + side * 0.29, y - 0.02]]);
    ellipse('#f2e3cf', 0.5 + side * 0.035, 0.6, 0.05, 0.048);
  }
  shape('#b3605c', [[0.475, 0.545], [0.525, 0.545], [0.5, 0.58]]);
}

/** @param {Context} context @param {number} width @param {number} height */
function drawStreet(context, width, height) {
  const { sky, ellipse, box, shape } = brushOf(context, width, height);
  sky(['#9cc0e4', '#dfeaf3']);
  box('#b98d6e', 0, 0.12, 0.36, 0.56);
  box('#c9bfae', 0.36, 0.26, 0.3, 0.42);
  box('#8e9aa6', 0.66, 0.06, 0.34, 0.62);
  for (const [left, top, columns, rows] of [[0.04, 0.18, 4, 4], [0.39, 0.32, 3, 3], [0.69, 0.12, 4, 5]]) {
    for (let i = 0; i < columns * rows; ++i) box('#46586b', left + i % columns * 0.08, top + Math.floor(i / columns) * 0.1, 0.045, 0.06);
  }
  box('#a3a7aa', 0, 0.66, 1, 0.06);
  box('#55595e', 0, 0.72, 1, 0.28);
  for (let x = 0.03; x < 1; x += 0.2) box('#e9e4cf', x, 0.88, 0.1, 0.015);
  shape('#c0392b', [[0.2, 0.78], [0.24, 0.7], [0.31, 0.61], [0.5, 0.61], [0.57, 0.7], [0.64, 0.73], [0.65, 0.83], [0.2, 0.83]]);
  shape('#cfe3f2', [[0.29, 0.69], [0.33, 0.635], [0.4, 0.635], [0.4, 0.69]]);
  shape('#cfe3f2', [[0.42, 0.635], [0.485, 0.635], [0.53, 0.69], [0.42, 0.69]]);
  for (const x of [0.31, 0.55]) {
    ellipse('#1c1d1f', x, 0.83, 0.045, 0.06);
    ellipse('#b9bdc1', x, 0.83, 0.02, 0.027);
  }
}

/** Colours, greys, lines of many widths and letters: to see what a model of pictures does to each. @param {Context} context @param {number} width @param {number} height */
function drawCard(context, width, height) {
  const { box, line } = brushOf(context, width, height);
  ['#fff', '#ff0', '#0ff', '#0f0', '#f0f', '#f00', '#00f', '#000'].forEach((color, i) => box(color, i / 8, 0, 1 / 8 + 0.01, 0.4));
  for (let i = 0; i < 16; ++i) box(`rgb(${i * 17}, ${i * 17}, ${i * 17})`, i / 16, 0.4, 1 / 16 + 0.01, 0.15);
  box('#f7f5ee', 0, 0.55, 1, 0.45);
  for (let i = 0; i < 24; ++i) line('#222', 0.001 + i * 0.0002, [[0.04 + i * 0.018, 0.6], [0.02 + i * 0.022, 0.95]]);
  context.fillStyle = '#222';
  context.textBaseline = 'top';
  [0.1, 0.07, 0.045, 0.03].forEach((size, i) => {
    context.font = `${size * height}px Georgia, serif`;
    context.fillText('Hamburgefons 0123', 0.56 * width, (0.58 + [0, 0.13, 0.23, 0.3][i]) * height);
  });
}
