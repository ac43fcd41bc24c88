import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

export interface KeyPair {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority, made by openssl in a directory that is removed on disposal. */
export class CertificateAuthority implements Disposable {
  readonly #directory = mkdtempSync(path.join(tmpdir(), "certificates-"));
  readonly #own: KeyPair;

  constructor(name: string) {
    this.#own = this.#make("ca", ["-subj", `/CN=${name}`, "-addext", "basicConstraints=critical,CA:TRUE"]);
  }

  static available(): boolean {
    try {
      execFileSync("openssl", ["version"], { stdio: "ignore" });
      return true;
    } catch {
      return false;
    }
  }

  get cert(): string {
    return this.#own.cert;
  }

  /** Returns a key and a certificate of this authority, for a name such as `DNS:influx.example` or `IP:127.0.0.1`. */
  issue(file: string, altName: string): KeyPair {
    const authority = ["-CA", this.#file("ca.crt"), "-CAkey", this.#file("ca.key")];
    return this.#make(file, [...authority, "-subj", `/CN=${file}`, "-addext", `subjectAltName=${altName}`]);
  }

  /** Issues a certificate that has a name only as its common name. */
  issueCommonName(name: string): KeyPair {
    const authority = ["-CA", this.#file("ca.crt"), "-CAkey", this.#file("ca.key")];
    return this.#make("common-name", [...authority, "-subj", `/CN=${name}`]);
  }

  /** Returns the key of an issued certificate with a passphrase. */
  encrypt(file: string, passphrase: string): string {
    const options = ["-in", this.#file(`${file}.key`), "-aes256", "-passout", `pass:${passphrase}`];
    return execFileSync("openssl", ["pkey", ...options], { encoding: "utf8" });
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #make(file: string, options: readonly string[]): KeyPair {
    // Without the machine's configuration, which may add extensions that contradict these.
    const config = this.#file("openssl.cnf");
    writeFileSync(config, "[req]\ndistinguished_name = name\n[name]\n");
    const [cert, key] = [this.#file(`${file}.crt`), this.#file(`${file}.key`)];
    const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    execFileSync("openssl", ["req", "-x509", "-config", config, ...kind, "-keyout", key, "-out", cert, ...options], {
      stdio: "pipe",
    });
    return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
  }

  #file(name: string): string {
    return path.join(this.#directory, name);
  }
}
