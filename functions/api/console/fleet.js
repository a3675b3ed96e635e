// All projects, for administrators: how their scores are distributed, and lists of those to look at.

import { read } from './api.js';
import { h, show } from './dom.js';
import { card, empty, figure, load, pages, table } from './parts.js';
import { bars } from './plot.js';
import { ago, band, minute, signed, whole } from './words.js';

const link = (id) => h('a', { href: `#/projects/${encodeURIComponent(id)}` }, id);

const LISTS = {
  movers: {
    name: 'Movers', nothing: ['Nobody moved', 'No score differs from a week ago.'],
    about: 'Whose scores moved most within a week.',
    draw: (rows) => table('Movers', [['Project'], ['From', 'number'], ['To', 'number'], ['Change', 'number']],
      rows.map((it) => [link(it.projectId), String(it.from), String(it.to), h('span', { class: it.to > it.from ? 'up' : 'down' }, signed(it.to - it.from))])),
  },
  failing: {
    name: 'Failing', nothing: ['Nothing fails', 'No project’s last job failed.'],
    about: 'Whose job failed for good, and who were not scored since.',
    draw: (rows) => table('Failing', [['Project'], ['Job'], ['Failed'], ['Reason', 'wide']],
      rows.map((it) => [link(it.projectId), it.jobId, it.finishedOn ? h('time', { title: minute(it.finishedOn) }, ago(it.finishedOn)) : '–', h('span', { class: 'reason' }, it.failedReason ?? 'not known')])),
  },
  stale: {
    name: 'Stale', nothing: ['None is stale', 'Every score is recent and has all its data.'],
    about: 'Whom the nightly round asks for: no score, an old one, or one that may lack data.',
    draw: (rows) => list(rows),
  },
  'never-scored': {
    name: 'Never scored', nothing: ['All have a score', 'There is no project without one.'],
    about: 'Who never had a score.',
    draw: (rows) => list(rows),
  },
};

const list = (rows) => h('ul', { class: 'ids' }, rows.map((it) => h('li', {}, link(it.projectId))));

/** Draws the fleet into `main`. */
export function fleet(main) {
  const summary = h('div', {});
  const rows = h('div', { role: 'tabpanel', id: 'fleet-list', tabindex: '0' });
  const about = h('p', { class: 'quiet' });
  const tabs = Object.entries(LISTS).map(([key, { name }]) => h('button', {
    type: 'button', role: 'tab', id: `tab-${key}`, 'aria-controls': 'fleet-list', 'data-key': key, onclick: () => choose(key), onkeydown: (event) => move(event, key),
  }, name));

  const choose = (key) => {
    for (const tab of tabs) {
      const isChosen = tab.dataset.key === key;
      tab.setAttribute('aria-selected', String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
    }
    rows.setAttribute('aria-labelledby', `tab-${key}`);
    const { draw, nothing } = LISTS[key];
    about.textContent = LISTS[key].about;
    pages(rows, async (after) => {
      const page = await read(`/fleet/${key}${after === null ? '' : `?after=${encodeURIComponent(after)}`}`);
      return { rows: page.projects, next: page.next };
    }, draw, empty(...nothing));
  };
  const move = (event, key) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    const keys = Object.keys(LISTS);
    const next = keys[(keys.indexOf(key) + by + keys.length) % keys.length];
    choose(next);
    tabs.find((tab) => tab.dataset.key === next).focus();
  };

  show(main, h('div', { class: 'stack' }, card('All projects', { wide: true }, summary),
    card('Projects to look at', { wide: true }, h('div', { role: 'tablist', class: 'tabs', 'aria-label': 'Projects to look at' }, tabs), about, rows)));
  choose('movers');
  load(summary, async () => distribution(await read('/fleet')));
}

function distribution({ projects, neverScored, scores }) {
  const scored = projects - neverScored;
  if (projects === 0) return empty('No projects', 'There is no project in the database yet.');
  // The middle one's tenth, since a part of the fleet has no exact score here.
  let seen = 0;
  const middle = scores.findIndex((n) => (seen += n) * 2 >= scored);
  const range = (at) => (at === 9 ? '90–100' : `${at * 10}–${at * 10 + 9}`);
  const good = scores.slice(7).reduce((sum, n) => sum + n, 0);
  return h('div', { class: 'fleet' },
    h('dl', { class: 'figures' }, figure('Projects', whole(projects)), figure('Scored', whole(scored)),
      figure('Never scored', whole(neverScored), null, neverScored > 0 ? 'fair' : null), figure('Median', scored > 0 ? range(middle) : '–'), figure('70 or more', whole(good))),
    bars('How many projects have which score', scores.map((value, at) => ({ name: String(at * 10), value, title: `${whole(value)} with ${range(at)}`, tone: band(at * 10 + 5) }))),
    h('details', { class: 'more' }, h('summary', {}, 'As a table'), table('Projects by score', [['Score'], ['Projects', 'number']], scores.map((value, at) => [range(at), whole(value)]))));
}
