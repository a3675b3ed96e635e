// One process of several: its own database, its own `drive`, a share of the seeds.
import { generate } from './generate.mjs';
import { Runner, plan } from './runner.mjs';

process.on('disconnect', () => process.exit());
process.on('message', async ({ redisUrl, env, seeds, versions, transport: only }) => {
  const runner = new Runner({ redisUrl, env });
  for (const seed of seeds) {
    const { version, transport } = plan(seed, versions, only);
    process.send({ seed, version, transport, ...await runner.check(generate(seed, version), transport) });
  }
  await runner.close();
  process.disconnect();
});
