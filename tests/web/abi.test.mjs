// What the page reads in the wasm memory lies where the compiler and the runtime have it: runtime-js/abi.js against
// include/webnnc/abi.def and abi.h, which are C++.
//
//   node --test tests/web/abi.test.mjs

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as abi from '../../runtime-js/abi.js';

const include = join(dirname(fileURLToPath(import.meta.url)), '../../include/webnnc');

/** 'kNoOffset', 'buffer_count' -> 'NO_OFFSET', 'BUFFER_COUNT' @param {string} name */
const inJavaScript = (name) => name.replace(/^k(?=[A-Z])/, '').replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase();

/** Offsets of all fields in words, and how many words a record has. @returns {Map<string, number>} */
function offsetsOf(/** @type {string} */ table) {
  const offsets = new Map();
  for (const [, record, field] of table.matchAll(/^FIELD\((\w+), [^,]+, (\w+)\)/gm)) {
    const words = `${inJavaScript(record)}_WORDS`, count = offsets.get(words) ?? 0;
    offsets.set(`${inJavaScript(record)}_${inJavaScript(field)}`, count);
    offsets.set(words, count + 1);
  }
  return offsets;
}

/** @returns {Map<string, number>} */
function constantsOf(/** @type {string} */ header) {
  const constants = header.matchAll(/\b(k[A-Z]\w*) = (0x[0-9a-f]+|\d+)[,; ]/g);
  return new Map([...constants].map(([, name, value]) => [inJavaScript(name), Number(value)]));
}

test('abi.js has the numbers of abi.def and abi.h', () => {
  const offsets = offsetsOf(readFileSync(join(include, 'abi.def'), 'utf8'));
  const constants = constantsOf(readFileSync(join(include, 'abi.h'), 'utf8'));
  for (const record of ['MODEL', 'PORT', 'PROGRAM', 'BUFFER', 'DISPATCH', 'COMMAND']) assert.ok(offsets.has(`${record}_WORDS`), record);
  for (const [name, value] of Object.entries(abi)) {
    const expected = [offsets, constants].map((numbers) => numbers.get(name)).filter((number) => number !== undefined);
    assert.deepEqual([value], expected, name);
  }
});
