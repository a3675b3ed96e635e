// Proves that the proof bites: breaks one rule after the other, and says which test noticed.
//   node local/interop/differential/mutate.mjs ['WORDS of a rule'...]
// Each is built and run, which takes half a minute to a minute. It edits the sources in place and puts them
// back; run it on a clean tree. Prints a table in Markdown, and fails if a broken rule went unnoticed.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { MUTATIONS } from './mutations.mjs';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const here = fileURLToPath(new URL('.', import.meta.url));
const cargo = (...args) => spawnSync('cargo', args, { cwd: root, encoding: 'utf8' });
const { target_directory: target } = JSON.parse(execFileSync('cargo', ['metadata', '--format-version', '1', '--no-deps'], { cwd: root, maxBuffer: 1 << 28 }));

/** What is tried, in this order: the first to fail is who noticed. */
const JUDGES = [
  ['sequences', () => spawnSync(`${target}/debug/deo`, ['with-servers', '--', 'node', 'main.mjs', '--sequences', '2000', '--give-up-after', '1'], { cwd: here, encoding: 'utf8' })],
  ['cases', () => spawnSync(`${target}/debug/deo`, ['with-servers', '--', 'node', '--test', '--test-reporter=spec', 'regressions.test.mjs', 'differences.test.mjs'], { cwd: here, encoding: 'utf8' })],
  ['queue tests', () => cargo('test', '--quiet', '--package', 'local', '--test', 'queue', '--', '--skip', 'model::', '--skip', 'totality::')],
  ['unit tests', () => cargo('test', '--quiet', '--package', 'batchmq', '--lib')],
];

/** The seed and the first thing that differed, or the first test that failed. */
function verdict(name, output) {
  const found = /seed (\d+) \(BullMQ ([^,]+), (\w+)/.exec(output);
  const step = /^at step \d+ \((\w+)\):\n +(.+)$/m.exec(output);
  if (found && step) return `${name}: seed ${found[1]}, BullMQ ${found[2]}, step \`${step[1]}\`: \`${step[2].slice(0, 90).replaceAll('|', '/')}\``;
  const failed = /^✖ (.+?): (\d\S+)/m.exec(output);
  if (failed) return `${name}: ${failed[1]} (${failed[2]})`;
  const error = /^(?:\w*Error): (.+)$/m.exec(output);
  if (error && !output.includes('---- ')) return `${name}: \`${error[1].slice(0, 90)}\``;
  const test = /---- (\S+) stdout ----/.exec(output);
  return `${name}: ${test ? `\`${test[1]}\`` : output.trim().split('\n').at(-1)}`;
}

function judge() {
  const built = cargo('build', '--quiet', '--locked', '--package', 'local');
  if (built.status !== 0) return { noticed: false, by: `does not compile: ${built.stderr.slice(0, 300)}` };
  for (const [name, run] of JUDGES) {
    const { status, stdout, stderr } = run();
    if (status !== 0) return { noticed: true, by: verdict(name, `${stdout}\n${stderr}`) };
  }
  return { noticed: false, by: '**nobody**' };
}

// Whoever interrupts it finds the sources as they were.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
let unnoticed = 0;
const wanted = process.argv.slice(2);
const chosen = MUTATIONS.filter(([section, rule]) => wanted.length === 0 || wanted.some((words) => `${section} ${rule}`.includes(words)));
console.log('| Section | Broken rule | Noticed by |\n|---|---|---|');
for (const [section, rule, file, text, broken] of chosen) {
  // What runs a rule waits for it: a signal comes through between two.
  await new Promise((resolve) => setImmediate(resolve));
  const path = `${root}/${file}`;
  const source = readFileSync(path, 'utf8');
  const restore = () => writeFileSync(path, source);
  process.on('exit', restore);
  try {
    writeFileSync(path, source.replace(text, () => broken));
    const { noticed, by } = judge();
    if (!noticed) unnoticed += 1;
    console.log(`| ${section} | ${rule} | ${by} |`);
  } finally {
    restore();
    process.off('exit', restore);
  }
}
cargo('build', '--quiet', '--locked', '--package', 'local');
process.exitCode = unnoticed > 0 ? 1 : 0;
