// @ts-check
/** The page's elements, by what they do, and the least that is done to them. */

/**
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} name what the element does, its data-part
 * @returns {T}
 */
export function part(name) {
  return /** @type {T} */ (document.querySelector(`[data-part="${name}"]`));
}

/**
 * Only what differs is written: an equal write would still cost a layout, and a live region would speak again.
 * @param {HTMLElement} target
 * @param {string} text
 */
export function write(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {string} className
 * @param {...(string | Node)} content
 * @returns {HTMLElementTagNameMap[T]}
 */
export function made(tag, className, ...content) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...content);
  return element;
}

/**
 * A name keeps its own direction, whatever stands around it.
 * @param {{player: string, name?: string}} who
 */
export function nameOf({ player, name }) {
  return made("bdi", "who", name || player);
}
