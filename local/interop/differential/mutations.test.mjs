// The edits of mutations.mjs still apply, at least two to each section: what they prove is run by mutate.mjs.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { MUTATIONS } from './mutations.mjs';

for (const [section, rule, file, text, broken] of MUTATIONS) {
  test(`${section}: ${rule}`, () => {
    const source = readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8');
    assert.equal(source.split(text).length, 2, `${file} holds it once: ${text}`);
    assert.notEqual(text, broken);
  });
}

test('at least two of each section', () => {
  for (let number = 2; number <= 9; number += 1) {
    assert.ok(MUTATIONS.filter(([section]) => section.startsWith(`${number} `)).length >= 2, `section ${number}`);
  }
});
