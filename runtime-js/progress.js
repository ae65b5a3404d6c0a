// What a caller hears of a load: counts that never fall, whatever is tried twice, and that end.

/** @import * as Api from './model.js' */

export class Progress {
  #listener;
  /** By phase, what was told last. @type {Map<string, Api.Progress>} */
  #told = new Map();

  /** @param {Api.LoadOptions['onProgress']} listener */
  constructor(listener) {
    this.#listener = listener;
  }

  /** @param {Api.Progress} progress */
  report = ({ phase, loaded, total }) => {
    const told = this.#told.get(phase);
    // Another backend may have more to do, or less.
    const most = Math.max(total, told?.total ?? 0), now = Math.max(loaded, told?.loaded ?? 0);
    if (told?.loaded === now && told.total === most) return;
    const progress = { phase, loaded: now, total: most };
    this.#told.set(phase, progress);
    this.#listener?.({ ...progress });
  };

  /** All is done. */
  end() {
    for (const { phase, total } of this.#told.values()) this.report({ phase, loaded: total, total });
  }
}
