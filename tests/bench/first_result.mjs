// What webnnc's first result is made of: when each part of loading a model began and ended. Parts overlap: the module is compiled while
// it arrives, weights arrive meanwhile. V8 compiles a function when it is first called, so the first run has compiling in it that
// the second has not.

/** @typedef {{part: string, from?: number, to?: number, took: number}} Part in ms, since the start */

/** Begins to watch; the result tells all parts. */
export function watch() {
  /** @type {Part[]} */
  const parts = [];
  let hashing = 0;
  /** @param {string} part @param {(...args: any[]) => Promise<any>} does */
  const timed = (part, does) => async (/** @type {any[]} */ ...args) => {
    const from = performance.now();
    try {
      return await does(...args);
    } finally {
      const to = performance.now();
      parts.push({ part, from, to, took: to - from });
    }
  };
  const { instantiate, compile, compileStreaming } = WebAssembly;
  const counted = async (/** @type {[any, any]} */ ...args) => {
    const { exports } = /** @type {any} */ (await instantiate(...args));
    const webnnc_hash = (/** @type {number} */ address, /** @type {number} */ bytes) => {
      const before = performance.now(), hash = exports.webnnc_hash(address, bytes);
      hashing += performance.now() - before;
      return hash;
    };
    return { exports: { ...exports, webnnc_hash } };
  };
  Object.assign(WebAssembly, {
    compile: timed('module: compiled', compile), compileStreaming: timed('module: compiled', compileStreaming), instantiate: timed('module: instantiated', counted),
  });

  // The browser enters a download some time after its end.
  const entered = () => new Promise((done) => setTimeout(done, 100));
  return async (/** @type {{start: number, loaded: number, end: number, second: number}} */ { start, loaded, end, second }) => {
    await entered();
    const files = /** @type {PerformanceResourceTiming[]} */ (performance.getEntriesByType('resource')).filter(({ name }) => name.includes('/model/'));
    for (const { name, startTime, responseEnd } of files) parts.push({ part: `${new URL(name).pathname.slice('/model/'.length)}: downloaded`, from: startTime, to: responseEnd, took: responseEnd - startTime });
    const { xxh32 } = await import('/runtime/xxh32.js'), module = files.find(({ name }) => /\.wasm/.test(name));
    const code = new Uint8Array(await (await fetch(module?.name ?? '')).arrayBuffer()), before = performance.now();
    xxh32(code);
    const hashed = performance.now() - before;
    parts.sort((a, b) => (a.from ?? 0) - (b.from ?? 0));
    const known = parts.map((part) => ({ ...part, from: /** @type {number} */ (part.from) - start, to: /** @type {number} */ (part.to) - start }));
    return [...known, { part: 'module: hashed', took: hashed }, { part: 'weights: hashed', took: hashing }, { part: 'load()', from: 0, to: loaded - start, took: loaded - start },
      { part: 'first run', from: loaded - start, to: end - start, took: end - loaded }, { part: 'second run', took: second }];
  };
}
