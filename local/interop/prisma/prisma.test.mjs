// `deo migrate` beside Prisma: neither `prisma db push` nor `prisma migrate dev` drops our indexes, or reports them, once
// the platform's schema has the lines that `deo migrate --prisma` prints.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { promisify } from 'node:util';
import pg from 'pg';
import { Prisma } from './engine.mjs';

const { DEO, DATABASE_URL } = process.env;
if (!DEO || !DATABASE_URL) throw new Error('run this through ./run');

const USER = `
enum UserRole {
  USER
  ADMIN
}

model User {
  id        String   @id
  email     String   @unique
  password  String
  role      UserRole @default(USER)
  createdAt DateTime @default(now())
  updatedAt DateTime @updatedAt
}
`;
const PLATFORM = (await readFile(new URL('../bench/schema.prisma', import.meta.url), 'utf8')) + USER;

let made = 0;
async function database() {
  const url = new URL(DATABASE_URL);
  const admin = new pg.Client(url.href);
  await admin.connect();
  url.pathname = `/prisma_${process.pid}_${made++}`;
  await admin.query(`CREATE DATABASE ${url.pathname.slice(1)}`);
  await admin.end();
  return url.href;
}

async function deo(url, ...args) {
  const env = { ...process.env, DATABASE_URL: url };
  return (await promisify(execFile)(DEO, ['migrate', ...args], { env })).stdout;
}

async function indexes(url) {
  const client = new pg.Client(url);
  await client.connect();
  const { rows } = await client.query(
    `SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND indexdef NOT LIKE 'CREATE UNIQUE%' ORDER BY 1`,
  );
  await client.end();
  return rows.map((row) => row.indexname);
}

/** The platform's schema with the lines that are to go into its models. */
function withLines(printed) {
  let schema = PLATFORM;
  for (const [, model, lines] of printed.matchAll(/^model (\w+) \{\n([^}]*)\}/gm)) {
    const at = schema.indexOf('\n}', schema.indexOf(`model ${model} {`));
    schema = `${schema.slice(0, at)}\n${lines.trimEnd()}${schema.slice(at)}`;
  }
  return schema;
}

const OURS = [
  'DeoScoreSnapshot_projectId_computedAt_idx',
  'deo_CrawlResult_projectId_idx',
  'deo_DeoScoreSnapshot_projectId_computedAt_overallScore_idx',
  'deo_Product_projectId_idx',
];

test('db push leaves our indexes alone with the lines, and drops them without', async () => {
  const url = await database();
  const prisma = await Prisma.on(url, database);
  await prisma.push(PLATFORM);
  await deo(url, '--baseline');
  assert.deepEqual(await indexes(url), OURS);

  const schema = withLines(await deo(url, '--prisma', 'schema'));
  assert.deepEqual(await prisma.push(schema), { executedSteps: 0, unexecutable: [], warnings: [] });
  assert.deepEqual(await indexes(url), OURS);
  assert.match(await deo(url, '--check'), /^nothing is pending/);

  assert.equal((await prisma.push(PLATFORM)).executedSteps, OURS.length, 'what the lines are for');
  assert.deepEqual(await indexes(url), []);
  // With the lines in place before us, Prisma makes the indexes and we take them.
  const other = await database();
  await (await Prisma.on(other, database)).push(schema);
  assert.match(await deo(other, '--baseline'), /V6__scores_by_project: was there already/);
});

test('migrate dev sees no drift once the migration is deployed, and would reset without', async () => {
  const url = await database();
  const prisma = await Prisma.on(url, database);
  const migrations = { '20260101000000_init': await prisma.script(PLATFORM) };
  await prisma.deploy(migrations);
  assert.equal((await prisma.dev(migrations)).tag, 'createMigration');
  await deo(url, '--baseline');
  assert.equal((await prisma.dev(migrations)).tag, 'reset', 'drift is seen at all');

  const schema = withLines(await deo(url, '--prisma', 'schema'));
  migrations['20260102000000_deo_indexes'] = await deo(url, '--prisma', 'migration');
  assert.deepEqual(await prisma.deploy(migrations), ['20260102000000_deo_indexes']);
  assert.equal((await prisma.dev(migrations)).tag, 'createMigration');
  assert.equal(await prisma.next(migrations, schema), null);
  assert.deepEqual(await indexes(url), OURS);
  // And it makes them on a new database, where we come later.
  const other = await database();
  await (await Prisma.on(other, database)).deploy(migrations);
  assert.deepEqual(await indexes(other), OURS);
  await deo(other, '--baseline');
  assert.deepEqual(await indexes(other), OURS);
});
