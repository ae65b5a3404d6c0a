// What takes long and touches no element of the page: pictures become tensors, and files values.

/** @import * as Api from '../model.js' */

import { readValues } from './read_values.js';

/** @typedef {{source: Api.ImageSource, options: any}} PictureTask */
/** @typedef {{port: Api.Port, source: string | Blob, name?: string}} ValuesTask */

/**
 * model.js is a file of its own, which the scripts of the page import.
 *
 * @param {Pick<typeof Api, 'imageTensor' | 'toImageData'>} model
 */
export const tasksWith = ({ imageTensor, toImageData }) => ({
  /** A picture as a tensor, and as the model sees it. @param {PictureTask} task @returns {Promise<{tensor: any, preview: any}>} */
  async picture({ source, options }) {
    const tensor = await imageTensor(source, options), { range, mean, std, order, layout } = options;
    return { tensor, preview: toImageData(tensor, { range, mean, std, order, layout }) };
  },
  /** @param {ValuesTask} task */
  values: ({ port, source, name }) => readValues(port, source, name),
});

/** The memory of a task's result, which can be moved. @param {any} result @returns {ArrayBuffer[]} */
export const memoryOf = ({ tensor, preview, data }) => [tensor?.data, preview?.data, data].filter(Boolean).map(({ buffer }) => buffer);
