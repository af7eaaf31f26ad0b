"""Uses a client that was generated from OpenAPI; test_generated_clients.py runs it."""

from movies_client import Client
from movies_client.api.movies import get_film
from movies_client.models import Film, FilmCreate, LanguageCreate

film = FilmCreate(film_title="Alien", language_id="en", spoken_in=None, actor_ids=[1])
sent = film.to_dict()
assert sent["film-title"] == "Alien"
assert sent["languageId"] == "en"
assert sent["spokenIn"] is None
assert sent["actorIds"] == [1]
assert LanguageCreate(iso_code="en", name="English").to_dict()["isoCode"] == "en"


def title_of(number: int) -> str | None:
    found = get_film.sync(number, client=Client(base_url="http://localhost:8000"))
    return found.film_title if isinstance(found, Film) else None
