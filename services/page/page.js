// The page: a photo or a video of one's own, and the service's APIs for programs.

import { element, failure, figureOf, forget, picture, task, urlOf } from "./answers.js";
import { describe, requests, withKey } from "./server.js";

// All else may be a video: browsers do not know every type of these, and the server does.
const STILL = /^image\/(?!gif$)/;

const answers = document.getElementById("answers");
const drop = document.getElementById("drop");
const input = drop.querySelector("input");

let pictures = [];
let videos = [];
let shown = new AbortController(); // ends what is under way when another file comes

function show(files) {
  shown.abort();
  shown = new AbortController();
  forget();
  if (files.length > 1) {
    answers.replaceChildren(failure("one file at a time, please"));
    return;
  }
  const [file] = files;
  const figuresOf = (answer, those) =>
    those.map((request) => figureOf(answer, request, file, shown.signal));
  answers.replaceChildren(
    ...(STILL.test(file.type) || !videos.length
      ? [original(file), ...figuresOf(picture, pictures)]
      : figuresOf(task, videos)),
  );
}

function original(file) {
  const photo = element("img", { src: urlOf(file), alt: "" });
  photo.onerror = () => photo.remove(); // of a format that the browser does not show
  return element("figure", {}, element("figcaption", { textContent: file.name }), photo);
}

function listen(spec) {
  pictures = requests(spec, "Pictures");
  videos = requests(spec, "Tasks");
  if (videos.length) {
    input.accept = "";
    drop.querySelector("span").textContent = "Drop a photo or a video here, or click to choose one.";
  }
  input.onchange = () => {
    if (input.files.length) show(input.files);
    input.value = ""; // so that the same file can be chosen again
  };
  input.disabled = false;
}

/** On the whole page, but for the files of the APIs' forms. */
function listenToDrops() {
  const handle = (name, then) =>
    document.addEventListener(name, (event) => {
      if (event.target.matches?.('#apis input[type="file"]')) return;
      event.preventDefault();
      then(event);
    });
  handle("dragover", () => drop.classList.add("over"));
  handle("dragleave", () => drop.classList.remove("over"));
  handle("drop", ({ dataTransfer: { files } }) => {
    drop.classList.remove("over");
    if (files.length && !input.disabled) show(files);
  });
}

const loaded = new Promise((resolve) => window.addEventListener("load", resolve));

listenToDrops();
describe()
  .then(async (spec) => {
    document.title = document.querySelector("h1").textContent = spec.info.title;
    listen(spec);
    document.querySelector("details").open = location.hash !== ""; // a link to one of them
    await loaded; // Swagger UI, too, if it can be had
    const options = { deepLinking: true, validatorUrl: null, requestInterceptor: withKey };
    window.SwaggerUIBundle?.({ dom_id: "#apis", spec, ...options });
  })
  .catch(({ message }) => {
    // Photos can be tried without Swagger UI.
    document.querySelector(input.disabled ? "main" : "#apis").textContent = message;
  });
