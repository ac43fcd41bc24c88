import { constants, open, type FileHandle } from "node:fs/promises";

/**
 * Opens a file for reading. A path that is not a regular file is an error: to open a pipe would wait for a writer, and block a
 * thread of the process.
 */
export async function openRegularFile(path: string): Promise<FileHandle> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if ((await file.stat()).isFile()) return file;
    throw new Error(`${path} is not a regular file`);
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Resolves to the text of a regular file. Reads no more than `maxBytes` + 1, and a longer file is an error. */
export async function readSmallFile(path: string, maxBytes: number): Promise<string> {
  await using file = await openRegularFile(path);
  const { bytesRead, buffer } = await file.read(Buffer.alloc(maxBytes + 1), 0, maxBytes + 1, 0);
  if (bytesRead > maxBytes) throw new Error(`${path} has more than ${maxBytes} bytes`);
  return buffer.toString("utf8", 0, bytesRead);
}
