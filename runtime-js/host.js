// The wasm module: its manifest, its functions, and its records in memory, whose layout is in
// include/webnnc/abi.def.

/** @import * as Api from './model.js' */
/** @import { Hired, Work } from './team.js' */

/** @import { FileKind, Finder, LoadControl, Source } from './files.js' */
/** @import { Shaders } from './shaders.js' */

import * as abi from './abi.js';
import { BUILD } from './build.js';
import { InputError, ModelLoadError, OutOfMemoryError } from './errors.js';
import { failToLoad, pastCaches } from './files.js';
import { MODELS, exportsOf } from './models.js';
import { hasRelaxedSimd, multipliesBytes } from './relaxed_simd.js';
import { makeMemory, workOf } from './team.js';
import { readWhole } from './whole.js';

/**
 * What a caller knows, and what goes with a picture or a list: tables and parts `of` it. That of a list is the elements of
 * all its tensors, whose shape `tensor` is.
 *
 * @typedef {Api.Port & {of?: string, tensor?: (number | string)[]}} ManifestPort
 */
/**
 * @typedef {{kind: 'wasm', steps: string[]}} WasmProgram
 * @typedef {{name: string, shader: number, bindings: string, uniformBytes?: number}} Kernel
 * @typedef {{kind: 'webgpu', half: boolean, steps: number[], kernels: Kernel[]}} GpuProgram
 * @typedef {{low: number, high: number, node: string}} Range of an input's elements
 * @typedef {ManifestPort & {range?: Range}} InputPort
 * @typedef {ManifestPort & {hidden?: boolean}} OutputPort one that is hidden tells of indices
 * @typedef {{abi: number, name: string, build: string, inputs: InputPort[], outputs: OutputPort[],
 *   state?: {input: string, output: string, axis?: number, capacity?: number, limited?: boolean}[], indices?: {node: string, inputs: string[]}[], assumptions?: string[], programs: (WasmProgram | GpuProgram)[]}} Manifest
 *
 * @typedef {{isWeight: boolean, bytes: number, offset: number}} Place where a buffer is
 */

/** All there may be, the best first. @type {FileKind[]} */
const MODULES = globalThis.WEBNNC_MORE_MODULES === false ? ['relaxed', 'wasm'] : ['relaxed.threads.dots', 'relaxed.threads', 'threads', 'relaxed.dots', 'relaxed', 'wasm'];
const isForThreads = (/** @type {string} */ kind) => kind.includes('threads'), isForBytes = (/** @type {string} */ kind) => kind.endsWith('dots');
/** Whether there are modules that multiply bytes. */
export const HAS_DOTS = globalThis.WEBNNC_MORE_MODULES !== false && Object.keys(BUILD ?? {}).some(isForBytes);

/**
 * The best module that this engine can run, checked to be the build's, and in words which SIMD it has and why.
 *
 * @param {Finder} files @param {LoadControl} control @param {Hired} hired who is to share its work
 * @returns {Promise<{module: WebAssembly.Module, kind: FileKind, variant: string}>}
 */
async function loadModule(files, control, { team, isOnGpu }) {
  const isRelaxed = hasRelaxedSimd(), asksForBytes = HAS_DOTS && isRelaxed && !isOnGpu, multiplies = globalThis.WEBNNC_MORE_MODULES !== false && asksForBytes && multipliesBytes();
  // Whoever gives some gives all there are, or those that are wanted.
  const kinds = MODULES.filter((kind) => (team || !isForThreads(kind)) && (isRelaxed || !kind.startsWith('relaxed')) && (multiplies || !isForBytes(kind)) &&
    (kind === 'wasm' || files.isGiven(kind) || !files.isGiven('wasm')));
  let missing;
  for (const kind of kinds) {
    try {
      const module = await loadModuleFrom(await files.find(kind), control), why = !isRelaxed ? 'this engine has none' : `its module is not ${missing ? 'there' : 'given'}`;
      const bytes = globalThis.WEBNNC_MORE_MODULES === false ? '' : isForBytes(kind) ? ' that multiplies bytes' : asksForBytes && !multiplies ? ', whose products of bytes are not exact in this engine' : '';
      return { module, kind, variant: kind.startsWith('relaxed') ? `with relaxed SIMD${bytes}` : `without relaxed SIMD: ${why}` };
    } catch (error) {
      // Whoever left it out has another, which does the same.
      if (!(error instanceof ModelLoadError) || /** @type {any} */ (error).reason !== 'missing') throw missing ?? error;
      missing ??= error;
    }
  }
  throw missing;
}

/** @param {Source} source @param {LoadControl} control */
function loadModuleFrom(source, control) {
  return pastCaches(source, async (fresh) => {
    /** @type {Promise<WebAssembly.Module> | undefined} */
    let streamed;
    const bytes = await readWhole(source, 'modules', fresh, control, buildOfModule, (response) => {
      // Possible only if the server names the type; browsers keep the code then.
      if (response.ok && response.headers.get('Content-Type') === 'application/wasm') streamed = WebAssembly.compileStreaming(response.clone());
      streamed?.catch(() => {});
      return response;
    });
    // What was compiled on the way is of no use if the download broke off.
    const module = streamed?.catch(() => WebAssembly.compile(bytes)) ?? WebAssembly.compile(bytes);
    return module.catch((error) => failToLoad(source, error, control.signal));
  });
}

/** @param {Uint8Array<ArrayBuffer>} bytes */
const buildOfModule = async (bytes) => manifestOf(await WebAssembly.compile(bytes)).build;

/** @param {WebAssembly.Module} module */
function manifestOf(module) {
  const [bytes] = WebAssembly.Module.customSections(module, 'webnnc.manifest');
  if (!bytes) throw new ModelLoadError('model.wasm has no section webnnc.manifest: compile the model again');
  return JSON.parse(new TextDecoder().decode(bytes));
}

/** A model's records and functions in wasm. */
export class Host {
  /**
   * Those of all models.
   *
   * @param {Finder} files @param {Shaders} shaders @param {LoadControl} control @param {Promise<Hired>} hiring who is to share the work @returns {Promise<Host[]>}
   */
  static async load(files, shaders, control, hiring) {
    const hired = await hiring, { module, kind, variant } = await loadModule(files, control, hired);
    // The imports serve the WASI command. Nothing that is called here uses them.
    /** @type {Record<string, Record<string, () => number>>} */
    const imports = {};
    for (const entry of WebAssembly.Module.imports(module)) {
      if (entry.kind === 'function') (imports[entry.module] ??= {})[entry.name] = () => 52;
    }
    const memory = globalThis.WEBNNC_MORE_MODULES !== false && isForThreads(kind) ? makeMemory(/** @type {any} */ (BUILD)[kind].pages) : undefined;
    if (memory) imports.env = /** @type {any} */ ({ memory });
    const instance = await WebAssembly.instantiate(module, imports), exports = memory ? { ...instance.exports, memory } : instance.exports;
    const work = globalThis.WEBNNC_MORE_MODULES !== false ? await workOf(module, memory, exports, hired) : {}, { models, ...manifest } = manifestOf(module);
    if (globalThis.WEBNNC_MODELS !== false && models) {
      const turn = {};
      return MODELS.map((_, index) => new Host(exportsOf(exports, index, turn), { ...manifest, ...models[index] }, variant, shaders, index, work));
    }
    return [new Host(exports, manifest, variant, shaders, 0, work)];
  }

  /**
   * @param {any} exports @param {Manifest} manifest @param {string} variant which SIMD the module has, in words @param {Shaders} shaders of all models
   * @param {number} index of the model @param {Work} work
   */
  constructor(exports, manifest, variant, shaders, index, work) {
    this.work = work;
    this.manifest = manifest;
    this.variant = variant;
    this.shaders = shaders;
    this.exports = exports;
    this.index = index;
    this.model = exports.webnnc_model(index) / 4;
    if (this.word(this.model + abi.MODEL_ABI_VERSION) !== abi.ABI_VERSION || this.manifest.abi !== abi.ABI_VERSION) {
      throw new ModelLoadError('model.js and model.wasm are from different versions of the compiler');
    }
    const count = this.word(this.model + abi.MODEL_SYMBOL_COUNT), names = this.word(this.model + abi.MODEL_SYMBOL_NAMES);
    this.symbols = Array.from({ length: count }, (_, i) => this.text(this.word(names / 4 + i)));
  }

  // Memory that grows gets a new buffer, and arrays of the one before have no elements then, unless threads share it. (The memory itself takes longer to ask.)
  get words() {
    if (!this.view?.length || this.work.isShared && this.view.buffer !== this.exports.memory.buffer) this.view = new Int32Array(this.exports.memory.buffer);
    return /** @type {Int32Array<ArrayBuffer>} */ (this.view);
  }
  get bytes() {
    return new Uint8Array(this.words.buffer);
  }

  /** An unsigned word. @param {number} at in words */
  word(at) {
    return this.words[at] >>> 0;
  }

  /** @param {number} address */
  text(address) {
    const { bytes } = this;
    return new TextDecoder().decode(bytes.slice(address, bytes.indexOf(0, address)));
  }

  /** An abi::Size: itself, or an entry of dims. @param {number} at in words */
  size(at) {
    const size = this.words[at];
    return size >= 0 ? size : this.words[this.word(this.model + abi.MODEL_DIMS) / 4 + ~size];
  }

  /** @param {'inputs' | 'outputs'} kind sizes for the symbols' values */
  shapes(kind) {
    const ports = this.word(this.model + (kind === 'inputs' ? abi.MODEL_INPUTS : abi.MODEL_OUTPUTS)) / 4;
    return this.manifest[kind].map((port, i) => {
      const shape = this.word(ports + i * abi.PORT_WORDS + abi.PORT_SHAPE) / 4;
      return port.shape.map((_, d) => this.size(shape + d));
    });
  }

  /** Where the record of a program is. @param {number} index */
  program(index) {
    return this.word(this.model + abi.MODEL_PROGRAMS) / 4 + index * abi.PROGRAM_WORDS;
  }

  /** @param {number} index @returns {Place[]} */
  places(index) {
    const program = this.program(index), buffers = this.word(program + abi.PROGRAM_BUFFERS) / 4;
    return Array.from({ length: this.word(program + abi.PROGRAM_BUFFER_COUNT) }, (_, b) => {
      const at = buffers + b * abi.BUFFER_WORDS;
      return {
        isWeight: this.word(at + abi.BUFFER_KIND) === abi.WEIGHTS,
        bytes: this.size(at + abi.BUFFER_BYTES),
        offset: this.word(at + abi.BUFFER_OFFSET),
      };
    });
  }

  /** Indices of the buffers of a program's ports. @param {number} index @param {'inputs' | 'outputs'} kind */
  portBuffers(index, kind) {
    const field = kind === 'inputs' ? abi.PROGRAM_INPUT_BUFFERS : abi.PROGRAM_OUTPUT_BUFFERS;
    const at = this.word(this.program(index) + field) / 4;
    return this.manifest[kind].map((_, i) => this.word(at + i));
  }

  /** Computes all sizes, which takes no memory. @param {readonly number[]} symbols their values */
  bind(symbols) {
    this.words.set(symbols, this.word(this.model + abi.MODEL_DIMS) / 4);
    if (this.exports.webnnc_sizes() !== abi.SIZE_OUT_OF_RANGE) return;
    const { assumptions } = this.manifest;
    throw new InputError(`the model cannot take inputs with ${this.describe(symbols)}` +
      `${assumptions ? `: it was compiled for ${assumptions.join(', ')}` : ''}`);
  }

  /** Places what a program needs. @param {number} index @param {readonly number[]} symbols that were bound */
  prepare(index, symbols) {
    if (this.exports.webnnc_prepare(index) !== abi.OUT_OF_MEMORY) return;
    const sizes = this.describe(symbols);
    throw new OutOfMemoryError(`wasm has not enough memory for the model${sizes && ` with ${sizes}: try smaller inputs`}`);
  }

  /** 'n = 2 (of "a"), m = 3 (of "b")' @param {readonly number[]} symbols */
  describe(symbols) {
    const owner = (/** @type {string} */ symbol) => this.manifest.inputs.find(({ shape }) => shape.includes(symbol))?.name;
    return this.symbols.map((name, i) => `${name} = ${symbols[i]} (of "${owner(name)}")`).join(', ');
  }

  /** The weights that a program reads. Call before `prepare`, which turns offsets into addresses. @param {number} index */
  weightPlaces(index) {
    return this.places(index).filter(({ isWeight, offset }) => isWeight && offset !== abi.NO_OFFSET);
  }

  /** XXH64 of bytes in memory. @param {number} address @param {number} bytes @returns {bigint} */
  hash(address, bytes) {
    return BigInt.asUintN(64, this.exports.webnnc_hash(address, bytes));
  }
}
