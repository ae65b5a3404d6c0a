// What can go wrong, one class for each situation; model.d.ts says when. The text of an error says what
// to do.

export class ModelLoadError extends Error { name = 'ModelLoadError'; }
export class InputError extends Error { name = 'InputError'; }
export class UnsupportedError extends Error { name = 'UnsupportedError'; }
export class OutOfMemoryError extends Error { name = 'OutOfMemoryError'; }
export class DeviceLostError extends Error { name = 'DeviceLostError'; }
export class DisposedError extends Error { name = 'DisposedError'; }

/** @param {unknown} error */
export const messageOf = (error) => error instanceof Error ? error.message : String(error);
/** @param {number} bytes */
export const megabytes = (bytes) => `${Math.ceil(bytes / 1e6)} MB`;
