// Reads the examples of the documentation as the compiler does, so that they stay true.
//
//   examples.mjs GOLDEN FILE.md...
//
// GOLDEN is the program of tests/golden.cpp. What a fenced block holds stands behind its fence:
//
//   ```graph       a graph; parsed and verified
//   ```kernel      a kernel, run on made-up data; ```kernel plain and ```kernel flat are checked to be so
//   ```schedule    a schedule by itself
//   ```golden      a whole golden test, output included; ```golden fail one that gives an error
//
// Blocks of other kinds are not looked at.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

const STEPS = {
  graph: 'graph',
  kernel: 'kernel',
  'kernel plain': 'plain',
  'kernel flat': 'verify-flat',
  schedule: 'schedule-text',
};

/** The blocks of a page: what they are, their text, and the line that they begin in. */
function* blocksOf(markdown) {
  const fences = /^```([a-z ]+)\n(.*?)^```$/gms;
  for (const { 1: kind, 2: text, index } of markdown.matchAll(fences)) {
    yield { kind, text, line: markdown.slice(0, index).split('\n').length };
  }
}

/** The golden test that a block is, or nothing for blocks of other kinds. */
function testOf({ kind, text }) {
  if (kind === 'golden' || kind === 'golden fail') return { text, fails: kind !== 'golden', update: false };
  if (!(kind in STEPS)) return undefined;
  // What is printed is not of interest, only that it is accepted.
  return { text: `; RUN: ${STEPS[kind]}\n${text}; EXPECT\n`, fails: false, update: true };
}

const [golden, ...pages] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'webnnc-examples-'));
let passed = 0, failed = 0;
try {
  for (const page of pages) {
    for (const block of blocksOf(readFileSync(page, 'utf8'))) {
      const test = testOf(block);
      if (!test) continue;
      const file = join(folder, `${test.fails ? 'fail_' : ''}${basename(page, '.md')}_${block.line}.test`);
      writeFileSync(file, test.text);
      try {
        execFileSync(golden, [...(test.update ? ['--update'] : []), file], { encoding: 'utf8', stdio: 'pipe' });
        passed += 1;
      } catch (error) {
        console.log(`${page}:${block.line}: ${error.stdout ?? error}`);
        failed += 1;
      }
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
console.log(`${passed} examples passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
