// Real browsers for tests: a file server, and Chromium or Firefox with software WebGPU.
//
//   const server = await serve({ '/': 'out' });
//   const browser = await launch('chromium');
//   const page = await browser.open(`${server.url}/index.html`);
//   const sum = await page.evaluate((a, b) => a + b, 1, 2);
//   await browser.close();
//   await server.close();
//
// WebGPU runs on SwiftShader in Chromium and on Mesa's lavapipe in Firefox, so results do not depend
// on the machine. Their times say nothing about a GPU.

import { existsSync } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, resolve, sep } from 'node:path';

/** The policy under which a bundle must work. */
export const STRICT_CSP = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";

// ---- Server

/** How much of a file is read at once, in bytes. */
const CHUNK = 1 << 20;

/** @type {Record<string, string>} */
const TYPES = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8', '.wasm': 'application/wasm', '.json': 'application/json',
  '.png': 'image/png', '.jpg': 'image/jpeg', '.css': 'text/css; charset=utf-8',
};

/**
 * @typedef {object} ServeOptions
 * @property {number} [port]
 * @property {string} [csp] a Content-Security-Policy for every response
 * @property {boolean} [ranges] whether range requests are answered as such; true if not given
 * @property {boolean} [isolate] cross-origin isolation, which gives pages a finer clock
 * @property {(path: string) => Promise<void> | void} [before] called before each response
 * @property {(path: string) => number} [cut] after how many bytes the connection breaks; never if not given
 * @property {Record<string, string> | ((path: string) => Record<string, string>)} [headers] more, or others, for every response
 */

/**
 * Serves folders on the loopback interface. The longest prefix of a path that `mounts` names wins.
 *
 * @param {Record<string, string>} mounts path prefix -> folder
 * @param {ServeOptions} [options]
 * @returns {Promise<{url: string, log: {path: string, query: string, status: number, bytes: number}[], close: () => Promise<void>}>}
 */
export async function serve(mounts, { port = 0, csp, ranges = true, isolate = false, before, cut, headers: more } = {}) {
  /** @type {{path: string, query: string, status: number, bytes: number}[]} */
  const log = [];
  const common = (/** @type {string} */ path) => ({
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...(csp && { 'Content-Security-Policy': csp }),
    ...(isolate && {
      'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp',
    }),
    ...(typeof more === 'function' ? more(path) : more),
  });
  const server = createServer(async (request, response) => {
    const { pathname, search: query } = new URL(request.url ?? '/', 'http://host'), path = decodeURIComponent(pathname);
    await before?.(path);
    const file = await locate(mounts, path);
    if (!file) {
      // Browsers ask for an icon by themselves: not worth an error in their consoles.
      const status = path === '/favicon.ico' ? 204 : 404;
      log.push({ path, query, status, bytes: 0 });
      response.writeHead(status, common(path)).end();
      return;
    }
    const { size } = await stat(file);
    let first = 0, end = size, status = 200;
    /** @type {Record<string, string | number>} */
    const headers = { 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream', ...common(path) };
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    if (range && ranges) {
      first = Math.min(Number(range[1]), size);
      end = Math.max(first, range[2] ? Math.min(Number(range[2]) + 1, size) : size);
      headers['Content-Range'] = `bytes ${range[1]}-${end - 1}/${size}`;
      status = 206;
    }
    const bytes = Math.min(end - first, cut?.(path) ?? Infinity), isWhole = bytes === end - first;
    log.push({ path, query, status, bytes });
    response.writeHead(status, { ...headers, 'Content-Length': end - first });
    if (request.method !== 'HEAD') await send(response, file, first, first + bytes);
    if (isWhole) response.end();
    else setTimeout(() => response.destroy(), 50);
  });
  await new Promise((done, fail) => {
    server.once('error', fail).listen(port, '127.0.0.1', () => done(undefined));
  });
  const address = server.address();
  if (!address || typeof address === 'string') throw new Error('the server has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    log,
    close: () => new Promise((done) => {
      server.close(() => done());
      server.closeAllConnections();
    }),
  };
}

/**
 * Sends a part of a file. Headers do not wait until all is read, and all goes through the same memory: new memory for
 * each chunk takes as long as all else, which those who time downloads would measure.
 *
 * @param {import('node:http').ServerResponse} response @param {string} path @param {number} first @param {number} end
 */
async function send(response, path, first, end) {
  const file = await open(path), memory = Buffer.allocUnsafe(Math.min(CHUNK, end - first));
  const closed = new Promise((done) => response.once('close', done));
  try {
    for (let at = first; at < end && !response.destroyed;) {
      const { bytesRead } = await file.read(memory, 0, Math.min(memory.length, end - at), at);
      if (!bytesRead) throw new Error(`${path} has become shorter`);
      at += bytesRead;
      await Promise.race([closed, new Promise((done) => response.write(memory.subarray(0, bytesRead), done))]);
    }
  } finally {
    await file.close();
  }
}

/** @param {Record<string, string>} mounts @param {string} path */
async function locate(mounts, path) {
  const prefix = Object.keys(mounts).sort((a, b) => b.length - a.length)
    .find((p) => p === '/' || path === p || path.startsWith(`${p}/`));
  if (prefix === undefined) return null;
  const root = resolve(mounts[prefix]);
  let file = join(root, prefix === '/' ? path : path.slice(prefix.length));
  if (file !== root && !file.startsWith(root + sep)) return null;
  const info = await stat(file).catch(() => null);
  if (info?.isDirectory()) file = join(file, 'index.html');
  return existsSync(file) ? file : null;
}

// ---- Browsers

const PROGRAMS = { chromium: '/usr/bin/chromium', firefox: '/usr/bin/firefox-esr' };
const LAVAPIPE = '/usr/share/vulkan/icd.d/lvp_icd.x86_64.json';

/** @param {'chromium' | 'firefox'} name */
export const hasBrowser = (name) => existsSync(PROGRAMS[name]);

/**
 * What playwright's and puppeteer's pages have in common.
 *
 * @typedef {object} Page
 * @property {string[]} problems errors and warnings of the console, and uncaught exceptions
 * @property {string[]} failed addresses of requests that did not end well (Chromium)
 * @property {(body: (...args: any[]) => any, ...args: unknown[]) => Promise<any>} evaluate
 *   runs a function in the page; arguments and result must be JSON
 * @property {(body: (...args: any[]) => any, ...args: unknown[]) => Promise<void>} until
 *   waits until the function's result is true
 * @property {(selector: string, files: string[]) => Promise<void>} choose sets a file input's files
 * @property {(body: (...args: any[]) => any, ...args: any[]) => Promise<{name: string, bytes: Buffer}>} download
 *   runs a function that saves a file, and gives the file (Chromium)
 * @property {(key: string) => Promise<void>} press a key, such as "Tab"
 * @property {(work: () => Promise<void>) => Promise<number[]>} tasks how long the page's thread itself was busy with each
 *   task of the work, in ms (Chromium)
 * @property {(url: string) => Promise<void>} visit goes to another page
 * @property {(path: string) => Promise<void>} screenshot the whole page as PNG
 * @property {() => Promise<void>} loseGpu crashes the GPU process (Chromium)
 * @property {() => Promise<void>} close
 */

/**
 * @typedef {object} LaunchOptions
 * @property {boolean} [gpu] whether there is a WebGPU adapter; true if not given
 * @property {string[]} [args] more flags for the browser
 */

/**
 * @typedef {object} OpenOptions
 * @property {{width: number, height: number}} [viewport]
 * @property {boolean} [dark]
 * @property {boolean} [still] whether motion is to be reduced (Chromium)
 * @property {number} [timeout] of waiting, in ms; 60 s if not given
 * @property {() => void} [before] runs in the page before its own scripts (Chromium)
 */

/**
 * @param {'chromium' | 'firefox'} name
 * @param {LaunchOptions} [options]
 * @returns {Promise<{open: (url: string, options?: OpenOptions) => Promise<Page>, close: () => Promise<void>}>}
 */
export function launch(name, options = {}) {
  return name === 'firefox' ? launchFirefox(options) : launchChromium(options);
}

/** @param {LaunchOptions} options */
async function launchChromium({ gpu = true, args = [] }) {
  const { chromium } = await import('playwright-core');
  const browser = await chromium.launch({
    executablePath: PROGRAMS.chromium,
    args: [
      '--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
      // The first flag is what admits SwiftShader, a fallback adapter, at all. It compiles slowly (dawn.mjs),
      // and on a busy machine so slowly that Chromium would end its process.
      ...(gpu ? ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--disable-gpu-watchdog',
        '--enable-dawn-features=disable_workgroup_init'] : []), ...args,
    ],
  });
  return {
    /** @param {string} url @param {OpenOptions} [options] @returns {Promise<Page>} */
    async open(url, { viewport, dark, still, before, timeout = Number(process.env.PAGE_TIMEOUT ?? 60_000) } = {}) {
      const context = await browser.newContext({ viewport, colorScheme: dark ? 'dark' : 'light', reducedMotion: still ? 'reduce' : 'no-preference' });
      if (before) await context.addInitScript(call(before, []));
      const page = await context.newPage();
      page.setDefaultTimeout(timeout);
      /** @type {string[]} */
      const problems = [];
      page.on('pageerror', (error) => problems.push(error.message));
      page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) problems.push(message.text());
      });
      /** @type {string[]} */
      const failed = [];
      page.on('requestfailed', (request) => failed.push(`${request.url()}: ${request.failure()?.errorText}`));
      await page.goto(url);
      return {
        problems,
        failed,
        evaluate: (body, ...args) => page.evaluate(call(body, args)),
        press: (key) => page.keyboard.press(key),
        tasks: async (work) => {
          await browser.startTracing(page, { categories: ['toplevel', 'disabled-by-default-devtools.timeline'] });
          await work();
          return tasksIn(JSON.parse(String(await browser.stopTracing())).traceEvents);
        },
        visit: async (url) => void await page.goto(url),
        until: (body, ...args) => poll(() => page.evaluate(call(body, args)), timeout),
        choose: (selector, files) => page.setInputFiles(selector, files),
        download: async (body, ...args) => {
          const [file] = await Promise.all([page.waitForEvent('download'), page.evaluate(call(body, args))]);
          return { name: file.suggestedFilename(), bytes: await readFile(await file.path()) };
        },
        screenshot: async (path) => {
          await page.screenshot({ path, fullPage: true });
        },
        loseGpu: async () => {
          const session = await browser.newBrowserCDPSession();
          await session.send('Browser.crashGpuProcess');
          await session.detach();
        },
        close: () => context.close(),
      };
    },
    close: () => browser.close(),
  };
}

/** The times of tasks on pages' main threads, in ms. @param {any[]} events of a trace */
function tasksIn(events) {
  const threadOf = (/** @type {any} */ { pid, tid }) => `${pid} ${tid}`;
  const mains = new Set(events.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain').map(threadOf));
  return events.filter((event) => event.name === 'RunTask' && event.tdur !== undefined && mains.has(threadOf(event))).map(({ tdur }) => tdur / 1000);
}

/** @param {LaunchOptions} options */
async function launchFirefox({ gpu = true, args = [] }) {
  const { default: puppeteer } = await import('puppeteer-core');
  const browser = await puppeteer.launch({
    browser: 'firefox', executablePath: PROGRAMS.firefox, args,
    env: { ...process.env, VK_ICD_FILENAMES: LAVAPIPE, VK_DRIVER_FILES: LAVAPIPE },
    extraPrefsFirefox: gpu ? { 'dom.webgpu.enabled': true, 'gfx.webgpu.ignore-blocklist': true } : {},
  });
  return {
    /** @param {string} url @param {OpenOptions} [options] @returns {Promise<Page>} */
    async open(url, { viewport, timeout = 60_000 } = {}) {
      const context = await browser.createBrowserContext();
      const page = await context.newPage();
      page.setDefaultTimeout(timeout);
      if (viewport) await page.setViewport(viewport);
      /** @type {string[]} */
      const problems = [];
      page.on('pageerror', (error) => problems.push(String(error)));
      page.on('console', (message) => {
        if (['error', 'warn'].includes(message.type())) problems.push(message.text());
      });
      await page.goto(url);
      return {
        problems,
        failed: [],
        evaluate: (body, ...args) => page.evaluate(call(body, args)),
        tasks: () => Promise.reject(new Error('only in Chromium')),
        press: (key) => page.keyboard.press(/** @type {import('puppeteer-core').KeyInput} */ (key)),
        visit: async (url) => void await page.goto(url),
        until: (body, ...args) => poll(() => page.evaluate(call(body, args)), timeout),
        choose: async (selector, files) => {
          const input = await page.$(selector);
          if (!input) throw new Error(`there is no ${selector}`);
          await /** @type {import('puppeteer-core').ElementHandle<HTMLInputElement>} */ (input)
            .uploadFile(...files);
        },
        download: () => Promise.reject(new Error('only in Chromium')),
        screenshot: async (path) => {
          await page.screenshot({ path: /** @type {`${string}.png`} */ (path), fullPage: true });
        },
        loseGpu: () => Promise.reject(new Error('Firefox has no command for this')),
        close: () => context.close(),
      };
    },
    close: () => browser.close(),
  };
}

/** @param {() => Promise<unknown>} holds @param {number} timeout */
async function poll(holds, timeout) {
  for (const end = Date.now() + timeout; !await holds();) {
    if (Date.now() > end) throw new Error(`waited ${timeout} ms in vain`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

/**
 * The call as text: both drivers evaluate text, and their own ways to pass arguments differ.
 *
 * @param {(...args: any[]) => any} body @param {unknown[]} args
 */
function call(body, args) {
  return `(${body})(...${JSON.stringify(args)})`;
}
