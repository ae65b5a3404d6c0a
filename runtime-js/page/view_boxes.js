// Boxes on the picture that the model saw.

/** @import { Box, Form, Parts, Reading } from './boxes.js' */
/** @import { Result, Run } from './kinds.js' */

import { BACKGROUNDS, CORNERS, FORMS, SCORES, UNITS, likelyReading, partsOf, readBoxes, suppress } from './boxes.js';
import { bar, choice, field, make, slider } from './dom.js';
import { offer } from './save.js';
import { Stage, colorOf, cssOf } from './stage.js';

const MOST_DRAWN = 200, MOST_LISTED = 20, USUAL_WIDTH = 576, UNSEEN = { width: 1, height: 1 };

export class BoxesView {
  body = make('div');
  #stage = new Stage();
  canvas = this.#stage.canvas;
  #list = make('ol');
  #note = make('p', { className: 'soft' });
  #save = make('button', { className: 'quiet', type: 'button', onclick: () => offer('boxes.json', JSON.stringify(this.#kept, null, 1)) }, 'Boxes as JSON');
  #form; #formField; #readings; #details; #score; #overlap;
  /** @type {Box[]} */
  #kept = [];
  #formNow = '';
  #turn = 0;
  /** @type {(() => Promise<void>) | undefined} */
  #paint;

  /** @param {() => void} changed */
  constructor(changed) {
    const paint = () => void this.#paint?.();
    this.#form = choice({}, '', changed);
    this.#formField = field('Form', this.#form);
    this.#readings = { corners: choice(CORNERS, 'xyxy', paint), units: choice(UNITS, 'pixels', paint), scores: choice(SCORES, 'given', paint), background: choice(BACKGROUNDS, 'none', paint) };
    this.#score = slider('Score above', 0.4, paint);
    this.#overlap = slider('Overlap (IoU) at most', 0.45, paint);
    const { corners, units, scores, background } = this.#readings;
    this.#details = make('details', { className: 'plain' }, make('summary', {}, 'How boxes are read'), make('div', { className: 'fields' },
      this.#formField, field('A box is', corners), field('in', units), field('Scores', scores), field('Background class', background)));
    this.settings = [this.#score.label, this.#overlap.label];
    this.body.append(this.canvas, this.#note, this.#list, this.#save, this.#details);
  }

  /** @param {Result} result @param {Run} run */
  show({ port }, run) {
    const said = port.boxes ?? {}, forms = run.forms.filter(({ of }) => of[0] === port.name).sort((a, b) => Number(b.name === said.form) - Number(a.name === said.form)), results = new Map(run.results.map((result) => [result.port.name, result]));
    const names = forms.map(({ name, of }) => `${FORMS[name]}${of.length > 1 ? ` (${of.join(', ')})` : ''}`);
    const key = names.join('\n'), picture = run.picture, size = picture ?? UNSEEN;
    if (this.#form.dataset.key !== key) {
      this.#form.replaceChildren(...forms.map((_, i) => make('option', { value: String(i) }, names[i])));
      this.#form.dataset.key = key;
      this.#formNow = '';
    }
    const form = forms[Number(this.#form.value)], parts = partsOf(form, results);
    if (this.#formNow !== this.#form.value) this.#choose({ ...likelyReading(form, parts, size), ...said });
    this.#formNow = this.#form.value;
    this.#paint = () => this.#draw(form, parts, run, labelsOf(form, results, this.#readings.background.value === 'first'));
    return this.#paint();
  }

  /** @param {Reading & { score?: number, overlap?: number }} reading */
  #choose(reading) {
    for (const [name, select] of Object.entries(this.#readings)) select.value = reading[/** @type {keyof Reading} */ (name)];
    if (reading.score !== undefined) this.#score.set(reading.score);
    if (reading.overlap !== undefined) this.#overlap.set(reading.overlap);
  }

  /** @param {Form} form @param {Parts} parts @param {Run} run @param {(index: number) => string} nameOf */
  async #draw(form, parts, { picture }, nameOf) {
    const reading = /** @type {Reading} */ (Object.fromEntries(Object.entries(this.#readings).map(([name, select]) => [name, select.value])));
    this.#readings.background.disabled = form.classes < 2;
    const turn = ++this.#turn, found = await readBoxes(form, parts, reading, picture ?? UNSEEN, this.#score.input.valueAsNumber);
    // A slider was moved on meanwhile.
    if (turn !== this.#turn) return;
    const kept = suppress(found, this.#overlap.input.valueAsNumber);
    this.#kept = kept.map((box) => Object.assign({ label: nameOf(box.class) }, box));
    this.#note.textContent = `${kept.length ? kept.length : 'No'} ${kept.length === 1 ? 'box' : 'boxes'}; ${found.length} of ${form.count} have that score.`
      + (kept.length > MOST_DRAWN ? ` The best ${MOST_DRAWN} are drawn.` : '');
    this.#save.hidden = !kept.length;
    const extent = kept.reduce(({ width, height }, { right, bottom }) => ({ width: Math.max(width, right), height: Math.max(height, bottom) }), UNSEEN);
    const { context, scale } = this.#stage.begin(picture ?? { width: Math.ceil(extent.width), height: Math.ceil(extent.height) }, picture, `${kept.length} boxes on the picture`);
    // As large on the screen as other text, however large the canvas is.
    const unit = this.canvas.width / (this.canvas.clientWidth || USUAL_WIDTH);
    for (const box of kept.slice(0, MOST_DRAWN).reverse()) drawBox(context, scale, unit, box, `${nameOf(box.class)} ${(100 * box.score).toFixed(0)} %`);
    this.#list.replaceChildren(...kept.slice(0, MOST_LISTED).map((box) => {
      const item = bar(nameOf(box.class), `${(100 * box.score).toFixed(1)} %`, box.score, cssOf(colorOf(box.class)));
      item.title = `${box.left.toFixed(1)}, ${box.top.toFixed(1)} to ${box.right.toFixed(1)}, ${box.bottom.toFixed(1)}`;
      return item;
    }));
  }
}

/**
 * Names for a form's classes, of whichever of its outputs has them.
 *
 * @param {Form} form @param {Map<string, Result>} results @param {boolean} isNothingFirst whether the first class is the background
 * @returns {(index: number) => string}
 */
function labelsOf({ of, classes }, results, isNothingFirst) {
  const ports = of.map((name) => results.get(name)?.port), labels = ports.map((port) => port?.classes ?? port?.labels).find((labels) => labels);
  // Labels of a whole row name the box's numbers as well, and others leave the background out.
  const skip = !labels || !classes ? 0 : labels.length > classes ? labels.length - classes : labels.length < classes && isNothingFirst ? -1 : 0;
  return (index) => labels?.[index + skip] ?? `class ${index}`;
}

/** @param {CanvasRenderingContext2D} context @param {number} scale @param {number} unit a pixel of the screen @param {Box} box @param {string} text */
function drawBox(context, scale, unit, { left, top, right, bottom, ...box }, text) {
  const [x, y, width, height] = [left, top, right - left, bottom - top].map((value) => value * scale), color = colorOf(box.class), line = 18 * unit;
  context.strokeStyle = context.fillStyle = cssOf(color);
  context.lineWidth = 2 * unit;
  context.strokeRect(x, y, width, height);
  context.font = `600 ${12 * unit}px system-ui, sans-serif`;
  // Above the box where there is room, and inside the picture.
  const wide = context.measureText(text).width + 8 * unit, up = y >= line ? y - line : Math.max(0, y), at = Math.max(0, Math.min(x - unit, context.canvas.width - wide));
  context.fillRect(at, up, wide, line);
  context.fillStyle = isLight(color) ? '#000' : '#fff';
  context.fillText(text, at + 4 * unit, up + 13 * unit);
}

/** @param {number[]} color */
const isLight = ([red, green, blue]) => 0.299 * red + 0.587 * green + 0.114 * blue > 140;
