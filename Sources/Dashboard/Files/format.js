// Numbers, times and lengths as text.

const number = new Intl.NumberFormat("en");

/** A whole number with separators. */
export function count(value) { return value === undefined || value === null ? "–" : number.format(value); }

/** A number of things: "1 round", "3 rounds". */
export function counted(value, noun) { return `${count(value)} ${noun}${value === 1 ? "" : "s"}`; }

/** A measurement with so many decimal places. */
export function decimal(value, places = 3) {
  if (value === undefined || value === null || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  return size !== 0 && (size >= 1e6 || size < 10 ** -places) ? value.toExponential(2) : value.toFixed(places);
}

/** A share as a percentage. */
export function percent(value) {
  return value === undefined || value === null || !Number.isFinite(value) ? "–" : (value * 100).toFixed(1) + " %";
}

const units = ["B", "KiB", "MiB", "GiB", "TiB"];

/** The unit that suits a length, with the factor to it. */
export function byteUnit(length) {
  const power = length > 0 ? Math.min(units.length - 1, Math.floor(Math.log2(length) / 10)) : 0;
  return { name: units[Math.max(0, power)], factor: 2 ** (-10 * Math.max(0, power)) };
}

/** A length in bytes. */
export function bytes(length) {
  if (length === undefined || length === null) return "–";
  const unit = byteUnit(length);
  const value = length * unit.factor;
  return `${unit.name === "B" || value >= 100 ? Math.round(value) : value.toFixed(1)} ${unit.name}`;
}

/** Seconds as "4.2 s", "3 min 05 s", "2 h 10 min" or "3 d 4 h". */
export function duration(seconds) {
  if (seconds === undefined || seconds === null || !Number.isFinite(seconds)) return "–";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const two = value => String(value).padStart(2, "0");
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${two(Math.floor(whole / 60) % 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor(whole / 3600) % 24} h`;
}

/** A time in words, from now: "12 s ago". */
export function ago(text, now) {
  const seconds = (now - Date.parse(text)) / 1000;
  return seconds < 1 ? "now" : `${duration(Math.max(1, Math.round(seconds)))} ago`;
}

const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" });

/** A time of today as a clock shows it, any other with its day. */
export function time(text, now = Date.now()) {
  if (!text) return "–";
  const at = new Date(text);
  const isToday = at.toDateString() === new Date(now).toDateString();
  return isToday ? clock.format(at) : `${day.format(at)}, ${clock.format(at)}`;
}

/** The first digits of a digest. */
export function short(digest) { return digest.replace("sha256:", "").slice(0, 12); }
