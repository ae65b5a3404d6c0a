// Measures a model: what `profile` of model.js loads when it is called, and `load({ tune: true })`, so that pages which do not measure are not
// larger for it.

/** @typedef {typeof import('./model.profile.js')} Profiler */

import { BUILD } from './build.js';

export { hasClock, timeSteps } from './gpu_profile.js';
export { Tally } from './tally.js';
export { choose } from './tune/choose.js';

/** Of the build. */
export const { id } = BUILD;
