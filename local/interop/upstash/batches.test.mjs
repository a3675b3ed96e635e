// Pipelines, transactions, auto-pipelining, binary values, read-your-writes, streams and errors.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { VERSIONS, client, everyClient, key, readOnlyToken, token, url } from './sdk.mjs';

/** Runs `body` and gives the HTTP requests that it made, with the token of each answer. */
async function requests(body) {
  const { fetch } = globalThis;
  const made = [];
  globalThis.fetch = async (input, init) => {
    const request = { path: new URL(input).pathname, sent: new Headers(init.headers).get('upstash-sync-token'), body: init.body };
    made.push(request);
    const response = await fetch(input, init);
    request.received = response.headers.get('upstash-sync-token');
    return response;
  };
  try {
    await body();
  } finally {
    globalThis.fetch = fetch;
  }
  return made;
}

everyClient((name, redis) => describe(name, () => {
  for (const kind of ['pipeline', 'multi']) {
    test(kind, async () => {
      const k = key('batch');
      const batch = redis[kind]();
      batch.set(k, { any: 'value' }).get(k).incr(key('n')).hset(key('h'), { a: 1 }).lrange(key('nothing'), 0, -1);
      assert.deepEqual(await batch.exec(), ['OK', { any: 'value' }, 1, 1, []]);
    });

    test(`${kind} with a command that fails`, async () => {
      const k = key('batch');
      const batch = () => redis[kind]().set(k, 'text').incr(k).get(k);
      await assert.rejects(async () => batch().exec(), /not an integer or out of range/);
      assert.equal(await redis.get(k), 'text');
      if (name.startsWith('1.34.3')) return;
      const results = await batch().exec({ keepErrors: true });
      assert.deepEqual(results.map(({ result, error }) => [result ?? null, Boolean(error)]), [['OK', false], [null, true], ['text', false]]);
    });
  }

  test('a discarded transaction executes nothing', async () => {
    const k = key('discarded');
    await assert.rejects(async () => redis.multi().set(k, 1).get().exec(), /EXECABORT/);
    assert.equal(await redis.exists(k), 0);
  });

  test('transactions in parallel do not interleave', async () => {
    const k = key('parallel');
    const results = await Promise.all(Array.from({ length: 50 }, () => redis.multi().incr(k).incr(k).incr(k).exec()));
    for (const [a, b, c] of results) assert.deepEqual([b, c], [a + 1, a + 2]);
  });

  test('errors', async () => {
    const k = key('error');
    await redis.set(k, 'text');
    await assert.rejects(async () => redis.lpush(k, 'x'), /WRONGTYPE Operation against a key holding the wrong kind of value/);
    await assert.rejects(async () => redis.evalsha('0'.repeat(40), [], []), /NOSCRIPT/);
  });

  test('large values and many of them', async () => {
    const [k, large] = [key('large'), 'ü'.repeat(2_000_000)];
    await redis.set(k, large);
    assert.equal(await redis.get(k), large);
    const members = Array.from({ length: 20_000 }, (_, index) => `member-${index}`);
    assert.equal(await redis.rpush(`${k}:list`, ...members), members.length);
    assert.deepEqual(await redis.lrange(`${k}:list`, 0, -1), members);
    await assert.rejects(async () => redis.set(k, 'x'.repeat(10 << 20)), /max request size exceeded/);
  });
}));

for (const version of Object.keys(VERSIONS)) {
  describe(version, () => {
    test('base64 keeps what JSON cannot', async () => {
      const [k, redis] = [key('binary'), client(version)];
      await fetch(`${url}/set/${k}`, { method: 'POST', headers: { authorization: `Bearer ${token}` }, body: Buffer.from('c3bc22005c0a', 'hex') });
      assert.equal(await redis.get(k), 'ü"\0\\\n');
      await redis.setbit(`${k}:bits`, 0, 1);
      assert.equal(await client(version, { responseEncoding: false }).get(`${k}:bits`), '\ufffd');
    });

    test('commands of one tick share requests', async () => {
      const redis = client(version, { enableAutoPipelining: true });
      const k = key('auto');
      const made = await requests(async () => {
        const written = await Promise.all([redis.set(k, 0), ...Array.from({ length: 50 }, () => redis.incr(k))]);
        assert.deepEqual(written, ['OK', ...Array.from({ length: 50 }, (_, index) => index + 1)]);
        // A tick of its own: the SDK sends a tick's reads beside its writes, and either may come first.
        assert.deepEqual(await Promise.all(Array.from({ length: 50 }, () => redis.get(k))), Array(50).fill(50));
      });
      assert.ok(made.every(({ path }) => path === '/pipeline'));
      assert.equal(made.length, 2, `${made.length} requests for 101 commands of two ticks`);
    });

    test('read-your-writes: the newest token goes on the next request', async () => {
      const redis = client(version, { enableAutoPipelining: false });
      const k = key('ryw');
      const made = await requests(async () => {
        await redis.set(k, 1);
        await redis.get(k);
        await redis.pipeline().incr(k).exec();
        await redis.multi().incr(k).exec();
        await redis.eval('return 1', [], []);
      });
      assert.deepEqual(made.slice(1).map(({ sent }) => sent), made.slice(0, -1).map(({ received }) => received));
      assert.equal(redis.readYourWritesSyncToken, made.at(-1).received);
      assert.equal(new Set(made.map(({ received }) => received)).size, made.length);
    });

    test('a read-only token reads', async () => {
      const k = key('read-only');
      await client(version).set(k, 'v');
      const redis = client(version, { token: readOnlyToken });
      assert.equal(await redis.get(k), 'v');
      await assert.rejects(async () => redis.set(k, 'w'), /NOPERM this user has no permissions to run the 'set' command/);
      await assert.rejects(async () => redis.eval('return 1', [], []), /NOPERM/);
    });

    test('a wrong token is refused', async () => {
      await assert.rejects(async () => client(version, { token: 'wrong' }).get('k'), /WRONGPASS invalid or missing auth token/);
    });
  });
}

describe('subscriptions', () => {
  /** The next event of a subscriber; the SDK has no `once`. */
  const next = (subscriber, type) => new Promise((resolve) => subscriber.on(type, resolve));

  for (const [kind, channelOf] of Object.entries({ subscribe: (name) => name, psubscribe: (name) => `${name}*` })) {
    test(kind, async () => {
      const redis = client('1.39.0');
      const channel = key('channel');
      const subscriber = redis[kind](channelOf(channel));
      assert.equal(await next(subscriber, kind), 1);
      const message = next(subscriber, kind === 'subscribe' ? 'message' : 'pmessage');
      assert.equal(await redis.publish(channel, { hello: 'world, again' }), 1);
      assert.deepEqual((await message).message, { hello: 'world, again' });
      await subscriber.unsubscribe();
    });
  }

  test('monitor', async () => {
    const abort = new AbortController();
    const response = await fetch(`${url}/monitor`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' },
      signal: abort.signal,
    });
    const lines = response.body.pipeThrough(new TextDecoderStream()).getReader();
    assert.equal((await lines.read()).value, 'data: "OK"\n\n');
    await client('1.39.0').echo('seen');
    assert.match((await lines.read()).value, /^data: \d+\.\d+ \[0 [^\]]+\] "echo" "seen"\n\n$/);
    abort.abort();
  });
});
