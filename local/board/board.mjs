// bull-board for `deo up`: the queue in a browser. It asks nobody for a password, so it listens on the loopback
// only, and answers only who asks for the loopback: no page elsewhere can point a name of its own at it.
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import { Queue } from 'bullmq';
import express from 'express';

const { REDIS_URL, REDIS_PREFIX, BOARD_PORT } = process.env;

// Whoever started it holds the other end: it ends with them, however they end.
process.stdin.on('close', () => process.exit(0)).resume();

const queue = new Queue('deo_score_queue', {
  connection: { url: REDIS_URL, maxRetriesPerRequest: null },
  prefix: REDIS_PREFIX,
});
queue.on('error', (error) => console.error(`bull-board: ${error.code ?? error.name}`));

const adapter = new ExpressAdapter();
createBullBoard({ queues: [new BullMQAdapter(queue)], serverAdapter: adapter });

const app = express();
app.disable('x-powered-by');
app.use((request, response, next) => {
  if (['127.0.0.1', 'localhost'].includes(request.hostname)) next();
  else response.status(403).send('bull-board answers at 127.0.0.1 only');
});
app.use('/', adapter.getRouter());

const server = app.listen(Number(BOARD_PORT), '127.0.0.1', (error) => {
  if (error) throw error;
  console.log(server.address().port);
});
