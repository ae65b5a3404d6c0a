// What can go wrong, one class for each situation; model.d.ts says when. The text of an error says what
// to do.

/** All of them: what is none comes from the engine or the driver. */
export class ModelError extends Error {}
export class ModelLoadError extends ModelError { name = 'ModelLoadError'; }
export class InputError extends ModelError { name = 'InputError'; }
export class UnsupportedError extends ModelError { name = 'UnsupportedError'; }
export class OutOfMemoryError extends ModelError { name = 'OutOfMemoryError'; }
export class GpuError extends ModelError { name = 'GpuError'; }
export class DeviceLostError extends ModelError { name = 'DeviceLostError'; }
export class DisposedError extends ModelError { name = 'DisposedError'; }

/** @param {unknown} error */
export const messageOf = (error) => error instanceof Error ? error.message : String(error);
/** @param {number} bytes */
export const megabytes = (bytes) => `${Math.ceil(bytes / 1e6)} MB`;
