// Writes small ONNX models for tests and benchmarks.
//
//   onnxModel({
//     inputs: { x: ['f32', ['n', 4]] }, outputs: { y: ['f32', ['n', 4]] },
//     nodes: [{ op: 'Add', inputs: ['x', 'b'], outputs: ['y'] }],
//     constants: { b: [1, 2, 3, 4] },
//   })
//
// The format is protobuf's: a field is its number and wire type, then a varint (0) or bytes behind
// their length (2). The numbers are those of onnx.proto.

/** Numbers of ONNX's element types. */
export const TYPES = { f32: 1, u8: 2, i8: 3, u16: 4, i16: 5, i32: 6, i64: 7, bool: 9, f16: 10, f64: 11, u32: 12, u64: 13, bf16: 16, f8e4m3fn: 17, f8e4m3fnuz: 18, f8e5m2: 19, f8e5m2fnuz: 20,
  u4: 21, i4: 22, f4e2m1: 23, f8e8m0: 24, u2: 25, i2: 26 };

/** Negative numbers as the 64 bits of two's complement. @param {number | bigint} value @returns {number[]} */
const varint = (value) => value < 0 ? varint(BigInt.asUintN(64, BigInt(value)))
  : value < 128 ? [Number(value)] : typeof value === 'bigint' ? [Number(value % 128n) + 128, ...varint(value / 128n)]
    : [value % 128 + 128, ...varint(Math.floor(value / 128))];
/** @param {number} number @param {number} value */
const integer = (number, value) => [...varint(number << 3), ...varint(value)];
/** @param {number} number @param {string | Iterable<number>} content text or a message */
function bytes(number, content) {
  const all = typeof content === 'string' ? [...Buffer.from(content)] : [...content];
  return [...varint(number << 3 | 2), ...varint(all.length), ...all];
}

/** @typedef {[keyof typeof TYPES, (number | string)[]]} Type */
/**
 * What may stand for a Type: without a shape, of any rank.
 *
 * @typedef {{list: 'sequence' | 'optional' | 'optional sequence', of: [keyof typeof TYPES, (number | string)[]?]}} ListType
 */

/** A TypeProto. @param {[keyof typeof TYPES, (number | string)[]?]} type */
function tensorType([dtype, shape]) {
  const sizes = shape?.flatMap((size) => bytes(1, typeof size === 'number' ? integer(1, size) : bytes(2, size)));
  return bytes(1, [...integer(1, TYPES[dtype]), ...sizes ? bytes(2, sizes) : []]);
}

/** @param {ListType} type */
function listType({ list, of }) {
  const inner = list === 'optional' ? tensorType(of) : bytes(4, bytes(1, tensorType(of)));
  return list === 'sequence' ? inner : bytes(9, bytes(1, inner));
}

/** @param {string} name @param {Type | ListType | null} type null where readers are to infer it */
const valueInfo = (name, type) => [...bytes(1, name), ...type ? bytes(2, 'list' in type ? listType(type) : tensorType(type)) : []];

/** @typedef {{ type: Type, bytes: Uint8Array }} Tensor a constant of any type and shape, its elements as bytes */

/** Vectors of f32, or of i64 where they are bigints. @param {string} name @param {number[] | bigint[] | Tensor} values */
function tensor(name, values) {
  if (!Array.isArray(values)) {
    const [dtype, shape] = values.type;
    return [...shape.flatMap((size) => integer(1, Number(size))), ...integer(2, TYPES[dtype]), ...bytes(8, name), ...bytes(9, values.bytes)];
  }
  const isInteger = typeof values[0] === 'bigint';
  const data = isInteger ? BigInt64Array.from(/** @type {bigint[]} */ (values)) : Float32Array.from(/** @type {number[]} */ (values));
  return [...integer(1, values.length), ...integer(2, isInteger ? TYPES.i64 : TYPES.f32), ...bytes(8, name),
    ...bytes(9, new Uint8Array(data.buffer))];
}

/** @param {number} number @param {number} value */
const float = (number, value) => [...varint(number << 3 | 5), ...new Uint8Array(Float32Array.of(value).buffer)];

/**
 * @typedef {{op: string, name?: string, domain?: string, inputs: string[], outputs: string[],
 *   attributes?: Record<string, Attribute>}} Node
 * @typedef {number | string | number[] | { float: number } | { floats: number[] } | { strings: string[] } | { tensor: Tensor } | { graph: Graph }} Attribute
 *   integers, text, lists of integers, or what is said
 * @typedef {{ inputs: Record<string, Type>, outputs: Record<string, Type>, nodes: Node[], constants?: Record<string, number[] | bigint[] | Tensor>,
 *   sparse?: Record<string, { size: number, at: bigint[] }> }} Graph
 */

/** The fields of an AttributeProto that hold its value, and its type. @param {Attribute} value @returns {number[]} */
function attributeValue(value) {
  if (Array.isArray(value)) return [...value.flatMap((one) => integer(8, one)), ...integer(20, 7)];
  if (typeof value === 'number') return [...integer(3, value), ...integer(20, 2)];
  if (typeof value === 'string') return [...bytes(4, value), ...integer(20, 3)];
  if ('float' in value) return [...float(2, value.float), ...integer(20, 1)];
  if ('floats' in value) return [...value.floats.flatMap((one) => float(7, one)), ...integer(20, 6)];
  if ('strings' in value) return [...value.strings.flatMap((one) => bytes(9, one)), ...integer(20, 8)];
  if ('graph' in value) return [...bytes(6, graphProto(value.graph)), ...integer(20, 5)];
  return [...bytes(5, tensor('', value.tensor)), ...integer(20, 4)];
}

/** @param {Node} node @returns {number[]} */
function nodeProto({ op, name = op, domain = '', inputs, outputs, attributes: given = {} }) {
  const attributes = Object.entries(given).flatMap(([key, value]) => bytes(5, [...bytes(1, key), ...attributeValue(value)]));
  return [...inputs.flatMap((input) => bytes(1, input)), ...outputs.flatMap((output) => bytes(2, output)),
    ...bytes(3, name), ...bytes(4, op), ...attributes, ...domain ? bytes(7, domain) : []];
}

/** @typedef {{ inputs: string[], outputs: string[], nodes: Node[] }} Body of a function of the domain "local" */

/** @param {string} name @param {Body} body @param {number} opset */
function functionProto(name, { inputs, outputs, nodes }, opset) {
  return [...bytes(1, name), ...inputs.flatMap((input) => bytes(4, input)), ...outputs.flatMap((output) => bytes(5, output)),
    ...nodes.flatMap((node) => bytes(7, nodeProto(node))), ...bytes(9, integer(2, opset)), ...bytes(9, [...bytes(1, 'local'), ...integer(2, 1)]),
    ...bytes(10, 'local')];
}

/** A weight of ones at some places of a vector. @param {string} name @param {{ size: number, at: bigint[] }} sparse */
function sparseProto(name, { size, at }) {
  const ones = { type: /** @type {Type} */ (['f32', [at.length]]), bytes: new Uint8Array(new Float32Array(at.length).fill(1).buffer) };
  return [...bytes(1, tensor(name, ones)), ...bytes(2, tensor('', at)), ...integer(3, size)];
}

/** @param {Graph} graph @returns {number[]} */
const graphProto = ({ inputs, outputs, nodes, constants = {}, sparse = {} }) => [
  ...nodes.flatMap((node) => bytes(1, nodeProto(node))), ...bytes(2, 'graph'),
  ...Object.entries(constants).flatMap(([name, values]) => bytes(5, tensor(name, values))),
  ...Object.entries(inputs).flatMap(([name, type]) => bytes(11, valueInfo(name, type))),
  ...Object.entries(outputs).flatMap(([name, type]) => bytes(12, valueInfo(name, type))),
  ...Object.entries(sparse).flatMap(([name, weight]) => bytes(15, sparseProto(name, weight))),
];

/** @param {Graph & { functions?: Record<string, Body>, opset?: number }} model */
export function onnxModel({ functions = {}, opset = 13, ...graph }) {
  const local = Object.keys(functions).length ? bytes(8, [...bytes(1, 'local'), ...integer(2, 1)]) : [];
  const fused = graph.nodes.some(({ domain }) => domain === 'com.microsoft') ? bytes(8, [...bytes(1, 'com.microsoft'), ...integer(2, 1)]) : [];
  // IR version 8.
  return Buffer.from([...integer(1, 8), ...bytes(7, graphProto(graph)), ...bytes(8, integer(2, opset)), ...local, ...fused,
    ...Object.entries(functions).flatMap(([name, body]) => bytes(25, functionProto(name, body, opset)))]);
}

/** The key and length of a field. @param {number} field @param {number} length */
const head = (field, length) => Buffer.from([...varint(field << 3 | 2), ...varint(length)]);

/** A model with another graph. @param {Buffer} model @param {(graph: Buffer) => Uint8Array[]} changed */
function withGraph(model, changed) {
  return Buffer.concat([...fieldsOf(model)].flatMap(({ field, content, whole }) => {
    if (field !== 7 || !content) return [whole];
    const parts = changed(content);
    return [head(7, parts.reduce((sum, part) => sum + part.length, 0)), ...parts];
  }));
}

/** A model that has weights besides, however large. @param {Buffer} model @param {Record<string, Tensor>} weights */
export const withWeights = (model, weights) => withGraph(model, (graph) => [graph, ...Object.entries(weights).flatMap(([name, { type: [dtype, shape], bytes: content }]) => {
  const fields = Buffer.from([...shape.flatMap((size) => integer(1, Number(size))), ...integer(2, TYPES[dtype]), ...bytes(8, name)]), data = head(9, content.length);
  return [head(5, fields.length + data.length + content.length), fields, data, content];
})]);

/** A model that may have operators of another domain, too. @param {Buffer} model @param {string} domain */
export const withDomain = (model, domain) => Buffer.concat([model, Buffer.from(bytes(8, [...bytes(1, domain), ...integer(2, 1)]))]);

/** A model without these weights, and with others for some of its nodes. @param {Buffer} model @param {ReadonlySet<string>} dropped @param {(node: Node) => Node[] | undefined} replaced */
export const withNodes = (model, dropped, replaced) => withGraph(model, (graph) => [...fieldsOf(graph)].flatMap(({ field, content, whole }) => {
  if (field === 5 && content && dropped.has(nameOf(content))) return [];
  const nodes = field === 1 && content && replaced(readNode(content));
  return nodes ? nodes.map((node) => Buffer.from(bytes(1, nodeProto(node)))) : [whole];
}));

// ---- Reading

/** A varint, and where it ends. @param {Buffer} message @param {number} at @returns {[bigint, number]} */
function readVarint(message, at) {
  let value = 0n;
  for (let shift = 0n; ; shift += 7n) {
    const byte = message[at++];
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return [BigInt.asIntN(64, value), at];
  }
}

/** @typedef {{ field: number, value: number, content?: Buffer, whole: Buffer }} Field a number, or bytes; and all of its own */

/** The fields of a message. @param {Buffer} message @returns {Generator<Field>} */
function* fieldsOf(message) {
  for (let at = 0; at < message.length;) {
    let key, value, content;
    const start = at;
    [key, at] = readVarint(message, at);
    const field = Number(key >> 3n), wire = Number(key & 7n);
    if (wire === 5) [content, value, at] = [message.subarray(at, at + 4), 0n, at + 4];
    else [value, at] = readVarint(message, at);
    if (wire === 2) [content, at] = [message.subarray(at, at + Number(value)), at + Number(value)];
    yield { field, value: Number(value), content, whole: message.subarray(start, at) };
  }
}

/** How many bytes the weights in a model's file take. @param {Buffer} model */
export function weightBytes(model) {
  let bytes = 0;
  for (const { field, content = model } of fieldsOf(model)) {
    for (const { field: part, content: weight = model } of field === 7 ? fieldsOf(content) : [])
      for (const { field: kind, content: elements } of part === 5 ? fieldsOf(weight) : []) bytes += elements && [4, 5, 7, 9].includes(kind) ? elements.length : 0;
  }
  return bytes;
}

/** A graph, or whatever else is not numbers or text, is read as 0. @param {Buffer} message an AttributeProto @returns {Attribute} */
function readAttribute(message) {
  const fields = [...fieldsOf(message)], of = (/** @type {number} */ kind) => fields.filter(({ field }) => field === kind);
  const floats = (/** @type {number} */ kind) => of(kind).flatMap(({ content }) => content
    ? Array.from({ length: content.length / 4 }, (_, i) => content.readFloatLE(4 * i)) : []);
  switch (of(20)[0]?.value) {
    case 1: return { float: floats(2)[0] };
    case 3: return String(of(4)[0].content);
    case 6: return { floats: floats(7) };
    case 7: return of(8).flatMap(({ value, content }) => content ? varintsIn(content) : [value]);
    default: return of(3)[0]?.value ?? 0;
  }
}

/** @param {Buffer} message @returns {Node & { attributes: Record<string, Attribute> }} */
function readNode(message) {
  const fields = [...fieldsOf(message)], texts = (/** @type {number} */ kind) => fields.filter(({ field }) => field === kind).map(({ content }) => String(content));
  const attributes = Object.fromEntries(fields.flatMap(({ field, content }) => field === 5 && content ? [[nameOf(content, 1), readAttribute(content)]] : []));
  return { op: texts(4)[0], name: texts(3)[0] ?? '', inputs: texts(1), outputs: texts(2), attributes };
}

/** @param {Buffer} message @param {number} [kind] the field's number: that of tensors if not given */
const nameOf = (message, kind = 8) => String([...fieldsOf(message)].find(({ field }) => field === kind)?.content);

/** The nodes, weights and integer constants of a model, these as numbers, and the ports that it declares. @param {Buffer} model */
export function readGraph(model) {
  const items = [...fieldsOf(model)].flatMap(({ field, content }) => field === 7 && content ? [...fieldsOf(content)] : []);
  /** @param {number} kind */
  const of = (kind) => items.flatMap(({ field, content }) => field === kind && content ? [content] : []);
  const tensors = (/** @type {number} */ type) => new Map(of(5).filter((message) => [...fieldsOf(message)].some(({ field, value }) => field === 2 && value === type))
    .map((message) => [nameOf(message), readTensor(message)]));
  const ports = (/** @type {number} */ kind) => new Map(of(kind).map((message) => [nameOf(message, 1), portShape(message)]));
  return { nodes: of(1).map(readNode), weights: tensors(TYPES.f32), integers: tensors(TYPES.i64), inputs: ports(11), outputs: ports(12) };
}

/** The first field of a kind, as a message. @param {Buffer} message @param {number} kind */
const within = (message, kind) => [...fieldsOf(message)].find(({ field }) => field === kind)?.content ?? message.subarray(0, 0);

/** Sizes that are open are 0. @param {Buffer} message the ValueInfoProto of a tensor */
const portShape = (message) => [...fieldsOf(within(within(within(message, 2), 1), 2))]
  .map(({ content }) => [...fieldsOf(content ?? message.subarray(0, 0))].find(({ field }) => field === 1)?.value ?? 0);

/** The nodes, and the shapes of all weights, wherever their elements are. @param {Buffer} model */
export function readShapes(model) {
  const items = [...fieldsOf(model)].flatMap(({ field, content }) => field === 7 && content ? [...fieldsOf(content)] : []);
  const of = (/** @type {number} */ kind) => items.flatMap(({ field, content }) => field === kind && content ? [content] : []);
  return { nodes: of(1).map(readNode), shapes: new Map(of(5).map((message) => [nameOf(message), shapeOf(message)])) };
}

/** @param {Buffer} message a TensorProto */
const shapeOf = (message) => [...fieldsOf(message)].flatMap(({ field, value, content }) => field === 1 ? content ? varintsIn(content) : [value] : []);

/** A tensor of ONNX's test data: a TensorProto of f32 or i64, its elements raw or as numbers. @param {Buffer} message */
export function readTensor(message) {
  /** @type {number[]} */
  const shape = [], values = [];
  let type = 0, raw = message.subarray(0, 0);
  for (const { field, value, content } of fieldsOf(message)) {
    if (field === 1) shape.push(...content ? varintsIn(content) : [value]);
    if (field === 2) type = value;
    if (field === 4 && content) for (let i = 0; i < content.length; i += 4) values.push(content.readFloatLE(i));
    if (field === 7) values.push(...content ? varintsIn(content) : [value]);
    if (field === 9 && content) raw = content;
  }
  for (let i = 0; i < raw.length; i += type === TYPES.i64 ? 8 : 4) values.push(type === TYPES.i64 ? Number(raw.readBigInt64LE(i)) : raw.readFloatLE(i));
  return { shape, values };
}

/** @param {Buffer} content */
function varintsIn(content) {
  const values = [];
  for (let at = 0, value; at < content.length;) {
    [value, at] = readVarint(content, at);
    values.push(Number(value));
  }
  return values;
}
