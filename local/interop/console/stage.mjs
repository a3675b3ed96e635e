// What the tests stand on: `deo up` with a past of its own, a platform's page, and Chromium.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const pg = createRequire(new URL('../bullmq/', import.meta.url))('pg');
const axe = await readFile(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
const { DEO, CHROMIUM, PICTURES } = process.env;

const PROGRAM = CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** A page of the platform's, on an origin of its own: it opens the console or frames it, and hands over a token. */
async function platform() {
  const page = (request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end('<!doctype html><title>Platform</title><body>');
  };
  const server = createServer(page).listen(0, 'localhost');
  await once(server, 'listening');
  return { server, origin: `http://localhost:${server.address().port}` };
}

/** Starts everything. */
export async function stage() {
  const { server, origin } = await platform();
  const up = spawn(DEO, ['up', '--json', '--no-board', '--every', '1s', '--listen', '127.0.0.1:0', '--rest-listen', '127.0.0.1:0'], {
    env: { ...process.env, CORS_ORIGINS: origin, API_QUEUE_OPERATIONS: 'true' }, stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: up.stdout });
  const line = await Promise.race([once(lines, 'line'), once(up, 'exit')]);
  if (typeof line[0] !== 'string') throw new Error(`deo up ended: ${line[0]}`);
  const places = JSON.parse(line[0]);
  const database = new pg.Pool({ connectionString: places.databaseUrl, max: 2 });
  const browser = await chromium.launch({ executablePath: PROGRAM, args: FLAGS });
  return {
    places, database, browser, origin,
    /** Asks for recomputes of these projects, whether there are such or not. */
    enqueue: async (...projects) => {
      const env = { ...process.env, REDIS_URL: places.redisUrl, DATABASE_URL: places.databaseUrl };
      const child = spawn(DEO, ['enqueue', ...projects.flatMap((id) => ['--project', id])], { env, stdio: 'ignore' });
      const [code] = await once(child, 'exit');
      if (code !== 0) throw new Error(`deo enqueue ended with ${code}`);
    },
    stop: async () => {
      await browser.close();
      await database.end();
      server.close();
      up.kill('SIGTERM');
      await once(up, 'exit');
    },
  };
}

/** A project's past: nightly snapshots before its real one, with a fall two weeks ago. */
export async function past(database, projectId, nights = 120) {
  await database.query(`
    INSERT INTO "DeoScoreSnapshot" (id, "projectId", "overallScore", "contentScore", "entityScore", "technicalScore",
      "visibilityScore", version, metadata, "computedAt", "updatedAt")
    SELECT 'night-' || n, "projectId", s, s + 6, s - 4, s + 2, s - 6, version, metadata,
      date_trunc('day', now() at time zone 'UTC') + interval '2 hours' - n * interval '1 day', now()
    FROM (SELECT DISTINCT ON ("projectId") * FROM "DeoScoreSnapshot" WHERE "projectId" = $1 ORDER BY "projectId", "computedAt") AS first,
      generate_series(1, $2::int) AS n,
      LATERAL (SELECT round("overallScore" + 8 - n / 14.0 + 2.5 * sin(n / 4.0) - CASE WHEN n < 14 THEN 6 ELSE 0 END)::int AS s) AS scored`, [projectId, nights]);
}

/** What is wrong on the page in axe's eyes, of what is serious. */
export async function findings(page) {
  // The page's policy lets no script in: axe comes through the debugger.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  return violations.filter((it) => ['serious', 'critical'].includes(it.impact)).map((it) => `${it.id}: ${it.nodes.map((node) => node.target).join(', ')}`);
}

/** Keeps a picture of the whole page. */
export const picture = (page, name) => page.screenshot({ path: `${PICTURES}/${name}.png`, fullPage: true });
