// Does for index.html what would keep it from answering: pictures become tensors here, and files values.

import { imageTensor, toImageData } from './model.js';
import { memoryOf, tasksWith } from './page/tasks.js';

const tasks = tasksWith({ imageTensor, toImageData }), scope = /** @type {any} */ (globalThis);
scope.onmessage = async (/** @type {MessageEvent} */ { data: { id, name, task } }) => {
  try {
    const result = await /** @type {any} */ (tasks)[name](task);
    scope.postMessage({ id, result }, memoryOf(result));
  } catch (error) {
    scope.postMessage({ id, error });
  } finally {
    // What was posted is a copy.
    task.source.close?.();
  }
};
