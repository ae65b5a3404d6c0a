// The file that measurements go to, as --schedules takes it. What was measured is added at its end, so that nothing is lost
// whenever a session ends, and a later one goes on from there.

/** @import { Job, Time } from './job.js' */

import { appendFileSync, existsSync, readFileSync } from 'node:fs';

const ENTRY = /for ([\w-]+) "([0-9a-f]{16})" (?:on "([^"\n]*)" (\d+) ns )?(schedule \{[^}]*\})\s*/g;
const COMMENT = /^\s*;.*\n/gm;

export class TimesFile {
  #path;
  #job;
  /** @type {{device: string, time: Time}[]} */ #times = [];
  #written = '';

  /** @param {string} path @param {Job} job @throws {Error} The file holds something else. */
  constructor(path, job) {
    this.#path = path;
    this.#job = job;
    const text = existsSync(path) ? readFileSync(path, 'utf8').replace(COMMENT, '') : '';
    if (text.replace(ENTRY, '').trim()) throw new Error(`${path} is no file of schedules: name another one with -o FILE`);
    const places = new Map(job.kernels.flatMap(({ target, key, candidates }, kernel) =>
      candidates.map(({ schedule }, candidate) => [`${target} ${key} ${schedule.trim()}`, { kernel, candidate }])));
    for (const [, target, key, device, nanoseconds, schedule] of text.matchAll(ENTRY)) {
      const place = places.get(`${target} ${key} ${schedule}`);
      if (device !== undefined && place) this.#times.push({ device, time: { ...place, seconds: Number(nanoseconds) / 1e9 } });
    }
  }

  /** @param {string} device */
  measuredOn(device) {
    return this.#times.filter((each) => each.device === device).map(({ time }) => time);
  }

  /** Candidates that do not run are not written. @param {string} device @param {Time[]} times */
  add(device, times) {
    let text = '';
    for (const time of times) {
      const { target, key, title, candidates } = this.#job.kernels[time.kernel];
      this.#times.push({ device, time });
      if (!(time.seconds < Infinity)) continue;
      const heading = `; ${title}\n`;
      if (heading !== this.#written) text += heading;
      this.#written = heading;
      text += `for ${target} "${key}" on "${device}" ${Math.max(1, Math.round(time.seconds * 1e9))} ns ${candidates[time.candidate].schedule.trim()}\n`;
    }
    if (text) appendFileSync(this.#path, text);
  }
}
