// Uses the data provider of docs/react-admin.md as react-admin does; test_react_admin.py
// runs it against a service of ecommerce_api.
import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { fetchUtils, type HttpError, type RaRecord } from "react-admin";
import { createDataProvider } from "./dataProvider.js";

const requests: { method?: string; url: string; body: unknown }[] = [];
const api = createDataProvider(process.argv[2], {
  httpClient: (url, options) => {
    const body = options?.body ? JSON.parse(String(options.body)) : undefined;
    requests.push({ method: options?.method, url, body });
    const user = { authenticated: true, token: `Bearer ${process.argv[3]}` };
    return fetchUtils.fetchJson(url, { ...options, user });
  },
});
const create = async (resource: string, data: object): Promise<RaRecord> =>
  (await api.create(resource, { data })).data;
const names = (rows: RaRecord[]) => rows.map((row) => row.name);
const errorsOf = (expected: object) => (error: HttpError) => {
  deepEqual(error.body.errors, expected);
  return true;
};

// Create; what is not sent has its default.
const books = await create("categories", { name: "Books", slug: "books" });
const games = await create("categories", { name: "Games", slug: "games" });
const products: RaRecord[] = [];
for (let n = 0; n < 130; n += 1) {
  const category_id = n % 2 ? books.id : games.id;
  const status = n % 10 ? "active" : "sold out";
  const name = `Product ${String(n).padStart(3, "0")}`;
  const sku = `P-${n}`;
  const product = { name, sku, status, category_id, price: "9.90", weight: 1.5 };
  products.push(await create("products", product));
}
equal(products[0].pack_size, 1);

// List: sort, filter, paging and total.
const sort = { field: "name", order: "DESC" } as const;
const filter = { status: "active", category_id: books.id, name__gte: undefined, sku: "" };
const second = await api.getList("products", {
  sort,
  filter,
  pagination: { page: 2, perPage: 10 },
});
equal(second.total, 65);
deepEqual(names(second.data), products.filter((_, n) => n % 2).map((row) => row.name).reverse().slice(10, 20));
deepEqual(second.pageInfo, { hasNextPage: true, hasPreviousPage: true });
const last = await api.getList("products", {
  sort: { field: "id", order: "ASC" },
  filter,
  pagination: { page: 7, perPage: 10 },
});
equal(last.data.length, 5);
deepEqual(last.pageInfo, { hasNextPage: false, hasPreviousPage: true });
const several = await api.getList("products", {
  filter: { sku__in: ["P-1", "P-2", "none, and \\ none"], status__in: [] },
});
equal(several.total, 2);

// An export asks for more rows than a page of the service has.
const exported = await api.getList("products", {
  sort,
  pagination: { page: 1, perPage: 1000 },
});
deepEqual(names(exported.data), names(products).reverse());
equal(exported.total, 130);

// Get one and many, with embedded relations; the rows of a parent.
const meta = { include: "category" };
const one = await api.getOne("products", { id: products[1].id, meta });
deepEqual(one.data, { ...products[1], category: books });
const many = await api.getMany("products", { ids: products.map((row) => row.id) });
deepEqual(new Set(names(many.data)), new Set(names(products)));
equal(many.data.length, 130);
const children = await api.getManyReference("products", {
  target: "category_id",
  id: games.id,
  pagination: { page: 1, perPage: 5 },
  sort: { field: "created_at", order: "ASC" },
  filter: { status: "active" },
  meta,
});
equal(children.total, 52);
deepEqual(names(children.data), [2, 4, 6, 8, 12].map((n) => products[n].name));
deepEqual(children.data[0].category.name, "Games");

// Update: null clears a field, and what was not changed is not sent.
const previousData = products[1];
const data = { ...previousData, weight: null, name: "Renamed", description: undefined };
const updated = await api.update("products", { id: previousData.id, data, previousData });
deepEqual(requests.at(-1)?.body, { weight: null, name: "Renamed" });
equal(requests.at(-1)?.method, "PATCH");
equal(updated.data.weight, null);
equal(updated.data.sku, "P-1");
const two = [products[2].id, products[3].id];
await api.updateMany("products", { ids: two, data: { pack_size: 6 } });
const changed = await api.getMany("products", { ids: two });
deepEqual(changed.data.map((row) => row.pack_size), [6, 6]);

// Errors are at their fields: of the schema, of a unique constraint, of a reference.
const wrong = { name: "", sku: "P-9999", price: "1.999", attributes: {} };
await rejects(create("products", wrong), (error: HttpError) => {
  equal(error.status, 422);
  deepEqual(Object.keys(error.body.errors).sort(), ["name", "price"]);
  return /at least 1 character/.test(error.body.errors.name);
});
await rejects(
  create("products", { name: "Twin", sku: "P-1", price: "1.00" }),
  errorsOf({ sku: "Another product has this sku" }),
);
const category_id = products[0].id;
await rejects(
  api.update("products", { id: previousData.id, data: { category_id }, previousData }),
  errorsOf({ category_id: "category_id refers to a resource that does not exist" }),
);
await rejects(
  api.getList("products", { filter: { nmae: "x" } }),
  /invalid/,
);

// Delete; what is gone is a 404, with the message of the service.
const gone = await api.delete("products", { id: products[0].id });
equal(gone.data?.id, products[0].id);
await rejects(api.getOne("products", { id: products[0].id }), (error: HttpError) => {
  equal(error.status, 404);
  return /not found/.test(error.message);
});
await api.deleteMany("products", { ids: two });
equal((await api.getList("products", {})).total, 127);
ok(requests.every(({ url }) => !url.includes("undefined")));
console.log("done");
