// Makes elements. Text stays text: names come from models.

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * @param {string} tag @param {Record<string, any>} [attributes] functions are listeners
 * @param {...Child} children
 */
export function html(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** @param {string} tag @param {Record<string, any>} [attributes] @param {...Child} children */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

/** @template {Element} E @param {E} element @param {Record<string, any>} attributes @param {Child[]} children */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name, value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false).map((child) =>
    child instanceof Node ? child : String(child)));
  return element;
}

/** @param {string} text */
export const code = (text) => html('code', {}, text);

/** @param {string} id @param {string} title @param {...Child} children */
export const section = (id, title, ...children) => html('section', { id, 'data-title': title }, html('h2', {}, title), ...children);

/**
 * Buttons of which one is pressed.
 *
 * @param {string} label @param {string[]} names @param {(index: number) => void} choose called with the first at once
 */
export function tabs(label, names, choose) {
  const buttons = names.map((name, index) => html('button', { type: 'button', click: () => press(index) }, name));
  const press = (/** @type {number} */ index) => {
    buttons.forEach((button, i) => button.setAttribute('aria-pressed', String(i === index)));
    choose(index);
  };
  press(0);
  return html('div', { class: 'tabs', role: 'group', 'aria-label': label }, ...(names.length > 1 ? buttons : []));
}
