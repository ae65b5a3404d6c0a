// What models have in common, wherever they run.

import { BUILD } from './build.js';
import { UnsupportedError } from './errors.js';

/** Which build this is, and by which compiler. There is no record before a bundle is written. */
export const build = { id: BUILD?.id, webnnc: BUILD?.webnnc };

/** What `using` calls; where engines have no such symbol, compilers agree on this one. @type {typeof Symbol.dispose} */
export const DISPOSE = /** @type {any} */ (Symbol.dispose ?? Symbol.for('Symbol.dispose'));

/** Of `session` where there is none. */
export const noState = () => new UnsupportedError('no state: compile it with --state');

/** So that methods can be taken from the model: `const { run } = model`. @param {any} model */
export function bindMethods(model) {
  for (const method of ['run', 'profile', 'session', 'dispose']) model[method] = model[method].bind(model);
}
