// Small parts of the page.

export const $ = (selector) => document.querySelector(selector);

/** An element: `make('button', {className: 'go', onclick}, 'text', child)`. Text is never read as markup. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Call a function when its last call is some milliseconds old. */
export function settled(act, ms) {
  let timer;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...values), ms);
  };
}

/** A timbre in few words: `seed 7, toward Choir at 0.25, brightness +1.5`. */
export function inWords(timbre) {
  const words = [];
  for (const [key, value] of Object.entries(timbre)) {
    if (key === 'at' || key === 'move') continue;
    if (key === 'toward') words.push(`toward ${value} at ${timbre.at}`);
    else words.push(key === 'instrument' ? String(value) : `${key} ${[].concat(value).join(', ')}`);
  }
  for (const [name, amount] of Object.entries(timbre.move ?? {})) words.push(`${name} ${signed(amount)}`);
  return words.join(', ');
}

export function signed(value) {
  const size = Math.abs(value).toFixed(1);
  return size === '0.0' ? size : `${value > 0 ? '+' : '−'}${size}`;
}
