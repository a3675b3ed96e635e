// `deo queue schedule`, and the next job of a scheduler that our claim puts in place.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { QUEUE, deo, redis } from '../deo.mjs';
import { DRIVE } from '../driver.mjs';
import { BULL, HOUR, OURS, copy, eachVersion, refusal } from './twins.mjs';

/** What jobs get that nothing else is said of: the defaults of QUEUE_ATTEMPTS and its like. */
const usual = {
  attempts: 3,
  backoff: { type: 'exponential', delay: 5_000, jitter: 1 },
  removeOnComplete: { count: 1_000, age: 86_400 },
  removeOnFail: { count: 5_000, age: 1_209_600 },
};

eachVersion('schedule', ({ q, version, six, take, compare, judge, refused }) => {
  describe('schedule', () => {
    /** Makes a scheduler; `rule` and `template` as BullMQ takes them, `said` what else to tell deo. */
    const upsert = (id, rule, template = {}, said = []) => {
      const date = (ms) => new Date(ms).toISOString();
      const given = {
        '--cron': rule.pattern,
        '--tz': rule.tz,
        '--every': rule.every && `${rule.every}ms`,
        '--offset': rule.offset && `${rule.offset}ms`,
        '--limit': rule.limit,
        '--start': rule.startDate && date(rule.startDate),
        '--end': rule.endDate && date(rule.endDate),
        '--name': template.name,
        '--data': template.data && JSON.stringify(template.data),
        '--priority': template.opts?.priority,
        '--attempts': template.opts?.attempts,
      };
      const args = Object.entries(given).flatMap(([name, value]) => (value ? [name, `${value}`] : []));
      const flags = [...(rule.immediately ? ['--immediately'] : []), ...said];
      const full = { ...template, opts: { ...usual, ...template.opts } };
      return judge(['schedule', 'upsert', id, ...args, ...flags], () => q().upsertJobScheduler(id, rule, full));
    };
    const night = { pattern: '0 3 * * *', tz: 'Europe/Berlin' };
    const soon = (ms) => Math.floor(Date.now() / 1000) * 1000 + ms;

    test('every hour', () => upsert('s', { every: HOUR }));
    test('every hour off the grid', { skip: version === '5.65.1' }, () => upsert('s', { every: HOUR, offset: 7 * 60_000 }));
    test('every hour from a date on', () => upsert('s', { every: HOUR, startDate: soon(2 * HOUR) }));
    test('by a pattern', () => upsert('s', night));
    test('by a pattern with all there is', () =>
      upsert('s', { ...night, limit: 5, startDate: soon(48 * HOUR), endDate: soon(960 * HOUR) }, {
        name: 'n', data: { of: 'x', list: [] }, opts: { priority: 4, attempts: 7 },
      }));
    test('with a backoff and a retention of its own', () =>
      upsert('s', { every: HOUR }, {
        opts: { backoff: { type: 'exponential', delay: 90_000, jitter: 1 }, removeOnComplete: { count: 0, age: 86_400 }, removeOnFail: { age: 1_209_600 } },
      }, ['--backoff', '90s', '--keep-completed', '0', '--keep-failed', 'all']));
    test('by a pattern and at once', () => upsert('s', { pattern: '0 3 * * *', immediately: true }));
    test('while paused', async () => {
      await q().pause();
      await upsert('s', { every: HOUR });
    });
    test('an id with colons', () => upsert('a:b:c', { every: HOUR }));

    const before = {
      'the same interval': [{ every: HOUR }, { every: HOUR }],
      'another interval': [{ every: HOUR }, { every: 2 * HOUR }],
      'an interval for a pattern': [night, { every: HOUR }],
      'a pattern for an interval': [{ every: HOUR, startDate: soon(HOUR) }, night],
      'the same pattern': [night, night],
      'another pattern': [night, { pattern: '15 4 * * 1' }],
      'the same interval from the same date on': [{ every: HOUR, startDate: soon(HOUR) }, { every: HOUR, startDate: soon(HOUR) }],
    };
    // 5.65.1 knows no offset.
    if (version !== '5.65.1') before['another offset'] = [{ every: HOUR, offset: 60_000 }, { every: HOUR, offset: 120_000 }];
    for (const [change, [old, rule]] of Object.entries(before)) {
      test(`${change} instead`, async () => {
        await q().upsertJobScheduler('s', old, { name: 'old', data: { old: 1 }, opts: { attempts: 2 } });
        await upsert('s', rule, { name: 'new' });
      });
    }
    test('while its job waits among the prioritized', async () => {
      await q().upsertJobScheduler('s', { every: HOUR }, { opts: { priority: 3 } });
      await upsert('s', { every: HOUR }, { opts: { priority: 4 } });
    });
    // Version 6 looks into the list that only version 5 uses, and leaves a second job.
    test('while its job waits in a paused queue', { skip: six }, async () => {
      await q().pause();
      await q().upsertJobScheduler('s', { every: HOUR });
      await upsert('s', { every: HOUR });
    });
    test('while its job is being processed', async () => {
      await q().upsertJobScheduler('s', { every: HOUR });
      await take();
      await upsert('s', { every: HOUR });
    });
    test('while the job of the next time is done already', async () => {
      await q().upsertJobScheduler('s', night);
      const [job] = await q().getDelayed();
      await redis.zrem(`${BULL}:${QUEUE}:delayed`, job.id);
      await redis.zadd(`${BULL}:${QUEUE}:completed`, Date.now(), job.id);
      assert.match(await upsert('s', night), /job ID already exists/);
    });
    test('an end in the past is refused', () =>
      refused(['schedule', 'upsert', 's', '--every', '1h', '--end', '2020-01-01'], () =>
        q().upsertJobScheduler('s', { every: HOUR, endDate: '2020-01-01' })));

    const end = () => judge(['schedule', 'remove', 's'], () => q().removeJobScheduler('s'));
    test('remove one whose job is delayed', async () => {
      await q().upsertJobScheduler('s', night);
      await q().upsertJobScheduler('t', { every: HOUR });
      await end();
    });
    test('remove one whose job waits', async () => {
      await q().upsertJobScheduler('s', { every: HOUR });
      await end();
    });
    test('list what BullMQ lists', async () => {
      await q().upsertJobScheduler('s', { ...night, limit: 7 }, { name: 'n', data: { of: 'x' }, opts: { attempts: 3 } });
      await q().upsertJobScheduler('t', { every: HOUR });
      const env = { REDIS_PREFIX: BULL, ENABLE_QUEUE_SCHEDULERS: 'true' };
      const { schedulers } = await deo(['queue', 'schedule', 'list', '--json'], env);
      const theirs = (await q().getJobSchedulers(0, -1, true)).map(({ key, iterationCount, template, next, ...rest }) => ({
        // What waits already is due no more.
        id: key, ...rest, ...(next > Date.now() ? { next } : { next: null, overdueSince: next }), iterations: iterationCount, ...template,
      }));
      assert.deepEqual(schedulers, theirs);
    });
    test('is refused where schedulers are left to BullMQ', async () => {
      for (const args of [['list'], ['remove', 's'], ['upsert', 's', '--every', '1h']]) {
        const reason = await refusal(deo(['queue', 'schedule', ...args, '--json'], { ENABLE_QUEUE_SCHEDULERS: 'false' }));
        assert.match(reason, /ENABLE_QUEUE_SCHEDULERS/);
      }
    });
  });

  describe('the next job of a scheduler', () => {
    /** Claims a job as the drain does; answers what became of its scheduler's next one. */
    function work(id) {
      const lines = [
        { op: 'open', prefix: OURS, queue: QUEUE, events: 'all', lockMs: 30_000 },
        { op: 'claim', count: 1 },
      ];
      const input = lines.map((line) => JSON.stringify(line)).join('\n');
      const { stdout, stderr } = spawnSync(DRIVE, [], { input, encoding: 'utf8' });
      const [, claimed] = stdout.trim().split('\n').map((line) => JSON.parse(line));
      const [produced] = claimed?.schedules ?? [];
      if (claimed?.jobs?.[0]?.id !== id || produced?.id !== id) throw new Error(`${stdout}\n${stderr}`);
      return produced;
    }
    /** Both sides take the job `id`; the locks are each side's own. */
    async function next(id) {
      const lock = (prefix) => `${prefix}:${QUEUE}:${id}:lock`;
      let produced;
      await compare(
        async () => {
          produced = work(id);
          await redis.set(lock(OURS), 'token', 'PX', 30_000);
        },
        async () => assert.equal((await take()).id, id),
      );
      return produced;
    }
    const first = async () => (await q().getWaiting())[0].id;
    /** Makes a scheduler whose first job waits. */
    async function due(rule, template) {
      await q().upsertJobScheduler('s', rule, template);
      const [delayed] = await q().getDelayed();
      await delayed?.promote();
      return (await q().getWaiting())[0]?.id ?? (await q().getPrioritized())[0].id;
    }
    const night = { pattern: '0 3 * * *', tz: 'Europe/Berlin' };

    test('by an interval', async () => {
      assert.equal((await next(await due({ every: HOUR }, { name: 'n', data: { of: 'x' }, opts: usual }))).produced, 'next');
    });
    test('by an interval that was missed many times', async () => {
      const id = await due({ every: HOUR });
      const past = Number(id.split(':')[2]) - 77 * HOUR;
      const key = (at) => `${BULL}:${QUEUE}:repeat:s:${at}`;
      await redis.rename(key(past + 77 * HOUR), key(past));
      await redis.hset(key(past), 'opts', (await redis.hget(key(past), 'opts')).replaceAll(String(past + 77 * HOUR), String(past)));
      await redis.zadd(`${BULL}:${QUEUE}:repeat`, past, 's');
      await redis.del(`${BULL}:${QUEUE}:wait`);
      await redis.lpush(`${BULL}:${QUEUE}:wait`, `repeat:s:${past}`);
      if (version !== '5.65.1') return void (await next(`repeat:s:${past}`));
      // 5.65.1 leaves out the slot that is next.
      await copy(BULL, OURS);
      const { next: made } = work(`repeat:s:${past}`);
      const wait = Number(made.split(':')[2]) - Date.now();
      assert.ok(wait > 0 && wait <= HOUR, `${wait}`);
      assert.equal(Number(made.split(':')[2]) % HOUR, past % HOUR);
    });
    test('by an interval off the grid', { skip: version === '5.65.1' }, async () => {
      await next(await due({ every: HOUR, offset: 60_000 }));
    });
    test('by a pattern', async () => {
      assert.equal((await next(await due(night, { data: { of: 'x' }, opts: { priority: 5 } }))).produced, 'next');
    });
    test('by a pattern in another zone with seconds', async () => {
      await next(await due({ pattern: '30 15 */6 * * *', tz: 'Asia/Kolkata' }, { opts: { attempts: 4, backoff: 500 } }));
    });
    test('twice in a row', async () => {
      await q().upsertJobScheduler('s', { every: HOUR }, { opts: { backoff: { type: 'exponential', delay: 9 } } });
      await take();
      const [delayed] = await q().getDelayed();
      await delayed.promote();
      assert.equal((await next(await first())).produced, 'next');
    });
    test('while the queue has more to do', async () => {
      const id = await due(night, { opts: { lifo: true } });
      await q().add('other', {}, { jobId: 'w' });
      await next(id);
    });
    test('not beyond the limit', async () => {
      assert.equal((await next(await due({ every: HOUR, limit: 1 }))).produced, 'nothing');
    });
    test('up to the limit', async () => {
      assert.equal((await next(await due({ every: HOUR, limit: 2 }))).produced, 'next');
    });
    test('not after the end', async () => {
      const id = await due({ ...night, endDate: Date.now() + 500 * 24 * HOUR });
      const key = `${BULL}:${QUEUE}:${id}`;
      const opts = JSON.parse(await redis.hget(key, 'opts'));
      opts.repeat.endDate = opts.prevMillis + HOUR;
      await redis.hset(key, 'opts', JSON.stringify(opts));
      assert.equal((await next(id)).produced, 'nothing');
    });
    test('not for a job that is retried', async () => {
      const id = await due({ every: HOUR }, { opts: { attempts: 3 } });
      await (await take()).moveToFailed(new Error('no'), 'token', false);
      assert.equal((await next(id)).produced, 'nothing');
    });
    test('not for a scheduler that has ended', async () => {
      const id = await due({ every: HOUR });
      await q().removeJobScheduler('s');
      assert.equal((await next(id)).produced, 'nothing');
    });
    test('not where it is already', async () => {
      const id = await due({ every: HOUR });
      const at = Number(id.split(':')[2]) + HOUR;
      await redis.hset(`${BULL}:${QUEUE}:repeat:s:${at}`, 'name', 'there');
      assert.equal((await next(id)).produced, 'already');
    });
    test('of a paused queue goes on after it', async () => {
      const id = await due({ every: HOUR }, { data: { of: 'x' } });
      await q().pause();
      await q().resume();
      await next(id);
    });
    test('with data that only the job has', async () => {
      const id = await due({ every: HOUR }, { name: 'n', data: { of: 'x' } });
      await redis.hdel(`${BULL}:${QUEUE}:repeat:s`, 'data', 'ic');
      if (!six) return void (await next(id));
      // Version 6 would go on with no data at all.
      await copy(BULL, OURS);
      const { next: made } = work(id);
      assert.equal(await redis.hget(`${OURS}:${QUEUE}:${made}`, 'data'), '{"of":"x"}');
    });
  });
});
