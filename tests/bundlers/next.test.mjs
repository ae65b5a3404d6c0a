// Two models in a project of Next: in a page and in an API route, made by Turbopack and by webpack, built and in development.
// A build warns of nothing.
//
//   WEBNNC=build/webnnc node --test tests/bundlers/next.test.mjs

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { hasBrowser, launch } from '../web/harness.mjs';
import { RUN_IN_PAGE, compileModels, runModule } from './models.mjs';
import { EXPECTED, checkPage } from './pages.mjs';

const here = fileURLToPath(new URL('.', import.meta.url)), next = join(here, 'node_modules/next/dist/bin/next');
// Turbopack takes no packages from outside of the project.
const app = mkdtempSync(join(here, '.work-next-'));
after(() => rmSync(app, { recursive: true, force: true }));

/** @type {Record<string, string>} */
const FILES = {
  'package.json': '{ "private": true, "type": "module" }',
  'next.config.mjs': `export default { turbopack: { root: ${JSON.stringify(here)} }, outputFileTracingRoot: ${JSON.stringify(here)}, devIndicators: false };`,
  'models/run.js': runModule(),
  'app/layout.js': 'export default function Layout({ children }) { return <html><head><link rel="icon" href="data:," /></head><body>{children}</body></html>; }',
  'app/page.js': `'use client';
    import { useEffect } from 'react';
    import { run } from '../models/run.js';
    export default function Page() {
      useEffect(() => { ${RUN_IN_PAGE.replace('globalThis.result =', 'const results =')} results.then((result) => globalThis.result = result); }, []);
      return <p>two models</p>;
    }`,
  'app/api/run/route.js': `import { run } from '../../../models/run.js';
    export const dynamic = 'force-dynamic';
    export const GET = async () => Response.json(await run({ backend: 'wasm' }).catch(String));`,
};
for (const [name, text] of Object.entries(FILES)) {
  mkdirSync(join(app, name, '..'), { recursive: true });
  writeFileSync(join(app, name), text);
}
compileModels(join(app, 'models'));
// On a CI machine Next warns of a missing cache, whatever it builds.
mkdirSync(join(app, '.next/cache'), { recursive: true });
const env = { ...process.env, NEXT_TELEMETRY_DISABLED: '1' };

describe('in Next', { skip: hasBrowser('chromium') ? false : 'there is no Chromium' }, () => {
  /** @type {Awaited<ReturnType<typeof launch>>} */ let browser;
  before(async () => {
    browser = await launch('chromium');
  });
  after(() => browser.close());

  /** Starts a server of Next, and checks its page and its route. @param {string[]} args */
  async function check(...args) {
    const server = spawn(process.execPath, [next, ...args, '--port', '0'], { cwd: app, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = new Promise((done) => server.once('exit', done));
    try {
      let said = '';
      const url = await new Promise((done, fail) => {
        for (const stream of [server.stdout, server.stderr]) {
          stream.setEncoding('utf8').on('data', (text) => {
            const found = /Local:\s+(http:\S+)/.exec(said += text);
            if (found) done(found[1]);
          });
        }
        ended.then(() => fail(new Error(said)));
      });
      assert.equal(await (await fetch(`${url}/api/run`)).json(), EXPECTED[0]);
      await checkPage(browser, url);
    } finally {
      server.kill();
      await ended;
    }
  }

  for (const bundler of ['--turbopack', '--webpack']) {
    test(`with ${bundler}, built`, async () => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [next, 'build', bundler], { cwd: app, env, encoding: 'utf8' });
      assert.equal(status, 0, stdout + stderr);
      assert.doesNotMatch(stdout + stderr, /warn|⚠/i);
      await check('start');
    });

    test(`with ${bundler}, in development`, () => check('dev', bundler));
  }
});
