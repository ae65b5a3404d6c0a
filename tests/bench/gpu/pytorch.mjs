// PyTorch, where it is installed: it writes the networks, and is timed.

import { spawn, spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const script = join(dirname(fileURLToPath(import.meta.url)), 'pytorch.py');
const python = process.env.PYTHON ?? 'python3';

/** The networks that are measured if none is named. */
export const NETWORKS = [
  'mobilenet_v2', 'resnet50', 'vit_b_16', 'bert_base', 'whisper_tiny_encoder', 'minilm_l6', 'clip_vit_b_32', 'dinov2_s',
  'efficientnet_b0', 'convnext_tiny', 'segformer_b0', 'llama_135m',
];

export const hasPyTorch = () =>
  spawnSync(python, ['-c', 'import torch, torchvision, transformers; assert torch.cuda.is_available()'], { stdio: 'ignore' }).status === 0;

/** Sizes that are open in the file; inputs that are outputs of the run before, and these. @typedef {{sizes?: Record<string, number>, memory?: Record<string, string>}} Decoding */
/** @typedef {Decoding & {name: string, path?: string, f32?: number, f16?: number, error?: string}} Measured times in ms, of a CUDA graph */

/** One process for all networks. It does nothing while it is not asked, so as not to disturb what is timed here. */
export class PyTorch {
  #child;
  #lines;

  /** @param {string} folder that networks are written to */
  constructor(folder) {
    this.#child = spawn(python, [script, folder], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdin.on('error', () => {});
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]();
  }

  /** Writes a network, if it is one that is not there, and times it. @param {string} name @returns {Promise<Measured>} */
  async measure(name) {
    this.#child.stdin.write(`${name}\n`);
    const { value, done } = await this.#lines.next();
    return done ? { name, error: 'python has ended' } : JSON.parse(value);
  }

  end() {
    this.#child.stdin.end();
  }
}
