// What the compiler's build of the scripts defines (CMakeLists.txt).

/**
 * Whether a script serves models whose programs have commands, or that have state. There is one for either case, so
 * that other models are not larger for it; as files by themselves, where this is undefined, they serve all. Where it is
 * asked for, it stands as it is here: then esbuild leaves out what depends on it.
 */
declare var WEBNNC_WALKS: boolean | undefined;
/** The same of models that several threads may compute, or that multiply bytes: there are more modules than two. */
declare var WEBNNC_MORE_MODULES: boolean | undefined;
/** The same of scripts that serve several models in one bundle. */
declare var WEBNNC_MODELS: boolean | undefined;
/** The same of models with inputs or outputs that are lists of tensors. */
declare var WEBNNC_LISTS: boolean | undefined;
