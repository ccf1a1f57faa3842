// Follows a federation by long polls of its current round.

import { ApiError, get, pathOf } from "./api.js";

/** For how many milliseconds a page rests between two answers, so that a busy round does not keep it drawing. */
const rest = 500;

function pause(milliseconds, signal) {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}

/** Says at the top of the page that the server does not answer; null takes it back. */
export function warn(text) {
  const banner = document.getElementById("banner");
  banner.hidden = text === null;
  banner.textContent = text ?? "";
}

/** Tells those who do not see the page what has happened. */
export function announce(text) { document.getElementById("news").textContent = text; }

/** Calls `changed` with the current round after every step, until the signal is aborted. Waits longer after each failure. */
export async function follow(federation, revision, signal, changed) {
  let known = revision;
  let wait = 1;
  while (!signal.aborted) {
    try {
      const round = await get(`${pathOf(federation)}/rounds/current`, { after: known, wait: 50 }, signal);
      warn(null);
      wait = 1;
      if (!round) continue;
      known = round.revision;
      await changed(round);
      // A round of a thousand updates takes a megabyte; it is read less often.
      await pause(rest + 3 * round.updates.length, signal);
    } catch (error) {
      if (error.name === "AbortError" || signal.aborted) return;
      if (error instanceof ApiError && [401, 403, 404].includes(error.status)) {
        warn(error.status === 404 ? "This federation is not there any more." : null);
        return;
      }
      wait = Math.min(30, error.retryAfter ?? wait * 2);
      warn(`${error.message} Trying again in ${wait} s.`);
      await pause(wait * 1000, signal);
    }
  }
}

/** Runs something again and again until the signal is aborted, but not while nobody sees the page. */
export async function every(seconds, signal, run) {
  while (!signal.aborted) {
    await pause(seconds * 1000, signal);
    if (signal.aborted || document.hidden) continue;
    try {
      await run();
      warn(null);
    } catch (error) {
      if (error.name === "AbortError" || signal.aborted) return;
      if (error.status === 401) return;
      warn(`${error.message} Trying again in ${seconds} s.`);
    }
  }
}
