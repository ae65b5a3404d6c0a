// Prints how a run of ctest ended, from its JUnit report, and fails if a test did.
//
//   node tools/summarize.mjs REPORT.xml

import { readFileSync } from 'node:fs';

const report = readFileSync(process.argv[2], 'utf8');
const statuses = [...report.matchAll(/<testcase name="([^"]*)"[^>]*\bstatus="([^"]*)"/g)];
/** @param {string} status */
const named = (status) => statuses.filter((test) => test[2] === status).map((test) => test[1]);

const skipped = [...named('notrun'), ...named('disabled')], failed = named('fail');
for (const name of skipped) console.log(`not run: ${name}`);
for (const name of failed) console.log(`failed: ${name}`);
console.log(`${named('run').length} passed, ${failed.length} failed`);
process.exitCode = failed.length > 0 || statuses.length === 0 ? 1 : 0;
