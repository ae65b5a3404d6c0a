import { createRequire } from 'node:module';

/**
 * Where the compiler is: what WEBNNC_BINARY names, or the package for this machine.
 *
 * @returns {string} @throws {Error} There is none, with what to do.
 */
export function binaryPath() {
  if (process.env.WEBNNC_BINARY) return process.env.WEBNNC_BINARY;
  const name = `@webnnc/${process.platform}-${process.arch}`;
  try {
    return createRequire(import.meta.url).resolve(`${name}/webnnc`);
  } catch {
    const isMade = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);
    throw new Error(isMade ? `the package ${name} is not installed: install webnnc without --omit=optional`
      : `there is no compiler for ${process.platform} on ${process.arch} yet: build it with CMake from the repository, and name it by the environment variable WEBNNC_BINARY`);
  }
}
