export interface CompileOptions {
  /**
   * The path of an ONNX file, or its bytes; or paths of several that become one folder, by the names that its `load` gives
   * them: `{ encoder: 'encoder.onnx', decoder: 'decoder.onnx' }`. What is named elsewhere is for all that have it, with
   * `'decoder:'` before the name for that one alone.
   */
  model: string | Uint8Array | Readonly<Record<string, string>>;
  /** The folder to make. Without it, the files come back as bytes. */
  output?: string;
  /** What the model is called. */
  name?: string;
  /** Sizes that are open, fixed, or what they are likely to be: `{ batch: 1, sequence: '?16..256' }`. */
  dims?: Record<string, number | `?${string}`>;
  /** Shapes of inputs, of numbers and names. */
  inputs?: Record<string, readonly (number | string)[]>;
  /** Both, if not given. */
  targets?: readonly ('webgpu' | 'wasm')[];
  /** The kind of GPU that code is chosen for. */
  device?: 'generic' | 'large' | 'small';
  /** How pictures are prepared, as `--image` takes it; by input where there are several. */
  image?: string | Record<string, string>;
  /** A file of names; by output where there are several. */
  labels?: string | Record<string, string>;
  /** How a detector's boxes are read, as `--boxes` takes it; by output where there are several. */
  boxes?: string | Record<string, string>;
  /** Whether to make report.html; true if not given. */
  report?: boolean;
  /** Whether pages may measure shaders, by `load({ tune: true })`; false if not given. */
  tunable?: boolean;
  /** Times for the report: a file. */
  profile?: string;
  /** Measured schedules: a file. */
  schedules?: string;
  /** Replace files in the folder that webnnc did not write. */
  force?: boolean;
  /** Budgets: what the build fails for. Sizes as `'60kB'`, or bytes. */
  maxCodeSize?: string | number;
  maxWeights?: string | number;
  maxMemory?: string | number;
  maxDispatches?: number;
  require?: 'baseline';
  /** Stops the compiler. */
  signal?: AbortSignal;
}

export interface CompileResult {
  /** What `webnnc --json` prints: docs/json.md of the repository says what is in it. */
  build: any;
  /** What a user should know although the compilation succeeded. */
  warnings: string[];
  /** The files by name, if no `output` was given. */
  files?: Record<string, Uint8Array>;
}

/**
 * Compiles a model.
 *
 * @throws {WebnncError} The model cannot be compiled, a budget is exceeded, or a file cannot be read or written.
 * @throws {TypeError} An option that there is not.
 */
export function compile(options: CompileOptions & { output: string }): Promise<CompileResult>;
export function compile(options: CompileOptions): Promise<CompileResult & { files: Record<string, Uint8Array> }>;

export interface Cause {
  message: string;
  node?: string;
  notes?: string[];
}

export class WebnncError extends Error {
  name: 'WebnncError';
  readonly file?: string;
  readonly notes: string[];
  /** One for each node, or each operator, that cannot be compiled. */
  readonly causes: Cause[];
}
