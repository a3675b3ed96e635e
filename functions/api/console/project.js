// A project: its score, its past, its signals; and asking for a new score.

import { ask, projectPath, read } from './api.js';
import { announce, h, show } from './dom.js';
import { past } from './history.js';
import { card, failure, load } from './parts.js';
import { opportunities, scoreNow, signals } from './score.js';
import { count } from './words.js';

/** How often a job is asked for, and for how long. */
const POLL_MS = [1000, 2000, 4000, 8000, 15_000];
const PATIENCE_MS = 5 * 60_000;

const STEPS = ['Asked for', 'Waiting', 'Running', 'Scored'];
const STEP_OF = { waiting: 1, prioritized: 1, delayed: 1, 'waiting-children': 1, active: 2 };

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Once the page can be seen. */
const seen = () => new Promise((resolve) => {
  if (document.visibilityState === 'visible') resolve();
  else document.addEventListener('visibilitychange', () => seen().then(resolve), { once: true });
});

/** Draws the project into `main`. */
export async function project(main, id, isCurrent) {
  const top = h('div', { class: 'columns' });
  const rest = h('div', { class: 'stack' });
  show(main, h('div', { class: 'stack' }, top, rest));
  const following = h('div', { class: 'following' });

  const draw = async () => {
    const [latest, recent] = await Promise.all([
      read(`${projectPath(id)}/deo-score`), read(`${projectPath(id)}/deo-score/history?limit=2`)]);
    if (!isCurrent()) return [];
    const live = h('div', {});
    show(rest, latest.latestScore && past(id), card('Signals', { wide: true, about: 'The 17 measurements behind the score, computed now.' }, live));
    load(live, async () => signals(await read(`${projectPath(id)}/deo-signals/debug`)), 8);
    const before = recent.snapshots[1]?.breakdown;
    return [h('div', { class: 'span-2' }, scoreNow(latest, before, button), following), latest.latestScore && opportunities(latest.latestSnapshot.metadata)];
  };

  const button = h('button', { type: 'button', class: 'primary', onclick: async () => {
    button.disabled = true;
    try {
      await recompute(id, following, isCurrent);
      show(top, await draw());
    } catch (error) {
      show(following, failure(error));
    } finally {
      button.disabled = false;
    }
  } }, 'Recompute');

  await load(top, draw, 5);
}

/** Asks for a new score, and follows its job to the end. */
async function recompute(id, place, isCurrent) {
  const steps = (at, text) => {
    show(place, h('div', { class: 'notice', role: 'status' },
      h('ol', { class: 'steps' }, STEPS.map((name, index) => h('li', { class: index < at ? 'done' : index === at ? 'now' : null, 'aria-current': index === at ? 'step' : null }, name))),
      h('p', { class: 'quiet' }, text)));
  };
  steps(0, 'Asking for a new score …');
  // Repeated, the request makes no second job.
  const headers = { 'idempotency-key': crypto.randomUUID() };
  const { body, headers: answered } = await ask(`${projectPath(id)}/deo-score/recompute`, { method: 'POST', body: { reason: 'manual' }, headers });
  const jobId = answered.get('x-job-id');
  if (!body.enqueued || !jobId) throw new Error(body.message ?? 'The request was not put on the queue.');
  const name = answered.get('x-deduplicated') === 'true' ? `Job ${jobId}, which waited already` : `Job ${jobId}`;
  steps(1, `${name}: the next tick takes it.`);
  const until = Date.now() + PATIENCE_MS;
  for (let tries = 0; Date.now() < until; tries += 1) {
    await pause(POLL_MS[Math.min(tries, POLL_MS.length - 1)]);
    await seen();
    if (!isCurrent()) return;
    // A job that is gone has ended, and is not kept.
    const job = await read(`/jobs/${encodeURIComponent(jobId)}`).catch((error) => {
      if (error.status === 404) return { state: 'completed' };
      throw error;
    });
    if (job.state === 'failed') throw new Error(`${name} failed: ${job.failedReason ?? 'no reason is known'}`);
    if (job.state !== 'completed') {
      steps(STEP_OF[job.state] ?? 1, `${name} is ${job.state}${job.attemptsMade > 0 ? `, after ${count(job.attemptsMade, 'attempt')}` : ''}.`);
    } else {
      steps(STEPS.length, `${name} is done.`);
      announce('There is a new score.');
      return;
    }
  }
  throw new Error(`${name} is still on the queue. It will be done; look again later.`);
}
