INSERT INTO authors (id, name, email, born)
SELECT md5('author' || n)::uuid, 'Author ' || n,
    CASE WHEN n < 3 THEN 'author' || n || '@example.com' END,
    CASE WHEN n < 3 THEN date '1950-01-01' + n END
FROM generate_series(1, 3) n;

INSERT INTO books (id, title, pages, price, rating, status, available, shelf, notes, subtitle, blurb, added, seen,
    "order", author_id, editor_id)
SELECT md5('book' || n)::uuid, 'Book: ' || n, n * 100, CASE WHEN n < 5 THEN n + 0.25 END,
    CASE WHEN n < 5 THEN n + 0.5 END, (ARRAY['draft', 'published', 'sold'])[1 + n % 3], n % 2 = 0,
    CASE WHEN n < 4 THEN 'A' || n END, CASE WHEN n < 3 THEN 'Note ' || n END,
    'Subtitle ' || n, CASE WHEN n < 4 THEN 'Blurb ' || n END,
    CASE WHEN n < 5 THEN date '2026-01-31' + n END,
    CASE WHEN n < 5 THEN timestamptz '2026-01-31 00:00:00+00' + n * interval '1 day' END, n,
    md5('author' || (1 + n % 3))::uuid, CASE WHEN n < 3 THEN md5('author' || n)::uuid END
FROM generate_series(1, 6) n;

UPDATE books SET sequel_of_id = md5('book1')::uuid WHERE pages = 200;

INSERT INTO authors_friends (author_id, friend_id)
SELECT md5('author' || n)::uuid, md5('author3')::uuid FROM generate_series(1, 2) n;

INSERT INTO genres (id, label, shade, icon)
SELECT md5('genre' || n)::uuid, 'Genre ' || n, CASE WHEN n < 3 THEN 'Shade ' || n END,
    CASE WHEN n < 3 THEN decode(repeat('ff00', n * 8), 'hex') END
FROM generate_series(1, 3) n;

INSERT INTO books_genres (book_id, genre_id)
SELECT md5('book' || n)::uuid, md5('genre' || (1 + n % 3))::uuid FROM generate_series(1, 6) n;

INSERT INTO books_translators (book_id, author_id)
SELECT md5('book' || n)::uuid, md5('author1')::uuid FROM generate_series(1, 2) n;

INSERT INTO reviews (id, stars, body, book_id)
SELECT md5('review' || n)::uuid, n, CASE WHEN n < 4 THEN repeat('x', n * 100) END, md5('book' || n)::uuid
FROM generate_series(1, 5) n;

INSERT INTO words.languages (code, "Label", parent_id, speakers)
VALUES ('de', 'German', NULL, 90000000), ('de-AT', 'Austrian', 'de', 8000000), ('nl', 'Dutch', NULL, NULL);

INSERT INTO words.languages_relatives (language_id, relative_id) VALUES ('de', 'nl'), ('de-AT', 'de');

INSERT INTO languages (place, language_id) VALUES ('Shelf 1', 'de'), ('Shelf 2', 'nl'), ('Shelf 3', NULL);

INSERT INTO shelves (id, labels, sizes, prices, moods, opened, single, word, code, width, since)
VALUES (md5('shelf1')::uuid, '{new,"it''s \"x\", {y} \\"}', '{1,-2,70000}', '{1.50,2.25}', '{calm,odd}', '{2026-01-31}',
    '{7}', '{One}', 'A1', 1.5, '2026-01-31 00:00:00+00'),
    (md5('shelf2')::uuid, '{}', '{}', '{}', '{}', '{}', '{0}', NULL, 'B2', 2, NULL),
    (md5('shelf3')::uuid, '{""}', NULL, NULL, '{loud}', NULL, '{-1}', '{"Two words"}', 'C3', NULL, NULL);
