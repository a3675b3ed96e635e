// A project's past: its scores over a span, and why one differs from another.

import { projectPath, read } from './api.js';
import { announce, h, show } from './dom.js';
import { card, empty, load } from './parts.js';
import { line } from './plot.js';
import { COMPONENTS, SIGNALS, day, minute, percent, inPoints, signed, whole } from './words.js';

const DAY_MS = 86_400_000;
const SPANS = [['7 days', 7], ['30 days', 30], ['90 days', 90], ['1 year', 365], ['All', null]];

/** Everything about the project's past; `choose` may be called with two times from elsewhere. */
export function past(id) {
  const plot = h('div', {});
  const reasons = h('div', { 'aria-live': 'polite' });
  const state = { days: 90, from: null, to: null };

  const query = () => {
    const from = state.from ?? (state.days === null ? null : new Date(Date.now() - state.days * DAY_MS).toISOString());
    return new URLSearchParams([['from', from], ['to', state.to]].filter(([, value]) => value)).toString();
  };

  /** The plot with two of its points chosen. */
  const drawn = (points, from, to) => {
    const fall = largestFall(points);
    const choose = (one, other) => { show(plot, drawn(points, one, other)); compare(points[one], points[other]); };
    return [line(points, { chosen: [from, to], choose }),
      h('div', { class: 'ends' }, end('From', points, from, (at) => choose(Math.min(at, to), Math.max(at, to))), end('To', points, to, (at) => choose(Math.min(from, at), Math.max(from, at))),
        fall.by < 0 && h('button', { type: 'button', class: 'plain', onclick: () => choose(fall.at - 1, fall.at) }, `Why the largest fall, ${signed(fall.by)} on ${day(points[fall.at].computedAt)}?`))];
  };

  const readSeries = () => load(plot, async (isCurrent) => {
    const { points, snapshots } = await read(`${projectPath(id)}/deo-score/series?${query()}`);
    if (!isCurrent()) return [];
    if (points.length === 0) {
      say('Nothing to compare', 'There is no score in this span.');
      return empty('No scores in this span', 'Choose a longer one.');
    }
    announce(`${snapshots} scores`);
    const at = lastChange(points);
    if (points.length > 1) compare(points[at - 1], points[at]);
    else say('Nothing to compare yet', 'There is one score in this span. The next one can be compared with it.');
    return drawn(points, Math.max(0, at - 1), at);
  }, 6);

  /** Says why there are no reasons, in place of any that are still being read. */
  const say = (title, text) => load(reasons, async () => empty(title, text));

  const compare = (from, to) => load(reasons, async () => {
    const times = new URLSearchParams({ from: from.computedAt, to: to.computedAt });
    return comparison(await read(`${projectPath(id)}/deo-score/compare?${times}`));
  }, 4);

  const spans = h('fieldset', { class: 'spans' }, h('legend', { class: 'unseen' }, 'Span'),
    SPANS.map(([name, days]) => h('label', {}, h('input', { type: 'radio', name: 'span', checked: days === state.days, onchange: () => { Object.assign(state, { days, from: null, to: null }); readSeries(); } }), h('span', {}, name))));
  const date = (name, key, shift) => h('label', { class: 'date' }, h('span', {}, name), h('input', { type: 'date', onchange: (event) => {
    const time = event.target.valueAsNumber;
    state[key] = Number.isNaN(time) ? null : new Date(time + shift).toISOString();
    readSeries();
  } }));
  // A day is within the span as a whole.
  const dates = h('div', { class: 'dates' }, date('from', 'from', 0), date('to', 'to', DAY_MS));

  readSeries();
  return [
    card('History', { wide: true, aside: h('div', { class: 'span-picker' }, spans, dates), about: 'Point at a score, click it to see what changed there, or drag over two.' }, plot),
    card('Why it changed', { wide: true }, reasons),
  ];
}

/** Where the score differs from the one before for the last time, or else the last point. */
function lastChange(points) {
  const at = points.findLastIndex((point, index) => index > 0 && point.overall !== points[index - 1].overall);
  return at > 0 ? at : points.length - 1;
}

/** Where the score fell most from one point to the next, and by how much. */
function largestFall(points) {
  const falls = points.slice(1).map((point, before) => ({ by: point.overall - points[before].overall, at: before + 1 }));
  return falls.reduce((worst, fall) => (fall.by < worst.by ? fall : worst), { by: 0, at: 0 });
}

function end(name, points, at, choose) {
  return h('label', { class: 'end' }, h('span', {}, name), h('select', { onchange: (event) => choose(Number(event.target.value)) },
    points.map((point, index) => h('option', { value: index, selected: index === at }, `${minute(point.computedAt)} · ${point.overall}`)).toReversed()));
}

/** A part of a change, as a bar to one side. */
function part(name, tenths, most, detail) {
  const side = tenths === 0 ? 'none' : tenths > 0 ? 'up' : 'down';
  const bar = h('span', { class: `part-bar ${side}`, 'aria-hidden': 'true' }, h('span', {}));
  bar.firstChild.style.width = `${(Math.abs(tenths) / Math.max(1, most)) * 50}%`;
  return h('li', { class: 'part' }, h('span', { class: 'part-name' }, name, detail && h('small', {}, detail)), bar, h('span', { class: `number ${side}` }, inPoints(tenths)));
}

/** Why a score differs from an earlier one. */
function comparison(body) {
  const { from, to, change, components, signals, counts } = body;
  const most = Math.max(...[...components, ...(signals ?? [])].map((it) => Math.abs(it.tenths ?? 0)));
  const moved = (list) => (list ?? []).filter((it) => it.tenths && it.key !== 'rounding').sort((one, other) => Math.abs(other.tenths) - Math.abs(one.tenths));
  const side = change === 0 ? 'none' : change > 0 ? 'up' : 'down';
  const because = moved(components)[0];
  const sentence = change === 0 ? 'The score stayed the same.'
    : [`The score ${change > 0 ? 'rose' : 'fell'} by `, h('strong', { class: side }, whole(Math.abs(change))), because && `, mostly in ${COMPONENTS[because.key].name.toLowerCase()}`, '.'];
  return [
    h('div', { class: 'verse' }, h('p', { class: 'sentence' }, sentence),
      h('p', { class: 'quiet' }, `${from.breakdown.overall} on ${minute(from.computedAt)} → ${to.breakdown.overall} on ${minute(to.computedAt)}`)),
    h('div', { class: 'reasons' },
      h('section', {}, h('h3', {}, 'What changed in the shop'), facts(counts)),
      h('section', {}, h('h3', {}, 'By component, in points'), h('ul', { class: 'parts' }, components.map((it) => part(COMPONENTS[it.key]?.name ?? it.key, it.tenths, most, it.from !== undefined && `${it.from} → ${it.to}`)))),
      h('section', {}, h('h3', {}, 'By signal, in points'), moved(signals).length
        ? h('ul', { class: 'parts' }, moved(signals).slice(0, 8).map((it) => part(SIGNALS[it.key]?.name ?? it.key, it.tenths, most, `${percent(it.from)} → ${percent(it.to)}`)))
        : h('p', { class: 'quiet' }, signals ? 'No signal moved by a tenth of a point.' : 'One of the two was stored without its signals.'))),
  ];
}

function facts(counts) {
  if (!counts) return h('p', { class: 'quiet' }, 'One of the two was stored without its counts.');
  if (counts.length === 0) return h('p', { class: 'quiet' }, 'No count of pages or products differs: what changed is their age, or the length of texts.');
  return h('ul', { class: 'facts' }, counts.map((it) => h('li', {}, h('span', { class: 'fact-text' }, it.text), h('span', { class: 'quiet number' }, `${whole(it.from)} → ${whole(it.to)}`))));
}
