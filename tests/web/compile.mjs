// Small models for tests, compiled by webnnc into a folder that is there as long as the tests run.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { pathToFileURL } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';

const webnnc = process.env.WEBNNC ?? 'build/webnnc', folder = mkdtempSync(join(tmpdir(), 'webnnc-tests-'));
after(() => rmSync(folder, { recursive: true }));

/** The bundle's folder, and what its model.js has. @param {Parameters<typeof onnxModel>[0]} model @param {string[]} flags */
export async function compile(model, ...flags) {
  const out = mkdtempSync(join(folder, 'out-')), file = join(folder, 'model.onnx');
  writeFileSync(file, onnxModel(model));
  execFileSync(webnnc, [file, '-o', out, '--no-report', '--quiet', ...flags]);
  return { out, ...await import(pathToFileURL(join(out, 'model.js')).href) };
}
