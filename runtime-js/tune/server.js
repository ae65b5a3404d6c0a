// Serves the page that measures, to this machine by http and to others in the network by https, under an address that
// cannot be guessed.

/** @import { Job, Time } from './job.js' */
/** @import { TimesFile } from './times_file.js' */

import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { networkInterfaces } from 'node:os';

import { makeCertificate } from './certificate.js';

const MOST_BODY = 1 << 20;
/** Isolated pages are given finer clocks. */
const HEADERS = {
  'Content-Security-Policy': "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src data:", 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'no-referrer',
};
/** @type {Record<string, string>} */
const TYPES = { html: 'text/html', js: 'text/javascript', css: 'text/css', json: 'application/json', wgsl: 'text/plain', wasm: 'application/wasm' };

/** @typedef {{job: Job, record: TimesFile, files: Record<string, string>, onState: (device: string, state: {measured: number, total: number, before: number, after: number}) => void}} Service the page's files by name */

/** @param {number} port 0 is any @param {Service} service @returns {Promise<{local: string, network: string[]}>} addresses */
export async function serve(port, service) {
  const root = `/${randomBytes(6).toString('hex')}/`, answer = answerer(root, service);
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []).filter(({ family, internal }) => family === 'IPv4' && !internal).map(({ address }) => address);
  const local = await listen(createServer(answer), port, '127.0.0.1');
  const secure = await listen(createSecureServer(makeCertificate(['localhost', '127.0.0.1', ...addresses]), answer), port && port + 1, '0.0.0.0');
  return { local: `http://localhost:${local}${root}`, network: addresses.map((address) => `https://${address}:${secure}${root}`) };
}

/** @param {import('node:http').Server | import('node:https').Server} server @param {number} port @param {string} host @returns {Promise<number>} */
function listen(server, port, host) {
  return new Promise((done, fail) => {
    server.on('error', (/** @type {NodeJS.ErrnoException} */ error) =>
      fail(error.code === 'EADDRINUSE' ? new Error(`port ${port} is in use: name another one with --port N`) : error));
    server.listen(port, host, () => done(/** @type {import('node:net').AddressInfo} */ (server.address()).port));
  });
}

/** @param {string} root @param {Service} service @returns {import('node:http').RequestListener} */
function answerer(root, { job, record, files, onState }) {
  const withoutCode = JSON.stringify({ ...job, kernels: job.kernels.map(({ wasm, ...kernel }) => ({ ...kernel, candidates: kernel.candidates.map(({ wgsl, ...rest }) => rest) })) });
  /** @param {URL} url @returns {string | Buffer | undefined} */
  const find = ({ pathname, searchParams }) => {
    const name = pathname.slice(root.length) || 'tune.html';
    if (name === 'job.json') return withoutCode;
    if (name === 'measured.json') return JSON.stringify(record.measuredOn(searchParams.get('device') ?? ''));
    const module = /^(\d+)\.wasm$/.exec(name), wasm = module && job.kernels[Number(module[1])]?.wasm;
    if (wasm) return Buffer.from(wasm, 'hex');
    const shader = /^(\d+)\/(\d+)\.wgsl$/.exec(name);
    return shader ? job.kernels[Number(shader[1])]?.candidates[Number(shader[2])]?.wgsl : files[name];
  };
  return (request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost'), send = (/** @type {number} */ status, /** @type {string | Buffer} */ body = '', type = 'text/plain') => {
      response.writeHead(status, { ...HEADERS, 'Content-Type': type === TYPES.wasm ? type : `${type}; charset=utf-8` }).end(body);
    };
    if (!url.pathname.startsWith(root)) return send(404, 'not found');
    if (request.method === 'GET') {
      const text = find(url), ending = /\.(\w+)$/.exec(url.pathname)?.[1] ?? 'html';
      return text === undefined ? send(404, 'not found') : send(200, text, TYPES[ending]);
    }
    let body = '';
    request.setEncoding('utf8').on('data', (text) => {
      body += text;
      if (body.length > MOST_BODY) request.destroy();
    }).on('end', () => {
      try {
        const { device, times, state } = checked(JSON.parse(body), job);
        record.add(device, times);
        onState(device, state);
        send(204);
      } catch (error) {
        send(400, String(/** @type {any} */ (error)?.message));
      }
    });
  };
}

/** What a page reports: it comes from the network, and goes to a file. @param {any} report @param {Job} job */
function checked({ device, times, state }, job) {
  if (typeof device !== 'string' || !/^[\w .()-]{1,80}$/.test(device) || !Array.isArray(times)) throw new Error('no report');
  const all = /** @type {Time[]} */ (times.map(({ kernel, candidate, seconds }) => {
    if (!job.kernels[kernel]?.candidates[candidate]) throw new Error('no such candidate');
    // JSON has no infinity.
    return { kernel, candidate, seconds: typeof seconds === 'number' && seconds > 0 ? seconds : Infinity };
  }));
  const [measured, total, before, after] = ['measured', 'total', 'before', 'after'].map((key) => Number(state?.[key]) || 0);
  return { device, times: all, state: { measured, total, before, after } };
}
