// How to use the model, as code.

/** @import * as Api from '../model.js' */

import { ARRAYS } from '../elements.js';

/** `run` takes floats for halves. @param {Api.DataType} dataType */
const arrayName = (dataType) => dataType === 'float16' ? 'Float32Array' : ARRAYS[dataType].name;

/**
 * A script that runs when it is pasted into a page beside the model.
 *
 * @param {Api.Model} model @param {Record<string, any>} inputs of the run that is shown @param {string} scaling
 */
export function snippet(model, inputs, scaling) {
  const isPicture = (/** @type {Api.Port} */ port) => port.image?.preparation !== undefined, pictures = model.inputs.some((port) => port.image);
  const imports = model.inputs.some((port) => port.image && !isPicture(port)) ? 'imageTensor, load' : 'load';
  const key = (/** @type {string} */ name) => /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
  const settings = { unit: '', signed: ", range: '-1..1'", bytes: ", range: '0..255'", imagenet: ', mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]' };
  const lines = model.inputs.map((port) => {
    const { name, dataType, image } = port, { shape = [] } = inputs[name] ?? {}, count = shape.reduce((/** @type {number} */ n, /** @type {number} */ size) => n * size, 1);
    if (isPicture(port)) return `  ${key(name)}: picture,`;
    if (image) {
      const [height, width] = image.layout === 'nchw' ? shape.slice(-2) : shape.slice(-3, -1);
      const more = `${image.layout === 'nhwc' ? ", layout: 'nhwc'" : ''}${image.channels === 1 ? ', channels: 1' : ''}${dataType === 'uint8' ? ", dataType: 'uint8'" : ''}`;
      return `  ${key(name)}: await imageTensor(picture, { width: ${width}, height: ${height}${settings[/** @type {keyof typeof settings} */ (scaling)]}${more} }),`;
    }
    if (Array.isArray(inputs[name])) return `  ${key(name)}: ${JSON.stringify(inputs[name])},`;
    return `  ${key(name)}: { data: new ${arrayName(dataType)}(${count})${/mask/i.test(name) ? `.fill(${dataType.endsWith('64') && dataType !== 'float64' ? '1n' : 1})` : ''}, shape: [${shape.join(', ')}] },   // ${dataType}`;
  });
  return [
    `import { ${imports} } from './model.js';`, '',
    ...pictures ? ["// An <img>, <canvas>, <video> or file of yours; here a grey square.", 'const picture = new ImageData(64, 64);'] : [],
    'const model = await load();', 'const outputs = await model.run({', ...lines, '});', `console.log(outputs[${JSON.stringify(model.outputs[0].name)}].data);`, '',
  ].join('\n');
}
