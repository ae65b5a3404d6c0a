// Settings that the page's address keeps, so that a link brings them back.

/** What the address says of a setting. @param {string} name */
export const kept = (name) => new URLSearchParams(location.search).get(name);

/** Makes the address one that brings a setting back; without a value, one that says nothing of it. @param {string} name @param {string} [value] */
export function keep(name, value) {
  const address = new URL(location.href);
  if (value === undefined || value === '') address.searchParams.delete(name);
  else address.searchParams.set(name, value);
  try {
    history.replaceState(null, '', address);
  } catch {
    // In a frame without an address of its own, or too often in a short time.
  }
}
