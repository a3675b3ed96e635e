// bull-board for `deo up`: the queue in a browser. It asks nobody for a password, so it listens on the loopback
// only, and answers only who asks for the loopback: no page elsewhere can point a name of its own at it, or send it
// anything.
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import { Queue } from 'bullmq';
import express from 'express';

const { REDIS_URL, REDIS_PREFIX, BOARD_PORT } = process.env;

// A drain gives a sign of life every 10 minutes at least, while it ticks.
const ALIVE_MS = 15 * 60_000;

// Whoever started it holds the other end: it ends with them, however they end.
process.stdin.on('close', () => process.exit(0)).resume();

const queue = new Queue('deo_score_queue', {
  connection: { url: REDIS_URL, maxRetriesPerRequest: null },
  prefix: REDIS_PREFIX,
});
queue.on('error', (error) => console.error(`bull-board: ${error.code ?? error.message}`));

// A drain keeps no connection by which BullMQ could list it; its heartbeat says that it lives.
class Adapter extends BullMQAdapter {
  async getWorkers() {
    const [listed, lastSeen] = await Promise.all([super.getWorkers(), lastSeenMs()]);
    const age = Date.now() - lastSeen;
    if (!(age < ALIVE_MS)) return listed;
    const drain = { id: 'drain', name: 'drain (by its heartbeat)', addr: '-', age: Math.max(0, Math.round(age / 1000)) };
    return [...(listed ?? []), drain];
  }
}

// When a drain last gave a sign of life; NaN if never.
async function lastSeenMs() {
  const client = await queue.client;
  const key = (name) => queue.toKey(`batchmq:${name}`);
  const [reports, idle] = await Promise.all([
    client.xrevrange(key('heartbeat'), '+', '-', 'COUNT', 1),
    client.get(key('idle')),
  ]);
  const fields = reports[0]?.[1] ?? [];
  const at = fields[fields.indexOf('at') + 1];
  const signs = [at, idle].filter((sign) => sign != null).map(Number);
  return signs.length === 0 ? NaN : Math.max(...signs);
}

const adapter = new ExpressAdapter();
createBullBoard({
  queues: [new Adapter(queue)],
  serverAdapter: adapter,
  options: { uiConfig: { showMetrics: true } },
});

const app = express();
app.disable('x-powered-by');
app.use((request, response, next) => {
  const isSentByAnotherSite = request.method !== 'GET' && request.get('sec-fetch-site') === 'cross-site';
  if (['127.0.0.1', 'localhost'].includes(request.hostname) && !isSentByAnotherSite) next();
  else response.status(403).send('bull-board answers at 127.0.0.1 only');
});
app.use('/', adapter.getRouter());

const server = app.listen(Number(BOARD_PORT), '127.0.0.1', (error) => {
  if (error) throw error;
  console.log(server.address().port);
});
