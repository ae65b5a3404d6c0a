// The CPU as what kernels are measured on, by the wasm engine that runs this.

/** @import { Machine } from './session.js' */

import { hasRelaxedSimd, multipliesBytes } from '../relaxed_simd.js';

/** A function of one instruction of SIMD, i8x16.splat. */
const SIMD_PROBE = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11]);

/**
 * The engine with its version, and the kind of processor: what code is made depends on both. More cannot be known in pages.
 *
 * @param {{v8?: string, userAgent?: string}} known
 */
export function engineOf({ v8, userAgent = '' }) {
  const found = (/** @type {RegExp} */ pattern) => pattern.exec(userAgent)?.[1], chrome = found(/Chrome\/(\d+)/), firefox = found(/Firefox\/(\d+)/), safari = found(/Version\/(\d+).*Safari/);
  if (v8) return `v8 ${v8.split('.')[0]}`;
  // Version 13.1 of V8 is that of Chrome 131.
  if (chrome) return `v8 ${Math.floor(Number(chrome) / 10)}`;
  if (firefox) return `spidermonkey ${firefox}`;
  return safari ? `javascriptcore ${safari}` : 'unknown engine';
}

/** By the sign of what is no number: processors of the two kinds make different ones. */
export function architecture() {
  const number = new Float32Array([Infinity]);
  number[0] -= number[0];
  return new Uint8Array(number.buffer)[3] > 127 ? 'x86' : 'arm';
}

export const labelOfCpu = () => `${engineOf({ v8: globalThis.process?.versions?.v8, userAgent: globalThis.navigator?.userAgent })} ${architecture()}`;

/** @param {Machine['open']} open @returns {Machine} */
export function cpu(open) {
  if (!globalThis.WebAssembly || !WebAssembly.validate(SIMD_PROBE)) throw new Error('this engine has no WebAssembly with SIMD, without which no model runs: use a newer one');
  return { label: labelOfCpu(), isSteady: true, has: (feature) => hasRelaxedSimd() && (feature === 'relaxed-simd' || feature === 'relaxed-dots' && multipliesBytes()), open };
}
