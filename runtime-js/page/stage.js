// A canvas on which something is laid over the picture that the model saw.

import { make } from './dom.js';

const LEAST_WIDTH = 512, MOST_SCALE = 8;

/** Twelve colours that differ in hue and lightness, so that they also differ for most who do not see all hues. */
const COLORS = [
  [230, 75, 53], [0, 145, 110], [77, 120, 230], [240, 180, 30], [150, 70, 180], [60, 190, 220], [200, 100, 20], [230, 110, 170],
  [100, 160, 40], [30, 70, 140], [140, 90, 60], [170, 200, 90],
];

/** A colour for a class. Those of neighbours differ; after twelve they come again, darker or lighter. @param {number} index @returns {number[]} */
export function colorOf(index) {
  const color = COLORS[index % COLORS.length], turn = Math.floor(index / COLORS.length) % 4;
  return color.map((value) => Math.round([value, value * 0.55, 255 - (255 - value) * 0.5, value * 0.8][turn]));
}

/** @param {number[]} color */
export const cssOf = ([red, green, blue]) => `rgb(${red}, ${green}, ${blue})`;

export class Stage {
  canvas = make('canvas', { className: 'stage' });

  constructor() {
    this.canvas.setAttribute('role', 'img');
  }

  /**
   * Begins a drawing: the picture, as large as is good to look at, or nothing.
   *
   * @param {{width: number, height: number}} size of what is drawn in @param {HTMLCanvasElement | undefined} picture @param {string} label
   */
  begin({ width, height }, picture, label) {
    const scale = Math.min(MOST_SCALE, Math.max(1, Math.ceil(LEAST_WIDTH / width))), { canvas } = this;
    if (canvas.width !== width * scale || canvas.height !== height * scale) Object.assign(canvas, { width: width * scale, height: height * scale });
    canvas.ariaLabel = label;
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    context.resetTransform();
    context.globalAlpha = 1;
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingEnabled = Boolean(picture && picture.width > 64);
    if (picture) context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    return { context, scale };
  }

  /** Lays pixels over the whole of it. @param {ImageData} pixels @param {number} opacity */
  lay(pixels, opacity) {
    const layer = make('canvas', { width: pixels.width, height: pixels.height }), context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext('2d'));
    layer.getContext('2d')?.putImageData(pixels, 0, 0);
    context.globalAlpha = opacity;
    context.imageSmoothingEnabled = false;
    context.drawImage(layer, 0, 0, this.canvas.width, this.canvas.height);
    context.globalAlpha = 1;
  }
}
