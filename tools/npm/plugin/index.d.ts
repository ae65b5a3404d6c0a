import type { CompileOptions } from '../index.js';

type ModelOptions = Omit<CompileOptions, 'model' | 'output' | 'signal'>;

/** How models are compiled; what an import's query says goes first, then what `models` says. */
export interface PluginOptions extends ModelOptions {
  /** Options of single models, by path from the project's folder. */
  models?: Record<string, ModelOptions>;
  /** Where compiled models are kept; `node_modules/.cache/webnnc` if not given. */
  cache?: string;
}

/** A plugin for the bundler that the import names. */
declare const plugin: (options?: PluginOptions) => any;
export default plugin;
