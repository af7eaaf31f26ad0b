// node provider.mjs PORT KEYS: an OpenID provider whose keys are in a file that it rereads.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import Provider from "oidc-provider";

const [port, keys] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const AUDIENCE = "https://api.example.com";

const configuration = () => ({
  jwks: JSON.parse(readFileSync(keys, "utf8")),
  clients: [
    {
      client_id: "machine",
      client_secret: "a-secret-of-the-tests",
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
    },
    {
      client_id: "browser",
      token_endpoint_auth_method: "none",
      application_type: "native",
      redirect_uris: ["http://127.0.0.1/callback"],
    },
  ],
  scopes: ["openid", "read"],
  extraTokenClaims: () => ({ roles: ["editor"] }),
  features: {
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => AUDIENCE,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: "read",
        audience: AUDIENCE,
        accessTokenFormat: "jwt",
        jwt: { sign: { alg: "RS256" } },
      }),
    },
  },
});

let answer = new Provider(issuer, configuration()).callback();
const server = createServer((request, response) => {
  if (request.url === "/reread-keys") {
    answer = new Provider(issuer, configuration()).callback();
    response.end();
  } else {
    answer(request, response);
  }
});
server.listen(Number(port), "127.0.0.1");
