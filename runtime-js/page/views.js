// How an output is shown: a view for each kind. A view keeps what was chosen in it from run to run.

/** @import { Kind, Result, Run } from './kinds.js' */

import { BoxesView } from './view_boxes.js';
import { ClassesView } from './view_classes.js';
import { LineView, ScalarView, VectorView } from './view_numbers.js';
import { HeatView, PictureView, SegmentsView } from './view_planes.js';
import { TableView } from './view_table.js';

/**
 * @typedef {object} View
 * @property {HTMLElement[]} settings
 * @property {HTMLElement} body
 * @property {HTMLCanvasElement} [canvas] that can be saved as a picture
 * @property {(result: Result, run: Run) => void | Promise<void>} show
 */

/** @type {Record<Kind, new (changed: () => void) => View>} */
export const VIEWS = {
  scalar: ScalarView, classes: ClassesView, vector: VectorView, line: LineView, picture: PictureView, segments: SegmentsView, heat: HeatView,
  boxes: BoxesView, table: TableView,
};
