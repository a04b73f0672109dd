// The user story through openapi-fetch, with the types that openapi-typescript makes.
//
// node story.js URL PROJECT RANGE

import assert from "node:assert/strict";
import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./schema.js";

type FloatingIP = components["schemas"]["FloatingIP"];
type Server = components["schemas"]["Server"];

const [url, project, range] = process.argv.slice(2) as [string, string, string];

/** Every answer is there in two types: a client says once which of them it asks for. */
function clientOf(user: string): Client<paths, "application/json"> {
  const headers = { "X-Auth-Token": `${user}:${project}` };
  return createClient<paths, "application/json">({ baseUrl: url, headers });
}

const client = clientOf("joe");
const admin = clientOf("admin");

/** Return what came, or throw the fault that came instead. */
function ok<T>(answer: { data?: T; error?: unknown }): T {
  assert.equal(answer.error, undefined);
  assert(answer.data !== undefined);
  return answer.data;
}

async function register(): Promise<Server> {
  const body = { server: { name: "web" } };
  const { server } = ok(await client.POST("/servers", { body }));
  assert.deepEqual(ok(await client.GET("/servers")).servers, [server]);
  return server;
}

async function allocate(): Promise<FloatingIP> {
  const { floating_ip_pools } = ok(await client.GET("/os-floating-ip-pools"));
  assert(floating_ip_pools.some((pool) => pool.name === "public"));
  const answer = await client.POST("/os-floating-ips", { body: { pool: "public" } });
  assert(answer.response.headers.get("etag"));
  const { floating_ip } = ok(answer);
  assert.equal(floating_ip.fixed_ip, null);
  assert.equal(floating_ip.instance_id, null);
  return floating_ip;
}

async function show(id: number): Promise<FloatingIP> {
  const params = { path: { id } };
  return ok(await client.GET("/os-floating-ips/{id}", { params })).floating_ip;
}

async function associate({ id, ip }: FloatingIP, server: Server): Promise<void> {
  const fixed_ip = server.addresses.private[0]!.addr;
  const { response } = await client.POST("/os-floating-ips/{id}/addFloatingIp", {
    params: { path: { id } },
    body: { associate_address: { fixed_ip } },
  });
  assert.equal(response.status, 202);
  const shown = await show(id);
  assert.equal(shown.fixed_ip, fixed_ip);
  assert.equal(shown.instance_id, server.id);
  const params = { path: { id: server.id } };
  const seen = ok(await client.GET("/servers/{id}", { params })).server;
  assert.deepEqual(seen.addresses.public, [{ version: 4, addr: ip }]);
}

async function disassociate(floatingIP: FloatingIP): Promise<void> {
  const params = { path: { id: floatingIP.id } };
  const path = "/os-floating-ips/{id}/removeFloatingIp";
  const { response } = await client.POST(path, { params });
  assert.equal(response.status, 202);
  assert.deepEqual(await show(floatingIP.id), floatingIP);
}

async function pageThrough(first: FloatingIP): Promise<void> {
  const second = ok(await client.POST("/os-floating-ips")).floating_ip;
  const page = await client.GET("/os-floating-ips", {
    params: { query: { limit: 1 } },
  });
  assert.deepEqual(ok(page).floating_ips, [first]);
  assert.match(page.response.headers.get("link") ?? "", /rel="next"/);
  const rest = await client.GET("/os-floating-ips", {
    params: { query: { marker: first.id } },
  });
  assert.deepEqual(ok(rest).floating_ips, [second]);
  const params = { path: { id: second.id } };
  await client.DELETE("/os-floating-ips/{id}", { params });
}

async function beRefused({ id }: FloatingIP): Promise<void> {
  const params = { path: { project_id: project } };
  const body = { quota_set: { floating_ips: 1 } };
  const path = "/os-quota-sets/{project_id}";
  assert.equal(ok(await admin.PUT(path, { params, body })).quota_set.floating_ips, 1);
  assert.equal(ok(await client.GET(path, { params })).quota_set.id, project);
  const refused = await client.POST("/os-floating-ips");
  assert(refused.error && "forbidden" in refused.error);
  assert.equal(refused.error.forbidden.code, 403);
  const unknown = await client.POST("/os-floating-ips/{id}/addFloatingIp", {
    params: { path: { id } },
    body: { associate_address: { fixed_ip: "192.0.2.1" } },
  });
  assert(unknown.error && "itemNotFound" in unknown.error);
  assert.match(unknown.error.itemNotFound.message, /192\.0\.2\.1/);
}

async function release({ id }: FloatingIP, server: Server): Promise<void> {
  const params = { path: { id } };
  const done = await client.DELETE("/os-floating-ips/{id}", { params });
  assert.equal(done.response.status, 202);
  const gone = await client.GET("/os-floating-ips/{id}", { params });
  assert(gone.error && "itemNotFound" in gone.error);
  assert.deepEqual(ok(await client.GET("/os-floating-ips")).floating_ips, []);
  await client.DELETE("/servers/{id}", { params: { path: { id: server.id } } });
}

async function operate(): Promise<void> {
  const asked = { ip_range: range, pool: project, interface: "eth0" };
  const body = { floating_ips_bulk_create: asked };
  const created = ok(await admin.POST("/os-floating-ips-bulk", { body }));
  assert.deepEqual(created.floating_ips_bulk_create, asked);
  const { floating_ip_info } = ok(await admin.GET("/os-floating-ips-bulk"));
  assert(floating_ip_info.some((info) => info.pool === project));
  const gone = await admin.PUT("/os-floating-ips-bulk/delete", {
    body: { ip_range: range },
  });
  assert.equal(ok(gone).floating_ips_bulk_delete, range);
}

/** The same answer as text, in the type that openapi-typescript knows as well. */
async function readXml(): Promise<void> {
  const answer = await client.GET("/os-floating-ips", {
    headers: { Accept: "application/xml" },
    parseAs: "text",
  });
  assert.match(String(answer.data), /<floating_ips><\/floating_ips>$/);
}

assert.equal(ok(await client.GET("/livez")).status, "alive");
assert.equal(ok(await client.GET("/readyz")).status, "ready");
const server = await register();
const floatingIP = await allocate();
await associate(floatingIP, server);
await disassociate(floatingIP);
await pageThrough(floatingIP);
await beRefused(floatingIP);
await release(floatingIP, server);
await readXml();
await operate();
