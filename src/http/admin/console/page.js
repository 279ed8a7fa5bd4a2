// What is put into the page, and how. Texts are only ever put in as texts, and looks come from the
// style sheet alone: the page's policy forbids both to be otherwise.

const SVG = 'http://www.w3.org/2000/svg';
const DRAWN = ['svg', 'rect', 'polyline'];

export const at = (id) => document.getElementById(id);

/** An element with these attributes and children; a child that is `null` is left out. */
export function element(tag, attributes = {}, ...children) {
  const made = DRAWN.includes(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child !== null));
  return made;
}

/**
 * Has `place` hold these children, and touches only what differs: so nobody's selection, focus or
 * place in reading is lost every other second.
 */
export function show(place, ...children) {
  mend(place, children.flat().filter((child) => child !== null).map(asNode));
}

const asNode = (child) => (child instanceof Node ? child : document.createTextNode(child));

function mend(place, wanted) {
  const present = [...place.childNodes];
  wanted.forEach((node, index) => {
    const old = present[index];
    if (!old) {
      place.append(node);
    } else if (!old.isEqualNode(node)) {
      old.nodeName === node.nodeName ? mendOne(old, node) : old.replaceWith(node);
    }
  });
  present.slice(wanted.length).forEach((old) => old.remove());
}

function mendOne(old, node) {
  if (old.nodeType === Node.TEXT_NODE) {
    old.data = node.data;
    return;
  }
  for (const name of old.getAttributeNames()) {
    if (!node.hasAttribute(name)) {
      old.removeAttribute(name);
    }
  }
  for (const name of node.getAttributeNames()) {
    old.setAttribute(name, node.getAttribute(name));
  }
  mend(old, [...node.childNodes]);
}

/** A bar that is full to that share. `words` say it to who does not see it. */
export function bar(share, words, look = '') {
  const full = 100 * Math.min(1, Math.max(0, share));
  return element(
    'svg',
    { class: `bar ${look}`, role: 'img', 'aria-label': words },
    rect('whole', 0, 100),
    rect('part', 0, full),
  );
}

/** A bar of several parts, each `{share, look}`. Its legend is beside it. */
export function stack(parts) {
  let begun = 0;
  const rects = parts.map(({ share, look }) => {
    const x = begun;
    begun += 100 * share;
    return rect(look, x, 100 * share);
  });
  return element('svg', { class: 'bar stack', 'aria-hidden': 'true' }, rect('whole', 0, 100), rects);
}

/** A part of a bar, in hundredths of it. */
function rect(look, x, width) {
  return element('rect', { class: look, x: `${x.toFixed(2)}%`, width: `${width.toFixed(2)}%`, height: '100%' });
}

/** How something went, as a line; the newest at the right. */
export function sparkline(values, length) {
  const most = Math.max(...values, 1e-9);
  const x = (index) => (100 * (length - values.length + index)) / (length - 1);
  const y = (value) => 30 - (27 * value) / most;
  const points = values.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`);
  const line = element('polyline', { points: points.join(' ') });
  const ground = points.length > 1 && `${x(0).toFixed(1)},31 ${points.join(' ')} 100,31`;
  const area = element('polyline', { class: 'area', points: ground || '' });
  return element('svg', { class: 'spark', viewBox: '0 0 100 31', preserveAspectRatio: 'none', 'aria-hidden': 'true' }, area, line);
}

/** What is told by name: pairs of a term and what is said of it. */
export function terms(pairs) {
  const pair = ([term, ...told]) => element('div', {}, element('dt', {}, term), element('dd', {}, ...told));
  return element('dl', {}, pairs.filter(Boolean).map(pair));
}

/** A table with a head; the first cell of a row is the row's. Cells may be nodes. */
export function table(caption, head, rows) {
  const cell = (content, index) =>
    index === 0 ? element('th', { scope: 'row' }, content) : element('td', {}, content);
  return element(
    'table',
    {},
    element('caption', { class: 'unseen' }, caption),
    element('thead', {}, element('tr', {}, head.map((title) => element('th', { scope: 'col' }, title)))),
    element('tbody', {}, rows.map((row) => element('tr', {}, row.map(cell)))),
  );
}
