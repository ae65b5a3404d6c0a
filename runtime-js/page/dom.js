// Elements, made in a line. Styles are set as properties, which a strict content security policy allows.

/** @param {string} id @returns {any} */
export const byId = (id) => document.getElementById(id);

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag @param {Record<string, unknown>} [properties] @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** An element of a drawing. @param {string} tag @param {Record<string, string | number>} attributes @param {(Node | string)[]} children */
export function draw(tag, attributes, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** A control with its name. @param {string} text @param {HTMLElement[]} controls */
export const field = (text, ...controls) => make('label', {}, text, ...controls);

/**
 * A select of values, each with a text.
 *
 * @param {Record<string, string>} options @param {string} value @param {() => void} changed
 */
export function choice(options, value, changed) {
  const select = make('select', { onchange: changed }, ...Object.entries(options).map(([name, text]) => make('option', { value: name }, text)));
  select.value = value;
  return select;
}

/** A field for a number. @param {Record<string, number>} range @param {() => void} changed */
export const numberField = (range, changed) => make('input', { type: 'number', min: '0', step: '1', ...range, onchange: changed });

/** A slider from 0 to 1 that says its value. @param {string} text @param {number} value @param {() => void} changed */
export function slider(text, value, changed) {
  const input = make('input', { type: 'range', min: '0', max: '1', step: '0.01', value: String(value) }), told = make('output', {}, value.toFixed(2));
  const tell = () => told.textContent = input.valueAsNumber.toFixed(2);
  const set = (/** @type {number} */ value) => {
    input.value = String(value);
    tell();
  };
  input.oninput = () => {
    tell();
    changed();
  };
  return { input, set, label: make('label', {}, make('span', {}, text, ' ', told), input) };
}

/** A line of a chart. @param {string} text @param {string} number @param {number} part from 0 to 1 @param {string} [color] */
export function bar(text, number, part, color) {
  const fill = make('i'), item = make('li', { className: 'bar' }, make('b', {}, text), make('span', {}, number), make('u', {}, fill));
  fill.style.width = `${100 * Math.min(1, Math.max(0, part || 0))}%`;
  if (color) fill.style.background = color;
  return item;
}
