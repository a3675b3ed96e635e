// Plots, in SVG: a line of scores that can be pointed at, and bars.

import { h, s, show } from './dom.js';
import { table } from './parts.js';
import { day, minute } from './words.js';

const HEIGHT = 240;
const MARGIN = { top: 12, right: 12, bottom: 26, left: 34 };

/** Some times, evenly over a span, to write below a plot. */
function spread(from, to, most) {
  const number = Math.max(2, most);
  return Array.from({ length: number }, (_, at) => from + ((to - from) * at) / (number - 1));
}

/** The part of 0 to 100 that a line is drawn in: its scores with some room, and never so little that a point is a cliff. */
function range(scores) {
  let low = Math.max(0, Math.floor((Math.min(...scores) - 4) / 10) * 10);
  let high = Math.min(100, Math.ceil((Math.max(...scores) + 4) / 10) * 10);
  while (high - low < 40) {
    if (high < 100) high += 10;
    if (low > 0 && high - low < 40) low -= 10;
  }
  return [low, high];
}

/**
 * The line of a project's scores. Pointing at it shows a score; a click chooses it, and a drag two. The
 * slider below does the same for keys and touch.
 */
export function line(points, { chosen, choose }) {
  const place = h('div', { class: 'plot' });
  const told = h('output', { class: 'plot-told', for: 'plot-slider' });
  const slider = h('input', { id: 'plot-slider', type: 'range', min: 0, max: points.length - 1, value: points.length - 1, 'aria-label': 'Move along the scores' });
  const times = points.map((point) => Date.parse(point.computedAt));
  const [first, last] = [times[0], times.at(-1)];
  const span = Math.max(1, last - first);
  const [low, high] = range(points.map((point) => point.overall));
  let geometry = null;
  let at = points.length - 1;
  let dragFrom = null;

  const x = (index) => MARGIN.left + ((times[index] - first) / span) * geometry.width;
  const y = (score) => MARGIN.top + (1 - (score - low) / (high - low)) * (HEIGHT - MARGIN.top - MARGIN.bottom);

  const nearest = (clientX) => {
    const box = geometry.svg.getBoundingClientRect();
    const time = first + ((clientX - box.left - MARGIN.left) / geometry.width) * span;
    const next = times.findIndex((it) => it >= time);
    if (next < 0) return times.length - 1;
    return next > 0 && time - times[next - 1] < times[next] - time ? next - 1 : next;
  };

  const tell = (index) => {
    at = index;
    const point = points[index];
    slider.value = index;
    slider.setAttribute('aria-valuetext', `${minute(point.computedAt)}: ${point.overall}`);
    show(told, h('strong', {}, String(point.overall)), ` on ${minute(point.computedAt)}`);
    if (!geometry) return;
    geometry.cursor.setAttribute('transform', `translate(${x(index)} 0)`);
    geometry.dot.setAttribute('cy', y(point.overall));
  };

  const draw = (total) => {
    const width = total - MARGIN.left - MARGIN.right;
    const svg = s('svg', { width: total, height: HEIGHT, viewBox: `0 0 ${total} ${HEIGHT}`, role: 'img', 'aria-label': `Scores from ${day(first)} to ${day(last)}: ${points[0].overall} at first, ${points.at(-1).overall} now` });
    geometry = { width, svg };
    const base = y(low);
    for (let score = low; score <= high; score += high - low > 60 ? 20 : 10) {
      svg.append(s('line', { class: 'grid', x1: MARGIN.left, x2: total - MARGIN.right, y1: y(score), y2: y(score) }),
        s('text', { class: 'tick', x: MARGIN.left - 8, y: y(score) + 4, 'text-anchor': 'end' }, String(score)));
    }
    const labels = spread(first, last, Math.min(6, Math.floor(width / 110)));
    labels.forEach((time, index) => svg.append(s('text', { class: 'tick', x: MARGIN.left + ((time - first) / span) * width, y: HEIGHT - 6, 'text-anchor': index === 0 ? 'start' : index === labels.length - 1 ? 'end' : 'middle' }, span < 2 * 86_400_000 ? minute(time) : day(time))));
    const path = points.map((point, index) => `${index ? 'L' : 'M'}${x(index).toFixed(1)} ${y(point.overall).toFixed(1)}`).join('');
    if (points.length > 1) svg.append(s('path', { class: 'area', d: `${path}L${x(points.length - 1)} ${base}L${x(0)} ${base}Z` }), s('path', { class: 'line', d: path }));
    const [from, to] = chosen;
    if (from !== to) svg.append(s('rect', { class: 'band', x: x(from), width: Math.max(1, x(to) - x(from)), y: MARGIN.top, height: base - MARGIN.top }));
    for (const index of new Set([from, to])) svg.append(s('circle', { class: 'chosen', cx: x(index), cy: y(points[index].overall), r: 5 }));
    geometry.dot = s('circle', { class: 'cursor-dot', r: 4.5 });
    geometry.cursor = s('g', { class: 'cursor' }, s('line', { y1: MARGIN.top, y2: base }), geometry.dot);
    geometry.drag = s('rect', { class: 'band', y: MARGIN.top, height: base - MARGIN.top, width: 0 });
    svg.append(geometry.drag, geometry.cursor);
    svg.addEventListener('pointermove', (event) => {
      tell(nearest(event.clientX));
      if (dragFrom === null) return;
      const [left, right] = [Math.min(dragFrom, at), Math.max(dragFrom, at)];
      geometry.drag.setAttribute('x', x(left));
      geometry.drag.setAttribute('width', x(right) - x(left));
    });
    svg.addEventListener('pointerdown', (event) => { dragFrom = nearest(event.clientX); });
    svg.addEventListener('pointerup', (event) => {
      const [one, other] = [dragFrom ?? nearest(event.clientX), nearest(event.clientX)];
      dragFrom = null;
      // A click asks why the score is what it is there: what changed since the one before.
      if (one === other) choose(Math.max(0, one - 1), one);
      else choose(Math.min(one, other), Math.max(one, other));
    });
    svg.addEventListener('pointerleave', () => { dragFrom = null; geometry.drag.setAttribute('width', 0); tell(points.length - 1); });
    place.replaceChildren(svg);
    tell(at);
  };

  new ResizeObserver(([entry]) => {
    const total = Math.floor(entry.contentRect.width);
    if (total > MARGIN.left + MARGIN.right && total !== Number(geometry?.svg.getAttribute('width'))) draw(total);
  }).observe(place);
  slider.addEventListener('input', () => tell(Number(slider.value)));
  const why = h('button', { type: 'button', class: 'plain', onclick: () => choose(Math.max(0, at - 1), at) }, 'What changed here?');
  tell(at);
  return [place, h('div', { class: 'plot-controls' }, slider, told, why), asTable(points)];
}

/** The same as a table, made when it is asked for. */
function asTable(points) {
  const details = h('details', { class: 'more' }, h('summary', {}, 'As a table'));
  details.addEventListener('toggle', () => {
    if (details.childElementCount > 1) return;
    details.append(table('Scores', [['Computed'], ['Score', 'number']], points.toReversed().map((point) => [minute(point.computedAt), String(point.overall)])));
  });
  return details;
}

/** Bars with their names below; `of` are `{name, value, title, tone}`. A table tells the same. */
export function bars(label, of, { height = 160, every = 1 } = {}) {
  const [slot, foot] = [100 / of.length, 22];
  const most = Math.max(1, ...of.map((bar) => bar.value));
  const plot = h('div', { class: 'bars', role: 'img', 'aria-label': label });
  plot.style.height = `${height}px`;
  const svg = s('svg', { width: '100%', height, 'aria-hidden': 'true' });
  of.forEach((bar, at) => {
    const tall = bar.value > 0 ? Math.max(3, (bar.value / most) * (height - foot - 16)) : 0;
    svg.append(s('g', { class: `bar ${bar.tone ?? ''}` }, s('title', {}, bar.title),
      s('rect', { class: 'bar-hit', x: `${at * slot}%`, width: `${slot}%`, y: 0, height: height - foot }),
      s('rect', { x: `${at * slot + slot * 0.12}%`, width: `${slot * 0.76}%`, y: height - foot - tall, height: tall, rx: 2 })));
    if (at % every === 0) svg.append(s('text', { class: 'tick', x: `${at * slot + slot / 2}%`, y: height - 6, 'text-anchor': 'middle' }, bar.name));
    if (of.length <= 12 && bar.value > 0) svg.append(s('text', { class: 'tick', x: `${at * slot + slot / 2}%`, y: height - foot - tall - 5, 'text-anchor': 'middle' }, String(bar.value)));
  });
  svg.append(s('line', { class: 'grid', x1: 0, x2: '100%', y1: height - foot + 0.5, y2: height - foot + 0.5 }));
  plot.append(svg);
  return plot;
}
