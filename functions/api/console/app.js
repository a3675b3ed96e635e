// The page around the views: who is signed in, which view is shown, and how one gets from one to the other.

import { events } from './api.js';
import { announce, h, s, show } from './dom.js';
import { fleet } from './fleet.js';
import { empty } from './parts.js';
import { project } from './project.js';
import { queue } from './queue.js';
import { IS_LOCAL, account, hasPlatform, late, signIn, signInWith } from './session.js';

const main = h('main', { id: 'main', tabindex: '-1' });
const nav = h('nav', { 'aria-label': 'Views' });
const who = h('div', { class: 'who' });
/** Counts up with each view, so that an earlier one stops drawing. */
let shown = 0;

const logo = () => s('svg', { class: 'logo', viewBox: '0 0 32 32', 'aria-hidden': 'true' }, s('rect', { width: 32, height: 32, rx: 8 }), s('path', { d: 'M7 21l6-7 5 4 7-9' }));

function frame() {
  show(document.body,
    h('a', { class: 'skip', href: '#main', onclick: (event) => { event.preventDefault(); main.focus(); } }, 'Skip to the content'),
    h('header', { class: 'bar' }, h('div', { class: 'bar-inner' }, h('span', { class: 'brand' }, logo(), 'DEO console'), nav, who)),
    main, h('div', { id: 'announcements', class: 'unseen', 'aria-live': 'polite' }));
}

const isAdmin = () => account.role === 'ADMIN';

/** The view that the address names. */
function place() {
  const [view, id] = location.hash.replace(/^#\/?/, '').split('/');
  const decoded = id && decode(id);
  if (view === 'projects' && decoded) return { view: 'project', id: decoded };
  if (view === 'fleet' || view === 'queue') return { view };
  if (isAdmin()) return { view: 'fleet' };
  const first = account.project ?? account.projects[0]?.id;
  return first ? { view: 'project', id: first } : { view: 'project', id: null };
}

/** What an address says; nothing, where it cannot be read. */
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function render() {
  const { view, id } = place();
  const mine = (shown += 1);
  const isCurrent = () => mine === shown;
  const home = account.project ?? account.projects[0]?.id;
  const links = [['project', 'Project', `#/projects/${encodeURIComponent(id ?? home ?? '')}`], ...(isAdmin() ? [['fleet', 'Fleet', '#/fleet'], ['queue', 'Queue', '#/queue']] : [])];
  show(nav, links.map(([key, name, href]) => h('a', { href, 'aria-current': key === view ? 'page' : null }, name)));
  show(who, isAdmin() && h('span', { class: 'chip' }, 'Administrator'));
  const heading = h('h1', {}, { fleet: 'Fleet', queue: 'Queue', project: named(id) }[view]);
  const body = h('div', {});
  show(main, h('div', { class: 'page-head' }, heading, view === 'project' && picker(id)), body);
  document.title = `${heading.textContent} · DEO console`;
  if (mine > 1) {
    announce(heading.textContent);
    main.focus();
  }
  if (view === 'fleet') fleet(body);
  else if (view === 'queue') queue(body, isCurrent);
  else if (id) project(body, id, isCurrent);
  else show(body, h('section', { class: 'card' }, empty('Which project?', 'Open one by its id, or choose it in the fleet.')));
}

const named = (id) => account.projects.find((it) => it.id === id)?.name ?? id ?? 'Project';

const go = (id) => { location.hash = `#/projects/${encodeURIComponent(id)}`; };

/** The projects to choose from, where they are known; else a field for an id. */
function picker(id) {
  if (account.projects.length > 0) {
    const others = account.projects.some((it) => it.id === id) || !id ? account.projects : [{ id, name: id }, ...account.projects];
    return h('label', { class: 'picker' }, h('span', { class: 'unseen' }, 'Project'), h('select', { onchange: (event) => go(event.target.value) }, others.map((it) => h('option', { value: it.id, selected: it.id === id }, it.name ?? it.id))));
  }
  return h('form', { class: 'picker', onsubmit: (event) => { event.preventDefault(); go(event.target.elements.id.value.trim()); } },
    h('label', {}, h('span', { class: 'unseen' }, 'Project id'), h('input', { name: 'id', required: true, maxlength: 191, placeholder: 'Project id', autocomplete: 'off', spellcheck: 'false' })), h('button', { class: 'plain' }, 'Open'));
}

/** What is shown to who could not be signed in. */
function door(reason) {
  shown += 1;
  show(nav);
  show(who);
  const field = h('input', { name: 'token', type: 'password', required: true, autocomplete: 'off', spellcheck: 'false', 'aria-describedby': 'token-hint' });
  const wrong = h('p', { class: 'wrong', role: 'alert' });
  const form = h('form', { onsubmit: (event) => {
    event.preventDefault();
    if (signInWith(field.value)) begin();
    else wrong.textContent = 'This is no token: it has three parts with dots between them.';
  } }, h('label', {}, 'Token', field), h('p', { id: 'token-hint', class: 'quiet' }, 'It stays in this page’s memory until you leave it.'), wrong, h('button', { class: 'primary' }, 'Sign in'));
  show(main, h('section', { class: 'card door' }, h('h1', {}, 'Sign in'), reason && h('p', { class: 'notice fair' }, reason),
    h('p', {}, hasPlatform() ? 'The page that opened this one has not handed over a token. Are you signed in there?' : IS_LOCAL ? ['Open the link that ', h('code', {}, 'deo up'), ' prints in its terminal. Each link signs in once.'] : 'Open the console from your platform, which signs you in.'),
    h('button', { type: 'button', class: 'plain', onclick: start }, 'Try again'), h('details', { class: 'more' }, h('summary', {}, 'Use a token'), form)));
  document.title = 'Sign in · DEO console';
}

function begin() {
  removeEventListener('hashchange', render);
  addEventListener('hashchange', render);
  render();
}

async function start() {
  show(main, h('p', { class: 'starting', role: 'status' }, 'Signing in …'));
  if (await signIn()) begin();
  else door();
}

late.signedIn = () => { if (main.querySelector('.door')) begin(); };
events.signedOut = () => door('Your session has ended.');
const style = new CSSStyleSheet();
style.replaceSync(STYLE);
// The style sheet is in this script: no policy has to let another one in.
document.adoptedStyleSheets = [style];
frame();
start();
