// Every command group that Redis 7 has, through every version of the SDK and way of using it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EXCEPTIONS } from './exceptions.mjs';
import { VERSIONS, everyClient, key, uncalled } from './sdk.mjs';

const near = (actual, expected) => assert.ok(Math.abs(actual - expected) < 0.01, `${actual} is not near ${expected}`);
const automatic = (name) => name.endsWith('auto-pipelining');
const has = (redis, name) => typeof redis[name] === 'function';

everyClient((name, redis, version) => describe(name, () => {
  test('strings', async () => {
    const [k, other] = [key('string'), key('string')];
    assert.equal(await redis.set(k, 'v'), 'OK');
    assert.equal(await redis.get(k), 'v');
    assert.equal(await redis.set(k, 'w', { nx: true }), null);
    assert.equal(await redis.set(k, 'w', { xx: true, get: true, ex: 100 }), 'v');
    assert.equal(await redis.append(k, 'xyz'), 4);
    assert.equal(await redis.strlen(k), 4);
    assert.equal(await redis.getrange(k, 1, 2), 'xy');
    assert.equal(await redis.setrange(k, 1, 'AB'), 4);
    assert.equal(await redis.getset(k, 'new'), 'wABz');
    assert.equal(await redis.getdel(k), 'new');
    assert.equal(await redis.get(k), null);
    assert.equal(await redis.setnx(k, 1), 1);
    assert.equal(await redis.setnx(k, 1), 0);
    assert.equal(await redis.incr(k), 2);
    assert.equal(await redis.incrby(k, 40), 42);
    assert.equal(await redis.decr(k), 41);
    assert.equal(await redis.decrby(k, 40), 1);
    assert.equal(await redis.incrbyfloat(k, 0.5), 1.5);
    assert.equal(await redis.setex(k, 100, 'x'), 'OK');
    assert.equal(await redis.psetex(k, 100_000, 'x'), 'OK');
    if (has(redis, 'getex')) assert.equal(await redis.getex(k, { persist: true }), 'x');
    assert.equal(await redis.mset({ [k]: { json: [1, null, 'ü'] }, [other]: 'b' }), 'OK');
    assert.deepEqual(await redis.mget(k, other, key('nothing')), [{ json: [1, null, 'ü'] }, 'b', null]);
    assert.equal(await redis.msetnx({ [k]: 1, [key('string')]: 2 }), 0);
    assert.equal(await redis.set(k, true), 'OK');
    assert.equal(await redis.get(k), true);
    assert.equal(await redis.set(k, '9007199254740993'), 'OK');
    assert.equal(await redis.get(k), '9007199254740993');
  });

  test('bitmaps', async () => {
    const [a, b, to] = [key('{bits}'), key('{bits}'), key('{bits}')];
    assert.equal(await redis.setbit(a, 7, 1), 0);
    assert.equal(await redis.setbit(b, 6, 1), 0);
    assert.equal(await redis.getbit(a, 7), 1);
    assert.equal(await redis.bitcount(a, 0, -1), 1);
    assert.equal(await redis.bitpos(a, 1), 7);
    assert.equal(await redis.bitop('or', to, a, b), 1);
    assert.equal(await redis.bitcount(to, 0, -1), 2);
    // The SDK's chain of bitfield commands does not work under its own auto-pipelining.
    if (automatic(name)) return;
    const field = redis.bitfield(key('bitfield')).set('u8', 0, 255).incrby('u8', 0, 1).overflow('SAT').incrby('u8', 0, 300).get('u8', 0);
    assert.deepEqual(await field.exec(), [0, 0, 255, 255]);
  });

  test('hashes', async () => {
    const k = key('hash');
    assert.equal(await redis.hset(k, { a: 1, b: 'two', c: { d: 3 } }), 3);
    assert.equal(await redis.hget(k, 'b'), 'two');
    assert.deepEqual(await redis.hgetall(k), { a: 1, b: 'two', c: { d: 3 } });
    assert.deepEqual(await redis.hmget(k, 'a', 'x'), { a: 1, x: null });
    assert.equal(await redis.hmset(k, { e: 5 }), 'OK');
    assert.equal(await redis.hexists(k, 'e'), 1);
    assert.equal(await redis.hdel(k, 'e'), 1);
    assert.equal(await redis.hincrby(k, 'a', 4), 5);
    assert.equal(await redis.hincrbyfloat(k, 'a', 0.5), 5.5);
    assert.deepEqual(await redis.hkeys(k), ['a', 'b', 'c']);
    assert.deepEqual(await redis.hvals(k), [5.5, 'two', { d: 3 }]);
    assert.equal(await redis.hlen(k), 3);
    assert.equal(await redis.hsetnx(k, 'a', 0), 0);
    assert.equal(await redis.hstrlen(k, 'b'), 3);
    assert.ok(['a', 'b', 'c'].includes(await redis.hrandfield(k)));
    assert.equal(Object.keys(await redis.hrandfield(k, 2, true)).length, 2);
    assert.deepEqual(await redis.hscan(k, 0, { match: 'b' }), ['0', ['b', 'two']]);
    assert.equal(await redis.hgetall(key('nothing')), null);
  });

  test('lists', async () => {
    const [k, other] = [key('list'), key('list')];
    assert.equal(await redis.rpush(k, 'a', 'b', 'c'), 3);
    assert.equal(await redis.lpush(k, { x: 1 }), 4);
    assert.equal(await redis.lpushx(other, 'x'), 0);
    assert.equal(await redis.rpushx(other, 'x'), 0);
    assert.deepEqual(await redis.lrange(k, 0, -1), [{ x: 1 }, 'a', 'b', 'c']);
    assert.equal(await redis.lindex(k, 1), 'a');
    assert.equal(await redis.linsert(k, 'before', 'b', 'new'), 5);
    assert.equal(await redis.llen(k), 5);
    assert.equal(await redis.lset(k, 0, 'first'), 'OK');
    assert.equal(await redis.lpos(k, 'b'), 3);
    assert.deepEqual(await redis.lpos(k, 'b', { count: 0 }), [3]);
    assert.equal(await redis.lrem(k, 0, 'new'), 1);
    assert.equal(await redis.lmove(k, other, 'left', 'right'), 'first');
    assert.equal(await redis.ltrim(k, 0, 1), 'OK');
    assert.equal(await redis.lpop(k), 'a');
    assert.deepEqual(await redis.rpop(k, 2), ['b']);
    assert.deepEqual(await redis.lmpop(2, [k, other], 'LEFT'), [other, ['first']]);
    assert.equal(await redis.lpop(k), null);
  });

  test('sets', async () => {
    const [a, b, to] = [key('{set}'), key('{set}'), key('{set}')];
    assert.equal(await redis.sadd(a, 'x', 'y', 3), 3);
    assert.equal(await redis.sadd(b, 'y', 'z'), 2);
    assert.equal(await redis.scard(a), 3);
    assert.equal(await redis.sismember(a, 'x'), 1);
    assert.deepEqual(await redis.smismember(a, ['x', 'z']), [1, 0]);
    assert.deepEqual((await redis.smembers(a)).map(String).sort(), ['3', 'x', 'y']);
    assert.deepEqual((await redis.sdiff(a, b)).map(String).sort(), ['3', 'x']);
    assert.equal(await redis.sdiffstore(to, a, b), 2);
    assert.deepEqual(await redis.sinter(a, b), ['y']);
    assert.equal(await redis.sinterstore(to, a, b), 1);
    if (has(redis, 'sintercard')) assert.equal(await redis.sintercard([a, b], { limit: 5 }), 1);
    assert.equal((await redis.sunion(a, b)).length, 4);
    assert.equal(await redis.sunionstore(to, a, b), 4);
    assert.equal(await redis.smove(a, b, 'x'), 1);
    assert.equal(await redis.srem(a, 'y'), 1);
    assert.equal(await redis.srandmember(a), 3);
    assert.deepEqual(await redis.sscan(a, 0), ['0', [3]]);
    assert.equal(await redis.spop(a), 3);
  });

  test('sorted sets', async () => {
    const [a, b, to] = [key('{zset}'), key('{zset}'), key('{zset}')];
    assert.equal(await redis.zadd(a, { score: 1, member: 'x' }, { score: 2, member: 'y' }, { score: 3.5, member: 'z' }), 3);
    assert.equal(await redis.zadd(a, { gt: true, ch: true }, { score: 2.5, member: 'y' }), 1);
    assert.equal(await redis.zadd(b, { score: 10, member: 'y' }), 1);
    assert.equal(await redis.zcard(a), 3);
    assert.equal(await redis.zcount(a, '-inf', 2.5), 2);
    assert.equal(await redis.zscore(a, 'y'), 2.5);
    assert.deepEqual(await redis.zmscore(a, ['x', 'nothing']), [1, null]);
    assert.equal(await redis.zincrby(a, 0.5, 'x'), 1.5);
    assert.equal(await redis.zrank(a, 'z'), 2);
    assert.equal(await redis.zrevrank(a, 'z'), 0);
    assert.deepEqual(await redis.zrange(a, 0, -1, { withScores: true }), ['x', 1.5, 'y', 2.5, 'z', 3.5]);
    assert.deepEqual(await redis.zrange(a, '(1.5', '+inf', { byScore: true, offset: 0, count: 1 }), ['y']);
    assert.deepEqual(await redis.zrange(a, 0, 0, { rev: true }), ['z']);
    assert.equal(await redis.zdiffstore(to, 2, a, b), 2);
    assert.equal(await redis.zinterstore(to, 2, [a, b], { aggregate: 'max' }), 1);
    assert.equal(await redis.zunionstore(to, 2, [a, b], { weights: [1, 2] }), 3);
    assert.deepEqual(await redis.zunion(2, [a, b], { withScores: true }), ['x', 1.5, 'z', 3.5, 'y', 12.5]);
    const [cursor, members] = await redis.zscan(a, 0);
    assert.deepEqual([cursor, members], ['0', ['x', 1.5, 'y', 2.5, 'z', 3.5]]);
    assert.deepEqual(await redis.zpopmin(a), ['x', 1.5]);
    assert.deepEqual(await redis.zpopmax(a), ['z', 3.5]);
    assert.equal(await redis.zrem(a, 'y'), 1);
    const l = key('lex');
    await redis.zadd(l, ...[...'abcdef'].map((member) => ({ score: 0, member })));
    assert.equal(await redis.zlexcount(l, '[b', '(e'), 3);
    assert.deepEqual(await redis.zrange(l, '[b', '[c', { byLex: true }), ['b', 'c']);
    assert.equal(await redis.zremrangebylex(l, '[a', '[b'), 2);
    assert.equal(await redis.zremrangebyrank(l, 0, 0), 1);
    assert.equal(await redis.zremrangebyscore(l, 0, 0), 3);
  });

  test('streams', async () => {
    const k = key('stream');
    assert.equal(await redis.xadd(k, '1-1', { a: 1, b: 'two' }), '1-1');
    assert.equal(await redis.xadd(k, '2-1', { a: 2 }), '2-1');
    assert.equal(await redis.xlen(k), 2);
    assert.deepEqual(await redis.xrange(k, '-', '+'), { '1-1': { a: 1, b: 'two' }, '2-1': { a: 2 } });
    assert.deepEqual(Object.keys(await redis.xrevrange(k, '+', '-', 1)), ['2-1']);
    assert.equal((await redis.xread(k, '0', { count: 1 }))[0][1].length, 1);
    assert.equal(await redis.xgroup(k, { type: 'CREATE', group: 'g', id: '0' }), 'OK');
    assert.equal(await redis.xgroup(k, { type: 'CREATECONSUMER', group: 'g', consumer: 'c' }), 1);
    assert.equal((await redis.xreadgroup('g', 'c', k, '>'))[0][1].length, 2);
    assert.equal((await redis.xpending(k, 'g', '-', '+', 10)).length, 2);
    assert.equal((await redis.xclaim(k, 'g', 'd', 0, '1-1', { justId: true })).length, 1);
    assert.equal((await redis.xautoclaim(k, 'g', 'c', 0, '0'))[1].length, 2);
    assert.equal(await redis.xack(k, 'g', '1-1'), 1);
    assert.equal((await redis.xinfo(k, { type: 'GROUPS' })).length, 1);
    assert.equal((await redis.xinfo(k, { type: 'CONSUMERS', group: 'g' })).length, 2);
    assert.equal(await redis.xgroup(k, { type: 'SETID', group: 'g', id: '$' }), 'OK');
    assert.equal(await redis.xgroup(k, { type: 'DELCONSUMER', group: 'g', consumer: 'd' }), 0);
    assert.equal(await redis.xgroup(k, { type: 'DESTROY', group: 'g' }), 1);
    assert.equal(await redis.xdel(k, '1-1'), 1);
    assert.equal(await redis.xtrim(k, { strategy: 'MAXLEN', threshold: 0, exactness: '=' }), 1);
    await assert.rejects(async () => redis.xread(k, '$', { blockMS: 1 }), /not allowed in REST/);
  });

  test('geo', async () => {
    const [k, to] = [key('{geo}'), key('{geo}')];
    const palermo = { longitude: 13.361389, latitude: 38.115556, member: 'Palermo' };
    const catania = { longitude: 15.087269, latitude: 37.502669, member: 'Catania' };
    assert.equal(await redis.geoadd(k, palermo, catania), 2);
    near(await redis.geodist(k, 'Palermo', 'Catania', 'KM'), 166.2742);
    near((await redis.geopos(k, 'Palermo'))[0].lng, 13.361389);
    assert.deepEqual(await redis.geohash(k, 'Palermo'), ['sqc8b49rny0']);
    const center = { type: 'FROMLONLAT', coordinate: { lon: 15, lat: 37 } };
    const shape = { type: 'BYRADIUS', radius: 200, radiusType: 'KM' };
    const found = await redis.geosearch(k, center, shape, 'ASC', { withDist: true, withCoord: true, withHash: true });
    assert.deepEqual(found.map(({ member }) => member), ['Catania', 'Palermo']);
    near(found[0].dist, 56.4413);
    near(found[0].coord.long, 15.087269);
    assert.equal(await redis.geosearchstore(to, k, center, shape, 'ASC'), 2);
  });

  test('hyperloglog', async () => {
    const [a, b] = [key('{hll}'), key('{hll}')];
    assert.equal(await redis.pfadd(a, 'x', 'y'), 1);
    assert.equal(await redis.pfadd(b, 'z'), 1);
    assert.equal(await redis.pfcount(a, b), 3);
    assert.equal(await redis.pfmerge(b, a), 'OK');
  });

  test('keys', async () => {
    const [k, other] = [key('{key}'), key('{key}')];
    await redis.set(k, 'v');
    assert.equal(await redis.exists(k, other), 1);
    assert.equal(await redis.expire(k, 100), 1);
    assert.equal(await redis.ttl(k), 100);
    assert.equal(await redis.pexpire(k, 100_000), 1);
    assert.ok(await redis.pttl(k) > 99_000);
    assert.equal(await redis.expireat(k, 4102444800), 1);
    assert.equal(await redis.pexpireat(k, 4102444800000), 1);
    assert.equal(await redis.persist(k), 1);
    assert.equal(await redis.type(k), 'string');
    assert.equal(await redis.touch(k, other), 1);
    assert.equal(await redis.copy(k, other), 'COPIED');
    assert.equal(await redis.renamenx(k, other), 0);
    assert.equal(await redis.rename(k, other), 'OK');
    assert.deepEqual(await redis.keys(other), [other]);
    let [cursor, found] = ['0', []];
    do {
      const [next, keys] = await redis.scan(cursor, { match: other, count: 1000, type: 'string' });
      [cursor, found] = [next, [...found, ...keys]];
    } while (cursor !== '0');
    assert.deepEqual(found, [other]);
    assert.equal(typeof await redis.randomkey(), 'string');
    assert.ok(await redis.dbsize() > 0);
    assert.equal(await redis.unlink(other), 1);
    assert.equal(await redis.del(other), 0);
  });

  test('connection and server', async () => {
    assert.equal(await redis.ping(), 'PONG');
    assert.equal(await redis.ping(['hello']), 'hello');
    assert.equal(await redis.echo('hello'), 'hello');
    assert.equal((await redis.time()).length, 2);
    assert.equal(await redis.publish(key('channel'), { any: 'message' }), 0);
    if (has(redis, 'clientSetinfo')) assert.equal(await redis.clientSetinfo('lib-name', 'interop'), 'OK');
    if (version !== '1.34.3') assert.equal(await redis.exec(['ECHO', 'any command']), 'any command');
  });

  test('scripts', async () => {
    const [k, script] = [key('script'), "redis.call('SET', KEYS[1], ARGV[1]); return redis.call('GET', KEYS[1])"];
    assert.equal(await redis.eval(script, [k], ['v']), 'v');
    const sha = await redis.scriptLoad(script);
    assert.match(sha, /^[0-9a-f]{40}$/);
    assert.equal(await redis.evalsha(sha, [k], ['w']), 'w');
    assert.deepEqual(await redis.scriptExists(sha), [1]);
    assert.deepEqual(await redis.eval("return {1, {'a', false}, 'ü'}", [], []), [1, ['a', null], 'ü']);
    assert.equal(await redis.createScript(script).exec([k], ['x']), 'x');
    if (has(redis, 'evalRo')) {
      const read = "return redis.call('GET', KEYS[1])";
      assert.equal(await redis.evalRo(read, [k], []), 'x');
      assert.equal(await redis.evalshaRo(await redis.scriptLoad(read), [k], []), 'x');
      assert.equal(await redis.createScript(read, { readonly: true }).exec([k], []), 'x');
    }
  });

  if (redis.functions) {
    test('functions', async () => {
      const library = `lib${Date.now()}${Math.floor(Math.random() * 1e9)}`;
      const code = `#!lua name=${library}
        redis.register_function{function_name = '${library}_echo', callback = function(keys, args) return args[1] end, flags = {'no-writes'}}`;
      assert.equal(await redis.functions.load({ code }), library);
      assert.equal(await redis.functions.call(`${library}_echo`, [], ['a']), 'a');
      assert.equal(await redis.functions.callRo(`${library}_echo`, [], ['b']), 'b');
      assert.deepEqual((await redis.functions.list({ libraryName: library })).map(({ libraryName }) => libraryName), [library]);
      assert.ok(await redis.functions.stats());
      assert.equal(await redis.functions.delete(library), 'OK');
    });
  }
}));

describe('at the end, alone', () => {
  everyClient((name, redis) => test(`what empties everything: ${name}`, async () => {
    assert.equal(await redis.scriptFlush({ sync: true }), 'OK');
    if (redis.functions) assert.equal(await redis.functions.flush(), 'OK');
    await redis.set(key('flush'), 1);
    assert.equal(await redis.flushdb(), 'OK');
    assert.equal(await redis.flushall({ async: true }), 'OK');
    assert.equal(await redis.dbsize(), 0);
  }));

  for (const version of Object.keys(VERSIONS)) {
    test(`every command of ${version} was called, or has a reason not to be`, () => {
      const batches = ['pipeline', 'multi', 'autoPipeline', 'subscribe', 'psubscribe', 'readYourWritesSyncToken'];
      const missing = uncalled(version).filter((name) => !(name in EXCEPTIONS) && !batches.includes(name));
      assert.deepEqual(missing, [], 'batches are in batches.test.mjs, the rest belongs here or into exceptions.mjs');
    });
  }
});
