// `import { load } from './model.onnx?webnnc'` for Vite, Rollup, Rolldown, webpack, Rspack and esbuild: the model is compiled
// when the import is met, and its files become assets of the application.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import { createUnplugin } from 'unplugin';

import { compiled } from './cache.js';

const IMPORT = /\.onnx\?(?:[^#]*&)?webnnc(?:&|=|$)/;
/** Where model.js names the files beside it. */
const BESIDE = /new URL\((["'`])(model\.[\w.]+)\1,\s*import\.meta\.url\)/g;
/** Options of an import's query that have one value. */
const SINGLE = new Set(['name', 'device']);

/** @param {string} id @returns {[string, string]} */
const split = (id) => [id.slice(0, id.indexOf('?')), id.slice(id.indexOf('?') + 1)];

/** What an import's query asks for. @param {string} query @param {string} folder that files are relative to */
function queryOptions(query, folder) {
  /** @type {Record<string, any>} */ const options = {};
  for (const [key, value] of new URLSearchParams(query)) {
    // A model's name may stand before that of a size or an input, and a file's path may have colons.
    const colon = key === 'with' ? value.indexOf(':') : value.lastIndexOf(':'), name = value.slice(0, colon), rest = value.slice(colon + 1);
    // The last is for the types of an import of several models.
    if (key === 'webnnc' || key === 'models') continue;
    else if (SINGLE.has(key)) options[key] = value;
    else if (key === 'target') options.targets = value.split(',');
    else if (key === 'image' || key === 'boxes') options[key] = value;
    else if (key === 'labels') options.labels = resolve(folder, value);
    else if (key === 'dim' && colon > 0) options.dims = { ...options.dims, [name]: rest.startsWith('?') ? rest : Number(rest) };
    else if (key === 'with' && colon > 0) options.with = { ...options.with, [name]: resolve(folder, rest) };
    else if (key === 'input' && colon > 0) options.inputs = { ...options.inputs, [name]: rest.split(',') };
    else throw new Error(`?webnnc has no option "${key}=${value}": there are dim=NAME:SIZE, input=NAME:SIZES, with=NAME:FILE, target, image, labels, boxes, name and device`);
  }
  return options;
}

/** @param {import('./index.js').PluginOptions} [plugin] @param {any} [meta] */
function factory({ models = {}, cache, ...common } = {}, meta = {}) {
  /** @type {any} Vite's configuration */ let vite;
  const isReal = ['webpack', 'rspack'].includes(meta.framework);
  /** @type {Map<string, Map<string, string>>} emitted files by reference, by import */ const emitted = new Map();

  /** Compiles what an import names. @param {any} context @param {string} id */
  async function build(context, id) {
    const [path, query] = split(id), folder = cache ?? join(vite?.root ?? process.cwd(), 'node_modules/.cache/webnnc');
    const own = Object.entries(models).find(([name]) => resolve(vite?.root ?? process.cwd(), name) === path)?.[1];
    context.addWatchFile(path);
    const { with: others, ...asked } = queryOptions(query, dirname(path)), model = others ? { [basename(path, '.onnx')]: path, ...others } : path;
    const { warnings, sources, ...made } = await compiled({ ...common, ...own, ...asked, model }, resolve(folder));
    for (const file of sources) context.addWatchFile(file);
    for (const warning of warnings) context.warn(warning);
    return made.folder;
  }

  /** @param {string} file @returns {string} its address in Vite's development server, or on disk */
  const served = (file) => `new URL(/^file:/.test(import.meta.url)?${JSON.stringify(pathToFileURL(file).href)}:` +
    `${JSON.stringify(`${vite.base}@fs/${file.replace(/^\//, '').split('/').map(encodeURIComponent).join('/')}`)},import.meta.url)`;

  return {
    name: 'webnnc',
    enforce: /** @type {'pre'} */ ('pre'),

    /** @this {any} @param {string} id @param {string} [importer] */
    async resolveId(id, importer) {
      if (!IMPORT.test(id)) return undefined;
      const [path, query] = split(id), from = importer && dirname(split(`${importer}?`)[0]);
      const absolute = isAbsolute(path) && existsSync(path) ? path
        : path.startsWith('/') && vite ? join(vite.root, path) : resolve(from ?? process.cwd(), path);
      if (!existsSync(absolute)) throw new Error(`there is no ${absolute}, which ${importer ?? 'the configuration'} imports`);
      // webpack and Rspack know what model.js does; the others are told in `load`.
      return isReal ? join(await build(this, `${absolute}?${query}`), 'model.js') : `${absolute}?${query}`;
    },

    /** @param {string} id */
    loadInclude: (id) => !isReal && IMPORT.test(id),

    /** @this {any} @param {string} id */
    async load(id) {
      const folder = await build(this, id), text = readFileSync(join(folder, 'model.js'), 'utf8'), name = basename(split(id)[0], '.onnx');
      if (meta.framework === 'esbuild') {
        /** @type {string[]} */ const imports = [];
        const code = text.replace(BESIDE, (_, quote, file) => {
          imports.push(`import webnncFile${imports.length} from ${JSON.stringify(`webnnc-file:${join(folder, file)}`)};`);
          return `new URL(webnncFile${imports.length - 1}, import.meta.url)`;
        });
        return `${imports.join('\n')}\n${code}`;
      }
      if (vite?.command === 'serve') return text.replace(BESIDE, (_, quote, file) => served(join(folder, file)));
      /** @type {Map<string, string>} */ const references = new Map();
      emitted.set(id, references);
      return text.replace(BESIDE, (_, quote, file) => {
        const source = readFileSync(join(folder, file)), named = file.replace(/^model/, name);
        if (vite?.build.lib) {
          // Vite would put the address of a site before the name, but a library is anywhere.
          const hash = createHash('sha256').update(source).digest('hex').slice(0, 8), fileName = named.replace(/\.(?=\w+$)/, `-${hash}.`);
          this.emitFile({ type: 'asset', fileName, source });
          return `new URL(/* @vite-ignore */ ${JSON.stringify(`./${fileName}`)}, import.meta.url)`;
        }
        const reference = this.emitFile({ type: 'asset', name: named, source });
        references.set(reference, join(folder, file));
        // On a server a path of Vite's is no address: model.js then looks around the script for the file.
        return vite?.build.ssr ? `({ href: import.meta.ROLLUP_FILE_URL_${reference} })` : `new URL(import.meta.ROLLUP_FILE_URL_${reference}, import.meta.url)`;
      });
    },

    vite: {
      /** @param {any} config */
      configResolved(config) {
        vite = config;
      },
      /** Vite leaves assets out of what a server runs, which reads them from disk. @this {any} @param {{ dir?: string }} options */
      async writeBundle({ dir }) {
        if (!dir) return;
        for (const references of emitted.values()) {
          for (const [reference, file] of references) {
            const target = join(dir, this.getFileName(reference));
            if (existsSync(target)) continue;
            await mkdir(dirname(target), { recursive: true });
            await copyFile(file, target);
          }
        }
      },
    },

    esbuild: {
      /** @param {any} bundler */
      setup(bundler) {
        bundler.onResolve({ filter: /^webnnc-file:/ }, (/** @type {any} */ { path }) => ({ path: path.slice('webnnc-file:'.length), namespace: 'webnnc-file' }));
        bundler.onLoad({ filter: /./, namespace: 'webnnc-file' }, async (/** @type {any} */ { path }) => ({ contents: await readFile(path), loader: 'file' }));
      },
    },
  };
}

export const unplugin = createUnplugin(factory);
