// Runs every suite against a gateway and a Redis of its own: `node run.mjs`.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { run } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('../../../', import.meta.url));
process.chdir(here);

/** What the suites need, fetched once; both lists are pinned. */
function install() {
  if (!existsSync('node_modules')) execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { stdio: 'inherit' });
  if (!existsSync('.venv/installed') || readFileSync('.venv/installed', 'utf8') !== readFileSync('requirements.txt', 'utf8')) {
    execFileSync('python3', ['-m', 'venv', '.venv'], { stdio: 'inherit' });
    execFileSync('.venv/bin/pip', ['install', '--quiet', '--requirement', 'requirements.txt'], { stdio: 'inherit' });
    execFileSync('cp', ['requirements.txt', '.venv/installed']);
  }
}

/** The `deo` binary: the one that `DEO` names, else built from this tree. */
function deo() {
  if (process.env.DEO) return process.env.DEO;
  execFileSync('cargo', ['build', '--quiet', '--package', 'local'], { cwd: root, stdio: 'inherit' });
  return `${process.env.CARGO_TARGET_DIR ?? `${root}target`}/debug/deo`;
}

/** A gateway in front of a private Redis. */
async function gateway() {
  const [token, readOnlyToken] = [randomUUID(), randomUUID()];
  const { REDIS_URL, ...env } = process.env;
  const args = ['rest-gateway', '--json', '--listen', '127.0.0.1:0', '--token', token, '--read-only-token', readOnlyToken];
  const child = spawn(deo(), args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const [line] = await Promise.race([
    createInterface(child.stdout)[Symbol.asyncIterator]().next().then(({ value }) => [value]),
    exited.then((code) => { throw new Error(`the gateway ended with ${code}`); }),
  ]);
  Object.assign(process.env, { UPSTASH_REDIS_REST_URL: JSON.parse(line).url, UPSTASH_REDIS_REST_TOKEN: token, READ_ONLY_TOKEN: readOnlyToken });
  return async () => {
    child.kill('SIGTERM');
    await exited;
  };
}

const count = { passed: 0, failed: 0 };

function report(passed, name, why) {
  count[passed ? 'passed' : 'failed'] += 1;
  if (!passed) console.error(`FAILED ${name}\n${why}\n`);
}

/** One file after the other: the last tests of some empty the whole database. */
async function node(files) {
  const path = [];
  for await (const { type, data } of run({ files: files.map((file) => here + file), concurrency: 1 })) {
    if (type === 'test:start') path.splice(data.nesting, Infinity, data.name);
    const isSuite = data?.details?.type === 'suite' || data?.name?.endsWith?.('.mjs');
    if ((type === 'test:pass' || type === 'test:fail') && !isSuite) {
      const name = [...path.slice(0, data.nesting), data.name].join(' > ');
      report(type === 'test:pass', name, data.details.error?.cause?.stack ?? data.details.error);
    } else if (type === 'test:fail' && data.details.error?.failureType !== 'subtestsFailed') {
      report(false, data.name, data.details.error);
    }
  }
}

/** Python's tests print a line of JSON each. */
async function python() {
  const child = spawn('.venv/bin/python', ['test_sdk.py'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  for await (const line of createInterface(child.stdout)) {
    const { passed, name, why } = JSON.parse(line);
    report(passed, `python > ${name}`, why);
  }
  const code = await exited;
  if (code !== 0) report(false, 'python', `ended with ${code}`);
}

/** `deo bench rest` for a moment: that it works, not how fast. */
function bench() {
  const name = 'deo bench rest';
  const args = ['bench', 'rest', '--json', '--rounds', '1', '--millis', '100', '--sdk', here];
  const { status, stdout, stderr } = spawnSync(deo(), args, { encoding: 'utf8' });
  try {
    const { lines } = JSON.parse(stdout);
    const idle = lines.filter(({ median }) => !(median.per_cpu_second > 0));
    // A release build ends with 1 when it misses a bar, which in so short a time says nothing.
    report([0, 1].includes(status) && lines.length === 10 && idle.length === 0, name, stdout);
  } catch (error) {
    report(false, name, `${error}\n${stderr}`);
  }
}

install();
const stop = await gateway();
try {
  await node(['batches.test.mjs', 'libraries.test.mjs', 'commands.test.mjs']);
  await python();
  bench();
} finally {
  await stop();
}
console.log(`${count.passed} passed, ${count.failed} failed`);
process.exit(count.failed === 0 && count.passed > 0 ? 0 : 1);
