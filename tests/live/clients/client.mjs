// node client.mjs URL [undici]: Node's own fetch, or undici's request.
const [url, library] = process.argv.slice(2);

async function call(method, address, body) {
  const headers = { "content-type": "application/json" };
  if (!library) {
    const answer = await fetch(address, { method, headers, body });
    return [answer.status, await answer.text()];
  }
  const { request } = await import(library);
  const answer = await request(address, { method, headers, body });
  return [answer.statusCode, await answer.body.text()];
}

async function send(method, address, title) {
  const body = title && JSON.stringify({ title });
  const [status, text] = await call(method, address, body);
  const found = text ? JSON.parse(text) : {};
  // The pool of connections gets this one back a moment after its answer was read.
  await new Promise((proceed) => setTimeout(proceed));
  console.log(`${method} ${status} ${found.title ?? ""}`.trim());
  return found;
}

const { id } = await send("POST", url, "first");
await send("GET", `${url}/${id}`);
await send("PUT", `${url}/${id}`, "second");
await send("DELETE", `${url}/${id}`);
