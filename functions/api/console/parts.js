// Parts that the views share: cards, meters, tables, lists by pages, and what stands where there is nothing to show.

import { announce, h, s, show } from './dom.js';
import { band } from './words.js';

/** A titled part of a page; `aside` stands beside the title. */
export function card(title, { aside, about, id, wide } = {}, ...children) {
  const heading = h('h2', { id }, title);
  return h('section', { class: `card${wide ? ' wide' : ''}` },
    h('header', { class: 'card-head' }, h('div', {}, heading, about && h('p', { class: 'quiet' }, about)), aside), children);
}

/** A bar from 0 to 1, in the colour of `tone`; the number beside it tells the same. */
export function meter(part, tone = 'accent') {
  const bar = h('span', { class: `meter ${tone}`, 'aria-hidden': 'true' }, h('span', {}));
  bar.firstChild.style.width = `${Math.round(Math.max(0, Math.min(1, part)) * 100)}%`;
  return bar;
}

/** A number with its name. */
export const figure = (name, value, note, tone) =>
  h('div', { class: `figure${tone ? ` ${tone}` : ''}` }, h('dt', {}, name), h('dd', {}, value, note && h('small', {}, note)));

/** A score as a ring, with the number in it. */
export function ring(score) {
  const round = 2 * Math.PI * 52;
  const arc = s('circle', { class: 'arc', cx: 60, cy: 60, r: 52, 'stroke-dasharray': `${(round * score) / 100} ${round}`, transform: 'rotate(-90 60 60)' });
  return s('svg', { class: `ring ${band(score)}`, viewBox: '0 0 120 120', role: 'img', 'aria-label': `DEO score ${score} of 100` },
    s('circle', { class: 'track', cx: 60, cy: 60, r: 52 }), score > 0 && arc,
    s('text', { x: 60, y: 58, class: 'ring-number' }, String(score)), s('text', { x: 60, y: 88, class: 'ring-of' }, 'of 100'));
}

/** A table; a column's class goes to its cells. */
export function table(caption, columns, rows, { hideCaption = true } = {}) {
  return h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption },
    h('table', {}, h('caption', { class: hideCaption && 'unseen' }, caption),
      h('thead', {}, h('tr', {}, columns.map(([name, kind]) => h('th', { scope: 'col', class: kind }, name)))),
      h('tbody', {}, rows.map((cells) => h('tr', {}, cells.map((cell, at) => h('td', { class: columns[at][1] }, cell)))))));
}

/** Grey bars in the place of what is being read. */
export const loading = (lines = 3) =>
  h('div', { class: 'loading', role: 'status' }, h('span', { class: 'unseen' }, 'Loading'), Array.from({ length: lines }, () => h('span', { class: 'bone', 'aria-hidden': 'true' })));

/** Where there is nothing. */
export const empty = (title, text, ...actions) =>
  h('div', { class: 'empty' }, h('p', { class: 'empty-title' }, title), text && h('p', {}, text), actions);

/** What went wrong, and a way to try again. */
export function failure(error, again) {
  announce(error.message);
  return h('div', { class: 'notice bad', role: 'alert' }, h('p', {}, error.message), again && h('button', { type: 'button', class: 'plain', onclick: again }, 'Try again'));
}

/** What each place is being filled with: an answer that comes after it was asked for something else is not shown. */
const turns = new WeakMap();

/**
 * Fills `place` with what `make` returns, showing that it loads and what went wrong. `make` gets a function that tells
 * whether it is still its turn.
 */
export async function load(place, make, lines) {
  const turn = {};
  turns.set(place, turn);
  const isCurrent = () => turns.get(place) === turn;
  // What is there stays until there is something else, so that nothing jumps.
  if (place.childElementCount === 0) show(place, loading(lines));
  else place.setAttribute('aria-busy', 'true');
  let made;
  try {
    made = await make(isCurrent);
  } catch (error) {
    if (isCurrent()) made = failure(error, () => load(place, make, lines));
  }
  if (!isCurrent()) return place;
  show(place, made);
  place.removeAttribute('aria-busy');
  return place;
}

/** A list that comes by pages: `next(after)` returns its rows and what to pass for more. */
export async function pages(place, next, draw, nothing) {
  const rows = [];
  let after = null;
  const more = async (isCurrent, looks = 5) => {
    const page = await next(after);
    rows.push(...page.rows);
    after = page.next;
    // A page may be empty though there are more: a few are looked through.
    if (rows.length === 0 && after !== null && looks > 0) return more(isCurrent, looks - 1);
    const button = h('button', { type: 'button', class: 'plain', onclick: async () => {
      button.disabled = true;
      await more(isCurrent).then((parts) => isCurrent() && show(place, parts)).catch((error) => button.replaceWith(failure(error)));
    } }, 'Show more');
    if (rows.length === 0 && after === null) return [nothing];
    return [draw(rows), after !== null && button];
  };
  return load(place, more);
}
