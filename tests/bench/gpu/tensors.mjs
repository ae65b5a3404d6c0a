// Inputs of benchmarks, and how far results are apart.

/** Numbers that look random and are the same each time. @param {number} count */
function madeUp(count) {
  const values = new Float32Array(count);
  let state = 1;
  for (let i = 0; i < count; ++i) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = state / 2 ** 31 - 1;
  }
  return values;
}

/** @param {readonly any[]} ports @param {Record<string, number>} [known] sizes that are symbolic; others are taken as 1 */
export function inputsOf(ports, known = {}) {
  const inputs = {};
  for (const { name, dataType, shape } of ports) {
    const sizes = shape.map((size) => (typeof size === 'number' ? size : known[size] ?? 1));
    const count = sizes.reduce((a, b) => a * b, 1);
    const values = madeUp(count);
    const data =
      dataType === 'float32' ? values
      : dataType === 'float16' ? Uint16Array.from(values, toHalf)
      : dataType === 'int64' ? BigInt64Array.from(values, (v) => BigInt(Math.floor(Math.abs(v) * 100)))
      : Int32Array.from(values, (v) => Math.floor(Math.abs(v) * 100));
    inputs[name] = { data, shape: sizes, dataType };
  }
  return inputs;
}

/** The bits of the f16 that a number is rounded to; for numbers of normal size. @param {number} value */
function toHalf(value) {
  const bits = new Uint32Array(new Float32Array([value]).buffer)[0];
  const exponent = ((bits >> 23) & 255) - 112;
  if (exponent <= 0) return (bits >> 16) & 0x8000;
  return ((bits >> 16) & 0x8000) | ((exponent << 10) + ((((bits & 0x7fffff) >> 12) + 1) >> 1));
}

/** @param {number} half */
export function fromHalf(half) {
  const exponent = (half >> 10) & 31, fraction = half & 1023;
  const value = exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction;
  return half & 0x8000 ? -value : value;
}

/** The largest difference, in parts of the largest element. What is no number in one alone is infinitely far. */
export function distance(results, expected) {
  let worst = 0;
  for (const [name, wanted] of Object.entries(expected)) {
    const half = results[name].dataType === 'float16';
    const a = half ? Array.from(results[name].data, fromHalf) : results[name].data;
    const b = half ? Array.from(wanted, fromHalf) : wanted;
    let most = 0, off = 0;
    for (let i = 0; i < b.length; ++i) {
      const [got, right] = [Number(a[i]), Number(b[i])];
      most = Math.max(most, Math.abs(right));
      if (!Object.is(got, right)) off = Math.max(off, Number.isNaN(got - right) ? Infinity : Math.abs(got - right));
    }
    worst = Math.max(worst, off / (most || 1));
  }
  return worst;
}
