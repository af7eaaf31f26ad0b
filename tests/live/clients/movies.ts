// Uses a client that was generated from OpenAPI; test_generated_clients.py checks types.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

const client = createClient<paths>({ baseUrl: "http://localhost:8000" });

export async function titleOfTheSequel(): Promise<string | undefined> {
  const film: components["schemas"]["FilmCreate"] = {
    "film-title": "Alien",
    releaseYear: 1979,
    rentalRate: "4.99",
    languageId: "en",
    spokenIn: null,
    actorIds: [1],
    shelfIds: [7],
  };
  const { data } = await client.POST("/api/v1/movies", { body: film });
  if (!data) return undefined;
  await client.PATCH("/api/v1/tongues/{language_id}", {
    params: { path: { language_id: data.languageId } },
    body: { name: "English" },
  });
  const ofTheFilm = { params: { path: { film_id: data.filmId } } };
  const sequel = await client.GET("/api/v1/movies/{film_id}/sequel", ofTheFilm);
  // @ts-expect-error the id of a film is a number
  await client.GET("/api/v1/movies/{film_id}", { params: { path: { film_id: "x" } } });
  return sequel.data?.["film-title"] ?? data.lastUpdate;
}
