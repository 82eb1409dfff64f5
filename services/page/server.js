// What the server is asked, and how it says no.

const NO_ANSWER = "no answer: the server is gone";
const OR_THE_FILE = ", or the file is too large or cannot be read";

let headers = {}; // with a key, where the server has one

/** An answer that is none: its HTTP status, 0 if nothing came at all. */
export class Refusal extends Error {
  constructor(status, message) {
    super(status ? `${status} ${message}` : message);
    this.status = status;
  }
}

export async function ask(path, options = {}) {
  const response = await fetch(path, { ...options, headers }).catch((error) => {
    throw options.signal?.aborted ? error : new Refusal(0, options.body ? `${NO_ANSWER}${OR_THE_FILE}` : NO_ANSWER);
  });
  if (response.ok) return response;
  const said = await response.json().catch(() => null);
  throw new Refusal(response.status, said?.error ?? response.statusText);
}

/** The service's OpenAPI document; where it needs a key, whoever is here is asked for it. */
export async function describe(question = "The server's API key") {
  try {
    return await (await ask("docs.json")).json();
  } catch (refusal) {
    const key = refusal.status === 401 && prompt(question);
    if (!key) throw refusal;
    const bytes = new TextEncoder().encode(key.trim());
    headers = { "X-API-Key": String.fromCharCode(...bytes) }; // so the server reads it
    return describe("That is not the key. The server's API key");
  }
}

/** A request of Swagger UI's, with the key. */
export const withKey = (request) => ({ ...request, headers: { ...request.headers, ...headers } });

/** The requests of a tag that take a file, first those that answer with a picture.
 *
 * A task's result has `parts`.
 */
export function requests(spec, tag) {
  return Object.entries(spec.paths)
    .filter(([, { post }]) => post?.tags.includes(tag) && post.requestBody)
    .map(([path, { post }]) => {
      const form = post.requestBody.content["multipart/form-data"].schema;
      const [field] = Object.entries(form.properties).find(([, { format }]) => format === "binary");
      const json = "application/json" in (post.responses[200]?.content ?? {});
      const get = spec.paths[path.replace(/submit$/, "get")]?.get;
      const parts = get?.parameters.find(({ name }) => name === "part").schema.enum;
      return { path: path.slice(1), summary: post.summary, field, json, parts };
    })
    .sort((one, other) => one.json - other.json);
}

export function send({ path, field }, file, signal) {
  const body = new FormData();
  body.append(field, file);
  return ask(path, { method: "POST", body, signal });
}

/** The same request in a terminal. */
export function command({ path, field }, file, output = "") {
  const name = file.name.replace(/["\\]/g, "\\$&").replaceAll("'", "'\\''");
  const key = "X-API-Key" in headers ? " -H 'X-API-Key: KEY'" : "";
  return `curl${key} -F '${field}=@"${name}"'${output} '${new URL(path, location.href)}'`;
}
