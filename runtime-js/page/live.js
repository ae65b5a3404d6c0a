// Live pictures: a camera, or a video file. Frames that come while one is looked at are left out.

import { make } from './dom.js';

const WINDOW = 2000;

/** Why the browser gives no camera, by the name of its error. @type {Record<string, string>} */
const REFUSALS = {
  NotAllowedError: 'the browser was not allowed to use the camera: allow it in the address bar, then start it again',
  NotFoundError: 'there is no camera here',
  NotReadableError: 'the camera cannot be read: another program may be using it',
  OverconstrainedError: 'there is no such camera any more',
  AbortError: 'the camera could not be started',
};

/** What to tell of a camera that cannot be started; nothing if it may be. */
export function whyNoCamera() {
  if (!globalThis.isSecureContext) return `cameras work on pages of https: and of localhost only, and this one is of ${location.origin}`;
  return 'mediaDevices' in navigator ? '' : 'this browser offers no cameras';
}

export class Live {
  #video = make('video', { muted: true, playsInline: true, loop: true });
  #onFrame;
  /** @type {MediaStream | undefined} */
  #stream;
  /** Which source the loop is of: a source that was stopped gives no more frames. */
  #turn = 0;
  /** An address of a file, to be given back. */
  #address = '';
  /** When frames were done. @type {number[]} */
  #done = [];
  /** When frames were left out. @type {number[]} */
  #skipped = [];

  /** @param {(video: HTMLVideoElement) => Promise<void>} onFrame */
  constructor(onFrame) {
    this.#onFrame = onFrame;
  }

  get isOn() {
    return this.#stream !== undefined || this.#address !== '' || this.#video.srcObject !== null;
  }

  /**
   * Starts a camera.
   *
   * @param {string | undefined} id of one of several @param {(error?: Error) => void} ended told once, when it has
   */
  async startCamera(id, ended) {
    this.stop();
    const turn = this.#turn, problem = whyNoCamera();
    if (problem) throw new Error(problem);
    let stream;
    try {
      const video = id ? { deviceId: { exact: id } } : { facingMode: 'environment' };
      stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
    } catch (error) {
      const { name, message } = /** @type {Error} */ (error);
      throw new Error(REFUSALS[name] ?? `the camera cannot be started: ${message}`);
    }
    if (turn !== this.#turn) {
      for (const track of stream.getTracks()) track.stop();
      return;
    }
    this.#stream = stream;
    this.#video.srcObject = stream;
    stream.getVideoTracks()[0].onended = () => turn === this.#turn && this.#end(ended, new Error('the camera was taken away'));
    await this.#play(turn, ended);
  }

  /** The cameras there are, once one was allowed. */
  async cameras() {
    const devices = await navigator.mediaDevices.enumerateDevices(), active = this.#stream?.getVideoTracks()[0]?.getSettings().deviceId;
    return devices.filter(({ kind, deviceId }) => kind === 'videoinput' && deviceId).map(({ deviceId, label }, i) => ({ id: deviceId, label: label || `camera ${i + 1}`, isActive: deviceId === active }));
  }

  /** Plays a file over and over. @param {File} file @param {(error?: Error) => void} ended */
  async startFile(file, ended) {
    this.stop();
    const turn = this.#turn;
    try {
      // Without an address, which the page's policy may forbid; not every engine takes it.
      this.#video.srcObject = file;
    } catch {
      this.#video.src = this.#address = URL.createObjectURL(file);
    }
    const policy = new Promise((_, fail) => document.addEventListener('securitypolicyviolation', ({ blockedURI, effectiveDirective }) => {
      if (blockedURI.startsWith('blob')) fail(new Error(`this site's Content-Security-Policy lets no page play a chosen video: it needs "${effectiveDirective} blob:". The camera works`));
    }, { once: true }));
    policy.catch(() => {});
    try {
      await Promise.race([this.#play(turn, ended), policy]);
    } catch (error) {
      if (turn === this.#turn) this.stop();
      // What is blocked is told a little later than that it does not play.
      await Promise.race([policy, new Promise((done) => setTimeout(done, 100))]);
      throw new Error(`${file.name} is no video that this browser can play${error instanceof Error && error.name !== 'NotSupportedError' ? `: ${error.message}` : ''}`);
    }
  }

  /** @param {number} turn @param {(error?: Error) => void} ended */
  async #play(turn, ended) {
    await this.#video.play();
    if (turn === this.#turn) this.#loop(turn, ended);
  }

  /** @param {number} turn @param {(error?: Error) => void} ended */
  #loop(turn, ended) {
    const video = this.#video;
    let isBusy = false;
    const next = () => video.requestVideoFrameCallback ? video.requestVideoFrameCallback(look) : requestAnimationFrame(look);
    const look = () => {
      if (turn !== this.#turn) return;
      next();
      if (isBusy || video.readyState < 2) {
        if (isBusy) this.#skipped.push(performance.now());
        return;
      }
      isBusy = true;
      this.#onFrame(video).then(() => {
        isBusy = false;
        this.#done.push(performance.now());
      }, (error) => turn === this.#turn && this.#end(ended, error));
    };
    next();
  }

  /** Of the last two seconds, in words. */
  get rate() {
    const now = performance.now(), since = now - WINDOW;
    this.#done = this.#done.filter((time) => time > since);
    this.#skipped = this.#skipped.filter((time) => time > since);
    const { length } = this.#done, span = length > 1 ? this.#done[length - 1] - this.#done[0] : 0, all = length + this.#skipped.length;
    if (!span) return '';
    return `${((length - 1) / span * 1000).toFixed(1)} frames per second${this.#skipped.length ? `; ${Math.round(100 * this.#skipped.length / all)} % of the frames are left out meanwhile` : ''}`;
  }

  /** @param {(error?: Error) => void} ended @param {Error} error */
  #end(ended, error) {
    this.stop();
    ended(error);
  }

  stop() {
    ++this.#turn;
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = undefined;
    this.#video.pause();
    this.#video.srcObject = null;
    this.#video.removeAttribute('src');
    if (this.#address) URL.revokeObjectURL(this.#address);
    this.#address = '';
    this.#done = [];
    this.#skipped = [];
  }
}
