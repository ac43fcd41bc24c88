import path from "node:path";
import { TelemetryError } from "../errors.ts";
import { errorCode } from "../lib/error-code.ts";
import { PolledFile } from "../lib/polled-file.ts";

/** A source of the contents of Secrets and ConfigMaps. */
export interface SecretSource {
  /**
   * Resolves to the value of a key.
   * @throws {TelemetryError} E_SECRET_NOT_FOUND
   */
  read(kind: "Secret" | "ConfigMap", name: string, key: string): Promise<string>;
}

/** Larger than any token, certificate chain or bundle of authorities. */
const MAX_BYTES = 1024 * 1024;

/**
 * Returns a source that reads the files DIR/<name>/<key>, the layout of Secrets and ConfigMaps mounted into a pod. If there is no
 * such file, it reads DIR_<name>_<key>: systemd copies the files of a directory to such names as credentials.
 */
export function secretsDirectory(directory: string | undefined): SecretSource {
  const files = new Map<string, PolledFile>();
  /** Resolves to the text of a file, or to undefined if the file does not exist. */
  const readIfPresent = async (file: string, wanted: string): Promise<string | undefined> => {
    const polled = files.get(file) ?? new PolledFile(file, MAX_BYTES);
    files.set(file, polled);
    try {
      return await polled.read();
    } catch (error) {
      const code = errorCode(error);
      if (code === "ENOENT") return undefined;
      throw unreadable(wanted, file, code ?? "too large", error);
    }
  };
  return {
    async read(kind, name, key) {
      const wanted = `the key \`${key}\` of the ${kind} \`${name}\``;
      if (directory === undefined) {
        throw new TelemetryError(
          "E_SECRET_NOT_FOUND",
          `${wanted} is needed: give the directory of the secrets with --secrets-dir`,
        );
      }
      // The schema allows no slash, but it allows names of dots, which would leave the directory.
      if ([name, key].some((part) => part === "" || part.includes("/") || /^\.+$/.test(part))) {
        throw new TelemetryError("E_SECRET_NOT_FOUND", `${wanted} cannot be a file name`);
      }
      const file = path.join(directory, name, key);
      const credential = `${path.resolve(directory)}_${name}_${key}`;
      const text = (await readIfPresent(file, wanted)) ?? (await readIfPresent(credential, wanted));
      if (text === undefined) throw unreadable(wanted, file, "ENOENT");
      return text.replace(/\r?\n$/, "");
    },
  };
}

function unreadable(wanted: string, file: string, why: string, cause?: unknown): TelemetryError {
  return new TelemetryError("E_SECRET_NOT_FOUND", `${wanted} cannot be read from ${file} (${why})`, { cause });
}
