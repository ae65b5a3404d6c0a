// Which kernels are furthest from what the machine can do.

/** @import { Peak, Profile } from '../../../runtime-js/model.js' */

import { printTable } from '../table.mjs';

/** Of a run, above which a kernel is worth a line. */
const LEAST_PART = 0.03;
const WORST = 3;
/** Of the peak, below which it is said why, and the time at the peak of what is too small to come near it. */
const LOW_SHARE = 1 / 3, SMALL_MS = 0.004;

const REASONS = {
  small: 'a launch and one wait for memory take longer than what there is to do: only fewer kernels, or larger ones, would help',
  memory: 'the memory could bring several times as much: what is read lies in short or distant pieces, or too few threads read at a time',
  arithmetic: 'the cores could compute several times as much: there are too few tiles for all of them, or operands arrive later than they are needed',
};

/** Why a kernel is far from the peak; nothing if it is not. @param {Profile['kernels'][0]} kernel @param {Peak} peak @returns {keyof typeof REASONS | ''} */
function reasonOf({ ms, calls, operations, bytes, share = 0 }, { flops, bytesPerSecond }) {
  if (share >= LOW_SHARE) return '';
  if (ms * share / calls < SMALL_MS) return 'small';
  return operations / flops < bytes / bytesPerSecond ? 'memory' : 'arithmetic';
}

/**
 * Prints the kernels of a profile with a peak, those first that lose most time: what they take less what the machine needs for
 * what they do. Of those far from it, why.
 *
 * @param {string} title @param {Profile} profile @param {Peak} peak
 */
export function printKernels(title, { kernels, total }, peak) {
  const lost = (/** @type {Profile['kernels'][0]} */ { ms, share = 0 }) => Math.max(0, ms * (1 - share));
  const atRoofline = kernels.reduce((sum, { ms, share = 0 }) => sum + ms * share, 0);
  const order = [...kernels].sort((a, b) => lost(b) - lost(a));
  console.log(`\n### ${title}: ${total.toFixed(3)} ms, ${atRoofline.toFixed(3)} ms at the roofline\n`);
  console.log(`Furthest from it: ${order.slice(0, WORST).map((each) => `${each.kernel} (${micro(lost(each))} us)`).join(', ')}\n`);
  const rows = order.filter(({ ms }) => ms >= LEAST_PART * total).map((each) => {
    const { kernel, ms, calls, operations, bytes, share = 0 } = each;
    return [kernel, String(calls), micro(ms), percent(ms / total), perSecond(operations, ms), perSecond(bytes, ms), percent(share), micro(lost(each)), reasonOf(each, peak)];
  });
  printTable([['kernel', 'calls', 'us', 'of the run', 'GFLOP/s', 'GB/s', 'of the peak', 'lost, us', 'why'], ...rows]);
  for (const [reason, text] of Object.entries(REASONS)) if (rows.some((row) => row.at(-1) === reason)) console.log(`\n${reason}: ${text}`);
}

/** @param {number} ms */
const micro = (ms) => (1000 * ms).toFixed(1);
/** @param {number} part */
const percent = (part) => `${(100 * part).toFixed(part < 0.1 ? 1 : 0)} %`;
/** Billions. @param {number} count @param {number} ms */
const perSecond = (count, ms) => ms > 0 ? (count / ms / 1e6).toFixed(0) : '';

/** @param {Peak} peak */
export const describePeak = ({ flops, bytesPerSecond }) => `${(flops / 1e12).toFixed(1)} TFLOP/s in f32, ${(bytesPerSecond / 1e9).toFixed(0)} GB/s`;
