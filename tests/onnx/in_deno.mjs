// What run_bundles.mjs starts in Deno: runs the jobs that come as lines, and answers each.

import process from 'node:process';
import { createInterface } from 'node:readline';

import { runModel } from './run_model.mjs';

for await (const line of createInterface({ input: process.stdin })) {
  const { job, options } = JSON.parse(line);
  /** @type {{name?: string, error?: string}} */
  let answer = {};
  try {
    await runModel(job, options);
  } catch (error) {
    const { name, message } = /** @type {Error} */ (error);
    answer = { name, error: message };
  }
  console.log(JSON.stringify(answer));
}
