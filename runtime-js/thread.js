// What a thread does that shares the work of models on the CPU (team.js).

/**
 * Serves a team from now on. The text of this function is also the whole script of a worker, so that none needs to be
 * hosted: it speaks of nothing outside of itself, and is without what bundlers would put a helper in for.
 */
export function serveTeams() {
  /** Node's workers hear through a port. @type {any} */
  const scope = typeof addEventListener === 'function' ? globalThis : globalThis.process.getBuiltinModule('node:worker_threads').parentPort;
  /** Of each module that it helps with, what it calls. @type {Map<number, any>} */
  const instances = new Map();
  scope.addEventListener('message', (/** @type {any} */ event) => {
    const call = event.data?.team, id = call?.id;
    if (!call) return;
    try {
      if (call.module) {
        /** @type {any} */
        const imports = { env: { memory: call.memory } };
        for (const entry of WebAssembly.Module.imports(call.module)) {
          if (entry.kind === 'function') (imports[entry.module] ??= {})[entry.name] = () => 52;
        }
        /** @type {any} */
        const exports = new WebAssembly.Instance(call.module, imports).exports;
        exports.__stack_pointer.value = call.stack;
        instances.set(id, exports);
      } else if (call.patience) {
        instances.get(id)?.webnnc_help(call.patience);
      } else {
        instances.delete(id);
      }
      scope.postMessage({ team: { id } });
    } catch (error) {
      // Whoever waits for what this thread has taken would wait for ever.
      instances.get(id)?.webnnc_fail();
      scope.postMessage({ team: { id, problem: String(error) } });
    }
  });
}
