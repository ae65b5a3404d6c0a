// Makes this page's engine one that takes the second factor of i32x4.relaxed_dot_i8x16_i7x16_add_s with a sign, as engines on ARM do: in
// all modules that are compiled from here on, a function takes the place of the instruction. A call of it takes as many bytes.

const TYPE = 1, IMPORT = 2, FUNCTION = 3, CODE = 10, FUNCTION_KIND = 0, MEMORY_KIND = 2;
const V128 = 0x7b;
const lanes = (/** @type {number[]} */ words) => words.flatMap((word) => [0, 1, 2, 3].map((byte) => 4 * word + byte));
// Products of 16 bits, sums of two in 32, sums of two of these, and the third operand.
const BODY = [
  1, 2, V128, // locals 3 and 4
  0x20, 0, 0x20, 1, 0xfd, 0x9c, 1, 0xfd, 0x7e, 0x21, 3, // extmul_low_i8x16_s, extadd_pairwise_i16x8_s
  0x20, 0, 0x20, 1, 0xfd, 0x9d, 1, 0xfd, 0x7e, 0x21, 4,
  0x20, 3, 0x20, 4, 0xfd, 13, ...lanes([0, 2, 4, 6]), 0x20, 3, 0x20, 4, 0xfd, 13, ...lanes([1, 3, 5, 7]), 0xfd, 0xae, 1,
  0x20, 2, 0xfd, 0xae, 1, 0x0b,
];

/** @param {Uint8Array} bytes @param {number} at @returns {[number, number]} a number and what is behind it */
function readLeb(bytes, at) {
  let value = 0;
  for (let shift = 0;; shift += 7) {
    const byte = bytes[at++];
    value += (byte & 127) * 2 ** shift;
    if (byte < 128) return [value, at];
  }
}
/** @param {number} value */
const leb = (value) => {
  const out = [];
  for (; value > 127; value >>= 7) out.push(value & 127 | 128);
  return [...out, value];
};

/** @param {Uint8Array} bytes of a section @param {number[]} item that is added at its end */
function withItem(bytes, item) {
  const [count, at] = readLeb(bytes, 0);
  return [...leb(count + 1), ...bytes.subarray(at), ...item];
}

/** @param {Uint8Array} bytes of the section of imports */
function importedFunctions(bytes) {
  let [count, at] = readLeb(bytes, 0), functions = 0;
  for (; count > 0; --count) {
    for (let name = 0; name < 2; ++name) {
      const [length, from] = readLeb(bytes, at);
      at = from + length;
    }
    const kind = bytes[at++];
    if (kind === FUNCTION_KIND) ++functions;
    else if (kind !== MEMORY_KIND) throw new Error(`an import of kind ${kind}`);
    // A function's type; a memory's limits behind their flags.
    const limits = kind === MEMORY_KIND ? 1 + (bytes[at++] & 1) : 1;
    for (let n = 0; n < limits; ++n) [, at] = readLeb(bytes, at);
  }
  return functions;
}

/** @param {Uint8Array} module @returns {Uint8Array<ArrayBuffer>} */
export function withSigns(module) {
  /** @type {{id: number, bytes: Uint8Array}[]} */ const sections = [];
  for (let at = 8; at < module.length;) {
    const id = module[at], [length, from] = readLeb(module, at + 1);
    sections.push({ id, bytes: module.slice(from, at = from + length) });
  }
  const section = (/** @type {number} */ id) => sections.find((each) => each.id === id)?.bytes ?? new Uint8Array([0]);
  const type = readLeb(section(TYPE), 0)[0], index = importedFunctions(section(IMPORT)) + readLeb(section(FUNCTION), 0)[0];
  const code = section(CODE);
  for (let i = 0; i + 2 < code.length; ++i) {
    if (code[i] === 0xfd && code[i + 1] === 0x93 && code[i + 2] === 2) code.set([0x10, index & 127 | 128, index >> 7], i);
  }
  const added = /** @type {Record<number, number[]>} */ ({
    [TYPE]: withItem(section(TYPE), [0x60, 3, V128, V128, V128, 1, V128]), [FUNCTION]: withItem(section(FUNCTION), leb(type)),
    [CODE]: withItem(code, [...leb(BODY.length), ...BODY]),
  });
  return new Uint8Array([...module.subarray(0, 8), ...sections.flatMap(({ id, bytes }) => {
    const all = added[id] ?? bytes;
    return [id, ...leb(all.length), ...all];
  })]);
}

/** For this thread. */
export function install() {
  const { Module, compile } = WebAssembly, bytesOf = (/** @type {any} */ source) => withSigns(new Uint8Array(source.buffer ?? source));
  WebAssembly.Module = /** @type {any} */ (new Proxy(Module, { construct: (Target, [source]) => new Target(bytesOf(source)) }));
  WebAssembly.compile = (source) => compile(bytesOf(source));
  WebAssembly.compileStreaming = async (source) => compile(bytesOf(await (await source).arrayBuffer()));
}
