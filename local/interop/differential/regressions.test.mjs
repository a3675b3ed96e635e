// Sequences that once differed: each leaves the same keys now, in every version.
import './clock.mjs';
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { VERSIONS } from '../bullmq/modules.mjs';
import { run } from './sequence.mjs';
import { Runner } from './runner.mjs';

const add = (...options) => ({ kind: 'add', queue: 0, jobs: options.map((opts) => ({ name: 'job', data: {}, opts })) });
const claim = (count = 8) => ({ kind: 'claim', queue: 0, count });
const settle = (...hows) => ({ kind: 'settle', queue: 0, which: 0, ends: hows.map((how) => ({ how, value: 'null' })) });
const replacing = (delay) => ({ ...(delay && { delay }), deduplication: { id: 'd', replace: true } });

const SEQUENCES = {
  'the retention of a job does not count what ends after it in the batch': [
    add({ removeOnComplete: { count: 1 } }, {}, { removeOnComplete: { count: 2, age: 10_000 } }, {}), claim(), settle('complete', 'complete', 'complete', 'complete'),
  ],
  'nor does it where they fail, and completed ones between them': [
    add({ removeOnFail: { count: 1 } }, {}, { removeOnFail: { count: 2 } }, { removeOnFail: { count: 1 } }, {}), claim(),
    settle('fail', 'complete', 'fail', 'fail', 'fail'),
  ],
  'a worker that sleeps until a job is due is told of the one that replaces it': [add(replacing(1)), add(replacing(50))],
  'what is added with a replacement finds the replaced job gone': [add(replacing(50)), add(replacing(), { delay: 50 })],
  'a replacement takes the place of the replaced job among those of its millisecond': [add({ delay: 50 }, replacing(50)), add(replacing(50), { delay: 50 })],
  'a job that is failed unrun keeps the traces of its attempts': [
    add({ attempts: 5 }), claim(), settle('fail'), { kind: 'raw', commands: [['HSET', 'q0:1', 'defa', 'why']] }, claim(), settle('fail'),
  ],
  'what waits in a paused queue is there still when its last active job ends': [add({}, {}), claim(1), { kind: 'pause', queue: 0 }, settle('complete')],
};

const { REDIS_URL } = process.env;
const runner = new Runner({ redisUrl: REDIS_URL, env: { tcp: { REDIS_URL } } });
after(() => runner.close());

for (const [name, steps] of Object.entries(SEQUENCES)) {
  for (const version of Object.keys(VERSIONS)) {
    test(`${name}: ${version}`, async () => {
      const found = await run(await runner.world(version, 'tcp'), { version, events: 'all', steps });
      assert.equal(found?.lines.join('\n'), undefined);
    });
  }
}
