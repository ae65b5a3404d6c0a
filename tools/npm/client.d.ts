// Types of `import { load } from './model.onnx?webnnc'`, for models of any inputs and outputs.
declare module '*.onnx?webnnc' {
  export * from 'webnnc/model';
}
