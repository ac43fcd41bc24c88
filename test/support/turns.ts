/** Lets the event loop turn `count` times: what is due by then, promises and bytes of sockets of this machine, is done. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}
