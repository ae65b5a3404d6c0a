// Answers reference.mjs.

import { evaluate } from './evaluate.mjs';
import { generate, generateQuantised } from './generate.mjs';
import { NotTaken } from './not_taken.mjs';

/** @import { Graph } from './evaluate.mjs' */
/** @import { Run } from './generate.mjs' */
/** @import { Note, Question } from './reference.mjs' */

/** @param {Graph} graph @returns {Promise<Run | undefined>} */
async function evaluated(graph) {
  try {
    const values = await evaluate(graph);
    return graph.nodes.length && graph.outputs.every((name) => values.has(name)) ? { graph, values } : undefined;
  } catch (error) {
    // Smaller graphs are made without knowing what their operators allow.
    if (error instanceof NotTaken || error instanceof RangeError || error instanceof TypeError) return undefined;
    throw error;
  }
}

process.on('message', async (/** @type {Question} */ question) => {
  /** @type {Note[]} */
  const notes = [];
  try {
    const answer = 'graph' in question ? await evaluated(question.graph) : await (question.quantised ? generateQuantised : generate)(question.seed, (name, reason) => notes.push({ name, reason }), question.only);
    process.send?.({ notes, answer });
  } catch (error) {
    process.send?.({ error: `${'seed' in question ? `seed ${question.seed}: ` : ''}${/** @type {Error} */ (error).stack}` });
  }
});
