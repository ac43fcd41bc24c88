/** Resolves after `count` turns of the event loop; promises and local sockets with pending data are served in between. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}
