// What the server answers to a file, each in a figure of its own.

import { ask, command, send } from "./server.js";

const SHOWN = 48; // characters of a long text in an answer
const ASK_AGAIN = 1000; // milliseconds
const FOR_NOW = [0, 502, 503, 504]; // statuses after which it may answer if asked again
const FOR_EVER = [404, 409]; // statuses after which a task cannot go on, nor be stopped

const urls = []; // of all that is shown

export function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** A URL for a file or a blob, until `forget`. */
export function urlOf(blob) {
  const url = URL.createObjectURL(blob);
  urls.push(url);
  return url;
}

export function forget() {
  urls.splice(0).forEach((url) => URL.revokeObjectURL(url));
}

export const failure = (textContent) =>
  element("p", { className: "error", role: "alert", textContent });

/** A figure for what `answer` makes of a request and a file, and for why it cannot. */
export function figureOf(answer, request, file, signal) {
  const figure = element("figure", {}, element("figcaption", { textContent: request.summary }));
  answer(request, file, figure, signal).catch(({ message }) =>
    figure.append(failure(message)),
  );
  return figure;
}

/** Send a photo, and show the answer. */
export async function picture(request, file, figure, signal) {
  const blob = await during(figure, [working()], async () =>
    (await send(request, file, signal)).blob(),
  );
  const output = request.json ? "" : ` -o answer.${blob.type.split("/")[1]}`;
  figure.append(await rendered(blob, request), code(command(request, file, output)));
}

/** Submit a video as a task, and show what comes of it. */
export async function task(request, file, figure, signal) {
  const name = request.path.replace(/submit$/, "");
  const line = element("p", { textContent: "sending" });
  const { task_id: id } = await during(figure, [working(), line], async () =>
    (await send(request, file, signal)).json(),
  );
  figure.append(code(command(request, file)), code(`task ${id}`));
  await follow((verb) => `${name}${verb}?task_id=${id}`, request, figure, signal);
}

/** Show how far a task is, then its result and the files beside it, or how it may go on.
 *
 * `at` gives the path of what can be done with it.
 */
async function follow(at, request, figure, signal) {
  const bar = working();
  const line = element("p", { textContent: "waiting" });
  const cancel = () =>
    ask(at("cancel"), { method: "PUT" }).catch(({ status, message }) => {
      if (!FOR_EVER.includes(status)) line.textContent = message;
    });
  signal.addEventListener("abort", cancel);
  const stop = element("button", { textContent: "Stop", onclick: cancel });
  let focused = false; // is the keyboard on "Stop", which goes?
  const ended = await during(figure, [bar, line, stop], async () => {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN));
      const now = await (await patiently(at("status"), line, signal)).json();
      focused = document.activeElement === stop;
      if (!["pending", "in_progress"].includes(now.status)) return now;
      if (now.progress) tell(now.progress, bar, line);
      if (now.error) line.textContent = now.error; // it waits for another server
    }
  });
  signal.removeEventListener("abort", cancel);
  if (ended.status !== "completed") {
    const stopped = element("p", { textContent: "stopped" });
    let said = ended.status === "canceled" ? stopped : failure(ended.error);
    const again = element("button", { textContent: "Go on" });
    figure.append(said, again);
    if (focused) again.focus();
    const refused = ({ status, message }) => {
      const why = failure(message);
      said.replaceWith(why);
      said = why;
      if (FOR_EVER.includes(status)) again.remove();
      else again.disabled = false;
    };
    again.onclick = () => {
      again.disabled = true;
      ask(at("retry"), { method: "POST", signal })
        .then(() => {
          said.remove();
          again.remove();
          return follow(at, request, figure, signal).catch(({ message }) =>
            figure.append(failure(message)),
          );
        })
        .catch(refused);
    };
    return;
  }
  for (const part of request.parts) {
    const response = await during(figure, [line], () =>
      patiently(`${at("get")}&part=${part}`, line, signal),
    );
    const blob = await response.blob();
    if (["video", "summary"].includes(part)) figure.append(await rendered(blob, request));
    figure.append(download(blob, response.headers.get("content-disposition")), " ");
  }
}

/** Show some elements while something is done. Screen readers tell what came of it, not these. */
async function during(figure, elements, work) {
  figure.ariaBusy = "true";
  figure.append(...elements);
  try {
    return await work();
  } finally {
    elements.forEach((shown) => shown.remove());
    figure.ariaBusy = "false";
  }
}

const working = () => element("progress", { ariaLabel: "how far it is" });

/** Text that scrolls, by the keyboard, too. */
const code = (text) => element("pre", { textContent: text, tabIndex: 0 });

/** Ask, and again after a while if there is no answer for now, which `line` tells. */
async function patiently(path, line, signal) {
  for (;;) {
    signal.throwIfAborted();
    try {
      return await ask(path, { signal });
    } catch (refusal) {
      if (!FOR_NOW.includes(refusal.status)) throw refusal;
      line.textContent = refusal.message;
    }
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN));
  }
}

function tell({ frames, of, frames_per_second: rate, seconds_left: left }, bar, line) {
  if (of) Object.assign(bar, { value: frames, max: of });
  const total = of ? ` of ${of}` : "";
  const seconds = left == null ? "" : `, ${Math.ceil(left)} s left`;
  line.textContent = `${frames}${total} frames, ${rate} frames/s${seconds}`;
}

async function rendered(blob, { summary }) {
  if (blob.type.startsWith("application/json")) {
    return code(readable(JSON.parse(await blob.text())));
  }
  const src = urlOf(blob);
  if (blob.type.startsWith("image/")) return element("img", { src, alt: summary });
  const autoplay = !matchMedia("(prefers-reduced-motion: reduce)").matches;
  const video = element("video", { src, controls: true, autoplay, muted: true, loop: true });
  video.playsInline = true;
  video.onerror = () => video.replaceWith("this browser cannot play it: ");
  return video;
}

/** JSON to read: long texts cut, lists of numbers on one line. */
function readable(value) {
  const cut = (_, item) =>
    typeof item === "string" && item.length > SHOWN ? `${item.slice(0, SHOWN)}…` : item;
  const text = JSON.stringify(value, cut, 2);
  return text.replace(/\[\s+([^[\]{}]*?)\s+\]/g, (_, list) => `[${list.replace(/\s+/g, " ")}]`);
}

function download(blob, disposition) {
  const [, name] = disposition.match(/filename\*?=(?:utf-8'')?"?([^"]+)/);
  const textContent = decodeURIComponent(name);
  return element("a", { href: urlOf(blob), download: textContent, textContent });
}
