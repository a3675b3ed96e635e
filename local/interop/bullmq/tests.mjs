// Runs test files one after the other: node tests.mjs FILE... Says at the end how many passed.
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

let passed = 0;
let failed = 0;
const stream = run({ files: process.argv.slice(2).map((file) => new URL(file, `file://${process.cwd()}/`).pathname), concurrency: 1 });
// A suite's verdict is that of its tests, and a file's that of its suites.
const counts = ({ details, nesting, file, name }) => details?.type !== 'suite' && !(nesting === 0 && name === file);
stream.on('test:pass', (event) => { if (counts(event)) passed += 1; });
let broken = false;
stream.on('test:fail', (event) => {
  broken = true;
  if (counts(event)) failed += 1;
});
stream.compose(new spec()).pipe(process.stdout);
stream.on('end', () => process.on('exit', () => {
  // A file that breaks before its first test has failed, too.
  if (broken && failed === 0) failed = 1;
  console.log(`${passed} passed, ${failed} failed`);
  if (failed > 0) process.exitCode = 1;
}));
