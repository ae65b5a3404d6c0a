// --state, and what is found without it: which outputs are inputs of the next run.
//
//   WEBNNC=build/webnnc node --test tests/cli/states.test.mjs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { onnxModel } from '../onnx_model.mjs';

const webnnc = process.env.WEBNNC ?? 'build/webnnc';
/** @type {string} */
let folder;
before(() => { folder = mkdtempSync(join(tmpdir(), 'webnnc-states-')); });
after(() => rmSync(folder, { recursive: true }));

/** @param {Buffer} model @param {string[]} flags */
function compile(model, ...flags) {
  const out = mkdtempSync(join(folder, 'out-'));
  writeFileSync(join(folder, 'model.onnx'), model);
  const { status, stderr } = spawnSync(webnnc, [join(folder, 'model.onnx'), '-o', out, '--target', 'wasm', '--quiet', ...flags],
    { encoding: 'utf8', timeout: 60000 });
  return { status, stderr, out };
}

/** The manifest's state. @param {Buffer} model @param {string[]} flags */
async function statesOf(model, ...flags) {
  const { status, stderr, out } = compile(model, ...flags);
  assert.equal(status, 0, stderr);
  const module = await WebAssembly.compile(readFileSync(join(out, 'model.wasm')));
  const [section] = WebAssembly.Module.customSections(module, 'webnnc.manifest');
  const { state = [] } = JSON.parse(new TextDecoder().decode(section));
  return state.map((/** @type {any} */ { input, output }) => `${input}=${output}`);
}

/** y = x + s, and s of the next run is y. @param {string} input @param {string} output @param {any[]} [shape] of the output */
const sum = (input, output, shape = [2]) => onnxModel({
  inputs: { x: ['f32', [2]], [input]: ['f32', [2]] }, outputs: { y: ['f32', [2]], [output]: ['f32', shape] },
  nodes: [{ op: 'Add', inputs: ['x', input], outputs: ['y'] },
    shape.length === 1 ? { op: 'Identity', inputs: ['y'], outputs: [output] } : { op: 'Unsqueeze', inputs: ['y', 'zero'], outputs: [output] }],
  constants: { zero: [0n] },
});

test('exporters\' names tell what is state', async () => {
  const names = [['h', 'hn'], ['state', 'stateN'], ['past_0', 'present_0'], ['past_key_values.3.key', 'present.3.key'],
    ['past_key_1', 'present_key_1'], ['conv_cache', 'conv_cache_out'], ['state_in', 'state_out'], ['h0', 'hn'], ['c', 'next_c']];
  for (const [input, output] of names) assert.deepEqual(await statesOf(sum(input, output)), [`${input}=${output}`]);
  for (const [input, output] of [['b', 'bn'], ['image', 'image_out'], ['h', 'logits']]) assert.deepEqual(await statesOf(sum(input, output)), []);
  // Of other types it is something else.
  assert.deepEqual(await statesOf(sum('h', 'hn', [1, 2])), []);
  assert.deepEqual(await statesOf(sum('h', 'hn'), '--state', 'none'), []);
  assert.deepEqual(await statesOf(sum('b', 'y2'), '--state', 'b=y2'), ['b=y2']);
});

test('a state need not be given, and goes on from run to run', async () => {
  const { out } = compile(sum('a=b', 'c'), '--state', 'a=b=c');
  const { load } = await import(pathToFileURL(join(out, 'model.js')).href), model = await load({ backend: 'wasm' });
  const x = Float32Array.of(1, 2);
  for (const times of [1, 2, 3]) {
    const outputs = await model.run({ x });
    assert.deepEqual([...outputs.y.data], [times, 2 * times]);
    assert.equal(outputs.c, undefined);
  }
  // Who gives all of it is given all of it, and it goes on from there.
  const own = await model.run({ x, 'a=b': Float32Array.of(10, 10) });
  assert.deepEqual([[...own.y.data], [...own.c.data]], [[11, 12], [11, 12]]);
  assert.deepEqual([...(await model.run({ x })).y.data], [12, 14]);
  await model.state.reset();
  assert.deepEqual([...(await model.run({ x })).y.data], [1, 2]);
  model.dispose();
  const declarations = readFileSync(join(out, 'model.d.ts'), 'utf8');
  assert.match(declarations, /'a=b'\?: 'float32'/);
  assert.match(declarations, /\bc\?: 'float32'/);
});

test('what cannot be state is refused by name', () => {
  for (const [flags, ...texts] of /** @type {[string[], ...RegExp[]][]} */ ([
    [['--state', 'h=nothing'], /--state h=nothing/, /"h"/, /"hn"/],
    [['--state', 'h'], /INPUT=OUTPUT/],
    [['--state', 'h=hn', '--state', 'h=y'], /"h" twice/],
  ])) {
    const { status, stderr } = compile(sum('h', 'hn'), ...flags);
    assert.notEqual(status, 0);
    for (const text of texts) assert.match(stderr, text);
  }
  const { stderr } = compile(sum('h', 'hn', [1, 2]), '--state', 'h=hn');
  assert.match(stderr, /the input is f32\[2\], the output f32\[1,2\]/);
});
