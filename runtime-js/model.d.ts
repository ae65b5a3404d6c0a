// The types of model.js.
//
// This file describes any model. The compiler writes it beside model.js with the last section made
// for the model at hand, so that names and element types are checked in your editor.

// ---- Loading ------------------------------------------------------------------------------------

/**
 * Loads the model: reads the files beside model.js, prepares the backend and the weights. Of several models
 * it loads all: options are for all of them.
 *
 * @throws {ModelLoadError} A file cannot be read, or the files do not belong together.
 * @throws {UnsupportedError} The backend that was asked for, or every one, cannot be used here.
 * @throws {GpuError} The GPU refuses a shader, and `backend` is `'webgpu'`.
 * @throws {OutOfMemoryError} The weights do not fit in memory.
 * @throws {DOMException} An AbortError, when `signal` is aborted (or the signal's own reason).
 */
export function load(options?: LoadOptions): Promise<Loaded>;

export interface LoadOptions {
  /**
   * Where to run. `'auto'`, the default, takes WebGPU if a GPU is there that can run the model, and
   * wasm if not; `model.backendReason` tells why. If the GPU refuses a run, the model goes on in wasm.
   */
  backend?: 'auto' | 'webgpu' | 'wasm';
  /**
   * Run on this WebGPU device instead of one of the model's own: to share buffers with it, or where
   * there is no `navigator.gpu`, as in Node. It stays yours: `dispose` does not destroy it.
   */
  device?: GpuDevice;
  /** Stops the loading. */
  signal?: AbortSignal;
  /**
   * Called when the GPU is lost, once for each loss. The next run looks for a GPU by itself, and takes
   * wasm if there is none and `backend` is `'auto'`. Buffers on the lost device are lost; so they are
   * if the device was one that you passed, since the new one is the model's own.
   */
  onDeviceLost?: (info: { reason: 'unknown' | 'destroyed'; message: string }) => void;
  /**
   * Called while the model loads: bytes of modules, of shaders (on WebGPU) and of weights, and what is
   * compiled, counted. These go on side by side; each ends with `loaded` equal to `total`.
   */
  onProgress?: (progress: Progress) => void;
  /**
   * The address of the folder with the model's files, if they do not lie beside `model.js`, or if
   * `model.js` was bundled into a script that has no address of its own.
   */
  baseUrl?: string | URL;
  /** Single files, from elsewhere. What is not named lies beside `model.js`, or at `baseUrl`. */
  files?: {
    /** model.wasm; used in all engines unless `relaxed` is given as well. */
    wasm?: FileSource;
    /** model.relaxed.wasm, for engines that have relaxed SIMD. */
    relaxed?: FileSource;
    /** model.threads.wasm, for several threads; used unless `wasm` is given alone, or there is one thread. */
    threads?: FileSource;
    /** model.relaxed.threads.wasm, for several threads in engines that have relaxed SIMD. */
    'relaxed.threads'?: FileSource;
    /** model.relaxed.dots.wasm, of quantised models, for engines whose relaxed SIMD multiplies bytes exactly. */
    'relaxed.dots'?: FileSource;
    /** model.relaxed.threads.dots.wasm, the same for several threads. */
    'relaxed.threads.dots'?: FileSource;
    /** model.weights.bin. */
    weights?: FileSource;
    /** model.shaders.json, for GPUs; `'shaders.f16'` is model.shaders.f16.json, and so with all that there are. */
    shaders?: FileSource;
    [shaders: `shaders.${string}`]: FileSource | undefined;
    /** model.worker.js, or a Worker that you have started with it. */
    worker?: FileSource | WorkerLike;
    /** model.profile.js, which `profile` imports. */
    profile?: string | URL;
  };
  /**
   * Whether the model runs in a worker of its own: the page stays responsive whatever it does. All
   * else is the same, but for the GPU: a `device` cannot be passed, `model.device` is undefined, and
   * tensors on the GPU are neither taken nor given. Inputs are copied, or moved with
   * `run(inputs, { transfer: true })`; outputs are moved. `dispose` ends the worker. Off if not given.
   */
  worker?: boolean;
  /**
   * How many threads compute on the CPU, this one included. If not given: of up to four cores all, else half of them and
   * at most eight. They need a page that is cross-origin isolated (README.md says how), or Node, Deno or Bun, and a model that takes
   * long enough; else there is one, and `model.backendReason` tells why. The others are workers, which all models have in
   * common; those wait between runs, and end when the last model is disposed of. Nothing else changes: results are the same, bit for
   * bit, and a run still keeps its own thread busy unless it is a `worker`.
   */
  threads?: number;
  /**
   * Whether the most expensive kernels run with the shaders that are fastest on this GPU, out of up to four that a model has which
   * was compiled with `--tunable`. They are measured when the model is loaded for the first time, which takes two seconds
   * more at most, and the browser remembers what came of it. Off if not given.
   */
  tune?: boolean;
  /**
   * Whether the weights are also kept in the browser's Cache, beside what it keeps by itself: for
   * models that are to run offline. Weights of builds before are removed. Off if not given.
   */
  cache?: boolean;
  /**
   * Whether indices are checked: token ids and other inputs that pick rows of tables. On if not given;
   * off, a model answers an id that it does not know with some other row. `port.range` says what it
   * takes. A run that keeps tensors on the GPU waits for the check if indices are computed from data.
   */
  validate?: boolean;
}

/** A Worker, of the web or of Node. */
export interface WorkerLike {
  postMessage(message: any, transfer: any[]): void;
}

export interface Progress {
  phase: 'modules' | 'shaders' | 'weights' | 'compilation';
  loaded: number;
  total: number;
}

/** An address, or the bytes. A Response can be read once: give a Blob where a load may be repeated. */
export type FileSource = OneOf | Promise<OneOf>;
type OneOf = string | URL | Response | Blob | ArrayBuffer | ArrayBufferView;

/** Which build of the model this is: an id made of its content, and the version of webnnc. */
export const build: { readonly id: string; readonly webnnc: string };

// ---- The model ----------------------------------------------------------------------------------

/**
 * Any model that webnnc compiled: what every `Model` can be passed as, for code that serves several.
 * Names and types of inputs and outputs are known when it runs.
 */
export interface AnyModel extends Disposable {
  readonly name: string;
  readonly build: { readonly id: string; readonly webnnc: string };
  readonly backend: 'webgpu' | 'wasm';
  /**
   * Why this backend, and which variant of the bundle runs and why not a better one, for people: 'WebGPU runs this
   * model, the variant without optional features; a better one is there, but the GPU lacks the feature shader-f16', 'there is no
   * WebGPU here; wasm runs it with relaxed SIMD'.
   */
  readonly backendReason: string;
  /** How many threads compute, on the CPU; on a GPU 1. */
  readonly threads: number;
  /** The WebGPU device in use, on which to make buffers for `run`. Another one after a loss. */
  readonly device: GpuDevice | undefined;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /**
   * There if the model was compiled with `--state`: what it keeps from run to run. Inputs that are state need not be
   * given, and outputs that are state are given if `outputs` names them; they stay on the GPU.
   */
  readonly state: State | undefined;
  /** Another state of the same model. @throws {UnsupportedError} The model has none. */
  session(): Session<any, any>;

  run(inputs: Record<string, any>, options?: RunOptions): Promise<Record<string, any>>;
  profile(inputs: Record<string, any>, options?: ProfileOptions): Promise<Profile>;

  /**
   * Frees memory, on the GPU as well, though the model may still be referenced. Runs that have not
   * ended fail with a DisposedError. `using model = await load()` does it by itself.
   */
  dispose(): void;
}

/** A model with inputs and outputs of these types; `Model` alone is the one that `load` gives. */
export interface Model<I = Inputs, O = Outputs> extends AnyModel {
  /**
   * Runs the model. Runs that are started before others have ended wait for them; inputs are read or
   * copied before `run` returns its promise. A run that fails or is aborted leaves the model usable,
   * and after a lost GPU the next run sets everything up again.
   *
   * `outputs` says which outputs are wanted, and where: `'data'`, the default, for all of them in
   * memory, `'gpu'` for all of them on the GPU, names for some, or `{ boxes: 'data', features: 'gpu', mask: array }`.
   * An array, of the type that the tensor's data has and at least as long, is filled, and becomes `data`, or as much of it as
   * the tensor needs: a page that passes the same one each time makes no garbage. It is the run's until the promise settles. Of a
   * worker, memory that is not shared comes back as `data` alone, the array that was passed is empty: pass `data` to the next run.
   * Tensors on the GPU are there as soon as the work is submitted; their buffers, which are yours to
   * destroy, can be inputs of the next run, of this model or another one on the device, and `read()` brings
   * one into memory.
   *
   * @throws {InputError} An input is missing, or has another type or size than the model takes.
   * @throws {OutOfMemoryError} There is not enough memory for these sizes.
   * @throws {GpuError} The GPU refuses the run, and `backend` is `'webgpu'`.
   * @throws {DeviceLostError} The GPU was lost meanwhile: run again.
   * @throws {UnsupportedError} Tensors on the GPU were asked of the wasm backend.
   * @throws {DisposedError} `dispose` was called, or the model's worker has ended.
   * @throws {TypeError} An option that there is not, or of another type.
   * @throws {DOMException} An AbortError, when `signal` is aborted (or the signal's own reason).
   */
  run(inputs: InputValues<I>, options: RunSettings & { outputs: 'gpu' }): Promise<GpuTensors<O>>;
  run(inputs: InputValues<I>, options?: RunSettings & { outputs?: 'data' }): Promise<Tensors<O>>;
  run<K extends keyof O>(inputs: InputValues<I>, options: RunSettings & { outputs: readonly K[] }): Promise<Pick<Tensors<O>, K>>;
  run<const W extends Destinations<O>>(inputs: InputValues<I>, options: RunSettings & { outputs: W }): Promise<TensorsAt<W, O>>;

  session(): Session<I, O>;

  /**
   * Measures how long each kernel takes, as the mean of some runs, and says how much it does in that time. Throws as
   * `run` does.
   *
   * @throws {ModelLoadError} model.profile.js, which is loaded for it, is not there or of another build.
   */
  profile(inputs: InputValues<I>, options?: ProfileOptions): Promise<Profile>;
}

/** What a model keeps from run to run: inputs that are outputs of the run before. */
export interface State {
  /** Forgets it: the next run begins anew, with zeros, and with nothing where sizes grow. */
  reset(): Promise<void>;
  /** A copy in memory, by the names of inputs, after the runs that were started before. */
  save(): Promise<Record<string, Tensor>>;
  /** Goes on from what `save` gave, of this or another session, in this page or another. */
  load(saved: Record<string, { data: any; shape?: readonly number[] }>): Promise<void>;
}

/** Runs with a state of their own, on the weights and pipelines of the model. */
export interface Session<I = Inputs, O = Outputs> extends Disposable {
  readonly state: State;
  readonly run: Model<I, O>['run'];
  readonly profile: Model<I, O>['profile'];
  /** Frees the state. */
  dispose(): void;
}

declare global {
  // Has [Symbol.dispose] where your project knows it (lib "esnext.disposable").
  interface Disposable {}
}

/** The type of the element type that an output's name stands for. */
type TypeOf<O, K extends keyof O> = Required<O>[K] extends DataType ? Required<O>[K] : never;
type Destinations<O> = { [K in keyof O]?: 'data' | 'gpu' | (Required<O>[K] extends DataType ? ArrayOf<Required<O>[K]> : never) };
/** What an output goes into. */
type ArrayOf<D extends DataType> = D extends 'float16' ? Half | Uint16Array
  : Exclude<Extract<AcceptedElements[D], ArrayBufferView>, Uint8ClampedArray | (D extends 'int64' | 'uint64' ? Int32Array | Uint32Array : never)>;
type TensorsAt<W, O> = {
  [K in keyof W & keyof O]: W[K] extends 'gpu' ? GpuTensor<TypeOf<O, K>> : ResultOf<Required<O>[K]>;
};

export interface RunSettings {
  /**
   * Stops waiting for the run, or for its turn. In wasm, a run with a signal lets the page breathe
   * every 10 ms, and ends between two kernels once it is aborted: the next run need not wait for the
   * rest of it. What was submitted to a GPU goes on there, unheard; of a loop that is the work of some 40 ms.
   */
  signal?: AbortSignal;
  /**
   * Whether the inputs' arrays are left to the model: they are moved to the worker if it runs in one,
   * and are empty then, and are not copied if it does not. Do not use them afterwards.
   */
  transfer?: boolean;
}

/** What `run` of any model takes. */
export interface RunOptions extends RunSettings {
  outputs?: 'data' | 'gpu' | readonly string[] | { readonly [name: string]: 'data' | 'gpu' | ArrayBufferView };
}

export interface ProfileOptions {
  /** Stops measuring. */
  signal?: AbortSignal;
  /** How many runs to take the mean of; 5 if not given. */
  runs?: number;
  /** What the machine can do; then the profile says what share of it each kernel uses. */
  peak?: Peak;
}

/**
 * What a machine can do at most, as it was measured or as its maker says. A page cannot ask the machine. Kernels in f16 may compute
 * faster than those in f32: give what fits the model.
 */
export interface Peak {
  /** Operations on elements in a second; a multiply-add counts as two. */
  flops: number;
  bytesPerSecond: number;
}

/** How much a kernel did in a run, for the sizes of that run. */
export interface Work {
  /**
   * Operations on elements: each arithmetic operation of the model counts as one, so a multiply-add as two, and an `exp` as one.
   * What many elements have in common is counted once, and what is computed to find elements is not counted.
   */
  operations: number;
  /** Bytes that have to be moved: each input, weight and output once, as far as it is read or written. */
  bytes: number;
  /**
   * There if `peak` was given: the time that the machine needs at least, by what it computes or by what it moves, in parts of the
   * time that it took. 1 is the best that can be, except where data stay in caches from one kernel to the next.
   */
  share?: number;
}

export interface Profile {
  /**
   * `'gpu'`: the GPU's own clock, which browsers may round to 0.1 ms. `'wall'`: the time that passed
   * here; on WebGPU without timestamps that includes submitting each kernel and waiting for it.
   */
  clock: 'gpu' | 'wall';
  /** The sum of all steps, in milliseconds. */
  total: number;
  /** In the order in which they run. */
  steps: ({ kernel: string; ms: number } & Work)[];
  /** The same by kernel, the slowest first. */
  kernels: ({ kernel: string; ms: number; calls: number } & Work)[];
}

// ---- Tensors ------------------------------------------------------------------------------------

export interface Port {
  readonly name: string;
  readonly dataType: DataType;
  /**
   * A number where the size is fixed. Otherwise the name of a symbol, whose value each run takes
   * from its inputs' shapes, or an expression over symbols such as `"2*seq+past"`.
   */
  readonly shape: readonly (number | string)[];
  /**
   * There if it is a list of tensors: an array of any length, or a tensor or an array that may be `null`. `dataType` and
   * `shape` are those of the tensors. A size with a name that no other input has may be another one in each; `['...']` is
   * any shape of up to eight dimensions.
   */
  readonly list?: ListKind;
  /** There if the elements pick rows of a table: what they may be. Negative ones count from its end. */
  readonly range?: { readonly low: number; readonly high: number };
  /** There if the tensor holds images. */
  readonly image?: {
    readonly layout: 'nchw' | 'nhwc';
    readonly channels: 1 | 3;
    readonly height: number | string;
    readonly width: number | string;
    /** There if the model was compiled with `--image` and takes pictures; `run` then wants an ImageSource. */
    readonly preparation?: Required<Omit<ImageTensorOptions, 'width' | 'height' | 'channels' | 'layout' | 'dataType'>>;
    /** Of what `preparation` makes of a picture: `Port.dataType` and `Port.shape` are then the picture's. */
    readonly dataType?: 'float32' | 'float16' | 'uint8';
  };
  /** Of an output: what its last dimension counts, if the model was compiled with `--labels`. */
  readonly labels?: readonly string[];
  /** Of an output: names of classes that are its channels, stand beside boxes, or are told by their numbers; by `--labels`. */
  readonly classes?: readonly string[];
  /** Of an output: that it holds a detector's boxes, and how they are read, as `--boxes` said. For pages that draw them. */
  readonly boxes?: { readonly [key: string]: string | number };
}

/** Element types, by the names that WebNN has for them. */
export type DataType =
  'bool' | 'int8' | 'uint8' | 'int16' | 'uint16' | 'int32' | 'uint32' | 'int64' | 'uint64' | 'float16' | 'float32' | 'float64';

export type ListKind = 'sequence' | 'optional' | 'optional sequence';
/** What stands for an input or output that is a list, where DataType stands for a tensor. */
export interface ListOf<D extends DataType, K extends ListKind> {
  readonly dataType: D;
  readonly list: K;
}

/** What `run` gives: elements in row-major order. */
export interface Tensor<D extends DataType = DataType> {
  data: Elements[D];
  shape: number[];
  dataType: D;
  /** What its last dimension counts, if the model was compiled with `--labels`. */
  labels?: readonly string[];
}

/**
 * A tensor on the GPU, with usages STORAGE, COPY_SRC and COPY_DST. As in shaders, `int8`, `int16` and
 * `int64` are kept as `int32`; `bool`, `uint8`, `uint16` and `uint64` as `uint32`; `float16` as `float32`, unless the model
 * computes in half precision.
 */
export interface GpuTensor<D extends DataType = DataType> {
  buffer: GpuBuffer;
  shape: number[];
  dataType: D;
  /** Its elements, in memory. */
  read(): Promise<Tensor<D>>;
}

/**
 * What `run` takes for an input: its elements in row-major order, on the CPU or the GPU. The shape
 * is needed where it does not follow from the number of elements. A buffer holds elements as
 * GpuTensor says, and needs the usage COPY_SRC. A tensor that `run` gave will do.
 */
export type InputValue<D extends DataType = DataType> =
  | AcceptedElements[D]
  | GpuBuffer
  | { data: AcceptedElements[D] | GpuBuffer; shape?: readonly number[] }
  | { buffer: GpuBuffer; shape: readonly number[] };

/**
 * What `run` takes for a list: an array of tensors, in memory, for a sequence, and for what is optional a tensor or an array,
 * or `null` or nothing.
 */
export type ListValue<D extends DataType, K extends ListKind> =
  K extends 'sequence' ? readonly InputValue<D>[]
  : K extends 'optional' ? InputValue<D> | null
  : readonly InputValue<D>[] | null;
/** What `run` gives for one. */
export type TensorList<D extends DataType, K extends ListKind> =
  K extends 'sequence' ? Tensor<D>[] : K extends 'optional' ? Tensor<D> | null : Tensor<D>[] | null;

export type InputValues<I = Inputs> = {
  [K in keyof I]: Required<I>[K] extends DataType ? InputValue<Required<I>[K]>
    : Required<I>[K] extends ListOf<infer D, infer L> ? ListValue<D, L>
    : ImageSource | readonly ImageSource[];
};
export type Tensors<O = Outputs> = { [K in keyof O]: ResultOf<Required<O>[K]> };
type ResultOf<T> = T extends ListOf<infer D, infer L> ? TensorList<D, L> : T extends DataType ? Tensor<T> : never;
export type GpuTensors<O = Outputs> = { [K in keyof O]: GpuTensor<TypeOf<O, K>> };

/** `bool` is one byte an element, 0 or 1. `float16` is bits where the engine has no Float16Array. */
export interface Elements {
  bool: Own<Uint8Array>;
  int8: Own<Int8Array>;
  uint8: Own<Uint8Array>;
  int16: Own<Int16Array>;
  uint16: Own<Uint16Array>;
  int32: Own<Int32Array>;
  uint32: Own<Uint32Array>;
  int64: Own<BigInt64Array>;
  uint64: Own<BigUint64Array>;
  float16: Half | Own<Uint16Array>;
  float32: Own<Float32Array>;
  float64: Own<Float64Array>;
}
/** An array with an ArrayBuffer of its own, which can be transferred. */
type Own<A extends { slice(): unknown }> = ReturnType<A['slice']>;

/** A list, or lists of lists, whose shape is then that of the tensor. */
type Nested<T> = readonly (T | Nested<T>)[];
type Numbers = Nested<number>;
/** On WebGPU, elements of `int64` and `uint64` must fit in 32 bits. A tensor of one element can be a number. */
export interface AcceptedElements {
  bool: Uint8Array | Nested<boolean> | boolean | Numbers;
  int8: Int8Array | Numbers | number;
  uint8: Uint8Array | Uint8ClampedArray | Numbers | number;
  int16: Int16Array | Numbers | number;
  uint16: Uint16Array | Numbers | number;
  int32: Int32Array | Numbers | number;
  uint32: Uint32Array | Numbers | number;
  int64: BigInt64Array | Int32Array | Nested<bigint> | bigint | Numbers | number;
  uint64: BigUint64Array | Uint32Array | Nested<bigint> | bigint | Numbers | number;
  /** A Uint16Array holds bits, the others values. */
  float16: Half | Uint16Array | Float32Array | Numbers | number;
  float32: Float32Array | Numbers | number;
  float64: Float64Array | Numbers | number;
}

/** A GPUBuffer, a GPUDevice and a Float16Array, if your project knows these types. */
export type GpuBuffer = Global<'GPUBuffer'>;
export type GpuDevice = Global<'GPUDevice'>;
type Half = Global<'Float16Array'>;
type Global<Name extends string> =
  typeof globalThis extends { [K in Name]: { prototype: infer Type } } ? Type : never;

// ---- Pictures -----------------------------------------------------------------------------------

/**
 * What holds a picture: of your project's types, those it knows. Images must have been loaded, and video must have a
 * frame. Alpha is ignored. Bytes are four a pixel: red, green, blue, alpha.
 */
export type ImageSource =
  | { readonly data: Uint8ClampedArray | Uint8Array; readonly width: number; readonly height: number }
  | Global<'ImageData'>
  | Global<'HTMLCanvasElement'>
  | Global<'OffscreenCanvas'>
  | Global<'ImageBitmap'>
  | Global<'HTMLImageElement'>
  | Global<'SVGImageElement'>
  | Global<'HTMLVideoElement'>
  | Global<'VideoFrame'>
  | Global<'Blob'>;

/** What comes from bytes 0 to 255: first `range`, then `(value - mean) / std`. */
export type ImageRange = '0..1' | '0..255' | '-1..1';

export interface ImageTensorOptions {
  /** The tensor's size in pixels. */
  width: number;
  height: number;
  /**
   * `'cover'`, the default, keeps the picture's proportions and cuts off what is too long; `'contain'` keeps them
   * and fills up; `'fill'` stretches.
   */
  resize?: 'cover' | 'contain' | 'fill';
  /** How much of the resized picture's side stays, 1 if not given: 0.875 resizes to 256 and cuts 224 out. */
  crop?: number;
  /** Where the part that stays is, and where the picture is among what fills up. */
  align?: 'center' | 'start';
  /** `'bilinear'` if not given. With `antialias`, which is so if not given, all are Pillow's. */
  filter?: 'nearest' | 'bilinear' | 'bicubic' | 'lanczos';
  antialias?: boolean;
  /** What fills up beside a picture, in bytes: grey, or red, green and blue; 0 if not given. */
  fill?: number | readonly number[];
  /** `'0..1'` if not given, and `'0..255'` for `uint8`. */
  range?: ImageRange;
  /** One for all channels or one for each, in the order of `order`; 0 and 1 if not given. */
  mean?: number | readonly number[];
  std?: number | readonly number[];
  order?: 'rgb' | 'bgr';
  /** 1 makes it grey. */
  channels?: 1 | 3;
  layout?: 'nchw' | 'nhwc';
  dataType?: 'float32' | 'float16' | 'uint8';
}

/**
 * A picture as a tensor of shape `[1, channels, height, width]`, or `[1, height, width, channels]`, for a model
 * that was compiled without `--image`.
 *
 * @throws {InputError} It is no picture, was not loaded, was closed, or belongs to another origin.
 * @throws {TypeError} An option is unknown, or has a value that it cannot have.
 */
export function imageTensor<D extends 'float32' | 'float16' | 'uint8' = 'float32'>(
  source: ImageSource, options: ImageTensorOptions & { dataType?: D }): Promise<Tensor<D>>;

export interface ToImageDataOptions {
  /** The values that become black and white; `'0..1'` if not given, and `'0..255'` for `uint8`. Others are clamped. */
  range?: ImageRange | readonly [number, number];
  /** Where the channels are, if the shape leaves it open. */
  layout?: 'nchw' | 'nhwc';
  order?: 'rgb' | 'bgr';
  /** What was taken away and divided by before: values become `value * std + mean` first. */
  mean?: number | readonly number[];
  std?: number | readonly number[];
  /** Which picture of a batch; the first if not given. */
  index?: number;
}

type AnyTensor = { readonly data: Elements[DataType]; readonly shape: readonly number[]; readonly dataType: DataType; readonly labels?: readonly string[] };

/** The picture that a tensor of 1, 3 or 4 channels holds, or of rank 2. @throws {InputError} It holds none. */
export function toImageData(tensor: AnyTensor, options?: ToImageDataOptions): Picture;
/** An ImageData where there is one, and in Node what has its fields. */
type Picture = [Global<'ImageData'>] extends [never]
  ? { data: Uint8ClampedArray; width: number; height: number; colorSpace: 'srgb' } : Global<'ImageData'>;

/**
 * The `count` largest values along a tensor's last dimension, the largest first. Labels are those of `--labels`, else
 * the index as text. Of several rows (a batch), `row` says which; the first if not given.
 */
export function top(tensor: AnyTensor, count?: number, options?: { row?: number }): { index: number; label: string; score: number }[];

// ---- Errors -------------------------------------------------------------------------------------

/** A file of the model cannot be read, was damaged, or does not belong to the others. */
export class ModelLoadError extends Error {
  name: 'ModelLoadError';
  /** Which file, if it is one. */
  readonly file?: string;
  readonly reason?: 'missing' | 'damaged' | 'other build';
}

/** An input of `run` is not what the model takes. */
export class InputError extends Error { name: 'InputError'; }

/** This browser or GPU cannot do what was asked. */
export class UnsupportedError extends Error { name: 'UnsupportedError'; }

/** There is not enough memory, on the GPU or in wasm. */
export class OutOfMemoryError extends Error { name: 'OutOfMemoryError'; }

/**
 * The GPU or its driver refuses what other GPUs run: a shader, or the commands of a run. With `backend: 'auto'` the
 * model goes on in wasm instead, and `backendReason` has this error's message.
 */
export class GpuError extends Error { name: 'GpuError'; }

/** The GPU was lost, as happens when a driver restarts. */
export class DeviceLostError extends Error { name: 'DeviceLostError'; }

/** The model was used after its `dispose`, or after its worker had ended. */
export class DisposedError extends Error { name: 'DisposedError'; }

// ---- This model ---------------------------------------------------------------------------------
// What follows is made for each model: the element types of its tensors, by name. Where several
// models were compiled together, `load` gives an object of them by their names; `using` disposes of all.

export type Loaded = Model;

export interface Inputs {
  [name: string]: DataType;
}

export interface Outputs {
  [name: string]: DataType;
}
