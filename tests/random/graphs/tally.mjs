// What became of the operators that were drawn.

/** How often an operator was drawn, and why ONNX Runtime's results were not taken. */
export class Tally {
  /** @type {Map<string, { taken: number, refused: Map<string, number> }>} */
  #operators = new Map();

  /** @param {string} name @param {string} [reason] */
  note(name, reason) {
    const tally = this.#operators.get(name) ?? { taken: 0, refused: new Map() };
    this.#operators.set(name, tally);
    if (reason === undefined) ++tally.taken;
    else tally.refused.set(reason, (tally.refused.get(reason) ?? 0) + 1);
  }

  /** The operators that were taken. */
  taken() {
    return [...this.#operators].filter(([, { taken }]) => taken > 0).map(([name]) => name);
  }

  /** A line an operator. */
  text() {
    return [...this.#operators].sort().map(([name, { taken, refused }]) =>
      `${name}: ${taken} taken${[...refused].sort((a, b) => b[1] - a[1]).slice(0, 3).map(([reason, times]) => `, ${times} x ${reason.slice(0, 160)}`).join('')}`).join('\n');
  }
}
