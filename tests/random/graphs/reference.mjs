// ONNX Runtime in a process of its own: some of its kernels end the process, or never end, for what others refuse.

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { Tally } from './tally.mjs';

/** @import { ChildProcess } from 'node:child_process' */
/** @import { Graph } from './evaluate.mjs' */
/** @import { Case, Run } from './generate.mjs' */
/** @typedef {{ seed: number, only?: string, quantised?: boolean } | { graph: Graph }} Question */
/** @typedef {{ name: string, reason?: string }} Note of an operator that was drawn */

const SECONDS = 20;

export class Reference {
  tally = new Tally();
  /** @type {ChildProcess | undefined} */
  #child;

  /** @param {Question} question @returns {Promise<{ notes: Note[], answer: any }>} */
  #ask(question) {
    const child = this.#child ??= fork(fileURLToPath(new URL('reference_process.mjs', import.meta.url)), { serialization: 'advanced', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => child.kill('SIGKILL'), 1000 * SECONDS);
      /** @param {any} message */
      const answered = (message) => {
        end();
        if (message.error) reject(new Error(message.error));
        else resolve(message);
      };
      const died = () => {
        end();
        this.#child = undefined;
        resolve({ notes: [{ name: 'seed' in question ? `seed ${question.seed}` : 'a smaller graph', reason: 'ONNX Runtime ends its process, or does not end' }], answer: undefined });
      };
      const end = () => {
        clearTimeout(timer);
        child.off('message', answered).off('exit', died);
      };
      child.once('message', answered).once('exit', died).send(question);
    });
  }

  /** Nothing where no node that was drawn is one to compare. @param {number} seed @param {string} [only] @param {boolean} [quantised] a network @returns {Promise<Case | undefined>} */
  async generate(seed, only, quantised) {
    const { notes, answer } = await this.#ask({ seed, only, quantised });
    for (const { name, reason } of notes) this.tally.note(name, reason);
    return answer;
  }

  /** Nothing where it is not one to compare. @param {Graph} graph @returns {Promise<Run | undefined>} */
  async evaluate(graph) {
    return (await this.#ask({ graph })).answer;
  }

  close() {
    this.#child?.kill();
  }
}
