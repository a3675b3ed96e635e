// Our side, through `drive`.
import { clock } from './clock.mjs';
import { LOCK_MS, NEVER } from './rules.mjs';

export class DeoPeer {
  constructor(driver, prefix, events, metrics) {
    this.driver = driver;
    this.prefix = prefix;
    this.events = events;
    this.metrics = metrics;
    this.queue = undefined;
  }

  async ask(queue, request) {
    if (this.queue !== queue) {
      this.queue = queue;
      await this.driver.send({ op: 'open', prefix: this.prefix, queue: `q${queue}`, events: this.events, lockMs: LOCK_MS, metrics: this.metrics });
    }
    const answer = await this.driver.send({ now: clock.now, ...request });
    if (answer.error) throw new Error(answer.error);
    return answer;
  }

  async add(queue, jobs) {
    const { added } = await this.ask(queue, {
      op: 'enqueue',
      jobs: jobs.map(({ name, data, opts }) => ({ name, data: JSON.stringify(data) ?? '{}', opts })),
    });
    return added.map(({ id }) => id);
  }

  async claim(queue, count) {
    return batch(await this.ask(queue, { op: 'claim', count }));
  }

  /** `items` are of one claim. */
  async settle(queue, items, next) {
    const answer = await this.ask(queue, {
      op: 'settle',
      claim: items[0].held.claim,
      jobs: items.map(({ held, how, value }) => ({ id: held.id, how, value })),
      next,
    });
    return { codes: answer.codes, claimed: next ? batch(answer) : undefined };
  }

  /** An operator's call: 0, or the words in which it is refused. */
  async operate(queue, request) {
    const answer = await this.ask(queue, request);
    return answer.refused ?? answer.ids ?? 0;
  }

  pause(queue) { return this.operate(queue, { op: 'pause' }); }
  resume(queue) { return this.operate(queue, { op: 'resume' }); }
  promote(queue, id) { return this.operate(queue, { op: 'promote', id }); }
  promoteAll(queue) { return this.operate(queue, { op: 'promote-all' }); }
  remove(queue, id) { return this.operate(queue, { op: 'remove', id }); }
  retry(queue, id, from) { return this.operate(queue, { op: 'retry', id, from }); }
  retryAll(queue, from) { return this.operate(queue, { op: 'retry-all', from }); }
  clean(queue, grace, limit, from) { return this.operate(queue, { op: 'clean', grace, limit: limit || undefined, from }); }

  async schedule(queue, id, repeat, template) {
    const { name, data, opts } = template;
    const answer = await this.ask(queue, { op: 'schedule', id, repeat, template: { name, data: JSON.stringify(data ?? {}), opts } });
    return / never comes true$/.test(answer.refused) ? NEVER : answer.refused ?? answer.scheduled;
  }

  unschedule(queue, id) { return this.operate(queue, { op: 'unschedule', id }); }

  /** BullMQ's pauses by itself. */
  async obliterate(queue, force, literal) {
    if (!literal) await this.pause(queue);
    return this.operate(queue, { op: 'obliterate', force });
  }

  async recover(queue) {
    return (await this.ask(queue, { op: 'recover' })).ids;
  }

  async renew(queue, items) {
    const answer = await this.ask(queue, { op: 'renew', claim: items[0].held.claim, ids: items.map(({ held }) => held.id) });
    return answer.ids;
  }
}

const batch = (answer) => ({
  jobs: answer.jobs.map((job) => ({ ...job, claim: answer.claim, token: answer.token })),
  status: answer.status,
  nextDueMs: answer.nextDueMs,
});
