// Graphs as text.

import { symbolsOf } from './generate.mjs';
import { count, toNumbers } from './values.mjs';

/** @import { Graph, Leaf, Node } from './evaluate.mjs' */

/** @param {Leaf} leaf */
function leafText(leaf) {
  const sizes = leaf.shape.map((size, d) => leaf.symbols[d] ? `${leaf.symbols[d]}=${size}` : size);
  const numbers = [...toNumbers(leaf).slice(0, 16)].map((number) => Number(number.toPrecision(6)));
  return `${leaf.type}[${sizes}]${leaf.constant ? ' constant' : ''} = [${numbers.join(', ')}${count(leaf.shape) > 16 ? ', ...' : ''}]`;
}

/** @param {import('../../onnx_model.mjs').Attribute} value */
function attributeText(value) {
  if (typeof value !== 'object' || Array.isArray(value)) return JSON.stringify(value);
  if ('tensor' in value) return `${value.tensor.type[0]}[${value.tensor.type[1]}]`;
  return 'float' in value ? String(Number(value.float.toPrecision(7))) : JSON.stringify(Object.values(value)[0]);
}

/** Lines of a node, and of what is inside it. @param {Node} node @returns {string[]} */
function nodeText({ op, domain, attributes, inputs, outputs, bodies = {}, group }) {
  if (group) return group.flatMap(nodeText);
  const more = Object.entries(attributes).map(([name, value]) => `${name}=${attributeText(value)}`);
  return [`${outputs.map((name) => name || '_').join(', ')} = ${domain && `${domain}.`}${op}(${inputs.map((name) => name || '_').join(', ')})${more.length ? ` {${more.join(', ')}}` : ''}`,
    ...Object.entries(bodies).flatMap(([name, body]) => [`  ${name}(${portsText(body.inputs)})`, ...body.nodes.flatMap(nodeText).map((line) => `    ${line}`), `    return ${portsText(body.outputs)}`])];
}

/** @param {import('./bodies.mjs').Port[]} ports */
const portsText = (ports) => ports.map(({ name, type, rank }) => `${name}: ${type} of rank ${rank}`).join(', ');

/** @param {Graph} graph */
export function graphText(graph) {
  const open = symbolsOf(graph).size ? ', with sizes that are open' : '';
  return [`opset ${graph.opset}${open}`, ...Object.entries(graph.leaves).map(([name, leaf]) => `${name}: ${leafText(leaf)}`), ...graph.nodes.flatMap(nodeText), `return ${graph.outputs.join(', ')}`]
    .map((line) => `  ${line}`).join('\n');
}
