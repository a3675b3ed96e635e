// What the tests share: BullMQ in three versions, the `deo` binary, and the servers that
// `deo with-servers` put into the environment.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import pg from 'pg';
import { Redis } from './modules.mjs';

export { FIVE, NEWEST, OLDEST, VERSIONS } from './modules.mjs';
export const QUEUE = 'deo_score_queue';

const { DEO, REDIS_URL, DATABASE_URL, DEO_API_URL } = process.env;
if (!DEO || !REDIS_URL || !DATABASE_URL) {
  throw new Error('run this through `deo with-servers -- npm test`, see README.md');
}

const url = new URL(REDIS_URL);
export const connection = {
  host: url.hostname,
  port: Number(url.port),
  maxRetriesPerRequest: null,
};

export const redis = new Redis(REDIS_URL);
export const database = new pg.Pool({ connectionString: DATABASE_URL, max: 2 });

/** Runs `deo` and parses what it prints as JSON. */
export async function deo(args, env = {}) {
  const { stdout } = await promisify(execFile)(DEO, args, {
    env: { ...process.env, ...env },
    maxBuffer: 64 << 20,
  });
  return JSON.parse(stdout);
}

export const drain = (env) => deo(['drain', '--until-empty', '--json'], env);

/** Asks for a recompute as the web application does. */
export async function recompute(projectId, body = {}) {
  const user = (await database.query('SELECT "userId" FROM "Project" WHERE id = $1', [projectId])).rows[0].userId;
  const { token } = await deo(['token', '--user', user, '--json']);
  const response = await fetch(`${DEO_API_URL}/projects/${projectId}/deo-score/recompute`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** A project of its own for each test. */
export async function project() {
  const { rows } = await database.query(
    `INSERT INTO "Project" (id, "userId", name) SELECT 'p-' || gen_random_uuid(), id, 'interop' FROM "User" LIMIT 1 RETURNING id`);
  return rows[0].id;
}

export async function snapshots(projectId) {
  const { rows } = await database.query('SELECT id, "overallScore" FROM "DeoScoreSnapshot" WHERE "projectId" = $1', [projectId]);
  return rows;
}

/** An event of an emitter, as a promise. */
export const once = (emitter, event) => new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
