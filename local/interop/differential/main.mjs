// Runs sequences against BullMQ and deo; see README.md. Prints how many passed, of which version and over
// which transport, and for one that failed its seed, the shortest sequence that still fails, and what differs.
import { fork, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    sequences: { type: 'string', default: '3000' },
    seed: { type: 'string', default: '1' },
    workers: { type: 'string', default: '2' },
    version: { type: 'string', multiple: true },
    transport: { type: 'string' },
    'give-up-after': { type: 'string', default: '3' },
    replay: { type: 'string' },
  },
});
const { DEO, REDIS_URL, PATH, HOME } = process.env;
if (!DEO || !REDIS_URL) throw new Error('run this through `deo with-servers`, see README.md');

const TOKEN = 'differential';

/** What a run without options, as CI's is, shows at least. */
const LEAST = 2_000;
const gateways = [];

/** What one `drive` of each transport needs to reach database `db`. */
async function environments(db) {
  const redisUrl = new URL(REDIS_URL);
  redisUrl.pathname = `/${db}`;
  const gateway = spawn(DEO, ['rest-gateway', '--redis', redisUrl.href, '--token', TOKEN, '--listen', '127.0.0.1:0', '--json'],
    { env: { PATH, HOME }, stdio: ['ignore', 'pipe', 'inherit'] });
  gateways.push(gateway);
  const [line] = await new Promise((resolve) => createInterface({ input: gateway.stdout }).once('line', (...args) => resolve(args)));
  const rest = { UPSTASH_REDIS_REST_URL: JSON.parse(line).url, UPSTASH_REDIS_REST_TOKEN: TOKEN, REDIS_TRANSPORT: 'rest' };
  return { redisUrl: redisUrl.href, env: { tcp: { REDIS_URL: redisUrl.href }, rest } };
}

function report({ seed, version, transport, failure: { sequence, found } }) {
  console.log(`\nseed ${seed ?? '-'} (BullMQ ${version}, ${transport}, events ${sequence.events}) differs; the shortest sequence:`);
  console.log(`{"version":"${version}","transport":"${transport}","events":"${sequence.events}","metrics":${sequence.metrics ?? 0},"steps":[`);
  console.log(sequence.steps.map((step) => `  ${JSON.stringify(step)}`).join(',\n'));
  console.log(']}');
  if (found.once) console.log('which did not fail the last time that it ran; at first it did, in full,');
  console.log(`at step ${found.index} (${found.step.kind}):\n  ${found.lines.join('\n  ')}`);
  if (seed !== undefined) console.log(`again: local/interop/differential/run --seed ${seed} --sequences 1 --version ${version} --transport ${transport}`);
}

/** Shares the seeds out; a worker that dies fails the run. */
async function all() {
  const first = Number(options.seed);
  const seeds = Array.from({ length: Number(options.sequences) }, (_, i) => first + i);
  const workers = Number(options.workers);
  const counts = { passed: 0, failed: 0, kinds: {}, steps: 0, idle: 0 };
  console.log(`seeds ${first} to ${seeds.at(-1)}, ${workers} at a time`);
  await Promise.all(Array.from({ length: workers }, async (_, w) => {
    const { redisUrl, env } = await environments(w + 1);
    const worker = fork(new URL('worker.mjs', import.meta.url), { env: { DEO, PATH, HOME, TZ: 'UTC' } });
    worker.send({ redisUrl, env, seeds: seeds.filter((_, i) => i % workers === w), versions: options.version, transport: options.transport });
    worker.on('message', (message) => {
      const kind = `BullMQ ${message.version} over ${message.transport}`;
      counts.kinds[kind] = (counts.kinds[kind] ?? 0) + 1;
      if (!message.failure) {
        counts.passed += 1;
        counts.steps += message.steps;
        counts.idle += message.idle;
      } else {
        counts.failed += 1;
        report(message);
        if (counts.failed >= Number(options['give-up-after'])) process.exit(1);
      }
    });
    // Not `exit`, which may come before the last messages.
    const code = await new Promise((resolve) => worker.on('close', resolve));
    if (code !== 0) throw new Error(`a worker ended with ${code}`);
  }));
  const done = counts.passed + counts.failed;
  if (done !== seeds.length) throw new Error(`${done} of ${seeds.length} sequences told how they ended`);
  if (process.argv.length === 2 && done < LEAST) throw new Error(`${done} sequences: by default at least ${LEAST} run`);
  return counts;
}

async function replay(path) {
  const { Runner } = await import('./runner.mjs');
  const sequence = JSON.parse(readFileSync(path, 'utf8'));
  const { redisUrl, env } = await environments(1);
  const runner = new Runner({ redisUrl, env });
  const transport = sequence.transport ?? 'tcp';
  const { failure } = await runner.check(sequence, transport);
  if (failure) report({ version: sequence.version, transport, failure });
  await runner.close();
  return failure ? { passed: 0, failed: 1 } : { passed: 1, failed: 0 };
}

const begun = performance.now();
process.on('exit', () => gateways.forEach((gateway) => gateway.kill()));
const { passed, failed, kinds, steps, idle } = options.replay ? await replay(options.replay) : await all();
for (const [kind, count] of Object.entries(kinds ?? {}).sort()) console.log(`${count} sequences with ${kind}`);
if (steps) console.log(`${steps} steps, of which ${idle} found nothing to do`);
console.log(`${passed} passed, ${failed} failed (${Math.round((performance.now() - begun) / 1000)} s)`);
process.exit(failed > 0 ? 1 : 0);
