// Calls the server's public API with the token of this tab. The token is in the tab's session storage and in the
// Authorization field, and nowhere else.

const key = "rankwise.token";

/** Why a call failed, in words for people. */
export class ApiError extends Error {
  constructor(status, code, message, retryAfter) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/** Who looks at the page. `caller` is as `GET /v1/caller` answers; null while nobody has signed in. */
export const session = {
  caller: null,
  get token() { return sessionStorage.getItem(key); },
  set token(text) { if (text) sessionStorage.setItem(key, text); else sessionStorage.removeItem(key); },
  get isAdmin() { return this.caller?.role === "admin"; },
  /** Called when the server does not know the token any more. */
  expired: () => {},
};

let skew = 0;

/** The server's time, in milliseconds since 1970. */
export function serverNow() { return Date.now() + skew; }

function noteClock(response) {
  const date = Date.parse(response.headers.get("Date") ?? "");
  // The field has whole seconds; a difference below that says nothing.
  if (Number.isFinite(date)) skew = Math.abs(date - Date.now()) < 1500 ? 0 : date - Date.now();
}

/** The path of a federation. */
export function pathOf(federation) { return `/v1/federations/${encodeURIComponent(federation)}`; }

function headers(more = {}) {
  return session.token ? { ...more, Authorization: `Bearer ${session.token}` } : more;
}

function address(path, query) {
  const pairs = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return pairs.length ? `${path}?${new URLSearchParams(pairs)}` : path;
}

async function send(method, path, { query, body, type, signal } = {}) {
  let response;
  try {
    response = await fetch(address(path, query), {
      method, signal, body, headers: headers(type ? { "Content-Type": type } : {}), cache: "no-store",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "network", "The server does not answer. Is it running, and is this machine on its network?");
  }
  noteClock(response);
  if (response.ok) return response;
  throw await failure(response.status, await response.text(), response.headers.get("Retry-After"));
}

function failure(status, text, retryAfter) {
  let problem = {};
  try { problem = JSON.parse(text); } catch { /* A proxy's page, perhaps. */ }
  const words = problem.detail ?? `The server answered ${status}.`;
  if (status === 401 && session.caller) session.expired();
  return new ApiError(status, problem.code ?? "", words.charAt(0).toUpperCase() + words.slice(1),
    Number(retryAfter) || undefined);
}

/** Calls the server; answers what its JSON says, or null where there is none. */
export async function call(method, path, { query, json, signal } = {}) {
  const body = json === undefined ? undefined : JSON.stringify(json);
  const response = await send(method, path, { query, signal, body, type: body ? "application/json" : undefined });
  return response.status === 204 ? null : response.json();
}

/** Calls the server for something to show. */
export function get(path, query, signal) { return call("GET", path, { query, signal }); }

/** Downloads a file and hands it to the browser under a name. `report` hears how many bytes have come, and of how many. */
export async function download(path, query, name, report) {
  const response = await send("GET", path, { query });
  const length = Number(response.headers.get("Content-Length")) || undefined;
  const parts = [];
  let received = 0;
  for (const reader = response.body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    received += value.length;
    report(received, length);
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(parts, { type: "application/octet-stream" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  return received;
}

/** Uploads a file. `report` hears how many bytes have left, and of how many. */
export function upload(path, file, report) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", path);
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", event => report(event.loaded, event.total));
    request.addEventListener("error", () =>
      reject(new ApiError(0, "network", "The connection ended before the server had the file. Try again.")));
    request.addEventListener("load", () => {
      if (request.status < 300) resolve(JSON.parse(request.responseText || "null"));
      else reject(failure(request.status, request.responseText, request.getResponseHeader("Retry-After")));
    });
    request.send(file);
  });
}
