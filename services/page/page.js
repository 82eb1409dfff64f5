// What the service answers to a photo or a video of one's own; and its APIs, for programs.

const SHOWN = 48; // characters of a long text in an answer
const ASK_AGAIN = 1000; // milliseconds
const DONE = ["completed", "failed", "canceled"];

const answers = document.getElementById("answers");
const drop = document.getElementById("drop");
let spec;
let headers = {}; // where the server has a key, the page asks for it, and sends it each time

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Those requests of a tag that take a file: first those that answer with a picture. */
function requests(tag) {
  return Object.entries(spec.paths)
    .filter(([, { post }]) => post?.tags.includes(tag) && post.requestBody)
    .map(([path, { post }]) => {
      const form = post.requestBody.content["multipart/form-data"].schema;
      const [field] = Object.entries(form.properties).find(([, { format }]) => format === "binary");
      const json = "application/json" in (post.responses[200]?.content ?? {});
      return { path: path.slice(1), summary: post.summary, field, json };
    })
    .sort((one, other) => one.json - other.json);
}

/** The server's answer; an error with its message if it refuses. */
async function ask(path, options) {
  const response = await fetch(path, { ...options, headers });
  if (response.ok) return response;
  const { error } = await response.json().catch(() => ({ error: response.statusText }));
  throw new Error(`${response.status} ${error}`);
}

function send({ path, field }, file) {
  const body = new FormData();
  body.append(field, file);
  return ask(path, { method: "POST", body });
}

/** The same request, for a terminal. */
function command({ path, field }, file, output = "") {
  const form = `-F '${field}=@${file.name.replaceAll("'", "'\\''")}'`;
  const key = headers.Authorization ? " -H 'Authorization: Bearer KEY'" : "";
  const url = new URL(path, location.href);
  return element("pre", { textContent: `curl${key} ${form}${output} ${url}` });
}

/** JSON to read: long texts cut, lists of numbers on one line. */
function readable(value) {
  const cut = (_, item) =>
    typeof item === "string" && item.length > SHOWN ? `${item.slice(0, SHOWN)}…` : item;
  const text = JSON.stringify(value, cut, 2);
  return text.replace(/\[\s+([^[\]{}]*?)\s+\]/g, (_, list) => `[${list.replace(/\s+/g, " ")}]`);
}

async function rendered(response) {
  const [kind] = response.headers.get("content-type").split("/");
  if (kind === "application") {
    return element("pre", { textContent: readable(await response.json()) });
  }
  const src = URL.createObjectURL(await response.blob());
  return kind === "video"
    ? element("video", { src, controls: true, autoplay: true, muted: true, loop: true })
    : element("img", { src, alt: "the answer" });
}

async function download(response) {
  const named = /filename\*?=(?:utf-8'')?"?([^"]+)/;
  const name = decodeURIComponent(response.headers.get("content-disposition").match(named)[1]);
  const href = URL.createObjectURL(await response.blob());
  return element("a", { href, download: name, textContent: name });
}

async function picture(request, file, figure) {
  const content = await rendered(await send(request, file));
  figure.append(content, command(request, file, request.json ? "" : " -o answer"));
}

/** Submit a task, show how far it is, then its result and the files beside it. */
async function task(request, file, figure) {
  const name = request.path.replace(/submit$/, "");
  let status = await (await send(request, file)).json();
  const at = (verb) => `${name}${verb}?task_id=${status.task_id}`;
  const bar = element("progress", {});
  const line = element("p", { textContent: "waiting" });
  const stop = element("button", { textContent: "Stop" });
  stop.onclick = () => ask(at("cancel"), { method: "PUT" }).catch(() => {}); // it is over
  figure.append(bar, line, stop);
  while (!DONE.includes(status.status) && figure.isConnected) {
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN));
    status = await (await ask(at("status"))).json();
    const { frames, of, frames_per_second: rate, seconds_left: left } = status.progress ?? {};
    if (!frames) continue;
    if (of) Object.assign(bar, { value: frames, max: of });
    const seconds = left == null ? "" : `, ${Math.ceil(left)} s left`;
    line.textContent = `${frames} of ${of ?? "?"} frames, ${rate} frames/s${seconds}`;
  }
  if (!figure.isConnected) return;
  for (const part of [bar, line, stop]) part.remove();
  for (const part of spec.paths[`/${name}get`].get.parameters[1].schema.enum) {
    const response = await ask(`${at("get")}&part=${part}`);
    if (["video", "summary"].includes(part)) figure.append(await rendered(response.clone()));
    figure.append(await download(response), " ");
  }
  figure.append(command(request, file));
}

function show(file) {
  answers.replaceChildren();
  const films = requests("Tasks");
  const moves = films.length && (file.type === "image/gif" || !file.type.startsWith("image/"));
  if (!moves) {
    const photo = element("img", { src: URL.createObjectURL(file), alt: file.name });
    answers.append(element("figure", {}, element("figcaption", { textContent: file.name }), photo));
  }
  for (const request of moves ? films : requests("Pictures")) {
    const caption = element("figcaption", { textContent: request.summary });
    const figure = element("figure", {}, caption);
    answers.append(figure);
    (moves ? task : picture)(request, file, figure).catch(({ message }) =>
      figure.append(element("p", { className: "error", textContent: message })),
    );
  }
}

async function describe() {
  const response = await fetch("docs.json", { headers });
  if (response.ok) return response.json();
  const key = response.status === 401 && prompt("The server's API key");
  if (!key) throw new Error(`docs.json: ${response.status}`);
  headers = { Authorization: `Bearer ${key}` };
  return describe();
}

function listen() {
  const input = drop.querySelector("input");
  if (requests("Tasks").length) {
    drop.querySelector("span").textContent = "Drop a photo or a video here, or click to choose one.";
  }
  input.onchange = () => {
    if (input.files.length) show(input.files[0]);
    input.value = ""; // so that the same file can be chosen again
  };
  document.ondragover = (event) => {
    event.preventDefault();
    drop.classList.add("over");
  };
  document.ondragleave = () => drop.classList.remove("over");
  document.ondrop = (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files.length) show(event.dataTransfer.files[0]);
  };
}

describe()
  .then((description) => {
    spec = description;
    document.title = document.querySelector("h1").textContent = spec.info.title;
    document.querySelector("details").open = location.hash !== ""; // a link to one of them
    listen();
    SwaggerUIBundle({
      dom_id: "#apis",
      spec,
      deepLinking: true,
      validatorUrl: null,
      requestInterceptor: (request) => ({ ...request, headers: { ...request.headers, ...headers } }),
    });
  })
  .catch(({ message }) => {
    document.body.textContent = message;
  });
