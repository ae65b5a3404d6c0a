// Where a bundle's files come from and how: deploys and caches, servers that fail, scripts that a bundler
// has joined, packages. In Node and, where caches and policies of browsers matter, in Chromium.
// integrity.test.mjs has what is wrong with files.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { gpu, makeDevice } from './dawn.mjs';
import { STRICT_CSP, hasBrowser, launch, serve as serveFolders } from './harness.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url)), webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const work = mkdtempSync(join(tmpdir(), 'webnnc-loading-')), model = join(root, 'models/digits/digits.onnx');
after(() => rmSync(work, { recursive: true }));

/** A build of the digits, or of what is left of them when some weights have another sign. @param {string} name @param {boolean} isOther */
function compile(name, isOther) {
  const source = readFileSync(model), path = join(work, 'digits.onnx'), out = join(work, name);
  // In the middle of a matrix of floats, of which the last byte is much the same in all.
  const middle = source.length >> 1, alike = [0, 1, 2, 3].map((at) => source.subarray(middle, middle + 8000).filter((byte, i) => i % 4 === at && (byte & 0x7c) === 0x3c).length);
  const last = alike.indexOf(Math.max(...alike));
  if (isOther) for (let at = middle + last; at < middle + 8000; at += 4) source[at] ^= 0x80;
  writeFileSync(path, source);
  execFileSync(webnnc, [path, '-o', out, '--quiet', '--no-report']);
  return out;
}
const one = compile('one', false), other = compile('other', true);
/** @param {string} file @param {string} [folder] */
const bytesOf = (file, folder = one) => new Uint8Array(readFileSync(join(folder, file)));
const image = Array.from({ length: 784 }, (_, i) => i % 29 / 29);
/** @param {string} folder @returns {Promise<typeof import('../../runtime-js/model.js')>} */
const importFrom = (folder) => import(pathToFileURL(join(folder, 'model.js')).href);
const module = await importFrom(one), later = await importFrom(other);
/** What each build computes. @param {typeof module} from @param {any} [options] */
async function resultOf(from, options) {
  const loaded = await from.load({ backend: 'wasm', ...options }), { digit_probabilities: { data } } = await loaded.run({ image });
  loaded.dispose();
  return [...data].map(Number);
}
const wanted = await resultOf(module), wantedLater = await resultOf(later);
assert.notDeepEqual(wanted, wantedLater);

/** @type {(() => Promise<void>)[]} */
const closing = [];
after(() => Promise.all(closing.map((close) => close())));
/** @type {typeof serveFolders} */
async function serve(...args) {
  const server = await serveFolders(...args);
  closing.push(server.close);
  return server;
}

/** Waits as the code does, but a hundredth of the time. @template T @param {() => Promise<T>} body */
async function inHaste(body) {
  const { setTimeout } = globalThis;
  globalThis.setTimeout = /** @type {any} */ ((/** @type {any} */ f, /** @type {number} */ ms, /** @type {any[]} */ ...more) => setTimeout(f, ms / 100, ...more));
  try {
    return await body();
  } finally {
    globalThis.setTimeout = setTimeout;
  }
}

describe('servers that fail', () => {
  test('every file goes on where it broke off', async () => {
    for (const ending of ['.wasm', '.bin']) {
      let breaks = 3;
      const flaky = await serve({ '/': one }, { cut: (path) => path.endsWith(ending) && breaks-- > 0 ? 10000 : Infinity });
      assert.deepEqual(await inHaste(() => resultOf(module, { baseUrl: flaky.url })), wanted);
      const parts = flaky.log.filter(({ path }) => path.endsWith(ending));
      const [{ path }] = parts, sent = parts.reduce((sum, { bytes }) => sum + bytes, 0);
      assert.equal(parts.filter(({ status }) => status === 206).length >= 2, true);
      // What had arrived is not asked for again; but what nobody had read yet is lost.
      assert.ok(sent >= bytesOf(path.slice(1)).length && sent <= bytesOf(path.slice(1)).length + 10000, `${sent}`);
      await flaky.close();
    }
  });

  test('a server without ranges is asked from the beginning', async () => {
    let breaks = 2;
    const flaky = await serve({ '/': one }, { ranges: false, cut: (path) => path.endsWith('.bin') && breaks-- > 0 ? 10000 : Infinity });
    assert.deepEqual(await inHaste(() => resultOf(module, { baseUrl: flaky.url })), wanted);
    await flaky.close();
  });

  test('weights come into memory that is there, or as the stream gives them', async () => {
    const server = await serve({ '/': one }), { fetch } = globalThis;
    /** Answers with a stream of the file's bytes. @param {(bytes: Uint8Array) => any} sourceOf */
    const resultBy = async (sourceOf) => {
      globalThis.fetch = async (address, init) => {
        const response = await fetch(address, init);
        return String(address).includes('weights') ? new Response(new ReadableStream(sourceOf(new Uint8Array(await response.arrayBuffer())))) : response;
      };
      try {
        return await resultOf(module, { baseUrl: `${server.url}/` });
      } finally {
        globalThis.fetch = fetch;
      }
    };
    const memories = new Set(), sizes = [7, 4093, 70001];
    let at = 0, turn = 0;
    // As fetch's own are in most engines: the reader says where bytes are to be.
    assert.deepEqual(await resultBy((bytes) => ({
      type: 'bytes',
      pull(/** @type {any} */ controller) {
        const { byobRequest } = controller, { view } = byobRequest, part = bytes.subarray(at, at += Math.min(sizes[turn++ % 3], view.length, bytes.length - at));
        memories.add(view.buffer.byteLength);
        if (!part.length) controller.close();
        else view.set(part);
        byobRequest.respond(part.length);
      },
    })), wanted);
    assert.ok(at > 100_000 && turn > 3 && memories.size === 1, `${at} bytes in ${turn} parts`);
    // Of a service worker's making, or in an engine without others.
    at = turn = 0;
    assert.deepEqual(await resultBy((bytes) => ({
      pull(/** @type {any} */ controller) {
        if (at === bytes.length) controller.close();
        else controller.enqueue(bytes.slice(at, at = Math.min(at + sizes[turn++ % 3], bytes.length)));
      },
    })), wanted);
    assert.ok(turn > 3);
  });

  test('a connection that always breaks is given up, and the file named', async () => {
    for (const ending of ['.wasm', '.bin']) {
      const broken = await serve({ '/': one }, { cut: (path) => path.endsWith(ending) ? 0 : Infinity });
      await assert.rejects(inHaste(() => resultOf(module, { baseUrl: broken.url })), (/** @type {any} */ error) =>
        error.name === 'ModelLoadError' && error.file.includes(ending) && error.reason === 'missing');
      assert.ok(broken.log.filter(({ path }) => path.endsWith(ending)).length >= 4);
      await broken.close();
    }
  });

  test('a server that does not answer is asked again', async () => {
    const stuck = new Set();
    const silent = await serve({ '/': one }, {
      before: (path) => stuck.has(path) ? undefined : new Promise(() => stuck.add(path)),
    });
    assert.deepEqual(await inHaste(() => resultOf(module, { baseUrl: silent.url })), wanted);
    assert.equal(stuck.size, 2);
    await silent.close();
  });

  test('a server that sends its page for every address is told', async () => {
    const spa = join(work, 'spa');
    mkdirSync(spa);
    for (const file of ['model.wasm', 'model.relaxed.wasm', 'model.weights.bin']) writeFileSync(join(spa, file), '<!doctype html><title>App</title>');
    const server = await serve({ '/': spa }), message = /the server sent a page of HTML instead/;
    await assert.rejects(resultOf(module, { baseUrl: server.url }), { name: 'ModelLoadError', reason: 'missing', message });
    const { wasm } = { wasm: bytesOf('model.wasm') };
    await assert.rejects(resultOf(module, { baseUrl: server.url, files: { wasm } }), { name: 'ModelLoadError', reason: 'missing', message });
    await server.close();
  });

  test('what is shorter or longer is told as another build\'s, or as cut', async () => {
    const folder = join(work, 'lengths'), server = await serve({ '/': folder });
    mkdirSync(folder);
    const weights = bytesOf('model.weights.bin'), stale = bytesOf('model.weights.bin', other), files = { wasm: bytesOf('model.wasm') };
    for (const [bytes, reason] of /** @type {const} */ ([
      [weights.slice(0, 100000), 'damaged'], [weights.slice(0, 100), 'damaged'], [new Uint8Array(0), 'damaged'],
      [stale.slice(0, 100000), 'other build'], [new Uint8Array([...stale, ...stale]), 'other build'],
    ])) {
      writeFileSync(join(folder, 'model.weights.bin'), bytes);
      await assert.rejects(resultOf(module, { baseUrl: server.url, files }), { name: 'ModelLoadError', reason }, `${bytes.length}`);
    }
    await server.close();
  });
});

describe('progress', () => {
  for (const backend of /** @type {const} */ (['wasm', 'webgpu'])) {
    test(`on ${backend} each phase counts up to its end`, async () => {
      const device = backend === 'webgpu' ? await makeDevice() : undefined;
      let breaks = 1;
      const server = await serve({ '/': one }, { cut: () => breaks-- > 0 ? 10000 : Infinity });
      /** @type {Record<string, {loaded: number, total: number}[]>} */
      const told = { modules: [], shaders: [], weights: [], compilation: [] };
      const loaded = await inHaste(() => module.load({ backend, device, baseUrl: server.url, onProgress: ({ phase, loaded, total }) => told[phase].push({ loaded, total }) }));
      for (const [phase, list] of Object.entries(told)) {
        list.forEach(({ loaded, total }, i) => assert.ok(loaded <= total && (!i || loaded >= list[i - 1].loaded && total >= list[i - 1].total), phase));
        assert.equal(list.at(-1)?.loaded, list.at(-1)?.total, phase);
      }
      assert.equal(told.modules.at(-1)?.total, Math.max(...server.log.filter(({ path }) => path.endsWith('.wasm')).map(({ path }) => bytesOf(path.slice(1)).length)));
      assert.equal(told.weights.at(-1)?.total, bytesOf('model.weights.bin').length);
      assert.ok(backend === 'wasm' || told.compilation.length > 5);
      loaded.dispose();
      device?.destroy();
      await server.close();
    });
  }

  test('a load can be aborted while it waits', async () => {
    const silent = await serve({ '/': one }, { before: () => new Promise(() => {}) });
    await assert.rejects(module.load({ backend: 'wasm', baseUrl: silent.url, signal: AbortSignal.timeout(50) }), { name: 'TimeoutError' });
    await silent.close();
  });
});

test('a lost GPU downloads nothing again, and the GPU\'s weights do not wait for the module', async () => {
  Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
  /** @type {(value?: unknown) => void} */ let release = () => {};
  const released = new Promise((done) => release = done);
  const server = await serve({ '/': one }, { before: (path) => path.endsWith('.wasm') ? released.then(() => {}) : release() });
  try {
    // The module comes only after the weights have been asked for.
    const loaded = await module.load({ backend: 'webgpu', baseUrl: server.url });
    const before = await loaded.run({ image });
    server.log.length = 0;
    for (let i = 0; i < 2; ++i) {
      loaded.device?.destroy();
      await loaded.device?.lost;
      assert.deepEqual(await loaded.run({ image }), before);
    }
    assert.deepEqual(server.log, []);
    loaded.dispose();
  } finally {
    Object.defineProperty(globalThis, 'navigator', { value: undefined, configurable: true });
    await server.close();
  }
});

/** @param {string} entry its text @param {string[]} flags @param {string} out */
function bundle(entry, flags, out) {
  const file = join(work, 'entry.js');
  writeFileSync(file, entry);
  execFileSync('esbuild', [file, '--bundle', '--log-level=error', `--outfile=${out}`, ...flags]);
}
/** @param {string} script @param {string} folder @param {string[]} flags */
const node = (script, folder, ...flags) => execFileSync(process.execPath, [...flags, script], { cwd: folder, encoding: 'utf8' });

describe('in Node', () => {
  test('a project of CommonJS imports the folder, and the package by its name', () => {
    const project = join(work, 'commonjs');
    cpSync(one, join(project, 'out'), { recursive: true });
    cpSync(one, join(project, 'node_modules/digits'), { recursive: true });
    writeFileSync(join(project, 'package.json'), '{ "type": "commonjs" }');
    writeFileSync(join(project, 'test.cjs'), `(async () => {
      for (const name of ['./out/model.js', 'digits', 'digits/model.js']) {
        const { load } = await import(name), model = await load({ backend: 'wasm' });
        console.log(model.name, (await import(name)).build.id === require('digits/package.json').webnnc.build);
      }
    })();`);
    writeFileSync(join(project, 'named.mjs'), `import { load } from './out/model.js'; console.log((await load({ backend: 'wasm' })).name);`);
    assert.equal(node('test.cjs', project), 'digits true\n'.repeat(3));
    assert.equal(node('named.mjs', project), 'digits\n');
  });

  test('a script of CommonJS that a bundler made asks for baseUrl, and runs with it', () => {
    const out = join(work, 'cjs.cjs');
    bundle(`const { load } = require('${one}/model.js');
      load({ backend: 'wasm' }).catch(async (error) => {
        console.log(error.name, error.message);
        for (const options of [{ baseUrl: ${JSON.stringify(pathToFileURL(one).href)} }, { baseUrl: ${JSON.stringify(one)} }]) console.log((await load({ backend: 'wasm', ...options })).name);
      });`, ['--format=cjs', '--platform=node', '--log-override:empty-import-meta=silent'], out);
    assert.match(node(out, work), /^ModelLoadError it is not known where model.\S+ is: .*pass load\(\{ baseUrl \}\) or load\(\{ files \}\)\ndigits\ndigits\n$/);
  });

  test('files that a bundler calls by their path on a server are found on disk', () => {
    // As webpack does for Next: code and files in one folder, addresses for browsers.
    const server = join(work, 'a #1 app/.next/server'), media = join(server, 'chunks/static/media'), route = join(server, 'app/api/run');
    mkdirSync(media, { recursive: true });
    mkdirSync(route, { recursive: true });
    let code = readFileSync(join(one, 'model.js'), 'utf8');
    for (const name of ['model.wasm', 'model.relaxed.wasm', 'model.shaders.json', 'model.weights.bin', 'model.worker.js', 'model.profile.js']) {
      cpSync(join(one, name), join(media, name.replace(/\.(\w+)$/, '.0123abcd.$1')));
      code = code.replace(`new URL("${name}",import.meta.url)`, `({href:"/_next/static/media/${name.replace(/\.(\w+)$/, '.0123abcd.$1')}"})`);
    }
    assert.ok(!code.includes('new URL("model.'));
    writeFileSync(join(route, 'route.mjs'), code);
    writeFileSync(join(route, 'test.mjs'), `import { load } from './route.mjs'; console.log((await load({ backend: 'wasm' })).name);`);
    assert.equal(node(join(route, 'test.mjs'), join(work, 'a #1 app')), 'digits\n');
  });

  test('two models that a bundler puts into one folder are told apart', async () => {
    const folder = join(work, 'flat');
    mkdirSync(folder);
    bundle(`export { load as loadOne } from '${one}/model.js'; export { load as loadOther } from '${other}/model.js';`, ['--format=esm'], join(folder, 'app.mjs'));
    for (const name of ['model.wasm', 'model.relaxed.wasm', 'model.weights.bin']) cpSync(join(one, name), join(folder, name));
    const { loadOne, loadOther } = await import(pathToFileURL(join(folder, 'app.mjs')).href);
    assert.deepEqual(await resultOf(/** @type {any} */ ({ load: loadOne })), wanted);
    await assert.rejects(resultOf(/** @type {any} */ ({ load: loadOther })), { name: 'ModelLoadError', reason: 'other build', message: /belongs to another build of the model, or to another model .*two models into two folders/ });
    assert.deepEqual(await resultOf(/** @type {any} */ ({ load: loadOther }), { baseUrl: other }), wantedLater);
  });

  test('addresses that are none are refused by the option\'s name', async () => {
    await assert.rejects(resultOf(module, { baseUrl: 'http://:1' }), { name: 'TypeError', message: 'baseUrl is "http://:1", which is no address' });
    await assert.rejects(resultOf(module, { files: { wasm: 'http://' } }), { name: 'TypeError', message: /files.(wasm) is "http:\/\/", which is no address/ });
  });
});

// In a page.

/** @param {string} url of model.js @param {any} options @param {number[]} given */
async function runHere(url, options, given) {
  const { load, build } = await import(url);
  try {
    const model = await load(options), { digit_probabilities: { data } } = await model.run({ image: given });
    return { data: [...data], backend: model.backend, model: model.build?.id, build: build.id };
  } catch (error) {
    return { error: `${/** @type {any} */ (error).name}: ${/** @type {any} */ (error).message}`, build: build.id };
  }
}

describe('in Chromium', { skip: hasBrowser('chromium') ? false : 'there is no Chromium' }, () => {
  /** @type {Awaited<ReturnType<typeof launch>>} */ let browser;
  before(async () => {
    browser = await launch('chromium', { args: ['--host-resolver-rules=MAP model.test 127.0.0.1'] });
  });
  after(() => browser.close());
  const pages = join(root, 'tests/web/pages'), IMMUTABLE = { 'Cache-Control': 'public, max-age=31536000, immutable' };

  /** A server of one folder, whose content a deploy replaces. @param {Parameters<typeof serve>[1]} options */
  async function site(options) {
    const folder = mkdtempSync(join(work, 'site-'));
    const deploy = (/** @type {string} */ build) => cpSync(build, folder, { recursive: true });
    return { folder, deploy, ...await serve({ '/': pages, '/m': folder }, options) };
  }
  const close = (/** @type {number[]} */ a, /** @type {number[]} */ b) => assert.ok(a.every((value, i) => Math.abs(value - b[i]) < 1e-5), `${a} ${b}`);
  let visits = 0;
  /** Another visit in the same browser, with what its cache holds. @param {import('./harness.mjs').Page} page @param {{url: string}} server */
  const visit = (page, { url }) => page.visit(`${url}/blank.html?${++visits}`);

  test('everything may be cached for ever but model.js: after a deploy the new build runs', async () => {
    const server = await site({ csp: STRICT_CSP, headers: (path) => path.endsWith('model.js') ? { 'Cache-Control': 'no-cache' } : IMMUTABLE });
    const page = await browser.open(`${server.url}/blank.html`);
    for (const [build, result, downloads] of /** @type {const} */ ([[one, wanted, 2], [other, wantedLater, 2], [one, wanted, 0]])) {
      server.deploy(build);
      await visit(page, server);
      server.log.length = 0;
      for (const backend of ['wasm', 'webgpu']) close((await page.evaluate(runHere, '/m/model.js', { backend }, image)).data, result);
      // Both backends read the same files, and a build that was there before is in the cache.
      assert.equal(server.log.filter(({ path }) => /wasm|bin/.test(path)).length, downloads);
    }
    assert.deepEqual([page.problems, page.failed], [[], []]);
    await page.close();
    await server.close();
  });

  test('a model.js from a cache hands over to that of the build on the server', async () => {
    const server = await site({ csp: STRICT_CSP, headers: IMMUTABLE });
    server.deploy(one);
    const page = await browser.open(`${server.url}/blank.html`);
    // The browser keeps model.js alone.
    await page.evaluate(async () => void await import(/** @type {any} */ ('/m/model.js')));
    server.deploy(other);
    await visit(page, server);
    const result = await page.evaluate(runHere, '/m/model.js', { backend: 'wasm' }, image);
    assert.equal(result.build, module.build.id);
    close(result.data, wantedLater);
    assert.equal(server.log.filter(({ query }) => query === `?v=${later.build.id}`).length, 2);
    await page.close();
    await server.close();
  });

  test('a model.js that has the code of its build in the cache, but not the weights, hands over as well', async () => {
    const server = await site({ csp: STRICT_CSP, headers: IMMUTABLE });
    server.deploy(one);
    const page = await browser.open(`${server.url}/blank.html`);
    await page.evaluate(async (id) => {
      await import(/** @type {any} */ ('/m/model.js'));
      await (await fetch(`/m/model.relaxed.wasm?v=${id}`)).arrayBuffer();
    }, module.build.id);
    server.deploy(other);
    await visit(page, server);
    close((await page.evaluate(runHere, '/m/model.js', { backend: 'wasm' }, image)).data, wantedLater);
    await page.close();
    await server.close();
  });

  test('files that a cache keeps damaged or stale are healed', async () => {
    const server = await site({ headers: IMMUTABLE });
    server.deploy(one);
    for (const file of ['model.weights.bin', 'model.relaxed.wasm']) {
      const page = await browser.open(`${server.url}/blank.html`);
      const damaged = bytesOf(file);
      damaged[damaged.length >> 1] ^= 4;
      writeFileSync(join(server.folder, file), damaged);
      await visit(page, server);
      assert.match((await page.evaluate(runHere, '/m/model.js', { backend: 'wasm' }, image)).error, new RegExp(`ModelLoadError: cannot load .*${file}.*: it was damaged on its way`));
      server.deploy(one);
      await visit(page, server);
      for (const visits of [1, 2]) {
        server.log.length = 0;
        close((await page.evaluate(runHere, '/m/model.js', { backend: 'wasm' }, image)).data, wanted);
        assert.equal(server.log.filter(({ path }) => path.endsWith(file)).length, 2 - visits);
      }
      await page.close();
    }
    await server.close();
  });

  test('plain http is checked as well', async () => {
    const server = await site({});
    server.deploy(one);
    const url = server.url.replace('127.0.0.1', 'model.test'), page = await browser.open(`${url}/blank.html`);
    assert.equal(await page.evaluate(() => isSecureContext), false);
    const result = await page.evaluate(runHere, '/m/model.js', { cache: true }, image);
    assert.equal(result.backend, 'wasm');
    close(result.data, wanted);
    cpSync(join(other, 'model.weights.bin'), join(server.folder, 'model.weights.bin'));
    assert.match((await page.evaluate(runHere, '/m/model.js', {}, image)).error, /model.weights.bin.*belongs to another build/);
    await page.close();
    await server.close();
  });

  test('cache: true keeps the weights of one build, on both backends', async () => {
    const server = await site({});
    const page = await browser.open(`${server.url}/blank.html`);
    for (const [build, result] of /** @type {const} */ ([[one, wanted], [other, wantedLater]])) {
      server.deploy(build);
      await visit(page, server);
      for (const [backend, downloads] of /** @type {const} */ ([['wasm', 1], ['wasm', 0], ['webgpu', 0]])) {
        server.log.length = 0;
        close((await page.evaluate(runHere, '/m/model.js', { backend, cache: true }, image)).data, result);
        assert.equal(server.log.filter(({ path }) => path.endsWith('.bin')).length, downloads, backend);
      }
      const keys = await page.evaluate(async () => (await (await caches.open('webnnc')).keys()).map(({ url }) => url));
      assert.equal(keys.length, 1);
    }
    // What is kept may be damaged, too.
    await page.evaluate(async () => {
      const cache = await caches.open('webnnc'), [request] = await cache.keys();
      const bytes = new Uint8Array(await /** @type {Response} */ (await cache.match(request)).arrayBuffer());
      bytes[5000] ^= 1;
      await cache.put(request, new Response(bytes));
    });
    close((await page.evaluate(runHere, '/m/model.js', { backend: 'wasm', cache: true }, image)).data, wantedLater);
    await page.close();
    await server.close();
  });

  test('connections that break are taken up', async () => {
    let breaks = 4;
    const server = await site({ cut: (path) => /wasm|bin/.test(path) && breaks-- > 0 ? 20000 : Infinity });
    server.deploy(one);
    const page = await browser.open(`${server.url}/blank.html`);
    close((await page.evaluate(runHere, '/m/model.js', { backend: 'wasm' }, image)).data, wanted);
    assert.ok(server.log.some(({ status }) => status === 206));
    await page.close();
    await server.close();
  });

  test('data: addresses, as bundlers make of small files, under a strict policy', async () => {
    const folder = join(work, 'inline');
    mkdirSync(folder);
    let code = readFileSync(join(one, 'model.js'), 'utf8');
    for (const [name, type] of [['model.wasm', 'application/wasm'], ['model.relaxed.wasm', 'application/wasm'], ['model.shaders.json', 'application/json'], ['model.weights.bin', 'application/octet-stream']]) {
      code = code.replace(`new URL("${name}",import.meta.url)`, `new URL("data:${type};base64,${Buffer.from(bytesOf(name)).toString('base64')}",import.meta.url)`);
    }
    writeFileSync(join(folder, 'model.js'), code);
    const server = await serve({ '/': pages, '/m': folder }, { csp: STRICT_CSP }), page = await browser.open(`${server.url}/blank.html`);
    for (const backend of ['wasm', 'webgpu']) close((await page.evaluate(runHere, '/m/model.js', { backend }, image)).data, wanted);
    // What is wrong there is not printed at full length.
    writeFileSync(join(folder, 'bad.js'), code.replace(/(octet-stream;base64,.{2000}).{4}/, '$1AAAA'));
    const { error } = await page.evaluate(runHere, '/m/bad.js', { backend: 'wasm' }, image);
    assert.ok(/^ModelLoadError: cannot load data:application.*damaged/.test(error) && error.length < 300, error);
    assert.deepEqual(page.problems, []);
    await page.close();
    await server.close();
  });

  test('a script of a blob, and an IIFE, take files from baseUrl', async () => {
    bundle(`import { load } from '${one}/model.js'; globalThis.load = load;`, ['--format=iife', '--log-override:empty-import-meta=silent'], join(work, 'page/app.js'));
    const server = await serve({ '/': pages, '/m': one, '/page': join(work, 'page') }), page = await browser.open(`${server.url}/blank.html`);
    const results = await page.evaluate(async (given) => {
      await new Promise((done, fail) => {
        const script = Object.assign(document.createElement('script'), { src: '/page/app.js', onload: done, onerror: fail });
        document.head.append(script);
      });
      const blob = new Blob([await (await fetch('/m/model.js')).text()], { type: 'text/javascript' });
      const { load: ofBlob } = await import(URL.createObjectURL(blob));
      const results = [];
      for (const load of [/** @type {any} */ (globalThis).load, ofBlob]) {
        results.push(await load({ backend: 'wasm' }).catch((/** @type {Error} */ error) => `${error.name}: ${error.message}`));
        results.push([...(await (await load({ backend: 'wasm', baseUrl: '/m' })).run({ image: given })).digit_probabilities.data]);
        const weights = await fetch('/m/model.weights.bin'), wasm = await (await fetch('/m/model.wasm')).blob();
        results.push([...(await (await load({ backend: 'wasm', files: { wasm: URL.createObjectURL(wasm), weights } })).run({ image: given })).digit_probabilities.data]);
      }
      return results;
    }, image);
    for (let i = 0; i < 6; i += 3) {
      assert.match(results[i], /^ModelLoadError: it is not known where model.\S+ is: .*pass load\(\{ baseUrl \}\)/);
      close(results[i + 1], wanted);
      close(results[i + 2], wanted);
    }
    assert.deepEqual(page.problems, []);
    await page.close();
    await server.close();
  });
});
