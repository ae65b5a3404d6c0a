// Types of `import { load } from './model.onnx?webnnc'`, for models of any inputs and outputs.
declare module '*.onnx?webnnc' {
  export * from 'webnnc/model';
}

// Of `import { load } from './encoder.onnx?webnnc&with=decoder:./decoder.onnx&models'`: several, by their names.
declare module '*&models' {
  import type { LoadOptions, Model } from 'webnnc/model';
  export * from 'webnnc/model';
  export function load(options?: LoadOptions): Promise<Record<string, Model>>;
}
