// Writes the product of two square matrices as an ONNX model. The format is protobuf's: fields are a
// number and a wire type, then a varint (0) or bytes behind their length (2).

/** @param {number} value @returns {number[]} */
const varint = (value) => value < 128 ? [value] : [value % 128 + 128, ...varint(Math.floor(value / 128))];
/** @param {number} number @param {number} value */
const integer = (number, value) => [...varint(number << 3), ...varint(value)];
/** @param {number} number @param {string | number[]} content text or a message */
function bytes(number, content) {
  const all = typeof content === 'string' ? [...Buffer.from(content)] : content;
  return [...varint(number << 3 | 2), ...varint(all.length), ...all];
}

/** c = a b, all of `size` x `size`. @param {number} size @param {boolean} half f16 instead of f32 */
export function matmulModel(size, half) {
  const dimension = bytes(1, integer(1, size)), shape = bytes(2, [...dimension, ...dimension]);
  const type = bytes(2, bytes(1, [...integer(1, half ? 10 : 1), ...shape]));
  const value = (/** @type {string} */ name) => [...bytes(1, name), ...type];
  const node = [...bytes(1, 'a'), ...bytes(1, 'b'), ...bytes(2, 'c'), ...bytes(3, 'product'), ...bytes(4, 'MatMul')];
  const graph = [...bytes(1, node), ...bytes(2, 'matmul'), ...bytes(11, value('a')), ...bytes(11, value('b')), ...bytes(12, value('c'))];
  // IR version 8, opset 13.
  return Buffer.from([...integer(1, 8), ...bytes(7, graph), ...bytes(8, integer(2, 13))]);
}
