// WebGPU by wgpu: Deno, on Mesa's lavapipe, so that results do not depend on the machine. Loops of a shader
// end there after 65,535 turns of one invocation, silently (Mesa 22.3).

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
/** The program itself: the package's own script would first copy it. */
const DENO = `${here}node_modules/@deno/linux-${process.arch}-glibc/deno`;
const LAVAPIPE = `/usr/share/vulkan/icd.d/lvp_icd.${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.json`;

export const hasDeno = existsSync(DENO) && existsSync(LAVAPIPE);

/**
 * Starts a script in Deno.
 *
 * @param {string[]} permissions such as '--allow-read=out' @param {string} script @param {string[]} [args]
 */
export function startDeno(permissions, script, args = []) {
  return spawn(DENO, ['run', '--no-prompt', '--no-config', '--no-lock', '--cached-only', ...permissions, script, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      ...process.env, VK_ICD_FILENAMES: LAVAPIPE, VK_DRIVER_FILES: LAVAPIPE, XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? tmpdir(),
      DENO_NO_UPDATE_CHECK: '1', DENO_DIR: `${tmpdir()}/webnnc-deno`,
    },
  });
}

/**
 * A Deno that answers each line of JSON with one, in their order.
 *
 * @param {string} script
 */
export function openDeno(script) {
  /** @type {ReturnType<typeof startDeno> | undefined} */
  let child;
  /** @type {{resolve: (line: string) => void, reject: (error: Error) => void} | undefined} */
  let waiting;
  function start() {
    const started = child = startDeno(['--allow-all'], script);
    createInterface({ input: started.stdout }).on('line', (line) => waiting?.resolve(line));
    started.on('close', (code, signal) => {
      if (child !== started) return;
      child = undefined;
      waiting?.reject(new Error(`Deno has ended (${signal ?? code})`));
    });
    return started;
  }
  return {
    /** @param {unknown} question @returns {Promise<any>} */
    async ask(question) {
      const { stdin } = child ?? start();
      const line = await new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        stdin.write(`${JSON.stringify(question)}\n`);
      });
      return JSON.parse(line);
    },
    close() {
      child?.kill('SIGKILL');
      child = undefined;
    },
  };
}
