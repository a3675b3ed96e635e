// The libraries that live on the SDK's scripts: @upstash/ratelimit and @upstash/lock.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Lock } from '@upstash/lock';
import { Ratelimit } from '@upstash/ratelimit';
import { VERSIONS, client, key } from './sdk.mjs';

for (const version of Object.keys(VERSIONS)) {
  describe(`ratelimit over ${version}`, () => {
    const limiters = {
      'fixed window': Ratelimit.fixedWindow(3, '1 h'),
      'sliding window': Ratelimit.slidingWindow(3, '1 h'),
      'token bucket': Ratelimit.tokenBucket(3, '1 h', 3),
      'cached fixed window': Ratelimit.cachedFixedWindow(3, '1 h'),
    };
    for (const [name, limiter] of Object.entries(limiters)) {
      test(name, async () => {
        const redis = client(version);
        const ratelimit = new Ratelimit({ redis, limiter, prefix: key('ratelimit'), ephemeralCache: name.startsWith('cached') ? new Map() : false, timeout: 0 });
        for (const remaining of [2, 1, 0]) {
          const answer = await ratelimit.limit('someone');
          await answer.pending;
          assert.deepEqual([answer.success, answer.remaining], [true, remaining]);
        }
        assert.equal((await ratelimit.limit('someone')).success, false);
        assert.equal((await ratelimit.limit('another')).success, true);
        assert.equal((await ratelimit.getRemaining('someone')).remaining, 0);
        await ratelimit.resetUsedTokens('someone');
        assert.equal((await ratelimit.limit('someone')).success, true);
      });
    }

    test('deny list, analytics and dynamic limits', async () => {
      const redis = client(version);
      const prefix = key('ratelimit');
      const ratelimit = new Ratelimit({ redis, limiter: limiters['fixed window'], prefix, analytics: true, enableProtection: true, dynamicLimits: true, timeout: 0 });
      await redis.sadd(`${prefix}:denyList:all`, 'villain');
      // Without it the library would fetch a list of addresses from the internet.
      await redis.set(`${prefix}:ipDenyListStatus`, 'disabled');
      const denied = await ratelimit.limit('villain');
      await denied.pending;
      assert.deepEqual([denied.success, denied.reason], [false, 'denyList']);
      await ratelimit.setDynamicLimit({ limit: 1 });
      assert.equal((await ratelimit.getDynamicLimit()).dynamicLimit, 1);
      const allowed = await ratelimit.limit('someone');
      await allowed.pending;
      assert.equal(allowed.success, true);
      assert.equal((await ratelimit.limit('someone')).success, false);
    });
  });

  describe(`lock over ${version}`, () => {
    test('only one holds it', async () => {
      const redis = client(version);
      const id = key('lock');
      const retry = { attempts: 1, delay: 1 };
      const [one, two] = [new Lock({ id, redis, lease: 60_000, retry }), new Lock({ id, redis, lease: 60_000, retry })];
      assert.equal(await one.acquire(), true);
      assert.equal(await two.acquire(), false);
      assert.equal(await two.release(), false);
      assert.equal(await one.extend(60_000), true);
      assert.ok(await redis.pttl(id) > 60_000);
      assert.equal(await one.getStatus(), 'ACQUIRED');
      assert.equal(await two.getStatus(), 'FREE');
      assert.equal(await one.release(), true);
      assert.equal(await two.acquire(), true);
    });
  });
}
