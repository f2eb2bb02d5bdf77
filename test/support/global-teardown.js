/** Leaves nothing behind: not a database, not a role, not a server, not a file. */
// biome-ignore lint/style/noDefaultExport: Jest takes the default export.
export default async function tearDown() {
  await globalThis.polyclinicTestServer?.close();
}
