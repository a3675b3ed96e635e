// The queue, for administrators: what waits, what holds it up, what failed, and whether the drain lives.

import { ask, read } from './api.js';
import { announce, h, show } from './dom.js';
import { card, empty, failure, figure, loading, table } from './parts.js';
import { bars } from './plot.js';
import { STOPPED, ago, clock, count, minute, seconds, stretch, whole } from './words.js';

/** How often the queue is looked at, while anybody can see it. */
const EVERY_MS = 15_000;

/** After so long without a hand on the page nobody looks at it: each look wakes the database, and costs commands. */
const AWAY_MS = 10 * 60_000;

/** A drain that is idle gives a sign of life every 10 minutes. */
const ALIVE_MS = 11 * 60_000;

const STATES = [['waiting', 'Waiting'], ['prioritized', 'Prioritized'], ['delayed', 'Delayed'], ['active', 'Active'], ['waiting-children', 'Waiting for children'], ['completed', 'Completed'], ['failed', 'Failed']];

/** Draws the queue into `main`, anew as long as `isCurrent()`. */
export function queue(main, isCurrent) {
  const view = h('div', { class: 'stack' }, loading(6));
  const status = h('div', { role: 'status' });
  show(main, h('div', { class: 'stack' }, status, view));
  let timer = null;
  /** Counts up with each look, so that an earlier one that answers late is not drawn. */
  let looks = 0;
  let touched = Date.now();
  const touch = () => { touched = Date.now(); };
  for (const kind of ['pointerdown', 'keydown', 'wheel']) view.addEventListener(kind, touch, { passive: true });

  const look = async () => {
    clearTimeout(timer);
    timer = null;
    if (!isCurrent()) return;
    if (Date.now() - touched > AWAY_MS) {
      show(status, h('div', { class: 'notice' }, h('p', {}, 'Nobody has touched this page for ten minutes: it looks no more.'), h('button', { type: 'button', class: 'plain', onclick: () => { touch(); show(status); look(); } }, 'Look again')));
      return;
    }
    if (document.visibilityState === 'visible') {
      const mine = (looks += 1);
      const isNewest = () => isCurrent() && mine === looks;
      try {
        const body = await read('/queue');
        // Only what has failed has reasons.
        const groups = body.counts.failed > 0 ? (await read('/queue/failures')).failures : [];
        if (!isNewest()) return;
        keeping(view, () => show(view, draw(body, groups, act)));
      } catch (error) {
        if (!isNewest()) return;
        show(view, failure(error, look));
        if (error.status === 403) return;
      }
      timer = setTimeout(look, EVERY_MS);
    }
  };

  /** An operating route; then the queue as it is after it. */
  const act = async (path, body, told) => {
    try {
      const text = told(await steps(path, body));
      show(status, h('div', { class: 'notice good' }, text));
      announce(text);
    } catch (error) {
      show(status, failure(error));
    }
    await look();
  };

  document.addEventListener('visibilitychange', function seen() {
    if (!isCurrent()) document.removeEventListener('visibilitychange', seen);
    else if (document.visibilityState === 'visible' && timer === null) { touch(); look(); }
  });
  look();
}

/** An operation, with all its steps: a retry looks through so many jobs a request. */
async function steps(path, body) {
  const answer = (await ask(`/queue/${path}`, { method: 'POST', body })).body;
  let step = answer;
  while (step.next) {
    step = (await ask(`/queue/${path}`, { method: 'POST', body: { ...body, from: step.next } })).body;
    answer.retried += step.retried;
  }
  return answer;
}

/** Draws anew, and keeps what was opened and filled in, and where the keys were. */
function keeping(view, redraw) {
  const places = () => [...view.querySelectorAll('button, summary, input, [tabindex]')];
  const open = [...view.querySelectorAll('details[open]')].map((it) => it.id);
  const at = places().indexOf(document.activeElement);
  const filled = [...view.querySelectorAll('input')].filter((it) => it.value !== it.defaultValue || it === document.activeElement);
  redraw();
  for (const id of open) document.getElementById(id)?.setAttribute('open', '');
  if (at >= 0) places()[at]?.focus({ preventScroll: true });
  for (const { name, value } of filled) {
    const field = view.querySelector(`input[name="${name}"]`);
    if (field) field.value = value;
  }
}

function draw(body, groups, act) {
  const now = Date.now();
  return [alive(body, now), held(body), jobs(body, act), ticked(body), failed(body, groups, act),
    h('div', { class: 'columns even' }, limits(body, act), schedules(body, now))];
}

function alive({ drain }, now) {
  const seenMs = drain?.lastSeenMs;
  const lives = seenMs !== undefined && seenMs < ALIVE_MS;
  const last = drain?.ticks?.[0];
  return h('div', { class: `notice ${lives ? 'good' : 'bad'}` }, h('p', {}, h('strong', {}, lives ? 'The drain is alive.' : 'No drain gives a sign of life.'),
    seenMs === undefined ? ' None was seen yet, or none for a day.' : ` Last seen ${ago(now - seenMs, now)}.`,
    last && ` Its last tick with work ended ${ago(last.at, now)}: ${count(last.completed, 'job')} completed in ${stretch(last.durationMs)}, for ${count(last.billedCommands, 'billed command')}.`));
}

/** Why nothing is claimed, and for how long. */
const HELD = {
  paused: () => 'the queue is paused',
  limited: ({ max, durationMs, leftMs }) => `${max ? `${count(max, 'job')} may start within ${seconds(durationMs)}, and have` : 'the rate limit is reached'}${leftMs ? `; the next may in ${stretch(leftMs)}` : ''}`,
  full: ({ active, concurrency, leftMs }) => `${active} of ${concurrency} jobs that may be active are${leftMs ? `; the lock of the first ends in ${stretch(leftMs)}` : ''}`,
  locked: ({ active, leftMs }) => `none waits, and ${count(active, 'active job')} belong to somebody${leftMs ? `; the lock of the first ends in ${stretch(leftMs)}` : ''}`,
};

function held({ held: why }) {
  const tell = why && HELD[why.because];
  return tell ? h('div', { class: 'notice fair' }, h('p', {}, h('strong', {}, 'Nothing can be claimed: '), tell(why), '.')) : null;
}

function jobs({ name, counts, paused, oldestWaitingMs, throughput, operations }, act) {
  const button = (text, path, told) => h('button', { type: 'button', class: 'plain', onclick: () => act(path, undefined, told) }, text);
  const buttons = operations && h('div', { class: 'buttons' },
    counts.delayed > 0 && button('Promote delayed', 'promote', (answer) => `${count(answer.promoted, 'delayed job')} will run at their turn.`),
    paused ? button('Resume', 'resume', () => 'The queue goes on.') : button('Pause', 'pause', () => 'The queue is paused: what is active goes on.'));
  const ended = ({ completed, counted }) => `${counted === 'atleast' ? '≥ ' : ''}${whole(completed)}`;
  const hour = throughput?.lastHour;
  return card('Jobs', { wide: true, about: paused ? `${name}, paused` : name, aside: buttons },
    h('dl', { class: 'figures' }, STATES.filter(([key]) => key !== 'waiting-children' || counts[key] > 0).map(([key, title]) => figure(title, counts[key] === null ? '–' : whole(counts[key]), null, key === 'failed' && counts[key] > 0 ? 'poor' : null)),
      figure('Oldest waiting', oldestWaitingMs === null ? '–' : stretch(oldestWaitingMs)),
      hour && figure('Done in an hour', ended(hour), hour.failed > 0 ? `${whole(hour.failed)} failed` : null)));
}

function ticked({ drain }) {
  const newest = drain?.ticks ?? [];
  if (newest.length === 0) return card('Ticks', { wide: true }, empty('No tick had work within a week', 'As soon as one has, what it took and cost is here.'));
  const ticks = newest.toReversed();
  const every = Math.ceil(ticks.length / 6);
  const plot = (name, value, unit, tone) => h('figure', {}, h('figcaption', {}, name), bars(name, ticks.map((tick) => ({ name: clock(tick.at).slice(0, 5), value: value(tick), title: `${minute(tick.at)}: ${unit(value(tick))}`, tone: tone?.(tick) })), { height: 130, every }));
  return card('Ticks', { wide: true, about: `The newest ${ticks.length} that had work. Red: something failed for good.` },
    h('div', { class: 'columns three' }, plot('Jobs completed', (tick) => tick.completed, (n) => count(n, 'job'), (tick) => (tick.failed > 0 || tick.error ? 'poor' : 'good')),
      plot('Billed commands', (tick) => tick.billedCommands, (n) => count(n, 'command')), plot('Duration, ms', (tick) => tick.durationMs, stretch)),
    h('details', { class: 'more', id: 'ticks-table' }, h('summary', {}, 'As a table'), table('Ticks', [['Ended'], ['Took', 'number'], ['Claimed', 'number'], ['Completed', 'number'], ['Failed', 'number'], ['Retried', 'number'], ['Commands', 'number'], ['Stopped because', 'wide']],
      newest.map((it) => [minute(it.at), stretch(it.durationMs), whole(it.claimed), whole(it.completed), whole(it.failed), whole(it.retried), whole(it.billedCommands), it.error ?? STOPPED[it.stoppedBecause] ?? it.stoppedBecause]))));
}

function failed({ operations }, groups, act) {
  if (groups.length === 0) return card('Failures', { wide: true }, empty('Nothing failed', 'No failed job is kept.'));
  const retry = ({ reason, text }) => text && h('button', { type: 'button', class: 'plain', 'aria-label': `Retry: ${reason}`, onclick: () => act('retry', { reason: text }, (answer) => `${count(answer.retried, 'job')} will be tried again.`) }, 'Retry');
  return card('Failures', { wide: true, about: 'The newest 200 failed jobs, by reason.' }, table('Failures by reason', [['Jobs', 'number'], ['Reason', 'wide'], ['Newest'], ...(operations ? [['Operate']] : [])],
    groups.map((it) => [whole(it.count), h('span', { class: 'reason' }, it.reason || 'no reason is known'), h('time', { title: minute(it.newest) }, ago(it.newest)), ...(operations ? [retry(it)] : [])])));
}

/** A whole number from a field; `null` where it is empty. */
const number = (field) => (field.value === '' ? null : Number(field.value));

function limits({ limits: they, operations }, act) {
  if (!they) return null;
  const { concurrency, rate, used, leftMs } = they;
  const pair = (name, value) => h('div', {}, h('dt', {}, name), h('dd', {}, value));
  const field = (name, text, value, step = 1) => h('label', {}, h('span', {}, text), h('input', { name, type: 'number', min: step, step, value }));
  const form = operations && h('details', { class: 'more', id: 'limits-form' }, h('summary', {}, 'Change'), h('form', { class: 'fields', onsubmit: (event) => {
    event.preventDefault();
    const { elements } = event.target;
    const max = number(elements.max);
    const durationMs = Math.round((number(elements.seconds) ?? 60) * 1000);
    const wanted = { concurrency: number(elements.concurrency), rate: max === null ? null : { max, durationMs } };
    // What is sent is filled in no longer: the next look shows what holds.
    event.target.reset();
    document.activeElement.blur();
    act('limit', wanted, () => 'The limits are set.');
  } }, field('concurrency', 'Jobs active at once', concurrency), field('max', 'Jobs that start', rate?.max), field('seconds', 'within seconds', rate ? rate.durationMs / 1000 : null, 0.001),
    h('p', { class: 'quiet' }, 'An empty field lifts its limit.'), h('button', { class: 'plain' }, 'Set')));
  return card('Limits', {}, h('dl', { class: 'pairs' }, pair('Active at once', concurrency === null ? 'no limit' : whole(concurrency)),
    pair('Rate', rate === null ? 'no limit' : `${count(rate.max, 'job')} in ${seconds(rate.durationMs)}`),
    rate !== null && pair('Started of these', `${whole(used)}${leftMs ? `, anew in ${stretch(leftMs)}` : ''}`)), form);
}

function schedules({ schedules: they }, now) {
  if (!they) return null;
  return card('Schedules', {}, they.length === 0 ? empty('No schedule', 'No job scheduler adds jobs to this queue.')
    : table('Schedules', [['Schedule'], ['Next']], they.map((it) => [it.id, h('time', { title: minute(it.next) }, it.next < now ? `due ${ago(it.next, now)}` : ago(it.next, now))])));
}
