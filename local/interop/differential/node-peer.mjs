// BullMQ's side: its own classes, one public call an operation, jobs processed by hand.
import { LOCK_MS, NEVER } from './rules.mjs';

export const QUEUES = 2;

/** Our limit; a worker's default is 1. */
const MAX_STALLED = 3;

export class NodePeer {
  constructor(module, connection, prefix) {
    this.module = module;
    this.prefix = prefix;
    this.tokens = 0;
    const shared = { connection, prefix };
    const quiet = (peer) => peer.on('error', () => {});
    this.queues = each((i) => quiet(new module.Queue(`q${i}`, shared)));
    this.workers = each((i) => quiet(new module.Worker(`q${i}`, undefined, {
      ...shared, autorun: false, lockDuration: LOCK_MS, maxStalledCount: MAX_STALLED, stalledInterval: 30_000,
    })));
    this.flows = quiet(new module.FlowProducer(shared));
  }

  async ready() {
    await Promise.all([...this.queues, ...this.workers, this.flows].map((peer) => peer.waitUntilReady?.() ?? peer.client));
    await Promise.all(this.workers.map((worker) => worker.jobScheduler));
  }

  async close() {
    await Promise.all([...this.workers, ...this.queues, this.flows].map((peer) => peer.close()));
  }

  /** For how many minutes workers keep metrics; 0: none. */
  measure(minutes) {
    for (const worker of this.workers) worker.opts.metrics = minutes > 0 ? { maxDataPoints: minutes } : undefined;
  }

  /** What the Queue's constructor writes; keys are flushed between sequences. */
  get meta() {
    return this.queues[0].metaValues;
  }

  async add(queue, jobs) {
    const ids = [];
    for (const { name, data, opts } of jobs) ids.push((await this.queues[queue].add(name, data, opts)).id);
    return ids;
  }

  async addFlow(flow) {
    return (await this.flows.add(flow)).job.id;
  }

  async claim(queue, count) {
    const jobs = [];
    const worker = this.workers[queue];
    worker.limitUntil = 0;
    while (jobs.length < count) {
      const token = `t${this.tokens += 1}`;
      const job = await this.#moveToActive(worker, token);
      if (!job) break;
      jobs.push(held(job, token));
    }
    return { jobs };
  }

  async #moveToActive(worker, token) {
    if (worker.moveToActive.length === 3) return worker.moveToActive(await worker.client, token, undefined);
    return worker.moveToActive(token, undefined);
  }

  /**
   * One by one; what is released goes last, from its end, so that it waits in its old order, unless
   * it is to be `literal`. With `next`, the last one also fetches if it finishes, as a running worker
   * does, and more are claimed.
   */
  async settle(queue, items, next, literal) {
    const codes = [];
    const entries = [...items.entries()];
    const order = literal ? entries : [
      ...entries.filter(([, { how }]) => how !== 'release'),
      ...entries.filter(([, { how }]) => how === 'release').reverse(),
    ];
    let fetched;
    for (const [i, { held: { job, token }, how, value }] of order) {
      const fetch = next !== undefined && i === order.at(-1)[0] && (literal || finishes(job, how));
      let data;
      codes[i] = await code(async () => {
        if (how === 'complete') data = await job.moveToCompleted(JSON.parse(value), token, fetch);
        else if (how === 'release') await job.moveToWait(token);
        else data = await job.moveToFailed(this.failure(how, value), token, fetch);
      });
      if (fetch) fetched = { data, token };
    }
    if (next === undefined) return { codes };
    const worker = this.workers[queue];
    worker.limitUntil = 0;
    if (!Array.isArray(fetched?.data)) return { codes, claimed: await this.claim(queue, next) };
    const [data, id] = fetched.data;
    const job = await worker.nextJobFromJobData(data, id, fetched.token);
    if (!job) return { codes, claimed: { jobs: [] } };
    const more = next > 1 ? (await this.claim(queue, next - 1)).jobs : [];
    return { codes, claimed: { jobs: [held(job, fetched.token), ...more] } };
  }

  failure(how, reason) {
    const error = how === 'unrecoverable' ? new this.module.UnrecoverableError(reason) : new Error(reason);
    error.stack = `Error: ${reason}`;
    return error;
  }

  recover(queue) {
    return backend(this.workers[queue]).moveStalledJobsToWait();
  }

  renew(queue, items) {
    const ids = items.map(({ held: { id } }) => id);
    const tokens = items.map(({ held: { token } }) => token);
    return backend(this.workers[queue]).extendLocks(ids, tokens, LOCK_MS);
  }

  pause(queue) { return refusal(() => this.queues[queue].pause()); }
  resume(queue) { return refusal(() => this.queues[queue].resume()); }
  promoteAll(queue) { return refusal(() => this.queues[queue].promoteJobs()); }
  promote(queue, id) { return this.job(queue, id, 'promote'); }
  remove(queue, id) { return this.job(queue, id, 'remove'); }
  retry(queue, id, from) { return this.job(queue, id, 'retry', from); }
  retryAll(queue, from) { return refusal(() => this.queues[queue].retryJobs({ state: from })); }
  obliterate(queue, force) { return refusal(() => this.queues[queue].obliterate({ force })); }
  schedule(queue, id, repeat, { name, data, opts }) {
    return this.queues[queue].upsertJobScheduler(id, repeat, { name, data, opts }).then((job) => job?.id ?? NEVER, (error) => error.message);
  }
  unschedule(queue, id) { return refusal(() => this.queues[queue].removeJobScheduler(id)); }
  drain(queue, delayed) { return refusal(() => this.queues[queue].drain(delayed)); }
  clean(queue, grace, limit, from) { return this.queues[queue].clean(grace, limit, from); }

  /** Any call of a job, by name. */
  async job(queue, id, method, ...args) {
    const job = await this.queues[queue].getJob(id);
    return job ? refusal(() => job[method](...args)) : 'no such job';
  }
}

const each = (make) => Array.from({ length: QUEUES }, (_, i) => make(i));
const finishes = (job, how) => how === 'complete' || how === 'unrecoverable'
  || (how === 'fail' && job.attemptsMade + 1 >= (job.opts.attempts ?? 0));
const backend = (worker) => worker.backend ?? worker.scripts;

function held(job, token) {
  const { id, name, data, attemptsMade, stalledCounter, deferredFailure } = job;
  return { id, name, data: JSON.stringify(data), attemptsMade, stalledCounter, deferredFailure: deferredFailure ?? null, job, token };
}

/** 0, or the code of BullMQ's refusal. */
const code = (run) => run().then(() => 0, (error) => error.code ?? error.message);

/** 0, or the words of BullMQ's refusal. */
const refusal = (run) => run().then(() => 0, (error) => error.message);
